"""The files that a person names to a command, and the prompt: from the command line, standard input or
a file."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path

from bot.cli.output import print_note
from bot.errors import BadRequest, SetupError

PROMPT_FORMS = "words, `-` for standard input, or @FILE for a file"
NO_PROMPT = f"Say what to change: {PROMPT_FORMS}."
MAX_PROMPT_CHARS = 100_000
"""As `/run` takes."""
_MAX_BYTES = 64 << 20
_UTF8_BYTES = 4
"""The most that one character takes."""


def read_prompt(given: str) -> str:
    """The prompt: `given` itself, or what it names (`-` is standard input, `@FILE` a file). SetupError,
    for exit status 2, if it is empty."""
    name = "-" if given == "-" else given[1:] if given.startswith("@") else ""
    if name == "-" and sys.stdin.isatty():
        print_note("Say what to change, and end with Ctrl-D on a line of its own.")
    text = _read_prompt_file(name) if name else given
    if not text.strip():
        raise SetupError("The prompt is empty.", next_step=NO_PROMPT)
    if len(text) > MAX_PROMPT_CHARS:
        raise _too_long("The prompt")
    return text


def _read_prompt_file(name: str) -> str:
    try:
        content = _read_bytes(name, MAX_PROMPT_CHARS * _UTF8_BYTES)
        return _decode(name, content, "strict").removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise _not_utf8(name, "") from None


def read_reply_file(name: str) -> str:
    """A model's reply or a transcript; bytes that are no UTF-8 become surrogates, as in a path."""
    return _decode(name, _read_bytes(name, _MAX_BYTES), "surrogateescape")


def write_file(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadRequest(
            f"{name} cannot be written: {error.strerror}.",
            next_step="Name a file that can be made.",
        ) from None


def _read_bytes(name: str, max_bytes: int) -> bytes:
    """All of the file, or of standard input where it is named `-`."""
    try:
        if name == "-":
            content = sys.stdin.buffer.read(max_bytes + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(max_bytes + 1)
    except OSError as error:
        raise BadRequest(
            f"{name} cannot be read: {error.strerror}.",
            next_step="Name a file that you may read, or `-` for standard input.",
        ) from None
    if len(content) > max_bytes:
        raise _too_long(name)
    return content


def _too_long(name: str) -> BadRequest:
    return BadRequest(f"{name} is too long.", next_step="Give a shorter one.")


def _decode(name: str, content: bytes, errors: str) -> str:
    has_mark = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if has_mark or content[:1_000].count(b"\0") > len(content[:1_000]) // 3:
        raise _not_utf8(name, "; it looks like UTF-16")
    return content.decode("utf-8", errors)


def _not_utf8(name: str, guess: str) -> BadRequest:
    where = "Standard input" if name == "-" else name
    return BadRequest(f"{where} is not UTF-8{guess}.", next_step="Save it as UTF-8, and try again.")
