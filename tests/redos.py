"""Every regular expression of `bot`, and for each the inputs on which a backtracking matcher is
slowest.

Patterns are found by walking the syntax trees of the sources, so that a new one is tested without
being named anywhere. Inputs come from the pattern's own parse tree: what its repeats repeat, and
what two repeats have in common, is pumped behind what leads to them, with and without an end that
makes the match fail; and what leads into a repeat comes again and again, since a search that fails
begins anew at every place.
"""

from __future__ import annotations

import ast
import importlib
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from tests import ROOT
from tests.doubling import FACTOR, Growth, cpu_seconds, growth_of

BOT = ROOT / "bot"

Pattern = re.Pattern[str] | re.Pattern[bytes]
Text = str | bytes

_CALLS = frozenset(
    {
        "compile",
        "search",
        "match",
        "fullmatch",
        "split",
        "findall",
        "finditer",
        "sub",
        "subn",
        "template",
    }
)
_REPEATED = frozenset({"split", "findall", "finditer", "sub", "subn"})
"""These look for a match at every place; what else they do is no matching."""
_FLAGS_AT = {
    "compile": 1,
    "search": 2,
    "match": 2,
    "fullmatch": 2,
    "split": 3,
    "findall": 2,
    "finditer": 2,
}
_UNKNOWN = frozenset({"finditer", "fullmatch"})

_parser: Any = importlib.import_module("re._parser")


@dataclass(frozen=True, slots=True)
class Use:
    """A pattern, and the ways in which it is matched. `where` is file and name:
    `thread/links.py:_IMAGE`."""

    where: str
    pattern: Pattern
    methods: frozenset[str]


class UnknownPattern(Exception):
    """A call of `re` whose pattern is made as the program runs, by nothing that the test knows how
    to call."""


def find_patterns(
    makers: Mapping[str, Callable[[], object]], methods: Mapping[str, str]
) -> list[Use]:
    """Every pattern of `bot`. `makers` give an example of those that functions make as they run,
    `methods` say how patterns are matched where that is not seen from their names; both by
    place."""
    return [
        use for path in sorted(BOT.rglob("*.py")) for use in _patterns_of(path, makers, methods)
    ]


def _patterns_of(
    path: Path, makers: Mapping[str, Callable[[], object]], methods: Mapping[str, str]
) -> Iterator[Use]:
    tree = ast.parse(path.read_text())
    calls = [(owner, call) for owner, call in _owned_calls(tree) if _is_of_re(call)]
    if not calls:
        return
    parts = path.relative_to(BOT.parent).with_suffix("").parts
    module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
    for owner, call in calls:
        where = f"{path.relative_to(BOT).as_posix()}:{owner}"
        told = methods.get(where)
        used = frozenset({told}) if told else _methods(tree, owner, call)
        yield from (
            Use(where, pattern, used) for pattern in _evaluated(module, where, owner, call, makers)
        )


def _owned_calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Each call with the name that its value is bound to, or that of the function around it."""

    def walk(node: ast.AST, owner: str, *, inside: bool) -> Iterator[tuple[str, ast.Call]]:
        if isinstance(node, ast.FunctionDef):
            owner, inside = node.name, True
        elif not inside and isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            owner = target.id if isinstance(target, ast.Name) else owner
        if isinstance(node, ast.Call):
            yield owner, node
        for child in ast.iter_child_nodes(node):
            yield from walk(child, owner, inside=inside)

    yield from walk(tree, "", inside=False)


def _is_of_re(call: ast.Call) -> bool:
    function = call.func
    is_attribute = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)
    return is_attribute and function.value.id == "re" and function.attr in _CALLS  # type: ignore[attr-defined]


def _evaluated(
    module: ModuleType,
    where: str,
    owner: str,
    call: ast.Call,
    makers: Mapping[str, Callable[[], object]],
) -> Iterator[Pattern]:
    """The call's pattern, from the words of the call and the module's names; else what the module
    keeps under the name; else what its maker makes."""
    name = call.func.attr  # type: ignore[attr-defined]
    flags = [keyword.value for keyword in call.keywords if keyword.arg == "flags"] or call.args[
        _FLAGS_AT.get(name, 4) :
    ]
    try:
        text, *given = (_value_of(node, module) for node in (call.args[0], *flags))
    except NameError:
        made = makers[where]() if where in makers else vars(module).get(owner)
        found = (
            ()
            if made is vars(module).get(owner) and isinstance(made, FunctionType)
            else tuple(patterns_in(made))
        )
        if not found:
            raise UnknownPattern(
                f"{where} makes a pattern as it runs: add a maker of it to the test"
            ) from None
        yield from found
        return
    yield re.compile(text, *given)


def _value_of(node: ast.expr, module: ModuleType) -> Any:
    return eval(compile(ast.Expression(node), module.__name__, "eval"), vars(module))


def patterns_in(value: object) -> Iterator[Pattern]:
    """The patterns in a value: itself, its items, or what a function has bound."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, Mapping):
        yield from patterns_in(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from patterns_in(item)
    elif isinstance(value, FunctionType):
        yield from patterns_in(tuple(cell.cell_contents for cell in value.__closure__ or ()))


def _methods(tree: ast.Module, owner: str, call: ast.Call) -> frozenset[str]:
    """How the pattern is matched: by the call itself, or by the methods that are taken of its name.
    Where the name is used in any other way, it may be any."""
    name = call.func.attr  # type: ignore[attr-defined]
    if name != "compile":
        return frozenset({_kind(name)})
    bound = next(
        (node for node in tree.body if isinstance(node, ast.Assign) and node.value is call), None
    )
    if bound is None:
        return _UNKNOWN
    taken = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and _is_name(node.value, owner)
    ]
    loads = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == owner and isinstance(node.ctx, ast.Load)
    ]
    is_clear = loads and len(loads) == len(taken) and owner.startswith("_")
    return frozenset(_kind(node.attr) for node in taken) if is_clear else _UNKNOWN


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _kind(method: str) -> str:
    return "finditer" if method in _REPEATED else method


