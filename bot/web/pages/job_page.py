"""The page of a job: what was asked, the steps, the result, and how it came about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import request

from bot.thread.page_links import PARAMETER, page_path
from bot.thread.render import (
    comment_url,
    place_url,
    render_outsiders_note,
    split_summary,
    waiting_reason,
)
from bot.thread.requests import is_repeatable
from bot.types import FINAL_STATES, WORK, Report
from bot.types.characters import escape_unseen
from bot.types.names import branch_name
from bot.types.pages import Turn
from bot.web.pages import github_url
from bot.web.pages.diff_view import MAX_FILES, file_views

MAX_TEXT_CHARS = 200_000
"""Of one message of a conversation."""
MAX_CONVERSATION_CHARS = 2_000_000
MAX_MESSAGES = 400
"""Of all turns of a page together."""
MAX_ROWS = 500
"""Of notes, reviews and shown lines, each."""
PURPOSES = {
    "choose": "Choose what to look at",
    "generate": "Write the change",
    "answer": "Answer the question",
    "repair": "Mend what could not be used",
    "more": "Read on, with what the model asked to see",
    "reflect": "Review the change",
    "compare": "Compare the change with and without the review's edits",
}

_OUTCOME = re.compile(r"\*\*([A-Za-z ]{1,40}\.)\*\*\s*")


@dataclass(frozen=True, slots=True)
class StepView:
    title: str
    state: str
    began_at: str
    seconds: float | None
    """How long it took; None if it has not ended, or its times are not known."""


@dataclass(frozen=True, slots=True)
class TextView:
    """One message or reply. `cut` is how many characters are not shown."""

    role: str
    text: str
    size: int
    cut: int
    images: int = 0


@dataclass(frozen=True, slots=True)
class TurnView:
    number: int
    purpose: str
    repeated: int
    messages: tuple[TextView, ...]
    reply: TextView
    turn: Turn


@dataclass(frozen=True, slots=True)
class Actions:
    """What the caller may do with a job, and the token that the forms for it carry."""

    may_cancel: bool = False
    may_retry: bool = False
    form_token: str = ""


def job_values(
    report: Report,
    turns: Sequence[Turn],
    actions: Actions,
    *,
    server_url: str,
    address: str,
    signature: str,
    conversations_kept: bool,
) -> dict[str, object]:
    """What the template `job.html` shows. `address` is this bot's; `signature` lets `git apply`
    read the diff for a while without signing in."""
    job, patch = report.job, report.patch
    title, rest = split_summary(report.summary)
    diff_url = address + page_path(job.id, signature, suffix=".diff")
    return {
        "report": report,
        "job": job,
        "is_final": report.state in FINAL_STATES,
        "heading": (title if patch else "")
        or job.command.prompt.strip().partition("\n")[0]
        or _thread_title(report),
        "summary": rest,
        "places": [
            (each.words, place_url(each, f"{server_url}/{job.target.repo}", report.base_sha or ""))
            for each in report.references
        ],
        "open_pulls": [github_url(url, server_url) for url in report.open_pulls],
        "thread_title": _thread_title(report),
        "steps": step_views(report),
        "waits_for": waiting_reason(report),
        "files": file_views(patch) if patch else (),
        "more_files": max(0, len(patch.files) - MAX_FILES) if patch else 0,
        "notes": report.notes[:MAX_ROWS],
        "left_out": report.left_out[:MAX_ROWS],
        "shown": report.shown[:MAX_ROWS],
        "pull_request_url": github_url(report.pull_request_url, server_url),
        "commit_url": github_url(report.commit_url, server_url),
        "first_version": file_views(report.first_patch) if report.first_patch else (),
        "apply_command": f"curl -fsS '{diff_url}' | git apply --index",
        "diff_path": page_path(job.id, request.args.get(PARAMETER, ""), suffix=".diff"),
        "comment_url": comment_url(report.job, server_url),
        "repo_url": f"{server_url}/{job.target.repo}",
        "branch": branch_name(job) if report.pull_request_url else "",
        "reviews": [review_view(text) for text in report.reflections[:MAX_ROWS]],
        "outsiders_note": render_outsiders_note(report),
        "turns": turn_views(turns),
        "conversations_kept": conversations_kept,
        "is_work": job.command.verb in WORK,
        "actions": actions,
    }


def _thread_title(report: Report) -> str:
    return report.job.thread[0] if report.job.thread else ""


def actions_for(report: Report, *, may_change: bool, form_token: str) -> Actions:
    is_open = report.state not in FINAL_STATES
    return Actions(may_change and is_open, may_change and is_repeatable(report), form_token)


def review_view(text: str) -> tuple[str, str]:
    """(what came of it, the rest) of `bot.thread.render.render_reflection`'s text."""
    found = _OUTCOME.match(text)
    return (found[1], text[found.end() :]) if found else ("", text)


def step_views(report: Report) -> tuple[StepView, ...]:
    """The steps with how long each took: until the next one began, or the job ended."""
    views = list[StepView]()
    end = report.finished_at or ""
    for step in reversed(report.steps):
        seconds = _seconds_between(step.began_at, end)
        views.append(StepView(step.title, step.state, step.began_at, seconds))
        end = step.began_at or end
    return tuple(reversed(views))


def _seconds_between(start: str, end: str) -> float | None:
    if not start or not end:
        return None
    elapsed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    return max(0.0, elapsed.total_seconds())  # the last step may be stored just after the end


def turn_views(turns: Sequence[Turn]) -> tuple[TurnView, ...]:
    left, count = MAX_CONVERSATION_CHARS, 0
    views = []
    for turn in turns:
        messages = []
        for message in turn.messages[: max(0, MAX_MESSAGES - count)]:
            count += 1
            view = _text_view(message.role, message.text, left, len(message.images))
            left -= view.size - view.cut
            messages.append(view)
        reply = _text_view("assistant", turn.reply.text, left)
        left -= reply.size - reply.cut
        purpose = PURPOSES.get(turn.purpose, turn.purpose)
        views.append(TurnView(turn.number, purpose, turn.repeated, tuple(messages), reply, turn))
    return tuple(views)


def _text_view(role: str, text: str, left: int, images: int = 0) -> TextView:
    shown = text[: max(0, min(MAX_TEXT_CHARS, left))]
    return TextView(role, escape_unseen(shown), len(text), len(text) - len(shown), images)
