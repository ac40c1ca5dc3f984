"""What a change does to tests, checks, dependencies, CI and reviews is seen, and ordinary work is not
taken for it."""

from __future__ import annotations

import pytest

from bot.change.checks.signs import Sign, find_signs
from bot.types.snapshot import Change
from tests.change.snapshots import view_of


def signs(path: str, old: str | None, new: str | None, **others: str) -> list[Sign]:
    base = view_of({} if old is None else {path: old.encode()})
    changes = {path: Change(path, None if new is None else new.encode())}
    changes |= {name: Change(name, text.encode()) for name, text in others.items()}
    return list(find_signs(base, changes))


PYTHON = "def test_a():\n    assert f() == 1\n\n\ndef test_b():\n    assert g() == 2\n"
PROJECT = '[project]\ndependencies = ["a"]\n\n[tool.mypy]\nstrict = true\n'
CARGO = '[package]\nname = "x"\n\n[dependencies]\na = "1"\n'
PACKAGE = '{"scripts": {"test": "jest"}, "dependencies": {"a": "1"}}'


@pytest.mark.parametrize(
    ("path", "old", "new", "told"),
    [
        ("tests/test_a.py", PYTHON, PYTHON[:30], "tests/test_a.py: 1 test removed (test_b)."),
        ("tests/test_a.py", PYTHON, None, "tests/test_a.py: 2 tests removed (test_a, test_b)."),
        (
            "tests/test_a.py",
            PYTHON,
            PYTHON.replace("assert g() == 2", "pass"),
            "1 assertion fewer.",
        ),
        ("tests/test_a.py", PYTHON, "@pytest.mark.skip\n" + PYTHON, "1 test skipped"),
        ("a.test.js", "test('x', f)\n", "test.skip('x', f)\n", "a.test.js: 1 test removed"),
        ("a_test.go", "func TestA(t *testing.T) {\n}\n", "", "a_test.go: 1 test removed (TestA)."),
        ("tests/a.rs", "#[test]\nfn a() {}\n", "#[test]\n#[ignore]\nfn a() {}\n", "1 test skipped"),
        ("src/a.py", "x = f()\n", "x = f()  # type: ignore\n", "silenced at 1 place more"),
        ("src/a.ts", "f()\n", "// @ts-ignore\nf()\n", "silenced at 1 place more"),
        ("src/a.js", "f()\n", "/* eslint-disable */\nf()\n", "silenced at 1 place more"),
        (".coveragerc", "fail_under = 90\n", "fail_under = 10\n", "a bound of a check is lowered"),
        (
            "pyproject.toml",
            "fail_under = 90\n",
            "fail_under = 0\n",
            "a bound of a check is lowered",
        ),
        (".eslintrc.json", "{}", '{"rules": {}}', ".eslintrc.json says what checks look for."),
        ("requirements.txt", "a==1\n", "a==1\nevil==2\n", "a new dependency (evil)."),
        ("package.json", PACKAGE, PACKAGE.replace('"a": "1"', '"a": "1", "b": "2"'), "(b)."),
        ("package.json", PACKAGE, PACKAGE.replace("jest", "true"), "package.json runs in CI."),
        ("pyproject.toml", PROJECT, PROJECT.replace('"a"', '"a", "b"'), "a new dependency (b)."),
        (
            "pyproject.toml",
            PROJECT,
            PROJECT.replace("= true", "= false"),
            "says what checks look for",
        ),
        ("requirements.txt", "a==1\n", "a @ git+https://evil.example/x\n", "a new dependency (a @"),
        ("go.mod", "require a.org/b v1.0.0\n", "require a.org/c v1.0.0\n", "(a.org/c)."),
        ("Cargo.toml", CARGO, CARGO + 'b = { version = "1" }\n', "(b)."),
        ("Cargo.toml", CARGO, CARGO + '[dependencies.c]\ngit = "x"\n', "c"),
        ("src/lib.rs", "#[test]\nfn a() {}\n", "", "src/lib.rs: 1 test removed"),
        ("uv.lock", "a\n", "b\n", "uv.lock says which versions are installed."),
        (".github/workflows/ci.yml", "a\n", "b\n", ".github/workflows/ci.yml runs in CI."),
        (".github/actions/x/action.yml", None, "b\n", "/action.yml runs in CI."),
        ("Makefile", "test:\n\tpytest\n", "test:\n\ttrue\n", "Makefile runs in CI."),
        (".github/CODEOWNERS", "* @a\n", "", ".github/CODEOWNERS decides reviews,"),
    ],
)
def test_it_is_told(path: str, old: str | None, new: str | None, told: str) -> None:
    assert any(told in sign.sentence for sign in signs(path, old, new))


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("tests/test_a.py", PYTHON, PYTHON + "\n\ndef test_c():\n    assert h()\n"),
        ("tests/test_a.py", PYTHON, PYTHON.replace("== 2", "== 3")),
        ("src/a.py", "def test(x):\n    return x\n", "def check(x):\n    return x\n"),
        ("src/a.py", "x = 1  # noqa\n", "x = 2  # noqa\n"),
        (".coveragerc.md", "fail_under = 90\n", "fail_under = 10\n"),
        ("requirements.txt", "a==1\n", "a==2\n"),
        ("package.json", PACKAGE, PACKAGE.replace('"1"', '"2"')),
        ("package.json", "{", "[["),
        (
            "pyproject.toml",
            PROJECT,
            PROJECT + '[tool.x]\npython_version = "3.11"\nselect = ["E"]\n',
        ),
        ("Cargo.toml", CARGO, CARGO.replace('"x"', '"x"\nedition = "2021"')),
        ("CHANGELOG.md", "a\n", "`# noqa` and `eslint-disable` are read.\n"),
        ("docs/Makefile.md", "a\n", "b\n"),
    ],
)
def test_ordinary_work_is_not(path: str, old: str, new: str) -> None:
    assert signs(path, old, new) == []


def test_a_test_that_moves_is_not_removed() -> None:
    assert signs("tests/test_a.py", PYTHON, None, **{"tests/test_b.py": PYTHON}) == []


def test_large_files_are_told_by_their_names_alone() -> None:
    large = "x\n" * 2_000_000
    assert [each.kind for each in signs("Makefile", large, large + "y\n")] == ["CI"]
