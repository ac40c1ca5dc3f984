"""What a repository asks of those who change it, from the files in which repositories say so.

They are read from the default branch alone: whoever can write there may command TinyGen anyway, while a pull request's
author may be anybody.
"""

from __future__ import annotations

from bot.core.text import read_text
from bot.core.tree import Blob, Snapshot

FILES = (
    "AGENTS.md",
    ".github/copilot-instructions.md",
    "CONTRIBUTING.md",
    ".github/CONTRIBUTING.md",
    "CONTRIBUTING.rst",
)
"""https://agents.md, https://docs.github.com/en/copilot/customizing-copilot/adding-repository-custom-instructions-for-github-copilot"""
MAX_FILE_CHARS = {"AGENTS.md": 8_000, ".github/copilot-instructions.md": 8_000}
BRIEF_CHARS = 2_000
"""Of any other file, which is written for people and mostly about other things than code."""
MAX_BLOB_BYTES = 256_000


def read_instructions(snapshot: Snapshot) -> str:
    """The files' words, each under its name, cut to a bound; "" where there are none."""
    blobs = [blob for name in FILES if (blob := snapshot.blobs.get(name)) and _is_readable(blob)]
    parts = []
    for blob, content in zip(blobs, snapshot.read(blobs), strict=True):
        text = (read_text(content) or "").strip()
        limit = MAX_FILE_CHARS.get(blob.path, BRIEF_CHARS)
        if text:
            parts.append(f"{blob.path}:\n{text[:limit]}{' [cut here]' if len(text) > limit else ''}")
    return "\n\n".join(parts)


def _is_readable(blob: Blob) -> bool:
    return blob.mode.startswith("100") and blob.size_bytes <= MAX_BLOB_BYTES
