"""What is learnt of contents is kept, and gives what learning it anew would give."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from bot.core.context import choose_context
from bot.core.context.index import FILES, Index, build_layer
from bot.core.shelf import Shelf
from bot.core.tree import Blob
from bot.core.types import Context
from tests.core.snapshots import snapshot_of

FILES_OF_TWO_KINDS = {
    "app/parser.py": b"class HTTPParser:\n    def parse_headers(self, raw):\n        return raw.split()\n",
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
        return [{name: layer[name] for name in names if name in layer} for layer in self.kept]

    def add(self, layer: Mapping[str, bytes]) -> None:
        self.kept.append(layer)

    def clear(self) -> None:
        self.kept.clear()


def chosen(files: Mapping[str, bytes], shelf: Shelf, read: list[str] | None = None) -> Context:
    snapshot = snapshot_of(files)

    def noted(blobs: Iterable[Blob]) -> Iterator[bytes]:
        wanted = list(blobs)
        if read is not None:
            read.extend(blob.path for blob in wanted)
        return snapshot.read(wanted)

    return choose_context(replace(snapshot, read=noted, shelf=shelf), TASK, budget_tokens=2_000)


def test_what_was_kept_gives_what_learning_anew_gives() -> None:
    shelf = Memory()

    assert (
        chosen(FILES_OF_TWO_KINDS, shelf) == chosen(FILES_OF_TWO_KINDS, shelf) == chosen(FILES_OF_TWO_KINDS, Memory())
    )
    assert len(shelf.kept) == 1


def test_only_new_contents_are_learnt() -> None:
    shelf = Memory()
    chosen(FILES_OF_TWO_KINDS, shelf)
    later = {
        **FILES_OF_TWO_KINDS,
        "app/other.py": b"def parse_headers():\n    return 2\n",
        "app/copy.md": b"# The parser",
    }

    assert chosen(later, shelf) == chosen(later, Memory())
    assert [line.split()[1] for line in shelf.kept[1][FILES].decode().splitlines()] == ["4", "2"]


def test_a_file_that_only_moved_is_not_read_again() -> None:
    shelf, read = Memory(), list[str]()
    many = {f"m{number}.py": b"y = %d\n" % number for number in range(200)}
    chosen(many, shelf)
    chosen({f"moved/{path}": content for path, content in many.items()}, shelf, read)

    assert len(shelf.kept) == 1
    assert len(read) < len(many)


@pytest.mark.parametrize(
    "damaged",
    [
        {FILES: b"abc: 1\n", "bpars": b"\xff\xff\xff\xff"},
        {FILES: b"abc: 1\n", "bpars": b"123"},
        {FILES: b"\xff"},
        {FILES: b"no number\n"},
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

    assert len(shelf.kept) == 1
    assert len(shelf.kept[0][FILES].splitlines()) == len(FILES_OF_TWO_KINDS)


def test_words_count_as_identifiers_and_as_their_parts() -> None:
    index = Index(["=getusers", "user", "get"])
    index.add(build_layer([("k", "a.py", b"def getUsers(): users()\n")]))

    assert index["k"].length == 3
    assert index["k"].body == {"=getusers": 1, "user": 2, "get": 1}
    assert index["k"].defined == {"=getusers": 1, "user": 1, "get": 1}


def test_the_format_goes_by_its_number() -> None:
    """Where this fails, what is on the shelves of operators would be misread: give FILES another number."""
    layer = build_layer([("k", "a.py", b"class HTTPParser:\n    def parsing_queries(self): return self.x\n")])
    digest = hashlib.sha256(repr(sorted(layer.items())).encode()).hexdigest()

    assert (FILES, digest[:12]) == ("files 1", "f20d439882a4")
