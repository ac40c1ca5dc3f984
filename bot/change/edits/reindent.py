"""A replacement carried into the file's own style: what the edit leaves alone keeps its very bytes,
what is new takes on the indentation, quotes and line ends that stand around it.

Which lines two versions of a text share, in time near-linear in their length, whatever they hold.

difflib is cubic at its worst, and replies are hostile: this pairs what stands at both ends, then
the lines that occur once in each version in their longest rising order, and goes on between them
(Bram Cohen's patience diff).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bot.change.edits.lines import Text, exact, folded, is_blank, plain, trimmed
from bot.change.edits.match import Match
from bot.types.reply import Edit

Pair = tuple[int, int]

_MOST_PASSES = 8
"""Between anchors, further lines become unique; text made to drag that out is cut short here: as
often is each line looked at for anchors, on average."""


def align(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """Pairs (i, j) with old[i] == new[j], both rising."""
    pairs: list[Pair] = []
    spans = [(0, len(old), 0, len(new))]
    left = _MOST_PASSES * (len(old) + len(new))
    while spans:
        a, b, c, d = spans.pop()
        while a < b and c < d and old[a] == new[c]:
            pairs.append((a, c))
            a, c = a + 1, c + 1
        while a < b and c < d and old[b - 1] == new[d - 1]:
            b, d = b - 1, d - 1
            pairs.append((b, d))
        left -= b - a + d - c
        anchors = _anchors(old[a:b], new[c:d]) if left >= 0 else []
        if anchors:
            pairs.extend((a + i, c + j) for i, j in anchors)
            for (i, j), (k, m) in zip(
                [(-1, -1), *anchors], [*anchors, (b - a, d - c)], strict=True
            ):
                spans.append((a + i + 1, a + k, c + j + 1, c + m))
    return sorted(pairs)


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """The longest rising run of lines that occur once in each."""
    if not old or not new:
        return []
    in_old, in_new = Counter(old), Counter(new)
    at = {line: j for j, line in enumerate(new) if in_new[line] == 1}
    unique = [(i, at[line]) for i, line in enumerate(old) if in_old[line] == 1 and line in at]
    return _longest_rising(unique)


def _longest_rising(pairs: list[Pair]) -> list[Pair]:
    tails: list[int] = []
    tops: list[int] = []
    before: list[int | None] = []
    for number, (_, j) in enumerate(pairs):
        pile = bisect_left(tails, j)
        before.append(tops[pile - 1] if pile else None)
        if pile == len(tails):
            tails.append(j)
            tops.append(number)
        else:
            tails[pile], tops[pile] = j, number
    run: list[Pair] = []
    step = tops[-1] if tops else None
    while step is not None:
        run.append(pairs[step])
        step = before[step]
    return run[::-1]


Restyle = Callable[[str], str | None]
"""A new line in the file's style; None where that cannot be told."""

_DEEPEST_UNIT = "    "
_UNITS = ("\t", "    ", "  ", "        ", "   ")
_TWINS = (("‘’", re.compile("'")), ("“”", re.compile('"')), ("\u00a0\u202f", re.compile(r"\S \S")))
"""Typographic signs, and where their plain form is used as text uses it."""


def carry(text: Text, place: Match, strange: str = "") -> Text | None:
    """The whole file with the place replaced; None where the replacement's indentation cannot be
    told. `strange` are typographic signs that stand for plain ones (`foreign`)."""
    text.pass_over()
    region = Text("", text.bodies[place.start : place.end], text.ends[place.start : place.end])
    keeps_ends = _speaks_of_ends(place, region)
    kept = {new: old for old, new in _shared(place, keeps_ends=keeps_ends)}
    restyle = _restyle(
        text,
        region,
        place,
        [line for n, line in enumerate(place.replace.bodies) if n not in kept],
        strange,
    )
    bodies: list[str] = []
    ends: list[str] = []
    for number, body in enumerate(place.replace.bodies):
        if number in kept:
            bodies.append(region.bodies[kept[number]])
            ends.append(region.ends[kept[number]])
            continue
        new = restyle(body) if restyle and not is_blank(body) else body
        if new is None or restyle is None:
            return None
        bodies.append(new)
        ends.append(place.replace.ends[number] if keeps_ends else _end_near(ends, region, text))
    _finish(text, place, bodies, ends)
    return Text(
        text.bom,
        text.bodies[: place.start] + bodies + text.bodies[place.end :],
        text.ends[: place.start] + ends + text.ends[place.end :],
    )


