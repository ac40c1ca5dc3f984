"""A file that was written whole: whether it really is the whole file, and its text in the old file's style."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from bot.core.edits.carry import carry
from bot.core.edits.lines import Text, exact, is_blank, split
from bot.core.edits.match import Place

_LARGE_LINES = 60
"""A file of so many lines that are not blank is large."""
_LEAST_SHARE = 0.2
_LEFT_OUT = re.compile(
    r"\s*(?:#|//|/\*|<!--|--|;|%|\{/\*|\(\*)?\s*(?:\.{3}|…)\s*\(?\s*(?:the\s+)?"
    r"(?:rest|remaining|remainder|existing|unchanged|same|previous|other|more|omitted|keep)\b.{0,80}",
    re.IGNORECASE,
)


def fault(old: Text, new: Text) -> str | None:
    """Why the new text is not a whole file, as the end of a sentence."""
    if leaves_out(new, old):
        return "leaves lines out"
    before, after = _count(old.bodies), _count(new.bodies)
    size = before.total()
    if size >= _LARGE_LINES and after.total() < size * _LEAST_SHARE:
        return f"would drop most of its {size} lines"
    return None


def leaves_out(new: Text, old: Text) -> bool:
    """Whether a line stands for others, such as `# ... rest of the file unchanged ...`, that the old file has not."""
    own = set(old.bodies)
    return any(len(line) < 200 and _LEFT_OUT.fullmatch(line) and line not in own for line in new.bodies)


def carry_whole(old: Text, content: str, strange: str) -> Text:
    """The new text, with the old file's byte-order mark, line ends and final newline."""
    new = split(content)
    bom = old.bom or new.bom
    if "\r\n" in new.ends or not new.bodies:
        return Text(bom, new.bodies, new.ends)
    said = Text("", old.bodies, ["\n"] * len(old.bodies))
    carried = carry(old, Place(0, len(old.bodies), said, new, exact), strange)
    return Text(bom, carried.bodies, carried.ends) if carried else new


def _count(lines: Iterable[str]) -> Counter[str]:
    return Counter(line.strip() for line in lines if not is_blank(line))
