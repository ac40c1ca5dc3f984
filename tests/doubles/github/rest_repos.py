"""Routes about repositories, branches, commits, people and limits."""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote

from tests.doubles.github import payloads, payloads_pulls
from tests.doubles.github.git import EMPTY_TREE, is_ref_name
from tests.doubles.github.payloads_pulls import (
    commits_between,
    diff_entries,
    merge_base,
    read_commit,
)
from tests.doubles.github.refusals import Refused, not_found
from tests.doubles.github.repository import Repository
from tests.doubles.github.routing import Call, respond, route
from tests.doubles.github.state import Json, Role, User
from tests.doubles.server import Response

LEGACY: dict[Role, str] = {"maintain": "write", "triage": "read"}


@route("GET", "/repos/{owner}/{repo}", "metadata:read")
def get_repo(call: Call) -> Response:
    shown = payloads.full_repository(call.repo)
    token = call.caller.token
    if token and token.user:
        shown["permissions"] = _flags(call.repo, token.user)
    return respond(shown)


@route("GET", "/repos/{owner}/{repo}/collaborators/{login}/permission", "metadata:read")
def get_permission(call: Call) -> Response:
    """https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user"""
    token = call.caller.token
    if token is None:
        raise Refused(401, "Requires authentication")
    if not (
        token.reaches(call.repo)
        if token.installation
        else token.user and call.repo.may(token.user, "write")
    ):
        raise Refused(403, "Must have push access to view collaborator permission.")
    user = call.world.users.get(call.parts["login"].lower())
    if user is None:
        raise Refused(404, f"{call.parts['login']} is not a user")
    role = call.repo.role(user)
    permissions = _flags(call.repo, user)
    shown = {**payloads.user(call.world, user), "permissions": permissions, "role_name": role}
    return respond({"permission": LEGACY.get(role, role), "role_name": role, "user": shown})


def _flags(repo: Repository, user: User) -> dict[str, bool]:
    flags: dict[str, Role] = {
        "pull": "read",
        "triage": "triage",
        "push": "write",
        "maintain": "maintain",
        "admin": "admin",
    }
    return {name: repo.may(user, needed) for name, needed in flags.items()}


@route("GET", "/repos/{owner}/{repo}/contents/{path:path}", "contents:read")
def get_contents(call: Call) -> Response:
    """A file of the default branch, or at a ref.
    https://docs.github.com/en/rest/repos/contents#get-repository-content"""
    repo, path = call.repo, call.parts["path"]
    ref = call.request.query.get("ref", repo.default_branch)
    found = repo.git.read(f"{ref}:{path}") if find_commit(repo, ref) else None
    if found is None or found.kind != "blob":
        raise not_found()
    content, sha = found.content, found.oid
    api, page = f"{call.world.api_url}/repos/{repo.full_name}", f"{call.world.url}/{repo.full_name}"
    links = {
        "url": f"{api}/contents/{path}?ref={ref}",
        "git_url": f"{api}/git/blobs/{sha}",
        "html_url": f"{page}/blob/{ref}/{path}",
    }
    named = {
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "size": len(content),
        "type": "file",
    }
    small = len(content) <= 1_000_000
    answer = {
        **named,
        **links,
        "download_url": f"{page}/raw/{ref}/{path}",
        "content": base64.encodebytes(content).decode() if small else "",
        "encoding": "base64" if small else "none",
        "_links": {"self": links["url"], "git": links["git_url"], "html": links["html_url"]},
    }
    return respond(answer)


@route("GET", "/repos/{owner}/{repo}/branches/{branch:path}", "contents:read")
def get_branch(call: Call) -> Response:
    """https://docs.github.com/en/rest/branches/branches#get-a-branch"""
    repo, name = call.repo, unquote(call.parts["branch"])
    sha = repo.git.branch(name)
    if sha is None:
        raise Refused(404, "Branch not found")
    url = f"{call.world.api_url}/repos/{repo.full_name}/branches/{name}"
    return respond(
        {
            "name": name,
            "commit": _commit(repo, sha),
            "_links": {"self": url, "html": f"{call.world.url}/{repo.full_name}/tree/{name}"},
            "protected": name in repo.protected,
            "protection": {},
            "protection_url": f"{url}/protection",
        }
    )


def find_commit(repo: Repository, name: str) -> str | None:
    """The commit's sha that a branch, tag, full ref or sha (whole, or its beginning) names."""
    tries = [f"refs/heads/{name}", f"refs/tags/{name}", f"refs/{name}"]
    tries += [name] if re.fullmatch("[0-9a-f]{7,40}", name) else []
    found = (repo.git.read(each) for each in tries if is_ref_name(each))
    return next((each.oid for each in found if each and each.kind == "commit"), None)


def _commit(repo: Repository, sha: str) -> Json:
    commit = read_commit(repo, sha)
    assert commit
    return payloads_pulls.commit(repo, commit)


@route("GET", "/repos/{owner}/{repo}/compare/{basehead:path}", "contents:read")
def compare(call: Call) -> Response:
    base, dots, head = call.parts["basehead"].partition("...")
    old, new = (
        find_commit(call.repo, base),
        find_commit(call.repo, head.removeprefix(f"{call.repo.owner.login}:")),
    )
    if not dots or old is None or new is None:
        raise not_found()
    fork_point = merge_base(call.repo, old, new)
    if fork_point == EMPTY_TREE:
        raise Refused(404, f"No common ancestor between {base} and {head}.")
    ahead, behind = commits_between(call.repo, old, new), commits_between(call.repo, new, old)
    states = {(False, False): "identical", (True, False): "ahead", (False, True): "behind"}
    page = f"{call.world.url}/{call.repo.full_name}/compare/{base}...{head}"
    answer = {
        "url": f"{call.world.api_url}/repos/{call.repo.full_name}/compare/{base}...{head}",
        "html_url": page,
        "permalink_url": f"{call.world.url}/{call.repo.full_name}/compare/{old[:7]}...{new[:7]}",
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "base_commit": _commit(call.repo, old),
        "merge_base_commit": _commit(call.repo, fork_point),
        "status": states.get((bool(ahead), bool(behind)), "diverged"),
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": [_commit(call.repo, sha) for sha in ahead],
        "files": diff_entries(call.repo, fork_point, new),
    }
    return respond(answer)


@route("GET", "/user")
def get_authenticated_user(call: Call) -> Response:
    """TinyGen asks it where it acts by GITHUB_TOKEN, to know its own comments."""
    if call.caller.kind == "installation":
        raise Refused(403, "Resource not accessible by integration")
    return respond(payloads.public_user(call.world, call.caller.actor))
