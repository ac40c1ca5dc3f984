"""Commits, diffs, pull requests and review comments in GitHub's JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.doubles.github import payloads
from tests.doubles.github.git import EMPTY_TREE
from tests.doubles.github.state import Comment, Issue, Json, User, iso

if TYPE_CHECKING:
    from tests.doubles.github.repository import Repository

_PERSON = re.compile(rb"(.*) <(.*)> (\d+) [+-]\d{4}")
_STATUSES = {
    "A": "added",
    "D": "removed",
    "M": "modified",
    "R": "renamed",
    "C": "copied",
    "T": "changed",
}


@dataclass(frozen=True, slots=True)
class Commit:
    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Json
    committer: Json
    message: str


def read_commit(repo: Repository, sha: str) -> Commit | None:
    found = repo.git.read_kind(sha, "commit")
    if found is None:
        return None
    head, _, message = found.content.partition(b"\n\n")
    lines = [line.partition(b" ")[::2] for line in head.split(b"\n")]
    parents = tuple(value.decode() for name, value in lines if name == b"parent")
    by_name = dict(lines)
    people = (_person(by_name[b"author"]), _person(by_name[b"committer"]))
    return Commit(
        found.oid, by_name[b"tree"].decode(), parents, *people, message.decode("utf-8", "replace")
    )


def _person(line: bytes) -> Json:
    match = _PERSON.fullmatch(line)
    assert match, line
    name, email = (part.decode("utf-8", "replace") for part in match.groups()[:2])
    return {"name": name, "email": email, "date": iso(int(match[3]))}


def _links(repo: Repository, sha: str, kind: str = "commits") -> Json:
    return {
        "sha": sha,
        "url": f"{repo.world.api_url}/repos/{repo.full_name}/{kind}/{sha}",
        "html_url": f"{repo.world.url}/{repo.full_name}/commit/{sha}",
    }


def _tree_link(repo: Repository, tree: str) -> Json:
    return {"sha": tree, "url": f"{repo.world.api_url}/repos/{repo.full_name}/git/trees/{tree}"}


def verification(repo: Repository, sha: str) -> Json:
    """The signature itself is not imitated: what GitHub would have signed is only said to be
    verified."""
    signed = sha in repo.signed
    reason = "valid" if signed else "unsigned"
    at = repo.created_at if signed else None
    return {
        "verified": signed,
        "reason": reason,
        "signature": None,
        "payload": None,
        "verified_at": at,
    }


def git_commit(repo: Repository, of: Commit) -> Json:
    """As `/git/commits` shows it."""
    return {
        **_links(repo, of.sha, "git/commits"),
        "node_id": payloads.node_id("C", of.sha),
        "author": of.author,
        "committer": of.committer,
        "tree": _tree_link(repo, of.tree),
        "message": of.message,
        "parents": [_links(repo, parent, "git/commits") for parent in of.parents],
        "verification": verification(repo, of.sha),
    }


def commit(repo: Repository, of: Commit) -> Json:
    """As `/commits` shows it, without its files."""
    links = _links(repo, of.sha)
    return {
        **links,
        "node_id": payloads.node_id("C", of.sha),
        "comments_url": f"{links['url']}/comments",
        "commit": {
            "url": f"{repo.world.api_url}/repos/{repo.full_name}/git/commits/{of.sha}",
            "author": of.author,
            "committer": of.committer,
            "message": of.message,
            "tree": _tree_link(repo, of.tree),
            "comment_count": 0,
            "verification": verification(repo, of.sha),
        },
        "author": None,
        "committer": None,
        "parents": [_links(repo, parent) for parent in of.parents],
    }


def diff_entries(repo: Repository, old: str, new: str) -> list[Json]:
    """Each file that differs between two commits (or trees), with real counts and the hunks."""
    if (old, new) not in repo.diffs:
        repo.diffs[old, new] = _diff(repo, old, new)
    return repo.diffs[old, new]


def _diff(repo: Repository, old: str, new: str) -> list[Json]:
    compared = ("diff-tree", "-r", "-M", "--full-index", "--no-ext-diff", "--no-textconv", old, new)
    fields = repo.git.run(*compared, "--raw", "-z").decode("utf-8", "replace").split("\0")
    patches = re.split(rb"^diff --git .*\n", repo.git.run(*compared, "-p"), flags=re.MULTILINE)[1:]
    entries, at = [], 0
    for patch in patches:
        _, _, before, after, status = fields[at].split(" ")
        paths = fields[at + 1 : at + (3 if status[0] in "RC" else 2)]
        at += 1 + len(paths)
        hunks = re.search(rb"^@@.*", patch, flags=re.MULTILINE | re.DOTALL)
        entry = _diff_entry(repo, new, paths, hunks[0] if hunks else None)
        entries.append(
            {**entry, "sha": before if status == "D" else after, "status": _STATUSES[status[0]]}
        )
    return entries


def _diff_entry(repo: Repository, new: str, paths: list[str], hunks: bytes | None) -> Json:
    path, page = paths[-1], f"{repo.world.url}/{repo.full_name}"
    lines = (hunks or b"").split(b"\n")
    added, removed = (sum(line.startswith(sign) for line in lines) for sign in (b"+", b"-"))
    entry: Json = {
        "filename": path,
        "additions": added,
        "deletions": removed,
        "changes": added + removed,
        "blob_url": f"{page}/blob/{new}/{path}",
        "raw_url": f"{page}/raw/{new}/{path}",
        "contents_url": f"{repo.world.api_url}/repos/{repo.full_name}/contents/{path}?ref={new}",
    }
    if hunks is not None:
        entry["patch"] = hunks.decode("utf-8", "replace").removesuffix("\n")
    if len(paths) > 1:
        entry["previous_filename"] = paths[0]
    return entry


def merge_base(repo: Repository, base: str, head: str) -> str:
    """The empty tree where the two have no common past."""
    if not repo.git.succeeds("merge-base", base, head):
        return EMPTY_TREE
    return repo.git.run("merge-base", base, head).decode().strip()


def commits_between(repo: Repository, base: str, head: str) -> list[str]:
    """Oldest first."""
    return repo.git.run("rev-list", "--reverse", "--topo-order", f"{base}..{head}").decode().split()


def pull_simple(repo: Repository, of: Issue) -> Json:
    """As a list of pull requests shows it."""
    assert of.pull
    shown = payloads.issue(repo, of)
    url, page = shown["pull_request"]["url"], shown["html_url"]
    links = {
        "self": url,
        "html": page,
        "issue": shown["url"],
        "comments": f"{shown['url']}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{repo.world.api_url}/repos/{repo.full_name}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{repo.world.api_url}/repos/{repo.full_name}/statuses/{repo.head(of)}",
    }
    kept = (
        "number",
        "state",
        "locked",
        "title",
        "user",
        "body",
        "created_at",
        "updated_at",
        "closed_at",
        "labels",
    )
    more = (
        "assignee",
        "assignees",
        "milestone",
        "active_lock_reason",
        "author_association",
        "comments_url",
        "draft",
    )
    return {
        **{name: shown[name] for name in (*kept, *more)},
        "url": url,
        "id": of.id + 1_000_000_000,
        "node_id": payloads.node_id("PR", of.id),
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": shown["url"],
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "statuses_url": links["statuses"],
        "merged_at": of.pull.merged_at,
        "merge_commit_sha": None,
        "requested_reviewers": [
            payloads.user(repo.world, repo.world.user(login)) for login in of.reviewers
        ],
        "requested_teams": [],
        "auto_merge": None,
        "head": _end(of.pull.head_repo, of.pull.head_owner, of.pull.head_ref, repo.head(of)),
        "base": _end(
            repo,
            repo.owner,
            of.pull.base_ref,
            repo.git.branch(of.pull.base_ref) or of.pull.head_sha,
        ),
        "_links": {name: {"href": link} for name, link in links.items()},
    }


def _end(repo: Repository | None, owner: User, ref: str, sha: str) -> Json:
    """Of a fork that is gone only its owner's name is left."""
    shown = payloads.repository(repo) if repo else None
    who = payloads.user(repo.world, owner) if repo else None
    return {"label": f"{owner.login}:{ref}", "ref": ref, "sha": sha, "user": who, "repo": shown}


