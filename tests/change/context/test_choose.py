"""Which files are ranked first, and what is shown of them."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from bot.change.context import choose_context
from bot.change.tokens import estimate_tokens
from bot.types import Context
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
    texts = "".join(excerpt.text for excerpt in context.shown) + context.outline
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
    assert "README.md" in chosen.outline
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
