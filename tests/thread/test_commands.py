"""The grammar of `/tinygen`, one rule a test."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.thread.commands import is_mentioned, parse_command
from bot.types import Command


@pytest.mark.parametrize(
    "body",
    [
        "/tinygen fix it",
        "Thanks!\n/tinygen fix it",
        "   /tinygen fix it",
        "/TinyGen fix it",
        "- a list\n\n/tinygen fix it",
        "an unclosed ` backtick\n/tinygen fix it",
        "an escaped \\` one\n/tinygen fix it",
        "<details>\n\n/tinygen fix it",
        "On Tuesday Mona wrote:\n> some\n\n/tinygen fix it",
        "[a link](http://x.test)\n/tinygen fix it",
        "On this I have a thought:\n/tinygen fix it",
        "<img src='x'>\n/tinygen fix it",
        "See:<br>\n/tinygen fix it",
        "<br>\n/tinygen fix it",
        "<details>\n<summary>Log</summary>\nx\n</details>\n/tinygen fix it",
        "<pre>x</pre>\n/tinygen fix it",
        "<blockquote>x</blockquote>\n\n/tinygen fix it",
        "Version: 1.2\nOS: Linux\nBrowser: x\n\n/tinygen fix it",
        "See https://x.test/@a at 10:00, then:\n/tinygen fix it",
    ],
)
def test_a_command_stands_at_the_start_of_a_line(body: str) -> None:
    assert parse_command(body) == Command("solve", "fix it")


@pytest.mark.parametrize(
    "body",
    [
        "please /tinygen fix it",
        "/tinygens fix it",
        "/tiny gen",
        "```\n/tinygen fix it\n```",
        "~~~~\n/tinygen fix it",
        "    /tinygen fix it",
        "a `code span\n/tinygen fix it` here",
        "``a ` span\n/tinygen fix it``",
        "> /tinygen fix it",
        "> quoted\n> /tinygen fix it",
        "- > /tinygen fix it",
        "<!-- hidden\n/tinygen fix it\n-->",
        "in a line <!-- hidden\n/tinygen fix it -->",
        "<!-- never closed\n\n/tinygen fix it",
        "<pre>\n/tinygen fix it\n</pre>",
        "see [what\n/tinygen fix it\nsays](http://x.test)",
        "Fine.\n\nOn Tue, 3 Nov 2026 at 10:00, Mona <m@x.test> wrote:\n\n/tinygen fix it",
        "Fine.\n\nOn Tue, 3 Nov 2026 at 10:00, Mona\n<m@x.test> wrote:\n/tinygen fix it",
        "Gut.\n\nAm 3. November 2026 um 10:00 schrieb Mona:\n\n/tinygen fix it",
        "Fine.\n\n-----Original Message-----\n/tinygen fix it",
        "Fine.\r\n\r\nFrom: Mona <m@x.test>\r\nSent: Tuesday\r\nTo: me\r\n\r\n/tinygen fix it",
        "Fine.\n\nOn Tuesday Mona wrote:\n> some\n/tinygen fix it",
        "<blockquote>\n\n/tinygen fix it\n\n</blockquote>",
        "<div><pre>\n/tinygen fix it\n</pre></div>",
        "<script>\n/tinygen fix it\n</script>",
        "<?x\n/tinygen fix it\n?>",
        *(
            f"Fine.\n\n{header}\n\n/tinygen fix it"
            for header in (
                "On Tue, 3 Nov 2026 at 10:00 Mona ***@***.***> wrote:",
                "Le mar. 3 nov. 2026 à 10:00, Mona <m@x.test> a écrit :",
                "El mar, 3 nov 2026 a las 10:00, Mona (<m@x.test>) escribió:",
                "вт, 3 нояб. 2026 г. в 10:00, Mona <m@x.test>:",
                "2026年11月3日(火) 10:00 Mona <m@x.test>:",
                "Op di 3 nov. 2026 om 10:00 schreef Mona <m@x.test>:",
                "W dniu wt., 3.11.2026 o 10:00 Mona <m@x.test> napisał(a):",
                "在 2026年11月3日 10:00，Mona 写道：",
                "Von: Mona\nGesendet: Dienstag, 3. November 2026 10:00\nAn: mich",
                "**From:** Mona\n**Sent:** Tuesday",
                "发件人: Mona\n发送时间: 2026年11月3日",
                "---- Mensaje original ----\nDe: Mona",
                "--- Oprindelig meddelelse ---\nFra: Mona <m@x.test>",
            )
        ),
        "",
    ],
)
def test_code_quotes_and_hidden_text_hold_no_command(body: str) -> None:
    assert parse_command(body) is None


def test_the_prompt_is_everything_after_the_command_verbatim() -> None:
    prompt = 'don\'t "touch" `x`\r\n\r\n```py\r\n/tinygen\r\n```\r\n* a  b'
    command = parse_command(f"Hi\r\n/tinygen {prompt}\r\n")
    assert command == Command("solve", prompt)


def test_a_line_of_dashes_below_the_command_is_part_of_the_prompt() -> None:
    assert parse_command("/tinygen fix\n---\nall") == Command("solve", "fix\n---\nall")


@pytest.mark.parametrize("verb", ["apply", "undo", "retry", "cancel", "status", "help"])
def test_a_word_alone_is_a_verb_and_with_more_after_it_a_prompt(verb: str) -> None:
    assert parse_command(f"/tinygen {verb.upper()} \n") == Command(verb)  # type: ignore[arg-type]
    assert parse_command(f"/tinygen {verb} it all") == Command("solve", f"{verb} it all")


def test_alone_it_has_an_empty_prompt() -> None:
    assert parse_command("/tinygen") == Command("solve")


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("--pr fix", Command("solve", "fix", mode="pr")),
        ("--diff\nfix", Command("solve", "fix", mode="diff")),
        (
            "--PR --base release/1.2 fix --pr",
            Command("solve", "fix --pr", mode="pr", base="release/1.2"),
        ),
        ("--base=dev fix", Command("solve", "fix", base="dev")),
        ("--base dev\nfix\nthat", Command("solve", "fix\nthat", base="dev")),
        ("--pr", Command("solve", mode="pr")),
        ("--force --new fix", Command("solve", "fix", fresh=True, force=True)),
        ("ask why", Command("ask", "why")),
        ("ASK\nwhy?\nand how?", Command("ask", "why?\nand how?")),
        ("ask", Command("ask")),
        ("ask: why?", Command("ask", "why?")),
        ("--base dev ask why", Command("ask", "why", base="dev")),
        ("asks for too much", Command("solve", "asks for too much")),
        ("-- ask users for a name", Command("solve", "ask users for a name")),
        ("--pr -- ask users", Command("solve", "ask users", mode="pr")),
        ("-- apply", Command("solve", "apply")),
        ("-- --pr", Command("solve", "--pr")),
        ("--", Command("solve")),
        ("--pr --\n", Command("solve", mode="pr")),
        ("---\nfix", Command("solve", "---\nfix")),
    ],
)
def test_first_words_that_are_flags_are_options(words: str, command: Command) -> None:
    assert parse_command(f"/tinygen {words}") == command


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--bse dev fix", "`--base`"),
        ("--draft fix", "--diff"),
        ("--base", "name of a branch"),
        ("--base a..b x", "branch"),
        ("--pr ask users for a name", "`/tinygen --pr -- ask …`"),
    ],
)
def test_an_odd_flag_is_answered_with_what_is_right(words: str, says: str) -> None:
    command = parse_command(f"/tinygen {words}")
    assert command is not None
    assert says in command.problem


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("aply", "apply"),
        ("Cancle", "cancel"),
        ("retry!", "retry"),
        ("stop", "cancel"),
        ("again", "retry"),
        ("revert", "undo"),
        ("explain", "ask QUESTION"),
    ],
)
def test_a_word_alone_that_is_near_a_command_is_asked_about(word: str, meant: str) -> None:
    command = parse_command(f"/tinygen {word}")
    assert command is not None
    assert f"Did you mean `/tinygen {meant}`?" in command.problem


@pytest.mark.parametrize("words", ["refactor", "stop greeting twice", "apply the style", "reply"])
def test_other_words_are_a_prompt(words: str) -> None:
    assert parse_command(f"/tinygen {words}") == Command("solve", words)


@given(st.text(alphabet=st.sampled_from("/tinygen `~<!->\n\r\\ a"), max_size=60))
def test_any_comment_is_read(body: str) -> None:
    command = parse_command(body)
    assert command is None or command.prompt == command.prompt.strip()


@pytest.mark.parametrize(
    "piece",
    [
        "> ",
        "- ",
        "`",
        "``` ",
        "<!-- ",
        "[",
        "[a](",
        "On a\n",
        "From: a\n",
        "*",
        "a\n",
        "\\`",
        "`` ` ",
        "    ",
    ],
)
@pytest.mark.slow
def test_a_comment_as_long_as_github_allows_is_read_in_bounded_time(piece: str) -> None:
    assert parse_command(piece * (65_000 // len(piece)) + "\n\n/tinygen x") in (
        None,
        Command("solve", "x"),
    )


@pytest.mark.parametrize(
    ("body", "is_named"),
    [
        ("@tinygen fix it", True),
        ("Could you, @TinyGen-acme?", True),
        ("(@tinygen)", True),
        ("> @tinygen fix it", False),
        ("`@tinygen`", False),
        ("<!-- @tinygen -->", False),
        ("@org/tinygen, look", False),
        ("mail me@tinygen.example", False),
        ("@tiny and @xtinygen", False),
        ("@tinygenerator and @tinygen/x", False),
    ],
)
def test_a_mention_stands_in_the_writers_own_words(body: str, is_named: bool) -> None:
    assert is_mentioned(body) is is_named
