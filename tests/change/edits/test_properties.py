"""What is true of every file and every reply."""

from __future__ import annotations

import random
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bot.change.checks import find_problems
from bot.change.edits import apply_edits, read_reply
from bot.change.edits.align import align
from bot.change.edits.lines import decode, encode, split_lines
from bot.types.reply import Edit
from tests.benchmarks.edits_dirt import CLEAN, DIRTS
from tests.benchmarks.edits_replies import FORMS, Dirt, FileChange, Form, reply
from tests.change.edits.samples import apply_reply
from tests.change.snapshots import view_of
from tests.doubles.edit_blocks import fenced_block

pytestmark = pytest.mark.slow

_WORDS = [
    "alpha",
    "beta(x)",
    "return gamma",
    "}",
    "{",
    "# delta",
    '<a href="x">it\'s</a>',
    "ünï – cödé",
    "",
    "",
    "  ",
    "=======",
    "...",
    "```",
    "- item",
    "--- x",
    "+++ y",
    "@@ -1 +1 @@",
]
_INDENTS = ["", "    ", "        ", "\t", "\t\t", "  "]

_LINES = st.builds(
    lambda indent, word, number: f"{indent}{word}{number}",
    st.sampled_from(_INDENTS),
    st.sampled_from(_WORDS),
    st.sampled_from(["", "", " 1", " 2", " 33"]),
)
"""So few that they repeat; some look like markers, fences and headers."""

_CONTENTS = (
    st.lists(_LINES, min_size=1, max_size=40)
    .map(lambda found: "\n".join(found) + "\n")
    .filter(str.strip)
)
_FORMS = st.sampled_from(FORMS)


@st.composite
def _changes(draw: st.DrawFn, path: str = "src/a.txt") -> FileChange:
    """A file before and after some splices."""
    old = draw(_CONTENTS)
    new = old.split("\n")[:-1]
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(new)))
        end = min(len(new), start + draw(st.integers(0, 3)))
        new[start:end] = draw(st.lists(_LINES, max_size=4))
    return FileChange(path, old, "".join(f"{line}\n" for line in new))


def _is_changed(change: FileChange) -> bool:
    return change.old != change.new and bool(change.new and change.new.strip())


_MARKERS = st.sampled_from(
    [
        "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "```", "```diff", "````", "~~~", "a.py",
        "**b/c.py**", "...", "*** Begin Patch", "*** Update File: a.py", "*** Add File: d.py",
        "*** Delete File: a.py", "*** Move to: e.py", "*** End Patch", "@@", "@@ -1,2 +1,2 @@",
        "--- a/a.py", "+++ b/a.py", "+x = 1", "-x = 1", " x = 1", "x = 1", "", "```request",
        "read a.py:1-2", "diff --git a/a.py b/a.py", "rename from a.py", "rename to f.py", "\u2028",
        "\r", "new file mode 100755", "\\ No newline at end of file", "\ud800",
    ]
)  # fmt: skip
_RAW = st.lists(_MARKERS | st.text(max_size=12), max_size=40).map("\n".join)


@settings(max_examples=300, deadline=None)
@given(_changes().filter(_is_changed), _FORMS)
def test_every_clean_form_gives_exactly_the_change(change: FileChange, form: Form) -> None:
    _is_exact_or_refused(
        change, reply(form, CLEAN, [change], random.Random(0)), may_refuse=form != "diff"
    )


