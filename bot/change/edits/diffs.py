"""The apply-patch envelope: `*** Begin Patch` … `*** End Patch`, and its parts where a reply leaves
those two out.

The form:
https://github.com/openai/codex/blob/main/codex-rs/apply-patch/apply_patch_tool_instructions.md

Unified diffs, as git and `diff -u` write them and as models misremember them.

Where a hunk's counts are right they say where it ends; otherwise it ends at the next header. A line
such as `--- x` is a file header only where `+++ ` follows it.

Hunk lines, as unified diffs and the apply-patch envelope share them, turned into edits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.change.edits.file_names import read_label
from bot.types.reply import Edit

_HEADER = re.compile(r"@@+ *-(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? *@@+ ?(.*)")
_LOOSE_HEADER = re.compile(r"@@+(?: *-[\d,.…]* *\+[\d,.…]*)?[ .…]*(?:@@+)?(.*)")


@dataclass(slots=True)
class Hunk:
    """One hunk: its header's numbers where it has them, its heading, and its lines with their signs
    taken off."""

    heading: str = ""
    new_start: int | None = None
    old_count: int = -1
    new_count: int = -1
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    signs: list[str] = field(default_factory=list)
    """A line that lost the space of its sign, as empty ones often do, is context and has the sign
    ""."""

    def clear(self) -> None:
        self.old, self.new, self.signs = [], [], []

    def take(self, line: str) -> None:
        if line.startswith("\\"):
            self._end_without_newline()
            return
        sign, body = (line[0], line[1:]) if line[:1] in ("+", "-", " ") else ("", line)
        if sign != "+":
            self.old.append(body + "\n")
        if sign != "-":
            self.new.append(body + "\n")
        self.signs.append(sign)

    def _end_without_newline(self) -> None:
        """What `\\ No newline at end of file` says of the line before it."""
        last = self.signs[-1] if self.signs else ""
        for lines, other in ((self.old, "+"), (self.new, "-")):
            if lines and last != other:
                lines[-1] = lines[-1].removesuffix("\n")

    def drop_blank_end(self) -> None:
        """Takes off empty lines at the end that a header's counts do not call for: they stand
        between hunks."""
        while (
            self.signs
            and not self.signs[-1]
            and self.old[-1] == self.new[-1] == "\n"
            and not self.is_complete
        ):
            self.signs.pop()
            self.old.pop()
            self.new.pop()

    @property
    def is_complete(self) -> bool:
        """Whether the header's counts are met; False where it has none."""
        return (len(self.old), len(self.new)) == (self.old_count, self.new_count)

    def edit(self, path: str, anchors: Sequence[str] = ()) -> Edit:
        """The place in the new file is where the search begins once the hunks before it are
        applied. Numbers of a hunk that miscounts its own lines are not worth following."""
        line = (
            max(1, self.new_start + (self.new_count == 0))
            if self.new_start is not None and self.is_complete
            else None
        )
        heading = (self.heading,) if self.heading else ()
        return Edit(
            "replace",
            path,
            "".join(self.old),
            "".join(self.new),
            line=line,
            anchors=(*anchors, *heading),
        )


def read_header(line: str) -> Hunk | None:
    """The hunk that a line beginning with `@@` opens, with or without usable numbers."""
    full = _HEADER.match(line)
    if full:
        _, old_count, new_start, new_count, heading = full.groups()
        return Hunk(heading.strip(), int(new_start), int(old_count or 1), int(new_count or 1))
    loose = _LOOSE_HEADER.match(line)
    return Hunk(loose.group(1).strip().removesuffix("@@").strip()) if loose else None


_BEGIN = re.compile(r"\s{0,12}\*{3} Begin Patch\s*", re.IGNORECASE)
_END = re.compile(r"\s{0,12}\*{3} End Patch\s*", re.IGNORECASE)
_FILE = re.compile(
    r"\*{3} (Add|Update|Delete|Move to)(?: File)? ?: ?(\S(?:.*\S)?)\s*", re.IGNORECASE
)
_END_OF_FILE = re.compile(r"\*{3} End of File\s*", re.IGNORECASE)
_MAX_MARKER_CHARS = 500
_MOST_ANCHORS = 20
"""How many headings that follow each other are kept, the inmost ones: nothing is nested so deep."""


