"""Every answer of the GitHub double, and every webhook, against GitHub's own description of
them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import jwt
import pytest

from tests.conftest import NPM
from tests.doubles.github import GitHubDouble, Repository
from tests.doubles.github.routing import ROUTES
from tests.doubles.github.schema import answer_problems, webhook_problems

pytestmark = [pytest.mark.npm, pytest.mark.slow]

PERMISSIONS = {
    "contents": "write",
    "issues": "write",
    "pull_requests": "write",
    "workflows": "write",
    "actions": "read",
}
EVENTS = ("issue_comment", "issues", "pull_request", "pull_request_review_comment", "workflow_run")


class CheckedClient:
    """A client that checks each answer against GitHub's published schema."""

    def __init__(self, http: httpx.Client, credential: str) -> None:
        self.http, self.headers = http, {"Authorization": f"Bearer {credential}"}

    def __call__(self, method: str, path: str, body: object = None, *, status: int = 200) -> Any:
        answer = self.http.request(method, path, json=body, headers=self.headers)
        shown = answer.json() if answer.content else None
        assert answer.status_code == status, shown
        assert answer_problems(method, path.partition("?")[0], status, shown) == []
        return shown


@pytest.fixture
def repo(github: GitHubDouble) -> Repository:
    app = github.add_app(
        permissions=PERMISSIONS,
        events=EVENTS,
        webhook_url=f"{github.url}/nobody",
        webhook_secret="s",
    )
    files = {"a.py": b"print(1)\n", "src/b.py": b"x\ny\n"}
    repo = github.add_repository("octocat/hello", files=files, permissions={"alice": "triage"})
    github.install(app, "octocat", repositories=[repo])
    return repo


@pytest.fixture
def as_app(github: GitHubDouble, repo: Repository, http: httpx.Client) -> CheckedClient:
    claims = {
        "iss": "12345",
        "iat": int(github.world.clock()),
        "exp": int(github.world.clock()) + 600,
    }
    return CheckedClient(
        http, jwt.encode(claims, github.world.apps[12345].private_key or "", "RS256")
    )


@pytest.fixture
def as_bot(github: GitHubDouble, as_app: CheckedClient) -> CheckedClient:
    number = next(iter(github.world.installations))
    return CheckedClient(
        as_app.http,
        as_app("POST", f"/app/installations/{number}/access_tokens", status=201)["token"],
    )


def test_every_answer_has_the_form_of_githubs_schema(
    github: GitHubDouble, repo: Repository, as_app: CheckedClient, as_bot: CheckedClient
) -> None:
    call_routes_of_apps(github, repo, as_app, as_bot)
    call_routes_of_git(as_bot)
    call_routes_of_issues(repo, as_bot)
    call_routes_of_pulls(repo, as_bot)
    call_routes_of_checks(repo, as_bot)
    asked = {
        (each.method, each.path) for each in github.requests if each.status and each.status < 400
    }
    missed = [
        route.handler.__name__
        for route in ROUTES
        if route.pattern.pattern != "/graphql"  # not part of the schema of the REST API
        and not any(
            method == route.method and route.pattern.fullmatch(path) for method, path in asked
        )
    ]
    assert missed == []


def call_routes_of_apps(
    github: GitHubDouble, repo: Repository, as_app: CheckedClient, as_bot: CheckedClient
) -> None:
    as_app("GET", "/app")
    number = as_app("GET", "/repos/octocat/hello/installation")["id"]
    as_app("GET", "/app/installations?per_page=1")
    as_app("GET", f"/app/installations/{number}")
    narrowed = {"repositories": ["hello"], "permissions": {"contents": "read"}}
    as_app("POST", f"/app/installations/{number}/access_tokens", narrowed, status=201)
    as_app(
        "POST",
        f"/app/installations/{number}/access_tokens",
        {"permissions": {"actions": "write"}},
        status=422,
    )
    as_app("GET", "/app/hook/config")
    repo.open_issue("alice", "First", None)
    delivery = as_app("GET", "/app/hook/deliveries?per_page=1")[0]["id"]
    as_app("POST", f"/app/hook/deliveries/{delivery}/attempts", status=202)
    github.world.manifests["code"] = {"name": "New App", "default_events": ["issues"]}
    as_app("POST", "/app-manifests/code/conversions", status=201)
    as_bot("GET", "/installation/repositories?per_page=1")
    as_bot("GET", "/repos/octocat/hello")
    as_bot("GET", "/repos/octocat/nobody", status=404)
    as_bot("GET", "/repos/octocat/hello/collaborators/alice/permission")
    as_bot("GET", "/repos/octocat/hello/contents/src/b.py")
    as_bot("GET", "/repos/octocat/hello/contents/none", status=404)
    as_bot("GET", "/repos/octocat/hello/branches/main")
    as_bot("GET", "/repos/octocat/hello/branches/none", status=404)
    CheckedClient(as_app.http, github.add_token("alice"))("GET", "/user")


