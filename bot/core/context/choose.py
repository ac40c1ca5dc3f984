"""From a task to what the model is shown: every file scanned once, the likely ones examined, the best ones packed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from heapq import nsmallest

from bot.core.context.corpus import first_scores, read_corpus
from bot.core.context.evidence import Candidate, Examiner
from bot.core.context.history import votes
from bot.core.context.mentions import find_named
from bot.core.context.outline import render_outline
from bot.core.context.packing import pack
from bot.core.context.paths import is_shown
from bot.core.context.ranking import Ranked, rank
from bot.core.context.scan import Scan, Scanned, is_readable, scan
from bot.core.context.segments import read_source
from bot.core.context.task import read_task
from bot.core.tokens import estimate_tokens
from bot.core.tree import Snapshot
from bot.core.types import Context

MAX_RANKING = 100
_EXAMINED = 60
_VOTED = 15
_OUTLINED = 40
_SHOWN = 25
_OUTLINE_SHARE = 0.05
_OUTLINE_TOKENS = 2_000
_ABOUT_DOCS = re.compile(
    r"\b(read-?me|docs?|documentation|document(ed|ing)?|change-?log|changes file|tutorial|guide|manual|typo|spelling"
    r"|wording|markdown|rst|licen[cs]e|contributing)\b",
    re.IGNORECASE,
)


def choose_context(snapshot: Snapshot, task: str, *, budget_tokens: int) -> Context:
    """The files and excerpts that the task most likely needs, best first, and an outline of the rest."""
    snapshot = snapshot.visible()
    ranked, rest = rank_files(snapshot, task)
    outline_tokens = min(_OUTLINE_TOKENS, int(budget_tokens * _OUTLINE_SHARE))
    shown = pack(_worth_showing(ranked, task)[:_SHOWN], budget_tokens=budget_tokens - outline_tokens)
    sources = [each.candidate.source for each in ranked[:_OUTLINED]]
    paths = (path for path, blob in snapshot.blobs.items() if is_shown(blob))
    outline = render_outline(paths, sources, shown, budget_tokens=outline_tokens)
    tokens = sum(excerpt.tokens for excerpt in shown) + estimate_tokens(outline)
    return Context((*(each.path for each in ranked), *rest)[:MAX_RANKING], shown, outline, tokens)


def _worth_showing(ranked: list[Ranked], task: str) -> list[Ranked]:
    """Documentation is left to the outline unless the task is about it, or names the file, or there is nothing else."""
    if _ABOUT_DOCS.search(task):
        return ranked
    others = [each for each in ranked if each.candidate.file.kind != "docs" or not each.why.startswith("says ")]
    return others or ranked


def rank_files(snapshot: Snapshot, text: str) -> tuple[list[Ranked], list[str]]:
    """The files that were examined, best first, and others that say anything of the task, by their words."""
    task = read_task(text)
    scanned = scan(snapshot, task.terms)
    corpus = read_corpus(scanned, task.terms)
    first = _best(first_scores(scanned, corpus), _EXAMINED + MAX_RANKING)
    named = find_named(text, scanned.blobs)
    voted = votes(snapshot.history(), task.terms)
    wanted = _worth_examining(first, scanned, {mention.path for mention in named}, voted)
    candidates = list(_examined(snapshot, wanted, Examiner(task, corpus)))
    ranked = rank(candidates, task, corpus, named, voted)
    known = {each.path for each in ranked}
    return ranked, [path for path in first if path not in known]


def _best(scores: Mapping[str, float], most: int) -> list[str]:
    """The paths with a score, best first."""
    return nsmallest(most, filter(scores.get, scores), key=lambda path: (-scores[path], path))


def _worth_examining(first: Sequence[str], scanned: Scan, named: set[str], voted: Mapping[str, float]) -> list[Scanned]:
    still_there = {path: vote for path, vote in voted.items() if path in scanned.blobs}
    extra = {*_best(still_there, _VOTED), *named}
    paths = dict.fromkeys((*first[:_EXAMINED], *sorted(extra)))
    return [scanned.file(path) for path in paths if is_readable(scanned.blobs[path])]


def _examined(snapshot: Snapshot, files: Sequence[Scanned], examiner: Examiner) -> Iterator[Candidate]:
    contents = snapshot.read([file.blob for file in files])
    for file, content in zip(files, contents, strict=True):
        if (source := read_source(file.blob.path, content)) is not None:
            yield examiner.examine(file, source)
