"""What is compared with: BM25 (the library bm25s) over every text file, path and content, shown
whole from the best."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence

from bot.types import Excerpt
from bot.types.snapshot import Blob, Snapshot
from bot.types.text import read_text

MAX_FILE_BYTES = 300_000
MAX_RANKING = 100


def plain_bm25(snapshot: Snapshot, prompt: str) -> tuple[Sequence[str], Iterable[Excerpt]]:
    """The ranking, and the best files whole."""
    texts = dict(_texts(snapshot))
    if not texts:
        return (), ()
    ranking = _rank(texts, prompt)
    return ranking, [_whole(path, texts[path]) for path in ranking]


def _rank(texts: dict[str, str], prompt: str) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import bm25s  # type: ignore[import-untyped]

    documents = [f"{path}\n{text}" for path, text in texts.items()]
    retriever = bm25s.BM25()
    retriever.index(
        bm25s.tokenize(documents, stopwords="en", show_progress=False), show_progress=False
    )
    query = bm25s.tokenize([prompt], stopwords="en", show_progress=False)
    found, _ = retriever.retrieve(query, k=min(MAX_RANKING, len(documents)), show_progress=False)
    paths = list(texts)
    return [paths[number] for number in found[0]]


def _texts(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    wanted: list[Blob] = [
        blob
        for blob in snapshot.blobs.values()
        if blob.mode.startswith("100")
        and 0 < blob.size_bytes <= MAX_FILE_BYTES
        and blob.path.isprintable()
    ]
    for blob, content in zip(wanted, snapshot.read(wanted), strict=True):
        if text := read_text(content):
            yield blob.path, text


def _whole(path: str, text: str) -> Excerpt:
    return Excerpt(path, 1, text.count("\n") + 1, text, 0, "")
