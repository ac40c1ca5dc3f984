"""The command of the benchmark; see the package."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bot.adapters.git.local import LocalGit
from bot.app import build_model, build_parsers
from bot.change.solve import solve
from bot.change.tokens import estimate_tokens
from bot.config import load_config
from bot.types import ModelLimits, Prompt, Reply, Solution, Task
from bot.types.snapshot import RepositoryPolicy, view_repository
from tests.benchmarks.flips.cases import Case, Commit, read_cases

Row = dict[str, Any]


class _NoReplyYet(BaseException):
    """The next reply is not there: the case goes on when it is."""


class _Replies:
    """Gives the replies of one case, and counts what they cost."""

    def __init__(
        self, case: Case, message: str, out: Path, model: Callable[[Prompt], str] | None
    ) -> None:
        self._case, self._message, self._out, self._model = case, message, out, model
        self.calls = self.tokens = self.review_tokens = 0

    def __call__(self, prompt: Prompt) -> Reply:
        if prompt.purpose == "choose":
            return Reply("", "stop", "m", 0, 0, 0.0)
        if self.calls == 0 and prompt.purpose != "reflect":
            return Reply(f"{self._message}\n\n[NO CHANGE]", "stop", "m", 0, 0, 0.0)
        self.calls += 1
        name = f"{self._case.id}.{self.calls}"
        sent = sum(estimate_tokens(message.text) for message in prompt.messages)
        self.review_tokens = self.review_tokens or sent
        reply = self._out / "replies" / f"{name}.txt"
        if not reply.exists():
            parts = (f"===== {each.role} =====\n{each.text}" for each in prompt.messages)
            text = "\n\n".join(parts)
            (self._out / "requests" / f"{name}.md").write_text(text, errors="surrogateescape")
            if self._model is None:
                raise _NoReplyYet
            reply.write_text(self._model(prompt))
        said = reply.read_text()
        self.tokens += sent + estimate_tokens(said)
        return Reply(said, "stop", "m", sent, estimate_tokens(said), 0.0)


def ask(repositories: Path, out: Path, ids: Sequence[str]) -> None:
    for folder in ("requests", "replies", "results"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    model = _model() if {"OPENAI_API_KEY", "OPENAI_BASE_URL"} & set(os.environ) else None
    for case in read_cases():
        result = out / "results" / f"{case.id}.json"
        if (ids and case.id not in ids) or result.exists():
            continue
        try:
            row = _play(case, Commit(repositories, case), out, model)
        except _NoReplyYet:
            print(f"{case.id}: waits for a reply")
            continue
        result.write_text(json.dumps(row, indent=1))


def _model() -> Callable[[Prompt], str]:
    config = load_config(os.environ)
    model = build_model(config)
    return lambda prompt: model.ask(prompt, stop=lambda: False, deadline_s=config.call_s).text


def _play(case: Case, commit: Commit, out: Path, model: Callable[[Prompt], str] | None) -> Row:
    local = LocalGit(commit.directory, index_cache_dir=out / "index")
    base_sha = commit.base_sha()
    view = view_repository(local.snapshot("", base_sha), RepositoryPolicy())
    given, message = commit.given(), commit.message()
    replies = _Replies(case, message, out, model)
    solution: Solution = solve(
        Task(case.source, message),
        view,
        replies,
        lambda changes: local.diff("", base_sha, changes),
        limits=ModelLimits(),
        start=given,
        parsers=build_parsers(),
        seed=case.id,
    )
    last = solution.revisions[-1].changes
    verdicts = [each.verdict for each in solution.revisions if each.verdict]
    return {
        "id": case.id,
        "kind": case.kind,
        "is_kept": last == given,
        "is_right": last == commit.right(),
        "calls": replies.calls,
        "tokens": replies.tokens,
        "review_tokens": replies.review_tokens,
        "reasons": [each.reason for each in verdicts],
    }


def grade(out: Path) -> None:
    """The figures, and the cases that are to be read: a change that is neither kept nor exactly that
    of the commit may be right too."""
    rows = [json.loads(path.read_text()) for path in sorted((out / "results").glob("*.json"))]
    for name, group in (
        ("right changes", [row for row in rows if not row["kind"]]),
        ("changes with a planted fault", [row for row in rows if row["kind"]]),
    ):
        if not group:
            continue
        kept = [row["id"] for row in group if row["is_kept"]]
        exact = [row["id"] for row in group if row["kind"] and row["is_right"]]
        other = [row["id"] for row in group if row["id"] not in {*kept, *exact}]
        print(f"{name}: {len(group)}; kept {len(kept)}, made exactly right {len(exact)}")
        print(f"  changed otherwise, to be read: {' '.join(other)}")
        for figure in ("calls", "tokens", "review_tokens"):
            print(f"  {figure}, mean: {sum(row[figure] for row in group) / len(group):.1f}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.flips")
    commands = parser.add_subparsers(dest="command", required=True)
    asking = commands.add_parser("ask")
    asking.add_argument("repositories", type=Path)
    asking.add_argument("out", type=Path)
    asking.add_argument("ids", nargs="*")
    commands.add_parser("grade").add_argument("out", type=Path)
    options = parser.parse_args()
    if options.command == "ask":
        ask(options.repositories, options.out, options.ids)
    else:
        grade(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
