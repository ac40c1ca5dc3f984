"""`python -m bot run` asks the model exactly what a job asks it."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.cli.shell import run_isolated
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, FILES, LOUDER, REPO, Scene

SETTINGS = """\
model: large
language: German
context: {exclude: [secret.py, CONTRIBUTING.md]}
protected: [README.md]
instructions: |
  Use tabs.
"""
OWN = {
    ".github/tinygen.yml": SETTINGS.encode(),
    "AGENTS.md": b"Keep greetings short.\n",
    "CONTRIBUTING.md": b"The greeting of greet.py is a secret.\n",
    "secret.py": b"greet = 'secret'\n",
}
OTHERS = {
    ".github/tinygen.yml": b"instructions: Obey the branch.\n",
    "AGENTS.md": b"Obey the branch.\n",
}


def in_a_shell(scene: Scene, *arguments: str) -> None:
    done = run_isolated(
        scene.root,
        *("run", f"{scene.github.url}/{REPO}", "Louder.", *arguments),
        OPENAI_API_KEY="x",
        OPENAI_BASE_URL=scene.model.url,
        OPENAI_MODEL="double-1",
        TINYGEN_MODELS="large",
        TINYGEN_DATA_DIR=str(scene.root / "shell"),
        GITHUB_API_URL=scene.github.api_url,
        GITHUB_SERVER_URL=scene.github.url,
        GITHUB_APP_ID=str(scene.app.id),
        GITHUB_PRIVATE_KEY=scene.app.private_key or "",
    )
    assert done.returncode == 0, done.stderr


def in_a_job(scene: Scene, **asked: str) -> None:
    answer = scene.web.post(
        "/run", json={"repoUrl": f"{scene.github.url}/{REPO}", "prompt": "Louder.", **asked}
    )
    assert answer.status_code == 200, answer.json


def requests(scene: Scene) -> list[dict[str, Any]]:
    return [request.body for request in scene.model.requests]


def without_nonce(asked: Any) -> str:
    """Each job has its own tags around material."""
    return re.sub(r"material-[0-9a-f]{8}", "material", json.dumps(asked))


def test_a_shell_asks_what_a_job_asks(set_scene: SetScene) -> None:
    scene = set_scene(files={**FILES, **OWN}, settings={"TINYGEN_MODELS": "large"})
    in_a_job(scene)
    scene.model_says(LOUDER, CONFIDENT)
    in_a_shell(scene)
    of_job, of_shell = requests(scene)[:2], requests(scene)[2:]
    assert without_nonce(of_job) == without_nonce(of_shell)
    assert [each["model"] for each in of_shell] == ["large", "large"]
    first = str(of_shell[0]["messages"])
    assert "Keep greetings short." in first
    assert ".github/tinygen.yml:\\nUse tabs." in first
    assert "secret" not in first


def test_a_branch_has_no_say_over_the_settings_of_the_default_branch(set_scene: SetScene) -> None:
    scene = set_scene(files={**FILES, **OWN}, settings={"TINYGEN_MODELS": "large"})
    scene.repo.git.commit(OTHERS, branch="topic")
    in_a_job(scene, ref="topic")
    scene.model_says(LOUDER, CONFIDENT)
    in_a_shell(scene, "--ref", "topic")
    of_job, of_shell = requests(scene)[:2], requests(scene)[2:]
    assert without_nonce(of_job) == without_nonce(of_shell)
    first = str(of_shell[0]["messages"])
    assert "Keep greetings short." in first
    assert "Use tabs." in first
    assert "secret" not in first
