"""Of a repository that the App was removed from, and of one that the operator names, nothing is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.doubles.github import Repository
from tests.doubles.github.state import Json
from tests.doubles.model import hang
from tests.scene import CONFIDENT, LOUDER, REPO, Scene

SECRET = "The password of the greeting is swordfish."


def kept(scene: Scene) -> list[str]:
    """Where the words of the request still are."""
    found = [f"row {job_id}" for job_id, row in scene.rows().items() if "swordfish" in str(row)]
    for path in scene.root.rglob("*"):
        if path.is_file() and path.suffix == ".sqlite":
            scene.run_sql("VACUUM")
            content = path.read_bytes()
            found += [path.name] if b"swordfish" in content else []
    return found


def caches(scene: Scene) -> list[Path]:
    return list(scene.root.rglob("*.git/objects/pack/*.pack"))


def removed(scene: Scene, repo: Repository) -> Json:
    installation = {"id": next(iter(scene.github.world.installations))}
    gone = [{"id": repo.id, "full_name": repo.full_name}]
    return {"action": "removed", "installation": installation, "repositories_removed": gone}


@pytest.mark.parametrize("event", ["installation", "installation_repositories"])
def test_after_a_removal_nothing_is_kept(scene: Scene, event: str) -> None:
    scene.tell(f"/tinygen --diff {SECRET}")
    assert kept(scene)
    before = len(caches(scene))
    payload = removed(scene, scene.repo)
    if event == "installation":
        payload = {"action": "deleted", "installation": payload["installation"]}
    delivery = scene.github.deliver(event, payload)
    assert scene.deliver(delivery).status_code == 202
    scene.wait(lambda: scene.engine.state(delivery.guid) == "ended", "the removal")
    assert [row for row in scene.rows().values() if "swordfish" in str(row)] == []
    assert not scene.engine.is_alive(delivery.guid)
    assert len(caches(scene)) < before


def test_what_runs_is_stopped_first_and_others_stay(scene: Scene) -> None:
    other = scene.github.add_repository("octocat/other", files={"a.py": b"A = 1\n"})
    kept_before = scene.tell("/tinygen help")
    scene.model_says(hang(60))
    told = scene.say(f"/tinygen --diff {SECRET}", on=scene.repo.issues[1])
    scene.wait(lambda: scene.asked, "the model to be asked")
    delivery = scene.github.deliver("installation_repositories", removed(scene, other))
    scene.deliver(delivery)
    scene.wait(lambda: scene.engine.state(delivery.guid) == "ended", "the removal of the other")
    assert told.state == "running"
    assert kept_before.job in scene.rows()
    delivery = scene.github.deliver("installation_repositories", removed(scene, scene.repo))
    scene.deliver(delivery)
    scene.wait(lambda: scene.engine.state(delivery.guid) == "ended", "the removal")
    assert scene.rows() == {}


def test_other_news_of_installations_are_ignored(scene: Scene) -> None:
    scene.tell("/tinygen help")
    payload = {**removed(scene, scene.repo), "action": "created"}
    answer = scene.deliver(scene.github.deliver("installation", payload))
    assert "only the removal" in json.loads(answer.data)["ignored"]


def test_an_operator_has_a_repository_forgotten(scene: Scene) -> None:
    scene.tell(f"/tinygen --diff {SECRET}")
    environment = {**os.environ, **scene._environment()}

    def forget(name: str) -> int:
        command = [sys.executable, "-m", "bot", "forget", name]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode

    assert forget(REPO) == 0
    scene.wait(lambda: not scene.rows(), "the removal")
    scene.model_says(LOUDER, CONFIDENT)
    assert scene.tell("/tinygen --new Louder.", on=scene.repo.issues[1]).state == "done"
    assert forget("no name") == 1