@pytest.mark.parametrize(
    "dirt", [dirt for dirt in DIRTS if "left out" not in dirt.name], ids=lambda dirt: dirt.name
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(_changes().filter(_is_changed), st.integers(0, 9))
def test_every_dirty_form_gives_exactly_the_change_or_is_refused(
    dirt: Dirt, change: FileChange, seed: int
) -> None:
    for form in dirt.forms:
        _is_exact_or_refused(
            change, reply(form, dirt, [change], random.Random(seed)), may_refuse=True
        )


def _is_foreign(change: FileChange) -> bool:
    """Whether it brings the first line indented by tabs, or by spaces: such a line takes on the
    file's own way."""
    old, new = (
        {line[:1] for line in (text or "").split("\n")} & {" ", "\t"}
        for text in (change.old, change.new)
    )
    return bool(old) and old != new


def _is_exact_or_refused(change: FileChange, text: str | None, *, may_refuse: bool) -> None:
    assume(
        text is not None
        and not (change.new or "").lstrip().startswith("@@")
        and not _is_foreign(change)
    )
    assert text is not None
    result = apply_reply({change.path: change.old or ""}, text)
    if result.rejected or read_reply(text, known=(change.path,)).problems:
        assert may_refuse, [rejection.message for rejection in result.rejected]
        return
    assert result.changes[change.path].content == (change.new or "").encode()


@settings(max_examples=60, deadline=None)
@given(
    _changes().filter(_is_changed), st.booleans(), st.booleans(), st.sampled_from(["\n", "\r\n"])
)
def test_what_git_says_of_a_change_gives_exactly_the_change(
    change: FileChange, had: bool, has: bool, end: str
) -> None:
    old, new = (
        _ended(side or "", kept, end) for side, kept in ((change.old, had), (change.new, has))
    )
    # A file without a line end gets the usual one.
    assume(old != new and ("\n" in old or end == "\n"))
    result = apply_reply({"a.txt": old}, f"````````diff\n{_git_diff(old, new)}````````\n")
    assert [rejection.message for rejection in result.rejected] == []
    assert result.changes["a.txt"].content == new.encode()


def _ended(text: str, kept: bool, end: str) -> str:
    return (text if kept else text.removesuffix("\n")).replace("\n", end)


def _git_diff(old: str, new: str) -> str:
    with tempfile.TemporaryDirectory() as directory:
        for name, content in (("old", old), ("new", new)):
            Path(directory, name).write_bytes(content.encode())
        command = [
            "git",
            "-c",
            "core.autocrlf=false",
            "diff",
            "--no-index",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            "old",
            "new",
        ]
        diff = subprocess.run(
            command, cwd=directory, capture_output=True, check=False
        ).stdout.decode()
    return diff.replace("a/old", "a/a.txt").replace("b/new", "b/a.txt")


@given(_CONTENTS, st.integers(0, 40), st.integers(1, 5), st.lists(_LINES, min_size=1, max_size=4))
def test_an_edit_of_exact_lines_changes_them_alone_or_is_refused_as_ambiguous(
    content: str, start: int, count: int, new: list[str]
) -> None:
    content, new = content.replace("\t", " "), [line.replace("\t", " ") for line in new]
    old = content.split("\n")[:-1]
    part = old[start : start + count]
    odd = ("=====", "...", "#", "--")  # a divider, and what may stand for lines that are left out
    assume("".join(part).strip() and part != new)
    assume(not any(sign in line for sign in odd for line in part + new))
    replace = "".join(f"{line}\n" for line in new)
    edit = Edit("replace", "a.txt", "".join(f"{line}\n" for line in part), replace)
    result = apply_edits(view_of({"a.txt": content.encode()}), {}, [edit])
    places = [at for at in range(len(old)) if old[at : at + len(part)] == part]
    if len(places) > 1:
        assert "places" in result.rejected[0].message
    else:
        wanted = "".join(f"{line}\n" for line in [*old[:start], *new, *old[start + len(part) :]])
        got = result.changes["a.txt"].content if result.changes else content.encode()
        assert got == wanted.encode()


@settings(deadline=None)
@given(_RAW)
def test_any_reply_is_read_and_applied_without_failing(text: str) -> None:
    parsed = read_reply(text)
    base = view_of({"a.py": b"x = 1\ny = 2\n", "b/c.py": b"x = 1\r\n"})
    result = apply_edits(base, {}, parsed.edits)
    done = sum(edit.action != "quote" for edit in parsed.edits)
    assert len(result.applied) <= done <= len(result.applied) + len(result.rejected)
    find_problems(base, result.changes)


@settings(deadline=None)
@given(_RAW, st.binary(max_size=200))
def test_a_base_of_any_bytes_is_edited_without_failing(text: str, content: bytes) -> None:
    base = view_of({"a.py": content, "b/c.py": content})
    result = apply_edits(base, {}, read_reply(text).edits)
    assert all(
        change.content != content for path, change in result.changes.items() if path in base.blobs
    )


@given(_RAW)
def test_a_reply_reads_the_same_with_crlf(text: str) -> None:
    assume("\r" not in text and text.count("\n"))
    assert read_reply(text.replace("\n", "\r\n")) == read_reply(text)


@given(_changes().filter(_is_changed))
def test_edits_are_whole_or_not_at_all(change: FileChange) -> None:
    """One bad edit among good ones changes nothing of what those do."""
    text = reply("blocks", CLEAN, [change], random.Random(0)) or ""
    bad = fenced_block(change.path, "no such line anywhere\n", "x\n")
    files = {change.path: change.old or ""}
    assert apply_reply(files, bad + text + bad).changes == apply_reply(files, text).changes


@given(_CONTENTS)
def test_lines_give_back_their_text(text: str) -> None:
    assert split_lines(text).render() == text


@given(st.binary(max_size=100))
def test_bytes_of_any_encoding_come_back(content: bytes) -> None:
    assert encode(split_lines(decode(content)).render()) == content


@given(
    st.lists(st.sampled_from("abcd"), max_size=30), st.lists(st.sampled_from("abcd"), max_size=30)
)
def test_aligned_lines_are_equal_and_ascending(old: list[str], new: list[str]) -> None:
    pairs = align(old, new)
    assert all(old[i] == new[j] for i, j in pairs)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(pairs))
