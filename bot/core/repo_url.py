"""The forms in which people paste a repository's address, read to its name. Only one server is ever named by it."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from bot.core.repo_name import REPO_NAME
from bot.errors import BadRequest

_SCP = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+(?::\d+)?):(?!//)(?P<path>[^:\s]+)")
_PATH = re.compile(r"/?(?P<repo>[^/]+/[^/]+?)(?:\.git)?(?:/(?:tree|commit|commits)/(?P<ref>\S+))?")


def read_repo_url(text: str, server_url: str) -> tuple[str, str | None]:
    """(`owner/name`, the ref that the address names or None). BadRequest says which form is understood."""
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
        raise BadRequest("The address holds a password.", next_step="Leave it out; TinyGen has its own access.")
    return (url.netloc.rpartition("@")[2], url.path) if url.scheme in ("https", "http", "ssh", "git") else ("", "")
