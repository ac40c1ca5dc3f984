"""An answer's places, and what the answer of a model that means harm may cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from bot.change.answer import MAX_REFERENCES, MAX_SAME_NAME, UNFINISHED, answer
from bot.types import Answer, ModelLimits, Task
from bot.types.snapshot import Blob, RepositoryView
from tests.change.scripted import Script
from tests.change.snapshots import view_of

FILES = {"src/a b.py": b"1\n2\n3\n", "src/c.py": b"1\n", "lib/c.py": b"1\n", "README.md": b"1\n2"}


def ask(script: Script, view: RepositoryView | None = None) -> Answer:
    task = Task("o/r", "Where?", is_question=True)
    return answer(task, view or view_of(FILES), script, limits=ModelLimits(), changes={})


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("src/a b.py:2", ("src/a b.py", 2, 2)),
        ("a b.py:1-3", ("src/a b.py", 1, 3)),
        ("./README.md#L1-L2", ("README.md", 1, 2)),
        ("README.md", ("README.md", None, None)),
        ("c.py:1", None),  # two files are named so
        ("src/a b.py:4", None),
        ("src/a b.py:3-2", None),
        ("src/a b.py:0", None),
        ("../README.md:1", None),
        ("localhost:8000", None),
    ],
)
def test_a_place_is_one_that_exists_and_that_no_other_may_be(
    words: str, place: tuple[str, int | None, int | None] | None
) -> None:
    found = ask(Script(f"At `{words}`.")).references
    assert [(each.path, each.start, each.end) for each in found] == ([place] if place else [])


def test_an_answer_that_names_many_files_has_few_of_them_read() -> None:
    view = view_of({f"f{n}": b"1\n" for n in range(400)})
    counted: list[str] = []

    def read(blobs: Iterable[Blob]) -> Iterator[bytes]:
        wanted = list(blobs)
        if len(wanted) == 1:
            counted.append(wanted[0].path)
        yield from view.read(wanted)

    text = " ".join(f"`f{n}:9`" for n in range(400))
    assert ask(Script(text), replace(view, read=read)).references == ()
    assert len(counted) < MAX_REFERENCES + 10  # what is chosen to be shown is read, too


def test_a_name_that_very_many_files_have_is_meant_by_its_whole_path_alone() -> None:
    view = view_of({f"d{n}/x.py": b"1\n" for n in range(MAX_SAME_NAME + 1)})
    found = ask(Script("`d7/x.py:1`, not `7/x.py:1`"), view).references
    assert [each.path for each in found] == ["d7/x.py"]


def test_an_answer_that_never_ends_is_said_to_be_cut() -> None:
    said = ask(Script("One, ", "two, ", "three", finish=["length"] * 3))
    assert said.text == "One, two, three"
    assert UNFINISHED in said.notes
