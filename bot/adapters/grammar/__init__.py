"""Whether files parse, by the grammars of tree-sitter, in a child process that may not take long or grow large.

A grammar cannot be bounded where it runs: 5 KB of `%w(%w(` made Rust's take ten seconds and 800 MB. So a child reads
the files of one change; if it does not come back, nothing is known of them. It runs no code of theirs.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from bot.adapters.grammar.child import GRAMMARS

MAX_FILE_BYTES = 500_000
"""Of a larger file nothing is said: it is generated, or long to parse."""
_TIMEOUT_S = 15.0
_CHILD = Path(__file__).with_name("child.py")

_log = structlog.get_logger()


class Grammars:
    """A `bot.core.edits.Judge`."""

    def __call__(self, files: Sequence[tuple[str, bytes]]) -> list[str | None]:
        judged = [at for at, (path, content) in enumerate(files) if _kind(path) and len(content) <= MAX_FILE_BYTES]
        faults: list[str | None] = [None] * len(files)
        if judged:
            asked = [[_kind(files[at][0]), base64.b64encode(files[at][1]).decode()] for at in judged]
            for at, fault in zip(judged, _ask_child(json.dumps(asked)), strict=False):
                faults[at] = fault
        return faults


def _kind(path: str) -> str | None:
    suffix = path.rpartition(".")[2].lower()
    return suffix if suffix in GRAMMARS else None


def _ask_child(asked: str) -> list[str | None]:
    """One answer for each file, or none at all."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_CHILD)],
            input=asked,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
            env={},
            cwd="/",
        )
    except (subprocess.SubprocessError, OSError) as error:
        _log.warning("changed files could not be parsed", error=type(error).__name__)
        return []
    answer: list[str | None] = json.loads(done.stdout)
    return answer
