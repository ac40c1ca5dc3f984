"""What is learnt of contents is kept, and gives what learning it anew would give."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from bot.change.context import choose_context
from bot.change.context.index import (
    CONTENTS,
    IN_DIRECTORY,
    IN_NAME,
    PATHS,
    Index,
    learn_contents,
    learn_paths,
)
from bot.types import Context
from bot.types.snapshot import Blob, IndexCache
from tests.change.snapshots import view_of

FILES_OF_TWO_KINDS = {
    "app/parser.py": (
        b"class HTTPParser:\n    def parse_headers(self, raw):\n        return raw.split()\n"
    ),
    "app/other.py": b"def unrelated():\n    return 1\n",
    "docs/parser.md": b"# The parser\n\nIt parses headers.\n",
    "data.py": b"x = 1\0",
}
TASK = "Let parse_headers of the HTTP parser take bytes"


class Memory:
    """A shelf in memory that counts its layers."""

    def __init__(self) -> None:
        self.kept: list[Mapping[str, bytes]] = []

    def layers(self, names: Sequence[str]) -> Sequence[Mapping[str, bytes]]:
        parts = ({name: layer[name] for name in names if name in layer} for layer in self.kept)
        return [part for part in parts if part]

    def add(self, layer: Mapping[str, bytes]) -> None:
        self.kept.append(layer)

    def clear(self) -> None:
        self.kept.clear()


def chosen(files: Mapping[str, bytes], shelf: IndexCache, read: list[str] | None = None) -> Context:
    snapshot = view_of(files)

    def noted(blobs: Iterable[Blob]) -> Iterator[bytes]:
        wanted = list(blobs)
        if read is not None:
            read.extend(blob.path for blob in wanted)
        return snapshot.read(wanted)

    return choose_context(
        replace(snapshot, read=noted, index_cache=shelf), TASK, budget_tokens=2_000
    )


def test_what_was_kept_gives_what_learning_anew_gives() -> None:
    shelf = Memory()

    assert (
        chosen(FILES_OF_TWO_KINDS, shelf)
        == chosen(FILES_OF_TWO_KINDS, shelf)
        == chosen(FILES_OF_TWO_KINDS, Memory())
    )
    assert [
        listing for layer in shelf.kept for listing in (PATHS, CONTENTS) if listing in layer
    ] == [PATHS, CONTENTS]


def test_only_new_contents_are_learnt() -> None:
    shelf = Memory()
    chosen(FILES_OF_TWO_KINDS, shelf)
    later = {
        **FILES_OF_TWO_KINDS,
        "app/other.py": b"def parse_headers():\n    return 2\n",
        "app/copy.md": b"# The parser",
    }

    assert chosen(later, shelf) == chosen(later, Memory())
    assert shelf.kept[2][PATHS].decode().splitlines()[::2] == ["app/copy.md"]
    assert sorted(shelf.kept[3][CONTENTS].decode().splitlines()[1::2]) == ["2", "4"]


def test_a_file_that_only_moved_is_not_read_again() -> None:
    shelf, read = Memory(), list[str]()
    many = {f"m{number}.py": b"y = %d\n" % number for number in range(200)}
    chosen(many, shelf)
    chosen({f"moved/{path}": content for path, content in many.items()}, shelf, read)

    assert sum(CONTENTS in layer for layer in shelf.kept) == 1
    assert len(read) < len(many)


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
def test_a_damaged_layer_is_learnt_again(damaged: Mapping[str, bytes]) -> None:
    shelf = Memory()
    shelf.add(damaged)

    assert chosen(FILES_OF_TWO_KINDS, shelf) == chosen(FILES_OF_TWO_KINDS, Memory())
    assert damaged not in shelf.kept


def test_a_shelf_of_what_is_gone_is_begun_anew() -> None:
    shelf = Memory()
    chosen({f"old{number}.py": b"z = %d\n" % number for number in range(1_100)}, shelf)
    chosen(FILES_OF_TWO_KINDS, shelf)

    assert sorted(shelf.kept[0][PATHS].decode().splitlines()[::2]) == sorted(FILES_OF_TWO_KINDS)
    assert len(shelf.kept) == 2


def test_words_count_as_identifiers_and_as_their_parts() -> None:
    index = Index(CONTENTS, "bd", ["=getusers", "user", "get"])
    index.add(learn_contents([("k", "a.py", b"def getUsers(): users()\n")]))

    assert index.notes[index.numbers["k"]] == 3
    assert [index.counts("b", term) for term in index.terms] == [{0: 1}, {0: 2}, {0: 1}]
    assert [index.counts("d", term) for term in index.terms] == [{0: 1}, {0: 1}, {0: 1}]


def test_many_uses_of_a_term_in_one_file_are_one_posting() -> None:
    layer = learn_contents([("k", "a.py", b"user users userName user_id " * 100)])
    index = Index(CONTENTS, "bd", ["user"])
    index.add(layer)

    assert len(layer["buser"]) == 4
    assert index.counts("b", "user") == {0: 255}


def test_a_second_layer_goes_on_from_the_first_and_repeats_nothing() -> None:
    index = Index(CONTENTS, "bd", ["user"])
    index.add(learn_contents([("one", "a.py", b"user"), ("two", "b.py", b"")]))
    index.add(learn_contents([("two", "b.py", b""), ("three", "c.py", b"users user")]))

    assert index.numbers == {"one": 0, "two": 1, "three": 3}
    assert index.counts("b", "user") == {0: 1, 3: 2}


def test_a_stem_in_a_path_counts_where_it_stands() -> None:
    index = Index(PATHS, "p", ["user", "list"])
    index.add(learn_paths(["users/list.py", "lists/user_lists.py"]))

    assert index.counts("p", "user") == {0: IN_DIRECTORY, 1: IN_NAME}
    assert index.counts("p", "list") == {0: IN_NAME, 1: IN_NAME}


def test_the_formats_go_by_their_numbers() -> None:
    """Where this fails, what is on the shelves of operators would be misread: give the listing
    another number."""
    contents = learn_contents(
        [("k", "a.py", b"class HTTPParser:\n    def parsing_queries(self): return self.x\n")]
    )
    paths = learn_paths(["src/HTTPParser.ts", "docs/a.md", "tests/test_a.py", "logo.png"])

    assert (CONTENTS, _digest(contents)) == ("contents 1", "03805b760a51")
    assert (PATHS, _digest(paths)) == ("paths 1", "3a2bc4e914c3")


def _digest(layer: Mapping[str, bytes]) -> str:
    return hashlib.sha256(repr(sorted(layer.items())).encode()).hexdigest()[:12]
