"""What every file of a repository says of the task: looked up where it was learnt before, else learnt now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bot.core.context.contents import BODY, CONTENTS, DEFINED, learn_contents
from bot.core.context.index import Index
from bot.core.context.path_words import FORMS, PATHS, WORDS, Form, learn_paths
from bot.core.context.paths import READ_ORDER, Kind, framework_sources, has_text, is_shown
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


Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a file says of the task's terms: how often in its text, and which it defines. `length` is in words; of a
    file that was not read there are none."""

    blob: Blob
    kind: Kind
    length: int
    body: Counts
    defined: Counts


@dataclass(frozen=True, slots=True)
class Scan:
    """What is known of every file that may be shown. Their paths are numbered by `paths`, in which words stand in
    them; what was read is numbered by `contents`."""

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
            counts = ((term, self.contents.counts(field, term).get(number, 0)) for term in self.contents.terms)
            return {term: count for term, count in counts if count}

        length = self.contents.notes[number] if number >= 0 else 0
        return Scanned(self.blobs[path], self.kinds[path], length, said(BODY), said(DEFINED))


def scan(snapshot: Snapshot, terms: Collection[str]) -> Scan:
    """Costs little where most is known: a look-up for each of the terms, and a few for each file."""
    blobs = {path: blob for path, blob in snapshot.blobs.items() if is_shown(blob)}
    paths, contents = _recall(snapshot.shelf, terms, len(blobs))
    forms = _forms(blobs, paths, snapshot.shelf)
    kinds = {path: form.kind for path, form in forms.items()} | framework_sources(blobs)
    keys = _keys(blobs, forms, kinds)
    _learn(snapshot, contents, {key: blobs[path] for path, key in keys.items()})
    return Scan(blobs, kinds, paths, contents, {path: contents.numbers[key] for path, key in keys.items()})


def _recall(shelf: Shelf, terms: Collection[str], size: int) -> tuple[Index, Index]:
    """What is on the shelf of paths and contents; nothing, on either, where it is damaged or mostly of files that are
    no more."""
    paths, contents = Index(PATHS, WORDS, terms), Index(CONTENTS, BODY + DEFINED, terms)
    most = _MAX_KEPT * size + _FEW_FILES
    try:
        for index in (paths, contents):
            layers = shelf.layers(index.names)
            for layer in layers:
                index.add(layer)
            if len(layers) > _MAX_LAYERS or len(index.notes) > most:
                raise ValueError("mostly of files that are no more")
        FORMS[max(paths.notes, default=0)]
    except (KeyError, ValueError, IndexError):
        shelf.clear()
        return Index(PATHS, WORDS, terms), Index(CONTENTS, BODY + DEFINED, terms)
    return paths, contents


def _forms(blobs: Mapping[str, Blob], paths: Index, shelf: Shelf) -> dict[str, Form]:
    if unknown := [path for path in blobs if path not in paths.numbers]:
        layer = learn_paths(unknown)
        paths.add(layer)
        shelf.add(layer)
    return {path: FORMS[paths.notes[paths.numbers[path]]] for path in blobs}


def is_readable(blob: Blob) -> bool:
    """Whether the content is worth reading: small enough, and not of a binary format by its name."""
    return 0 < blob.size_bytes <= MAX_FILE_BYTES and has_text(blob.path)


def _keys(blobs: Mapping[str, Blob], forms: Mapping[str, Form], kinds: Mapping[str, Kind]) -> dict[str, str]:
    """For each file that is to be read, what its content is known by: the content as read in the file's language."""
    paths = [path for path, blob in blobs.items() if 0 < blob.size_bytes <= MAX_FILE_BYTES and forms[path].has_text]
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


def _learn(snapshot: Snapshot, contents: Index, files: Mapping[str, Blob]) -> None:
    unknown = [(key, blob) for key, blob in files.items() if key not in contents.numbers]
    for batch in _batches(unknown):
        texts = snapshot.read([blob for _, blob in batch])
        layer = learn_contents((key, blob.path, text) for (key, blob), text in zip(batch, texts, strict=True))
        contents.add(layer)
        snapshot.shelf.add(layer)


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
