"""Reads the two forms of edits that consist of hunks: unified diffs, as git and `diff -u` write
them and as models misremember them, and the apply-patch envelope (`*** Begin Patch`), also without
its first and last line.

If the counts of a hunk are right, they say where it ends; otherwise it ends at the next header. A
line such as `--- x` is a file header only if `+++ ` follows it.

The envelope's form:
https://github.com/openai/codex/blob/main/codex-rs/apply-patch/apply_patch_tool_instructions.md
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from bot.change.edits.reply.file_names import read_label
from bot.types.reply import Edit

_HUNK_HEADER = re.compile(
    r"@@(?!@)(?: *-(?:(\d{1,9})(?:,(\d{1,9}))?|[\d,.…]*) *"
    r"\+(?:(\d{1,9})(?:,(\d{1,9}))?(?= )|[\d,.…]*))?[ .…]*(?:@@)?(.*)"
)
"""Its numbers may be missing or dots."""
_NO_FILE = "/dev/null"
_TIMESTAMP = re.compile(r"(?<!\s)\s++\d{4}-\d\d-\d\d[ T].*", re.DOTALL)
_GIT_VERSION = re.compile(r"\d{1,3}\.\d{1,4}[\w. ()-]{0,40}")
_ESCAPE = re.compile(r'\\([abtnvfr"\\]|[0-7]{1,3})')
_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_UNREADABLE = {
    "Binary files ": "is binary, which cannot be read here",
    "GIT binary patch": "is binary, which cannot be read here",
    "copy from ": "is a copy, which cannot be read here",
    "@@@": "is one of a merge, which cannot be read here",
    "new file mode 12": "makes it a symlink or a submodule, which edits may not do",
    "new file mode 16": "makes it a symlink or a submodule, which edits may not do",
    "new mode ": "changes a file's mode, which is kept here",
}
"""Lines of a diff that say what edits cannot do. https://git-scm.com/docs/diff-format"""
_MAX_HEADER_CHARS = 5_000
"""What is read of a file's header: no path is longer, however git escapes it."""
_MAX_QUOTED_CHARS = 60
_MAX_LINES_BELOW = 200
"""How many lines below a diff without a fence are looked at for more of it."""
_FULL_CONTEXT = [" "] * 3

_ENVELOPE_START = re.compile(r"\s{0,12}\*{3} Begin Patch\s*", re.IGNORECASE)
_ENVELOPE_END = re.compile(r"\s{0,12}\*{3} End Patch\s*", re.IGNORECASE)
_SECTION = re.compile(
    r"\*{3} (Add|Update|Delete|Move to)(?: File)? ?: ?(\S(?:.*\S)?)\s*", re.IGNORECASE
)
_UNKNOWN_SECTION = re.compile(r"\*{3} (?!End of File)[A-Za-z][A-Za-z ]{0,30}:.*", re.IGNORECASE)
_MAX_MARKER_CHARS = 500
_MAX_ANCHORS = 20
"""How many headings that follow each other are kept, the innermost ones: no code is nested so
deep."""


