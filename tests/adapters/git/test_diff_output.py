"""Parsing what `git diff-tree` prints."""

from __future__ import annotations

import pytest

from bot.adapters.git.diff_output import Diff, parse_diff
from tests.doubling import growth_of

OID = "0" * 40


def printed(patch: bytes, *paths: bytes, status: str = "M") -> bytes:
    raw = b"".join(
        b":100644 100644 %s %s %s\0%s\0" % (OID.encode(), OID.encode(), status.encode(), p)
        for p in paths
    )
    counts = b"".join(b"1\t1\t%s\0" % path for path in paths)
    return raw + counts + b"\0" + patch


def section(path: bytes, line: bytes) -> bytes:
    return b"diff --git a/%s b/%s\n--- a/%s\n+++ b/%s\n@@ -1 +1 @@\n-%s\n+new\n" % (
        path,
        path,
        path,
        path,
        line,
    )


def test_only_the_parts_that_are_not_text_are_named() -> None:
    patch = (
        section(b"a", b"x")
        + section(b"b", b"diff --git \xff")
        + section(b"c", b"\0")
        + section(b"d", b"y")
    )
    assert parse_diff(printed(patch, b"a", b"b", b"c", b"d")).non_text_paths() == {b"b", b"c"}


def test_a_change_of_type_has_two_parts() -> None:
    patch = section(b"a", b"x") + section(b"a", b"\xff") + section(b"b", b"x")
    entries = (
        *parse_diff(printed(b"", b"a", status="T")).entries,
        *parse_diff(printed(b"", b"b")).entries,
    )
    assert Diff(entries, {}, patch).non_text_paths() == {b"a"}


@pytest.mark.slow
def test_parsing_takes_time_linear_in_the_number_of_files() -> None:
    def output(count: int) -> bytes:
        paths = [b"%d" % number for number in range(count)]
        return printed(b"".join(section(path, b"x") for path in paths), *paths)

    growth = growth_of(
        lambda said: parse_diff(said).non_text_paths(), output, start=200, most=20_000
    )
    assert growth.is_linear, growth
