"""What a repository asks of those who change it, from the files in which repositories say so.

They are read from the default branch alone: whoever can write there may command TinyGen anyway, while a pull request's
author may be anybody. What the repository keeps from the model is not read.
"""

from __future__ import annotations

from dataclasses import replace

from bot.core.repo_settings import SETTINGS_FILE, RepoSettings
from bot.core.text import read_text
from bot.core.tree import Blob, Snapshot
from bot.core.types import Task

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


def with_wishes(task: Task, words: str, settings: RepoSettings) -> Task:
    """The task with what the repository asks of whoever changes it: its files' `words`, and its settings'."""
    own = settings.instructions.strip()
    parts = (words, f"{SETTINGS_FILE}:\n{own}" if own else "")
    asked = "\n\n".join(part for part in parts if part)
    return replace(task, instructions=asked, language=settings.language or "")


def read_instructions(snapshot: Snapshot) -> str:
    """The files' words, each under its name, cut to a bound; "" where there are none."""
    snapshot = snapshot.visible()
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