@dataclass(slots=True)
class DiffEdits:
    """What was read of a part of a reply; `end` is the next line to read."""

    end: int
    edits: list[Edit] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Sentences for the model about what could not be read."""


@dataclass(slots=True)
class _Hunk:
    """A hunk: its header's numbers if it has them, its heading, and its lines without their
    signs."""

    heading: str = ""
    new_start: int | None = None
    old_count: int = -1
    new_count: int = -1
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    signs: list[str] = field(default_factory=list)
    """An empty line, a context line that lost the space of its sign, has the sign ""."""
    stray: str | None = None
    """A line by which the hunk's end is not certain: it has no sign, or may be cut."""

    @property
    def is_complete(self) -> bool:
        """Whether it has as many lines as its header says; False without such a header."""
        return len(self.old) == self.old_count and len(self.new) == self.new_count

    def add_line(self, line: str) -> None:
        sign, body = line[:1], line[1:]
        if sign == "\\":  # `\ No newline at end of file`: of the line above
            last_sign = self.signs[-1] if self.signs else ""
            for lines, other_sign in ((self.old, "+"), (self.new, "-")):
                if lines and last_sign != other_sign:
                    lines[-1] = lines[-1].removesuffix("\n")
            return
        if sign != "+":
            self.old.append(body + "\n")
        if sign != "-":
            self.new.append(body + "\n")
        self.signs.append(sign)

    def finish(self, next_line: str | None) -> None:
        """Drops empty lines at the end that the header does not count: they are between hunks.
        `next_line` is the line below if it is no header."""
        while self.signs and not self.signs[-1] and not self.is_complete:
            self.signs.pop()
            self.old.pop()
            self.new.pop()
        is_short = len(self.old) < self.old_count and len(self.new) < self.new_count
        if is_short and self.signs[:3] == _FULL_CONTEXT and self.signs[-1] == "+":
            next_line = next_line or f"+{self.new[-1]}".rstrip()
        self.stray = next_line

    def to_edit(self, path: str, anchors: Sequence[str], *, is_repeat: bool) -> Edit:
        """Its line is that of the new file, where the search begins once the hunks before it are
        applied. Numbers of a hunk that miscounts its own lines are ignored."""
        line = None
        if self.new_start is not None and self.is_complete:
            line = max(1, self.new_start + (self.new_count == 0))
        headings = (*anchors, self.heading) if self.heading else tuple(anchors)
        action: Literal["repeat", "replace"] = "repeat" if is_repeat else "replace"
        return Edit(action, path, "".join(self.old), "".join(self.new), line=line, anchors=headings)


@dataclass(slots=True)
class _FileDiff:
    """What a diff or an envelope says of one file."""

    path: str | None = None
    """From the section's line, the `diff --git` line, or the reply around the diff."""
    action: str = ""
    """Of a section: add, update, or delete."""
    move_to: str = ""
    old: str | None = None
    new: str | None = None
    is_guess: bool = False
    """Whether nothing says that `path` is meant."""
    is_new: bool = False
    is_deleted: bool = False
    is_changed: bool = False
    """Whether git counts changed lines, which a rename alone has none of."""
    unreadable: str = ""
    hunks: list[_Hunk] = field(default_factory=list)


def starts_unified_diff(lines: Sequence[str], number: int) -> bool:
    """Whether a diff begins at this line, as far as its header tells."""
    if lines[number].startswith("diff --git "):
        return True
    return _is_file_header(lines, number) and _starts_hunk(lines, number + 2)


def starts_envelope(line: str) -> bool:
    if "***" not in line[:20] or len(line) > _MAX_MARKER_CHARS:
        return False
    if _ENVELOPE_START.fullmatch(line):
        return True
    section = _SECTION.fullmatch(line)
    return section is not None and section[1].lower() != "move to"


def read_envelope(lines: Sequence[str], start: int, end: int, *, cut: bool) -> DiffEdits:
    """Reads from line `start` to the end marker, or to line `end`. `cut`: the envelope may go on
    after `end`, so that its last file is left out. An envelope may be indented as a whole."""
    last = start
    while last < end and not _ENVELOPE_END.fullmatch(lines[last][:_MAX_MARKER_CHARS]):
        last += 1
    indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
    inner = [line.removeprefix(indent) for line in lines[start:last]]
    reader = _Reader(inner, _FileDiff())
    reader.read()
    if cut and last == end and reader.file.action:
        reader.problems.append(
            f"The patch of {reader.file.path} has no `*** End Patch`: it may have been cut off."
            " Send it again."
        )
    else:
        reader.finish_file()
    return DiffEdits(min(last + 1, end), reader.edits, reader.problems)


