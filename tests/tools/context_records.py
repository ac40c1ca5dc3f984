"""What the code makes of the made repositories and their tasks, as text: rankings, shown lines, and
answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from tests.tools.checkout import field, load, make_snapshot
from tests.tools.made.dice import Dice
from tests.tools.made.repositories import Made, make_repository
from tests.tools.made.tasks import Task, make_tasks

_ANSWER_TOKENS = (500, 8_000)


def record_repository(number: int) -> str:
    """Every task of the repository of that number, one after the other."""
    made = make_repository(number)
    tasks = make_tasks(made, number)
    return "\n".join(record_task(made, f"{number} {n}", task) for n, task in enumerate(tasks, 1))


def record_task(made: Made, name: str, task: Task, *, brief: bool = False) -> str:
    """The ranking, what the first request shows, and two answers to requests for more. The answers
    are made from `name`. Where it is to be brief, hashes stand for the lines of answers."""
    snapshot = make_snapshot(made.files, made.modes, made.history)
    title = task.text.partition("\n")[0]
    parts = [
        f"=== {made.name}, {len(made.files)} files, task {name} ({_digest(task.text)}): {title}",
        _ranking(snapshot, task),
        _first_request(snapshot, task),
    ]
    dice = Dice(f"answers {name}")
    for budget_tokens in _ANSWER_TOKENS:
        parts.append(_answers(made, snapshot, dice, budget_tokens, brief=brief))
    return "\n".join(parts) + "\n"


def _ranking(snapshot: Any, task: Task) -> str:
    found = load("rank_files")(snapshot, task.text)
    ranked, others = found if isinstance(found, tuple) else (found.files, found.others)
    lines = [f"  {field(each, 'chance'):.6g} {field(each, 'path')}" for each in ranked]
    by_words = [f"  {path!r}" for path in others]
    return f"ranking: score, path\n{_block(lines)}\nranked by words alone\n{_block(by_words)}"


def _first_request(snapshot: Any, task: Task) -> str:
    context = load("choose_context")(snapshot, task.text, budget_tokens=task.budget_tokens)
    told = (
        f"the ranking that is told: {len(context.ranking)}, {_digest(repr(list(context.ranking)))}"
    )
    shown = f"shown: {field(context, 'tokens')} of {task.budget_tokens} tokens"
    excerpts = [_excerpt(each) for each in context.shown]
    return f"{told}\n{shown}\n{_block(excerpts)}\noutline\n{_indented(field(context, 'map'))}"


def _answers(made: Made, snapshot: Any, dice: Dice, budget_tokens: int, *, brief: bool) -> str:
    asked = list(_requests(made, dice))
    changes = _changes(made, dice) if budget_tokens > _ANSWER_TOKENS[0] else {}
    requests = [load("Request")(*each) for each in asked]
    answers = load("answer_requests")(snapshot, changes, requests, budget_tokens=budget_tokens)
    wishes = _block(
        [f"  {' '.join(str(word) for word in each if word is not None)!r}" for each in asked]
    )
    shown = _block([f"  {each.path}:{each.start}-{each.end} {each.why}" for each in answers.shown])
    text = _in_brief(answers.text) if brief else _indented(answers.text)
    return f"asked, for {budget_tokens} tokens\n{wishes}\nshown\n{shown}\ntext\n{text}"


def _requests(made: Made, dice: Dice) -> Iterator[tuple[str, str, int | None, int | None]]:
    """Kind, argument, and the first and last line: a few of each kind, some of which cannot be
    answered."""
    paths = sorted(made.files)
    path, other = dice.some(made.sources(), 2)
    noun, verb = dice.pick(made.words.nouns), dice.pick(made.words.verbs)
    first = dice.number(1, 30)
    yield "read", path, first, first + dice.number(0, 20)
    yield "search", f"{noun}.*{verb}" if dice.happens(0.5) else f"{verb}_", None, None
    yield "list", dice.pick((path, other)).rpartition("/")[0], None, None
    yield "read", other.rpartition("/")[2], None, None
    yield "search", dice.pick((f"{noun}(", f"^\\s+{noun}", f"(?i){noun}", "[a-z]\\)?$")), None, None
    yield "list", dice.pick(("", ".", "nowhere", "docs/")), None, None
    yield "read", dice.pick((f"lost/{noun}.py", f"./{path}", dice.pick(paths))), None, None
    yield "read", path, 10_000, None


def _changes(made: Made, dice: Dice) -> dict[str, Any]:
    """What edits made so far: a file is changed, one is new, one is gone."""
    path, gone = dice.some(made.sources(), 2)
    noun = dice.pick(made.words.nouns)
    changed = made.files[path].replace(noun.encode(), b"changed")
    return {
        path: load("Change")(path, changed),
        f"new/{noun}.py": load("Change")(f"new/{noun}.py", f"{noun} = 1\n".encode() * 3),
        gone: load("Change")(gone, None),
    }


def _excerpt(excerpt: Any) -> str:
    place = f"{excerpt.path}:{excerpt.start}-{excerpt.end}"
    return f"  {place} ({excerpt.tokens} tokens, {_digest(excerpt.text)}) {excerpt.why}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _indented(text: str) -> str:
    """Each line behind a bar, so that blank ones and ends can be seen."""
    return "\n".join(f"  |{line}" for line in text.replace("\r", "\\r").split("\n"))


def _in_brief(text: str) -> str:
    """The blocks of an answer by their first line, length and hash."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    return _block(
        [
            f"  {block.partition(chr(10))[0][:100]} ({len(block)}, {_digest(block)})"
            for block in blocks
        ]
    )


def _block(lines: Sequence[str]) -> str:
    return "\n".join(lines) if lines else "  (nothing)"
