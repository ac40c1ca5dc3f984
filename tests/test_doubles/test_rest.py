"""The double's REST API refuses what GitHub refuses, and stores what GitHub stores."""

from __future__ import annotations

import httpx

from tests.doubles.github import GitHubDouble, Repository
from tests.test_doubles.conftest import COMMENTS, REPO, Client


def test_an_empty_or_too_long_comment_is_refused(bot: Client) -> None:
    assert bot("POST", COMMENTS, {"body": " "}).status_code == 422
    assert bot("POST", COMMENTS, {"body": "😀" * 65_536}).status_code == 201
    refused = bot("POST", COMMENTS, {"body": "x" * 65_537})
    assert refused.status_code == 422
    assert (
        refused.json()["errors"][0]["message"] == "Body is too long (maximum is 65536 characters)"
    )


def test_a_locked_issue_or_an_archived_repository_takes_no_comment(
    repo: Repository, bot: Client
) -> None:
    repo.issues[1].locked = True
    assert bot("POST", COMMENTS, {"body": "Hello."}).status_code == 403
    repo.issues[1].locked, repo.archived = False, True
    assert (
        bot("POST", COMMENTS, {"body": "Hello."}).json()["message"]
        == "Repository was archived so is read-only."
    )


def test_a_workflow_needs_its_own_permission(
    github: GitHubDouble, repo: Repository, bot: Client
) -> None:
    tree = {
        "tree": [
            {
                "path": ".github/workflows/ci.yml",
                "mode": "100644",
                "type": "blob",
                "content": "on: push\n",
            }
        ]
    }
    assert bot("POST", f"{REPO}/git/trees", tree).status_code == 403
    for token in github.world.tokens.values():
        token.permissions["workflows"] = "write"
    assert bot("POST", f"{REPO}/git/trees", tree).status_code == 201


def test_a_branch_is_moved_back_only_by_force(repo: Repository, bot: Client) -> None:
    first = repo.git.branch("main")
    second = repo.git.commit({"a.py": b"print(2)\n"}, branch="main")
    assert (
        bot("PATCH", f"{REPO}/git/refs/heads/main", {"sha": first}).json()["message"]
        == "Update is not a fast forward"
    )
    assert repo.git.branch("main") == second
    assert (
        bot("PATCH", f"{REPO}/git/refs/heads/main", {"sha": first, "force": True}).status_code
        == 200
    )
    assert bot("PATCH", f"{REPO}/git/refs/heads/main", {"sha": second}).status_code == 200


def test_a_second_pull_request_of_one_head_is_refused(repo: Repository, bot: Client) -> None:
    repo.git.commit({"a.py": b"print(1)\n"}, branch="same")
    repo.git.set_ref("refs/heads/same", repo.git.branch("main") or "")
    asked = {"title": "Mend", "head": "same", "base": "main"}
    assert (
        bot("POST", f"{REPO}/pulls", asked).json()["errors"][0]["message"]
        == "No commits between main and same"
    )
    repo.git.commit({"a.py": b"print(2)\n"}, branch="same")
    assert bot("POST", f"{REPO}/pulls", asked).status_code == 201
    assert (
        "already exists for octocat:same"
        in bot("POST", f"{REPO}/pulls", asked).json()["errors"][0]["message"]
    )


def test_a_ref_of_an_empty_repository_is_a_conflict(
    github: GitHubDouble, http: httpx.Client
) -> None:
    github.add_repository("octocat/new")
    assert Client(http)("GET", "/repos/octocat/new/git/ref/heads/main").status_code == 409


def test_a_commit_is_compared_by_each_of_its_names(repo: Repository, bot: Client) -> None:
    sha = repo.git.branch("main") or ""
    repo.git.set_ref("refs/tags/v1", sha)
    for name in ("main", "v1", "heads/main", sha, sha[:7]):
        compared = bot("GET", f"{REPO}/compare/{name}...main").json()
        assert (compared["status"], compared["base_commit"]["sha"]) == ("identical", sha)
    assert bot("GET", f"{REPO}/compare/main...nobody").status_code == 404


def test_a_former_repository_name_redirects_to_the_repository(
    github: GitHubDouble, repo: Repository, bot: Client
) -> None:
    repo.rename("hallo")
    answer = bot("GET", f"{REPO}/git/ref/heads/main")
    assert answer.status_code == 301
    location = f"{github.api_url}/repositories/{repo.id}/git/ref/heads/main"
    assert answer.headers["Location"] == location
    assert bot("GET", location).json()["ref"] == "refs/heads/main"


def test_comments_come_in_pages(repo: Repository, bot: Client) -> None:
    for n in range(5):
        repo.comment(1, "mona", f"{n}")
    second = bot("GET", f"{COMMENTS}?per_page=2&page=2")
    assert [comment["body"] for comment in second.json()] == ["2", "3"]
    assert {rel: link["url"][-1] for rel, link in second.links.items()} == {
        "prev": "1",
        "next": "3",
        "last": "3",
        "first": "1",
    }


def test_the_author_of_what_an_app_writes_is_its_bot(bot: Client) -> None:
    for made in (
        bot("POST", COMMENTS, {"body": "Hello."}).json(),
        bot("POST", f"{REPO}/issues", {"title": "Hello"}).json(),
    ):
        assert (made["user"]["login"], made["user"]["type"]) == ("tinygen[bot]", "Bot")
        assert made["performed_via_github_app"]["id"] == 12345