def call_routes_of_git(as_bot: CheckedClient) -> None:
    git = "/repos/octocat/hello/git"
    base = as_bot("GET", f"{git}/ref/heads/main")["object"]["sha"]
    as_bot("GET", f"{git}/ref/heads/nobody", status=404)
    tree = as_bot("GET", f"{git}/commits/{base}")["tree"]["sha"]
    blob = as_bot("POST", f"{git}/blobs", {"content": "/w==", "encoding": "base64"}, status=201)[
        "sha"
    ]
    as_bot("GET", f"{git}/blobs/{blob}")
    as_bot("GET", f"{git}/trees/{tree}")
    as_bot("GET", f"{git}/trees/{blob}", status=404)
    changes = [
        {"path": "bin", "mode": "100755", "type": "blob", "sha": blob},
        {"path": "a.py", "mode": "100644", "type": "blob", "content": "print(2)\n"},
        {"path": "src/b.py", "mode": "100644", "type": "blob", "sha": None},
    ]
    changed = as_bot("POST", f"{git}/trees", {"base_tree": tree, "tree": changes}, status=201)[
        "sha"
    ]
    new = {"message": "Change", "tree": changed, "parents": [base]}
    commit = as_bot("POST", f"{git}/commits", new, status=201)["sha"]
    ref = {"ref": "refs/heads/tinygen/issue-1", "sha": base}
    as_bot("POST", f"{git}/refs", ref, status=201)
    as_bot("POST", f"{git}/refs", ref, status=422)
    as_bot("PATCH", f"{git}/refs/heads/tinygen/issue-1", {"sha": commit})
    as_bot("GET", "/repos/octocat/hello/compare/main...tinygen/issue-1")
    as_bot("POST", f"{git}/refs", {**ref, "ref": "refs/heads/gone"}, status=201)
    as_bot("DELETE", f"{git}/refs/heads/gone", status=204)
    as_bot("DELETE", f"{git}/refs/heads/gone", status=422)


def call_routes_of_checks(repo: Repository, as_bot: CheckedClient) -> None:
    run = repo.fail_check("main", "log")
    as_bot("GET", f"/repos/octocat/hello/actions/runs/{run.id}/jobs")
    as_bot("GET", f"/repos/octocat/hello/actions/jobs/{run.job_id}/logs", status=302)


def call_routes_of_issues(repo: Repository, as_bot: CheckedClient) -> None:
    issues = "/repos/octocat/hello/issues"
    number = as_bot("POST", issues, {"title": "Bug", "body": "It broke."}, status=201)["number"]
    as_bot("GET", f"{issues}/{number}")
    as_bot("GET", f"{issues}/99", status=404)
    comment = as_bot("POST", f"{issues}/{number}/comments", {"body": "Hello."}, status=201)["id"]
    as_bot("POST", f"{issues}/{number}/comments", {"body": "x" * 65_537}, status=422)
    as_bot("GET", f"{issues}/{number}/comments")
    as_bot("PATCH", f"{issues}/comments/{comment}", {"body": "Changed."})
    as_bot("POST", f"{issues}/{number}/labels", {"labels": ["bug"]})
    reactions = f"{issues}/comments/{comment}/reactions"
    as_bot("POST", reactions, {"content": "eyes"}, status=201)
    as_bot("POST", reactions, {"content": "eyes"}, status=200)


