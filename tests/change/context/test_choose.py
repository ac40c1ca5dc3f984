"""Which files are ranked first, and what is shown of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.change.context import choose_context
from bot.change.tokens import estimate_tokens
from bot.types import Context
from bot.types.snapshot import PastCommit
from tests.change.snapshots import view_of

_SHOP = {
    "README.md": b"# Shop\n\nSells things; the basket holds them, the checkout charges them.\n",
    "shop/__init__.py": b"",
    "shop/basket.py": (
        b"class Basket:\n    def add_item(self, item):\n        self.items.append(item)\n"
    ),
    "shop/checkout.py": (
        b"from shop.basket import Basket\n\n\ndef charge(basket):\n    return"
        b" sum(basket.prices())\n"
    ),
    "shop/mail.py": b"def send_receipt(address):\n    print(address)\n",
    "tests/test_basket.py": (
        b"from shop.basket import Basket\n\n\ndef test_add_item():\n    Basket().add_item(1)\n"
    ),
    "vendor/basket.py": b"class Basket:\n    def add_item(self, item):\n        pass\n",
}


_GREETING = {
    "greet.py": b"def greet(name):\n    return name\n",
    "README.md": b"# greet\n\nCall greet with a name.\n",
}

_WORDS = st.sampled_from(
    [
        "basket",
        "item",
        "def f(x):\n",
        "    return basket\n",
        "\n",
        "class Basket:\n",
        "é",
        "```",
        "x" * 50,
    ]
)
_FILES = st.dictionaries(
    st.sampled_from(["a.py", "b/c.py", "d.md", "tests/e.py", "f.js", "g", "h.min.js", "i.c"]),
    st.lists(_WORDS, max_size=200).map(lambda words: " ".join(words).encode()),
)
_TASKS = st.lists(_WORDS, max_size=20).map(" ".join)


def _choose(files: Mapping[str, bytes], task: str, budget_tokens: int = 2_000) -> Context:
    return choose_context(view_of(files), task, budget_tokens=budget_tokens)


def test_the_file_that_defines_what_the_task_names_comes_first() -> None:
    assert _choose(_SHOP, "add_item loses items").ranking[0] == "shop/basket.py"


def test_a_path_in_the_task_outweighs_its_words() -> None:
    context = _choose(_SHOP, "In shop/mail.py the basket breaks")
    assert context.ranking[0] == "shop/mail.py"


def test_source_comes_before_tests_and_vendored_copies() -> None:
    ranking = _choose(_SHOP, "Basket.add_item").ranking
    assert (
        ranking.index("shop/basket.py")
        < ranking.index("tests/test_basket.py")
        < ranking.index("vendor/basket.py")
    )


def test_a_small_file_is_shown_whole_and_exact() -> None:
    shown = _choose(_SHOP, "add_item").shown[0]
    assert shown.text.encode() == _SHOP["shop/basket.py"]
    assert (shown.start, shown.end) == (1, 3)


def test_a_big_file_is_shown_at_the_function_that_the_task_names() -> None:
    functions = [
        f"def step_{n}(x):\n" + "    x = x + 1\n" * 30 + "    return x\n\n" for n in range(60)
    ]
    functions[41] = "def frobnicate(x):\n    return x / 0\n\n"
    files = {"big.py": "\n".join(functions).encode()}
    context = _choose(files, "frobnicate divides by zero", 1000)
    assert any(
        "def frobnicate(x):\n    return x / 0\n" in excerpt.text for excerpt in context.shown
    )
    assert context.tokens <= 1000


def test_an_empty_repository_gives_an_empty_context() -> None:
    context = choose_context(view_of({}), "Anything", budget_tokens=1000)
    assert (context.ranking, context.shown) == ((), ())


def test_a_file_that_is_not_text_is_never_shown() -> None:
    files = {
        "basket.bin": b"basket\0basket",
        "basket.latin1": "basket \xe9".encode("latin-1"),
        "basket.lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "basket.link": b"elsewhere",
        "basket.sub": b"",
        "bas\udcffket.py": b"basket",
    }
    snapshot = view_of(files, modes={"basket.link": "120000", "basket.sub": "160000"})
    context = choose_context(
        snapshot, "the basket: basket.bin basket.latin1 basket.lfs basket.link", budget_tokens=1000
    )
    assert context.shown == ()
    assert not any("\udcff" in path for path in context.ranking)


@given(_FILES, _TASKS, st.integers(0, 3000))
def test_the_budget_is_never_exceeded(files: dict[str, bytes], task: str, budget: int) -> None:
    context = _choose(files, task, budget)
    texts = "".join(excerpt.text for excerpt in context.shown) + context.map
    assert estimate_tokens(texts) <= context.tokens <= budget


@given(_FILES, _TASKS)
def test_the_same_request_gives_the_same_context(files: dict[str, bytes], task: str) -> None:
    again = dict(reversed(files.items()))
    assert _choose(files, task, 800) == _choose(again, task, 800)


@given(_FILES, _TASKS)
def test_excerpts_are_the_files_own_lines(files: dict[str, bytes], task: str) -> None:
    for excerpt in _choose(files, task, 800).shown:
        lines = files[excerpt.path].decode().splitlines(keepends=True)
        assert excerpt.text == "".join(lines[excerpt.start - 1 : excerpt.end])


def test_documentation_is_not_shown_unless_the_request_is_about_it() -> None:
    chosen = _choose(_GREETING, "greet drops the name")
    assert [part.path for part in chosen.shown] == ["greet.py"]
    assert "README.md" in chosen.map
    for task in (
        "greet drops the name, say so in the README",
        "Document greet and its name",
        "See README.md: greet",
    ):
        chosen = _choose(_GREETING, task)
        assert "README.md" in {part.path for part in chosen.shown}, task


def test_documentation_is_shown_if_there_is_nothing_else() -> None:
    only = {"README.md": _GREETING["README.md"]}
    assert _choose(only, "greet drops the name").shown


def test_the_reason_names_the_words_that_a_file_shares_with_the_task() -> None:
    chosen = _choose(_GREETING, "greet drops the name")
    assert chosen.shown[0].why == "says name, greet"


def test_a_short_gap_between_two_excerpts_is_filled() -> None:
    filler = "".join(
        f"def other_{n}(value):\n" + "    value += 1\n" * 30 + "\n\n" for n in range(12)
    )
    wanted = (
        "def first_wanted():\n    return 1\n\n\ndef x():\n    pass\n\n\ndef second_wanted():\n   "
        " return 2\n\n\n"
    )
    snapshot = view_of({"big.py": (filler + wanted + filler).encode()})
    chosen = choose_context(
        snapshot, "first_wanted and second_wanted are mixed up", budget_tokens=1_500
    )
    assert any(
        "first_wanted" in part.text and "second_wanted" in part.text for part in chosen.shown
    )


def test_every_kind_of_file_can_be_ranked() -> None:
    names = (
        "a.py",
        "a.css",
        "a.sql",
        "a.html",
        "a.yml",
        "a.md",
        "a.bin",
        "tests/test_a.py",
        "examples/a.py",
        "a.min.js",
    )
    files = dict.fromkeys(names, b"greet the name\n")
    assert _choose(files, "greet the name").ranking[0] == "a.py"


def _functions(count: int, lines: int) -> str:
    return "\n".join(
        f"def step_{n}(x):\n" + "    x = x + 1\n" * lines + "    return x\n" for n in range(count)
    )


def test_more_is_not_shown_than_the_task_is_likely_to_need() -> None:
    files = {f"pack/part_{n}.py": _functions(40, 20).encode() for n in range(40)}
    files["pack/mail.py"] = b"def send_receipt(address):\n    return address\n"
    context = _choose(files, "send_receipt in pack/mail.py loses its address", 24_000)
    assert context.shown[0].path == "pack/mail.py"
    assert context.tokens < 4_000


def test_the_tests_that_say_what_may_change_are_shown_with_their_head() -> None:
    tests = (
        "import shop\n\n\n"
        + "".join(f"def test_other_{n}():\n    assert shop.other({n})\n\n\n" for n in range(60))
        + "def test_receipt():\n    assert shop.send_receipt('a') == 'a'\n"
    )
    files = {
        "shop.py": b"def send_receipt(address):\n    return address\n\n\ndef other(n):\n    return n\n",
        "tests/test_shop.py": tests.encode(),
        "tests/test_else.py": b"import other\n\n\ndef test_else():\n    pass\n",
    }
    shown = _choose(files, "send_receipt loses the address", 8_000).shown
    (head, last) = [each for each in shown if each.path == "tests/test_shop.py"]
    assert head.text.startswith("import shop\n")
    assert "def test_receipt" in last.text
    assert head.why == "tests of what may change"


@pytest.mark.parametrize("path", ["CHANGES.rst", "CHANGELOG.md", "docs/changelog.txt", "NEWS"])
def test_the_head_of_the_changelog_is_shown(path: str) -> None:
    log = b"Version 2\n---------\n\n-   One.\n" + b"-   Another one.\n" * 300
    shown = _choose({**_SHOP, path: log}, "add_item loses items", 8_000).shown[-1]
    assert (shown.path, shown.start, shown.why) == (path, 1, "the changelog")
    assert shown.text.startswith("Version 2\n")
    assert shown.tokens <= 100


def test_a_changelog_that_no_commit_touched_of_late_is_not_shown() -> None:
    view = view_of({**_SHOP, "CHANGES": b"Version 1\n", "HISTORY.md": b"1\n"})
    for path, expected in (("CHANGES", 1), ("shop/mail.py", 0)):
        past = replace(view, history=partial(tuple, [PastCommit("Change", (path,))]))
        shown = choose_context(past, "add_item loses items", budget_tokens=8_000).shown
        assert sum(each.why == "the changelog" for each in shown) == expected


_DOCUMENTED = (
    "class Shop:\n"
    '    """Sells.\n' + "    It sells a lot.\n" * 40 + "    .. versionchanged:: 2\n"
    '    """\n\n'
    "    def send_receipt(self, address):\n        return address\n"
)


