"""The readers of what strangers and models write: each takes any bytes, and raises if it breaks a
promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from bot.adapters.model.errors import ErrorAnswer
from bot.adapters.model.response import read_completion
from bot.change.checks import find_problems
from bot.change.checks.signs import find_signs
from bot.change.context import answer_requests
from bot.change.edits import apply_edits, read_reply
from bot.errors import BadRequest, TinyGenError
from bot.thread.ci_logs import fingerprint, outside_cause, tail_of
from bot.thread.commands import parse_command
from bot.thread.markdown.page import read_page
from bot.thread.markdown.quote import neutralize, plain_words
from bot.thread.settings import read_settings
from bot.thread.webhooks import EVENTS, Delivery, parse_job
from bot.types.characters import escape_unseen, find_look_alikes, find_unseen, remove_unseen
from bot.types.snapshot import Change
from tests.change.edits.odd_replies import outcomes
from tests.change.snapshots import view_of

FILES = {path: (text or "").encode() for path, text in outcomes()["files"].items()}
CHUNK_BYTES = 64


def reply(data: bytes) -> None:
    """A reply says something, is read the same twice, and each of its edits is applied, a quote, or
    rejected."""
    text, view = _decode(data), view_of(FILES)
    parsed = read_reply(text, known=FILES)
    assert parsed == read_reply(text, known=FILES)
    assert parsed.edits or parsed.requests or parsed.problems or parsed.prose
    result = apply_edits(view, {}, parsed.edits)
    done = sum(edit.action != "quote" for edit in parsed.edits)
    assert len(result.applied) <= done <= len(result.applied) + len(result.rejected)
    find_problems(view, result.changes)
    answer_requests(view, result.changes, parsed.requests, budget_tokens=1_000)


def edits(data: bytes) -> None:
    """The first half is two files, the other a reply to them: a second reply that says the same again
    rejects no more than it applied."""
    half = len(data) // 2
    view = view_of({"src/calc.py": data[:half], "b.md": data[:half]})
    found = read_reply(_decode(data[half:]), known=view.blobs).edits
    first = apply_edits(view, {}, found)
    again = apply_edits(view, first.changes, found, seen={})
    assert len(again.applied) + len(again.rejected) >= len(first.applied)
    assert first == apply_edits(view, {}, found)


def command(data: bytes) -> None:
    parse_command(_decode(data))


def markdown(data: bytes) -> None:
    text = _decode(data)
    read_page(text)
    neutralize(text)
    plain_words(text)


def delivery(data: bytes) -> None:
    """The first byte chooses the event."""
    events = (*EVENTS, "installation", "installation_repositories")
    event = events[(data[0] if data else 0) % len(events)]
    with suppress(BadRequest):
        parse_job(Delivery("d", event, data[1:]), app_id=1, received_at="now")


def characters(data: bytes) -> None:
    """What was removed is gone, and nothing else is; what is escaped is the same."""
    text = _decode(data)
    found = list(find_unseen(text))
    removed = remove_unseen(text)
    assert not any(find_unseen(removed))
    assert len(removed) == len(text) - len(found)
    assert len(escape_unseen(text)) >= len(text) + len(found)
    list(find_look_alikes(text, ("a",)))


def signs(data: bytes) -> None:
    """The first half is the old text, the other the new one, in files of all kinds."""
    half = len(data) // 2
    names = ("package.json", "requirements.txt", "tests/test_a.py", "pyproject.toml", ".coveragerc")
    view = view_of(dict.fromkeys(names, data[:half]))
    find_signs(view, {name: Change(name, data[half:]) for name in names})


def log(data: bytes) -> None:
    text = tail_of(_decode(data))
    outside_cause((text,))
    fingerprint((text,))


def settings(data: bytes) -> None:
    read_settings(data)


def completion(data: bytes) -> None:
    """The text can be written as UTF-8; an error is one of ours."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), CHUNK_BYTES):
            yield data[start : start + CHUNK_BYTES]

    with suppress(ErrorAnswer, TinyGenError):
        asyncio.run(read_completion(chunks(), usage_wait_s=0.1)).text.encode()


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


READERS = {
    each.__name__: each
    for each in (
        reply,
        edits,
        command,
        markdown,
        settings,
        completion,
        delivery,
        characters,
        signs,
        log,
    )
}