def read_unified_diff(
    lines: Sequence[str],
    start: int,
    end: int,
    *,
    label: str | None = None,
    last_path: str | None = None,
    cut: bool,
    is_fenced: bool,
) -> DiffEdits:
    """Reads the diff in lines [start, end). `label` is the path that the reply names above a diff
    without file headers; if it names none, `last_path` is that of the edits before, which it can
    only repeat. `cut`: the diff may go on after `end`, so that a last hunk that may have
    more lines is left out. Outside a fence, the diff ends at the first line that has no sign."""
    first = _FileDiff(label or last_path, is_guess=not label)
    reader = _Reader(lines[start:end], first, ends_at_stray=not is_fenced)
    read = reader.read()
    file = reader.file
    last = file.hunks[-1] if file.hunks else None
    if read < end - start:
        cut = False
        if last and not _changes_follow(lines[start + read : end][:_MAX_LINES_BELOW]):
            last.stray = None
    is_whole = last and last.is_complete and not (is_fenced and last.signs[-1:] == ["+"])
    if cut and last and not is_whole:
        file.hunks.pop()
        reader.problems.append(
            f"The diff of {file.new or file.path} may have been cut off: its last hunk was left"
            " out. Send it again."
        )
    reader.finish_file()
    return DiffEdits(start + read, reader.edits, reader.problems)


