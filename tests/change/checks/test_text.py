"""The faults of a change that are found without running it."""

from __future__ import annotations

import pytest

from bot.adapters.syntax import Bounded
from bot.adapters.syntax.parsers import find_fault
from bot.change.checks import find_problems
from bot.types import Parsers, SyntaxChecker
from bot.types.snapshot import Change
from tests.change.snapshots import view_of

CHECK_SYNTAX: SyntaxChecker = Bounded(find_fault)
TOKEN = "ghp_" + "a1B2" * 9
"""Looks like a token, and is nobody's."""


def problems(path: str, before: str | bytes | None, after: str | bytes) -> tuple[str, ...]:
    old, new = (side.encode() if isinstance(side, str) else side for side in (before, after))
    base = view_of({} if old is None else {path: old})
    return find_problems(base, {path: Change(path, new)}, Parsers(CHECK_SYNTAX))


BROKEN = {
    "a.py": ("x = 1\n", "x = (\n", "Python"),
    "a.pyi": ("x: int\n", "x: = int\n", "Python"),
    "a.json": ('{"a": 1}', '{"a": 1,}', "JSON"),
    "a.toml": ("a = 1\n", "a = \n", "TOML"),
    "a.yaml": ("a: [b]\n", "a: [b\n", "YAML"),
    "a.xml": ("<a/>", "<a>", "XML"),
    "a.svg": ("<svg/>", "<svg", "XML"),
}


@pytest.mark.parametrize("path", BROKEN)
def test_a_file_that_parsed_before_and_does_not_now_is_reported(path: str) -> None:
    before, after, language = BROKEN[path]
    (problem,) = problems(path, before, after)
    assert problem.startswith(f"{path} does not parse as {language}, though it did before")


@pytest.mark.parametrize("path", BROKEN)
def test_a_file_that_did_not_parse_before_is_left_alone(path: str) -> None:
    assert problems(path, BROKEN[path][1], BROKEN[path][1] + " \n") == ()


@pytest.mark.parametrize("path", BROKEN)
def test_a_new_file_must_parse_and_one_that_does_is_fine(path: str) -> None:
    assert len(problems(path, None, BROKEN[path][1])) == 1
    assert problems(path, None, BROKEN[path][0]) == ()


@pytest.mark.parametrize(
    "path",
    [
        "tsconfig.json",
        "web/tsconfig.build.json",
        ".vscode/settings.json",
        ".devcontainer/devcontainer.json",
    ],
)
def test_json_that_may_hold_comments_is_not_checked(path: str) -> None:
    assert problems(path, None, "// a comment\n{}\n") == ()


def test_a_warning_of_the_parser_is_no_problem() -> None:
    assert problems("a.py", "x = 1\n", 'x = "\\d"\nassert (x, "always")\n') == ()


def test_new_conflict_markers_are_reported_and_old_ones_are_not() -> None:
    conflict = "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> topic\n"
    assert "conflict markers" in problems("a.txt", "a\n", conflict)[0]
    assert problems("a.txt", conflict, f"x\n{conflict}") == ()
    assert problems("a.rst", "Title\n", "Title\n=======\n") == ()


SECRETS = [
    TOKEN,
    "github_pat_" + "a1B2" * 20,
    "AKIA" + "A1B2" * 4,
    "xoxb-" + "1234567890-abc",
    "AIza" + "a1-B2" * 7,
    "sk_live_" + "a1B2" * 6,
    "sk-proj-" + "a1B2" * 12,
    "-----BEGIN RSA " + "PRIVATE KEY-----",
    "eyJ" + "a1B2" * 5 + ".eyJ" + "a1B2" * 5 + "." + "a1B2" * 5,
    'password = "' + "a1B2c3D4" * 2 + 'e5F6g7H8"',
    "api_key: '" + "0123456789abcdef" * 2 + "'",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_new_secret_is_reported_by_its_line_and_never_quoted(secret: str) -> None:
    (problem,) = problems("a.txt", "x\n", f"x\n{secret}\n")
    assert problem.startswith("a.txt:2 holds what looks like")
    assert secret not in problem


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_that_was_there_is_not_reported_again(secret: str) -> None:
    base = view_of({"a.txt": secret.encode()})
    moved = {"a.txt": Change("a.txt", None), "b.txt": Change("b.txt", f"x {secret}".encode())}
    assert find_problems(base, moved) == ()


@pytest.mark.parametrize(
    "line",
    [
        'password = "correct horse battery staple"',
        "token = get_token(1234567890)",
        'secret: "${{ secrets.GITHUB_TOKEN_1234 }}"',
        'key_path = "a/b/c/d/e/f/g/h/i/j/k"',
        "sk-learn",
        "AKIA",
    ],
)
def test_words_are_no_secrets(line: str) -> None:
    assert problems("a.txt", "", f"{line}\n") == ()


def test_line_ends_that_became_mixed_are_reported() -> None:
    assert "mixes line ends" in problems("a.txt", "a\r\nb\r\n", "a\r\nb\n")[0]
    assert problems("a.txt", "a\r\nb\n", "a\r\nc\n") == ()


def test_an_encoding_that_was_lost_is_reported() -> None:
    assert "no longer UTF-8" in problems("a.txt", "ü\n", b"\xfc\n")[0]
    assert problems("a.txt", b"\xfc\n", b"\xfc\n\n") == ()


def test_deleted_and_binary_files_are_not_checked() -> None:
    base = view_of({"a.py": b"x = 1\n", "b.py": b"\0"})
    assert (
        find_problems(
            base,
            {"a.py": Change("a.py", None), "b.py": Change("b.py", b"\0(\n")},
            Parsers(CHECK_SYNTAX),
        )
        == ()
    )


def test_symlinks_and_submodules_of_the_base_are_not_read() -> None:
    base = view_of(
        {"a.json": b"../x", "b.json": b""}, modes={"a.json": "120000", "b.json": "160000"}
    )
    assert (
        find_problems(
            base,
            {path: Change(path, b"{}") for path in ("a.json", "b.json")},
            Parsers(CHECK_SYNTAX),
        )
        == ()
    )


def test_new_signs_that_turn_the_direction_of_text_are_reported() -> None:
    base = view_of({"old.py": "# \u202e\n".encode()})
    changes = {
        "new.py": Change("new.py", "ok = 1  # \u202e eurt \u2066\n".encode()),
        "old.py": Change("old.py", "# \u202e!\n".encode()),
    }
    (problem,) = find_problems(base, changes)
    assert problem.startswith(
        "new.py now has signs that turn the direction of text (U+202E, U+2066)"
    )
