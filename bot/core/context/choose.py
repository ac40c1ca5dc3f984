"""From a task to what the model is shown: every file scanned once, the likely ones examined, the best ones packed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from bot.core.context.corpus import Corpus, first_score, read_corpus
from bot.core.context.evidence import Candidate, Examiner
from bot.core.context.history import votes
from bot.core.context.mentions import find_named
from bot.core.context.outline import render_outline
from bot.core.context.packing import pack
from bot.core.context.paths import Kind, is_shown, kinds_of
from bot.core.context.ranking import Ranked, rank
from bot.core.context.scan import Matcher, Scanned, is_readable, scan
from bot.core.context.segments import read_source
from bot.core.context.task import read_task
from bot.core.tokens import estimate_tokens
from bot.core.tree import Snapshot
from bot.core.types import Context

MAX_RANKING = 100
_EXAMINED = 40
_VOTED = 15
_OUTLINED = 40
_SHOWN = 25
_OUTLINE_SHARE = 0.08
_OUTLINE_TOKENS = 2_000
_ABOUT_DOCS = re.compile(
    r"\b(read-?me|docs?|documentation|document(ed|ing)?|change-?log|changes file|tutorial|guide|manual|typo|spelling"
    r"|wording|markdown|rst|licen[cs]e|contributing)\b",
    re.IGNORECASE,
)


def choose_context(snapshot: Snapshot, task: str, *, budget_tokens: int) -> Context:
    """The files and excerpts that the task most likely needs, best first, and an outline of the rest."""
    snapshot = snapshot.visible()
    kinds = kinds_of(blob.path for blob in snapshot.blobs.values() if is_shown(blob))
    ranked, rest = rank_files(snapshot, kinds, task)
    outline_tokens = min(_OUTLINE_TOKENS, int(budget_tokens * _OUTLINE_SHARE))
    shown = pack(_worth_showing(ranked, task)[:_SHOWN], budget_tokens=budget_tokens - outline_tokens)
    sources = [each.candidate.source for each in ranked[:_OUTLINED]]
    outline = render_outline(kinds, sources, shown, budget_tokens=outline_tokens)
    tokens = sum(excerpt.tokens for excerpt in shown) + estimate_tokens(outline)
    ranking = (*(each.path for each in ranked), *(file.blob.path for file in rest))
    return Context(ranking[:MAX_RANKING], shown, outline, tokens)


def _worth_showing(ranked: list[Ranked], task: str) -> list[Ranked]:
    """Documentation is left to the outline unless the task is about it, or names the file, or there is nothing else."""
    if _ABOUT_DOCS.search(task):
        return ranked
    others = [each for each in ranked if each.candidate.file.kind != "docs" or not each.why.startswith("says ")]
    return others or ranked


def rank_files(snapshot: Snapshot, kinds: Mapping[str, Kind], text: str) -> tuple[list[Ranked], list[Scanned]]:
    """The files that were examined, best first, and the others that say anything of the task, by their words."""
    task = read_task(text)
    matcher = Matcher(task.terms)
    corpus = read_corpus(scan(snapshot, kinds, task.terms), task.terms)
    named = find_named(text, kinds)
    voted = votes(snapshot.history(), task.terms)
    first = _by_first_score(corpus)
    wanted = _worth_examining(first, corpus, {mention.path for mention in named}, voted)
    candidates = list(_examined(snapshot, wanted, Examiner(task, corpus, matcher)))
    ranked = rank(candidates, task, corpus, named, voted)
    known = {each.path for each in ranked}
    return ranked, [file for file in first if file.blob.path not in known]


def _by_first_score(corpus: Corpus) -> list[Scanned]:
    scored = [(first_score(file, corpus), file) for file in corpus.files]
    scored.sort(key=lambda pair: (-pair[0], pair[1].blob.path))
    return [file for score, file in scored if score > 0]


def _worth_examining(
    first: Sequence[Scanned], corpus: Corpus, named: set[str], voted: Mapping[str, float]
) -> list[Scanned]:
    still_there = [path for path in voted if path in corpus.paths]
    extra = set(sorted(still_there, key=lambda path: (-voted[path], path))[:_VOTED]) | named
    files = {file.blob.path: file for file in first[:_EXAMINED]}
    files |= {file.blob.path: file for file in corpus.files if file.blob.path in extra}
    return [file for file in files.values() if is_readable(file.blob)]


def _examined(snapshot: Snapshot, files: Sequence[Scanned], examiner: Examiner) -> Iterator[Candidate]:
    contents = snapshot.read([file.blob for file in files])
    for file, content in zip(files, contents, strict=True):
        if (source := read_source(file.blob.path, content)) is not None:
            yield examiner.examine(file, source)
