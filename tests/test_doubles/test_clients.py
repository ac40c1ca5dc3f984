"""The double's two kinds of client: githubkit, which TinyGen uses, and a shell, which starts the
double as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from githubkit import AppAuthStrategy, AppInstallationAuthStrategy, GitHub
from githubkit.exception import RequestFailed

from tests.doubles.github import GitHubDouble, Repository
from tests.doubles.github.state import App, Installation

pytestmark = pytest.mark.slow


def test_githubkit_signs_in_comments_and_opens_a_pull_request(
    github: GitHubDouble, repo: Repository, app: App, installation: Installation
) -> None:
    as_app = GitHub(
        AppAuthStrategy(str(app.id), app.private_key or ""),
        base_url=github.api_url,
        auto_retry=False,
        http_cache=False,
    )
    with as_app:
        found = as_app.rest.apps.get_repo_installation("octocat", "hello").parsed_data
        assert found.id == installation.id
    strategy = AppInstallationAuthStrategy(str(app.id), app.private_key or "", found.id)
    repo.git.commit({"a.py": b"print(2)\n"}, branch="work")
    with GitHub(strategy, base_url=github.api_url, auto_retry=False, http_cache=False) as as_bot:
        comment = as_bot.rest.issues.create_comment(
            "octocat", "hello", 1, body="Hello."
        ).parsed_data
        assert comment.user
        assert comment.user.login == "tinygen[bot]"
        as_bot.rest.reactions.create_for_issue_comment(
            "octocat", "hello", comment.id, content="eyes"
        )
        pull = as_bot.rest.pulls.create(
            "octocat", "hello", title="Mend", head="work", base="main"
        ).parsed_data
        assert as_bot.rest.pulls.get("octocat", "hello", pull.number).parsed_data.title == "Mend"
        with pytest.raises(RequestFailed) as refused:
            as_bot.rest.pulls.create("octocat", "hello", title="Mend", head="work", base="main")
        assert refused.value.response.status_code == 422


def test_the_double_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "files" / "src").mkdir(parents=True)
    (tmp_path / "files" / "src" / "a.py").write_bytes(b"print(1)\n")
    command = [sys.executable, "-m", "tests.doubles.github", str(tmp_path / "github")]
    command += ["--repository", f"octocat/hello={tmp_path / 'files'}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        printed = json.loads(process.stdout.readline())
        try:
            with httpx.Client(base_url=printed["api_url"], verify=False) as http:
                http.headers["Authorization"] = f"Bearer {printed['tokens']['octocat']}"
                assert http.get("/repos/octocat/hello/git/ref/heads/main").status_code == 200
                made = http.post("/repos/octocat/hello/issues", json={"title": "Hello"}).json()
                assert made["user"]["login"] == "octocat"
        finally:
            process.terminate()
        assert process.wait(timeout=10) == 0
    assert (
        Path(printed["private_key_path"]).read_text().startswith("-----BEGIN RSA PRIVATE KEY-----")
    )
