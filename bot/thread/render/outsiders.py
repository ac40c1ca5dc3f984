"""What people are told of words of outsiders, whom `bot.jobs.task.outsiders` finds."""

from __future__ import annotations

from bot.thread.markdown.quote import code_span
from bot.types import Failure, Outsider, Report

MAX_OUTSIDERS = 5
"""Further outsiders are counted, not named."""
WAITS = (
    "it rests on words of people who may not have changes made here, and waits for"
    " `/tinygen apply`."
)


def render_outsiders_note(report: Report) -> str:
    """Which outsiders' words a finished change depends on; "" if there is no change or none of
    them."""
    has_change = report.state == "done" and report.patch is not None and report.patch.text
    if not report.rests_on or not has_change:
        return ""
    return f"This change rests on {_outsiders(report.rests_on)}."


def render_outsiders_refusal(rests_on: tuple[Outsider, ...]) -> Failure:
    """Why no change is made that would depend on outsiders' words."""
    return Failure(
        f"The change would rest on {_outsiders(rests_on)}, and here none is made of such words"
        " (`TINYGEN_OUTSIDERS`).",
        "Say what to do in a thread that someone opened who may have changes made, in words of your"
        " own.",
    )


def _outsiders(rests_on: tuple[Outsider, ...]) -> str:
    words_of: dict[str | None, list[str]] = {}
    for outsider in rests_on:
        words_of.setdefault(outsider.login, []).append(outsider.words)
    people = []
    for login, words in words_of.items():
        name = code_span(login) if login else "somebody unknown"
        people.append(f"{name} ({', '.join(words)})")
    if len(people) > MAX_OUTSIDERS:
        people = [*people[:MAX_OUTSIDERS], f"{len(people) - MAX_OUTSIDERS} more"]
    names = ", ".join(people[:-1])
    names = f"{names} and {people[-1]}" if names else people[-1]
    return f"words of {names}, who may not have changes made here"
