"""Puts a replacement into the file in the file's own style: unchanged lines keep their bytes; new
lines get the file's line endings and, if the search was found only without its indentation, the
file's indentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from bot.change.edits.align import align
from bot.change.edits.lines import Text, exact, is_blank, text_of, unindented
from bot.change.edits.match import Match

_Reindent = Callable[[str], str | None]
"""An indentation of the reply as the file has it; None if the rule does not explain it."""

_SPACES_PER_TAB = (4, 2, 8)


def replace_match(text: Text, match: Match) -> Text | None:
    """The whole file with the match replaced; None if the indentation of a new line cannot be
    determined."""
    old = text.slice(match.start, match.end)
    kept = {new: old for old, new in align(match.search.bodies, match.replace.bodies)}
    rules = _find_rules(match, old) if match.key is unindented else None
    if rules is None and _has_foreign_indent(text, match):
        return None
    bodies: list[str] = []
    ends: list[str] = []
    for number, body in enumerate(match.replace.bodies):
        if number in kept:
            bodies.append(old.bodies[kept[number]])
            ends.append(old.ends[kept[number]] or text.line_end)
            continue
        placed = body if rules is None else _reindent(body, rules)
        if placed is None:
            return None
        bodies.append(placed)
        ends.append((ends[-1:] or old.ends[:1] or [""])[0] or text.line_end)
    if bodies and match.end == len(text.bodies) and not _ends_last_line(text, match):
        ends[-1] = ""
    return Text(
        text.bom,
        text.bodies[: match.start] + bodies + text.bodies[match.end :],
        text.ends[: match.start] + ends + text.ends[match.end :],
    )


def replace_all(text: Text, new: Text) -> Text:
    """The new content of the whole file, with the old byte-order mark, line endings and final
    newline."""
    everything = Match(0, len(text.bodies), text_of(text.bodies), new, exact)
    replaced = replace_match(text, everything) or new
    return Text(text.bom, replaced.bodies, replaced.ends)


def _ends_last_line(text: Text, match: Match) -> bool:
    """Whether the file's last line ends in a newline: as it did, unless the sides of the edit
    differ in that."""
    old_end, new_end = match.search.ends[-1:], match.replace.ends[-1:]
    return (new_end if old_end != new_end else text.ends[-1:]) != [""]


def _has_foreign_indent(text: Text, match: Match) -> bool:
    """Whether the new lines are the first in the file that are indented by tabs, or by spaces, and
    nothing in the search tells which is meant."""
    if any(map(_indent, match.search.bodies)):
        return False
    new = {line[0] for line in match.replace.bodies if len(_indent(line)) > 1 or line[:1] == "\t"}
    used = {line[0] for line in text.bodies if _indent(line) and not is_blank(line)}
    return bool(new and used) and new.isdisjoint(used)


def _reindent(line: str, rules: Sequence[_Reindent]) -> str | None:
    """The line with the indentation that all the rules agree on."""
    if is_blank(line):
        return line
    indent = _indent(line)
    found = {rule(indent) for rule in rules}
    new_indent = found.pop() if len(found) == 1 else None
    return None if new_indent is None else new_indent + line[len(indent) :]


def _find_rules(match: Match, old: Text) -> list[_Reindent]:
    """The rules that explain how the file indents each line of the search."""
    sides = zip(match.search.bodies, old.bodies, strict=True)
    pairs = dict.fromkeys((_indent(line), _indent(real)) for line, real in sides if line.strip())
    indent, real = next(iter(pairs), ("", ""))
    rules: list[_Reindent] = []
    common = min(indent, real, key=len)
    if indent.endswith(common) and real.endswith(common):
        gained, lost = indent.removesuffix(common), real.removesuffix(common)
        rules.append(partial(_change_start, gained, lost))
    for spaces in _SPACES_PER_TAB:
        rules.append(partial(_change_unit, " " * spaces, "\t"))
        rules.append(partial(_change_unit, "\t", " " * spaces))
    return [rule for rule in rules if all(rule(indent) == real for indent, real in pairs)]


def _change_start(gained: str, lost: str, indent: str) -> str | None:
    """The reply left `lost` away at the start of every line, or put `gained` there."""
    return lost + indent.removeprefix(gained) if indent.startswith(gained) else None


def _change_unit(reply_unit: str, file_unit: str, indent: str) -> str | None:
    """Each `reply_unit` is one `file_unit`."""
    levels = indent.count(reply_unit)
    return file_unit * levels if indent == reply_unit * levels else None


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]
