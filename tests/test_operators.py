"""What an operator sees of the real processes: whether they are ready, what they counted, and the
jobs from a shell."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from tests import ROOT
from tests.demo import REPO, sample_files, scripted
from tests.doubles.model import ModelDouble
from tests.stage import Stage


def get(stage: Stage, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{stage.url}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_running_bot_is_ready_counts_and_lists_its_jobs(tmp_path: Path) -> None:
    with ModelDouble(scripted) as model, Stage(tmp_path, model.url) as stage:
        repo = stage.github.add_repository(
            REPO, files=sample_files(), permissions={"octocat": "admin"}
        )
        stage.github.install(stage.app, "octocat")
        issue = repo.open_issue("octocat", "Names", "Mend them.")
        repo.comment(issue.number, "octocat", "/tinygen fix greet")
        stage.finished(REPO, issue.number)
        assert get(stage, "/readyz") == (200, '{"status":"ready","workers":1}\n')
        stage.wait(
            lambda: "tinygen_model_calls_total 4.0" in get(stage, "/metrics")[1],
            "the worker's figures",
        )
        assert "tinygen_workers 1.0" in get(stage, "/metrics")[1]
        listed = subprocess.run(
            [sys.executable, "-m", "bot", "jobs", "list", "--json"],
            cwd=ROOT,
            env=stage.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        (job,) = json.loads(listed.stdout)
        assert (job["state"], job["repo"], job["issue_number"]) == ("done", REPO, issue.number)
