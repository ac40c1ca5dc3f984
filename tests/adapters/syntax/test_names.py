"""The reader of names, in its child process: what it reads, and that no file holds it up."""

from __future__ import annotations

import pytest

from bot.adapters.syntax import Bounded, Limits, parsers
from bot.adapters.syntax.grammar_names import GRAMMARS, read_grammar_names
from bot.adapters.syntax.python_names import read_python_names
from bot.app import build_parsers
from bot.types.source_names import MAX_CALLS, MAX_IMPORTS, Call, Import, Parameters

READ = build_parsers().read_names


def test_python() -> None:
    source = b"""\
import os, numpy
from .order import Order as O

def f(a, /, b=1, *, c): return g(a, *b, d)

class A(Exception):
    def __init__(self, x): self.m(1, y=2)
    def m(self, a): pass
"""
    (names,) = READ([("a.py", source)])
    assert names is not None
    assert names.imports == (
        Import("order", "Order", 1, 2, is_optional=False),
        Import("numpy", "", 0, 1, is_optional=False),
    )
    assert {name for name, _line in names.undefined} == {"g", "d"}
    assert names.exports == frozenset({"os", "numpy", "O", "f", "A"})
    assert names.functions["f"] == Parameters(("a", "b"), 1, ("c",), ("c",), False, False)
    assert names.functions["A"] == Parameters(("x",), 1, (), (), False, False)
    assert Call("A.m", 1, ("y",), False, 7) in names.calls
    assert Call("g", 3, (), True, 4) in names.calls


def test_both_modules_of_the_child_know_the_same_grammars() -> None:
    assert {suffix: parsers.GRAMMARS[suffix] for suffix in GRAMMARS} == GRAMMARS


def test_a_file_of_very_many_imports_or_calls_is_not_judged() -> None:
    imports = b"".join(b"import a%d\n" % number for number in range(MAX_IMPORTS + 1))
    calls = b"f()\n" * (MAX_CALLS + 1)
    assert READ([("a.py", imports), ("b.py", calls)]) == [None, None]


@pytest.mark.parametrize("suffix", ["py", "pyi", *GRAMMARS])
def test_every_language_reads_an_empty_file_and_refuses_a_broken_one(suffix: str) -> None:
    empty, broken, other = READ(
        [(f"a.{suffix}", b""), (f"a.{suffix}", b"((("), ("a.txt", b"import x\n")]
    )
    assert empty is not None
    assert broken is None
    assert other is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.py", b"import " + b"a." * 100_000 + b"a"),
        ("a.py", b"x = " + b"(" * 50_000 + b")" * 50_000),
        ("a.py", b"def f(a):\n" + b" " * 1 + b"return " + b"f(" * 5_000 + b")" * 5_000),
        ("a.py", b"".join(b"if x:\n" + b" " * n for n in range(1, 3_000))),
        ("a.py", b"f(" + b"a," * 100_000 + b")"),
        ("a.js", b"f(" * 50_000 + b")" * 50_000),
        ("a.ts", b"export const {" + b"a," * 100_000 + b"} = b;"),
        ("a.go", b"package a\nfunc f(" + b"a," * 100_000 + b"a int) {}"),
        ("a.rs", b"%w(" * 100_000),
    ],
)
def test_a_file_made_to_exhaust_it_takes_no_other_files_answer(path: str, content: bytes) -> None:
    limits = Limits(cpu_s=2, output_bytes=16 << 20)
    is_python = path.endswith(".py")
    read = Bounded(read_python_names if is_python else read_grammar_names, limits)
    other = ("b.py", b"x = 1\n") if is_python else ("b.ts", b"export const x = 1;\n")
    answers = read([(path, content), other])
    assert answers[1] is not None
    assert answers[1]["exports"] == ["x"]
