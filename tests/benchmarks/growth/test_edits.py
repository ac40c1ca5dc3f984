"""Replies, edits and changes made to cost much time: it grows linearly with their size, or the work
is bounded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from bot.change.checks import find_problems
from bot.change.edits import apply_edits, read_reply
from bot.change.edits.lines import compose
from bot.change.review.diff import widen_diff, widen_difference
from bot.types.reply import Edit
from bot.types.snapshot import Change, FileStat, Patch
from tests.change.snapshots import view_of
from tests.doubling import growth_of

MEGABYTE = 1_000_000
MAX_CPU_S = 60.0
"""Far more than the bounded work takes, and far less than quadratic work would."""
CONTEXTS = [
    "", "```\n", "a.py\n```diff\n", "a.py\n```diff\n--- a/a\n+++ b/a\n@@ -1,9 +1,9 @@\n",
    "a.md\n````\n", "```request\n", "a.py\n<<<<<<< SEARCH\n",
    "*** Begin Patch\n*** Update File: a\n",
]  # fmt: skip
"""What stands before the same thing again and again."""
WORST = [
    " ```x\n@@ \n", "```x\n@@ \n", "</think>", "<think></think>", "</think><think></think>",
    "@@ a\n", "\n", "<<<<<<< SEARCH\n",
]  # fmt: skip
"""Those that took quadratic time, or longest, once."""
UNITS = [
    "<", "<<<<<<< SEARCH\n=======\n", "a.py\n<<<<<<< SEARCH\n",
    "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n", "=======\n", ">>>>>>> REPLACE\n",
    " <<<<<<< SEARCH\n<<<<<<< SEARCH\n=======\n>>>>>>> REPLACE\n", "```\n", "```x\n",
    "a.py\n```x\n", "a.py\n```\n", "~~~x\n```y\n", " ```\n", " ```x\n@@ \n+a\n",
    "``` a.py\n@@ -1 +1 @@\n", "a.py\n````md\n```x\n```\n````\n", "a.py\n\n```py\nx\n```\n",
    "*** Begin Patch\n", "*** Update File: a\n", "*** Update File: a\n@@\n+b\n",
    "*** Begin Patch\n*** End Patch\n", "*** Delete File: a\n", "*** Add File: a\n+x\n",
    "--- a\n+++ b\n", "--- a\n+++ b\n@@\n", "--- a/a\n+++ b/a\n@@ -1,9 +1,9 @@\n",
    "diff --git a/a b/a\n", "@@ -1 +1 @@\n", "@@ -1,999999999 +1 @@\n-a\n",
    "@@ -1 +1 @@\n \n\n\n\n", "--- \n", "```diff\n+\n",
    "diff --git a/a b/a\nrename from a\nrename to b\n", "```request\nread a:1-\n", "read a:1-\n",
    "a.py\n", "src/a.py (new file)\n", "`a/b.c` ", "# ", " \n", "\r\n", "\r", "\0", "a\n", "...\n",
    "€", "<think>", "<think>\n", "<think>\n</think>\n", "</think>\n", "cat > a.py <<EOF\n```\n",
    '"path": "content"\n', "    *** Begin Patch\n", "a " * 399 + "\n", " " * 799 + "x\n",
    "a/" * 390 + "\n",
]  # fmt: skip


def grows_linearly(run: Callable[[str], object], context: str, unit: str, end: str = "") -> None:
    growth = growth_of(
        run, lambda n: context + unit * (n // len(unit)) + end, start=4_000, most=130_000
    )
    assert growth.is_linear, growth


@pytest.mark.parametrize("unit", WORST)
def test_a_reply_is_read_in_time_linear_in_its_length(unit: str) -> None:
    grows_linearly(read_reply, "", unit)
    grows_linearly(read_reply, "*** Begin Patch\n*** Update File: a\n", unit, "*** End Patch\n")


@pytest.mark.parametrize(
    "tags", ["</think>", "<think></think>", "</think><think></think>", "<think>a</think>b"]
)
def test_reasoning_on_one_line_is_read_in_time_linear_in_it(tags: str) -> None:
    growth = growth_of(read_reply, lambda n: tags * (n // len(tags)), start=40_000, most=640_000)
    assert growth.is_linear, growth


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("unit", [*WORST, *UNITS])
def test_every_form_is_read_in_time_linear_in_its_length(context: str, unit: str) -> None:
    grows_linearly(read_reply, context, unit)


def lines(count: int) -> list[str]:
    return [f"    line number {number} of a file\n" for number in range(count)]


APPLY: dict[str, Callable[[int], tuple[str, list[Edit]]]] = {
    "one edit of a long file": lambda n: (
        "".join(lines(n)),
        [edit("    line number 5 of a file\n", "x\n")],
    ),
    "blank lines": lambda n: ("\n" * n + "x\n", [edit("\n" * 9 + "y\n", "z\n")]),
    "a long line": lambda n: ("ab " * n, [edit("ab ab ba\n", "z\n")]),
    "a long search": lambda n: ("a\n" * n, [edit("a\n" * (n // 2) + "b\n", "z\n")]),
    "a search that stands everywhere": lambda n: ("a\n" * n, [edit("a\n" * 50, "z\n")]),
    "a file written whole": lambda n: ("".join(lines(n)), [write("".join(lines(n)[::-1]))]),
    "every second line": lambda n: ("".join(lines(n)), [write("".join(lines(n)[::2]))]),
    "lines left out": lambda n: (
        "# a\n" * n + "# ... rest of file\n",
        [write("# ... rest of file\n" * (n // 4))],
    ),
    "a deep indentation": lambda n: (" " * n + "a\nb\n", [edit("a\nb\n", " " * n + "c\n")]),
    "nested headings": lambda n: (
        "".join("\t" * (depth % 50) + "def f():\n" for depth in range(n)) + "    y\n" * 2,
        [edit("    y\n", "z\n", anchors=("def f():",) * 20)],
    ),
    "parts with lines left out between": lambda n: (
        "a b c d e f\n" * n,
        [edit("a b c d e f\n...\n" * 19 + "a b c d e f\nx\n", "y\n")],
    ),
    "typographic signs": lambda n: ("’a “b”\n" * n, [edit('\'a "c"\n', "’x\n")]),
}


def edit(search: str, replacement: str, *, anchors: tuple[str, ...] = ()) -> Edit:
    return Edit("replace", "a.py", search, replacement, anchors=anchors)


def write(content: str) -> Edit:
    return Edit("write", "a.py", replace=content)


@pytest.mark.parametrize("shape", APPLY)
def test_edits_are_applied_in_time_linear_in_the_file(shape: str) -> None:
    growth = growth_of(
        lambda case: apply_edits(view_of({"a.py": case[0].encode()}), {}, case[1]),
        APPLY[shape],
        start=1_000,
        most=70_000,
    )
    assert growth.is_linear, growth


def test_edits_are_applied_in_time_linear_in_their_number() -> None:
    base = view_of({f"{number}.py": "".join(lines(20)).encode() for number in range(200)})

    def edits(count: int) -> list[Edit]:
        return [
            Edit(
                "replace",
                f"{number % 200}.py",
                f"    line number {number // 200} of a file\n",
                f"{number}\n",
            )
            for number in range(count)
        ]

    growth = growth_of(lambda some: apply_edits(base, {}, some), edits, start=100, most=2_000)
    assert growth.is_linear, growth


@pytest.mark.parametrize(
    "search", ["    line number {} of a file\n", "    line  number {} of a file\n", "none {}\n"]
)
def test_a_thousand_edits_of_a_large_file_end_with_the_share_of_work(search: str) -> None:
    base = view_of({"a.py": "".join(lines(100_000)).encode()})
    edits = [edit(search.format(number), f"{number}\n") for number in range(1_000)]
    result = apply_edits(base, {}, edits)
    assert "too much work" in result.rejected[-1].message
    assert sum(len(each.message) for each in result.rejected) < 200_000


@pytest.mark.parametrize(
    "unit",
    [
        "\n", "token\n", " token='\n", "sk-\n", "eyJ" * 20 + "\n", "AKIA" * 990 + "\n",
        "<<<<<<< \n", "eyJ", "ghp_" + "a1B2" * 9 + "\n", "\u202e\n", "password_='" + "a" * 300,
        "-----BEGIN A ", "\r\n", "ü",
    ],
)  # fmt: skip
def test_a_change_is_looked_over_in_time_linear_in_it(unit: str) -> None:
    def run(content: bytes) -> None:
        find_problems(view_of({}), {"a.txt": Change("a.txt", content)})
        find_problems(
            view_of({"a.txt": content}),
            {"a.txt": Change("a.txt", content + b"x"), "b": Change("b", b"")},
        )

    growth = growth_of(run, lambda n: (unit * (n // len(unit))).encode(), start=4_000, most=130_000)
    assert growth.is_linear, growth


@pytest.mark.parametrize(
    "line", ["x", "\t" * 300 + "x", " " * 500, "x" * 500], ids=["short", "tabs", "blank", "long"]
)
def test_the_places_of_a_change_are_found_in_time_linear_in_it(line: str) -> None:
    def change(count: int) -> tuple[Patch, dict[str, Change]]:
        """Every seventh of the lines is new, in a hunk of its own."""
        hunks = [f"@@ -{at},1 +{at},1 @@\n-o\n+{line}\n" for at in range(1, count, 7)]
        text = "diff --git a/a b/a\n--- a/a\n+++ b/a\n" + "".join(hunks)
        content = "".join(" " * (160 - number % 160) + line + "\n" for number in range(count))
        return Patch("s", text, (FileStat("a", 1, 1, "modified"),)), {
            "a": Change("a", content.encode())
        }

    def widen(made: tuple[Patch, dict[str, Change]]) -> None:
        patch, changes = made
        widen_diff(patch, changes, budget_tokens=1_000_000)
        widen_difference(view_of({}), {}, changes, budget_tokens=1_000_000)

    growth = growth_of(widen, change, start=200, most=6_000)
    assert growth.is_linear, growth


def test_an_edit_of_a_file_of_marks_takes_time_linear_in_them() -> None:
    def edit(content: str) -> object:
        return apply_edits(
            view_of({"a.py": content.encode()}), {}, (Edit("replace", "a.py", "c\u0301\n", "d\n"),)
        )

    growth = growth_of(
        edit, lambda n: "a" + "\u0301\u0323" * (n // 2) + "\nb\n", start=4_000, most=130_000
    )
    assert growth.is_linear, growth


def test_a_path_of_marks_takes_time_linear_in_them() -> None:
    growth = growth_of(
        compose, lambda n: "a" + "\u0301\u0323" * (n // 2), start=4_000, most=130_000
    )
    assert growth.is_linear, growth


@pytest.fixture
def bounded_work() -> Iterator[None]:
    """Fails a test that takes too much of the processor's time."""
    start_s = time.process_time()
    yield
    assert time.process_time() - start_s < MAX_CPU_S


