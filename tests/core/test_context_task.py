from __future__ import annotations

import pytest

from bot.core.context.sections import split_sections


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "line",
    [
        "\t" * 48_000,
        "  " * 20_000 + "z",
        "fixes" + " " * 40_000 + "z",
        "fixes " + "#1, " * 10_000 + "z",
        "see " + "GHSA-a" * 5_000 + " z",
        "E" * 48_000,
        "<!--" * 12_000,
        "x" + " " * 40_000 + ";z",
        "#*- " * 12_000,
    ],
)
def test_a_line_made_to_be_slow_is_read_in_a_moment(line: str) -> None:
    assert split_sections(f"A title\n{line}\nThe end.").title == "A title"


def test_what_is_pasted_is_told_from_what_is_said() -> None:
    said = split_sections(
        "Parsing fails\n\nIt stops here, see `parse`:\n\n```\nTraceback (most recent call last):\n"
        '  File "a/b.py", line 3, in parse\n    go()\nE   ValueError: odd\n```\n\nFixes #12, GHSA-a1, CVE-2.\n'
        "- OS: Linux\n"
    )
    assert said.prose.strip() == "It stops here, see `parse`:"
    assert said.trace == '  File "a/b.py", line 3, in parse\n    go()'
    assert said.error == "E   ValueError: odd"
    assert said.spans == "parse"
