"""The index beside a repository: shared, never waited for, and removed if it is damaged."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from bot.adapters.git.index_cache import SqliteIndexCache


@pytest.fixture
def cache(tmp_path: Path) -> SqliteIndexCache:
    return SqliteIndexCache(tmp_path / "made/words.sqlite")


def test_segments_come_back_oldest_first_with_what_is_asked(cache: SqliteIndexCache) -> None:
    cache.add({"a": b"1", "b": b"\0"})
    cache.add({"a": b"2", "c": b"3"})

    assert cache.read_segments(["a", "b", "z"]) == [{"a": b"1", "b": b"\0"}, {"a": b"2"}]


def test_many_names_may_be_asked_at_once(cache: SqliteIndexCache) -> None:
    segment = {f"n{number}": b"%d" % number for number in range(1_203)}
    cache.add(segment)

    assert cache.read_segments(list(segment)) == [segment]


def test_clear_removes_everything(cache: SqliteIndexCache) -> None:
    cache.add({"a": b"1"})
    cache.clear()

    assert list(cache.read_segments(["a"])) == []


def test_threads_can_add_at_the_same_time(cache: SqliteIndexCache) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: cache.add({"a": b"%d" % number}), range(20)))

    assert len(cache.read_segments(["a"])) == 20


@pytest.mark.parametrize("content", [b"no database" * 100, b""])
def test_a_damaged_file_is_replaced(
    content: bytes, cache: SqliteIndexCache, tmp_path: Path
) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made/words.sqlite").write_bytes(content)

    assert list(cache.read_segments(["a"])) == []
    cache.add({"a": b"1"})
    assert cache.read_segments(["a"]) == [{"a": b"1"}]


def test_a_file_with_other_tables_is_replaced(cache: SqliteIndexCache, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    with closing(sqlite3.connect(tmp_path / "made/words.sqlite")) as connection:
        connection.execute("CREATE TABLE kept (other)").close()

    assert list(cache.read_segments(["a"])) == []
    cache.add({"a": b"1"})
    assert cache.read_segments(["a"]) == [{"a": b"1"}]


def test_a_path_that_cannot_be_written_keeps_nothing_and_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = SqliteIndexCache(tmp_path / "file/words.sqlite")

    cache.add({"a": b"1"})
    assert list(cache.read_segments(["a"])) == []
