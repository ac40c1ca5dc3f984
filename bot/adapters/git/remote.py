"""What git needs to reach a remote, and what its complaints about one mean."""

from __future__ import annotations

import base64
import re

from bot.errors import LimitReached, NotFound, TinyGenError
from bot.ports import Remote

_NO_ACCESS = re.compile(
    r"repository '[^']*' not found|Repository not found|does not appear to be a git repository"
    r"|could not read Username|Authentication failed|returned error: (401|403|404)"
)
_NO_COMMIT = re.compile(r"not our ref|couldn't find remote ref|unadvertised object")
_MOVED = re.compile(r"returned error: 30\d|unable to update url base from redirection")


def token_environment(remote: Remote) -> dict[str, str]:
    """The token as an environment variable for git: unlike arguments and URLs, that is neither listed nor printed.

    https://git-scm.com/docs/git-config#Documentation/git-config.txt-GITCONFIGCOUNT
    """
    if remote.token is None:
        return {}
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{remote.url}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {_credentials(remote.token)}",
    }


def _credentials(token: str) -> str:
    """https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation"""
    return base64.b64encode(f"x-access-token:{token}".encode()).decode()


def explain_refusal(said: str, repo: str, sha: str, max_fetch_bytes: int) -> TinyGenError | None:
    """The error to raise where asking again will not help; None for what may be the network's fault, or a cache's."""
    if _NO_COMMIT.search(said):
        return NotFound(
            f"{repo} has no commit {sha[:12]}.", next_step="It may be gone: ask again on the present branch."
        )
    if _MOVED.search(said):
        return NotFound(f"{repo} has moved.", next_step="Use its present name.")
    if _NO_ACCESS.search(said):
        return NotFound(f"There is no repository {repo}, or no access to it.", next_step="Check its name and access.")
    if "File too large" in said:
        return LimitReached(
            f"{repo} is larger than {max_fetch_bytes >> 20} MB at that commit.", next_step="Ask for a smaller one."
        )
    return None
