"""What is said where, learnt once and kept from request to request.

A layer is what was learnt at one time: a listing of keys (contents, or paths), and for each term
its postings: who of the listing says it, and how often. A later request reads the layers for its
own terms alone, and learns only the keys that are new.

What contents say and define, word by word: all of a repository's text is read for it, but each
content once.

What paths say, learnt once each: the words in them, and what kind of file goes by such a path.

What every file of a repository says of the task: looked up where it was learnt before, else learnt
now.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TypeVar

from bot.change.context.definitions import defined_names
from bot.change.context.paths import (
    LANGUAGE_OF,
    READ_ORDER,
    Kind,
    framework_sources,
    has_text,
    is_shown,
    kind_of,
    language_of,
)
from bot.change.context.tokenize import LONGEST_WORD, parts_of, split_words
from bot.types.snapshot import Blob, IndexCache, RepositoryView

_COUNT_BITS = 8
_MOST = (1 << _COUNT_BITS) - 1

Layer = Mapping[str, bytes]
T = TypeVar("T", str, bytes)
Postings = defaultdict[T, "array[int]"]
"""By word; each posting is the number of a key in its layer, 16 million at most, and how often it
says the word."""


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
    return array(
        "I", (number << _COUNT_BITS | min(count, _MOST) for number, count in counts.items())
    )


def terms_of(word: str) -> tuple[str, ...]:
    """What an occurrence of the word counts for: the whole identifier as `=name`, and each of its
    parts' stems."""
    return (f"={word.lower().strip('_')}", *parts_of(word))


def make_layer(
    listing: str, keys: Iterable[tuple[str, int]], fields: Mapping[str, Mapping[str, array[int]]]
) -> Layer:
    """`keys` are in the order of their numbers, each with what is to be noted of it; `fields` hold
    postings by term, each field by its letter."""
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
        """Takes from the layer what is of use. KeyError, ValueError or IndexError where it is
        damaged."""
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


CONTENTS = "contents 1"
"""The listing; a content as read in one language is a key, noted with its length in words. The
number is the format's: layers of another one are not read."""
BODY = "b"
DEFINED = "d"


def learn_contents(files: Iterable[tuple[str, str, bytes]]) -> Layer:
    """`files`: key, path (for its language) and content."""
    keys: list[tuple[str, int]] = []
    body: Postings[bytes] = no_postings()
    defined: Postings[bytes] = no_postings()
    for number, (key, path, content) in enumerate(files):
        words = [] if b"\0" in content else split_words(content)
        keys.append((key, len(words)))
        post(body, number, Counter(words))
        if words:
            post(defined, number, Counter(defined_names(path, content)))
    return make_layer(
        CONTENTS, keys, {BODY: _by_term(body, len(keys)), DEFINED: _by_term(defined, len(keys))}
    )


def _by_term(postings: Postings[bytes], files: int) -> Mapping[str, array[int]]:
    """A term may have several postings of one file; where it certainly has, they are added up."""
    terms: Postings[str] = no_postings()
    for word, some in postings.items():
        if len(word) <= LONGEST_WORD:
            for term in terms_of(word.decode("utf-8", "replace")):
                terms[term].extend(some)
    return {term: some if len(some) <= files else added_up(some) for term, some in terms.items()}


PATHS = "paths 1"
"""The listing; each path is noted with its form. The number is the format's: layers of another one
are not read."""
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


FORMS = tuple(
    Form(*each)
    for each in product(READ_ORDER, ("", *sorted({*LANGUAGE_OF.values()})), (False, True))
)
_NUMBER_OF = {form: number for number, form in enumerate(FORMS)}


@dataclass(frozen=True, slots=True)
class PathWords:
    """The stems in a file's name without extension, those of its directories, and the name itself,
    lower-case."""

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
        keys.append(
            (path, _NUMBER_OF[Form(kind_of(path), language_of(path) or "", has_text(path))])
        )
        words = words_of_path(path)
        post(
            places,
            number,
            {
                **dict.fromkeys(words.directories, IN_DIRECTORY),
                **dict.fromkeys(words.name, IN_NAME),
            },
        )
    return make_layer(PATHS, keys, {WORDS: places})