def _speaks_of_ends(place: Match, region: Text) -> bool:
    """Whether the edit was written with the file's real line ends, so that its own are meant."""
    said = place.search.ends
    return (
        "\r\n" in (*said, *place.replace.ends)
        and said[:-1] == region.ends[:-1]
        and said[-1] in (region.ends[-1], "")
    )


def _shared(place: Match, *, keeps_ends: bool) -> list[tuple[int, int]]:
    old, new = place.search, place.replace
    if not keeps_ends:
        return align(old.bodies, new.bodies)
    return align(_whole(old), _whole(new))


def _whole(text: Text) -> list[str]:
    return [body + end for body, end in zip(text.bodies, text.ends, strict=True)]


def _end_near(ends: Sequence[str], region: Text, text: Text) -> str:
    near = next((end for end in (*ends[-1:], *region.ends[:1]) if end), None)
    return near or text.line_end


def _finish(text: Text, place: Match, bodies: list[str], ends: list[str]) -> None:
    """Every line but the file's last has an end; that one has what the file had, unless the edit
    says otherwise."""
    if not bodies:
        return
    for number, end in enumerate(ends):
        ends[number] = end or text.line_end
    if place.end < len(text.bodies):
        return
    had = text.ends[-1] != ""
    said_before, said_after = bool(place.search.ends[-1]), bool(place.replace.ends[-1])
    if not (had if said_before == said_after else said_after):
        ends[-1] = ""


def _restyle(
    text: Text, region: Text, place: Match, new: Sequence[str], strange: str
) -> Restyle | None:
    pairs = list(zip(place.search.bodies, region.bodies, strict=True))
    indent: Restyle | None
    if place.key in (exact, trimmed):
        words = _plainer(strange)
        indent = _foreign_indent(text, pairs, new)
    else:
        words = _unfolder(text, pairs)
        indent = _same if place.key is folded else indent_map(pairs)
    if indent is None:
        return None

    reindent = indent

    def restyle(line: str) -> str | None:
        line = words(line)
        body = line.lstrip(" \t")
        start = reindent(line[: len(line) - len(body)])
        return None if start is None else start + body

    return restyle


def _same(line: str) -> str:
    return line


def _plainer(strange: str) -> Callable[[str], str]:
    return lambda line: (
        "".join(plain(sign) if sign in strange else sign for sign in line) if strange else line
    )


def _unfolder(text: Text, pairs: Iterable[tuple[str, str]]) -> Callable[[str], str]:
    """Plain characters for typographic ones, where the search had those and the file has not."""
    if not any(
        plain(sign) != sign and sign not in real
        for said, real in pairs
        if not said.isascii()
        for sign in said
    ):
        return _same
    own = {sign for body in text.bodies if not body.isascii() for sign in body}
    return lambda line: "".join(sign if sign in own else plain(sign) for sign in line)


def fancy_only(edits: Iterable[Edit]) -> str:
    """The typographic signs whose plain form the reply's edits hardly use: it cannot say what it
    means by them."""
    said = "\n".join(side for edit in edits for side in (edit.search, edit.replace))
    if said.isascii():
        return ""
    return "".join(
        fancy
        for fancy, simple in _TWINS
        if sum(map(said.count, fancy)) > 4 * sum(1 for _ in simple.finditer(said))
    )