def call_routes_of_pulls(repo: Repository, as_bot: CheckedClient) -> None:
    pulls = "/repos/octocat/hello/pulls"
    asked = {
        "title": "Mend",
        "head": "tinygen/issue-1",
        "base": "main",
        "body": "Closes #1",
        "draft": True,
    }
    number = as_bot("POST", pulls, asked, status=201)["number"]
    as_bot("POST", pulls, asked, status=422)
    as_bot("GET", f"{pulls}/{number}")
    as_bot("GET", f"{pulls}?head=octocat:tinygen/issue-1&state=all")
    repo.permissions["mona"] = "write"
    as_bot("POST", f"{pulls}/{number}/requested_reviewers", {"reviewers": ["mona"]}, status=201)
    as_bot("POST", f"{pulls}/{number}/requested_reviewers", {"reviewers": ["nobody"]}, status=422)
    as_bot("GET", f"/repos/octocat/hello/issues/{number}")
    comment = repo.review_comment(number, "alice", "Why?", path="a.py", line=1)
    as_bot("GET", f"{pulls}/{number}/comments")
    as_bot("PATCH", f"{pulls}/comments/{comment.id}", {"body": "Changed."})
    as_bot("POST", f"{pulls}/comments/{comment.id}/reactions", {"content": "confused"}, status=201)
    as_bot(
        "POST", f"{pulls}/{number}/comments/{comment.id}/replies", {"body": "Because."}, status=201
    )
    as_bot("PATCH", f"{pulls}/{number}", {"body": "Closes #2", "state": "closed"})


def test_every_webhook_has_the_form_of_githubs_schema(
    github: GitHubDouble, repo: Repository
) -> None:
    issue = repo.open_issue("alice", "Bug", "It broke.")
    comment = repo.comment(issue.number, "alice", "/tinygen mend it")
    repo.edit_comment(comment, "/tinygen mend it now")
    repo.delete_comment(comment)
    repo.label(issue.number, "tinygen", by="alice")
    repo.assign(issue.number, "alice", by="alice")
    repo.close(issue.number)
    repo.git.commit({"a.py": b"print(2)\n"}, branch="work")
    pull = repo.open_pull("alice", "Work", head="work")
    repo.comment(pull.number, "alice", "/tinygen")
    remark = repo.review_comment(pull.number, "alice", "/tinygen", path="a.py", line=1)
    repo.edit_comment(remark, "/tinygen now")
    repo.fail_check("work", "log")
    seen = [
        (each.event, webhook_problems(each.event, json.loads(each.body)))
        for each in github.deliveries
    ]
    assert [event for event, problems in seen if problems] == [], seen
    assert len(seen) == 12


def example(event: str, action: str) -> dict[str, Any]:
    """A real delivery to an App, from GitHub's published examples."""
    index = NPM / "@octokit" / "webhooks-examples" / "api.github.com" / "index.json"
    [named] = [each for each in json.loads(index.read_bytes()) if each["name"] == event]
    found: list[dict[str, Any]] = [each for each in named["examples"] if each["action"] == action]
    return next((each for each in found if "installation" in each), found[0])


def missing(real: object, ours: object, at: str = "") -> list[str]:
    """The fields of the real payload that ours lacks; lists and nulls are not compared."""
    if not isinstance(real, dict) or not isinstance(ours, dict):
        return []
    here = [f"{at}/{name}" for name in real if name not in ours]
    return here + [
        gap
        for name in real
        if name in ours
        for gap in missing(real[name], ours[name], f"{at}/{name}")
    ]


@pytest.mark.parametrize("action", ["created", "edited", "deleted"])
def test_a_comments_webhook_has_every_field_of_a_real_one(
    github: GitHubDouble, repo: Repository, action: str
) -> None:
    issue = repo.open_issue("alice", "Bug", "It broke.")
    comment = repo.comment(issue.number, "alice", "/tinygen mend it")
    repo.edit_comment(comment, "/tinygen mend it now")
    repo.delete_comment(comment)
    [sent] = [
        each.payload
        for each in github.deliveries
        if each.payload["action"] == action and "comment" in each.payload
    ]
    of_an_organization = {"/organization", "/repository/custom_properties", "/issue/draft"}
    assert set(missing(example("issue_comment", action), sent)) <= of_an_organization
