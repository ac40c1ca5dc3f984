"""Hunk lines, as unified diffs and the apply-patch envelope share them, turned into edits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.core.reply import Edit

_HEADER = re.compile(r"@@+ *-(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? *@@+ ?(.*)")
_LOOSE_HEADER = re.compile(r"@@+(?: *-[\d,.…]* *\+[\d,.…]*)?[ .…]*(?:@@+)?(.*)")


@dataclass(slots=True)
class Hunk:
    """One hunk: its header's numbers where it has them, its heading, and its lines with their signs taken off."""

    heading: str = ""
    new_start: int | None = None
    old_count: int = -1
    new_count: int = -1
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    signs: list[str] = field(default_factory=list)
    """A line that lost the space of its sign, as empty ones often do, is context and has the sign ""."""

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
        """Takes off empty lines at the end that a header's counts do not call for: they stand between hunks."""
        while self.signs and not self.signs[-1] and self.old[-1] == self.new[-1] == "\n" and not self.is_complete:
            self.signs.pop()
            self.old.pop()
            self.new.pop()

    @property
    def is_complete(self) -> bool:
        """Whether the header's counts are met; False where it has none."""
        return (len(self.old), len(self.new)) == (self.old_count, self.new_count)

    def edit(self, path: str, anchors: Sequence[str] = ()) -> Edit:
        """The place in the new file is where the search begins once the hunks before it are applied. Numbers of a
        hunk that miscounts its own lines are not worth following."""
        line = (
            max(1, self.new_start + (self.new_count == 0)) if self.new_start is not None and self.is_complete else None
        )
        heading = (self.heading,) if self.heading else ()
        return Edit("replace", path, "".join(self.old), "".join(self.new), line=line, anchors=(*anchors, *heading))


def read_header(line: str) -> Hunk | None:
    """The hunk that a line beginning with `@@` opens, with or without usable numbers."""
    full = _HEADER.match(line)
    if full:
        _, old_count, new_start, new_count, heading = full.groups()
        return Hunk(heading.strip(), int(new_start), int(old_count or 1), int(new_count or 1))
    loose = _LOOSE_HEADER.match(line)
    return Hunk(loose.group(1).strip().removesuffix("@@").strip()) if loose else None
