"""Reading a search pattern into an automaton. The grammar is that of `pattern.py`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

MAX_STATES = 2_000
MAX_DEPTH = 40

Test = Callable[[str], bool]
CLASSES: dict[str, Test] = {
    "d": str.isdigit,
    "D": lambda char: not char.isdigit(),
    "w": lambda char: char.isalnum() or char == "_",
    "W": lambda char: not (char.isalnum() or char == "_"),
    "s": str.isspace,
    "S": lambda char: not char.isspace(),
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_ASSERTIONS = frozenset("bBAZz")


class BadPattern(ValueError):
    """The pattern is not of the grammar that can be searched safely."""


@dataclass(slots=True)
class State:
    """One step of the automaton: a test to pass, or an assertion to hold, or (neither) a fork; then `out`."""

    test: Test | None = None
    assertion: str = ""
    out: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the automaton: where it begins, and the states whose `out` is still open. `literals`: every match
    holds one of them (empty: unknown); `exact`: the part matches its one literal and nothing else."""

    start: int
    ends: tuple[int, ...]
    literals: frozenset[str] = frozenset()
    exact: bool = False


class PatternParser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self.states: list[State] = []

    def parse(self) -> Part:
        part = self._alternatives()
        if self._at < len(self._text):
            self._fail("has a closing bracket too many")
        return part

    def close(self, part: Part) -> int:
        accept = self._add(State(assertion="never"))
        self._join(part.ends, accept)
        return accept

    def _fail(self, why: str) -> NoReturn:
        raise BadPattern(why)

    def _add(self, state: State) -> int:
        if len(self.states) >= MAX_STATES:
            self._fail("is too large")
        self.states.append(state)
        return len(self.states) - 1

    def _join(self, ends: tuple[int, ...], target: int) -> None:
        for end in ends:
            self.states[end].out.append(target)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        char = self._peek() or self._fail("ends too early")
        self._at += 1
        return char

    def _alternatives(self) -> Part:
        parts = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            parts.append(self._sequence())
        if len(parts) == 1:
            return parts[0]
        fork = self._add(State(out=[part.start for part in parts]))
        literals: frozenset[str] = frozenset()
        if all(part.literals for part in parts):
            literals = frozenset().union(*(part.literals for part in parts))
        return Part(fork, tuple(end for part in parts for end in part.ends), literals)

    def _sequence(self) -> Part:
        start = self._add(State())
        ends: tuple[int, ...] = (start,)
        run, known = "", [frozenset[str]()]
        while self._peek() not in ("", "|", ")"):
            part = self._repeated()
            self._join(ends, part.start)
            ends = part.ends
            run = run + next(iter(part.literals)) if part.exact else ""
            known.append(frozenset({run}) if run else part.literals)
        best = max(known, key=lambda literals: min((len(each) for each in literals), default=0))
        return Part(start, ends, best)

    def _repeated(self) -> Part:
        begin = self._at
        part = self._atom()
        while self._peek() in ("*", "+", "?", "{") and (bounds := self._bounds()):
            end = self._at
            part = self._repeat(part, begin, *bounds)
            self._at = end
            if self._peek() == "?":
                self._at += 1
        return part

    def _bounds(self) -> tuple[int, int | None] | None:
        """The least and greatest number of times; None where a brace is only a brace."""
        match = re.compile(r"\*|\+|\?|\{(\d{1,3})\}|\{(\d{0,3}),(\d{0,3})\}").match(self._text, self._at)
        if not match:
            return None
        self._at = match.end()
        exact, least, most = match.groups()
        if exact:
            return int(exact), int(exact)
        if least is not None:
            return int(least or 0), int(most) if most else None
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[match.group()]

    def _repeat(self, part: Part, begin: int, least: int, most: int | None) -> Part:
        """`part` was read from `begin`: its copies are read from there again."""
        literals = part.literals if least else frozenset[str]()
        start = self._add(State())
        ends: tuple[int, ...] = (start,)
        skips: list[int] = []
        for n in range(max(least, most or 0, 1)):
            copy = part if n == 0 else self._again(begin)
            fork = self._add(State(out=[copy.start]))
            self._join(ends, fork)
            skips += [fork] if n >= least else []
            ends = copy.ends
            if most is None and n == max(least, 1) - 1:
                self._join(ends, loop := self._add(State(out=[copy.start])))
                ends = (loop,)
        return Part(start, (*ends, *skips), literals)

    def _again(self, begin: int) -> Part:
        self._at = begin
        return self._atom()

    def _atom(self) -> Part:
        char = self._take()
        if char == "(":
            return self._group()
        if char in "*+?":
            self._fail("repeats nothing")
        if char == "[":
            return self._tested(self._class())
        if char == ".":
            return self._tested(lambda _: True)
        if char in "^$":
            return self._asserted(char)
        return self._escape(self._take()) if char == "\\" else self._literal(char)

    def _group(self) -> Part:
        if self._peek() == "?":
            match = re.compile(r"\?(:|P?<\w+>)").match(self._text, self._at)
            if not match:
                self._fail("holds a group that looks around, refers back or sets flags")
            self._at = match.end()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail("is nested too deeply")
        part = self._alternatives()
        if self._take() != ")":
            self._fail("lacks a closing bracket")
        self._depth -= 1
        return part

    def _escape(self, char: str) -> Part:
        if char in CLASSES:
            return self._tested(CLASSES[char])
        if char in _ASSERTIONS:
            return self._asserted(char)
        if char.isalnum() and char not in _ESCAPES:
            self._fail(f"holds \\{char}")
        return self._literal(_ESCAPES.get(char, char))

    def _literal(self, char: str) -> Part:
        number = self._add(State(test=lambda other: other == char))
        return Part(number, (number,), frozenset({char}), exact=True)

    def _tested(self, test: Test) -> Part:
        number = self._add(State(test=test))
        return Part(number, (number,))

    def _asserted(self, kind: str) -> Part:
        number = self._add(State(assertion=kind))
        return Part(number, (number,))

    def _class(self) -> Test:
        negated = self._peek() == "^"
        self._at += negated
        tests: list[Test] = []
        first = True
        while (char := self._take()) != "]" or first:
            first = False
            tests.append(self._class_item(char))
        return lambda other: any(test(other) for test in tests) != negated

    def _class_item(self, char: str) -> Test:
        if char == "\\":
            char = self._take()
            if char in CLASSES:
                return CLASSES[char]
            char = _ESCAPES.get(char, char)
        if self._peek() != "-" or self._text[self._at + 1 : self._at + 2] in ("", "]"):
            return lambda other: other == char
        self._at += 1
        last = self._take()
        last = _ESCAPES.get(self._peek(), self._take()) if last == "\\" else last
        if last < char:
            self._fail("holds a range that runs backwards")
        return lambda other: char <= other <= last
