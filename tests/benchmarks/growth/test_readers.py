"""No text holds a worker: what reads issues, comments, logs, settings and repositories takes time
linear in them.

Each reader is doubled on the same few characters again and again, the shapes that are nested or
that rise and fall among them; see test_patterns.py for the regular expressions inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from bot.change.context import (
    answer_requests,
    build_context,
    choose_context,
    render_wide_map,
    weigh_repository,
)
from bot.change.context.definitions import MAX_LINE_BYTES, find_definitions, find_names
from bot.change.context.paths import LANGUAGE_OF
from bot.change.context.ranking.task import find_mentions, read_task
from bot.change.repository import read_instructions
from bot.change.review.verdict import read_counterexamples, read_verdicts, without_verdict
from bot.change.tokens import estimate_tokens
from bot.cli.repository.transcript import render_transcript
from bot.errors import BadRequest
from bot.logs import make_redactor, redact_value
from bot.thread.ci_logs import fingerprint, tail_of
from bot.thread.commands import MAX_BODY_CHARS, parse_command
from bot.thread.links import find_permalinks
from bot.thread.markdown.page import Page
from bot.thread.markdown.quote import code_span, fence, neutralize, plain_words
from bot.thread.render import split_summary
from bot.thread.settings import MAX_FILE_BYTES, read_settings
from bot.types import Message, Prompt, Reply
from bot.types.characters import find_look_alikes, find_unseen
from bot.types.globs import compile_globs
from bot.types.names import close_names, read_repo_url
from bot.types.reply import Request
from bot.types.snapshot import RepositoryView
from tests.change.snapshots import view_of
from tests.doubling import FACTOR, Growth, cpu_seconds, growth_of

MOST_S_PER_MILLION = 25.0
"""The dearest is a Markdown parser: some 8 s for a million characters, of which it is given 262,144
at most."""
_ROUGH = 16_384
_WORST = 3

_PAIRS = (
    ("[", "]"), ("(", ")"), ("<", ">"), ("`", "a"), (">", "a"), (" ", "a"), ("\n", "a"), ("a", "\n"), ("a", "*"),
    ("*", "a"), ("_", "a"), ("(", "a"), ("a", " "), ("*", " "), ("<!--", "-->"), ("- ", "> "), ("[a](", " "),
    ("[a](b", "\n"), ("/tinygen ", "--pr "), ("a@b ", ": "),
)  # fmt: skip
"""Many of the one, and then many of the other."""

Make = Callable[[int], str]

_SIGNS = "a*_#`~ \t\n[]()<>!-+=|&@\\/.:;'\"é\u200b\r10{}"
_UNITS = (
    "a ", "a\n", "a.", "a/", "a:", "Aa", "a1", "``", "\\`", "`a`", "` ", "![", "[a](", "[a](b ", "[a](b (", "[a](b '",
    "![a](", "[a]: b\n", "[a]:\n", "[a\n", "\n[", "<!--", "-->", "<!-- -->", "<a ", "<img ", "<img src=", "<?", "</",
    "<![CDATA[", "<a href='", "&amp;", "&#", "```\n", "```a\n", "~~~\n", "```\n~~~\n", "> ", "> a\n", ">>\n", "- ",
    "- a\n", "* ", "1. ", "1. a\n", "  - a\n", "    a\n", "\ta\n", "# a\n", "a\n=\n", "a\n-\n", "---\n", "|a|\n",
    "|-|\n",
    "https://a/b ", "http://a/blob/", "www.", "@a", "#1", "GH-1", "/tinygen\n", "/tinygen --pr ", "--pr ", "--base a ",
    "On a wrote:\n", "From:\n", "-----BEGIN ", "eyJ-", "-eyJ", "ghp_", "sk-a", "from a import b,", "import a.",
    'File "a", line 1\n', "at a(a.b:1)\n", "a.py:1 ", "a/b.py ", "a.b ", "a::b", "Caused by", "_____\n", "aError: b\n",
    "fixes #1", "#,", "CVE-1 ", "0x0", "2020-01-01T00:00:00Z ", "\x1b[", "##[error]\n", "a==1 ", "x 1.0", "a(b)", "a;",
    "a\n\n", "\n\n", "  \n", "\n ", "os: a\n", "material-1>", "[CONFIDENT", "<details>", "[ ", "- [ ] ", "Ａ", "😀",
)  # fmt: skip
_CODE_UNITS = (
    "def a():\n", "class A:\n    def a():\n        pass\n", "a(b) {\n", "int a(b\n", "a a(", "a&", "a *a", "a*",
    "public a a(", "  a(b) {\n", "  public a(b {", "impl<", "impl a for a", "impl  ", "const a = (", "function a",
    "function ", "a = function\n", "a.a.", "type a\n", "a(b)->", "a ::\n", "#define a\n", "struct a\n", " @a @a",
    " final final", " pub(a)", " a<b> a(", "a<", "[][]", "let a =", "export ", "export const a = async (b): ",
    " get a(", " a(b) { a(b) {", "A: b", "A:", "def a():\n" + "# a\n" * 30,
)  # fmt: skip
_YAML_UNITS = (
    "[", "{", "[a,", "{a: ", "[a: b, ", "? ", "? a\n", "- - ", "- a\n", "-\n", "!a ", "&a ", "&a a: *a\n", "*a ", "'",
    '"', '"\\x41', "|\n", "> ", "---\n", "...\n", "a: b: ", "a:\n", "a: [", "protected: [", "? [", "<<: ",
    "labels:\n- ",
)  # fmt: skip


def _again(unit: str, size: int) -> str:
    return unit * max(1, size // len(unit))


def _one_then_other(one: str, other: str, size: int) -> str:
    return _again(one, size // 2) + _again(other, size // 2)


def _rising(sign: str, end: str, step: int, size: int) -> str:
    """Runs of the sign, each longer than the one before, or shorter where `step` is -1."""
    runs = range(1, int((2 * size) ** 0.5))
    return end.join(sign * length for length in runs[::step])


def _shapes(units: tuple[str, ...]) -> Iterator[tuple[str, Make]]:
    yield from ((unit, partial(_again, unit)) for unit in (*_SIGNS, *units))
    for one, other in _PAIRS:
        yield f"{one} then {other}", partial(_one_then_other, one, other)
    for sign, end, step in (
        (sign, end, step) for sign in "`~>- #" for end in "\na" for step in (1, -1)
    ):
        yield f"{'rising' if step > 0 else 'falling'} {sign}", partial(_rising, sign, end, step)


def _check(
    run: Callable[[str], object], units: tuple[str, ...] = _UNITS, *, most: int = MAX_BODY_CHARS
) -> None:
    """Doubles the reader on the shapes that it is slowest on."""
    rough = sorted(
        ((cpu_seconds(run, make(_ROUGH)), name) for name, make in _shapes(units)), reverse=True
    )
    shapes = dict(_shapes(units))
    for _, name in rough[:_WORST]:
        _check_growth(
            name, growth_of(run, shapes[name], start=1_000, most=most), run, shapes[name], most
        )


def _check_growth(
    name: str, growth: Growth, run: Callable[[str], object], make: Make, most: int
) -> None:
    assert growth.is_linear, f"{name!r}: {growth}"
    large = make(most)
    rate = cpu_seconds(run, large) / len(large) * 1e6
    if rate > max(
        0.5, 3 * growth.seconds_per_million
    ):  # what grows may show late, behind a large constant
        late = growth_of(run, make, start=most // FACTOR // 4, most=most)
        assert late.is_linear, f"{name!r}: {late}"
    assert rate < MOST_S_PER_MILLION, f"{name!r} takes {rate:.1f} s for a million"


def _read_url(text: str) -> None:
    for address in (f"https://github.com/a/b/tree/{text}", f"git@github.com:{text}", text):
        try:
            read_repo_url(address, "https://github.com")
        except BadRequest:
            continue


def _render(text: str) -> str:
    return render_transcript(
        [(Prompt("generate", (Message("user", text),)), Reply(text, "stop", "m", 1, 1, 1.0))]
    )


_hide = make_redactor(["a secret value", "another secret\nof two lines"])

_READERS: dict[str, Callable[[str], object]] = {
    "find_permalinks": lambda text: find_permalinks([Page(text)], "https://github.com", "a/b"),
    "find_unseen": lambda text: list(find_unseen(text)),
    "find_look_alikes": lambda text: list(find_look_alikes(text)),
    "plain_words": plain_words,
    "parse_command below": lambda text: parse_command(f"{text}\n\n/tinygen a"[-MAX_BODY_CHARS:]),
    "parse_command above": lambda text: parse_command(f"a\n/tinygen {text}"[:MAX_BODY_CHARS]),
    "parse_command alone": lambda text: parse_command(f"/tinygen {text}"[:MAX_BODY_CHARS]),
    "neutralize": neutralize,
    "split_summary": split_summary,
    "code": code_span,
    "fence": lambda text: fence(text, "diff"),
    "tail_of": tail_of,
    "fingerprint": lambda text: fingerprint((text,)),
    "estimate_tokens": estimate_tokens,
    "read_task": read_task,
    "find_mentions": lambda text: find_mentions(
        text, ("a.py", "a/b.py", "b.py", "a/a/__init__.py")
    ),
    "read_verdicts": read_verdicts,
    "without_verdict": without_verdict,
    "read_counterexamples": lambda text: read_counterexamples(text, ("a.py",)),
    "read_counterexamples below a label": lambda text: read_counterexamples(
        f"Input: {text}\nPlace: {text}\nResult: {text}", ("a.py",)
    ),
    "read_repo_url": _read_url,
    "hidden in logs": lambda text: redact_value(text, _hide),
    "render_transcript": _render,
}


@pytest.mark.parametrize("reader", _READERS)
def test_a_reader_takes_time_linear_in_a_hostile_text(reader: str) -> None:
    _check(_READERS[reader])


@pytest.mark.parametrize("language", sorted({*LANGUAGE_OF.values()}))
def test_definitions_are_found_in_time_linear_in_the_file(language: str) -> None:
    path = next(f"a.{extension}" for extension, its in LANGUAGE_OF.items() if its == language)
    _check(lambda text: find_definitions(path, text.encode()), _CODE_UNITS)
    _check(lambda text: find_definitions(path, _in_lines(text).encode()), _CODE_UNITS)


def _in_lines(text: str) -> str:
    """The same in lines as long as are searched."""
    text = text.replace("\n", " ")
    return "\n".join(
        text[at : at + MAX_LINE_BYTES // 2] for at in range(0, len(text), MAX_LINE_BYTES // 2)
    )


_TASK = (
    "Fix a in a.c\n\nThe function `a` of A fails: def a(): pass, type a, a.b, see a/b.py and class"
    " A; a a a a a a"
)


@pytest.mark.parametrize("extension", ["c", "py", "js", "md"])
def test_context_is_chosen_in_time_linear_in_a_hostile_file(extension: str) -> None:
    def choose(content: str) -> None:
        files = {f"a.{extension}": content.encode(), "b.py": b"def b(): pass\n"}
        choose_context(view_of(files), _TASK, budget_tokens=24_000)

    long_doc = "def a():\n" + '    """\n' + "    a\n" * 22 + '    """\n'
    units = ("@overload\ndef a(): ...\n", "def a(): a()\n", "class A:\n def a(): A()\n", long_doc)
    _check(choose, ("a ", "a\n", "\n\n", *units, *_CODE_UNITS))


@pytest.mark.parametrize("extension", ["c", "py", "js", "md"])
def test_what_was_chosen_is_found_in_time_linear_in_a_hostile_file(extension: str) -> None:
    wanted = [Request("read", f"a.{extension}", name=name) for name in ("a", "A.a", "A", "b")] * 3

    def choose(content: str) -> None:
        files = {f"a.{extension}": content.encode(), "b.py": b"def b(): pass\n"}
        weighed = weigh_repository(view_of(files), _TASK)
        render_wide_map(weighed, budget_tokens=24_000)
        build_context(weighed, budget_tokens=24_000, wanted=wanted)

    units = ("def a(): a()\n", "class A:\n def a(): A()\n", "def a():\n    pass\n\n\n")
    _check(choose, ("a ", "a\n", *units))


def test_one_file_of_stars_does_not_hold_the_worker() -> None:
    content = b"a" + b"*" * 900_000
    in_lines = b"\n".join([b"a" + b"*" * 1_990] * 450)
    for each in (content, in_lines):
        assert (
            cpu_seconds(
                lambda each: choose_context(view_of({"a.c": each}), _TASK, budget_tokens=24_000),
                each,
            )
            < 5
        )


def test_context_is_chosen_in_time_linear_in_the_files() -> None:
    def files(size: int) -> RepositoryView:
        return view_of(
            {f"d{number}/a{number % 7}/__init__.py": b"def a(): pass\n" for number in range(size)}
        )

    growth = growth_of(
        lambda some: choose_context(some, _TASK, budget_tokens=24_000),
        files,
        start=250,
        most=20_000,
    )
    assert growth.is_linear, growth


def test_files_are_named_in_time_linear_in_those_that_bear_one_name() -> None:
    text = "title\n\n" + "\n".join(
        f"see x{number}/a/__init__.py and a.a.a.b{number}" for number in range(600)
    )

    def paths(size: int) -> list[str]:
        return [f"d{number}/e{number % 7}/a/__init__.py" for number in range(size)]

    growth = growth_of(lambda some: find_mentions(text, some), paths, start=1_000, most=100_000)
    assert growth.is_linear, growth
    assert growth.seconds_per_million < 60, growth


def test_requests_for_what_is_not_there_are_answered_in_time_linear_in_the_names() -> None:
    def names(size: int) -> RepositoryView:
        return view_of({f"{'ab' * 50}{number}.py": b"" for number in range(size)})

    asked = [Request("read", f"{'ba' * 49}{number}b") for number in range(12)]
    growth = growth_of(
        lambda some: answer_requests(some, {}, asked, budget_tokens=8_000),
        names,
        start=250,
        most=10_000,
    )
    assert growth.is_linear, growth


def test_names_are_compared_in_time_linear_in_their_number() -> None:
    def names(size: int) -> list[str]:
        return [
            "".join("abc"[(number * at) % 7 % 3] for at in range(150)) for number in range(size)
        ]

    growth = growth_of(
        lambda some: close_names("abb" * 50, some, most=2, least_likeness=0.3),
        names,
        start=250,
        most=20_000,
    )
    assert growth.is_linear, growth


def test_globs_are_met_in_time_linear_in_a_path() -> None:
    meets = compile_globs(["*a" * 90 + "*b", "**/" * 60 + "b", "a/**/b/**/c", "?" * 190])
    _check(meets, ("a/", "b/", "a/b/", "ab", "/"), most=65_536)


def test_instructions_are_read_in_time_linear_in_the_file() -> None:
    _check(lambda text: read_instructions(view_of({"AGENTS.md": text.encode("utf-8", "replace")})))


def test_settings_are_read_in_time_linear_in_the_file() -> None:
    _check(
        lambda text: read_settings(text.encode()[:MAX_FILE_BYTES]), _YAML_UNITS, most=MAX_FILE_BYTES
    )


@pytest.mark.parametrize(
    "line", ["protecte{}: 1\n", "permissions: {{p{}: 1}}\n", "k{}: &a 1\n", "- {}\n"]
)
def test_settings_with_many_mistakes_are_read_in_bounded_time(line: str) -> None:
    content = "".join(line.format(number) for number in range(1_900)).encode()[:MAX_FILE_BYTES]
    assert cpu_seconds(read_settings, content) < 3


@pytest.mark.parametrize("sign", ["[", "{", "- ", "? ", "a: [", "[a,"])
def test_settings_that_are_nested_too_deeply_are_refused_at_once(sign: str) -> None:
    content = _again(sign, MAX_FILE_BYTES).encode()
    assert read_settings(content).mistakes
    assert cpu_seconds(read_settings, content) < 1


def test_names_in_a_hostile_repository_are_counted_in_time_linear_in_the_file() -> None:
    _check(lambda text: find_names("a.c", text.encode()), _CODE_UNITS, most=1_000_000)
