"""Runs of GitHub Actions in GitHub's JSON, as far as a failed one goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.doubles.github import payloads
from tests.doubles.github.payloads_pulls import read_commit
from tests.doubles.github.state import Json, WorkflowRun

if TYPE_CHECKING:
    from tests.doubles.github.repository import Repository

_ID = 7
"""Of the one workflow that there is."""


def run(repo: Repository, of: WorkflowRun) -> Json:
    """As a webhook shows it: pull requests of forks are not in it."""
    api = f"{repo.world.api_url}/repos/{repo.full_name}"
    url = f"{api}/actions/runs/{of.id}"
    shown, owner = payloads.repository(repo), payloads.user(repo.world, repo.owner)
    return {
        "id": of.id,
        "node_id": payloads.node_id("WFR", of.id),
        "name": of.name,
        "path": f".github/workflows/{of.name.lower()}.yml",
        "display_title": of.name,
        "event": "pull_request",
        "status": "completed",
        "conclusion": "failure",
        "head_branch": of.branch,
        "head_sha": of.head_sha,
        "head_commit": _head_commit(repo, of.head_sha),
        "pull_requests": [
            _pull(repo, issue.number) for issue in repo.pulls if _is_of(repo, issue.number, of)
        ],
        "actor": owner,
        "triggering_actor": owner,
        "repository": shown,
        "head_repository": shown,
        "referenced_workflows": [],
        "run_number": 1,
        "run_attempt": 1 + of.passed_before,
        "workflow_id": _ID,
        "workflow_url": f"{api}/actions/workflows/{_ID}",
        "check_suite_id": of.id + 1,
        "check_suite_node_id": payloads.node_id("CS", of.id + 1),
        "check_suite_url": f"{api}/check-suites/{of.id + 1}",
        "url": url,
        "html_url": f"{repo.world.url}/{repo.full_name}/actions/runs/{of.id}",
        **{
            f"{name}_url": f"{url}/{name}"
            for name in ("jobs", "logs", "artifacts", "cancel", "rerun")
        },
        "previous_attempt_url": None,
        **dict.fromkeys(("created_at", "updated_at", "run_started_at"), of.created_at),
    }


def workflow(repo: Repository, of: WorkflowRun) -> Json:
    url, page = f"{repo.world.api_url}/repos/{repo.full_name}", f"{repo.world.url}/{repo.full_name}"
    path = f".github/workflows/{of.name.lower()}.yml"
    return {
        "id": _ID,
        "node_id": payloads.node_id("W", _ID),
        "name": of.name,
        "path": path,
        "state": "active",
        "url": f"{url}/actions/workflows/{_ID}",
        "html_url": f"{page}/blob/{repo.default_branch}/{path}",
        "badge_url": f"{page}/workflows/{of.name}/badge.svg",
        "created_at": repo.created_at,
        "updated_at": repo.created_at,
    }


def job(repo: Repository, of: WorkflowRun, attempt: int) -> Json:
    api = f"{repo.world.api_url}/repos/{repo.full_name}"
    conclusion = "success" if attempt <= of.passed_before else "failure"
    steps = [("Set up job", "success"), (of.step, conclusion), ("Complete job", "success")]
    return {
        "id": of.job_id,
        "node_id": payloads.node_id("CR", of.job_id),
        "run_id": of.id,
        "run_url": f"{api}/actions/runs/{of.id}",
        "head_sha": of.head_sha,
        "head_branch": of.branch,
        "workflow_name": of.name,
        "name": of.job,
        "status": "completed",
        "conclusion": conclusion,
        "run_attempt": attempt,
        "url": f"{api}/actions/jobs/{of.job_id}",
        "html_url": f"{repo.world.url}/{repo.full_name}/actions/runs/{of.id}/job/{of.job_id}",
        "check_run_url": f"{api}/check-runs/{of.job_id}",
        "labels": ["ubuntu-latest"],
        **dict.fromkeys(("runner_id", "runner_group_id"), 1),
        **dict.fromkeys(("runner_name", "runner_group_name"), "GitHub Actions"),
        **dict.fromkeys(("created_at", "started_at", "completed_at"), of.created_at),
        "steps": [
            {"name": name, "status": "completed", "conclusion": conclusion, "number": number}
            for number, (name, conclusion) in enumerate(steps, 1)
        ],
    }


def _is_of(repo: Repository, number: int, of: WorkflowRun) -> bool:
    issue = repo.issues[number]
    return (
        issue.pull is not None and issue.pull.head_repo is repo and issue.pull.head_ref == of.branch
    )


def _pull(repo: Repository, number: int) -> Json:
    issue = repo.issues[number]
    assert issue.pull
    url = f"{repo.world.api_url}/repos/{repo.full_name}"
    here = {"id": repo.id, "url": url, "name": repo.name}
    head = {"ref": issue.pull.head_ref, "sha": repo.head(issue), "repo": here}
    base = {
        "ref": issue.pull.base_ref,
        "sha": repo.git.branch(issue.pull.base_ref) or "",
        "repo": here,
    }
    return {
        "id": issue.id,
        "number": number,
        "url": f"{url}/pulls/{number}",
        "head": head,
        "base": base,
    }


def _head_commit(repo: Repository, sha: str) -> Json:
    commit = read_commit(repo, sha)
    assert commit
    people = {
        name: {"name": who["name"], "email": who["email"]} for name, who in _people(commit.author)
    }
    return {
        "id": sha,
        "tree_id": commit.tree,
        "message": commit.message,
        "timestamp": commit.author["date"],
        **people,
    }


def _people(author: Json) -> list[tuple[str, Json]]:
    return [("author", author), ("committer", author)]
