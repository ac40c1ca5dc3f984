"""Which bytes of a repository are text: only text is shown to a model and changed by its edits."""

from __future__ import annotations

_LFS_HEAD = b"version https://git-lfs.github.com/spec/"
_LFS_MAX_BYTES = 1024
"""A pointer file is smaller than this. https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md"""


def read_text(content: bytes) -> str | None:
    """The text without a byte-order mark, with its line ends unchanged. None if it is binary, not
    UTF-8, or a Git LFS pointer."""
    if is_binary(content) or is_lfs_pointer(content):
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def is_binary(content: bytes) -> bool:
    """Whether the bytes hold a NUL. Git looks only at the first 8,000 bytes; here all are checked,
    since comments and prompts cannot carry a NUL."""
    return b"\0" in content


def is_lfs_pointer(content: bytes) -> bool:
    """Whether the bytes are Git LFS's pointer to a file that is stored elsewhere. An edit would
    break the pointer."""
    return len(content) < _LFS_MAX_BYTES and content.startswith(_LFS_HEAD)


def split_keeping_ends(text: str) -> list[str]:
    """The lines with their newlines, as git counts them: only LF ends one."""
    *lines, last = text.split("\n")
    return [line + "\n" for line in lines] + ([last] if last else [])
