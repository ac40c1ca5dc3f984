"""Puts a replacement into the file in the file's own style: unchanged lines keep their bytes; new
lines get the indentation, quotes and line endings of the file.

Unchanged lines are found by Bram Cohen's patience diff: equal lines at both ends first, then the
lines that occur once in each version, then what is between them. Its time is near-linear in the
length of the texts; difflib's is cubic at worst, and replies may be hostile.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.change.edits.lines import (
    Text,
    exact,
    fold_typography,
    folded,
    is_blank,
    split_lines,
    text_of,
    trimmed,
)
from bot.change.edits.match import Match
from bot.types.reply import Edit

Pair = tuple[int, int]
Restyle = Callable[[str], str | None]
"""A line, or its indentation, in the file's style; None if that cannot be determined."""

_INDENT_UNITS = ("\t", "    ", "  ", "        ", "   ")
_WIDEST_INDENT_UNIT = "    "
"""The widest that is inferred from new lines alone: eight spaces may be one level or two."""
_MAX_LEVELS_ADDED = 10
_TYPOGRAPHY = (
    ("‘’", re.compile("'")),
    ("“”", re.compile('"')),
    ("\u00a0\u202f", re.compile(r"\S \S")),
)
"""Typographic signs, and where text uses their plain form."""
_MIN_TYPOGRAPHY_RATIO = 4
_MAX_ALIGN_PASSES = 8
"""How often each line is looked at for anchors, on average: between anchors further lines become
unique, and hostile text could make that go on."""


def replace_match(text: Text, match: Match, typography: str = "") -> Text | None:
    """The whole file with the match replaced; None if the indentation of the replacement cannot be
    determined. `typography` are signs that stand for plain ones (`unused_typography`)."""
    text.spend_scan()
    old = text.slice(match.start, match.end)
    keeps_ends = _has_line_ends_of_file(match, old)
    kept = {new: old for old, new in _align_sides(match, with_ends=keeps_ends)}
    lines = list(enumerate(match.replace.bodies))
    new_bodies = [body for number, body in lines if number not in kept]
    restyle = _choose_style(text, old, match, new_bodies, typography)
    bodies: list[str] = []
    ends: list[str] = []
    for number, body in lines:
        if number in kept:
            bodies.append(old.bodies[kept[number]])
            ends.append(old.ends[kept[number]])
            continue
        if restyle is None:
            return None
        restyled = body if is_blank(body) else restyle(body)
        if restyled is None:
            return None
        bodies.append(restyled)
        ends.append(match.replace.ends[number] if keeps_ends else _nearest_end(ends, old, text))
    _finish_ends(text, match, ends)
    return Text(
        text.bom,
        text.bodies[: match.start] + bodies + text.bodies[match.end :],
        text.ends[: match.start] + ends + text.ends[match.end :],
    )


def replace_all(text: Text, content: str, typography: str) -> Text:
    """The new content of the whole file, with the old byte-order mark, line endings and final
    newline."""
    new = split_lines(content)
    bom = text.bom or new.bom
    if "\r\n" in new.ends or not new.bodies:
        return Text(bom, new.bodies, new.ends)
    everything = Match(0, len(text.bodies), text_of(text.bodies), new, exact)
    restyled = replace_match(text, everything, typography)
    return Text(bom, restyled.bodies, restyled.ends) if restyled else new


def find_typography(edits: Iterable[Edit]) -> str:
    """The typographic signs that the reply's edits write almost always, and their plain form almost
    never: by them it may mean plain ones."""
    content = "\n".join(side for edit in edits for side in (edit.search, edit.replace))
    if content.isascii():
        return ""
    found = ""
    for signs, plain in _TYPOGRAPHY:
        plain_count = sum(1 for _ in plain.finditer(content))
        if sum(map(content.count, signs)) > _MIN_TYPOGRAPHY_RATIO * plain_count:
            found += signs
    return found


def unused_typography(text: Text, typography: str) -> str:
    """Those signs of `find_typography` that the file never uses: there they mean plain ones."""
    if not typography:
        return ""
    used = _signs_of_non_ascii_lines(text)
    return "".join(
        signs
        for signs, _ in _TYPOGRAPHY
        if set(signs) <= set(typography) and not used.intersection(signs)
    )


def _has_line_ends_of_file(match: Match, old: Text) -> bool:
    """Whether the edit was written with the file's real line endings, so that its own are meant."""
    ends = match.search.ends
    if "\r\n" not in ends and "\r\n" not in match.replace.ends:
        return False
    return ends[:-1] == old.ends[:-1] and ends[-1] in (old.ends[-1], "")


