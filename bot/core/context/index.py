"""What is said where, learnt once and kept from request to request.

A layer is what was learnt at one time: a listing of keys (contents, or paths), and for each term its postings: who of
the listing says it, and how often. A later request reads the layers for its own terms alone, and learns only the keys
that are new.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from bot.core.context.words import parts_of

_COUNT_BITS = 8
_MOST = (1 << _COUNT_BITS) - 1

Layer = Mapping[str, bytes]
T = TypeVar("T", str, bytes)
Postings = defaultdict[T, "array[int]"]
"""By word; each posting is the number of a key in its layer, 16 million at most, and how often it says the word."""


def no_postings() -> Postings[T]:
    return defaultdict(lambda: array("I"))


def post(postings: Postings[T], number: int, counts: Mapping[T, int]) -> None:
    begin = number << _COUNT_BITS
    for word, count in counts.items():
        postings[word].append(begin | (count if count < _MOST else _MOST))


def added_up(postings: array[int]) -> array[int]:
    """One posting for each number."""
    counts: dict[int, int] = {}
    for posting in postings:
        number = posting >> _COUNT_BITS
        counts[number] = counts.get(number, 0) + (posting & _MOST)
    return array("I", (number << _COUNT_BITS | min(count, _MOST) for number, count in counts.items()))


def terms_of(word: str) -> tuple[str, ...]:
    """What an occurrence of the word counts for: the whole identifier as `=name`, and each of its parts' stems."""
    return (f"={word.lower().strip('_')}", *parts_of(word))


def make_layer(listing: str, keys: Iterable[tuple[str, int]], fields: Mapping[str, Mapping[str, array[int]]]) -> Layer:
    """`keys` are in the order of their numbers, each with what is to be noted of it; `fields` hold postings by term,
    each field by its letter."""
    layer = {listing: "".join(f"{key}\n{note}\n" for key, note in keys).encode()}
    for letter, postings in fields.items():
        for term, some in postings.items():
            layer[letter + term] = some.tobytes()
    return layer


class Index:
    """What keys say of a few terms: every layer's keys are numbered on from the last one's."""

    def __init__(self, listing: str, fields: str, terms: Collection[str]) -> None:
        self.terms = terms
        self.names = [listing, *(letter + term for term in terms for letter in fields)]
        """The parts of a layer that are of use here."""
        self.numbers: dict[str, int] = {}
        self.notes: list[int] = []
        """By number."""
        self._counts: dict[str, dict[int, int]] = {}

    def counts(self, field: str, term: str) -> Mapping[int, int]:
        """How often each number says the term, in no order."""
        return self._counts.get(field + term, {})

    def add(self, layer: Layer) -> None:
        """Takes from the layer what is of use. KeyError, ValueError or IndexError where it is damaged."""
        base = len(self.notes)
        listing, *names = self.names
        lines = layer[listing].decode().split("\n")[:-1]
        notes = [int(note) for note in lines[1::2]]
        self.notes += notes
        for number, key in enumerate(lines[::2], base):
            self.numbers.setdefault(key, number)
        for name in names:
            postings = array("I", layer.get(name, b""))
            if not postings:
                continue
            notes[max(postings) >> _COUNT_BITS]  # IndexError
            counts = self._counts.setdefault(name, {})
            for posting in postings:
                number = base + (posting >> _COUNT_BITS)
                counts[number] = counts.get(number, 0) + (posting & _MOST)
