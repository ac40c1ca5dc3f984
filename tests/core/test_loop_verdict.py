"""Where in a reply a verdict is looked for."""

from __future__ import annotations

import pytest

from tests.core.test_loop import BAD, CONFIDENT, GOOD, Script, block, play

MORE = block("other.py", "y = 2", "y = 3")


@pytest.mark.parametrize(
    "reply",
    [
        f"<think>\n[CONFIDENT]?\n</think>\n[REVISION NEEDED] More.\n{MORE}",
        f"It is [CONFIDENT], or not.\n</think>\n[REVISION NEEDED] More.\n{MORE}",
        block("other.py", "y = 2", "y = '[CONFIDENT]'"),
    ],
    ids=["in thoughts", "in thoughts that have only their end", "in an edit"],
)
def test_only_what_is_said_counts_as_a_verdict(reply: str) -> None:
    assert len(play(Script(GOOD, reply, CONFIDENT)).revisions) == 2


def test_the_verdict_is_that_of_the_first_reply() -> None:
    mended = play(
        Script(
            GOOD, MORE + "\n" + BAD, f"[CONFIDENT] {block('app.py', 'def add(a, b):', 'def add(a, b, /):')}", CONFIDENT
        )
    )
    assert len(mended.revisions) == 2
