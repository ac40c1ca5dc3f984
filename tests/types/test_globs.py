"""Patterns of paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.types.globs import compile_globs, glob_problem


@pytest.mark.parametrize(
    ("pattern", "meets", "passes"),
    [
        ("*.lock", ("yarn.lock", "a/b/poetry.lock", "YARN.LOCK"), ("yarn.locks", "lock")),
        (
            "migrations/",
            ("migrations/1.sql", "app/migrations/x/2.sql"),
            ("migrations.py", "old-migrations/1.sql"),
        ),
        ("/docs", ("docs", "docs/a.md"), ("app/docs/a.md",)),
        ("src/*.py", ("src/a.py", "src/a.py/inside"), ("src/a/b.py", "lib/src/a.py")),
        ("src/**", ("src/a", "src/a/b"), ("src", "lib/src/a")),
        ("**/gen/*.go", ("gen/a.go", "x/y/gen/a.go"), ("gen/x/a.go",)),
        ("a/**/b.py", ("a/b.py", "a/x/y/b.py"), ("a/x/b.pyc", "b.py")),
        ("a/**/c/**/d", ("a/c/d", "a/x/c/y/z/d", "a/c/c/d"), ("a/c", "a/d")),
        ("[id].tsx", ("pages/[id].tsx",), ("pages/i.tsx",)),
        ("?.py", ("a.py",), ("ab.py", ".py")),
    ],
)
def test_what_a_pattern_meets(
    pattern: str, meets: tuple[str, ...], passes: tuple[str, ...]
) -> None:
    matches = compile_globs([pattern])
    assert [path for path in meets if not matches(path)] == []
    assert [path for path in passes if matches(path)] == []


def test_no_pattern_meets_nothing() -> None:
    assert not compile_globs(())("a")


@pytest.mark.parametrize("pattern", ["!keep.py", "", "/", " a", "../x", "a/./b"])
def test_a_pattern_that_cannot_be_meant_is_faulty(pattern: str) -> None:
    assert glob_problem(pattern)


@given(
    st.lists(st.text(alphabet="abAB[]", min_size=1, max_size=4), min_size=1, max_size=5).map(
        "/".join
    )
)
def test_a_path_meets_itself_and_all_above_it(path: str) -> None:
    assert compile_globs([f"/{path}"])(path)
    assert compile_globs([f"/{path}"])(f"{path}/inside")


@pytest.mark.parametrize("pattern", ["*a" * 60 + "b", "/".join(["**/a"] * 25) + "/b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    assert not compile_globs([pattern])("/".join(["a" * 200] * 5))
    assert not compile_globs([pattern])("/".join(["a"] * 300))
