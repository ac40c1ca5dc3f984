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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bot.change.edits.file_names import read_label
from bot.types.reply import Edit

_HUNK_HEADER = re.compile(r"@@ *-(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? *@@ ?(.*)")
_LOOSE_HUNK_HEADER = re.compile(r"@@(?!@)(?: *-[\d,.…]* *\+[\d,.…]*)?[ .…]*(?:@@)?(.*)")

_NO_FILE = "/dev/null"
_TIMESTAMP = re.compile(r"(?<!\s)\s++\d{4}-\d\d-\d\d[ T].*", re.DOTALL)
_GIT_VERSION = re.compile(r"\d{1,3}\.\d{1,4}[\w. ()-]{0,40}")
_ESCAPE = re.compile(r'\\([abtnvfr"\\]|[0-7]{1,3})')
_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_MAX_HEADER_CHARS = 5_000
"""What is read of a file's header: no path is longer, however git escapes it."""
_MAX_QUOTED_CHARS = 60
_MAX_LINES_BELOW = 200
"""How many lines below a diff without a fence are looked at for more of it."""

_ENVELOPE_START = re.compile(r"\s{0,12}\*{3} Begin Patch\s*", re.IGNORECASE)
_ENVELOPE_END = re.compile(r"\s{0,12}\*{3} End Patch\s*", re.IGNORECASE)
_SECTION = re.compile(
    r"\*{3} (Add|Update|Delete|Move to)(?: File)? ?: ?(\S(?:.*\S)?)\s*", re.IGNORECASE
)
_UNKNOWN_SECTION = re.compile(r"\*{3} [A-Za-z][A-Za-z ]{0,30}:.*")
_END_OF_FILE = re.compile(r"\*{3} End of File\s*", re.IGNORECASE)
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
    """A line without a sign in the midst of the hunk: where the hunk ends is not certain."""

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        return not {"+", "-"}.intersection(self.signs)

    @property
    def is_heading(self) -> bool:
        """Whether it only leads to the hunk below it."""
        return bool(self.heading) and not self.signs

    @property
    def is_complete(self) -> bool:
        """Whether it has as many lines as its header says; False without such a header."""
        return len(self.old) == self.old_count and len(self.new) == self.new_count

    @property
    def is_short(self) -> bool:
        """Whether it has fewer lines than its header says."""
        return len(self.old) < self.old_count and len(self.new) < self.new_count

    def is_whole(self, *, may_be_cut: bool) -> bool:
        """Whether it is complete, and its last line is none that may be cut itself."""
        return self.is_complete and not (may_be_cut and self.signs[-1:] == ["+"])

    def clear(self) -> None:
        self.old, self.new, self.signs = [], [], []

    def add_line(self, line: str) -> None:
        if line.startswith("\\"):
            self._drop_final_newline()
            return
        sign, body = line[:1], line[1:]
        if sign != "+":
            self.old.append(body + "\n")
        if sign != "-":
            self.new.append(body + "\n")
        self.signs.append(sign)

    def _drop_final_newline(self) -> None:
        """Applies `\\ No newline at end of file` to the line before it."""
        last_sign = self.signs[-1] if self.signs else ""
        if self.old and last_sign != "+":
            self.old[-1] = self.old[-1].removesuffix("\n")
        if self.new and last_sign != "-":
            self.new[-1] = self.new[-1].removesuffix("\n")

    def drop_blank_end(self) -> None:
        """Removes empty lines at the end that the header does not count: they are between hunks."""
        while self.signs and not self.signs[-1] and not self.is_complete:
            if not self.old[-1] == self.new[-1] == "\n":
                return
            self.signs.pop()
            self.old.pop()
            self.new.pop()

    def to_edit(self, path: str, anchors: Sequence[str] = ()) -> Edit:
        """Its line is that of the new file, where the search begins once the hunks before it are
        applied. Numbers of a hunk that miscounts its own lines are ignored."""
        line = None
        if self.new_start is not None and self.is_complete:
            line = max(1, self.new_start + (self.new_count == 0))
        return Edit(
            "replace",
            path,
            "".join(self.old),
            "".join(self.new),
            line=line,
            anchors=(*anchors, self.heading) if self.heading else tuple(anchors),
        )


