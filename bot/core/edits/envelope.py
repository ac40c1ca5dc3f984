"""The apply-patch envelope: `*** Begin Patch` … `*** End Patch`, and its parts where a reply leaves those two out.

The form: https://github.com/openai/codex/blob/main/codex-rs/apply-patch/apply_patch_tool_instructions.md
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.core.edits.hunks import Hunk, read_header
from bot.core.edits.labels import read_label
from bot.core.reply import Edit

_BEGIN = re.compile(r"\s{0,12}\*{3} Begin Patch\s*", re.IGNORECASE)
_END = re.compile(r"\s{0,12}\*{3} End Patch\s*", re.IGNORECASE)
_FILE = re.compile(r"\*{3} (Add|Update|Delete|Move to)(?: File)? ?: ?(\S(?:.*\S)?)\s*", re.IGNORECASE)
_END_OF_FILE = re.compile(r"\*{3} End of File\s*", re.IGNORECASE)
_MAX_MARKER_CHARS = 500
_MOST_ANCHORS = 20
"""How many headings that follow each other are kept, the inmost ones: nothing is nested so deep."""


@dataclass(slots=True)
class Parts:
    """What was read from part of a reply: edits, sentences about what could not be read, the next line to look at."""

    end: int
    edits: list[Edit] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Section:
    action: str
    path: str
    to: str = ""
    lines: list[str] = field(default_factory=list)


def opens_at(lines: Sequence[str], number: int) -> bool:
    line = lines[number]
    if "***" not in line[:20] or len(line) > _MAX_MARKER_CHARS:
        return False
    section = _section(line)
    return _BEGIN.fullmatch(line) is not None or (section is not None and section.action != "move to")


def read_envelope(lines: Sequence[str], start: int, end: int, *, cut: bool) -> Parts:
    """Reads from line `start` to the end marker, or to line `end`. `cut`: nothing says that it ends there, so what it
    ends with is left out."""
    parts = Parts(end)
    section: _Section | None = None
    for number in range(start, end):
        line = lines[number]
        short = len(line) <= _MAX_MARKER_CHARS
        opened = _section(line) if short else None
        if short and _END.fullmatch(line):
            parts.end, cut = number + 1, False
            break
        if opened and opened.action == "move to" and section:
            section.to = opened.path
        elif opened:
            _finish(parts, section)
            section = opened
        elif section:
            section.lines.append(line)
    if section and cut:
        parts.problems.append(
            f"The patch of {section.path} has no `*** End Patch`: it may have been cut off. Send it again."
        )
    else:
        _finish(parts, section)
    return parts


def _section(line: str) -> _Section | None:
    file = _FILE.fullmatch(line) if line.startswith("*** ") else None
    return _Section(file[1].lower(), read_label(file[2]) or file[2].strip("`")) if file else None


def _finish(parts: Parts, section: _Section | None) -> None:
    if section is None:
        return
    if section.action == "delete":
        parts.edits.append(Edit("delete", section.path))
    elif section.action == "add":
        _add(parts, section)
    else:
        _update(parts, section)


def _add(parts: Parts, section: _Section) -> None:
    lines = section.lines
    signed = [line.startswith("+") for line in lines]
    if any(signed):
        while lines and not lines[-1]:
            lines.pop()
        if not all(line.startswith("+") or not line for line in lines):
            parts.problems.append(
                f"`*** Add File: {section.path}` has lines that do not begin with `+`. Send it again."
            )
            return
        lines = [line[1:] for line in lines]
    content = "".join(line + "\n" for line in lines)
    parts.edits.append(Edit("replace", section.path, "", content))


def _update(parts: Parts, section: _Section) -> None:
    if section.to:
        parts.edits.append(Edit("move", section.path, to=section.to))
    path = section.to or section.path
    hunks = [(hunk, anchors) for hunk, anchors in _hunks(section.lines) if hunk.old or hunk.new]
    if not hunks and not section.to:
        parts.problems.append(f"`*** Update File: {section.path}` has no lines to change. Send them.")
    for hunk, anchors in hunks:
        parts.edits.append(hunk.edit(path, anchors))


def _has_headers(lines: Sequence[str]) -> bool:
    """Whether the part begins with a diff's headers, which say again which file it is."""
    return len(lines) > 2 and lines[0].startswith("--- ") and lines[1].startswith("+++ ") and lines[2].startswith("@@")


def _hunks(lines: Sequence[str]) -> list[tuple[Hunk, tuple[str, ...]]]:
    """Each hunk with the headings of the empty ones right before it, which lead to its place from outside in."""
    hunk = Hunk()
    anchors: tuple[str, ...] = ()
    found: list[tuple[Hunk, tuple[str, ...]]] = []
    for line in lines[2 * _has_headers(lines) :]:
        opened = read_header(line) if line.startswith("@@") else None
        if opened:
            empty = not hunk.old and not hunk.new
            found.append((hunk, anchors))
            anchors = (*anchors, hunk.heading)[-_MOST_ANCHORS:] if empty and hunk.heading else ()
            hunk = opened
        elif not _END_OF_FILE.fullmatch(line):
            hunk.take(line)
    found.append((hunk, anchors))
    for hunk, _ in found:
        hunk.drop_blank_end()
    return found
