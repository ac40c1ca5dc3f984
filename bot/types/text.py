"""Which bytes of a repository are text: what may be shown to a model, and what its edits may touch.

Names that are nearly another one, to suggest where somebody misspelt it.

difflib compares in time that is cubic in the length of two names at worst, and names come from
repositories and replies: the ends of names are compared, and only of the few that share most
characters.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from heapq import nlargest
from itertools import islice

_LFS_HEAD = b"version https://git-lfs.github.com/spec/"
_LFS_MAX_BYTES = 1024
"""A pointer file is smaller than this. https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md"""


def is_binary(content: bytes) -> bool:
    """Whether the bytes are no text in any encoding that git would diff: they hold a NUL. Git looks
    at the first 8,000 bytes; all are looked at here, since a comment or a prompt cannot carry a NUL
    anywhere."""
    return b"\0" in content


def is_lfs_pointer(content: bytes) -> bool:
    """Whether the bytes stand for a file that Git LFS keeps elsewhere: an edit of them would lose
    that file."""
    return len(content) < _LFS_MAX_BYTES and content.startswith(_LFS_HEAD)


def read_text(content: bytes) -> str | None:
    """The text, or None where it cannot be shown: binary, not UTF-8, or a Git LFS pointer.

    A byte-order mark is left out; line ends are as they stand.
    """
    if is_binary(content) or is_lfs_pointer(content):
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


MAX_CHARS = 100
_MAX_KNOWN = 20_000
_MAX_COMPARED = 50


def close_names(name: str, known: Iterable[str], *, most: int, least_likeness: float) -> list[str]:
    """Up to `most` of the known names, the likest first. The likeness is difflib's ratio, from 0 to
    1."""
    matcher = SequenceMatcher(None, "", name[-MAX_CHARS:])
    likely: list[tuple[float, str]] = []
    for other in islice(known, _MAX_KNOWN):
        matcher.set_seq1(other[-MAX_CHARS:])
        if (
            matcher.real_quick_ratio() >= least_likeness
            and (bound := matcher.quick_ratio()) >= least_likeness
        ):
            likely.append((bound, other))
    likeness: list[tuple[float, str]] = []
    for _, other in nlargest(_MAX_COMPARED, likely):
        matcher.set_seq1(other[-MAX_CHARS:])
        likeness.append((matcher.ratio(), other))
    return [other for ratio, other in nlargest(most, likeness) if ratio >= least_likeness]
