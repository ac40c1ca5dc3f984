"""Whether files parse, checked in a child process."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bot.adapters.syntax import Bounded, Limits
from bot.adapters.syntax.parsers import find_fault
from bot.change.checks import find_problems
from bot.change.checks.syntax import MAX_CHECKED_BYTES
from bot.types import Parsers
from bot.types.snapshot import Change
from tests.change.snapshots import view_of

check_syntax = Bounded(find_fault)
VALID = {
    "a.py": b"async def a(b: int) -> None: ...\n",
    "a.pyi": b"a: int\n",
    "a.json": b'\xef\xbb\xbf{"a": [1]}\n',
    "a.toml": b"[a]\nb = 1\n",
    "a.yaml": b"a: &b [1]\nc: *b\n---\nd: !e f\n",
    "a.yml": b"- a\n",
    "a.xml": b"<a><b/></a>\n",
    "a.svg": b"<svg/>\n",
    "a.xsd": b"<a/>\n",
    "a.csproj": b"<Project/>\n",
    "a.js": b"const a = (b) => b?.c ?? 1;\n",
    "a.jsx": b"const a = <p>{b}</p>;\n",
    "a.mjs": b"export default async () => { await a; };\n",
    "a.cjs": b"module.exports = class { #a = 1; };\n",
    "a.ts": b"const a = <T,>(b: T): b is T & {} => true;\n",
    "a.mts": b"export type A = `${number}px`;\n",
    "a.cts": b"import a = require('a');\n",
    "a.tsx": b"const a = (b: B) => <p>{b.c}</p>;\n",
    "a.go": b"package a\n\nfunc b[T any](c T) { defer d() }\n",
    "a.rs": b"fn a<'b>(c: &'b str) -> impl Fn() + 'b { move || { dbg!(c); } }\n",
    "a.java": b'record A(int b) { void c() { var d = """\n  e"""; } }\n',
    "a.rb": b"def a(b:) = b&.c { |d| d in {e:} }\n",
    "a.php": b"<?php\nenum A: string { case B = 'c'; }\n",
    "a.sh": b"a=$(b <<'C'\nd\nC\n)\n",
    "a.bash": b"if [[ $a =~ b ]]; then c; fi\n",
}


def test_a_valid_file_has_no_syntax_error() -> None:
    assert dict(zip(VALID, check_syntax([*VALID.items()]), strict=True)) == dict.fromkeys(VALID)


def test_a_syntax_error_is_reported_with_its_line() -> None:
    broken = [(path, b"\n" + content + b"(((") for path, content in VALID.items()]
    for (path, content), fault in zip(broken, check_syntax(broken), strict=True):
        assert fault, path
        number = fault.partition("line ")[2].split()[0].rstrip(":,")
        assert 1 <= int(number) <= content.count(b"\n") + 2, fault


def test_a_missing_token_is_named() -> None:
    assert check_syntax([("a.go", b"package a\n\nfunc b() {\n\tc()\n")]) == [
        "line 5: `}` is missing"
    ]


def test_a_warning_of_a_parser_is_no_syntax_error() -> None:
    assert check_syntax([("a.py", b'x = "\\d"\nassert (x, "always")\n')]) == [None]


def test_a_file_without_a_parser_is_not_checked() -> None:
    assert check_syntax([("a.c", b"int a( {"), ("README", b"((("), ("b.js", b"(")]) == [
        None,
        None,
        "line 1: a syntax error",
    ]


NESTED = {
    "a.py": b"(" * 100_000,
    "b.py": b"x = " + b"-" * 100_000 + b"1",
    "c.py": b"f" + b"()" * 100_000,
    "a.json": b"[" * 200_000,
    "a.toml": b"a = " + b"[" * 100_000,
    "a.xml": b"<a>" * 200_000,
}


def test_deep_nesting_is_an_error_or_unknown_and_leaves_the_other_answers() -> None:
    *faults, last = check_syntax([*NESTED.items(), ("b.json", b"{")])
    assert all(fault is None or fault.count("\n") == 0 for fault in faults)
    assert last
    assert faults[3] == "it is nested too deeply"


def test_entities_that_grow_without_bound_are_not_expanded() -> None:
    entities = "".join(
        f'<!ENTITY e{number} "{f"&e{number - 1};" * 50}">' for number in range(1, 30)
    )
    bomb = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e0 "x">{entities}]><a>&e29;</a>'
    assert check_syntax([("a.xml", bomb.encode())]) == [None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.py", b"import " + b"a." * 200_000 + b"a"),
        ("a.yaml", b"[" * 100_000),
        ("a.toml", b"a." * 200_000 + b"b = 1"),
        ("a.json", b"1" * 900_000),
        ("a.rs", b"%w(" * 300_000),
    ],
)
def test_a_file_made_to_exhaust_its_parser_takes_no_other_files_verdict(
    path: str, content: bytes
) -> None:
    check_quickly = Bounded(find_fault, Limits(cpu_s=2))
    assert check_quickly([(path, content), ("b.js", b"(")])[1] == "line 1: a syntax error"


def test_only_what_parsed_before_is_the_changes_fault() -> None:
    base = view_of({"a.go": b"package a\n", "b.go": b"package (\n"})
    changes = {path: Change(path, b"package a\n\nfunc {\n") for path in ("a.go", "b.go", "c.go")}
    assert set(find_problems(base, changes, Parsers(check_syntax))) == {
        "a.go does not parse as Go, though it did before: line 3: a syntax error.",
        "c.go does not parse as Go: line 3: a syntax error.",
    }


def test_only_files_of_a_known_language_and_size_are_checked() -> None:
    checked: list[str] = []

    def check(files: Sequence[tuple[str, bytes]]) -> list[str | None]:
        checked.extend(path for path, _ in files)
        return [None] * len(files)

    sizes = {
        "a.js": MAX_CHECKED_BYTES,
        "b.js": MAX_CHECKED_BYTES + 1,
        "c.txt": 1,
        "tsconfig.json": 1,
    }
    find_problems(
        view_of({}),
        {path: Change(path, b"a" * size) for path, size in sizes.items()},
        Parsers(check),
    )
    assert checked == ["a.js"]
