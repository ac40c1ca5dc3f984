"""Which bytes of a repository are text: what may be shown to a model, and what its edits may touch."""

from __future__ import annotations

_LFS_HEAD = b"version https://git-lfs.github.com/spec/"
_LFS_MAX_BYTES = 1024
"""A pointer file is smaller than this. https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md"""


def is_binary(content: bytes) -> bool:
    """Whether the bytes are no text in any encoding that git would diff: they hold a NUL. Git looks at the first
    8,000 bytes; all are looked at here, since a comment or a prompt cannot carry a NUL anywhere."""
    return b"\0" in content


def is_lfs_pointer(content: bytes) -> bool:
    """Whether the bytes stand for a file that Git LFS keeps elsewhere: an edit of them would lose that file."""
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