@dataclass(slots=True)
class Parts:
    """What was read from part of a reply: edits, sentences about what could not be read, the next
    line to look at."""

    end: int
    edits: list[Edit] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Section:
    action: str
    path: str
    to: str = ""
    lines: list[str] = field(default_factory=list)


def starts_envelope(lines: Sequence[str], number: int) -> bool:
    line = lines[number]
    if "***" not in line[:20] or len(line) > _MAX_MARKER_CHARS:
        return False
    section = _section(line)
    return _BEGIN.fullmatch(line) is not None or (
        section is not None and section.action != "move to"
    )


def read_envelope(lines: Sequence[str], start: int, end: int, *, cut: bool) -> Parts:
    """Reads from line `start` to the end marker, or to line `end`. `cut`: nothing says that it ends
    there, so what it ends with is left out."""
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
            _finish_section(parts, section)
            section = opened
        elif section:
            section.lines.append(line)
    if section and cut:
        parts.problems.append(
            f"The patch of {section.path} has no `*** End Patch`: it may have been cut off. Send it"
            " again."
        )
    else:
        _finish_section(parts, section)
    return parts


def _section(line: str) -> _Section | None:
    file = _FILE.fullmatch(line) if line.startswith("*** ") else None
    return _Section(file[1].lower(), read_label(file[2]) or file[2].strip("`")) if file else None


def _finish_section(parts: Parts, section: _Section | None) -> None:
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
                f"`*** Add File: {section.path}` has lines that do not begin with `+`. Send it"
                " again."
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
        parts.problems.append(
            f"`*** Update File: {section.path}` has no lines to change. Send them."
        )
    for hunk, anchors in hunks:
        parts.edits.append(hunk.edit(path, anchors))


def _has_headers(lines: Sequence[str]) -> bool:
    """Whether the part begins with a diff's headers, which say again which file it is."""
    return (
        len(lines) > 2
        and lines[0].startswith("--- ")
        and lines[1].startswith("+++ ")
        and lines[2].startswith("@@")
    )


def _hunks(lines: Sequence[str]) -> list[tuple[Hunk, tuple[str, ...]]]:
    """Each hunk with the headings of the empty ones right before it, which lead to its place from
    outside in."""
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


_NOWHERE = "/dev/null"
_STAMP = re.compile(r"(?<!\s)\s++\d{4}-\d\d-\d\d[ T].*", re.DOTALL)
_VERSION = re.compile(r"\d{1,3}\.\d{1,4}[\w. ()-]{0,40}")
_ESCAPE = re.compile(r'\\([abtnvfr"\\]|[0-7]{1,3})')
_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_MAX_HEADER_CHARS = 5_000
"""What is read of a file's header: a path that is longer is none, however git escapes it."""


@dataclass(slots=True)
class _File:
    old: str | None = None
    new: str | None = None
    move_from: str | None = None
    move_to: str | None = None
    is_new: bool = False
    is_gone: bool = False
    is_unreadable: bool = False
    is_link: bool = False
    changes_mode: bool = False
    named: str | None = None
    """By the `diff --git` line, or by the reply around the diff."""
    hunks: list[Hunk] = field(default_factory=list)


def starts_unified_diff(lines: Sequence[str], number: int) -> bool:
    """Whether a diff that no fence announces begins here."""
    line = lines[number]
    if line.startswith("diff --git "):
        return True
    return (
        _is_header(lines, number) and number + 2 < len(lines) and lines[number + 2].startswith("@@")
    )


