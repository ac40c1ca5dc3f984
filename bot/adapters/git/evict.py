"""The caches kept within a size: those that were used longest ago go first. Whatever goes can be fetched again."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from bot.adapters.git.bare import disk_errors_named
from bot.errors import TimedOut

_USED = "used"


def mark_used(directory: Path) -> None:
    """Now. A cache that is gone stays gone."""
    if directory.exists():
        with disk_errors_named():
            (directory / _USED).touch()


def evict(
    root: Path,
    max_bytes: int,
    unused_since: float,
    lock: Callable[[Path], AbstractContextManager[int]],
    remove: Callable[[Path], None],
) -> int:
    """How many caches went, so that the rest is within `max_bytes`. One that was used after `unused_since` (seconds
    since 1970), or that somebody fetches into, stays."""
    removed = 0
    sizes = {directory: _size_bytes(directory) for directory in root.glob("*/*.git")}
    total_bytes = sum(sizes.values())
    for used_at, directory in sorted((_used_at(directory), directory) for directory in sizes):
        if total_bytes <= max_bytes or used_at > unused_since:
            break
        try:
            with lock(directory):
                if _used_at(directory) > unused_since:  # meanwhile
                    continue
                remove(directory)
        except TimedOut:
            continue
        total_bytes -= sizes[directory]
        removed += 1
    return removed


def _used_at(directory: Path) -> float:
    """Of a cache from before uses were marked, when it was last changed; 0 where it went meanwhile."""
    for path in (directory / _USED, directory):
        if path.exists():
            return path.stat().st_mtime
    return 0.0


def _size_bytes(directory: Path) -> int:
    """What its files hold, as far as they stay while they are counted."""
    total = 0
    for folder, _folders, names in os.walk(directory):
        for name in names:
            try:
                total += Path(folder, name).lstat().st_size
            except FileNotFoundError:
                continue
    return total
