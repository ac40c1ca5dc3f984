"""Unified diffs, as git and `diff -u` write them and as models misremember them.

Where a hunk's counts are right they say where it ends; otherwise it ends at the next header. A line such as
`--- x` is a file header only where `+++ ` follows it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.core.edits.envelope import Parts
from bot.core.edits.hunks import Hunk, read_header
from bot.core.reply import Edit

_NOWHERE = "/dev/null"
_MAX_HEADER_CHARS = 5_000
"""What is read of a file's header: a path that is longer is none, however git escapes it."""
_STAMP = re.compile(r"(?<!\s)\s++\d{4}-\d\d-\d\d[ T].*", re.DOTALL)
_VERSION = re.compile(r"\d{1,3}\.\d{1,4}[\w. ()-]{0,40}")
_ESCAPE = re.compile(r'\\([abtnvfr"\\]|[0-7]{1,3})')
_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}


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


def opens_at(lines: Sequence[str], number: int) -> bool:
    """Whether a diff that no fence announces begins here."""
    line = lines[number]
    if line.startswith("diff --git "):
        return True
    return _is_header(lines, number) and number + 2 < len(lines) and lines[number + 2].startswith("@@")


def read_unified(lines: Sequence[str], start: int, end: int, *, label: str | None, cut: bool) -> Parts:
    """Reads the diff in lines [start, end). `label` is the path that the reply names above a diff without file
    headers. `cut`: nothing says that the diff ends at `end`; a last hunk that misses its counts is left out then."""
    parts = Parts(end)
    file = _File(named=label)
    number = start
    if label and _is_bare_hunk(lines, start, end):
        file.hunks.append(Hunk())
        number = _read_hunk(file.hunks[0], lines, start, end)
    while number < end:
        line = lines[number]
        if line.startswith("diff --git "):
            _finish(parts, file)
            file = _File(named=_git_path(line))
        elif _is_header(lines, number):
            if file.old is not None or file.hunks:
                _finish(parts, file)
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
            f"The diff of {file.new or file.named} may have been cut off: its last hunk was left out. Send it again."
        )
    _finish(parts, file)
    return parts


def _is_bare_hunk(lines: Sequence[str], start: int, end: int) -> bool:
    """Whether the lines are one hunk, and no header of any kind says so."""
    signs = {lines[number][:1] for number in range(start, end)}
    return not signs.isdisjoint("+-") and not any(_opens(lines, number) for number in range(start, end))


def _read_hunk(hunk: Hunk, lines: Sequence[str], start: int, end: int) -> int:
    """Fills the hunk and gives the line after it: by its counts where what follows bears them out."""
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
    """Whether a hunk that has all its lines may end here: no further line of one follows, empty ones aside."""
    while number < end and not lines[number].strip():
        number += 1
    return number >= end or _opens(lines, number) or lines[number][0] not in " +-" or _signs_off(lines, number)


def _signs_off(lines: Sequence[str], number: int) -> bool:
    """Whether this is the end of a mail by `git format-patch`: `-- `, then git's version."""
    return (
        lines[number].rstrip() == "--" and number + 1 < len(lines) and _VERSION.fullmatch(lines[number + 1]) is not None
    )


def _opens(lines: Sequence[str], number: int) -> bool:
    return lines[number].startswith(("@@", "diff --git ")) or _is_header(lines, number)


def _surely_opens(lines: Sequence[str], number: int) -> bool:
    """As `_opens`, inside a hunk whose counts ask for more: a line may well begin with `--- ` there."""
    if not _is_header(lines, number):
        return lines[number].startswith(("@@", "diff --git "))
    old, new = _header_path(lines[number]), _header_path(lines[number + 1])
    follows = number + 2 < len(lines) and lines[number + 2].startswith("@@")
    return follows and (old[2:] == new[2:] or _NOWHERE in (old, new))


def _is_header(lines: Sequence[str], number: int) -> bool:
    return lines[number].startswith("--- ") and number + 1 < len(lines) and lines[number + 1].startswith("+++ ")


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


def _finish(parts: Parts, file: _File) -> None:
    old, new = _without_prefixes(file)
    path = new or old
    if path is None:
        if file.hunks:
            parts.problems.append(
                "A diff does not say which file it changes. Send it again with its `---` and `+++` lines."
            )
    elif file.is_gone or file.new == _NOWHERE:
        parts.edits.append(Edit("delete", old or path))
    elif file.is_link:
        parts.problems.append(f"The diff makes {path} a symlink or a submodule, which edits may not do. Leave it out.")
    elif file.is_unreadable:
        parts.problems.append(f"The diff of {path} is binary or a copy, which cannot be read here. Send text edits.")
    elif file.is_new or file.old == _NOWHERE:
        parts.edits.append(Edit("replace", path, "", "".join(line for hunk in file.hunks for line in hunk.new)))
    else:
        _change(parts, file, old or path, path)


def _change(parts: Parts, file: _File, old: str, new: str) -> None:
    if old != new:
        parts.edits.append(Edit("move", old, to=new))
    elif not file.hunks:
        reason = "changes a file's mode, which is kept here" if file.changes_mode else "has no hunks"
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
