"""What the model is answered when it asks to see files, searches and directories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.change.context import Answers, answer_requests
from bot.change.context.answers.pattern import Pattern
from bot.change.context.answers.search import MAX_HITS, _find_hits
from bot.change.context.answers.tree import WorkingTree
from bot.change.edits.reply.requests import read_requests
from bot.change.tokens import estimate_tokens
from bot.types import ShownFile
from bot.types.reply import Request
from bot.types.snapshot import Change, Changes, FileCommit
from tests.change.snapshots import view_of
from tests.doubling import growth_of

_FILES = {
    "README.md": b"Use `add`.\n",
    "src/app.py": b"def main():\n    return add(1, 2)\n",
    "src/math/add.py": b"def add(a, b):\n    return a + b\n",
    "src/math/logo.png": b"\x89PNG\0",
    "tests/test_add.py": b"assert add(1, 2) == 3\n",
}


def _answer(
    *requests: Request,
    files: Mapping[str, bytes] = _FILES,
    changes: Changes = MappingProxyType({}),
    budget_tokens: int = 2_000,
) -> Answers:
    return answer_requests(view_of(files), changes, requests, budget_tokens=budget_tokens)


def test_a_file_is_read_exactly() -> None:
    text = _answer(Request("read", "src/math/add.py")).text
    assert "```\ndef add(a, b):\n    return a + b\n```\n" in text


def test_a_range_is_read_as_asked_for() -> None:
    answers = _answer(Request("read", "src/app.py", 2, 2))
    assert answers.shown == (ShownFile("src/app.py", 2, 2, "the model asked for it"),)
    assert "lines 2-2 of 2:\n```\n    return add(1, 2)\n```" in answers.text


def test_a_path_may_be_shortened_to_an_end_that_only_one_file_has() -> None:
    assert "src/math/add.py, lines 1-2 of 2" in _answer(Request("read", "./math/add.py")).text


def test_a_path_that_does_not_exist_is_answered_with_similar_ones() -> None:
    text = _answer(Request("read", "lib/add.rb")).text
    assert "Near: src/math/add.py, tests/test_add.py." in text


def test_binary_files_are_not_read() -> None:
    assert "not text" in _answer(Request("read", "src/math/logo.png")).text


def test_answers_are_of_the_base_with_the_edits() -> None:
    text = _answer(
        Request("read", "src/app.py"),
        Request("read", "README.md"),
        Request("search", "add\\("),
        changes={
            "src/app.py": Change("src/app.py", b"new\n"),
            "README.md": Change("README.md", None),
        },
    ).text
    assert "```\nnew\n```" in text
    assert "README.md: there is no such file" in text
    assert "src/app.py:2" not in text


def test_a_search_lists_matches_in_source_first() -> None:
    text = _answer(Request("search", r"add\(\w")).text
    assert text.index("src/math/add.py\n  lines 1-2:\ndef add(a, b):\n") < text.index(
        "tests/test_add.py"
    )


def test_a_pattern_that_cannot_be_searched_safely_is_searched_for_literally() -> None:
    text = _answer(Request("search", "(?=here)"), files={"a.txt": b"see (?=here)\n"}).text
    assert "searched for literally" in text
    assert "a.txt\n  line 1:\nsee (?=here)\n" in text


def test_a_directory_is_listed_with_the_number_of_files_below() -> None:
    assert "```\nmath/ (2 files)\napp.py\n```" in _answer(Request("list", "src/")).text
    assert "src/ (3 files)" in _answer(Request("list", ".")).text


def test_a_file_that_does_not_fit_is_cut_at_a_line_and_the_answer_says_so() -> None:
    files = {"long.py": b"".join(b"x = %d\n" % n for n in range(2000))}
    text = _answer(Request("read", "long.py"), files=files, budget_tokens=300).text
    assert "for more" in text
    assert estimate_tokens(text) <= 300


def test_a_fence_is_longer_than_any_in_the_file() -> None:
    text = _answer(Request("read", "a.md"), files={"a.md": b"````\ncode\n````\n"}).text
    assert "`````\n````\ncode" in text


def test_a_hit_keeps_its_indentation_and_names_the_definition_that_it_is_in() -> None:
    method = b"".join(b"        x = %d\n" % n for n in range(9))
    content = b"class Shop:\n    @cached\n    def price(self):\n" + method
    text = _answer(Request("search", "x = 4"), files={"a.py": content}).text
    assert "a.py\n  lines 6-10, in Shop.price (lines 2-12):\n        x = 2\n" in text


def test_lines_that_lie_near_are_one_place_and_many_stand_alone() -> None:
    files = {"a.txt": b"".join(b"%d\n" % n for n in range(100, 200))}
    text = _answer(Request("search", "15[0135]$"), files=files).text
    assert "a.txt\n  lines 49-58:\n148\n" in text
    text = _answer(Request("search", "[05]$"), files=files).text
    assert "search [05]$: 20 lines in 1 files." in text
    text = _answer(Request("search", "[0257]$"), files=files).text
    assert "  line 1:\n100\n  line 3:\n102\n" in text


def test_a_search_is_limited_to_the_files_of_a_pattern() -> None:
    text = _answer(Request("search", r"add\(", glob="src/**")).text
    assert "search add\\( in src/** (3 files): 2 lines in 2 files." in text
    assert "tests/" not in text
    text = _answer(Request("search", "add", glob="../x")).text
    assert "the pattern of paths has a part `.` or `..`" in text


def test_minified_files_are_counted_and_not_shown() -> None:
    files = {"a.js": b"add()\n", "dist/a.min.js": b"add();" * 500}
    text = _answer(Request("search", r"add\("), files=files).text
    assert "1 lines in 1 files. 1 more in minified files and data." in text
    assert "a.min.js" not in text


def test_files_beyond_the_lines_that_are_shown_are_named() -> None:
    files = {f"{name}.txt": b"add\n" * 40 for name in "abc"}
    text = _answer(Request("search", "add"), files=files, budget_tokens=8_000).text
    assert "120 lines in 3 files. Also in c.txt (40)." in text


def test_callers_are_the_lines_that_say_the_name_alone() -> None:
    text = _answer(Request("callers", "math.add()")).text
    assert "callers add: 4 lines in 4 files." in text
    assert "callers a b: that is no name" in _answer(Request("callers", "a b")).text


_SHOP = b"""import x


