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


@pytest.mark.parametrize(
    "files",
    [
        {"a.py": "from functools import cache\n\n\ndef f(a):\n    return a\n\n\nf = cache(f)\nf()\n"},
        {"a.py": "try:\n    from fast import f\nexcept ImportError:\n\n    def f(a):\n        pass\n\n\nf()\n"},
        {"a.py": "class A:\n    def run(self):\n        self.done(1)\n\n    def done(self):\n        pass\n\n"
                 "    def set(self, done):\n        self.done = done\n"},
        {"a.py": "class A:\n    def run(self):\n        self.go(1)\n\n    def go(x):\n        pass\n\n"
                 "    go = staticmethod(go)\n"},
        {"a.py": "from enum import Enum\n\n\nclass A(Enum):\n    X = 1, 2\n\n    def __init__(self, a, b):\n"
                 "        pass\n\n\nA(1)\n"},
        {"a.py": "import pytest\n\n\ndef f(a):\n    pass\n\n\nwith pytest.raises(TypeError):\n    f()\n"},
        {"a.py": "import pytest\n\nwith pytest.raises(ImportError):\n    from b import nope\n", "b.py": ""},
        {"p/__init__.py": '__all__ = ["core"]\n', "p/core.py": ""},
        {"p/a.py": "from . import b\nfrom .sub import c\n", "p/b.py": "", "p/sub/c.py": ""},
        {"p/__init__.py": "", "p/a.py": "from ._speedups import fast\nfrom .x_pb2 import y\n"},
        {"p/__init__.py": "", "p/a.py": "from .b import v, w\n",
         "p/b.py": 'match {"k": 1}:\n    case {"k": v, **w}:\n        pass\n'},
        {"p/__init__.py": "", "p/a.py": "from .b import v, __doc__\n",
         "p/b.py": "def f():\n    global v\n    v = 1\n"},
        {"tests/click/__init__.py": "", "tests/x/a.py": "from click.core import echo\n"},
        {"a.go": "package a\n\nfunc handler(a int) {}\n",
         "b.go": "package a\n\nfunc wrap(handler func()) func() { return func() { handler() } }\n"},
        {"a_linux.go": "package a\n\nfunc open(a int) {}\n",
         "a_windows.go": "package a\n\nfunc open(a, b int) {}\n", "b.go": "package a\n\nfunc f() { open(1, 2) }\n"},
        {"a.go": "package a\n\nfunc open(a, b int) {}\n",
         "a_test.go": "package a_test\n\nfunc f() { open(1) }\n"},
        {"a.go": "package a\n\nfunc must(a, b int) { must((two())); must(two[int]()) }\n"},
        {"a.rs": "fn run(a: u8) {}\n\nmod tests {\n    fn run(a: u8, b: u8) {\n        run(1, 2)\n    }\n}\n"},
        {"a.rs": "fn open(a: u8) {}\n\nfn f() {\n    let open = |a, b| a;\n    open(1, 2);\n}\n"},
        {"lib.rs": "mod outer {\n    pub mod inner;\n}\n#[cfg(unix)]\n// odd\nmod z;\n"},
        {"a.js": 'const x = import("./gone").catch(() => 1);\ntry { require("./gone"); } catch {}\n'},
        {"a.ts": 'import b from "./b";\nimport { T } from "./c.mjs";\nimport t from "./$types";\n',
         "b.ios.ts": "export default 1;\n", "c.d.mts": "export declare const T: number;\n"},
        {"a.ts": 'import { T } from "./b";\n', "b.js": "export const x = 1;\n",
         "b.d.ts": "export type T = 1;\nexport declare const x = 1;\n"},
        {"a.js": 'import { x } from "./b.js";\n', "b.js": "Object.assign(module.exports, { x: 1 });\n"},
    ],
)  # fmt: skip
def test_right_code_in_its_many_ways_gives_none(files: Mapping[str, str]) -> None:
    assert broken({}, files) == []


def test_what_is_built_in_is_meant_where_a_function_of_its_name_goes() -> None:
    old = "function fetch(x) {\n  return x;\n}\nfetch(1);\nexport const y = 1;\n"
    assert edited({"a.mjs": old}, "a.mjs", "function fetch(x) {\n  return x;\n}\n", "") == []


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


def test_a_module_beside_the_file_is_one_of_the_repository() -> None:
    files = {"util.py": "def helper(a):\n    pass\n", "main.py": "from util import helper\n"}
    assert edited(files, "main.py", "import helper", "import hepler")
    assert edited(files, "main.py", "helper\n", "helper\n\nhelper()\n")


def test_a_file_that_does_not_parse_gives_none() -> None:
    assert edited(PACKAGE, "shop/main.py", "def main():", "def main(:") == []
    assert broken({"a.py": "def f(:\n"}, {"a.py": "print(missing)\n"}) == []
