"""What the command line prints.

Repositories, models and servers write much of it, and a terminal obeys control characters: none of
theirs may reach it.
"""

from __future__ import annotations

import io
import json
import sys

from bot.types.characters import escape_unseen


def prepare_output() -> None:
    """Makes stdout and stderr print characters that their encoding lacks as escapes, as Python does
    on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_line(text: str) -> None:
    """Prints the answer, on stdout."""
    print(escape_controls(text), flush=True)


def print_note(text: str) -> None:
    """Prints what else a person wants to know, on stderr."""
    print(escape_controls(text), file=sys.stderr, flush=True)


def print_json(page: object, *, indent: int | None = None) -> None:
    """Prints ASCII: every other character is escaped."""
    print(json.dumps(page, indent=indent), flush=True)


def print_diff(text: str) -> None:
    """Prints the exact bytes that git takes; on a terminal, with control characters escaped."""
    if sys.stdout.isatty():
        text = escape_controls(text)
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def escape_controls(text: str) -> str:
    r"""The text with all characters that a terminal obeys or does not show as `\x1b`. Line ends and
    tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_escape, escape_unseen(text)))


def _escape(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    return character.encode("unicode_escape").decode("ascii")
