"""Repositories through the git command line: read and compared without a checkout, and without
running anything that a repository names.

git always works in a bare repository that we made (`objects`), so hooks, drivers, filters and
attributes of the repository itself are never seen. `process` runs git, `object_store` and `patch`
work on one directory of objects, `cache` and `local` say where the objects come from, and `fetch`
brings them from GitHub.
"""

from bot.adapters.git.cache import GitCache
from bot.adapters.git.local import LocalGit

__all__ = ["GitCache", "LocalGit"]
