"""A snapshot with changes that are not committed yet."""

from __future__ import annotations

from dataclasses import replace

from bot.change.repository import with_changes
from bot.types.snapshot import Change
from tests.change.snapshots import view_of


def test_it_is_what_a_commit_of_the_changes_would_be() -> None:
    base = view_of({"a": b"1\n", "b/c": b"2\n", "z": b"3\n"}, modes={"z": "100755"})
    changes = {
        "a": Change("a", None),
        "b/c": Change("b/c", b"2!\n"),
        "m": Change("m", b"3\n", "120000"),
    }
    after = with_changes(base, changes)
    wanted = view_of(
        {"b/c": b"2!\n", "m": b"3\n", "z": b"3\n"}, modes={"z": "100755", "m": "120000"}
    )
    assert list(after.blobs.items()) == list(wanted.blobs.items())
    assert list(after.read(after.blobs.values())) == [b"2!\n", b"3\n", b"3\n"]
    assert after.sha == base.sha


def test_files_that_did_not_change_are_read_from_the_base_in_their_order() -> None:
    base = view_of({"a": b"1\n", "b": b"2\n", "c": b"3\n"})
    after = with_changes(base, {"b": Change("b", b"4\n")})
    assert list(after.read(after.blobs.values())) == [b"1\n", b"4\n", b"3\n"]


def test_what_was_hidden_stays_so_and_what_was_changed_is_shown() -> None:
    base = view_of({"a": b"1\n", "b": b"2\n", "hidden": b"3\n"})
    shown = replace(base, shown={"a": base.blobs["a"], "b": base.blobs["b"]})
    after = with_changes(shown, {"b": Change("b", b"4\n"), "new": Change("new", b"5\n")})
    assert list(after.shown) == ["a", "b", "new"]