def foreign(text: Text, fancy: str) -> str:
    """Those of the reply's `fancy_only` signs that the file never uses: they are foreign even where
    no search tells."""
    if not fancy:
        return ""
    own = {sign for body in text.bodies if not body.isascii() for sign in body}
    return "".join(
        signs for signs, _ in _TWINS if set(signs) <= set(fancy) and not own.intersection(signs)
    )


@dataclass(frozen=True, slots=True)
class _Units:
    """Indentation by `said` in the reply is indentation by `real` in the file, `deeper` levels
    further in."""

    said: str
    real: str
    deeper: int = 0

    def __call__(self, indent: str) -> str | None:
        if self.real == "\t" and indent.startswith("\t"):
            return indent
        levels, rest = _levels(indent, self.said)
        return None if levels + self.deeper < 0 else self.real * (levels + self.deeper) + rest


@dataclass(frozen=True, slots=True)
class _Shift:
    """Every line of the reply lost `lost` at its start, or gained `gained`."""

    lost: str = ""
    gained: str = ""

    def __call__(self, indent: str) -> str | None:
        return (
            self.lost + indent.removeprefix(self.gained) if indent.startswith(self.gained) else None
        )


def indent_map(pairs: Sequence[tuple[str, str]]) -> Restyle | None:
    """How the reply's indentation becomes the file's, from lines that are the same but for it: a
    shift of all of them, or other units; None where no rule fits them all."""
    seen = {(_indent(plain(said)), _indent(real)) for said, real in pairs if not is_blank(said)}
    for rule in _rules(seen):
        if all(rule(said) == real for said, real in seen):
            return rule
    return None


def _rules(seen: set[tuple[str, str]]) -> Iterable[Restyle]:
    said, real = next(iter(seen))
    yield _same
    if real.endswith(said):
        yield _Shift(lost=real[: len(real) - len(said)])
    if said.endswith(real):
        yield _Shift(gained=said[: len(said) - len(real)])
    pairs = [(a, b) for a in _UNITS for b in _UNITS if a != b]
    yield from (_Units(a, b) for a, b in pairs)
    for a, b in pairs:
        deeper = _levels(real, b)[0] - _levels(said, a)[0]
        if "\t" in (a, b) and abs(deeper) < 10:
            yield _Units(a, b, deeper)


def _foreign_indent(text: Text, pairs: Sequence[tuple[str, str]], new: Sequence[str]) -> Restyle:
    """Where no line of the search is indented, new lines indented by what the file never uses take
    on its own."""
    indents = {_indent(line) for line in new if not is_blank(line)} - {""}
    if not indents or any(_indent(said) for said, _ in pairs):
        return _same
    text.pass_over()
    own = {_indent(body) for body in text.bodies if body[:1] in (" ", "\t") and not is_blank(body)}
    if not own:
        return _same
    if all(indent[0] == "\t" for indent in own) and not any("\t" in indent for indent in indents):
        return _tabs_for(indents)
    if not any("\t" in indent for indent in own) and all(
        set(indent) == {"\t"} for indent in indents
    ):
        return _Units("\t", min((*own, _DEEPEST_UNIT), key=len))
    return _same


def _tabs_for(indents: Iterable[str]) -> Restyle:
    """A tab for the least of these indentations by spaces; one space aligns (` * …`), eight are one
    level or two."""
    unit = min((indent for indent in indents if len(indent) > 1), key=len, default="")
    if len(unit) > len(_DEEPEST_UNIT):
        return lambda indent: None if indent else indent
    return _Units(unit, "\t") if unit in _UNITS else _same


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _levels(indent: str, unit: str) -> tuple[int, str]:
    """How many `unit`s the indentation begins with, and what follows them. A unit is one sign, once
    or repeated."""
    levels = (len(indent) - len(indent.lstrip(unit[0]))) // len(unit)
    return levels, indent[levels * len(unit) :]
