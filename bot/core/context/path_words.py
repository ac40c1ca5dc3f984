"""What paths say, learnt once each: the words in them, and what kind of file goes by such a path."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from bot.core.context.index import Layer, Postings, make_layer, no_postings, post
from bot.core.context.paths import LANGUAGE_OF, READ_ORDER, Kind, has_text, kind_of, language_of
from bot.core.context.words import parts_of

PATHS = "paths 1"
"""The listing; each path is noted with its form. The number is the format's: layers of another one are not read."""
WORDS = "p"
IN_DIRECTORY = 1
IN_NAME = 2
"""What is counted of a stem in a path: where it stands."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a path alone says of its file. `kind` is without regard to the files beside it."""

    kind: Kind
    language: str
    has_text: bool


FORMS = tuple(Form(*each) for each in product(READ_ORDER, ("", *sorted({*LANGUAGE_OF.values()})), (False, True)))
_NUMBER_OF = {form: number for number, form in enumerate(FORMS)}


@dataclass(frozen=True, slots=True)
class PathWords:
    """The stems in a file's name without extension, those of its directories, and the name itself, lower-case."""

    name: frozenset[str]
    directories: frozenset[str]
    stem: str


def words_of_path(path: str) -> PathWords:
    directory, _, name = path.rpartition("/")
    stem = name.rpartition(".")[0] or name
    return PathWords(_stems(stem), _stems(directory), stem.lower())


@lru_cache(maxsize=1 << 12)
def _stems(text: str) -> frozenset[str]:
    return frozenset(part for word in re.findall(r"\w+", text) for part in parts_of(word))


def learn_paths(paths: Iterable[str]) -> Layer:
    """`paths` are printable."""
    keys: list[tuple[str, int]] = []
    places: Postings[str] = no_postings()
    for number, path in enumerate(paths):
        keys.append((path, _NUMBER_OF[Form(kind_of(path), language_of(path) or "", has_text(path))]))
        words = words_of_path(path)
        post(places, number, {**dict.fromkeys(words.directories, IN_DIRECTORY), **dict.fromkeys(words.name, IN_NAME)})
    return make_layer(PATHS, keys, {WORDS: places})