def read_unified(
    lines: Sequence[str], start: int, end: int, *, label: str | None, cut: bool
) -> Parts:
    """Reads the diff in lines [start, end). `label` is the path that the reply names above a diff
    without file headers. `cut`: nothing says that the diff ends at `end`; a last hunk that misses
    its counts is left out then."""
    parts = Parts(end)
    file = _File(named=label)
    number = start
    if label and _is_bare_hunk(lines, start, end):
        file.hunks.append(Hunk())
        number = _read_hunk(file.hunks[0], lines, start, end)
    while number < end:
        line = lines[number]
        if line.startswith("diff --git "):
            _finish_file(parts, file)
            file = _File(named=_git_path(line))
        elif _is_header(lines, number):
            if file.old is not None or file.hunks:
                _finish_file(parts, file)
                file = _File()
            file.old, file.new = _header_path(line), _header_path(lines[number + 1])
            number += 1
        elif line.startswith("@@") and (hunk := read_header(line)):
            number = _read_hunk(hunk, lines, number + 1, end)
            file.hunks.append(hunk)
            continue
        else:
            _read_extended(file, line)
        number += 1
    if cut and file.hunks and not file.hunks[-1].is_complete:
        file.hunks.pop()
        parts.problems.append(
            f"The diff of {file.new or file.named} may have been cut off: its last hunk was left"
            " out. Send it again."
        )
    _finish_file(parts, file)
    return parts


def _is_bare_hunk(lines: Sequence[str], start: int, end: int) -> bool:
    """Whether the lines are one hunk, and no header of any kind says so."""
    signs = {lines[number][:1] for number in range(start, end)}
    return not signs.isdisjoint("+-") and not any(
        _opens(lines, number) for number in range(start, end)
    )


def _read_hunk(hunk: Hunk, lines: Sequence[str], start: int, end: int) -> int:
    """Fills the hunk and gives the line after it: by its counts where what follows bears them
    out."""
    number = start
    while number < end and not hunk.is_complete and not _surely_opens(lines, number):
        hunk.take(lines[number])
        number += 1
    if number < end and lines[number].startswith("\\"):
        hunk.take(lines[number])
        number += 1
    if hunk.is_complete and _ends_hunk(lines, number, end):
        return number
    hunk.clear()
    number = start
    while number < end and not _opens(lines, number):
        hunk.take(lines[number])
        number += 1
    hunk.drop_blank_end()
    return number


def _ends_hunk(lines: Sequence[str], number: int, end: int) -> bool:
    """Whether a hunk that has all its lines may end here: no further line of one follows, empty
    ones aside."""
    while number < end and not lines[number].strip():
        number += 1
    return (
        number >= end
        or _opens(lines, number)
        or lines[number][0] not in " +-"
        or _signs_off(lines, number)
    )


def _signs_off(lines: Sequence[str], number: int) -> bool:
    """Whether this is the end of a mail by `git format-patch`: `-- `, then git's version."""
    return (
        lines[number].rstrip() == "--"
        and number + 1 < len(lines)
        and _VERSION.fullmatch(lines[number + 1]) is not None
    )


def _opens(lines: Sequence[str], number: int) -> bool:
    return lines[number].startswith(("@@", "diff --git ")) or _is_header(lines, number)


def _surely_opens(lines: Sequence[str], number: int) -> bool:
    """As `_opens`, inside a hunk whose counts ask for more: a line may well begin with `--- `
    there."""
    if not _is_header(lines, number):
        return lines[number].startswith(("@@", "diff --git "))
    old, new = _header_path(lines[number]), _header_path(lines[number + 1])
    follows = number + 2 < len(lines) and lines[number + 2].startswith("@@")
    return follows and (old[2:] == new[2:] or _NOWHERE in (old, new))


def _is_header(lines: Sequence[str], number: int) -> bool:
    return (
        lines[number].startswith("--- ")
        and number + 1 < len(lines)
        and lines[number + 1].startswith("+++ ")
    )


