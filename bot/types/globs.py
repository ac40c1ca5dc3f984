"""Patterns of paths, in the form that people know from `.gitignore`.

A pattern without `/` (except at its end) matches at any depth; with `/` it begins at the
repository's root. A pattern that matches a folder matches all files below it. `*` and `?` stay
within one name, `**` spans folders, `[` is literal since file names hold it. Case is ignored, so
that `Secrets/` does not escape a rule for `secrets/`. Matching is linear in path and pattern.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence


def glob_problem(pattern: str) -> str | None:
    """Why the pattern is not valid, as the end of a sentence; None if it is valid."""
    if pattern.startswith("!"):
        return "begins with `!`, which has no meaning here"
    if pattern.strip() != pattern or not pattern.strip("/"):
        return "is empty, or has spaces at its ends"
    if any(part in (".", "..") for part in pattern.split("/")):
        return "has a part `.` or `..`; paths begin at the repository's root"
    return None


def compile_globs(patterns: Sequence[str]) -> Callable[[str], bool]:
    """A function that says whether a path matches one of the patterns."""
    matchers = [_compile_glob(pattern) for pattern in patterns]

    def is_match(path: str) -> bool:
        names = path.casefold().split("/")
        return any(matches(names) for matches in matchers)

    return is_match


def _compile_glob(pattern: str) -> Callable[[list[str]], bool]:
    parts = [part for part in pattern.casefold().split("/") if part]
    if "/" not in pattern.rstrip("/"):
        parts.insert(0, "**")
    wanted = [None if part == "**" else _compile_name(part) for part in parts]
    needs_child = parts[-1] == "**"
    return lambda names: _matches(names, wanted, needs_child)


def _compile_name(part: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(part.replace("[", "[[]")))


def _matches(names: list[str], wanted: list[re.Pattern[str] | None], needs_child: bool) -> bool:
    """Whether the first names match all of `wanted`, where None is `**`. After a mismatch only the
    last `**` takes one more name: an earlier one could gain nothing that the last one cannot."""
    at = want = 0
    retry: tuple[int, int] | None = None
    while want < len(wanted):
        part = wanted[want]
        if part is None:
            want += 1
            retry = (at + 1, want)
        elif at < len(names) and part.match(names[at]):
            at += 1
            want += 1
        elif retry is not None and retry[0] <= len(names):
            at, want = retry
            retry = (at + 1, want)
        else:
            return False
    return not needs_child or at < len(names)