class _Reader:
    """Reads lines of both forms; `file` is the one that is read, and not finished."""

    def __init__(
        self, lines: Sequence[str], file: _FileDiff, *, ends_at_stray: bool = False
    ) -> None:
        self.edits: list[Edit] = []
        self.problems: list[str] = []
        self.file = file
        self._lines = lines
        self._ends_at_stray = ends_at_stray

    def read(self) -> int:
        """The number of lines that belong to the diff."""
        number = 0 if self._ends_at_stray else self._read_bare_hunk()
        while number < len(self._lines):
            line = self._lines[number]
            if line.startswith("@@") and (header := _HUNK_HEADER.match(line)):
                number = self._read_hunk(_to_hunk(header), number + 1)
                if self._ends_at_stray and self.file.hunks[-1].stray is not None:
                    return number
            elif self._read_header(number):
                number += 2 if _is_file_header(self._lines, number) else 1
            elif self.file.action and line:
                number = max(number + 1, self._read_hunk(_Hunk(), number))
            else:
                number += 1
        return number

    def _read_bare_hunk(self) -> int:
        """Reads lines that are one hunk without any header; the line after it."""
        signs = {line[:1] for line in self._lines}
        headed = any(_is_header(self._lines, number) for number in range(len(self._lines)))
        return 0 if headed or signs.isdisjoint("+-") else self._read_hunk(_Hunk(), 0)

    def _read_header(self, number: int) -> bool:
        """Whether the line was one of a file's header."""
        line = self._lines[number]
        section = _SECTION.fullmatch(line) if line.startswith("*** ") else None
        if section:
            action, path = section[1].lower(), read_label(section[2]) or section[2].strip("`")
            if action == "move to":
                self.file.move_to = path
            else:
                self._begin_file(_FileDiff(path, action))
        elif _UNKNOWN_SECTION.fullmatch(line[:_MAX_MARKER_CHARS]):
            self._begin_file(_FileDiff())
            self.problems.append(
                f"`{line[:_MAX_QUOTED_CHARS]}` is no line of a patch. Write `*** Add File: PATH`,"
                " `*** Update File: PATH`, `*** Delete File: PATH` or, below an update,"
                " `*** Move to: PATH`, and send that file again."
            )
        elif line.startswith("diff --git "):
            self._begin_file(_FileDiff(_read_git_header(line)))
        elif _is_file_header(self._lines, number):
            file = self.file
            if not file.action:
                if file.old is not None or file.hunks:
                    self._begin_file(_FileDiff())
                self.file.is_guess = False
                self.file.old = _read_path(line)
                self.file.new = _read_path(self._lines[number + 1])
        else:
            return self._read_extended_header(line)
        return True

    def _read_extended_header(self, line: str) -> bool:
        """Whether the line is one of git's between `diff --git` and the hunks."""
        file = self.file
        if line.startswith("rename from "):
            file.path = _unescape_path(line[12:_MAX_HEADER_CHARS])
        elif line.startswith("rename to "):
            file.move_to = _unescape_path(line[10:_MAX_HEADER_CHARS])
        for beginning, fault in _UNREADABLE.items():
            if line.startswith(beginning):
                file.unreadable = fault
        if line.startswith("similarity index "):
            file.is_changed = not line.endswith(" 100%")
        file.is_new = file.is_new or line.startswith("new file mode ")
        file.is_deleted = file.is_deleted or line.startswith("deleted file mode ")
        return line.startswith(("***", "index ", "\\", "@@")) or not line

    def _read_hunk(self, hunk: _Hunk, start: int) -> int:
        """Fills the hunk and returns the line after it: the one that its counts say, if what
        follows agrees, or else the next header or the first line without a sign."""
        self.file.hunks.append(hunk)
        lines, number = self._lines, start
        while number < len(lines) and not hunk.is_complete and _is_hunk_line(lines[number]):
            if _is_header_inside_hunk(lines, number):
                break
            hunk.add_line(lines[number])
            number += 1
        if number < len(lines) and lines[number].startswith("\\"):
            hunk.add_line(lines[number])
            number += 1
        if hunk.is_complete and _may_follow_hunk(lines, number):
            return number
        hunk.old, hunk.new, hunk.signs = [], [], []
        number = start
        while number < len(lines) and _is_hunk_line(lines[number]):
            if _is_header(lines, number):
                break
            hunk.add_line(lines[number])
            number += 1
        is_stray = number < len(lines) and not _is_header(lines, number)
        hunk.finish(lines[number] if is_stray else None)
        return number + (is_stray and not self._ends_at_stray)

    def _begin_file(self, file: _FileDiff) -> None:
        self.finish_file()
        self.file = file

    def finish_file(self) -> None:
        """Adds the edits of the file, or the reason why there are none."""
        file = self.file
        old, new = _paths_of(file)
        path = new or old
        if file == _FileDiff(file.path, is_guess=file.is_guess):
            return
        if path is None:
            if file.hunks:
                self.problems.append(
                    "A diff does not say which file it changes. Send it again with its `---` and"
                    " `+++` lines."
                )
        elif file.is_deleted or file.new == _NO_FILE or file.action == "delete":
            removed = "".join(line for hunk in file.hunks for line in hunk.old)
            self.edits.append(Edit("delete", old or path, removed))
        elif file.unreadable:
            self.problems.append(
                f"The diff of {path} {file.unreadable}. Leave that out, or send edits of text."
            )
        elif file.is_new or file.old == _NO_FILE or file.action == "add":
            self._add_new_file(path)
        else:
            self._add_changes(old or path, path)

    def _add_new_file(self, path: str) -> None:
        hunks = self.file.hunks
        if any(hunk.stray is not None or not {"+", ""}.issuperset(hunk.signs) for hunk in hunks):
            self.problems.append(
                f"The new file {path} has lines that do not begin with `+`. Send it again."
            )
            return
        content = "".join(line for hunk in hunks for line in hunk.new)
        self.edits.append(Edit("replace", path, "", content))

    def _add_changes(self, old: str, new: str) -> None:
        if old != new:
            self.edits.append(Edit("move", old, to=new))
        if not self.file.hunks and (old == new or self.file.is_changed):
            self.problems.append(f"The diff of {new} has no lines to change. Send them.")
        anchors: tuple[str, ...] = ()
        for hunk in self.file.hunks:
            if hunk.stray is not None:
                self.problems.append(
                    f"A hunk of {new} holds the line `{hunk.stray[:_MAX_QUOTED_CHARS]}`, so that"
                    " its end is not certain: each line begins with ` `, `+` or `-`. Send that hunk"
                    " again."
                )
            elif not {"+", "-"}.isdisjoint(hunk.signs):
                self.edits.append(hunk.to_edit(new, anchors, is_repeat=self.file.is_guess))
            is_heading = hunk.heading and not hunk.signs
            anchors = (*anchors, hunk.heading)[-_MAX_ANCHORS:] if is_heading else ()


def _to_hunk(header: re.Match[str]) -> _Hunk:
    _, old_count, new_start, new_count, heading = header.groups()
    heading = heading.strip().removesuffix("@@").strip()
    if header[1] is None or new_start is None:
        return _Hunk(heading)
    return _Hunk(heading, int(new_start), int(old_count or 1), int(new_count or 1))


def _is_hunk_line(line: str) -> bool:
    return not line or line[0] in " +-\\"