def _read_extended(file: _File, line: str) -> None:
    """Git's lines between `diff --git` and the hunks. https://git-scm.com/docs/diff-format"""
    if line.startswith("rename from "):
        file.move_from = _unquoted(line[12:_MAX_HEADER_CHARS])
    elif line.startswith("rename to "):
        file.move_to = _unquoted(line[10:_MAX_HEADER_CHARS])
    elif line.startswith(("Binary files ", "GIT binary patch", "copy from ")):
        file.is_unreadable = True
    elif line.startswith(("new file mode 12", "new file mode 16", "new mode 12", "new mode 16")):
        file.is_link = True
    file.is_new = file.is_new or line.startswith("new file mode ")
    file.is_gone = file.is_gone or line.startswith("deleted file mode ")
    file.changes_mode = file.changes_mode or line.startswith("new mode ")


def _finish_file(parts: Parts, file: _File) -> None:
    old, new = _without_prefixes(file)
    path = new or old
    if path is None:
        if file.hunks:
            parts.problems.append(
                "A diff does not say which file it changes. Send it again with its `---` and `+++`"
                " lines."
            )
    elif file.is_gone or file.new == _NOWHERE:
        parts.edits.append(Edit("delete", old or path))
    elif file.is_link:
        parts.problems.append(
            f"The diff makes {path} a symlink or a submodule, which edits may not do. Leave it out."
        )
    elif file.is_unreadable:
        parts.problems.append(
            f"The diff of {path} is binary or a copy, which cannot be read here. Send text edits."
        )
    elif file.is_new or file.old == _NOWHERE:
        parts.edits.append(
            Edit("replace", path, "", "".join(line for hunk in file.hunks for line in hunk.new))
        )
    else:
        _change(parts, file, old or path, path)


def _change(parts: Parts, file: _File, old: str, new: str) -> None:
    if old != new:
        parts.edits.append(Edit("move", old, to=new))
    elif not file.hunks:
        reason = (
            "changes a file's mode, which is kept here" if file.changes_mode else "has no hunks"
        )
        parts.problems.append(f"The diff of {new} {reason}.")
    parts.edits.extend(hunk.edit(new) for hunk in file.hunks if hunk.old or hunk.new)


def _without_prefixes(file: _File) -> tuple[str | None, str | None]:
    """The two paths, None for /dev/null and for what is not said."""
    if file.move_from and file.move_to:
        return file.move_from, file.move_to
    old = None if file.old == _NOWHERE else file.old
    new = None if file.new == _NOWHERE else file.new
    if (old or "a/").startswith("a/") and (new or "b/").startswith("b/"):
        old, new = (path and _unprefixed(path) for path in (old, new))
    if old and new and old == f"{new}.orig":
        old = new
    return old or file.named, new or file.named


def _unprefixed(path: str) -> str:
    """The path without git's prefix; a directory that is itself named so is marked as meant."""
    return f"./{path[2:]}" if path[2:4] in ("a/", "b/") else path[2:]


def _header_path(line: str) -> str:
    text = line[4:_MAX_HEADER_CHARS]
    if text.startswith('"'):
        return _unquoted(text)
    return _STAMP.sub("", text.split("\t", 1)[0]).strip().strip("`")


def _git_path(line: str) -> str | None:
    """The path of `diff --git a/x b/x`, where both sides name the same one."""
    words = line[len("diff --git ") : 2 * _MAX_HEADER_CHARS].rstrip()
    middle = len(words) // 2
    old, new = _unquoted(words[:middle]), _unquoted(words[middle + 1 :])
    return _unprefixed(old) if old[:2] == "a/" and new[:2] == "b/" and old[2:] == new[2:] else None


def _unquoted(text: str) -> str:
    """A path as git writes it, with C's escapes where it is in quotes."""
    text = text.strip()
    if not (len(text) > 1 and text.startswith('"') and text.endswith('"')):
        return text
    raw = _ESCAPE.sub(lambda found: chr(_escaped(found[1])), text[1:-1].encode().decode("latin-1"))
    return raw.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def _escaped(code: str) -> int:
    return int(code, 8) & 255 if code[0].isdigit() else _ESCAPES[code]