def test_long_docstrings_are_left_out_but_for_their_ends() -> None:
    files = {"shop.py": _DOCUMENTED.encode()}
    first, second = _choose(files, "send_receipt loses the address", 8_000).shown
    assert first.text == "class Shop:\n" + '    """Sells.\n' + "    It sells a lot.\n" * 2
    assert second.text.startswith("    It sells a lot.\n")
    assert "versionchanged:: 2\n" in second.text
    assert second.text.endswith("return address\n")
    (whole,) = _choose(files, "Document send_receipt and its address", 8_000).shown
    assert whole.text == _DOCUMENTED


def test_overloads_are_left_out() -> None:
    overload = "@overload\ndef send_receipt(address: int) -> int: ...\n\n\n"
    content = f"import typing\n\n\n{overload * 3}def send_receipt(address):\n    return address\n"
    shown = _choose({"shop.py": content.encode()}, "send_receipt loses the address", 8_000).shown
    assert "overload" not in "".join(each.text for each in shown)
    assert "def send_receipt(address):" in shown[-1].text


def test_a_piece_names_the_definition_around_it_if_that_is_not_shown() -> None:
    methods = "".join(
        f"    def step_{n}(self):\n" + "        self.n += 1\n" * 30 + "\n" for n in range(40)
    )
    wanted = "    def send_receipt(self, address):\n        return address\n"
    content = f"import shop\n\n\nclass Shop(Base):\n    '''Sells.'''\n\n{methods}{wanted}"
    (piece,) = [
        each
        for each in _choose({"shop.py": content.encode()}, "send_receipt loses it", 600).shown
        if "def send_receipt" in each.text
    ]
    assert piece.within in ("class Shop(Base): (line 4)", "")
    assert piece.total == content.count("\n")


def test_the_map_names_the_likely_files_with_the_definitions_that_fit() -> None:
    files = {
        f"pack/part_{n}.py": (
            _functions(20, 5) + f"\n\ndef receipt_{n}(address):\n" + "    address += 1\n" * 90
        ).encode()
        for n in range(12)
    }
    outline = _choose(files, "Every receipt loses its address", 6_000).map
    assert outline.startswith("12 files: pack/ (12)\npack/part_")
    assert re.search(
        r"^pack/part_(\d+)\.py \(252 lines\)\n  162: def receipt_\1\(address\):$", outline, re.M
    )
    assert "step_" not in outline


_DOCS = "".join(
    f'def f{n}():\n    """\n' + "    x\n" * 22 + '    """\n    receipt = 1\n' for n in range(30)
)


@given(st.integers(0, 4_000))
def test_what_is_left_out_between_lines_counts_in_the_budget(budget: int) -> None:
    content = "import x\n\n\nclass Receipt:\n" + "".join(
        f"    {line}\n" for line in _DOCS.split("\n")
    )
    context = _choose({"shop.py": content.encode()}, "Receipt receipt f1 f2", budget)
    assert context.tokens <= budget
