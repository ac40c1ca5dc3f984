"""Puts a replacement into the file in the file's own style: unchanged lines keep their bytes; new
lines get the file's line endings and, if the search was found only without its indentation, the
file's indentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bot.change.edits.align import align
from bot.change.edits.lines import Text, is_blank, split_lines, text_of, unindented
from bot.change.edits.lines import exact as exact_key
from bot.change.edits.match import Match

_Reindent = Callable[[str], str | None]
"""An indentation of the reply as the file has it; None if the rule does not explain it."""

_SPACES_PER_TAB = (4, 2, 8)


def replace_match(text: Text, match: Match) -> Text | None:
    """The whole file with the match replaced; None if the indentation of a new line cannot be
    determined."""
    old = text.slice(match.start, match.end)
    keeps_ends = _has_line_ends_of_file(match, old)
    kept = {new: old for old, new in _align_sides(match, with_ends=keeps_ends)}
    rules = _find_rules(match, old) if match.key is unindented else None
    if rules is None and _has_foreign_indent(text, match):
        return None
    bodies: list[str] = []
    ends: list[str] = []
    for number, body in enumerate(match.replace.bodies):
        if number in kept:
            bodies.append(old.bodies[kept[number]])
            ends.append(old.ends[kept[number]])
            continue
        placed = body if rules is None else _reindent(body, rules)
        if placed is None:
            return None
        bodies.append(placed)
        ends.append(match.replace.ends[number] if keeps_ends else _nearest_end(ends, old, text))
    _finish_ends(text, match, ends)
    return Text(
        text.bom,
        text.bodies[: match.start] + bodies + text.bodies[match.end :],
        text.ends[: match.start] + ends + text.ends[match.end :],
    )


def replace_all(text: Text, content: str) -> Text:
    """The new content of the whole file, with the old byte-order mark, line endings and final
    newline."""
    new = split_lines(content)
    bom = text.bom or new.bom
    if "\r\n" in new.ends or not new.bodies:
        return Text(bom, new.bodies, new.ends)
    everything = Match(0, len(text.bodies), text_of(text.bodies), new, exact_key)
    replaced = replace_match(text, everything)
    return Text(bom, replaced.bodies, replaced.ends) if replaced else new


def _has_line_ends_of_file(match: Match, old: Text) -> bool:
    """Whether the edit was written with the file's real line endings, so that its own are meant."""
    ends = match.search.ends
    if "\r\n" not in ends and "\r\n" not in match.replace.ends:
        return False
    return ends[:-1] == old.ends[:-1] and ends[-1] in (old.ends[-1], "")


def _align_sides(match: Match, *, with_ends: bool) -> list[tuple[int, int]]:
    if with_ends:
        return align(match.search.lines_with_ends(), match.replace.lines_with_ends())
    return align(match.search.bodies, match.replace.bodies)


def _nearest_end(ends: Sequence[str], old: Text, text: Text) -> str:
    """The line ending of the line before, of the first replaced line, or of most lines."""
    for end in (*ends[-1:], *old.ends[:1]):
        if end:
            return end
    return text.line_end


def _finish_ends(text: Text, match: Match, ends: list[str]) -> None:
    """Gives every line an end but the file's last: that one has what the file had, unless the edit
    says otherwise."""
    if not ends:
        return
    for number, end in enumerate(ends):
        ends[number] = end or text.line_end
    if match.end < len(text.bodies) or not text.ends:
        return
    has_end = bool(text.ends[-1])
    search_has_end = bool(match.search.ends[-1])
    new_has_end = bool(match.replace.ends[-1])
    if search_has_end != new_has_end:
        has_end = new_has_end
    if not has_end:
        ends[-1] = ""


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
    pairs = zip(match.search.bodies, old.bodies, strict=True)
    seen = dict.fromkeys((_indent(line), _indent(real)) for line, real in pairs if line.strip())
    first = next(iter(seen), ("", ""))
    return [
        rule
        for rule in _possible_rules(*first)
        if all(rule(indent) == real for indent, real in seen)
    ]


def _possible_rules(indent: str, real: str) -> Iterator[_Reindent]:
    if real.endswith(indent):
        yield _Shift(lost=real[: len(real) - len(indent)])
    if indent.endswith(real):
        yield _Shift(gained=indent[: len(indent) - len(real)])
    for spaces in _SPACES_PER_TAB:
        yield _ChangeUnit(" " * spaces, "\t")
        yield _ChangeUnit("\t", " " * spaces)


@dataclass(frozen=True, slots=True)
class _Shift:
    """The reply left `lost` away at the start of every line, or put `gained` there."""

    lost: str = ""
    gained: str = ""

    def __call__(self, indent: str) -> str | None:
        if not indent.startswith(self.gained):
            return None
        return self.lost + indent.removeprefix(self.gained)


@dataclass(frozen=True, slots=True)
class _ChangeUnit:
    """Each `reply_unit` is one `file_unit`."""

    reply_unit: str
    file_unit: str

    def __call__(self, indent: str) -> str | None:
        levels, rest = divmod(len(indent), len(self.reply_unit))
        is_even = not rest and indent == self.reply_unit * levels
        return self.file_unit * levels if is_even else None


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]