def _align_sides(match: Match, *, with_ends: bool) -> list[Pair]:
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
    if match.end < len(text.bodies):
        return
    has_end = bool(text.ends[-1])
    search_has_end = bool(match.search.ends[-1])
    new_has_end = bool(match.replace.ends[-1])
    if search_has_end != new_has_end:
        has_end = new_has_end
    if not has_end:
        ends[-1] = ""


def _choose_style(
    text: Text, old: Text, match: Match, new: Sequence[str], typography: str
) -> Restyle | None:
    """How a new line becomes one of the file's; None if no rule explains the indentation of the
    search."""
    pairs = list(zip(match.search.bodies, old.bodies, strict=True))
    reindent: Restyle | None
    if match.key in (exact, trimmed):
        to_plain = _replace_signs(typography)
        reindent = _infer_from_new(text, pairs, new)
    else:
        to_plain = _replace_signs_of_search(text, pairs)
        reindent = _same if match.key is folded else _infer_from_pairs(pairs)
    if reindent is None:
        return None
    infer_indent = reindent

    def restyle(line: str) -> str | None:
        line = to_plain(line)
        indent = _indent(line)
        new_indent = infer_indent(indent)
        return None if new_indent is None else new_indent + line[len(indent) :]

    return restyle


def _same(line: str) -> str:
    return line


def _replace_signs(typography: str) -> Callable[[str], str]:
    if not typography:
        return _same
    return lambda line: "".join(
        fold_typography(sign) if sign in typography else sign for sign in line
    )


def _replace_signs_of_search(text: Text, pairs: Iterable[tuple[str, str]]) -> Callable[[str], str]:
    """Plain signs for the typographic ones that the file does not have, if the search has such
    signs where the file has plain ones."""
    if not any(_has_other_typography(line, real) for line, real in pairs):
        return _same
    used = _signs_of_non_ascii_lines(text)
    return lambda line: "".join(sign if sign in used else fold_typography(sign) for sign in line)


def _has_other_typography(line: str, real: str) -> bool:
    if line.isascii():
        return False
    return any(fold_typography(sign) != sign and sign not in real for sign in line)


def _signs_of_non_ascii_lines(text: Text) -> set[str]:
    """All signs of those lines that are not plain ASCII."""
    return {sign for body in text.bodies if not body.isascii() for sign in body}


@dataclass(frozen=True, slots=True)
class _ChangeUnit:
    """Indentation by `reply_unit` is indentation by `file_unit`, and `levels_added` levels
    deeper."""

    reply_unit: str
    file_unit: str
    levels_added: int = 0

    def __call__(self, indent: str) -> str | None:
        if self.file_unit == "\t" and indent.startswith("\t"):
            return indent
        levels, rest = _split_levels(indent, self.reply_unit)
        levels += self.levels_added
        return None if levels < 0 else self.file_unit * levels + rest


@dataclass(frozen=True, slots=True)
class _Shift:
    """The reply left `lost` away at the start of every line, or put `gained` there."""

    lost: str = ""
    gained: str = ""

    def __call__(self, indent: str) -> str | None:
        if not indent.startswith(self.gained):
            return None
        return self.lost + indent.removeprefix(self.gained)


def _infer_from_pairs(pairs: Sequence[tuple[str, str]]) -> Restyle | None:
    """How the reply's indentation becomes the file's, from (reply, file) lines that differ in
    nothing else; None if no rule explains them all."""
    seen = {
        (_indent(fold_typography(line)), _indent(real))
        for line, real in pairs
        if not is_blank(line)
    }
    for rule in _possible_rules(*next(iter(seen))):
        if all(rule(indent) == real for indent, real in seen):
            return rule
    return None


def _possible_rules(indent: str, real: str) -> Iterator[Restyle]:
    """The rules that could turn `indent` into `real`, simplest first."""
    yield _same
    if real.endswith(indent):
        yield _Shift(lost=real[: len(real) - len(indent)])
    if indent.endswith(real):
        yield _Shift(gained=indent[: len(indent) - len(real)])
    units = [(one, other) for one in _INDENT_UNITS for other in _INDENT_UNITS if one != other]
    for reply_unit, file_unit in units:
        yield _ChangeUnit(reply_unit, file_unit)
    for reply_unit, file_unit in units:
        levels_added = _split_levels(real, file_unit)[0] - _split_levels(indent, reply_unit)[0]
        if "\t" in (reply_unit, file_unit) and abs(levels_added) < _MAX_LEVELS_ADDED:
            yield _ChangeUnit(reply_unit, file_unit, levels_added)