MAX_FILE_BYTES = 1_000_000
"""Larger files are known by their path alone."""
MAX_SCAN_BYTES = 250_000_000
"""What is read at most, source first: some ten seconds, once."""
_BATCH_BYTES = 12_000_000
"""Of contents learnt at a time: what is in memory for it is a few times as much."""
_MAX_LAYERS = 100
_MAX_KEPT = 3
_FEW_FILES = 1_000
"""A shelf with more than so many times the files that there are, and some, is begun anew."""


Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a file says of the task's terms: how often in its text, and which it defines. `length`
    is in words; of a file that was not read there are none."""

    blob: Blob
    kind: Kind
    length: int
    body: Counts
    defined: Counts


@dataclass(frozen=True, slots=True)
class Scan:
    """What is known of every file that may be shown. Their paths are numbered by `paths`, in which
    words stand in them; what was read is numbered by `contents`."""

    blobs: Mapping[str, Blob]
    """In git's order."""
    kinds: Mapping[str, Kind]
    paths: Index
    contents: Index
    content_of: Mapping[str, int]
    """By path; of the files that were read."""

    def file(self, path: str) -> Scanned:
        number = self.content_of.get(path, -1)

        def said(field: str) -> dict[str, int]:
            counts = (
                (term, self.contents.counts(field, term).get(number, 0))
                for term in self.contents.terms
            )
            return {term: count for term, count in counts if count}

        length = self.contents.notes[number] if number >= 0 else 0
        return Scanned(self.blobs[path], self.kinds[path], length, said(BODY), said(DEFINED))


def scan(snapshot: RepositoryView, terms: Collection[str]) -> Scan:
    """Costs little where most is known: a look-up for each of the terms, and a few for each
    file."""
    blobs = {path: blob for path, blob in snapshot.blobs.items() if is_shown(blob)}
    paths, contents = _recall(snapshot.index_cache, terms, len(blobs))
    forms = _forms(blobs, paths, snapshot.index_cache)
    kinds = {path: form.kind for path, form in forms.items()} | framework_sources(blobs)
    keys = _keys(blobs, forms, kinds)
    _learn(snapshot, contents, {key: blobs[path] for path, key in keys.items()})
    return Scan(
        blobs, kinds, paths, contents, {path: contents.numbers[key] for path, key in keys.items()}
    )


def _recall(index_cache: IndexCache, terms: Collection[str], size: int) -> tuple[Index, Index]:
    """What is on the shelf of paths and contents; nothing, on either, where it is damaged or mostly
    of files that are no more."""
    paths, contents = Index(PATHS, WORDS, terms), Index(CONTENTS, BODY + DEFINED, terms)
    most = _MAX_KEPT * size + _FEW_FILES
    try:
        for index in (paths, contents):
            layers = index_cache.layers(index.names)
            for layer in layers:
                index.add(layer)
            if len(layers) > _MAX_LAYERS or len(index.notes) > most:
                raise ValueError("mostly of files that are no more")
        FORMS[max(paths.notes, default=0)]
    except (KeyError, ValueError, IndexError):
        index_cache.clear()
        return Index(PATHS, WORDS, terms), Index(CONTENTS, BODY + DEFINED, terms)
    return paths, contents


def _forms(blobs: Mapping[str, Blob], paths: Index, index_cache: IndexCache) -> dict[str, Form]:
    if unknown := [path for path in blobs if path not in paths.numbers]:
        layer = learn_paths(unknown)
        paths.add(layer)
        index_cache.add(layer)
    return {path: FORMS[paths.notes[paths.numbers[path]]] for path in blobs}


def is_readable(blob: Blob) -> bool:
    """Whether the content is worth reading: small enough, and not of a binary format by its
    name."""
    return 0 < blob.size_bytes <= MAX_FILE_BYTES and has_text(blob.path)


def _keys(
    blobs: Mapping[str, Blob], forms: Mapping[str, Form], kinds: Mapping[str, Kind]
) -> dict[str, str]:
    """For each file that is to be read, what its content is known by: the content as read in the
    file's language."""
    paths = [
        path
        for path, blob in blobs.items()
        if 0 < blob.size_bytes <= MAX_FILE_BYTES and forms[path].has_text
    ]
    if sum(blobs[path].size_bytes for path in paths) > MAX_SCAN_BYTES:
        paths = list(_first(blobs, sorted(paths, key=lambda path: READ_ORDER.index(kinds[path]))))
    return {path: f"{blobs[path].oid}:{forms[path].language}" for path in paths}


def _first(blobs: Mapping[str, Blob], paths: Iterable[str]) -> Iterator[str]:
    left = MAX_SCAN_BYTES
    for path in paths:
        left -= blobs[path].size_bytes
        if left < 0:
            return
        yield path


def _learn(snapshot: RepositoryView, contents: Index, files: Mapping[str, Blob]) -> None:
    unknown = [(key, blob) for key, blob in files.items() if key not in contents.numbers]
    for batch in _batches(unknown):
        texts = snapshot.read([blob for _, blob in batch])
        layer = learn_contents(
            (key, blob.path, text) for (key, blob), text in zip(batch, texts, strict=True)
        )
        contents.add(layer)
        snapshot.index_cache.add(layer)


def _batches(files: Iterable[tuple[str, Blob]]) -> Iterator[list[tuple[str, Blob]]]:
    batch: list[tuple[str, Blob]] = []
    size_bytes = 0
    for key, blob in files:
        batch.append((key, blob))
        size_bytes += blob.size_bytes
        if size_bytes > _BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch
