"""First-stage retrieval: finds every file of a repository that has terms of the task, and scores it
with BM25 over its text, the names it defines and its path. It is cheap, since only the index is
looked up; the ranking then looks closely at the best files.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bot.change.context.index import (
    BODY,
    CONTENTS,
    DEFINED,
    IN_DIRECTORY,
    IN_NAME,
    PATH,
    PATH_INFOS,
    PATHS,
    Index,
    PathInfo,
    index_contents,
    index_paths,
)
from bot.change.context.paths import (
    FILE_KINDS,
    FileKind,
    find_framework_sources,
    is_regular,
    may_be_text,
)
from bot.types.snapshot import Blob, IndexCache, RepositoryView

MAX_FILE_BYTES = 1_000_000
"""The content of a larger file is not read: only its path is indexed."""
MAX_INDEXED_BYTES = 250_000_000
"""All contents that are read, source first: about ten seconds for the first request."""
_BATCH_BYTES = 12_000_000
"""Contents that are indexed at a time: indexing needs a few times as much memory."""
_MAX_SEGMENTS = 100
_MAX_DOCUMENTS_PER_FILE = 3
_SPARE_DOCUMENTS = 1_000
"""A cache with more documents than `_MAX_DOCUMENTS_PER_FILE` times the files plus this many is
cleared: most of them are of files that are gone."""

_K1 = 1.2
_B = 0.6
"""BM25's constants: how soon more uses of a term stop to count, and how much a long file loses.
Usual are 1.2 and 0.75. All numbers here were set together with `ranking.WEIGHTS`, on the same
changes; they were not measured one by one."""
_DEFINITION_USES = 3.0
"""One definition counts as this many uses in the text."""
_PATH_WEIGHTS = {IN_NAME: 0.8, IN_DIRECTORY: 0.4}
"""What a stem in the path counts; many uses in the text come close to 1."""
_KIND_FACTORS: dict[FileKind, float] = {
    "source": 1.0,
    "config": 0.4,
    "test": 0.4,
    "docs": 0.35,
    "example": 0.4,
    "other": 0.3,
    "generated": 0.2,
}


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """How often a file has each of the task's terms in its text."""

    blob: Blob
    kind: FileKind
    body: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class IndexedRepository:
    """What the index knows of every file that may be shown, for the terms of one task."""

    blobs: Mapping[str, Blob]
    """By path, in git's order."""
    kinds: Mapping[str, FileKind]
    """By path."""
    paths: Index
    contents: Index
    content_ids: Mapping[str, int]
    """Document ids in `contents` by path, for the files that were read."""

    def file(self, path: str) -> IndexedFile:
        doc_id = self.content_ids.get(path)
        body: dict[str, int] = {}
        if doc_id is not None:
            for term in self.contents.terms:
                if count := self.contents.frequencies(BODY, term).get(doc_id, 0):
                    body[term] = count
        return IndexedFile(self.blobs[path], self.kinds[path], body)


def index_repository(snapshot: RepositoryView, terms: Collection[str]) -> IndexedRepository:
    """The repository's index, read from the cache and completed: on a repository that is known,
    one lookup per term and a few per file."""
    blobs = {path: blob for path, blob in snapshot.blobs.items() if is_regular(blob)}
    paths, contents = _load_indexes(snapshot.index_cache, terms, len(blobs))
    path_infos = _index_new_paths(blobs, paths, snapshot.index_cache)
    kinds = {path: info.kind for path, info in path_infos.items()} | find_framework_sources(blobs)
    keys = {
        path: f"{blobs[path].oid}:{path_infos[path].language}"  # names depend on the language
        for path in _choose_readable(blobs, path_infos, kinds)
    }
    _index_new_contents(snapshot, contents, {key: blobs[path] for path, key in keys.items()})
    content_ids = {path: contents.doc_ids[key] for path, key in keys.items()}
    return IndexedRepository(blobs, kinds, paths, contents, content_ids)


def is_readable(blob: Blob) -> bool:
    """Whether the content is indexed: small enough, and not of a binary format by its name."""
    return 0 < blob.size_bytes <= MAX_FILE_BYTES and may_be_text(blob.path)


def _load_indexes(
    index_cache: IndexCache, terms: Collection[str], files: int
) -> tuple[Index, Index]:
    """The cached indexes of paths and contents. A cache that is damaged, or mostly of files that
    are gone, is cleared, and both are empty."""
    paths, contents = Index(PATHS, PATH, terms), Index(CONTENTS, BODY + DEFINED, terms)
    max_documents = _MAX_DOCUMENTS_PER_FILE * files + _SPARE_DOCUMENTS
    try:
        for index in (paths, contents):
            segments = index_cache.read_segments(index.entry_names)
            for segment in segments:
                index.add(segment)
            if len(segments) > _MAX_SEGMENTS or len(index.doc_infos) > max_documents:
                raise ValueError("mostly of files that are gone")
        PATH_INFOS[max(paths.doc_infos, default=0)]  # IndexError if there is no such number
    except (KeyError, ValueError, IndexError):
        index_cache.clear()
        return Index(PATHS, PATH, terms), Index(CONTENTS, BODY + DEFINED, terms)
    return paths, contents


def _index_new_paths(
    blobs: Mapping[str, Blob], paths: Index, index_cache: IndexCache
) -> dict[str, PathInfo]:
    """What each path tells about its file."""
    new_paths = [path for path in blobs if path not in paths.doc_ids]
    if new_paths:
        segment = index_paths(new_paths)
        paths.add(segment)
        index_cache.add(segment)
    return {path: PATH_INFOS[paths.doc_infos[paths.doc_ids[path]]] for path in blobs}


def _choose_readable(
    blobs: Mapping[str, Blob], path_infos: Mapping[str, PathInfo], kinds: Mapping[str, FileKind]
) -> list[str]:
    """The readable files; of a repository that is too large the first ones, source before all."""
    readable = [
        path
        for path, blob in blobs.items()
        if 0 < blob.size_bytes <= MAX_FILE_BYTES and path_infos[path].may_be_text
    ]
    if sum(blobs[path].size_bytes for path in readable) <= MAX_INDEXED_BYTES:
        return readable
    readable.sort(key=lambda path: FILE_KINDS.index(kinds[path]))
    left_bytes = MAX_INDEXED_BYTES
    for position, path in enumerate(readable):
        left_bytes -= blobs[path].size_bytes
        if left_bytes < 0:
            return readable[:position]
    return readable


def _index_new_contents(
    snapshot: RepositoryView, contents: Index, blobs_by_key: Mapping[str, Blob]
) -> None:
    new_blobs = [(key, blob) for key, blob in blobs_by_key.items() if key not in contents.doc_ids]
    for batch in _split_batches(new_blobs):
        texts = snapshot.read([blob for _, blob in batch])
        segment = index_contents(
            (key, blob.path, text) for (key, blob), text in zip(batch, texts, strict=True)
        )
        contents.add(segment)
        snapshot.index_cache.add(segment)


def _split_batches(files: Iterable[tuple[str, Blob]]) -> Iterator[list[tuple[str, Blob]]]:
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


@dataclass(frozen=True, slots=True)
class CorpusStats:
    """What BM25 needs to know of all files: of the source files, or of all if there is no source
    file."""

    weights: Mapping[str, float]
    """By term: its weight in the task times its inverse document frequency."""
    average_length_words: float
    definition_counts: Mapping[str, int]
    """By term: how many files define it."""


def inverse_document_frequency(document_frequency: int, documents: int) -> float:
    """BM25's formula: how rare a term is that this many of all documents have."""
    without = max(documents, document_frequency) - document_frequency
    return math.log(1 + (without + 0.5) / (document_frequency + 0.5))


def length_norm(length_words: int, average_length_words: float) -> float:
    """BM25's formula: how many uses of a term give half of its full weight in a text of this
    length."""
    return _K1 * (1 - _B + _B * length_words / average_length_words)


def collect_stats(repository: IndexedRepository, terms: Mapping[str, float]) -> CorpusStats:
    """`terms` are those of the task with their weights."""
    lengths = {
        path: repository.contents.doc_infos[doc_id]
        for path, doc_id in repository.content_ids.items()
    }
    paths = [path for path in lengths if repository.kinds[path] == "source" and lengths[path]]
    if not paths:
        paths = list(repository.kinds)
    # Files with the same content share a document.
    files_per_document = Counter(
        repository.content_ids[path] for path in paths if path in repository.content_ids
    )

    def count_files(field: str, term: str) -> int:
        documents = repository.contents.frequencies(field, term)
        return sum(files_per_document[doc_id] for doc_id in documents)

    total_words = sum(lengths.get(path, 0) for path in paths)
    return CorpusStats(
        weights={
            term: weight * inverse_document_frequency(count_files(BODY, term), len(paths))
            for term, weight in terms.items()
        },
        average_length_words=total_words / max(1, len(paths)) or 1.0,
        definition_counts={term: count_files(DEFINED, term) for term in terms},
    )


def score_files(repository: IndexedRepository, stats: CorpusStats) -> dict[str, float]:
    """Every file's BM25 score by path, over text, definitions and path: enough to find the files
    that are worth a closer look."""
    content_scores = _score_contents(repository.contents, stats)
    path_scores = _score_paths(repository.paths, stats)
    scores: dict[str, float] = {}
    for path, kind in repository.kinds.items():
        doc_id = repository.content_ids.get(path)
        content_score = 0.0 if doc_id is None else content_scores[doc_id]
        path_score = path_scores[repository.paths.doc_ids[path]]
        scores[path] = (content_score + path_score) * _KIND_FACTORS[kind]
    return scores


def _score_contents(contents: Index, stats: CorpusStats) -> list[float]:
    """By document id."""
    norms = [length_norm(length, stats.average_length_words) for length in contents.doc_infos]
    scores = [0.0] * len(norms)
    for term, weight in stats.weights.items():
        defined = contents.frequencies(DEFINED, term)
        for doc_id, count in contents.frequencies(BODY, term).items():
            uses = count + _DEFINITION_USES * defined.get(doc_id, 0)
            share = uses / norms[doc_id]
            scores[doc_id] += weight * (share / (1 + share))
    return scores


def _score_paths(paths: Index, stats: CorpusStats) -> list[float]:
    """By document id."""
    scores = [0.0] * len(paths.doc_infos)
    for term, weight in stats.weights.items():
        for doc_id, position in paths.frequencies(PATH, term).items():
            scores[doc_id] += weight * _PATH_WEIGHTS[position]
    return scores
