"""Routes about git's own objects and refs. https://docs.github.com/en/rest/git"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from tests.doubles.github import payloads, payloads_pulls
from tests.doubles.github.auth import grants
from tests.doubles.github.git import EMPTY_TREE, Bare, Entry, commit_text, is_ref_name, tree_of
from tests.doubles.github.refusals import Refused, empty_repository, not_found
from tests.doubles.github.routing import Call, respond, route
from tests.doubles.github.state import Json
from tests.doubles.server import Response

MODES = {"100644": "blob", "100755": "blob", "120000": "blob", "040000": "tree", "160000": "commit"}
WORKFLOWS = ".github/workflows/"
MOST_ENTRIES = 100_000
"""A longer recursive tree is cut, with `truncated` set.
https://docs.github.com/en/rest/git/trees#get-a-tree"""


def _url(call: Call, kind: str, oid: str) -> str:
    return f"{call.world.api_url}/repos/{call.repo.full_name}/git/{kind}/{oid}"


def _check_not_empty(call: Call) -> Bare:
    if not call.repo.git.refs("refs/"):
        raise empty_repository()
    return call.repo.git


def _ref(call: Call, name: str, oid: str, kind: str) -> Json:
    link = _url(call, f"{kind}s", oid)
    return {
        "ref": name,
        "node_id": payloads.node_id("REF", f"{call.repo.id}:{name}"),
        "url": _url(call, "refs", name.removeprefix("refs/")),
        "object": {"sha": oid, "type": kind, "url": link},
    }


@route("GET", "/repos/{owner}/{repo}/git/ref/{ref:path}", "contents:read")
def get_ref(call: Call) -> Response:
    name = f"refs/{call.parts['ref']}"
    found = call.repo.git.read(name) if is_ref_name(name) else None
    if found is None:
        _check_not_empty(call)
        raise not_found()
    return respond(_ref(call, name, found.oid, found.kind))


@route("POST", "/repos/{owner}/{repo}/git/refs", "contents:write")
def create_ref(call: Call) -> Response:
    git = _check_not_empty(call)
    name, oid = call.text("ref"), call.text("sha")
    if not name.startswith("refs/") or name.count("/") < 2:
        raise Refused(
            422, "Reference name must start with 'refs/' and contain at least two slashes."
        )
    if not is_ref_name(name):
        raise Refused(422, f"{name} is not a valid ref name.")
    if git.sha(name):
        raise Refused(422, "Reference already exists")
    found = git.read(oid) if len(oid) == 40 else None
    if found is None or (name.startswith("refs/heads/") and found.kind != "commit"):
        raise Refused(422, "Object does not exist")
    if not git.set_ref(name, oid):
        raise Refused(422, "Reference update failed")
    shown = _ref(call, name, oid, found.kind)
    return respond(shown, 201, {"Location": shown["url"]})


@route("PATCH", "/repos/{owner}/{repo}/git/refs/{ref:path}", "contents:write")
def update_ref(call: Call) -> Response:
    name, oid, git = f"refs/{call.parts['ref']}", call.text("sha"), call.repo.git
    now = git.sha(name)
    if now is None:
        raise Refused(422, "Reference does not exist")
    if len(oid) != 40 or git.read_kind(oid, "commit") is None:
        raise Refused(422, "Object does not exist")
    if not call.json.get("force", False) and not git.is_ancestor(now, oid):
        raise Refused(422, "Update is not a fast forward")
    git.set_ref(name, oid)
    return respond(_ref(call, name, oid, "commit"))


@route("DELETE", "/repos/{owner}/{repo}/git/refs/{ref:path}", "contents:write")
def delete_ref(call: Call) -> Response:
    name, git = f"refs/{call.parts['ref']}", call.repo.git
    if git.sha(name) is None:
        raise Refused(422, "Reference does not exist")
    git.run("update-ref", "-d", name)
    return respond(None, 204)


@route("POST", "/repos/{owner}/{repo}/git/blobs", "contents:write")
def create_blob(call: Call) -> Response:
    content = call.text("content")
    if call.json.get("encoding", "utf-8") == "base64":
        try:
            raw = base64.b64decode(content)
        except binascii.Error:
            raise Refused(422, "content is not valid Base64") from None
    else:
        raw = content.encode("utf-8", "surrogatepass")
    oid = call.repo.git.write("blob", raw)
    return respond({"sha": oid, "url": _url(call, "blobs", oid)}, 201)


def _tree(call: Call, tree: str, *, recursive: bool = False) -> Json:
    git = call.repo.git
    entries = list(git.walk(tree) if recursive else git.entries(tree))
    shown = []
    for entry in entries[:MOST_ENTRIES]:
        row: Json = {"path": entry.path, "mode": entry.mode, "type": entry.kind, "sha": entry.oid}
        if entry.kind == "blob":
            blob = git.read(entry.oid)
            row["size"] = len(blob.content) if blob else 0
        if entry.kind != "commit":
            row["url"] = _url(call, f"{entry.kind}s", entry.oid)
        shown.append(row)
    return {
        "sha": tree,
        "url": _url(call, "trees", tree),
        "tree": shown,
        "truncated": len(entries) > MOST_ENTRIES,
    }


