"""The same replies given to aider (PyPI `aider-chat`, installed by hand), to its parsers and
appliers, and to ours.

    python -m tests.benchmarks.edits_aider DIR ... [--commits N]

Each form goes to the coder that aider has for it: its edit blocks, its unified diffs, its patch
envelope, its whole files. Commits that delete files are left out, since not all of these can say
so.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.edits import Commit, Outcome, outcome, read_commits
from tests.benchmarks.edits_dirt import CLEAN, DIRTS
from tests.benchmarks.edits_replies import FORMS, Form, reply

Tally = dict[tuple[Form, str, str], Counter[Outcome]]
"""By form, `clean` or `dirty`, and whose outcome it is."""


class Aider:
    """aider's coders, each made without what it needs to talk to a model."""

    def __init__(self) -> None:
        from aider.coders.editblock_coder import EditBlockCoder  # type: ignore[import-not-found]
        from aider.coders.patch_coder import PatchCoder  # type: ignore[import-not-found]
        from aider.coders.udiff_coder import UnifiedDiffCoder  # type: ignore[import-not-found]
        from aider.coders.wholefile_coder import WholeFileCoder  # type: ignore[import-not-found]
        from aider.io import InputOutput  # type: ignore[import-not-found]

        self._coders = {
            "blocks": EditBlockCoder,
            "diff": UnifiedDiffCoder,
            "envelope": PatchCoder,
            "whole": WholeFileCoder,
        }
        self._io = InputOutput(yes=True, pretty=False, fancy_input=False)
        for name in ("tool_output", "tool_warning", "tool_error"):
            setattr(self._io, name, lambda *_args, **_options: None)

    def outcome(self, form: Form, commit: Commit, text: str) -> Outcome:
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            for change in commit.changes:
                if change.old is not None:
                    _write(root / change.path, change.old)
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    is_applied = self._apply(self._coder(form, root, commit, text), root)
            except Exception:  # whatever it raises, it refuses so
                return "refused"
            got = {
                str(path.relative_to(root)): path.read_bytes()
                for path in root.rglob("*")
                if path.is_file()
            }
        wanted = {
            change.path: _bytes(change.new) for change in commit.changes if change.new is not None
        }
        return "refused" if not is_applied else "exact" if got == wanted else "wrong"

    def _coder(self, form: Form, root: Path, commit: Commit, text: str) -> Any:
        coder = object.__new__(self._coders[form])
        fence = re.search(r"^\s*(`{3,})", text, re.MULTILINE)
        marks = fence.group(1) if fence else "```"
        vars(coder).update(
            root=str(root),
            io=self._io,
            shell_commands=[],
            partial_response_content=text,
            multi_response_content="",
            fence=(marks, marks),
            mdstream=None,
            abs_root_path_cache={},
            abs_fnames={
                str(root / change.path) for change in commit.changes if change.old is not None
            },
            abs_read_only_fnames=set(),
            get_multi_response_content_in_progress=lambda final=False: text,
        )
        return coder

    @staticmethod
    def _apply(coder: Any, root: Path) -> bool:
        edits = coder.get_edits()
        for edit in edits:
            path = edit[0] if isinstance(edit, tuple) else edit.path
            (root / path).parent.mkdir(parents=True, exist_ok=True)
        coder.apply_edits(edits)
        return bool(edits)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_bytes(text))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def measure(repos: list[Path], commits: int) -> Tally:
    aider, tally = Aider(), defaultdict[tuple[Form, str, str], Counter[Outcome]](Counter)
    for commit in (commit for repo in repos for commit in read_commits(repo, commits)):
        if any(change.new is None for change in commit.changes):
            continue
        for form, kind, text in _replies(commit):
            tally[form, kind, "ours"][outcome(commit, text)] += 1
            tally[form, kind, "aider"][aider.outcome(form, commit, text)] += 1
    return tally


def _replies(commit: Commit) -> Iterator[tuple[Form, str, str]]:
    for form in FORMS:
        for dirt in (CLEAN, *DIRTS):
            text = (
                reply(form, dirt, commit.changes, random.Random(commit.name))
                if form in dirt.forms
                else None
            )
            if text is not None:
                yield form, "clean" if dirt is CLEAN else "dirty", text


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repos", nargs="+", type=Path)
    parser.add_argument("--commits", type=int, default=10, help="of each repository")
    options = parser.parse_args()
    print(f"{'form':10} {'':6} {'whose':6} {'replies':>7} {'exact':>8} {'refused':>8} {'wrong':>6}")
    for (form, kind, whose), count in measure(options.repos, options.commits).items():
        share = f"{100 * count['exact'] / count.total():.1f} %"
        print(
            f"{form:10} {kind:6} {whose:6} {count.total():7} {share:>8} {count['refused']:8}"
            f" {count['wrong']:6}"
        )


if __name__ == "__main__":
    main()
