"""The names of repositories and branches: which ones are valid, the URLs that people paste, the
branches that TinyGen makes, and suggestions for a misspelt name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable
from difflib import SequenceMatcher
from heapq import nlargest
from itertools import islice
from urllib.parse import unquote, urlsplit

from bot.errors import BadRequest
from bot.types import Job
from bot.types.characters import escape_unseen, find_unseen

REPO_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}")
"""`owner/name`, for `fullmatch`. Such a name is safe as part of a path. The owner may hold `_`, as
in `name_company` of Enterprise Managed Users, and may end with `-`, as some old accounts do:
https://docs.github.com/en/enterprise-cloud@latest/admin/managing-iam/iam-configuration-reference/username-considerations-for-external-authentication"""

DENY_ENTRY = re.compile(
    rf"[A-Za-z0-9_][A-Za-z0-9_.-]{{0,99}}(?:\[bot\])?|{REPO_NAME.pattern}|[A-Za-z0-9_][A-Za-z0-9_-]{{0,99}}/\*"
)
"""One entry of TINYGEN_DENY, for `fullmatch`: LOGIN, an id, OWNER/NAME or OWNER/*."""

_SCP_URL = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+(?::\d+)?):(?!//)(?P<path>[^:\s]+)")
_URL_PATH = re.compile(
    r"/?(?P<repo>[^/]+/[^/]+?)(?:\.git)?(?:/(?:tree|commit|commits)/(?P<ref>\S+))?"
)

_BRANCH_NAME = re.compile(
    r"(?![-/.])(?!.*(?:\.\.|//|@\{|\.lock(?:/|\Z)|/\.))[^\s~^:?*\[\\\x00-\x1f\x7f]{1,200}(?<![/.])"
)
"""A part of what `git check-ref-format --branch` accepts.
https://git-scm.com/docs/git-check-ref-format"""

_NOT_PLAIN = re.compile(r'[\s"<>]')

OWN_BRANCH = re.compile(r"tinygen/issue-(\d{1,18})-[0-9a-f]{8}")
"""The form of `branch_name`; its group is the number of the thread."""

MAX_COMPARED_CHARS = 100
_MAX_KNOWN = 20_000
_MAX_COMPARED = 50


def read_repo_url(text: str, server_url: str) -> tuple[str, str | None]:
    """(`owner/name`, the ref in the URL or None). BadRequest if it is no URL of a repository on
    `server_url`."""
    host, path = _split_url(text.strip())
    server = urlsplit(server_url).netloc
    if host.lower().removeprefix("www.") != server.lower():
        raise BadRequest(
            f"The repository must be on {server}.",
            next_step=f"Give its address as {server_url}/OWNER/NAME.",
        )
    found = _URL_PATH.fullmatch(unquote(path).rstrip("/"))
    if found is None or not REPO_NAME.fullmatch(found["repo"]):
        raise BadRequest(
            "The address does not name a repository.",
            next_step=f"Give it as {server_url}/OWNER/NAME, with /tree/BRANCH for a branch.",
        )
    return found["repo"], found["ref"]


def _split_url(text: str) -> tuple[str, str]:
    """(host with port, path); ("", "") if the form of the URL is unknown."""
    if "://" not in text:
        scp = _SCP_URL.fullmatch(text)
        if scp:
            return scp["host"], scp["path"]
        text = f"https://{text}"
    try:
        url = urlsplit(text)
    except ValueError:
        return "", ""
    if url.password is not None:
        raise BadRequest(
            "The address holds a password.", next_step="Leave it out; TinyGen has its own access."
        )
    if url.scheme not in ("https", "http", "ssh", "git"):
        return "", ""
    return url.netloc.rpartition("@")[2], url.path


def is_denied(job: Job, denied: Collection[str]) -> bool:
    """Whether the job's asker or repository is in the list, whose entries are in lower case. A
    repository is known by its name: after a rename the list needs the new one."""
    repo = job.target.repo.lower()
    names = (repo, f"{repo.partition('/')[0]}/*", (job.actor or "").lower(), str(job.actor_id))
    return not set(names).isdisjoint(denied)


def is_branch_name(name: str) -> bool:
    """Whether git accepts `name` as the name of a branch, and people can see all of it."""
    return _BRANCH_NAME.fullmatch(name) is not None and not any(find_unseen(name))


def is_plain_path(path: str) -> bool:
    """Whether `path` can be a file's in git: without parts that lead elsewhere (`..`), and without
    characters that people do not see."""
    return "\\" not in path and all(
        part not in ("", ".", "..") and not any(find_unseen(part)) for part in path.split("/")
    )


def quoted_path(path: str) -> str:
    """The path within words: in quotes if it could be taken for more than one word, or for a tag.
    Characters that people do not see are escaped."""
    path = escape_unseen(path)
    return json.dumps(path, ensure_ascii=False) if _NOT_PLAIN.search(path) else path


def branch_name(job: Job) -> str:
    """The branch for a job's pull request. It depends only on the job, so that a repeated push
    makes no second branch."""
    return f"tinygen/issue-{job.target.issue_number}-{short_id(job.id)}"


def short_id(job_id: str) -> str:
    """The 8 hexadecimal digits that people write for a job, as in `/tinygen apply ID`."""
    return hashlib.sha256(job_id.encode()).hexdigest()[:8]


def close_names(name: str, known: Iterable[str], *, most: int, least_likeness: float) -> list[str]:
    """Up to `most` of the known names, the most similar first. Similarity is difflib's ratio, from
    0 to 1.

    Names come from repositories and from the model, and difflib's time is cubic in their length:
    only the last 100 characters are compared, and only the 50 names with the best upper bound.
    """
    matcher = SequenceMatcher(None, "", name[-MAX_COMPARED_CHARS:])
    candidates: list[tuple[float, str]] = []
    for other in islice(known, _MAX_KNOWN):
        matcher.set_seq1(other[-MAX_COMPARED_CHARS:])
        if matcher.real_quick_ratio() < least_likeness:
            continue
        upper_bound = matcher.quick_ratio()
        if upper_bound >= least_likeness:
            candidates.append((upper_bound, other))
    compared: list[tuple[float, str]] = []
    for _, other in nlargest(_MAX_COMPARED, candidates):
        matcher.set_seq1(other[-MAX_COMPARED_CHARS:])
        compared.append((matcher.ratio(), other))
    return [other for ratio, other in nlargest(most, compared) if ratio >= least_likeness]
