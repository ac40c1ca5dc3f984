"""Whether the names of a change still lead somewhere, for each language; only what is sure and new
is found."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bot.change.checks.references import find_broken_references
from tests.change.checks.names import found

PACKAGE = {
    "shop/__init__.py": "from shop.order import Order, total\n",
    "shop/order.py": "class Order:\n    def __init__(self, lines, *, tax=0):\n        self.lines = lines\n"
    "\n    def price(self, rate):\n        return self.round(rate)\n\n    def round(self, x):\n"
    "        return x\n\n\ndef total(orders, start=0):\n    return start\n",
    "shop/main.py": "from shop.order import Order, total\n\n\ndef main():\n    return total([Order([])])\n",
}
SCRIPTS = {
    "src/order.ts": "export function total(a: number, b = 0) {\n  return round(a);\n}\n"
    "function round(x: number) {\n  return x;\n}\nexport const RATE = 1;\n",
    "src/main.ts": 'import { total, RATE } from "./order";\n\ntotal(RATE);\n',
}
GO = {
    "go.mod": "module example.com/shop\n",
    "order.go": "package shop\n\nfunc Total(a int, b ...int) int {\n\treturn round(a, 2)\n}\n\n"
    "func round(a int, places int) int {\n\treturn a\n}\n",
    "main.go": "package shop\n\nfunc Main() int {\n\treturn Total(1) + round(1, 2)\n}\n",
}
RUST = {
    "src/lib.rs": "mod order;\n\nfn total(a: u8) -> u8 {\n    round(a, 2)\n}\n\n"
    "fn round(a: u8, places: u8) -> u8 {\n    a\n}\n",
    "src/order.rs": "pub fn total() {}\n",
}


def broken(old: Mapping[str, str], new: Mapping[str, str | None]) -> list[str]:
    return found(find_broken_references, old, new)


def edited(files: Mapping[str, str], path: str, old: str, new: str) -> list[str]:
    assert old in files[path]
    return broken(files, {path: files[path].replace(old, new)})


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("shop/order.py", "return start", "return strat", "order.py:13 uses `strat`, which is not"),
        ("shop/main.py", "order import Order", "odrer import Order", "main.py:1 imports `shop.odrer`, which is not in"),
        ("shop/main.py", "Order, total", "Ordre, total", "imports `Ordre` from `shop.order`, which does not have"),
        ("shop/main.py", "from shop.order", "from .ordre", "main.py:1 imports `.ordre`, which is not in"),
        ("shop/main.py", "total([Order([])])", "total()", "calls `total` without its argument `orders`"),
        ("shop/main.py", "total([Order", "total(1, 2, [Order", "with 3 arguments, but it takes 2"),
        ("shop/main.py", "Order([])", "Order([], fee=1)", "with `fee`, which it does not take"),
        ("shop/main.py", "Order([])", "Order()", "calls `Order` without its argument `lines`"),
        ("shop/order.py", "self.round(rate)", "self.round()", "calls `round` without its argument `x`"),
        ("shop/order.py", "def round(self, x):", "def round(self, x, y):", "without its argument `y`"),
        ("shop/order.py", "def total(orders", "def total(kind, orders", "main.py:5 calls `total` with"),
        ("shop/order.py", "def total(", "def sum_up(", "main.py:1 imports `total` from `shop.order`"),
    ],
)  # fmt: skip
def test_of_python(path: str, old: str, new: str, said: str) -> None:
    sentences = edited(PACKAGE, path, old, new)
    assert any(said in sentence for sentence in sentences), sentences


@pytest.mark.parametrize(
    ("files", "path", "old", "new", "said"),
    [
        (SCRIPTS, "src/main.ts", "./order", "./odrer", "main.ts:1 imports `./odrer`"),
        (SCRIPTS, "src/main.ts", "total, RATE", "total, RAET", "imports `RAET` from `./order`"),
        (SCRIPTS, "src/order.ts", "const RATE", "const TAX", "main.ts:1 imports `RATE` from `./order`"),
        (SCRIPTS, "src/order.ts", "function round(", "function roundUp(",
         "order.ts:2 calls `round`, which is not defined any more"),
        (GO, "main.go", "round(1, 2)", "round(1)", "main.go:4 calls `round` with 1 of its 2 arguments"),
        (GO, "main.go", "Total(1)", "Total()", "main.go:4 calls `Total` with 0 of its 1 arguments"),
        (GO, "order.go", "func round(a int, places int)", "func round(a int)",
         "main.go:4 calls `round` with 2 arguments, but it takes 1"),
        (GO, "order.go", "func round", "func roundUp",
         "main.go:4 calls `round`, which is not defined any more"),
        (RUST, "src/lib.rs", "mod order;", "mod odrer;", "lib.rs:1 imports `mod odrer`"),
        (RUST, "src/lib.rs", "round(a, 2)", "round(a)", "lib.rs:4 calls `round` with 1 of its 2"),
        (RUST, "src/lib.rs", "fn round", "fn round_up",
         "lib.rs:4 calls `round`, which is not defined any more"),
    ],
)  # fmt: skip
def test_of_other_languages(
    files: Mapping[str, str], path: str, old: str, new: str, said: str
) -> None:
    sentences = edited(files, path, old, new)
    assert any(said in sentence for sentence in sentences), sentences


@pytest.mark.parametrize(
    ("files", "gone"),
    [(PACKAGE, "shop/order.py"), (SCRIPTS, "src/order.ts"), (RUST, "src/order.rs")],
)
def test_who_imports_a_file_that_goes_is_found(files: Mapping[str, str], gone: str) -> None:
    assert any("which is not in the repository" in each for each in broken(files, {gone: None}))
    moved = gone.replace("order", "basket")
    assert broken(files, {gone: None, moved: files[gone]})


def test_only_a_modules_own_getattr_may_give_it_other_names() -> None:
    lazy = (
        PACKAGE["shop/order.py"]
        + "\n\nclass Lazy:\n    def __getattr__(self, name):\n        return 1\n"
    )
    assert edited(
        {**PACKAGE, "shop/order.py": lazy}, "shop/main.py", "Order, total", "Order, sum_up"
    )


def test_a_package_of_go_with_a_file_that_does_not_parse_is_not_judged() -> None:
    files = {**GO, "odd.go": "package shop\n\nfunc round( {\n"}
    assert edited(files, "order.go", "func round", "func roundUp") == []


@pytest.mark.parametrize("files", [PACKAGE, SCRIPTS, GO, RUST])
def test_what_holds_gives_no_sentence(files: Mapping[str, str]) -> None:
    assert broken({}, files) == []
    for path, text in files.items():
        assert edited(files, path, text, f"{text}\n") == []


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("shop/main.py", "total([Order([])])", "total(*ORDERS)\n\n\nORDERS = [[]]"),
        ("shop/main.py", "total([Order([])])", "total(**{'orders': []})"),
        ("shop/main.py", "def main():", "def main(total):"),
        ("shop/main.py", "total([Order([])])", "total()\n\n\ntotal = len"),
        ("shop/main.py", "import Order, total", "import *"),
        ("shop/main.py", "\n\ndef", "\ntry:\n    from shop.fast import x\nexcept ImportError:\n    x = 1\n\n\ndef"),
        ("shop/main.py", "\n\ndef", "\nfrom shop._version import version\n\n\ndef"),
        ("shop/main.py", "\n\ndef", "\nfrom elsewhere import version\n\n\ndef"),
        ("shop/order.py", "    def round(", "    @staticmethod\n    def round("),
        ("shop/order.py", "def total(", "def __getattr__(name):\n    return 1\n\n\ndef summed("),
    ],
)  # fmt: skip
def test_what_is_not_sure_in_python_gives_none(path: str, old: str, new: str) -> None:
    assert edited(PACKAGE, path, old, new) == []


def test_what_is_not_sure_in_other_languages_gives_none() -> None:
    assert edited(SCRIPTS, "src/main.ts", "./order", "../dist/order") == []
    assert edited(SCRIPTS, "src/main.ts", "./order", "order") == []
    assert edited(SCRIPTS, "src/main.ts", "./order", "./order.js") == []
    assert edited(SCRIPTS, "src/order.ts", "export const", "export * from 'x';\nexport const") == []
    assert edited(GO, "main.go", "round(1, 2)", "round(pair())") == []
    assert edited(GO, "main.go", "round(1, 2)", "round(pair...)") == []
    moved = (
        GO["order.go"].replace("func round", "func roundUp").replace("round(a, 2)", "roundUp(a, 2)")
    )
    assert (
        broken(
            GO,
            {
                "order.go": moved,
                "more.go": "package shop\n\nfunc round(a, b int) int { return a }\n",
            },
        )
        == []
    )


def test_what_was_so_before_gives_none() -> None:
    files = {
        "a.py": "from shop.gone import x\n\nprint(missing)\n\n\ndef f(a):\n    pass\n\n\nf()\n",
        "shop/__init__.py": "",
    }
    assert edited(files, "a.py", "pass", "return a") == []


def test_a_file_that_does_not_parse_gives_none() -> None:
    assert edited(PACKAGE, "shop/main.py", "def main():", "def main(:") == []
    assert broken({"a.py": "def f(:\n"}, {"a.py": "print(missing)\n"}) == []