def _read_hunk_header(line: str) -> _Hunk | None:
    """The hunk that a line beginning with `@@` opens, with or without usable numbers."""
    full = _HUNK_HEADER.match(line)
    if full:
        _, old_count, new_start, new_count, heading = full.groups()
        return _Hunk(heading.strip(), int(new_start), int(old_count or 1), int(new_count or 1))
    loose = _LOOSE_HUNK_HEADER.match(line)
    return _Hunk(loose[1].strip().removesuffix("@@").strip()) if loose else None


def _is_hunk_line(line: str) -> bool:
    return not line or line[0] in " +-\\"


@dataclass(slots=True)
class _FileDiff:
    """What a unified diff says of one file."""

    label: str | None = None
    """The path from the `diff --git` line, or from the reply around the diff."""
    old: str | None = None
    new: str | None = None
    move_from: str | None = None
    move_to: str | None = None
    is_new: bool = False
    is_deleted: bool = False
    unreadable: str = ""
    """What in it edits may not or cannot do."""
    hunks: list[_Hunk] = field(default_factory=list)


def starts_unified_diff(lines: Sequence[str], number: int) -> bool:
    """Whether a diff begins at this line, as far as its header tells."""
    if lines[number].startswith("diff --git "):
        return True
    return _is_file_header(lines, number) and _is_hunk_header(lines, number + 2)


def read_unified_diff(
    lines: Sequence[str], start: int, end: int, *, label: str | None, cut: bool, is_fenced: bool
) -> DiffEdits:
    """Reads the diff in lines [start, end). `label` is the path that the reply names above a diff
    without file headers. `cut`: the diff may go on after `end`, so that a last hunk with too few
    lines is left out. Outside a fence, the diff ends at the first line that has no sign."""
    result = DiffEdits(end)
    file = _FileDiff(label)
    number = start
    if (
        is_fenced
        and start < end
        and not _is_header(lines, start)
        and _is_bare_hunk(lines, start, end)
    ):
        file.hunks.append(_Hunk())
        number = _read_hunk(file.hunks[0], lines, start, end)
    while number < end:
        line = lines[number]
        if line.startswith("diff --git "):
            _finish_file(result, file)
            file = _FileDiff(_read_git_header(line))
        elif _is_file_header(lines, number):
            if file.old is not None or file.hunks:
                _finish_file(result, file)
                file = _FileDiff()
            file.old, file.new = _read_path(line), _read_path(lines[number + 1])
            number += 1
        elif line.startswith("@@") and (hunk := _read_hunk_header(line)):
            number = _read_hunk(hunk, lines, number + 1, end)
            file.hunks.append(hunk)
            if number < end and not _is_header(lines, number) and not is_fenced:
                hunk.stray = hunk.stray if _changes_follow(lines, number, end) else None
                result.end, cut = number, False
                break
            continue
        else:
            _read_extended_header(file, line)
        number += 1
    if cut and file.hunks and not file.hunks[-1].is_whole(may_be_cut=is_fenced):
        file.hunks.pop()
        result.problems.append(
            f"The diff of {file.new or file.label} may have been cut off: its last hunk was left"
            " out. Send it again."
        )
    _finish_file(result, file)
    return result


def _is_bare_hunk(lines: Sequence[str], start: int, end: int) -> bool:
    """Whether the lines are one hunk without any header."""
    signs = {lines[number][:1] for number in range(start, end)}
    if signs.isdisjoint("+-"):
        return False
    return not any(_is_header(lines, number) for number in range(start, end))


def _changes_follow(lines: Sequence[str], number: int, end: int) -> bool:
    """Whether a line below looks like one of a hunk, and not like an item of a list."""
    return any(
        line[:1] in ("+", "-") and line[1:2] not in ("", " ", line[0])
        for line in lines[number : min(end, number + _MAX_LINES_BELOW)]
    )


