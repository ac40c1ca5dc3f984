"""Answers a question about a repository. The model is shown what it would be shown for a change, may
ask for more in the same way, and changes nothing: whatever it writes is text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice

from bot.change import prompts
from bot.change.context import answer_requests
from bot.change.conversation import MAX_CONTINUATIONS, Ask, LimitedModel
from bot.change.edits import read_reply
from bot.change.first_request import send_first
from bot.change.repository import with_changes
from bot.errors import Unworkable
from bot.types import (
    MAX_ANSWER_CHARS,
    Answer,
    Context,
    Message,
    ModelLimits,
    Prompt,
    Purpose,
    Reference,
    RequestLimits,
    ShownFile,
    Task,
)
from bot.types.snapshot import Changes, RepositoryView
from bot.types.text import read_text, split_keeping_ends

MAX_REFERENCES = 60
"""Further places that an answer names are no links; of so many files, at most, lines are counted."""
MAX_SPANS = 500
"""Of code within lines, so many are looked at."""
MAX_SAME_NAME = 1_000
"""Where more files have a name, only a whole path says which one is meant."""
MAX_FILE_BYTES = 2_000_000
"""In a larger file no lines are counted: a reference to it is none."""
_CODE = re.compile(r"(?<![`\\!])`([^`\n]{1,1000})`(?!`)")
"""As `bot.thread.render.result` links them."""
_PLACE = re.compile(
    r"(?P<path>[^:#]+?)(?:(?::|#)L?(?P<start>\d{1,7})(?:\s?[-–]\s?L?(?P<end>\d{1,7}))?)?"
)
CUT = "The answer was longer than a comment holds, and is cut."
UNFINISHED = "The model's answer was cut off before its end, time and again."
EDITS_LEFT = "The model also wrote edits. A question changes nothing."


def answer(
    task: Task,
    base: RepositoryView,
    ask: Ask,
    *,
    limits: ModelLimits,
    changes: Changes,
    report_step: Callable[[str], None] = lambda _step: None,
) -> Answer:
    """The answer, with the places that it names as far as they exist at the base. `changes` are
    earlier ones of the thread, which the model is shown the files with; lines of what they touch
    are no references, since the base has others there.

    Unworkable if the model answers with nothing.
    """
    model = LimitedModel(ask, limits)
    now = with_changes(base, changes)

    def converse(context: Context, requests: RequestLimits) -> tuple[str, list[ShownFile], bool]:
        return _converse(task, now, model, context, requests)

    report_step("generate")
    (text, asked_for, is_whole), shown, notes = send_first(
        task, now, model, converse, context_tokens=limits.context_tokens
    )
    if not is_whole:
        notes.append(UNFINISHED)
    if len(text) > MAX_ANSWER_CHARS:
        text = text[:MAX_ANSWER_CHARS]
        notes.append(CUT)
    edits = read_reply(text, known=base.blobs).edits
    if any(edit.action in ("replace", "delete", "move") for edit in edits):
        notes.append(EDITS_LEFT)
    references = tuple(_references(text, base, changes))
    return Answer(text, references, tuple(dict.fromkeys((*shown, *asked_for))), tuple(notes))


def _converse(
    task: Task, view: RepositoryView, ask: Ask, context: Context, requests: RequestLimits
) -> tuple[str, list[ShownFile], bool]:
    """The answer's text, what the model was shown on its requests, and whether the answer has its
    end."""
    prompt = prompts.answer_prompt(task, context, requests)
    rounds, continuations, may_insist = requests.rounds, MAX_CONTINUATIONS, True
    purpose: Purpose
    shown: list[ShownFile] = []
    begun = ""
    while True:
        reply = ask(prompt)
        parts = read_reply(reply.text, known=view.blobs)
        if parts.requests and rounds:
            rounds -= 1
            purpose = "more"
            answers = answer_requests(view, {}, parts.requests, budget_tokens=requests.room_tokens)
            shown += answers.shown
            words = prompts.more_words(
                prompts.tag_of(task), answers.text, 0, rounds=rounds, unanswered=answers.unanswered
            )
        elif reply.finish == "length" and continuations:
            continuations -= 1
            begun += _with_white_space(parts.answer, reply.text)
            purpose, words = "repair", prompts.GO_ON
        elif may_insist and (parts.requests or not (begun + parts.answer).strip()):
            may_insist = False
            purpose, words = "repair", prompts.ANSWER_NOW
        else:
            break
        turn = (Message("assistant", parts.answer), Message("user", words))
        prompt = Prompt(purpose, (*prompt.messages, *turn))
    text = (begun + _with_white_space(parts.answer, reply.text)).strip()
    if not text or parts.requests:
        raise Unworkable(
            "The model gave no answer, and gave none when it was asked again.",
            next_step="Ask again, or ask for less at once.",
        )
    return text, shown, reply.finish != "length"


def _with_white_space(answer: str, reply: str) -> str:
    """The answer with the white space around the reply that it is from: it may go on in a word, or
    after one."""
    before, after = reply[: len(reply) - len(reply.lstrip())], reply[len(reply.rstrip()) :]
    return f"{before}{answer}{after}"


def _references(text: str, base: RepositoryView, changes: Changes) -> Iterator[Reference]:
    """The places in single backticks that exist, each once."""
    files = base.visible().blobs
    named: dict[str, list[str]] = {}
    for path in files:
        named.setdefault(path.rpartition("/")[2], []).append(path)
    line_counts: dict[str, int] = {}
    found = 0
    spans = dict.fromkeys(span[1] for span in _CODE.finditer(text))
    for words in islice(spans, MAX_SPANS):
        place = _PLACE.fullmatch(words.strip())
        file = _find_file(place["path"], files, named) if place else None
        if place is None or file is None or file in changes:
            continue
        start = end = None
        if place["start"] is not None:
            start = int(place["start"])
            end = int(place["end"] or start)
            if file not in line_counts and len(line_counts) < MAX_REFERENCES:
                line_counts[file] = _count_lines(base, file)
            if not 1 <= start <= end <= line_counts.get(file, 0):
                continue
        yield Reference(words, file, start, end)
        found += 1
        if found == MAX_REFERENCES:
            return


def _find_file(name: str, files: Collection[str], named: Mapping[str, Sequence[str]]) -> str | None:
    """The file of that path, or the only one whose path ends so. `named` are the paths of `files` by
    their last part."""
    name = name.removeprefix("./").lstrip("/")
    if name in files:
        return name
    paths = named.get(name.rpartition("/")[2], ())
    if len(paths) > MAX_SAME_NAME:
        return None
    ending = [path for path in paths if path.endswith(f"/{name}")]
    return ending[0] if len(ending) == 1 else None


def _count_lines(base: RepositoryView, path: str) -> int:
    blob = base.blobs[path]
    if blob.size_bytes > MAX_FILE_BYTES or not blob.mode.startswith("100"):
        return 0
    return len(split_keeping_ends(read_text(next(iter(base.read([blob])))) or ""))
