"""One pass over a repository's files that keeps, of each, only how often it says the words of the task.

Nothing is indexed: splitting a file into words runs at some 60 MB/s, so that looking at everything costs about as
much as reading it from git. A word of the repository is compared with the task once, however often it occurs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bot.core.context.definitions import defined_names
from bot.core.context.paths import READ_ORDER, Kind, extension_of
from bot.core.context.words import LONGEST_WORD, parts_of, split_words, word_set
from bot.core.types import Blob, Snapshot

MAX_FILE_BYTES = 1_000_000
"""Larger files are known by their path alone."""
MAX_SCAN_BYTES = 250_000_000
"""What one pass reads at most, source first: some four seconds."""

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
        parts = tuple(part for part in parts_of(word) if part in self._wanted)
        name = f"={word.lower().strip('_')}"
        return (name, *parts) if name in self._wanted else parts


def scan(snapshot: Snapshot, kinds: Mapping[str, Kind], matcher: Matcher) -> list[Scanned]:
    """Every file that may be shown, in git's order; those that were not read have no counts."""
    wanted = _readable(snapshot.blobs.values(), kinds)
    scanned = {
        blob.path: _scanned(blob, kinds[blob.path], content, matcher)
        for blob, content in zip(wanted, snapshot.read(wanted), strict=True)
    }
    return [scanned.get(path) or Scanned(snapshot.blobs[path], kind, 0, {}, {}) for path, kind in kinds.items()]


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


def _scanned(blob: Blob, kind: Kind, content: bytes, matcher: Matcher) -> Scanned:
    if b"\0" in content:
        return Scanned(blob, kind, 0, {}, {})
    words = split_words(content)
    body = matcher.counts(words)
    defined = matcher.counts(defined_names(blob.path, content)) if body else {}
    return Scanned(blob, kind, len(words), body, defined)