@dataclass(frozen=True, slots=True)
class Shape:
    """How an input is made: `before`, then `again` and `then` as often as there is room, then
    `end`. Where `falls`, the units are lines of `again` that get shorter and shorter."""

    again: str
    before: str = ""
    then: str = ""
    end: str = ""
    falls: bool = False

    def text(self, size: int) -> str:
        room = max(0, size - len(self.before) - len(self.end))
        if self.falls:
            lines = int((2 * room / max(1, len(self.again))) ** 0.5)
            return (
                self.before + "".join(self.again * n + "\n" for n in range(lines, 0, -1)) + self.end
            )
        half = room // 2 if self.then else room
        again = self.again * max(1, half // len(self.again))
        then = self.then * max(1, half // len(self.then)) if self.then else ""
        return self.before + again + then + self.end


@dataclass(slots=True)
class _Repeat:
    """`entries` lead to it, `bodies` are what it may repeat; `members` are the characters it may
    repeat alone."""

    entries: list[str]
    bodies: list[str]
    members: frozenset[str]


@dataclass(slots=True)
class _Anatomy:
    """What a pattern is made of."""

    is_bytes: bool
    ignores_case: bool
    sets: list[frozenset[str]] = field(default_factory=list)
    repeats: list[_Repeat] = field(default_factory=list)
    pieces: dict[str, None] = field(default_factory=dict)
    """Samples of parts of it, in their order."""


_ALPHABET = [*map(chr, range(128)), "é", "中", "\u200b", "٣", "…", "–", "\u2028"]
_PREFERRED = "xaA0_ .-\n"
_FAILING = ("", "\0", "\n", "!")
_MOST_ENTRIES, _MOST_PIECES, _MOST_SIGNS = 4, 60, 14


def shapes(pattern: Pattern) -> list[Shape]:
    """Inputs that are hard for the pattern, each once."""
    whole = _anatomy(pattern)
    wide = _apart([repeat.members for repeat in whole.repeats if repeat.members], whole)[
        :_MOST_SIGNS
    ]
    found = [
        *_simple(whole, wide),
        *(shape for repeat in whole.repeats for shape in _of_repeat(repeat, wide)),
    ]
    return [shape for shape in dict.fromkeys(found) if shape.again]


def _simple(whole: _Anatomy, wide: Sequence[str]) -> Iterator[Shape]:
    """One thing again and again, or one thing and then another. `wide` are characters that its
    repeats tell apart."""
    pieces = _first(whole.pieces, _MOST_PIECES)
    yield from (
        Shape(again, end=end)
        for again, end in product((*_apart(whole.sets, whole)[:60], *pieces), _FAILING)
    )
    yield from (Shape(piece + between) for piece, between in product(pieces, ("\n", " ", *wide)))
    for one, other in product(wide, wide):
        yield Shape(one + other)
        yield Shape(one, then=other)
        yield Shape(one, then=other, end="!")
    yield from (Shape(sign, falls=True) for sign in wide)


def _of_repeat(repeat: _Repeat, wide: Sequence[str]) -> Iterator[Shape]:
    inside = [*(sign for sign in wide if sign in repeat.members), *_first(repeat.bodies, 6)]
    for entry, again in product(_first(repeat.entries, _MOST_ENTRIES), inside):
        yield from (
            Shape(again, before=entry, end=end) for end in _FAILING
        )  # one way in, and no way out
        yield from (
            Shape(before + entry + again) for before in ("", " ", "\n")
        )  # a way in at every place
        yield from (Shape(again + entry), Shape(entry, then=again), Shape(again, then=entry))


def _first(texts: Iterable[str], most: int) -> list[str]:
    """The shortest of the texts, each once."""
    return sorted(dict.fromkeys(filter(None, texts)), key=len)[:most]


def _apart(sets: Sequence[frozenset[str]], whole: _Anatomy) -> list[str]:
    """One character for each way of being in some of the sets and not in the others."""
    alphabet = _alphabet(whole)
    kinds: dict[tuple[bool, ...], str] = {}
    for sign in sorted(alphabet, key=lambda sign: (sign not in _PREFERRED, not sign.isprintable())):
        kinds.setdefault(tuple(sign in each for each in sets), sign)
    return list(kinds.values())


def _alphabet(whole: _Anatomy) -> list[str]:
    if whole.is_bytes:
        return list(map(chr, range(256)))
    return [
        *dict.fromkeys(
            (*_ALPHABET, *(sign for each in whole.sets if len(each) < 40 for sign in each))
        )
    ]


def _anatomy(pattern: Pattern) -> _Anatomy:
    whole = _Anatomy(isinstance(pattern.pattern, bytes), bool(pattern.flags & re.IGNORECASE))
    tree = _parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    for seed in range(3):
        _Walk(whole, random.Random(seed), extra=seed % 2).sequence(tree, [""])
    return whole


class _Walk:
    """Walks a parse tree with a way of choosing: `extra` is how often more than it must something
    is repeated."""

    def __init__(self, whole: _Anatomy, choice: random.Random, *, extra: int) -> None:
        self._whole = whole
        self._choice = choice
        self._extra = extra
        self._groups: dict[int, str] = {}

    def sequence(self, nodes: Any, before: list[str]) -> None:
        """`before` are texts that lead here."""
        samples = [self._sample(node) for node in nodes]
        for at, node in enumerate(nodes):
            led = [start + "".join(samples[:at]) for start in before]
            self._node(node, led)
            for end in range(at + 1, min(len(samples), at + 10) + 1):
                self._note("".join(samples[at:end]))
            for start in led:
                self._note(start + samples[at])

    def _note(self, piece: str) -> None:
        if 0 < len(piece) <= 200:
            self._whole.pieces[piece] = None

    def _node(self, node: Any, led: list[str]) -> None:
        kind, value = str(node[0]), node[1]
        if kind.endswith("_REPEAT"):
            body = value[2]
            members = self._members(body[0]) if len(body) == 1 else frozenset()
            bodies = [self._samples(body) for _ in range(4)] + [*_apart_of(members)]
            self._whole.repeats.append(_Repeat([*led], bodies, members))
            self.sequence(body, led)
        elif kind == "BRANCH":
            for branch in value[1]:
                self.sequence(branch, led)
        elif kind == "SUBPATTERN":
            self.sequence(value[3], led)
        elif kind == "ATOMIC_GROUP":
            self.sequence(value, led)
        elif kind in ("ASSERT", "ASSERT_NOT"):
            self.sequence(value[1], led)
        elif kind in ("LITERAL", "NOT_LITERAL", "IN", "ANY"):
            self._members(node)

    def _samples(self, nodes: Any) -> str:
        return "".join(map(self._sample, nodes))

    def _sample(self, node: Any) -> str:  # noqa: C901  (one case for each kind of node)
        kind, value = str(node[0]), node[1]
        if kind == "LITERAL":
            return chr(value)
        if kind in ("NOT_LITERAL", "IN", "ANY"):
            return self._one_of(self._members(node))
        if kind.endswith("_REPEAT"):
            least, most, body = value
            times = min(least + self._extra, int(most)) if least < 400 else 400
            return "".join(self._samples(body) for _ in range(times))
        if kind == "BRANCH":
            return self._samples(self._choice.choice(value[1]))
        if kind == "SUBPATTERN":
            text = self._samples(value[3])
            if value[0] is not None:
                self._groups[value[0]] = text
            return text
        if kind == "ATOMIC_GROUP":
            return self._samples(value)
        if kind == "GROUPREF":
            return self._groups.get(value, "")
        if kind == "ASSERT" and value[0] < 0:
            return self._samples(value[1])
        return ""

    def _one_of(self, members: frozenset[str]) -> str:
        if not members:
            return ""
        wanted = [sign for sign in _PREFERRED if sign in members]
        return self._choice.choice(wanted[:2] or sorted(members)[:3])

    def _members(self, node: Any) -> frozenset[str]:
        kind, value = str(node[0]), node[1]
        if kind not in ("LITERAL", "NOT_LITERAL", "IN", "ANY"):
            return frozenset()
        alphabet = [*map(chr, range(256))] if self._whole.is_bytes else [*_ALPHABET, *_named(node)]
        test = re.compile(_class_of(kind, value), re.IGNORECASE * self._whole.ignores_case)
        members = frozenset(sign for sign in alphabet if test.fullmatch(sign))
        self._whole.sets.append(members)
        return members


def _apart_of(members: frozenset[str]) -> list[str]:
    return [sign for sign in (*_PREFERRED, *sorted(members)[:3]) if sign in members][:6]


def _named(node: Any) -> list[str]:
    """The characters outside ASCII that a set names."""
    kind, value = str(node[0]), node[1]
    if kind in ("LITERAL", "NOT_LITERAL"):
        return [chr(value)]
    items = [(str(name), item) for name, item in value] if kind == "IN" else []
    alone = [chr(item) for name, item in items if name == "LITERAL"]
    return [*alone, *(chr(item[0]) for name, item in items if name == "RANGE")]


_CATEGORIES = {
    "DIGIT": r"\d",
    "SPACE": r"\s",
    "WORD": r"\w",
    "NOT_DIGIT": r"\D",
    "NOT_SPACE": r"\S",
    "NOT_WORD": r"\W",
}


def _class_of(kind: str, value: Any) -> str:
    """The set as a pattern of its own."""
    if kind == "ANY":
        return r"[^\n]|\n"
    if kind != "IN":
        return f"[{'^' * (kind == 'NOT_LITERAL')}{_escaped(value)}]"
    inside = ""
    for name, item in value:
        if str(name) == "NEGATE":
            inside += "^"
        elif str(name) == "LITERAL":
            inside += _escaped(item)
        elif str(name) == "RANGE":
            inside += f"{_escaped(item[0])}-{_escaped(item[1])}"
        else:
            inside += _CATEGORIES[str(item).removeprefix("CATEGORY_")]
    return f"[{inside}]"


def _escaped(code: int) -> str:
    return f"\\U{code:08x}"


@dataclass(frozen=True, slots=True)
class Worst:
    """The input that a pattern is slowest on, and how that grows."""

    method: str
    shape: Shape
    growth: Growth

    def __str__(self) -> str:
        return f"{self.method} on {self.shape}: {self.growth}"


_CHEAP_S = 0.3
"""For a million: less is no matter, and at such sizes more memory alone makes it slower."""
_LADDER = (
    (14, 0.002),
    (24, 0.002),
    (38, 0.002),
    (60, 0.002),
    (100, 0.002),
    (160, 0.005),
    (250, 0.01),
    (400, 0.03),
    (800, 0.1),
)
"""Sizes, and the seconds that are superlinear at them without further proof. The steps are small:
what takes time that is exponential is found while it still ends."""
_OF_A_KIND = 4
_LONG_S = 0.2
"""At eight times the last size: of what takes longer, no other shape is tried."""


def run_of(pattern: Pattern, method: str) -> Callable[[Text], object]:
    """Matches the whole input, without keeping what is found."""
    matcher: Any = getattr(pattern, method)
    if method == "finditer":

        def exhaust(text: Text) -> None:
            for _ in matcher(text):
                pass

        return exhaust
    return partial(matcher)


def text_of(shape: Shape, size: int, pattern: Pattern) -> Text:
    made = shape.text(size)
    return made.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else made


def worst_of(pattern: Pattern, method: str, *, most: int = 120_000) -> Worst:
    """The slowest of the inputs: a superlinear one if there is any."""
    trial = _Trial(pattern, method, most)
    timed: list[tuple[float, Shape]] = []
    for shape in shapes(pattern):
        seconds, size = trial.climb(shape)
        if size < _LADDER[-1][0]:
            return Worst(
                method,
                shape,
                Growth(is_linear=False, ratio=float("inf"), size=size, seconds=seconds),
            )
        timed.append((seconds, shape))
    found: list[Worst] = []
    start = max(1_000, 2 * _largest_bound(pattern))
    for shape in trial.steepest_and_dearest(_screened(timed)):
        found.append(trial.grow(shape, min(start, most // FACTOR)))
        if not found[-1].growth.is_linear:
            return found[-1]
    return max((*found, *trial.grown_late(found)), key=_badness)


def _largest_bound(pattern: Pattern) -> int:
    """How often a repeat may repeat that has an end: on shorter inputs, it grows like one without
    an end."""
    found = [0]

    def walk(value: Any) -> None:
        if isinstance(value, tuple) and str(value[0]).endswith("_REPEAT"):
            most = int(value[1][1])
            found.append(most if most < _parser.MAXREPEAT else 0)
        if isinstance(value, tuple | list | _parser.SubPattern):
            for part in value:
                walk(part)

    walk(_parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG))
    return max(found)


@dataclass(frozen=True, slots=True)
class _Trial:
    """Of one pattern, matched in one way, on inputs of up to `most` characters."""

    pattern: Pattern
    method: str
    most: int

    def seconds(self, shape: Shape, size: int, *, runs: int = 1) -> float:
        run, text = run_of(self.pattern, self.method), text_of(shape, size, self.pattern)
        return min(cpu_seconds(run, text) for _ in range(runs))

    def climb(self, shape: Shape) -> tuple[float, int]:
        """How long the shape takes at the largest of the sizes, and that size; less, where it
        already takes too long at one before."""
        seconds, size = 0.0, 0
        for size, slow in _LADDER:
            seconds = self.seconds(shape, size)
            if seconds > slow and (seconds := self.seconds(shape, size, runs=3)) > slow:
                return seconds, size - 1
        return seconds, size

    def steepest_and_dearest(self, timed: Sequence[tuple[float, Shape]]) -> list[Shape]:
        """The few shapes that are worth doubling: those that take longest eight times further on,
        or so many times as long as before."""
        rough: list[tuple[float, float, Shape]] = []
        for before, shape in timed:
            seconds = self.seconds(shape, FACTOR * _LADDER[-1][0])
            rough.append((seconds, seconds / max(before, 1e-5), shape))
            if seconds > _LONG_S:
                break
        steepest = [shape for _, _, shape in sorted(rough, key=lambda each: -each[1])]
        dearest = [shape for _, _, shape in sorted(rough, key=lambda each: -each[0])]
        return list(dict.fromkeys((*dearest[:1], *steepest[:2], *dearest[1:3])))

    def grow(self, shape: Shape, start: int) -> Worst:
        make = partial(text_of, shape, pattern=self.pattern)
        growth = growth_of(run_of(self.pattern, self.method), make, start=start, most=self.most)
        return Worst(self.method, shape, growth)

    def grown_late(self, found: Sequence[Worst]) -> Iterator[Worst]:
        """Those that cost more at the largest size than their doubling lets expect: what grows may
        show late, behind a large constant."""
        for each in found:
            rate = self.seconds(each.shape, self.most) / self.most * 1e6
            if rate > max(_CHEAP_S, 3 * each.growth.seconds_per_million):
                yield self.grow(each.shape, self.most // FACTOR)


def _screened(timed: Sequence[tuple[float, Shape]]) -> list[tuple[float, Shape]]:
    """The slowest shapes of each kind: one kind may be slow by a constant, and hide another that
    grows."""
    kinds: dict[tuple[bool, bool, bool, int], list[tuple[float, Shape]]] = {}
    for seconds, shape in timed:
        length = min(len(shape.again), 4) // 2
        kinds.setdefault((bool(shape.before), bool(shape.then), shape.falls, length), []).append(
            (seconds, shape)
        )
    return [
        each
        for kind in kinds.values()
        for each in sorted(kind, key=lambda each: -each[0])[:_OF_A_KIND]
    ]


def _badness(worst: Worst) -> tuple[bool, float]:
    return not worst.growth.is_linear, worst.growth.seconds_per_million


def slowest_at(pattern: Pattern, method: str, size: int) -> tuple[float, Shape]:
    """How long the pattern takes at most, in seconds, on an input of that size; and on which."""
    trial = _Trial(pattern, method, size)
    shape = max(shapes(pattern), key=lambda shape: trial.seconds(shape, size))
    return trial.seconds(shape, size, runs=3), shape
