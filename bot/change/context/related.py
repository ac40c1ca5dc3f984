"""What is related to the code that a task changes: the tests that exercise it, and the head of the
changelog."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.change.context.index import split_path
from bot.change.context.pieces import Piece, fit_excerpts, make_excerpts, merge_ranges
from bot.change.context.ranking import RankedFile
from bot.change.context.ranking.retrieval import IndexedRepository, is_readable
from bot.change.context.source import Segment, Source, read_source
from bot.change.context.tokenize import is_common, split_words
from bot.change.tokens import estimate_tokens
from bot.types import Excerpt
from bot.types.snapshot import LineRange, RepositoryView

_MAX_SUBJECTS = 12
"""Definitions whose tests are looked for."""
_MAX_SUBJECT_FILES = 3
_MAX_WEIGHED_TESTS = 12
_FILE_SHARES = (0.6, 0.4)
"""Of the tokens for tests: that of the best file, and of the next."""
_MAX_HEAD_LINES = 30
_NAMED_AFTER = 1.5
"""What it adds to the logarithm of a test file's chance that it is named after a likely file."""
_EXERCISES = 1.0
"""What it adds that the file says all the names that are likely to change."""
_MIN_FIT = 0.8
"""A test is shown if it fits nearly as well as the best of its file, by the task's words or by the
names that it says: each of the two counts 1 at most."""
_HEADING_TOKENS = 30

_CHANGELOG = re.compile(
    r"(?:docs?/)?(?:changelog|changes|history|news|release[-_ ]?notes)(?:\.(?:md|rst|txt|adoc))?$",
    re.IGNORECASE,
)
_MAX_CHANGELOG_LINES = 30


def choose_tests(
    files: Sequence[RankedFile],
    pieces: Sequence[Piece],
    shown: Sequence[Excerpt],
    *,
    budget_tokens: int,
) -> tuple[Excerpt, ...]:
    """The heads and the nearest tests of the files that likely exercise what the task changes."""
    best, subjects = _rank_tests(files, pieces)
    excerpts: list[Excerpt] = []
    for each, share in zip(best, _FILE_SHARES, strict=False):
        excerpts += _excerpt_tests(each, subjects, shown, int(share * budget_tokens))
    return fit_excerpts(excerpts, budget_tokens)


def find_tests(
    files: Sequence[RankedFile], pieces: Sequence[Piece], *, most: int
) -> list[RankedFile]:
    """The test files that likely exercise what the task changes, the likeliest first."""
    return [tests.ranked for tests in _rank_tests(files, pieces)[0][:most]]


def _rank_tests(
    files: Sequence[RankedFile], pieces: Sequence[Piece]
) -> tuple[list[_Tests], Mapping[bytes, float]]:
    """The test files, best first; and the names by which they were weighed."""
    tests = [
        _Tests(each, frozenset(split_words(each.candidate.source.content)))
        for each in files
        if each.candidate.file.kind == "test" and not each.candidate.source.has_long_lines
    ][:_MAX_WEIGHED_TESTS]
    subjects = _weigh_names(_find_subjects(pieces), tests)
    stems = [split_path(each.path).name for each in files if each.candidate.file.kind == "source"][
        :_MAX_SUBJECT_FILES
    ]
    return sorted(tests, key=lambda each: -_fit(each, subjects, stems)), subjects


@dataclass(frozen=True, slots=True)
class _Tests:
    """A test file, and its words."""

    ranked: RankedFile
    words: frozenset[bytes]


def _fit(tests: _Tests, subjects: Mapping[bytes, float], stems: Sequence[frozenset[str]]) -> float:
    own = split_path(tests.ranked.path).name
    is_named_after = any(names and names <= own for names in stems)
    said = sum(subjects[name] for name in tests.words & subjects.keys())
    exercises = said / (sum(subjects.values()) or 1.0)
    return math.log(tests.ranked.chance) + _NAMED_AFTER * is_named_after + _EXERCISES * exercises


