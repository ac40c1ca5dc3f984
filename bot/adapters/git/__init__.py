"""Repositories through the git command line: read and compared without a checkout, with nothing of
theirs run.

Whatever is worked on, git is pointed at a bare repository that we made (`bare`), never at one that
somebody else configured: hooks, drivers, filters and attributes of the repository are therefore not
even seen. `process` runs git, `read` reads a commit, `patch` makes and applies patches, `cache` and
`local` say where the objects come from.
"""

from bot.adapters.git.cache import GitCache
from bot.adapters.git.local import LocalGit

__all__ = ["GitCache", "LocalGit"]
