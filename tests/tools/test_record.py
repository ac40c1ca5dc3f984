"""The recorder of edges: what it takes for the same, and what not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tools.masks import mask
from tests.tools.record import compare, level_of, line_of

A, B, C = (
    line_of({"ask": ask, "body": body})
    for ask, body in (("GET /a", 1), ("GET /b", 1), ("GET /a", 2))
)


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ([(A, B), (A, B)], "ordered"),
        ([(A, B), (B, A)], "bag"),
        ([(A, B), (A, B, B)], "set"),
        ([(A, B), (C, B, B)], "kinds"),
        ([(A,), (B,)], "known"),
    ],
)
def test_the_strictest_level_is_found(given: list[tuple[str, ...]], level: str) -> None:
    assert level_of(given) == level


def test_what_is_random_is_masked_and_still_shows_which_are_the_same() -> None:
    one, other = "a" * 40, "b" * 40
    assert (
        mask(f"{one}..{other} {one} at /here/bot", "/here") == "<sha1>..<sha2> <sha1> at <root>/bot"
    )


def write(run: Path, test: str, path: str, *events: object) -> None:
    run.mkdir(parents=True, exist_ok=True)
    (run / "root").write_text("/here")
    lines = [
        {"test": test, "path": path},
        *({"stream": "github", "body": event} for event in events),
    ]
    (run / f"{test}.{len(path)}.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines)
    )


def test_a_moved_test_is_compared_and_a_changed_one_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    write(old / "run-1", "test_a", "tests/long.py", 1, 2)
    write(old / "run-1", "test_a", "tests/x.py", 1, 3)
    write(new / "run-1", "test_a", "tests/moved/y.py", 1, 3)
    write(new / "run-1", "test_a", "tests/moved/more.py", 1, 2)
    assert compare(old, new) == 0
    write(old / "run-1", "test_b", "tests/x.py", 1)
    write(new / "run-1", "test_b", "tests/x.py", 2)
    assert compare(old, new) == 1
    assert "DIFFERS  test_b (tests/x.py): github" in capsys.readouterr().out
