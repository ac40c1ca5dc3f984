"""The grammar of a repository's name, and the forms in which people paste its address, read to that
name. Only one server is ever named by an address.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from bot.errors import BadRequest

REPO_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}")
"""`owner/name`, for `fullmatch`: what GitHub gives out, and what is therefore safe in a path. An
owner's `_` stands before the short code of an enterprise's managed users, and names of older
accounts end with a hyphen:
https://docs.github.com/en/enterprise-cloud@latest/admin/managing-iam/iam-configuration-reference/username-considerations-for-external-authentication"""

_SCP = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+(?::\d+)?):(?!//)(?P<path>[^:\s]+)")
_PATH = re.compile(r"/?(?P<repo>[^/]+/[^/]+?)(?:\.git)?(?:/(?:tree|commit|commits)/(?P<ref>\S+))?")


def read_repo_url(text: str, server_url: str) -> tuple[str, str | None]:
    """(`owner/name`, the ref that the address names or None). BadRequest says which form is
    understood."""
    text = text.strip()
    host, path = _split(text)
    server = urlsplit(server_url)
    if host.lower().removeprefix("www.") != server.netloc.lower():
        raise BadRequest(
            f"The repository must be on {server.netloc}.",
            next_step=f"Give its address as {server_url}/OWNER/NAME.",
        )
    found = _PATH.fullmatch(unquote(path).rstrip("/"))
    if found is None or not REPO_NAME.fullmatch(found["repo"]):
        raise BadRequest(
            "The address does not name a repository.",
            next_step=f"Give it as {server_url}/OWNER/NAME, with /tree/BRANCH for a branch.",
        )
    return found["repo"], found["ref"]


def _split(text: str) -> tuple[str, str]:
    """(host with port, path); no host where the address is of no form that is known."""
    if "://" not in text and (scp := _SCP.fullmatch(text)):
        return scp["host"], scp["path"]
    try:
        url = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:
        return "", ""
    if url.password is not None:
        raise BadRequest(
            "The address holds a password.", next_step="Leave it out; TinyGen has its own access."
        )
    return (
        (url.netloc.rpartition("@")[2], url.path)
        if url.scheme in ("https", "http", "ssh", "git")
        else ("", "")
    )
