from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from bot.adapters.grammar import MAX_FILE_BYTES, Grammars
from bot.core.edits import find_problems
from bot.core.tree import Change
from tests.core.snapshots import snapshot_of

WHOLE = {
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


def test_what_a_language_allows_has_no_fault() -> None:
    assert dict(zip(WHOLE, Grammars()([*WHOLE.items()]), strict=True)) == dict.fromkeys(WHOLE)


def test_a_broken_file_is_told_by_its_line() -> None:
    broken = [(path, b"\n" + content + b"(((") for path, content in WHOLE.items()]
    for (path, content), fault in zip(broken, Grammars()(broken), strict=True):
        assert fault, path
        assert 2 <= int(fault.split()[1].rstrip(":")) <= content.count(b"\n") + 1, fault


def test_what_is_missing_is_named() -> None:
    assert Grammars()([("a.go", b"package a\n\nfunc b() {\n\tc()\n")]) == ["line 5: `}` is missing"]


def test_what_has_no_grammar_here_or_is_too_large_is_not_judged() -> None:
    files = [("a.c", b"int a( {"), ("README", b"((("), ("a.js", b"(" * (MAX_FILE_BYTES + 1)), ("b.js", b"(")]
    assert Grammars()(files) == [None, None, None, "line 1: a syntax error"]


@pytest.mark.slow
def test_a_file_made_to_exhaust_its_parser_stops_at_the_childs_bounds() -> None:
    with capture_logs() as logs:
        assert Grammars()([("a.rs", b"%w(" * 7_000), ("b.js", b"(")]) == [None, None]
    assert [event["event"] for event in logs] == ["changed files could not be parsed"]


def test_only_what_parsed_before_is_the_changes_fault() -> None:
    base = snapshot_of({"a.go": b"package a\n", "b.go": b"package (\n"})
    changes = {path: Change(path, b"package a\n\nfunc {\n") for path in ("a.go", "b.go", "c.go")}
    assert find_problems(base, changes, Grammars()) == (
        "a.go does not parse as Go, though it did before: line 3: a syntax error.",
        "c.go does not parse as Go: line 3: a syntax error.",
    )
