"""Choices made from a seed. Only `random.Random.random` is used: Python promises that its numbers
stay the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

Value = TypeVar("Value")


class Dice:
    """A source of choices that gives the same ones for the same seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def number(self, low: int, high: int) -> int:
        """From `low` to `high`, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def happens(self, chance: float) -> bool:
        """True in a share of `chance` of all calls."""
        return self._random.random() < chance

    def pick(self, values: Sequence[Value]) -> Value:
        """One of the values."""
        return values[int(self._random.random() * len(values))]

    def some(self, values: Sequence[Value], count: int) -> list[Value]:
        """As many different values as there are, up to `count`, in a new order."""
        left = list(values)
        many = min(count, len(left))
        return [left.pop(int(self._random.random() * len(left))) for _ in range(many)]