def _read_hunk(hunk: _Hunk, lines: Sequence[str], start: int, end: int) -> int:
    """Fills the hunk and returns the line after it: the one that its counts say, if what follows
    agrees, or else the next header or the first line without a sign."""
    number = start
    while number < end and not hunk.is_complete and not _is_header_inside_hunk(lines, number):
        if not _is_hunk_line(lines[number]):
            break
        hunk.add_line(lines[number])
        number += 1
    if number < end and lines[number].startswith("\\"):
        hunk.add_line(lines[number])
        number += 1
    if hunk.is_complete and _may_follow_hunk(lines, number, end):
        return number
    hunk.clear()
    number = start
    while number < end and not _is_header(lines, number) and _is_hunk_line(lines[number]):
        hunk.add_line(lines[number])
        number += 1
    hunk.drop_blank_end()
    if number < end and not _is_header(lines, number):
        hunk.stray = lines[number]
    elif hunk.is_short and hunk.signs[:3] == [" "] * 3 and hunk.signs[-1] == "+":
        hunk.stray = f"+{hunk.new[-1]}".rstrip()
    return number


def _may_follow_hunk(lines: Sequence[str], number: int, end: int) -> bool:
    """Whether a hunk that has all its lines may end here: no further line of a hunk follows, empty
    ones aside."""
    while number < end and not lines[number].strip():
        number += 1
    if number >= end or _is_header(lines, number) or lines[number][0] not in " +-":
        return True
    # `git format-patch` ends a mail with `-- ` and git's version.
    is_signature = lines[number].rstrip() == "--" and number + 1 < len(lines)
    return is_signature and _GIT_VERSION.fullmatch(lines[number + 1]) is not None


def _is_header(lines: Sequence[str], number: int) -> bool:
    """Whether a hunk or a file of a diff begins here."""
    return lines[number].startswith(("@@", "diff --git ")) or _is_file_header(lines, number)


def _is_header_inside_hunk(lines: Sequence[str], number: int) -> bool:
    """Like `_is_header`, inside a hunk that has too few lines yet: there a line that begins with
    `--- ` may be a removed one, unless both paths agree and a hunk follows."""
    if not _is_file_header(lines, number):
        return lines[number].startswith(("@@", "diff --git "))
    if not _is_hunk_header(lines, number + 2):
        return False
    old, new = _read_path(lines[number]), _read_path(lines[number + 1])
    return old[2:] == new[2:] or _NO_FILE in (old, new)


def _is_file_header(lines: Sequence[str], number: int) -> bool:
    """Whether `--- ` and `+++ ` begin this line and the next one."""
    if not lines[number].startswith("--- ") or number + 1 >= len(lines):
        return False
    return lines[number + 1].startswith("+++ ")


def _is_hunk_header(lines: Sequence[str], number: int) -> bool:
    return number < len(lines) and lines[number].startswith("@@")


def _read_extended_header(file: _FileDiff, line: str) -> None:
    """Git's lines between `diff --git` and the hunks. https://git-scm.com/docs/diff-format"""
    if line.startswith("rename from "):
        file.move_from = _unescape_path(line[12:_MAX_HEADER_CHARS])
    elif line.startswith("rename to "):
        file.move_to = _unescape_path(line[10:_MAX_HEADER_CHARS])
    elif line.startswith(("Binary files ", "GIT binary patch", "copy from ")):
        file.unreadable = "is binary or a copy, which cannot be read here"
    elif line.startswith("@@@"):
        file.unreadable = "is one of a merge, which cannot be read here"
    elif line.startswith(("new file mode 12", "new file mode 16", "new mode 12", "new mode 16")):
        file.unreadable = "makes it a symlink or a submodule, which edits may not do"
    elif line.startswith("new mode ") and not file.unreadable:
        file.unreadable = "changes a file's mode, which is kept here"
    file.is_new = file.is_new or line.startswith("new file mode ")
    file.is_deleted = file.is_deleted or line.startswith("deleted file mode ")


