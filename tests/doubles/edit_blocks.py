"""Edits as a model writes them."""

from __future__ import annotations


def block(path: str, search: str, replace: str) -> str:
    """A SEARCH/REPLACE block without a fence. A side that is not empty gets a final newline where
    it has none."""
    return f"{path}\n<<<<<<< SEARCH\n{_lines(search)}=======\n{_lines(replace)}>>>>>>> REPLACE\n"


def fenced_block(path: str, search: str, replace: str) -> str:
    """The same in a fence, as the prompt asks for it."""
    label, newline, rest = block(path, search, replace).partition("\n")
    return f"{label}{newline}```\n{rest}```\n"


def _lines(text: str) -> str:
    return text if text.endswith("\n") or not text else f"{text}\n"