@route("GET", "/repos/{owner}/{repo}/git/blobs/{sha}", "contents:read")
def get_blob(call: Call) -> Response:
    """https://docs.github.com/en/rest/git/blobs#get-a-blob"""
    found = call.repo.git.read_kind(call.parts["sha"], "blob")
    if found is None:
        raise not_found()
    return respond(
        {
            "sha": found.oid,
            "node_id": payloads.node_id("B", found.oid),
            "size": len(found.content),
            "url": _url(call, "blobs", found.oid),
            "content": base64.encodebytes(found.content).decode(),
            "encoding": "base64",
        }
    )


@route("GET", "/repos/{owner}/{repo}/git/trees/{sha}", "contents:read")
def get_tree(call: Call) -> Response:
    """Of a tree or of a commit. https://docs.github.com/en/rest/git/trees#get-a-tree"""
    git = call.repo.git
    commit = git.read_kind(call.parts["sha"], "commit")
    tree = commit.content.split()[1].decode() if commit else call.parts["sha"]
    if git.read_kind(tree, "tree") is None:
        raise not_found()
    return respond(_tree(call, tree))


@route("POST", "/repos/{owner}/{repo}/git/trees", "contents:write")
def create_tree(call: Call) -> Response:
    """https://docs.github.com/en/rest/git/trees#create-a-tree"""
    git, base = _check_not_empty(call), call.json.get("base_tree")
    entries = call.json.get("tree")
    if not isinstance(entries, list) or not entries:
        raise Refused(422, "Invalid tree info")
    if base is not None:
        found = git.read(base)
        if found is None or found.kind not in ("tree", "commit"):
            raise Refused(422, "base_tree is not a valid tree oid")
        base = tree_of(found) if found.kind == "commit" else found.oid
    changes = {entry["path"]: _entry(call, entry) for entry in entries}
    tree = git.edit_tree(base, changes)
    if tree == EMPTY_TREE:
        raise Refused(422, "Invalid tree info")
    return respond(_tree(call, tree), 201)


def _entry(call: Call, asked: Json) -> Entry | None:
    """None where the path is to go (`"sha": null`)."""
    path, mode = asked.get("path", ""), asked.get("mode", "100644")
    if path.startswith("/") or {"", ".", "..", ".git"} & set(path.lower().split("/")):
        raise Refused(422, "tree.path contains a malformed path component")
    if mode not in MODES:
        raise Refused(422, f"tree.mode {mode} is not one of {', '.join(MODES)}")
    _check_workflows(call, path)
    if "content" in asked:
        return Entry(
            path,
            mode,
            call.repo.git.write("blob", asked["content"].encode("utf-8", "surrogatepass")),
        )
    if asked.get("sha", "") is None:
        return None
    found = call.repo.git.read(asked.get("sha", ""))
    if mode != "160000" and (found is None or found.kind != MODES[mode]):
        raise Refused(422, f"tree.sha {asked.get('sha')} is not a valid {MODES[mode]}")
    return Entry(path, mode, asked["sha"])


def _check_workflows(call: Call, path: str) -> None:
    """GitHub refuses a workflow file when the tree is made.

    Seen in https://github.com/googleapis/release-please-action/issues/704
    """
    token = call.caller.token
    if (
        path.startswith(WORKFLOWS)
        and token
        and token.installation
        and not grants(token, "workflows:write")
    ):
        raise Refused(403, "Resource not accessible by integration")


@route("GET", "/repos/{owner}/{repo}/git/commits/{sha}", "contents:read")
def get_commit(call: Call) -> Response:
    commit = payloads_pulls.read_commit(call.repo, call.parts["sha"])
    if commit is None:
        raise not_found()
    return respond(payloads_pulls.git_commit(call.repo, commit))


@route("POST", "/repos/{owner}/{repo}/git/commits", "contents:write")
def create_commit(call: Call) -> Response:
    """An App's commit without a named author is the bot's, and signed by GitHub."""
    message, tree, parents = call.text("message"), call.text("tree"), call.json.get("parents", [])
    git = call.repo.git
    if git.read_kind(tree, "tree") is None:
        raise Refused(422, "Tree SHA does not exist")
    if any(git.read_kind(parent, "commit") is None for parent in parents):
        raise Refused(422, "Parent SHA does not exist or is not a commit object")
    author = _person(call, call.json.get("author"))
    committer = _person(call, call.json.get("committer") or call.json.get("author"), github=True)
    oid = git.write("commit", commit_text(tree, parents, author, committer, message))
    if call.caller.via and not {"author", "committer"} & call.json.keys():
        call.repo.signed.add(oid)
    commit = payloads_pulls.read_commit(call.repo, oid)
    assert commit
    shown = payloads_pulls.git_commit(call.repo, commit)
    return respond(shown, 201, {"Location": shown["url"]})


def _person(call: Call, named: Json | None, *, github: bool = False) -> str:
    at = int(call.world.clock())
    if named:
        if "date" in named:
            at = int(datetime.fromisoformat(named["date"]).timestamp())
        return f"{named['name']} <{named['email']}> {at} +0000"
    if github:
        return f"GitHub <noreply@github.com> {at} +0000"
    actor = call.caller.actor
    return f"{actor.login} <{actor.id}+{actor.login}@users.noreply.github.com> {at} +0000"