def _repeated(text: str, chars: int = 200_000) -> str:
    return text * (chars // len(text))


@pytest.mark.usefixtures("bounded_work")
@pytest.mark.parametrize(
    "unit",
    [
        "<", "<<<<<<< SEARCH\n", "<<<<<<< SEARCH\n=======\n", "a.py\n<<<<<<< SEARCH\n", "=======\n",
        ">>>>>>> REPLACE\n", "```\n", "```x\n", "a.py\n```x\n", "a.py\n```\n", "`" * 40 + "\n",
        "~~~x\n```y\n", " ```\n", "`", "* ", "**", "(", "[a](", "*** Begin Patch\n",
        "*** Update File: a\n", "*** Update File: a\n@@\n+b\n", "*** Add File: a\n+x\n-", "*** ",
        "--- a\n+++ b\n", "--- a/a\n+++ b/a\n@@ -1,9 +1,9 @@\n", "diff --git a/a b/a\n",
        "@@ -1 +1 @@\n", "--- \n", "```diff\n--- a/a\n+++ b/a\n", "```request\nread a:1-\n",
        "read a:1-\n", "a.py\n", "in in in ", "File: ", "./", "a/", "# ", "<think>", "\r\n", "\r",
        "\0", "\ud800", "\u200d", "....", "…",
    ],
)  # fmt: skip
def test_the_same_again_and_again_is_read_in_bounded_work(unit: str) -> None:
    read_reply(_repeated(unit))
    read_reply("```\n" + _repeated(unit) + "\n```\n")
    read_reply("a.py\n```diff\n" + _repeated(unit))
    read_reply("```request\n" + _repeated(unit))


@pytest.mark.usefixtures("bounded_work")
@pytest.mark.parametrize(
    "line",
    [
        "<" * MEGABYTE,
        "<<<<<<< SEARCH" + " " * MEGABYTE + "x",
        "`" * MEGABYTE,
        "# " * 500_000,
        "@@" + " -1" * 300_000,
        "--- " + "a" * MEGABYTE,
    ],
)
def test_a_line_of_a_megabyte_is_read_in_bounded_work(line: str) -> None:
    read_reply(f"{line}\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n" * 3)
    read_reply(f"```diff\n--- a/a\n+++ b/a\n{line}\n+{line}\n```\n")


@pytest.mark.usefixtures("bounded_work")
@pytest.mark.parametrize("unit", ["<<<<<<<", "<<<<<<< SEARCH\n", "```\n"])
def test_a_megabyte_of_markers_is_read_in_bounded_work(unit: str) -> None:
    read_reply(_repeated(unit, MEGABYTE))


@pytest.mark.usefixtures("bounded_work")
def test_deep_fences_are_read_in_bounded_work() -> None:
    read_reply("".join(f"a.md\n{'`' * length}x\n" for length in range(3, 1400)))
    read_reply("".join(f"a.md\n{'`' * length}x\n" for length in range(1400, 3, -1)))


@pytest.mark.usefixtures("bounded_work")
@pytest.mark.parametrize(
    "content",
    ["a\n" * 500_000, "ab" * 500_000, "\n" * MEGABYTE, "a\nb\n" * 250_000, " " * MEGABYTE],
)
@pytest.mark.parametrize(
    "search",
    ["a\n", "a\n" * 20_000 + "b\n", "\n\n\n", "ab" * 20_000, "a\n...\n" * 5_000, "x\n" * 10_000],
)
def test_edits_of_a_repetitive_megabyte_are_applied_in_bounded_work(
    content: str, search: str
) -> None:
    edits = [Edit("replace", "a.txt", search, f"{search}new {number}\n") for number in range(10)]
    apply_edits(view_of({"a.txt": content.encode()}), {}, edits)


@pytest.mark.usefixtures("bounded_work")
def test_a_thousand_edits_that_match_nothing_are_refused_in_bounded_work() -> None:
    content = "".join(f"line {number} of many\n" for number in range(100_000)).encode()
    edits = [
        Edit("replace", "a.txt", f"line {number} of few\n", "x\n", anchors=("many",) * 50)
        for number in range(1000)
    ]
    assert len(apply_edits(view_of({"a.txt": content}), {}, edits).rejected) == 1000


@pytest.mark.usefixtures("bounded_work")
def test_a_thousand_edits_of_one_large_file_are_applied_or_refused_in_bounded_work() -> None:
    content = "".join(f"line {number} of many\n" for number in range(100_000)).encode()
    edits = [
        Edit("replace", "a.txt", f"line {number} of many\n", f"{number}\n")
        for number in range(1000)
    ]
    result = apply_edits(view_of({"a.txt": content}), {}, edits)
    assert len(result.applied) + len(result.rejected) == 1000


@pytest.mark.usefixtures("bounded_work")
def test_headings_that_stand_everywhere_are_followed_in_bounded_work() -> None:
    content = ("def f():\n" + "    x\n" * 3) * 20_000
    edits = [Edit("replace", "a.py", "    x\n", "    y\n", anchors=("def f():",) * 20)] * 3
    assert len(apply_edits(view_of({"a.py": content.encode()}), {}, edits).rejected) == 3


@pytest.mark.usefixtures("bounded_work")
def test_edits_of_a_file_of_short_lines_that_others_changed_end_with_the_share_of_work() -> None:
    base = view_of({"a.py": b"a\n" * 100_000 + b"b0\n"})
    edits = [edit(f"b{number}\n", f"b{number + 1}\n") for number in range(1_000)]
    assert "too much work" in apply_edits(base, {}, edits).rejected[-1].message


@pytest.mark.usefixtures("bounded_work")
def test_a_hundred_thousand_files_are_looked_over_in_bounded_work() -> None:
    files = {f"d{number % 997}/f{number}.py": b"" for number in range(100_000)}
    edits = [Edit("write", f"d{number}/new.py", replace="x\n") for number in range(300)]
    edits += [Edit("delete", f"nowhere/{number}.py") for number in range(100)]
    assert len(apply_edits(view_of(files), {}, edits).applied) == 300


@pytest.mark.usefixtures("bounded_work")
@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.txt", "AKIA" * 200_000), ("a.txt", "token" * 200_000 + "='"),
        ("a.txt", "-----BEGIN " * 80_000), ("a.txt", "sk-" * 300_000), ("a.txt", "eyJ" * 300_000),
    ],
)  # fmt: skip
def test_hostile_content_is_checked_in_bounded_work(path: str, content: str) -> None:
    find_problems(view_of({}), {path: Change(path, content.encode())})