def pull(repo: Repository, of: Issue) -> Json:
    assert of.pull
    head = repo.head(of)
    base = repo.git.branch(of.pull.base_ref) or head
    files = diff_entries(repo, merge_base(repo, base, head), head)
    comments = [comment for comment in list(repo.comments.values()) if comment.number == of.number]
    return {
        **pull_simple(repo, of),
        "merged": of.pull.merged_at is not None,
        "mergeable": None,
        "rebaseable": None,
        "mergeable_state": "unknown",
        "merged_by": None,
        "maintainer_can_modify": of.pull.head_repo is not repo,
        "comments": sum(comment.path is None for comment in comments),
        "review_comments": sum(comment.path is not None for comment in comments),
        "commits": len(commits_between(repo, base, head)),
        "additions": sum(entry["additions"] for entry in files),
        "deletions": sum(entry["deletions"] for entry in files),
        "changed_files": len(files),
    }


def hunk_to(repo: Repository, of: Comment) -> str:
    """The hunk that the comment stands in, down to its line."""
    pull = repo.issues[of.number].pull
    base = repo.git.branch(pull.base_ref) if pull else None
    entries = diff_entries(repo, merge_base(repo, base or of.commit_id, of.commit_id), of.commit_id)
    patch = next((entry.get("patch", "") for entry in entries if entry["filename"] == of.path), "")
    for hunk in re.split(r"^(?=@@ )", patch, flags=re.MULTILINE)[1:]:
        head, *lines = hunk.splitlines()
        found = re.match(r"@@ -\d+(?:,\d+)? \+(\d+)", head)
        at = int(found[1]) - 1 if found else 0
        for count, line in enumerate(lines, 1):
            at += not line.startswith(("-", "\\"))
            if at == of.line:
                return "\n".join([head, *lines[:count]])
    return f"@@ -{of.line},1 +{of.line},1 @@"


