"""Searching with a pattern that a model wrote, in time linear in the text.

Python's `re` backtracks: a pattern such as `(a+)+$` can keep it busy for ever, and nothing can stop it. Here the
pattern becomes an automaton, whose steps are remembered, so that each character costs one look-up whatever the
pattern is. Understood: literals, `.`, classes, `\\d \\w \\s` and their opposites, `\\b`, `^`, `$`, groups, `|`,
`* + ? {m,n}` (greedy or not, which makes no difference to whether a line matches) and a leading `(?i)`. Everything
else, look-around and back-references among it, raises `BadPattern`.
"""

from __future__ import annotations

from bot.core.context.pattern_parser import CLASSES, BadPattern, PatternParser

MAX_PATTERN_CHARS = 500
_MAX_REMEMBERED = 20_000
"""Steps kept before all are forgotten: bounds the memory of a pattern with very many combinations."""


class Pattern:
    """`search(line)` tells whether the line holds a match. `literals`: a matching line holds at least one of these
    (lower-case where `ignores_case`); empty where nothing is known. `effort` counts the states visited so far: a
    pattern with very many combinations costs up to `MAX_STATES` of them a character, any other next to none."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_PATTERN_CHARS:
            raise BadPattern(f"is longer than {MAX_PATTERN_CHARS} characters")
        self.ignores_case = text.startswith("(?i)")
        parser = PatternParser(text[4:].lower() if self.ignores_case else text)
        part = parser.parse()
        self._states = parser.states
        self._accept = parser.close(part)
        self._start = part.start
        self.literals = part.literals
        self.effort = 0
        self._steps: dict[tuple[frozenset[int], str, str], frozenset[int] | None] = {}

    def search(self, line: str) -> bool:
        """`line` is without its end."""
        if self.ignores_case:
            line = line.lower()
        steps = self._steps
        states: frozenset[int] = frozenset()
        before = ""
        for char in line:
            key = (states, before, char)
            after = steps.get(key, states)
            if after is states and key not in steps:
                after = self._remember(key)
            if after is None:
                return True
            states, before = after, char
        return self._remember((states, before, "")) is None

    def _remember(self, key: tuple[frozenset[int], str, str]) -> frozenset[int] | None:
        if len(self._steps) >= _MAX_REMEMBERED:
            self._steps.clear()
        states, before, char = key
        reached = self._closure(states | {self._start}, before, char)
        after = None if self._accept in reached else self._advance(reached, char)
        self._steps[key] = after
        return after

    def _advance(self, reached: set[int], char: str) -> frozenset[int]:
        moved: set[int] = set()
        for number in reached:
            state = self._states[number]
            if state.test and char and state.test(char):
                moved.update(state.out)
        return frozenset(moved)

    def _closure(self, states: frozenset[int], before: str, after: str) -> set[int]:
        """All states that are reached without reading a character, between `before` and `after` ("" at the ends)."""
        reached: set[int] = set()
        todo = list(states)
        while todo:
            number = todo.pop()
            if number in reached:
                continue
            reached.add(number)
            state = self._states[number]
            if state.test is None and _holds(state.assertion, before, after):
                todo.extend(state.out)
        self.effort += len(reached)
        return reached


def _holds(assertion: str, before: str, after: str) -> bool:
    if assertion in ("^", "A"):
        return not before
    if assertion in ("$", "Z", "z"):
        return not after
    if assertion in ("b", "B"):
        at_edge = bool(before and CLASSES["w"](before)) != bool(after and CLASSES["w"](after))
        return at_edge == (assertion == "b")
    return True
