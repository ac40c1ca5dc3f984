"""docs/architecture.md is true: its links lead to what they name, the story of one command is what
runs, and its list of files is complete."""

from __future__ import annotations

import ast
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from tests import ROOT
from tests.jobs.conftest import SetScene, set_scene  # noqa: F401 - a fixture

PAGE = ROOT / "docs" / "architecture.md"
TEXT = PAGE.read_text()
LINK = re.compile(r"\[`([\w./]+)`\]\(\.\./([\w./]+)\)")
STORY = TEXT.partition("## The story of one command")[2].partition("\n## ")[0]
FILES = "## The files\n"
FIRST = ("webhook", "bot/web/webhook.py")


def named_in(path: str) -> set[str]:
    """The functions, methods and classes of a file."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


@pytest.mark.parametrize(("name", "path"), sorted(set(LINK.findall(TEXT))))
def test_a_link_leads_to_what_it_names(name: str, path: str) -> None:
    assert (ROOT / path).exists()
    assert name == path or name in named_in(path)


@contextmanager
def first_calls() -> Iterator[list[tuple[str, str]]]:
    """The functions of bot/ that any thread calls from the first delivery on, as (name, path) in
    the order of their first calls."""
    calls: dict[tuple[str, str], None] = {}
    prefix = f"{ROOT}/"

    def profile(frame: FrameType, event: str, _arg: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(prefix):
            call = (frame.f_code.co_name, file.removeprefix(prefix))
            if call == FIRST and call not in calls:
                calls.clear()
            calls.setdefault(call)

    order: list[tuple[str, str]] = []
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield order
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        order.extend(calls)


@pytest.mark.slow
def test_the_story_of_one_command_is_what_runs_in_that_order(
    set_scene: SetScene,  # noqa: F811
) -> None:
    with first_calls() as calls:
        told = set_scene().tell("/tinygen --pr Louder.")
    assert told.report.pull_request_url
    story = [(name, path) for name, path in LINK.findall(STORY) if "/" not in name]
    assert [call for call in calls if call in story] == story


def described_files() -> str:
    """One line for each file of bot/: its name, and the first sentence of its docstring."""
    lines = []
    for path in sorted((ROOT / "bot").rglob("*.py")):
        first = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n\n")[0]
        sentence = re.split(r"(?<=\.) (?=[A-Z`])", " ".join(first.split()))[0]
        lines.append(f"- `{path.relative_to(ROOT)}`: {sentence}\n")
    return "".join(lines)


def test_every_file_is_listed_with_the_first_sentence_of_its_docstring() -> None:
    listed = TEXT.partition(FILES)[2].lstrip("\n")
    assert listed == described_files(), "write it anew by `python -m tests.test_architecture`"


if __name__ == "__main__":
    PAGE.write_text(f"{TEXT.partition(FILES)[0]}{FILES}\n{described_files()}")