def _finish_file(result: DiffEdits, file: _FileDiff) -> None:
    """Adds the edits of one file, or the reason why there are none."""
    old, new = _paths_of(file)
    path = new or old
    if path is None:
        if file.hunks:
            result.problems.append(
                "A diff does not say which file it changes. Send it again with its `---` and `+++`"
                " lines."
            )
    elif file.is_deleted or file.new == _NO_FILE:
        removed = "".join(line for hunk in file.hunks for line in hunk.old)
        result.edits.append(Edit("delete", old or path, removed))
    elif file.unreadable:
        result.problems.append(
            f"The diff of {path} {file.unreadable}. Leave that out, or send edits of text."
        )
    elif file.is_new or file.old == _NO_FILE:
        _finish_new_file(result, file, path)
    else:
        _finish_changed_file(result, file, old or path, path)


def _finish_new_file(result: DiffEdits, file: _FileDiff, path: str) -> None:
    stray = next((hunk.stray for hunk in file.hunks if hunk.stray is not None), None)
    if stray is not None or any({" ", "-"}.intersection(hunk.signs) for hunk in file.hunks):
        result.problems.append(
            f"The diff of the new file {path} has lines that do not begin with `+`. Send it again."
        )
        return
    content = "".join(line for hunk in file.hunks for line in hunk.new)
    result.edits.append(Edit("replace", path, "", content))


def _finish_changed_file(result: DiffEdits, file: _FileDiff, old: str, new: str) -> None:
    if old != new:
        result.edits.append(Edit("move", old, to=new))
    elif not file.hunks:
        result.problems.append(f"The diff of {new} has no hunks.")
    for hunk in file.hunks:
        if hunk.stray is not None:
            result.problems.append(_stray_words(new, hunk.stray))
        elif not hunk.is_empty:
            result.edits.append(hunk.to_edit(new))


def _stray_words(path: str, stray: str) -> str:
    return (
        f"A hunk of {path} holds the line `{stray[:_MAX_QUOTED_CHARS]}`, which begins with none of"
        " ` `, `+` and `-`. Send that hunk again."
    )


def _paths_of(file: _FileDiff) -> tuple[str | None, str | None]:
    """The old and the new path without git's prefixes; None for /dev/null and for what is not
    said."""
    if file.move_from and file.move_to:
        return file.move_from, file.move_to
    old = None if file.old == _NO_FILE else file.old
    new = None if file.new == _NO_FILE else file.new
    if (old or "a/").startswith("a/") and (new or "b/").startswith("b/"):
        old, new = old and _strip_prefix(old), new and _strip_prefix(new)
    if old and new and old == f"{new}.orig":
        old = new
    return old or file.label, new or file.label


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
    old = _unescape_path(paths[:middle])
    new = _unescape_path(paths[middle + 1 :])
    if not old.startswith("a/") or not new.startswith("b/") or old[2:] != new[2:]:
        return None
    return _strip_prefix(old)


def _unescape_path(text: str) -> str:
    """A path as git writes it: in quotes with C's escapes, or plainly."""
    text = text.strip()
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    # One character stands for one byte while the escapes, which are bytes, are replaced.
    characters = text[1:-1].encode().decode("latin-1")
    unescaped = _ESCAPE.sub(_read_escape, characters)
    return unescaped.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def _read_escape(escape: re.Match[str]) -> str:
    code = escape[1]
    if code[0].isdigit():
        return chr(int(code, 8) & 255)
    return chr(_ESCAPES[code])


@dataclass(slots=True)
class _Section:
    """What an envelope says of one file."""

    action: str
    path: str
    move_to: str = ""
    lines: list[str] = field(default_factory=list)


def starts_envelope(lines: Sequence[str], number: int) -> bool:
    line = lines[number]
    if "***" not in line[:20] or len(line) > _MAX_MARKER_CHARS:
        return False
    if _ENVELOPE_START.fullmatch(line):
        return True
    section = _read_section_header(line)
    return section is not None and section.action != "move to"


