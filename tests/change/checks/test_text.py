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


def problems_of(new: str, old: str = "", path: str = "a.py") -> list[str]:
    base = view_of({path: old.encode()} if old else {})
    return list(find_problems(base, {path: Change(path, new.encode())}))


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ("ok = 1  # \u202e eurt\n", "a.py:1 now has U+202E (right-to-left override), which turns"),
        ("a\u200bb = 1\n", "a.py:1 now has U+200B (zero width space), which a reader"),
        ("x = 1\ny = '\u3164'\n", "a.py:2 now has U+3164 (hangul filler), which"),
        ("x = '\U000e0041'\n", "a.py:1 now has U+E0041 (tag latin capital letter a), which"),
        ("x = 'a\ufe0f'\n", "a.py:1 now has U+FE0F (variation selector-16), which"),
        ("x = '\x1b[31m'\n", "a.py:1 now has U+001B (escape), which"),
        ("x = 'a\u2028b'\n", "a.py:1 now has U+2028 (line separator), which"),
        ("x = 1\ry = 2\n", "a.py:1 now has U+000D (carriage return), which"),
        ("x = 1\ry = 2\r", "a.py now has lone carriage returns"),
        (
            "is_\u0430dmin = True\n",
            "a.py:1 now has is_\u0430dmin, a word with letters that look like",
        ),
        ("\u0441\u043e\u0440 = 1\ncop = 2\n", "a.py:1 now has \u0441\u043e\u0440, a word with"),
        ("\U0001d42celf = 1\n", "a.py:1 now has \U0001d42celf, a word with letters that look like"),
    ],
)
def test_what_a_reader_does_not_see_or_mistakes_is_named_with_its_line(new: str, told: str) -> None:
    (problem,) = problems_of(new)
    assert problem.startswith(told)


@pytest.mark.parametrize(
    "new",
    [
        "# \U0001f469\u200d\U0001f4bb \u2764\ufe0f 1\ufe0f\u20e3 \u05e2\u05d1\u200f!\n",
        "# \u043f\u0440\u0438\u0432\u0435\u0442, \u0441\u043e\u0440, na\u00efve, 5 \u03bcs, \u0394x, x\u00b2\n",
        "# \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u0915\u094d\u200d\u0937 \uff21\uff30\uff29\n",
        "\ufeffx = 1\n",
    ],
)
def test_what_writing_needs_is_no_deception(new: str) -> None:
    assert problems_of(new) == []


def test_lines_and_words_that_were_there_before_are_not_named() -> None:
    old = "# \u202e\n\u0430dmin = 1\n"
    assert problems_of(old + "x = \u0430dmin\n", old) == []


def test_of_many_kinds_only_some_are_named() -> None:
    kinds = "".join(f"x{number} = '{chr(0xE0041 + number)}'\n" for number in range(9))
    assert problems_of(kinds)[-1] == "a.py has 4 more kinds of such characters and words."