def review_comment(repo: Repository, of: Comment) -> Json:
    """A comment on the diff."""
    url = f"{repo.world.api_url}/repos/{repo.full_name}/pulls/comments/{of.id}"
    pull_url = f"{repo.world.api_url}/repos/{repo.full_name}/pulls/{of.number}"
    page = f"{repo.world.url}/{repo.full_name}/pull/{of.number}#discussion_r{of.id}"
    links = {"self": url, "html": page, "pull_request": pull_url}
    shown: Json = {
        "url": url,
        "pull_request_review_id": of.review,
        "id": of.id,
        "node_id": payloads.node_id("PRRC", of.id),
        "diff_hunk": hunk_to(repo, of),
        "path": of.path,
        "commit_id": of.commit_id,
        "original_commit_id": of.commit_id,
        "user": payloads.user(repo.world, of.author),
        "body": of.body,
        "created_at": of.created_at,
        "updated_at": of.updated_at,
        "html_url": page,
        "pull_request_url": pull_url,
        "author_association": payloads.association(repo, of.author),
        "_links": {name: {"href": link} for name, link in links.items()},
        "line": None if of.is_outdated else of.line,
        "original_line": of.line,
        "start_line": None if of.is_outdated else of.start_line,
        "original_start_line": of.start_line,
        "start_side": of.start_line and "RIGHT",
        "side": "RIGHT",
        "subject_type": "line",
        "position": None if of.is_outdated else 1,
        "original_position": 1,
        "reactions": payloads.reactions(of, url),
    }
    return shown if of.in_reply_to is None else {**shown, "in_reply_to_id": of.in_reply_to}
