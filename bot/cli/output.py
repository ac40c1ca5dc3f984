"""What the command line prints.

Repositories, models and servers write much of it, and a terminal obeys control characters: none of
theirs may reach it.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from bot.config import is_checkout
from bot.types.characters import escape_unseen

_ENV_FILE = re.compile(r"(?<![\w./])\.env(?![\w./]*\w)")
_DIFF_STYLES = {"header": "bold", "@": "cyan", "+": "green", "-": "red"}
"""By the first sign of a line in a hunk."""


_TO_OPERATOR = (
    (re.compile(r"\b([Ll])et the operator (\w)"), lambda m: m[2].upper() if m[1] == "L" else m[2]),
    (re.compile(r"\bThe operator (?:must|may have to) (\w)"), lambda m: m[1].upper()),
    (
        re.compile(r"\bask the operator for another model"),
        lambda _m: "set OPENAI_MODEL to another one",
    ),
)
"""Patterns of what messages say to somebody else, with what to say to the operator: whoever has a shell is
that."""


def program() -> str:
    """What a person types before a command."""
    return "python -m bot" if is_checkout() else "tinygen"


def in_shell_words(text: str, env_file: Path) -> str:
    """A message of TinyGen's own, which is written for a thread and a checkout, to whoever sits at this
    shell: with the program and the settings' file (`env_file`) as they are called here."""
    for pattern, words in _TO_OPERATOR:
        text = pattern.sub(words, text)
    text = text.replace("`python -m bot ", f"`{program()} ")
    return _ENV_FILE.sub(lambda _name: str(env_file), text)


def block_rich() -> None:
    """Until `allow_rich` each import of rich fails: structlog and httpx try it, for what is not wanted
    here, and it takes 4 MB and 50 ms of each process."""
    sys.modules["rich"] = None  # type: ignore[assignment]


def allow_rich() -> None:
    """To be called before rich is imported."""
    if "rich" in sys.modules and sys.modules["rich"] is None:
        del sys.modules["rich"]


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


def print_diff(text: str, *, has_colors: bool) -> None:
    """Prints the exact bytes that git takes; on a terminal, with control characters escaped and, where
    `has_colors` and the terminal has some, with a colour for each kind of line."""
    if sys.stdout.isatty():
        text = escape_controls(text)
        if has_colors and _has_color_terminal():
            text = "\n".join(color_lines(text.split("\n")))
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def _has_color_terminal() -> bool:
    """What NO_COLOR and TERM say of the terminal on stdout."""
    allow_rich()
    from rich.console import Console

    terminal = Console()
    return terminal.color_system is not None and not terminal.no_color


def color_lines(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a diff in the colours that git gives them."""
    allow_rich()
    from rich.color import ColorSystem
    from rich.style import Style

    styles = {kind: Style.parse(style) for kind, style in _DIFF_STYLES.items()}
    is_header = True
    for line in lines:
        if line.startswith("diff --git "):  # in a hunk each line begins with another sign
            is_header = True
        elif line.startswith("@@"):
            is_header = False
        style = styles.get("header" if is_header else line[:1])
        if style is None or not line:
            yield line
        else:
            yield style.render(line, color_system=ColorSystem.STANDARD)


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
