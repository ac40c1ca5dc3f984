"""Replies as real models write them (tests/samples/replies), against what git makes of the expected
patch."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bot.change.edits import apply_edits, read_reply
from tests.change.snapshots import view_of

SAMPLES = Path(__file__).parents[2] / "samples" / "replies"
WHAT_IT_SHOWS = {
    "blocks_with_headings": (
        "paths in headings, prose between, a new file, edits of one file out of order"
    ),
    "envelope_with_anchors": "a place told apart by its class, a move with a change, a new file",
    "diff_with_wrong_numbers": (
        "a hunk misnumbered, one without numbers, an empty line without its space, CRLF"
    ),
    "whole_files": (
        "a file with fences, one with CRLF and no final newline, and a snippet that is no file"
    ),
    "thoughts_and_lost_indentation": (
        "edits in the thoughts that are not meant, blocks at the margin"
    ),
    "small_model": "no fences, line numbers copied, spaces for tabs, a CRLF reply",
    "edits_and_requests": "edits beside wishes to see more",
}


def _files(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", WHAT_IT_SHOWS)
def test_a_sample_reply_makes_what_its_patch_says(name: str, tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "files", tmp_path / "files")
    subprocess.run(["git", "apply", SAMPLES / f"{name}.diff"], cwd=tmp_path / "files", check=True)
    files = _files(SAMPLES / "files")
    parsed = read_reply((SAMPLES / f"{name}.md").read_bytes().decode())
    result = apply_edits(view_of(files), {}, parsed.edits)
    assert parsed.problems == ()
    assert result.rejected == ()
    made = files | {path: change.content for path, change in result.changes.items()}
    assert {path: content for path, content in made.items() if content is not None} == _files(
        tmp_path / "files"
    )


def test_every_sample_has_its_patch_and_its_reason() -> None:
    replies = {path.stem for path in SAMPLES.glob("*.md")} - {"README"}
    assert replies == {path.stem for path in SAMPLES.glob("*.diff")} == WHAT_IT_SHOWS.keys()
