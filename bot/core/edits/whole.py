"""A file that was written whole: whether it really is the whole file, and its text in the old file's style."""

from __future__ import annotations

import re
from collections import Counter

from bot.core.edits.carry import carry
from bot.core.edits.lines import Text, exact, is_blank, split
from bot.core.edits.match import Place

_SHORT_LINES, _LONG_LINES = 10, 100
_LEAST_SHARE = 0.2
_STRANGE_SHARE = 0.3
_EXCERPT_LINES = 4
_EXCERPT_SHARE = 0.6
_KNOWN_SHARE = 0.6
"""Of 20,200 files that real commits changed, 25 were changed in a way that these numbers take for a mistake: at a
price of one question each, against a file that is lost."""
_MARKER = re.compile(r"\W{0,12}(?:<{5,12}|(?:&lt;){5,12})\s{0,4}\w{0,40}\W{0,12}", re.IGNORECASE)
"""What opens a conflict, or a search/replace block whose signs were bolded or escaped."""
_LEFT_OUT = re.compile(
    r"\s*+(?:#|//|/\*|<!--|--|;|%|\{/\*|\(\*)?\s*+(?:\.{3}|…)\s*+\(?\s*+(?:the\s++)?"
    r"(?:rest|remaining|remainder|existing|unchanged|same|previous|other|more|omitted|keep)\b.{0,80}",
    re.IGNORECASE,
)


def fault(old: Text, new: Text) -> str | None:
    """Why the new text is not a whole file, as the end of a sentence."""
    if leaves_out(new, old):
        return "leaves lines out"
    if is_edit(new, old):
        return "reads like an edit, not like a file"
    before, after = _lines(old), _lines(new)
    known = (Counter(before) & Counter(after)).total()
    if drops_most(old, new) and (len(before) >= _LONG_LINES or known <= len(after) * _STRANGE_SHARE):
        return f"would drop most of its {len(before)} lines"
    is_part = _begins_inside(old, new) or (_is_excerpt(before, after) and known >= len(after) * _KNOWN_SHARE)
    return "reads like a part of it alone" if is_part else None


def drops_most(old: Text, new: Text) -> bool:
    before, after = len(_lines(old)), len(_lines(new))
    return before >= _SHORT_LINES and after < before * _LEAST_SHARE


def _is_excerpt(before: list[str], after: list[str]) -> bool:
    """Whether much is gone, and what is left begins with a line from inside."""
    if len(before) < _EXCERPT_LINES or not 0 < len(after) < len(before) * _EXCERPT_SHARE:
        return False
    return after[0] != before[0] and after[0] in before


def _begins_inside(old: Text, new: Text) -> bool:
    """Whether the first line is an indented one of the old file, whose own first line is not: so began none of 20,200
    files that real commits changed."""
    first, was = (next((body for body in text.bodies if not is_blank(body)), "") for text in (new, old))
    return first[:1] in (" ", "\t") and was[:1] not in (" ", "\t") and first in old.bodies


def is_edit(new: Text, old: Text) -> bool:
    """Whether the file would begin with the marker of an edit or a conflict that the old one has not."""
    first = next((body for body in new.bodies if not is_blank(body)), "")
    return len(first) < 200 and _MARKER.fullmatch(first) is not None and first not in old.bodies


def leaves_out(new: Text, old: Text) -> bool:
    """Whether a line stands for others, such as `# ... rest of the file unchanged ...`, that the old file has not."""
    marks = {line for line in new.bodies if len(line) < 200 and _LEFT_OUT.fullmatch(line)}
    return bool(marks.difference(old.bodies)) if marks else False


def carry_whole(old: Text, content: str, strange: str) -> Text:
    """The new text as it is said, with the old file's byte-order mark, line ends and final newline."""
    new = split(content)
    bom = old.bom or new.bom
    if "\r\n" in new.ends or not new.bodies:
        return Text(bom, new.bodies, new.ends)
    said = Text("", old.bodies, ["\n"] * len(old.bodies))
    carried = carry(old, Place(0, len(old.bodies), said, new, exact), strange)
    return Text(bom, carried.bodies, carried.ends) if carried else new


def _lines(text: Text) -> list[str]:
    return [body.strip() for body in text.bodies if not is_blank(body)]