class Shop:
    '''Sells.'''

    # Old.
    @cached(
        1,
    )
    def price(
        self,
    ) -> int:
        text = '''
no end
'''
        return 1

    def other(self): ...


def price(): ...
"""


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("price", 7, 17), ("Shop.price", 7, 17), ("Shop#other", 19, 19), ("Shop", 4, 19), ("a::Shop", 4, 19)],
)  # fmt: skip
def test_a_definition_is_read_whole(name: str, first: int, last: int) -> None:
    answers = _answer(Request("read", "a.py", name=name), files={"a.py": _SHOP})
    assert [(each.start, each.end) for each in answers.shown] == [(first, last)]


def test_a_definition_that_does_not_exist_is_answered_with_similar_ones() -> None:
    text = _answer(Request("read", "a.py", name="prices"), files={"a.py": _SHOP}).text
    assert "read a.py def prices: there is no such definition. Near: price." in text


def test_the_log_of_a_file_names_its_commits() -> None:
    asked: list[tuple[str, object]] = []

    def log(path: str, lines: tuple[int, int] | None) -> tuple[FileCommit, ...]:
        asked.append((path, lines))
        return (FileCommit("ab" * 20, "2026-01-02", "Add it", "@@ -1 +1 @@\n-a\n+b"),)

    view = replace(view_of(_FILES), log=log)
    requests = [Request("log", "add.py"), Request("log", "src/app.py", 1, 2), Request("log", "no")]
    text = answer_requests(view, {}, requests, budget_tokens=2_000).text
    assert asked == [("src/math/add.py", None), ("src/app.py", (1, 2))]
    assert "log src/math/add.py: 1 of the last 20 commits of the file, newest first." in text
    assert "ababababab 2026-01-02 Add it\n@@ -1 +1 @@\n-a\n+b\n" in text
    assert "log no: there is no such file." in text
    assert "no commit is known" in _answer(Request("log", "README.md")).text


def test_each_line_that_is_no_request_is_answered() -> None:
    answers = _answer(*read_requests(["show me all", "search", "read", "read README.md"]))
    assert "`show me all` is not understood. Write `read PATH`" in answers.text
    assert "search: there is nothing to search for." in answers.text
    assert "`read` is not understood." in answers.text
    assert "Use `add`." in answers.text


def test_a_short_answer_leaves_its_room_to_a_long_one() -> None:
    long = b"".join(b"x = %d\n" % n for n in range(300))
    files = {"long.py": long, **{f"{n}.py": b"y\n" for n in range(5)}}
    requests = [Request("read", "long.py"), *(Request("read", f"{n}.py") for n in range(5))]
    answers = _answer(*requests, files=files, budget_tokens=2_400)
    assert answers.shown[0] == ShownFile("long.py", 1, 300, "the model asked for it")
    assert len(answers.shown) == 6


def test_three_logs_are_read_at_once_since_each_may_take_seconds() -> None:
    view = replace(view_of(_FILES), log=lambda *_: (FileCommit("ab" * 20, "", "Add it", "+b"),))
    requests = [Request("log", "add.py", n, n) for n in range(1, 6)]
    answers = answer_requests(view, {}, [*requests, Request("list", "")], budget_tokens=2_000)
    assert answers.text.count("Add it") == 3
    assert "The top directory" in answers.text
    assert answers.unanswered == 2


def test_a_search_keeps_the_text_of_no_more_files_than_it_shows() -> None:
    files = {f"{n:04}.txt": b"add\n" + b"x" * 1_000 for n in range(500)}
    found = _find_hits(WorkingTree(view_of(files), {}), Pattern("add"), lambda _path: True)
    assert sum(bool(each.text) for each in found.files) == MAX_HITS
    assert found.count == 500


def test_requests_beyond_the_limit_are_counted() -> None:
    assert _answer(*(Request("list", f"{n}") for n in range(15))).unanswered == 3


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("read a.py", Request("read", "a.py")),
        ("- read `./a.py`:3-7", Request("read", "a.py", 3, 7)),
        ("read a.py lines 3 to 7", Request("read", "a.py", 3, 7)),
        ("read a b.py def Shop.price", Request("read", "a b.py", name="Shop.price")),
        ("read a.py def price()", Request("read", "a.py", name="price")),
        ("log a.py", Request("log", "a.py")),
        ("LOG a.py:3-7", Request("log", "a.py", 3, 7)),
        ("callers `price`", Request("callers", "price")),
        ("list ./src/", Request("list", "src")),
        ("search a.* b", Request("search", "a.* b")),
        ("search for x in rows", Request("search", "for x in rows")),
        ("search for x in rows in src/", Request("search", "for x in rows", glob="src/")),
        ("search x in *.py", Request("search", "x", glob="*.py")),
        ("search x in setup.py", Request("search", "x", glob="setup.py")),
        ("search for key in self.rows", Request("search", "for key in self.rows")),
        ('search "x in *.py"', Request("search", "x in *.py")),
        ('search "x in y" in *.py', Request("search", "x in y", glob="*.py")),
        ("search `x` in `src/*.py`", Request("search", "x", glob="src/*.py")),
        ("search 'it''s'", Request("search", "it''s")),
        ("search C0103 --", Request("search", "C0103 --")),
        ("search", Request("search", "")),
        ("find x", Request("unknown", "find x")),
        ("log", Request("unknown", "log")),
        ("read " + "x" * 2_000, Request("unknown", "read " + "x" * 75)),
    ],
)  # fmt: skip
def test_a_request_is_read_in_its_forms(line: str, request_: Request) -> None:
    assert read_requests([line]) == [request_]


def test_blank_lines_and_comments_are_no_requests() -> None:
    assert read_requests(["", "  ", "# all of it"]) == []


@given(
    st.lists(
        st.builds(
            Request,
            st.sampled_from(["read", "search", "callers", "list", "log", "unknown"]),
            st.one_of(st.sampled_from([*_FILES, "src", "a", ".*"]), st.text(max_size=20)),
            st.none() | st.integers(0, 5),
            st.none() | st.integers(0, 5),
            st.sampled_from(["", "", "main", "x"]),
            st.sampled_from(["", "", "*.py", "//"]),
        ),
        max_size=20,
    ),
    st.integers(0, 1000),
)
def test_answers_never_exceed_the_budget(requests: list[Request], budget: int) -> None:
    assert estimate_tokens(_answer(*requests, budget_tokens=budget).text) <= budget


@pytest.mark.slow
@pytest.mark.parametrize(
    ("request_line", "fill"),
    [
        ("read a.py:1-9", "x = 1\n"), ("read a.py", "x" * 80), ("read none.py", "x\n"), ("search x", "x\n"),
        ("search (?:a?){250}b", "a"), ("search .{0,400}x.{0,400}y", "a\n"), ("search ^$", "\n"), ("list .", "x\n"),
        ("search x in *.py", "x\n"), ("callers x", "x\n"), ("read a.py def x", "def x():\n"),
        ("callers x", "def x():\n"), ("callers x", "'''x"), ("log a.py", "x\n"), ("find x", "x\n"),
    ],
)  # fmt: skip
def test_requests_are_answered_in_time_linear_in_the_repository(
    request_line: str, fill: str
) -> None:
    (request,) = read_requests([request_line])

    def run(content: bytes) -> None:
        _answer(request, files={"a.py": content, "b.py": content}, budget_tokens=5_000)

    growth = growth_of(run, lambda n: (fill * (n // len(fill))).encode(), start=4_000, most=130_000)
    assert growth.is_linear, growth


@pytest.mark.slow
def test_many_requests_cost_no_more_than_those_that_are_answered() -> None:
    base = view_of({f"d{number % 97}/f{number}.py": b"x\n" for number in range(500)})

    def requests(count: int) -> list[Request]:
        return [Request("read", f"d{number % 97}/f{number}.py") for number in range(count)]

    growth = growth_of(
        lambda some: answer_requests(base, {}, some, budget_tokens=5_000),
        requests,
        start=1_000,
        most=20_000,
    )
    assert growth.is_linear, growth


def test_a_line_may_name_several_definitions() -> None:
    assert read_requests(["read a.py def f, g and C.h()"]) == [
        Request("read", "a.py", name=name) for name in ("f", "g", "C.h")
    ]


def test_a_pattern_of_paths_that_does_not_reach_below_says_so() -> None:
    (request,) = read_requests(["search add in src/*.py"])
    text = _answer(request, files=_FILES).text
    assert "`src/**/*.py` would look below as well" in text


@pytest.mark.parametrize("glob", ["src/{app,math/add}.py", "{src,docs}/**/{a,b}*.{js,py}"])
def test_a_pattern_of_paths_may_have_alternatives(glob: str) -> None:
    text = _answer(Request("search", r"add\(", glob=glob), files=_FILES).text
    assert "src/app.py" in text
    assert "tests/test_add.py" not in text


def test_a_pattern_with_too_many_alternatives_is_taken_as_it_stands() -> None:
    text = _answer(Request("search", "add", glob="{a,b}" * 12), files=_FILES).text
    assert "(0 files" in text


def test_braces_without_alternatives_are_part_of_a_path() -> None:
    files = {"{name}/a.py": b"add\n", "name/a.py": b"add\n"}
    text = _answer(Request("search", "add", glob="{name}/*.py"), files=files).text
    assert "(1 files" in text
    assert "{name}/a.py" in text
