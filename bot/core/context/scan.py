"""What every file of a repository says of the task: looked up where it was learnt before, else learnt now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bot.core.context.index import Index, Said, build_layer, terms_of
from bot.core.context.paths import READ_ORDER, Kind, extension_of, language_of
from bot.core.context.words import LONGEST_WORD, word_set
from bot.core.shelf import Shelf
from bot.core.tree import Blob, Snapshot

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

_NOT_TEXT = word_set(
    """png jpg jpeg gif ico bmp webp tif tiff psd pdf zip gz tgz bz2 xz 7z jar war class pyc so o a dll dylib exe bin
    dat mo ttf otf woff woff2 eot mp3 mp4 mov avi wav ogg sqlite db pickle pkl npy npz parquet wasm asc sig"""
)

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a file says of the task's terms: how often in its text, and which it defines. `length` is in words."""

    blob: Blob
    kind: Kind
    length: int
    body: Counts
    defined: Counts


class Matcher:
    """Which of the task's terms a word of the repository stands for. Each word is looked at once."""

    def __init__(self, terms: Collection[str]) -> None:
        self._wanted = terms
        self._seen: set[bytes] = set()
        self._terms: dict[bytes, tuple[str, ...]] = {}

    def counts(self, words: list[bytes]) -> dict[str, int]:
        """By term; a whole identifier is the term `=name`, a part of one is its stem."""
        found = Counter(words)
        self._learn(found.keys() - self._seen)
        counts: dict[str, int] = {}
        for word in found.keys() & self._terms.keys():
            for term in self._terms[word]:
                counts[term] = counts.get(term, 0) + found[word]
        return counts

    def _learn(self, words: set[bytes]) -> None:
        self._seen |= words
        for word in words:
            if len(word) <= LONGEST_WORD and (terms := self.terms_of(word.decode("utf-8", "replace"))):
                self._terms[word] = terms

    def terms_of(self, word: str) -> tuple[str, ...]:
        return tuple(term for term in terms_of(word) if term in self._wanted)


def scan(snapshot: Snapshot, kinds: Mapping[str, Kind], terms: Collection[str]) -> list[Scanned]:
    """Every file that may be shown, in git's order; those that were not read have no counts."""
    wanted = {blob.path: _key(blob) for blob in _readable(snapshot.blobs.values(), kinds)}
    first: dict[str, Blob] = {}
    for path, key in wanted.items():
        first.setdefault(key, snapshot.blobs[path])
    index = _recall(snapshot.shelf, terms, len(first))
    if not len(index):
        snapshot.shelf.clear()
    for batch in _batches([blob for key, blob in first.items() if key not in index]):
        contents = snapshot.read(batch)
        layer = build_layer((_key(blob), blob.path, content) for blob, content in zip(batch, contents, strict=True))
        index.add(layer)
        snapshot.shelf.add(layer)
    unread = Said(0)
    said = {path: index[wanted[path]] if path in wanted else unread for path in kinds}
    return [
        Scanned(snapshot.blobs[path], kind, said[path].length, said[path].body, said[path].defined)
        for path, kind in kinds.items()
    ]


def _key(blob: Blob) -> str:
    return f"{blob.oid}:{language_of(blob.path) or ''}"


def _recall(shelf: Shelf, terms: Collection[str], size: int) -> Index:
    """What is on the shelf; an empty index where that is damaged, or mostly of files that are no more."""
    index = Index(terms)
    layers = shelf.layers(index.names)
    try:
        for layer in layers:
            index.add(layer)
    except (KeyError, ValueError, IndexError):
        return Index(terms)
    is_stale = len(layers) > _MAX_LAYERS or len(index) > _MAX_KEPT * size + _FEW_FILES
    return Index(terms) if is_stale else index


def _batches(blobs: Iterable[Blob]) -> Iterator[list[Blob]]:
    batch: list[Blob] = []
    size_bytes = 0
    for blob in blobs:
        batch.append(blob)
        size_bytes += blob.size_bytes
        if size_bytes > _BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def is_readable(blob: Blob) -> bool:
    """Whether the content is worth reading: small enough, and not of a binary format by its name."""
    return 0 < blob.size_bytes <= MAX_FILE_BYTES and extension_of(blob.path) not in _NOT_TEXT


def _readable(blobs: Iterable[Blob], kinds: Mapping[str, Kind]) -> list[Blob]:
    candidates = [blob for blob in blobs if blob.path in kinds and is_readable(blob)]
    candidates.sort(key=lambda blob: READ_ORDER.index(kinds[blob.path]))
    left = MAX_SCAN_BYTES
    taken = []
    for blob in candidates:
        left -= blob.size_bytes
        if left < 0:
            break
        taken.append(blob)
    return taken