def _find_subjects(pieces: Sequence[Piece]) -> dict[bytes, float]:
    """The names that the likeliest pieces define, with their chances."""
    subjects: dict[bytes, float] = {}
    for piece in pieces[:_MAX_SUBJECTS]:
        if piece.extent is None:
            continue
        names = [piece.extent.definition.name]
        if piece.extent.parent is not None:
            names.append(piece.extent.parent.definition.name)
        for name in names:
            if not is_common(name.lower()):
                key = name.encode()
                subjects[key] = max(subjects.get(key, 0.0), piece.chance)
    return subjects


def _weigh_names(subjects: Mapping[bytes, float], tests: Sequence[_Tests]) -> dict[bytes, float]:
    """A name that few of the tests say counts more; one that none says counts nothing."""
    frequency = Counter(name for each in tests for name in each.words & subjects.keys())
    return {
        name: subjects[name] * math.log(1 + len(tests) / count) for name, count in frequency.items()
    }


def _excerpt_tests(
    tests: _Tests,
    subjects: Mapping[bytes, float],
    shown: Sequence[Excerpt],
    budget_tokens: int,
) -> list[Excerpt]:
    """The file's head, and the segments that fit the task and its subjects best."""
    candidate = tests.ranked.candidate
    source, segments = candidate.source, candidate.segments
    unit = max(candidate.scores, default=0.0) or 1.0
    said = [_say(source, segment, subjects) for segment in segments]
    most_said = max(said, default=0.0) or 1.0
    fit = [
        score / unit + says / most_said for score, says in zip(candidate.scores, said, strict=True)
    ]
    is_shown = {
        n for each in shown if each.path == source.path for n in range(each.start, each.end + 1)
    }
    ranges: list[LineRange] = []
    for n in [0, *sorted(range(1, len(segments)), key=lambda n: (-fit[n], n))]:
        start, end = segments[n].start, segments[n].end
        end = end if n else min(end, _MAX_HEAD_LINES)
        cost = estimate_tokens(source.text(start, end)) + _HEADING_TOKENS
        if cost <= budget_tokens and start not in is_shown and (fit[n] > _MIN_FIT or not n):
            ranges.append((start, end))
            budget_tokens -= cost
    why = "tests of what may change"
    return make_excerpts(source, segments, merge_ranges(ranges), why, _HEADING_TOKENS)


def _say(source: Source, segment: Segment, subjects: Mapping[bytes, float]) -> float:
    words = frozenset(split_words(source.bytes(segment.start, segment.end)))
    return sum(subjects[name] for name in words & subjects.keys())


def choose_changelog(
    view: RepositoryView,
    repository: IndexedRepository,
    shown: Sequence[Excerpt],
    *,
    budget_tokens: int,
) -> tuple[Excerpt, ...]:
    """The head of the changelog that the repository keeps, unless its last commits touched none."""
    path = _find_changelog(repository.blobs)
    if path is None or not is_readable(repository.blobs[path]):
        return ()
    if any(each.path == path for each in shown) or not _is_kept(view, path):
        return ()
    (content,) = view.read([repository.blobs[path]])
    source = read_source(path, content)
    if source is None or source.has_long_lines:
        return ()
    lines = 0
    for line in range(1, min(_MAX_CHANGELOG_LINES, len(source.lines)) + 1):
        if estimate_tokens(source.text(1, line)) + _HEADING_TOKENS > budget_tokens:
            break
        lines = line
    ranges = [(1, lines)] if lines else []
    excerpts = make_excerpts(source, (), ranges, "the changelog", _HEADING_TOKENS)
    return fit_excerpts(excerpts, budget_tokens)


def _find_changelog(paths: Iterable[str]) -> str | None:
    found = [path for path in paths if _CHANGELOG.match(path)]
    return min(found, key=lambda path: (path.count("/"), path), default=None)


def _is_kept(view: RepositoryView, path: str) -> bool:
    commits = view.history()
    return not commits or any(path in commit.paths for commit in commits)