def read_envelope(lines: Sequence[str], start: int, end: int, *, cut: bool) -> DiffEdits:
    """Reads from line `start` to the end marker, or to line `end`. `cut`: the envelope may go on
    after `end`, so that its last file is left out. An envelope may be indented as a whole."""
    result = DiffEdits(end)
    indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
    section: _Section | None = None
    for number in range(start, end):
        line = lines[number].removeprefix(indent)
        is_marker = line.startswith("*** ") and len(line) <= _MAX_MARKER_CHARS
        if is_marker and _ENVELOPE_END.fullmatch(line):
            result.end, cut = number + 1, False
            break
        opened = _read_section_header(line) if is_marker else None
        if opened and opened.action == "move to" and section:
            section.move_to = opened.path
        elif opened:
            _finish_section(result, section)
            section = opened
        elif is_marker and _UNKNOWN_SECTION.fullmatch(line):
            _finish_section(result, section)
            section = None
            result.problems.append(
                f"`{line[:_MAX_QUOTED_CHARS]}` is no line of a patch. Write `*** Add File: PATH`,"
                " `*** Update File: PATH`, `*** Delete File: PATH` or, below an update,"
                " `*** Move to: PATH`, and send that file again."
            )
        elif section:
            section.lines.append(line)
    if section and cut:
        result.problems.append(
            f"The patch of {section.path} has no `*** End Patch`: it may have been cut off. Send it"
            " again."
        )
    else:
        _finish_section(result, section)
    return result


def _read_section_header(line: str) -> _Section | None:
    header = _SECTION.fullmatch(line) if line.startswith("*** ") else None
    if header is None:
        return None
    action, path = header.groups()
    return _Section(action.lower(), read_label(path) or path.strip("`"))


def _finish_section(result: DiffEdits, section: _Section | None) -> None:
    """Adds the edits of one file."""
    if section is None:
        return
    if section.action == "delete":
        result.edits.append(Edit("delete", section.path))
    elif section.action == "add":
        _finish_added_file(result, section)
    else:
        _finish_updated_file(result, section)


def _finish_added_file(result: DiffEdits, section: _Section) -> None:
    lines = section.lines
    while lines and not lines[-1]:
        lines.pop()
    if any(line and not line.startswith("+") for line in lines):
        result.problems.append(
            f"`*** Add File: {section.path}` has lines that do not begin with `+`. Send it again."
        )
        return
    content = "".join(line[1:] + "\n" for line in lines)
    result.edits.append(Edit("replace", section.path, "", content))


def _finish_updated_file(result: DiffEdits, section: _Section) -> None:
    path = section.move_to or section.path
    stray = next((line for line in section.lines if not _may_be_in_update(line)), None)
    if stray is not None:
        result.problems.append(_stray_words(section.path, stray))
        return
    if section.move_to:
        result.edits.append(Edit("move", section.path, to=section.move_to))
    edits = [hunk.to_edit(path, anchors) for hunk, anchors in _read_envelope_hunks(section.lines)]
    if not edits and not section.move_to:
        result.problems.append(
            f"`*** Update File: {section.path}` has no lines to change. Send them."
        )
    result.edits.extend(edits)


def _may_be_in_update(line: str) -> bool:
    return _is_hunk_line(line) or line.startswith("@@") or bool(_END_OF_FILE.fullmatch(line))


def _read_envelope_hunks(lines: Sequence[str]) -> Iterator[tuple[_Hunk, tuple[str, ...]]]:
    """Each hunk with the headings of the empty ones right before it, which lead to its place from
    outside in."""
    # The headers of a diff may say again which file it is.
    has_file_header = len(lines) > 2 and _is_file_header(lines, 0) and _is_hunk_header(lines, 2)
    hunk = _Hunk()
    anchors: tuple[str, ...] = ()
    found: list[tuple[_Hunk, tuple[str, ...]]] = []
    for line in lines[2:] if has_file_header else lines:
        opened = _read_hunk_header(line) if line.startswith("@@") else None
        if opened:
            found.append((hunk, anchors))
            anchors = (*anchors, hunk.heading)[-_MAX_ANCHORS:] if hunk.is_heading else ()
            hunk = opened
        elif not _END_OF_FILE.fullmatch(line):
            hunk.add_line(line)
    found.append((hunk, anchors))
    for hunk, anchors in found:
        hunk.drop_blank_end()
        if not hunk.is_empty:
            yield hunk, anchors
