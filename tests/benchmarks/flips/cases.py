"""The cases: commits of public history, half of them with a planted fault."""

from __future__ import annotations

import csv
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bot.types.snapshot import Change, Changes
from tests.benchmarks.context_repositories import find_repository
from tests.benchmarks.flips.faults import plant

_HUNK = re.compile(r"(?m)^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@.*\n((?:[-+\\].*\n?)*)")


@dataclass(frozen=True, slots=True)
class Case:
    """`kind` of the planted fault, "" for none; it stands in `path`, at a 1-based `line` of the file
    after the commit."""

    id: str
    source: str
    sha: str
    kind: str
    path: str
    line: int


def read_cases() -> list[Case]:
    with Path(__file__).with_name("cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Case(row["id"], row["source"], row["sha"], row["kind"], row["path"], int(row["line"] or 0))
        for row in rows
    ]


class Commit:
    """What the repository knows of a case."""

    def __init__(self, repositories: Path, case: Case) -> None:
        self._directory = find_repository(repositories, case.source)
        self._case = case

    @property
    def directory(self) -> Path:
        return self._directory

    def base_sha(self) -> str:
        return self._git("rev-parse", f"{self._case.sha}^").decode().strip()

    def message(self) -> str:
        """Without what says who made the commit, and what number it has."""
        text = self._git("log", "-1", "--format=%s%n%n%b", self._case.sha).decode(
            "utf-8", "replace"
        )
        title, _, body = text.partition("\n")
        body = re.sub(r"(?im)^(?:[\w-]+-by|pr-url|refs?|fixes|closes|change-id)\b.*$", "", body)
        title = re.sub(r" \(#[0-9]+\)$", "", title)
        return f"{title}\n\n{body.strip()}"

    def right(self) -> Changes:
        changes: dict[str, Change] = {}
        listed = self._git(
            "diff", "--no-renames", "--raw", "-z", f"{self._case.sha}^", self._case.sha
        )
        for entry in listed.decode("utf-8", "surrogateescape").split("\0:"):
            meta, path = entry.lstrip(":").split("\0")[:2]
            _mode, mode, _old, _new, status = meta.split()
            content = None if status == "D" else self._show(path)
            changes[path] = Change(path, content, mode)
        return changes

    def given(self) -> Changes:
        """With the planted fault."""
        changes, case = dict(self.right()), self._case
        if case.kind:
            content = changes[case.path].content or b""
            lines = content.decode("utf-8", "surrogateescape").split("\n")
            count, removed = self._replaced() if case.kind == "missing caller" else (1, [])
            put = plant(case.kind, case.path, lines, case.line, removed)
            lines[case.line - 1 : case.line - 1 + count] = put
            text = "\n".join(lines).encode("utf-8", "surrogateescape")
            changes[case.path] = Change(case.path, text, changes[case.path].mode)
        return changes

    def _replaced(self) -> tuple[int, list[str]]:
        """How many lines the commit put at the case's line, and those that stood there."""
        diff = self._git("diff", "-U0", f"{self._case.sha}^", self._case.sha, "--", self._case.path)
        for match in _HUNK.finditer(diff.decode("utf-8", "replace")):
            if int(match[1]) == self._case.line:
                body = match[3].split("\n")
                return int(match[2] or 1), [line[1:] for line in body if line.startswith("-")]
        raise ValueError(self._case.id)

    def _show(self, path: str) -> bytes:
        return self._git("show", f"{self._case.sha}:{path}")

    def _git(self, *arguments: str) -> bytes:
        command = ["git", "-C", str(self._directory), *arguments]
        return subprocess.run(command, capture_output=True, check=True).stdout
