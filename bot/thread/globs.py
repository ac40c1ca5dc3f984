"""Patterns of paths, as people know them from `.gitignore`.

A pattern without `/` (but at its end) is met at any depth; with one it is anchored at the
repository's root. What it names stands for all that is beneath it. `*` and `?` stay within a name,
`**` spans directories; `[` is itself, since file names hold it. Case does not count: a rule that
`Secrets/` escapes would be none. Matching takes time in proportion to path and pattern, whatever
they hold.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence


def glob_fault(pattern: str) -> str | None:
    """Why the pattern cannot be used, as the end of a sentence; None where it can."""
    if pattern.startswith("!"):
        return "begins with `!`, which has no meaning here"
    if pattern.strip() != pattern or not pattern.strip("/"):
        return "is empty, or has spaces at its ends"
    if any(part in (".", "..") for part in pattern.split("/")):
        return "has a part `.` or `..`; paths begin at the repository's root"
    return None


def any_glob(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path meets one of the patterns."""
    matchers = [_matcher(pattern) for pattern in patterns]

    def meets(path: str) -> bool:
        names = path.casefold().split("/")
        return any(matches(names) for matches in matchers)

    return meets


def _matcher(pattern: str) -> Callable[[list[str]], bool]:
    anchored = "/" in pattern.rstrip("/")
    parts = [part for part in pattern.casefold().split("/") if part]
    if not anchored:
        parts.insert(0, "**")
    wanted = [None if part == "**" else _name(part) for part in parts]
    inside = parts[-1] == "**"
    return lambda names: _meets(names, wanted, inside)


def _name(part: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(part.replace("[", "[[]")))


def _meets(names: list[str], wanted: list[re.Pattern[str] | None], inside: bool) -> bool:
    """Whether a beginning of the path is what is wanted. Only the last `**` is ever reconsidered:
    what an earlier one could take instead, the last one can as well. A `**` at the end wants
    something beneath."""
    at = want = 0
    again: tuple[int, int] | None = None
    while want < len(wanted):
        part = wanted[want]
        if part is None:
            want += 1
            again = (at + 1, want)
        elif at < len(names) and part.match(names[at]):
            at, want = at + 1, want + 1
        elif again is not None and again[0] <= len(names):
            at, want = again
            again = (at + 1, want)
        else:
            return False
    return not inside or at < len(names)