def _infer_from_new(text: Text, pairs: Sequence[tuple[str, str]], new: Sequence[str]) -> Restyle:
    """How the new lines are indented if no line of the search is indented: if they use tabs and the
    file only spaces, or the reverse, they get the file's unit."""
    indents = {_indent(line) for line in new if not is_blank(line)} - {""}
    if not indents or any(_indent(line) for line, _ in pairs):
        return _same
    text.spend_scan()
    file_indents = {_indent(body) for body in text.bodies if not is_blank(body)} - {""}
    if not file_indents:
        return _same
    file_uses_tabs = all(indent[0] == "\t" for indent in file_indents)
    file_has_tabs = any("\t" in indent for indent in file_indents)
    if file_uses_tabs and not any("\t" in indent for indent in indents):
        return _spaces_to_tabs(indents)
    if not file_has_tabs and all(set(indent) == {"\t"} for indent in indents):
        return _ChangeUnit("\t", min((*file_indents, _WIDEST_INDENT_UNIT), key=len))
    return _same


def _spaces_to_tabs(indents: Iterable[str]) -> Restyle:
    """One tab for the smallest of the indentations, leaving aside single spaces, which align
    (` * …`)."""
    candidates = (indent for indent in indents if len(indent) > 1)
    unit = min(candidates, key=len, default="")
    if len(unit) > len(_WIDEST_INDENT_UNIT):
        return lambda indent: None if indent else indent
    if unit not in _INDENT_UNITS:
        return _same
    return _ChangeUnit(unit, "\t")


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _split_levels(indent: str, unit: str) -> tuple[int, str]:
    """How many `unit`s the indentation begins with, and the rest of it. A unit is one character,
    once or repeated."""
    size = len(indent) - len(indent.lstrip(unit[0]))
    levels = size // len(unit)
    return levels, indent[levels * len(unit) :]


def align(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """Pairs (i, j) with old[i] == new[j], both ascending: the lines that stay."""
    pairs: list[Pair] = []
    spans = [(0, len(old), 0, len(new))]
    lines_left = _MAX_ALIGN_PASSES * (len(old) + len(new))
    while spans:
        old_start, old_end, new_start, new_end = spans.pop()
        while old_start < old_end and new_start < new_end and old[old_start] == new[new_start]:
            pairs.append((old_start, new_start))
            old_start, new_start = old_start + 1, new_start + 1
        while old_start < old_end and new_start < new_end and old[old_end - 1] == new[new_end - 1]:
            old_end, new_end = old_end - 1, new_end - 1
            pairs.append((old_end, new_end))
        lines_left -= old_end - old_start + new_end - new_start
        if lines_left < 0:
            continue
        found = _find_anchors(old[old_start:old_end], new[new_start:new_end])
        if not found:
            continue
        anchors = [(old_start + i, new_start + j) for i, j in found]
        pairs.extend(anchors)
        starts = [(old_start, new_start), *((i + 1, j + 1) for i, j in anchors)]
        ends = [*anchors, (old_end, new_end)]
        for (i, j), (k, m) in zip(starts, ends, strict=True):
            spans.append((i, k, j, m))
    return sorted(pairs)


def _find_anchors(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """The longest ascending run of lines that occur once in each."""
    if not old or not new:
        return []
    old_counts, new_counts = Counter(old), Counter(new)
    new_places = {line: j for j, line in enumerate(new) if new_counts[line] == 1}
    unique = [
        (i, new_places[line])
        for i, line in enumerate(old)
        if old_counts[line] == 1 and line in new_places
    ]
    return _longest_ascending(unique)


def _longest_ascending(pairs: list[Pair]) -> list[Pair]:
    """The longest run of pairs whose second numbers ascend (patience sorting); their first ones do
    already."""
    tails: list[int] = []
    tops: list[int] = []
    previous: list[int | None] = []
    for number, (_, j) in enumerate(pairs):
        pile = bisect_left(tails, j)
        previous.append(tops[pile - 1] if pile else None)
        if pile == len(tails):
            tails.append(j)
            tops.append(number)
        else:
            tails[pile], tops[pile] = j, number
    run: list[Pair] = []
    step = tops[-1] if tops else None
    while step is not None:
        run.append(pairs[step])
        step = previous[step]
    return run[::-1]
