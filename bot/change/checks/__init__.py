"""What is wrong with a change, found without running anything. The sentences go to the model's review
and into the report.

Only new faults count: a file that did not parse before, and what led nowhere already, are not the
change's doing.
"""

from __future__ import annotations

from itertools import islice

from bot.change.checks.lockfiles import find_lock_changes
from bot.change.checks.manifests import find_undeclared
from bot.change.checks.references import find_broken_references
from bot.change.checks.syntax import find_syntax_errors
from bot.change.checks.text import scan_texts
from bot.change.checks.versions import Versions
from bot.types import NO_PARSERS, Parsers
from bot.types.snapshot import Changes, RepositoryView
from bot.types.text import is_binary

MAX_PROBLEMS = 50


def find_problems(
    base: RepositoryView, changes: Changes, parsers: Parsers = NO_PARSERS
) -> tuple[str, ...]:
    """One sentence for each new fault of the changed files; fifty at most."""
    files = {
        path: change.content
        for path, change in sorted(changes.items())
        if change.content is not None and not is_binary(change.content)
    }
    syntax_errors = find_syntax_errors(base, files, parsers.check_syntax)
    scanned = list(islice(scan_texts(base, changes, files), MAX_PROBLEMS))
    problems = [*scanned, *syntax_errors.items()]
    # By file; what could not be searched comes last.
    problems.sort(key=lambda each: (not each[0], each[0], each not in syntax_errors.items()))
    found = [sentence for _path, sentence in problems]
    left = MAX_PROBLEMS - len(found)
    if left > 0:
        versions = Versions(base, changes, parsers.read_names)
        found += islice(find_broken_references(versions, changes), left)
        found += find_undeclared(versions, changes)
        found += find_lock_changes(base, changes)
    return tuple(found[:MAX_PROBLEMS])
