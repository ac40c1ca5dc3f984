"""The index that is kept between requests gives what a new index gives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from bot.change.context import choose_context
from bot.change.context.index import (
    BODY,
    CONTENTS,
    DEFINED,
    IN_DIRECTORY,
    IN_NAME,
    PATH,
    PATHS,
    Index,
    IndexSegment,
    index_contents,
    index_paths,
)
from bot.types import Context
from bot.types.snapshot import Blob, IndexCache
from tests.change.snapshots import view_of

FILES = {
    "app/parser.py": (
        b"class HTTPParser:\n    def parse_headers(self, raw):\n        return raw.split()\n"
    ),
    "app/other.py": b"def unrelated():\n    return 1\n",
    "docs/parser.md": b"# The parser\n\nIt parses headers.\n",
    "data.py": b"x = 1\0",
}
TASK = "Let parse_headers of the HTTP parser take bytes"


class MemoryIndexCache:
    """An index cache whose segments a test can look at."""

    def __init__(self) -> None:
        self.segments: list[IndexSegment] = []

    def read_segments(self, names: Sequence[str]) -> Sequence[IndexSegment]:
        parts = [
            {name: segment[name] for name in names if name in segment} for segment in self.segments
        ]
        return [part for part in parts if part]

    def add(self, segment: IndexSegment) -> None:
        self.segments.append(segment)

    def clear(self) -> None:
        self.segments.clear()


def choose(
    files: Mapping[str, bytes], cache: IndexCache, read_paths: list[str] | None = None
) -> Context:
    """The context for TASK. Every path that is read is added to `read_paths`."""
    view = view_of(files)

    def read(blobs: Iterable[Blob]) -> Iterator[bytes]:
        wanted = list(blobs)
        if read_paths is not None:
            read_paths.extend(blob.path for blob in wanted)
        return view.read(wanted)

    return choose_context(replace(view, read=read, index_cache=cache), TASK, budget_tokens=2_000)


def choose_without_cache(files: Mapping[str, bytes]) -> Context:
    return choose(files, MemoryIndexCache())


def read_index(list_entry: str, terms: Sequence[str], *segments: IndexSegment) -> Index:
    fields = {CONTENTS: BODY + DEFINED, PATHS: PATH}[list_entry]
    index = Index(list_entry, fields, terms)
    for segment in segments:
        index.add(segment)
    return index


def listed_keys(segment: IndexSegment, list_entry: str) -> list[str]:
    return segment[list_entry].decode().splitlines()[::2]


def test_a_kept_index_gives_what_a_new_one_gives() -> None:
    cache = MemoryIndexCache()

    assert choose(FILES, cache) == choose(FILES, cache) == choose_without_cache(FILES)
    kinds = [name for segment in cache.segments for name in (PATHS, CONTENTS) if name in segment]
    assert kinds == [PATHS, CONTENTS]


def test_only_new_contents_are_indexed() -> None:
    cache = MemoryIndexCache()
    choose(FILES, cache)
    later = {
        **FILES,
        "app/other.py": b"def parse_headers():\n    return 2\n",
        "app/copy.md": b"# The parser",
    }

    assert choose(later, cache) == choose_without_cache(later)
    assert listed_keys(cache.segments[2], PATHS) == ["app/copy.md"]
    lengths = cache.segments[3][CONTENTS].decode().splitlines()[1::2]
    assert sorted(lengths) == ["2", "4"]


def test_a_file_that_only_moved_is_not_read_again() -> None:
    cache, read_paths = MemoryIndexCache(), list[str]()
    many = {f"m{number}.py": b"y = %d\n" % number for number in range(200)}
    choose(many, cache)
    choose({f"moved/{path}": content for path, content in many.items()}, cache, read_paths)

    assert sum(CONTENTS in segment for segment in cache.segments) == 1
    assert len(read_paths) < len(many)


@pytest.mark.parametrize(
    "damaged",
    [
        {CONTENTS: b"abc:\n1\n", "bpars": b"\xff\xff\xff\xff"},
        {CONTENTS: b"abc:\n1\n", "bpars": b"123"},
        {CONTENTS: b"\xff"},
        {CONTENTS: b"abc:\nno number\n"},
        {PATHS: b"a.py\n999999\n"},
        {PATHS: b"a.py\n", "ppars": b"\0\0\0\0"},
        {"bpars": b""},
    ],
)
def test_a_damaged_segment_is_indexed_again(damaged: IndexSegment) -> None:
    cache = MemoryIndexCache()
    cache.add(damaged)

    assert choose(FILES, cache) == choose_without_cache(FILES)
    assert damaged not in cache.segments


def test_an_index_that_is_mostly_of_files_that_are_gone_is_made_anew() -> None:
    cache = MemoryIndexCache()
    choose({f"old{number}.py": b"z = %d\n" % number for number in range(1_100)}, cache)
    choose(FILES, cache)

    assert sorted(listed_keys(cache.segments[0], PATHS)) == sorted(FILES)
    assert len(cache.segments) == 2


def test_words_count_as_identifiers_and_as_their_parts() -> None:
    segment = index_contents([("k", "a.py", b"def getUsers(): users()\n")])
    index = read_index(CONTENTS, ["=getusers", "user", "get"], segment)

    assert index.doc_infos[index.doc_ids["k"]] == 3
    assert [index.frequencies(BODY, term) for term in index.terms] == [{0: 1}, {0: 2}, {0: 1}]
    assert [index.frequencies(DEFINED, term) for term in index.terms] == [{0: 1}, {0: 1}, {0: 1}]


def test_many_uses_of_a_term_in_one_file_are_one_posting() -> None:
    segment = index_contents([("k", "a.py", b"user users userName user_id " * 100)])
    index = read_index(CONTENTS, ["user"], segment)

    assert len(segment["buser"]) == 4
    assert index.frequencies(BODY, "user") == {0: 255}


def test_a_second_segment_continues_the_ids_of_the_first_and_repeats_no_document() -> None:
    index = read_index(
        CONTENTS,
        ["user"],
        index_contents([("one", "a.py", b"user"), ("two", "b.py", b"")]),
        index_contents([("two", "b.py", b""), ("three", "c.py", b"users user")]),
    )

    assert index.doc_ids == {"one": 0, "two": 1, "three": 3}
    assert index.frequencies(BODY, "user") == {0: 1, 3: 2}


def test_a_stem_in_a_path_counts_by_where_it_stands() -> None:
    segment = index_paths(["users/list.py", "lists/user_lists.py"])
    index = read_index(PATHS, ["user", "list"], segment)

    assert index.frequencies(PATH, "user") == {0: IN_DIRECTORY, 1: IN_NAME}
    assert index.frequencies(PATH, "list") == {0: IN_NAME, 1: IN_NAME}


def test_a_changed_format_gets_a_new_number() -> None:
    """If this fails, the index caches of running installations would be misread: give the entry
    that lists the documents another number."""
    contents = index_contents(
        [("k", "a.py", b"class HTTPParser:\n    def parsing_queries(self): return self.x\n")]
    )
    paths = index_paths(["src/HTTPParser.ts", "docs/a.md", "tests/test_a.py", "logo.png"])

    assert (CONTENTS, _digest(contents)) == ("contents 1", "03805b760a51")
    assert (PATHS, _digest(paths)) == ("paths 1", "3a2bc4e914c3")


def _digest(segment: IndexSegment) -> str:
    return hashlib.sha256(repr(sorted(segment.items())).encode()).hexdigest()[:12]
