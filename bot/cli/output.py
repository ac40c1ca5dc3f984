"""What the command line prints.

Repositories, models and servers write much of it, and a terminal obeys control characters: none of
theirs gets there.
"""

from __future__ import annotations

import io
import json
import sys


def prepare_output() -> None:
    """From now on what the output's encoding lacks is printed as an escape, as Python does on
    stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_line(words: str) -> None:
    """The answer: on stdout."""
    print(printable(words), flush=True)


def print_note(words: str) -> None:
    """What else a person wants to know: on stderr."""
    print(printable(words), file=sys.stderr, flush=True)


def print_json(page: object, *, indent: int | None = None) -> None:
    """In ASCII: each other character is escaped."""
    print(json.dumps(page, indent=indent), flush=True)


def print_diff(text: str) -> None:
    """Byte by byte as git takes it; on a terminal, as a person may safely read it."""
    text = printable(text) if sys.stdout.isatty() else text
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def printable(text: str) -> str:
    r"""The text with its control and format characters, which a reader would not see, as `\x1b`; line ends and tabs
    stay."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    return character.encode("unicode_escape").decode("ascii")