def _changes_follow(lines: Sequence[str]) -> bool:
    """Whether one of the lines looks like one of a hunk, and not like an item of a list."""
    return any(line[:1] in ("+", "-") and line[1:2] not in ("", " ", line[0]) for line in lines)


def _may_follow_hunk(lines: Sequence[str], number: int) -> bool:
    """Whether a hunk that has all its lines may end here: no further line of a hunk follows, empty
    ones aside."""
    while number < len(lines) and not lines[number].strip():
        number += 1
    if number >= len(lines) or _is_header(lines, number) or lines[number][0] not in " +-":
        return True
    # `git format-patch` ends a mail with `-- ` and git's version.
    is_signature = lines[number].rstrip() == "--" and number + 1 < len(lines)
    return is_signature and _GIT_VERSION.fullmatch(lines[number + 1]) is not None


def _is_header(lines: Sequence[str], number: int) -> bool:
    """Whether a hunk or a file begins here."""
    return lines[number].startswith(("@@", "diff --git ", "*** ")) or _is_file_header(lines, number)


def _is_header_inside_hunk(lines: Sequence[str], number: int) -> bool:
    """Like `_is_header`, inside a hunk that has too few lines yet: there a line that begins with
    `--- ` may be a removed one, unless both paths agree and a hunk follows."""
    if not _is_file_header(lines, number) or not _starts_hunk(lines, number + 2):
        return False
    old, new = _read_path(lines[number]), _read_path(lines[number + 1])
    return old[2:] == new[2:] or _NO_FILE in (old, new)


def _is_file_header(lines: Sequence[str], number: int) -> bool:
    """Whether `--- ` and `+++ ` begin this line and the next one."""
    if not lines[number].startswith("--- ") or number + 1 >= len(lines):
        return False
    return lines[number + 1].startswith("+++ ")


def _starts_hunk(lines: Sequence[str], number: int) -> bool:
    return number < len(lines) and lines[number].startswith("@@")


def _paths_of(file: _FileDiff) -> tuple[str | None, str | None]:
    """The old and the new path without git's prefixes; None for /dev/null and for what is not
    said."""
    if file.move_to:
        return file.path, file.move_to
    old = None if file.old == _NO_FILE else file.old
    new = None if file.new == _NO_FILE else file.new
    if (old or "a/").startswith("a/") and (new or "b/").startswith("b/"):
        old, new = old and _strip_prefix(old), new and _strip_prefix(new)
    if old and new and old == f"{new}.orig":
        old = new
    return old or file.path, new or file.path


def _strip_prefix(path: str) -> str:
    """The path without git's `a/` or `b/`. A directory that is itself named so gets `./`, to say
    that it is meant."""
    path = path[2:]
    return f"./{path}" if path.startswith(("a/", "b/")) else path


def _read_path(line: str) -> str:
    """The path of a `---` or `+++` line."""
    text = line[4:_MAX_HEADER_CHARS]
    if text.startswith('"'):
        return _unescape_path(text)
    path, _, _ = text.partition("\t")
    return _TIMESTAMP.sub("", path).strip().strip("`")


def _read_git_header(line: str) -> str | None:
    """The path of `diff --git a/x b/x`, if both sides name the same one."""
    paths = line[len("diff --git ") : 2 * _MAX_HEADER_CHARS].rstrip()
    middle = len(paths) // 2
    old, new = _unescape_path(paths[:middle]), _unescape_path(paths[middle + 1 :])
    is_same = old.startswith("a/") and new.startswith("b/") and old[2:] == new[2:]
    return _strip_prefix(old) if is_same else None


def _unescape_path(text: str) -> str:
    """A path as git writes it: in quotes with C's escapes, or plainly."""
    text = text.strip()
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    # One character stands for one byte while the escapes, which are bytes, are replaced.
    characters = text[1:-1].encode("utf-8", "surrogatepass").decode("latin-1")
    unescaped = _ESCAPE.sub(_read_escape, characters)
    return unescaped.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def _read_escape(escape: re.Match[str]) -> str:
    code = escape[1]
    return chr(int(code, 8) & 255) if code[0].isdigit() else chr(_ESCAPES[code])
