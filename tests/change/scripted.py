"""Runs the loop with a scripted model, on files held in memory and a diff made without git."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from bot.change.solve import solve
from bot.types import (
    ModelLimits,
    Parsers,
    Prompt,
    Reply,
    Solution,
    SyntaxChecker,
    Task,
    no_syntax_checks,
)
from bot.types.snapshot import Changes, FileStat, Patch, RepositoryView
from tests.change.snapshots import view_of
from tests.doubles.reviews import choice, fault

FILES = {"app.py": b"def add(a, b):\n    return a - b\n", "other.py": b"x = 1\ny = 2\n"}
TASK = Task("o/r", "Mend add.")
GOOD = """\
Add instead of subtracting

app.py
<<<<<<< SEARCH
    return a - b
=======
    return a + b
>>>>>>> REPLACE
"""
FAULT = fault("add(1, 2)", "app.py:2", "it gives what it should not.")
Said = str | Callable[[str], str]


def chooses(line: str) -> Callable[[str], str]:
    """The reply to a comparison: the version that has the line."""
    return lambda asked: choice(asked, line)


class Script:
    """Says these replies in turn; keeps the prompts. An exception in the list is raised, a function
    is given the prompt's last message."""

    def __init__(self, *replies: Said | Exception, finish: Sequence[str] = ()) -> None:
        self.replies, self.finish = list(replies), list(finish)
        self.prompts: list[Prompt] = []

    def __call__(self, prompt: Prompt) -> Reply:
        self.prompts.append(prompt)
        said = self.replies.pop(0)
        if callable(said):
            said = said(prompt.messages[-1].text)
        if isinstance(said, Exception):
            raise said
        cut = bool(self.finish) and self.finish.pop(0) == "length"
        return Reply(said, "length" if cut else "stop", "m", 100, 10, 0.1)

    def asked(self, at: int) -> str:
        return self.prompts[at].messages[-1].text


def diff_of(base: RepositoryView) -> Callable[[Changes], Patch]:
    def diff(changes: Changes) -> Patch:
        text, files = "", []
        for path, change in sorted(changes.items()):
            old = next(base.read([base.blobs[path]])).decode() if path in base.blobs else ""
            new = (change.content or b"").decode()
            lines = list(
                difflib.unified_diff(
                    old.splitlines(True), new.splitlines(True), f"a/{path}", f"b/{path}"
                )
            )
            text += f"diff --git a/{path} b/{path}\n" + "".join(lines)
            files.append(FileStat(path, 1, 1, "modified"))
        return Patch(base.sha, text, tuple(files))

    return diff


def play(
    script: Script, judge: SyntaxChecker = no_syntax_checks, *, seed: str = "", **limits: int
) -> Solution:
    base = view_of(FILES)
    return solve(
        TASK,
        base,
        script,
        diff_of(base),
        limits=ModelLimits(**limits),
        parsers=Parsers(judge),
        seed=seed,
    )
