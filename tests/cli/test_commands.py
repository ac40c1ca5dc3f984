"""What each command takes: its help is whole, and its prompt may come from a file."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from bot.cli import LazyCommand, build_parser
from bot.cli.files import read_prompt
from bot.cli.output import in_shell_words, program
from tests import ROOT


def all_commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helped = {choice.dest for choice in action._choices_actions if choice.help}
            assert helped == set(action.choices)
            for each in action.choices.values():
                yield from all_commands(each)


def test_each_command_and_each_of_its_arguments_is_explained_and_is_there() -> None:
    for parser in all_commands(build_parser()):
        assert parser.description, parser.prog
        for action in parser._actions:
            is_group = isinstance(action, argparse._SubParsersAction)
            assert action.help or is_group, f"{parser.prog} {action.dest}"
        command = parser.get_default("command")
        if isinstance(command, LazyCommand):
            assert callable(getattr(import_module(f"bot.cli.{command.module}"), command.name))


def test_without_a_command_all_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        build_parser().parse_args([])
    assert end.value.code == 2
    assert "what a repository's .github/tinygen.yml says" in capsys.readouterr().err


def test_a_prompt_is_words_standard_input_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = "Sag hallo.\n"
    (tmp_path / "prompt").write_bytes(b"\xef\xbb\xbf" + given.encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
    assert [read_prompt(form) for form in (given, "-", f"@{tmp_path / 'prompt'}")] == [given] * 3
    assert read_prompt(" @mona says so") == " @mona says so"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ask for less, or let the operator raise X.", "Ask for less, or raise X."),
        ("Let the operator turn it off.", "Turn it off."),
        ("The operator must free space on it.", "Free space on it."),
        ("The operator may have to check X.", "Check X."),
        ("Run `python -m bot doctor`.", f"Run `{program()} doctor`."),
        ("Set it in .env, or x.", f"Set it in {ROOT / '.env'}, or x."),
        ("See .env.example, a.env, /x/.env.", "See .env.example, a.env, /x/.env."),
    ],
)
def test_a_message_speaks_to_whoever_sits_at_the_shell(text: str, words: str) -> None:
    assert in_shell_words(text, ROOT / ".env") == words
