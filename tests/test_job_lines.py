"""The lines of a job, as values: which level, which fields, and no words of people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.errors import BadRequest, NotPermitted, OutsideError, SetupError, TinyGenError, Unworkable
from bot.job_lines import log_accepted, log_ended, neutral_reason
from bot.types import Command, Failure, Job, Report, State, Target, Usage

JOB = Job(
    "j-1",
    "comment",
    Target("octocat/greeter", 9, 3, comment_id=7),
    Command("solve", "Say swordfish."),
    actor="octocat",
    delivery_id="j-1",
    received_at="2026-01-01T10:00:00.000+00:00",
    thread=("A swordfish", "With swordfish."),
)


def line_of(log: Callable[[], None]) -> dict[str, Any]:
    with capture_logs() as lines:
        log()
    (line,) = lines
    return dict(line)


def ended(state: State, failure: Failure | None = None, **of: Any) -> dict[str, Any]:
    finished_at = "2026-01-01T10:00:02.500000+00:00"
    report = replace(Report(JOB, state, failure=failure, finished_at=finished_at), **of)
    return line_of(lambda: log_ended(report))


def test_an_accepted_job_says_who_asked_for_what_and_where() -> None:
    assert line_of(lambda: log_accepted(JOB)) == {
        "event": "accepted",
        "log_level": "info",
        "job": "j-1",
        "repo": "octocat/greeter",
        "number": 3,
        "asker": "octocat",
        "command": "solve",
        "source": "comment",
        "trigger": "comment",
        "delivery": "j-1",
    }


def test_an_ended_job_says_how_long_it_took_and_what_it_used() -> None:
    usage = Usage(calls=2, prompt_tokens=100, completion_tokens=20, cost_usd=0.012345678)
    pull = "https://github.com/octocat/greeter/pull/4"
    assert ended("done", usage=usage, pull_request_url=pull, summary="swordfish") == {
        "event": "ended",
        "log_level": "info",
        "job": "j-1",
        "repo": "octocat/greeter",
        "number": 3,
        "asker": "octocat",
        "command": "solve",
        "outcome": "done",
        "seconds": 2.5,
        "calls": 2,
        "tokens_in": 100,
        "tokens_out": 20,
        "cost_usd": 0.012346,
        "pull_request": pull,
    }


@pytest.mark.parametrize(
    ("state", "error", "level"),
    [
        ("done", None, "info"),
        ("cancelled", None, "info"),
        ("refused", NotPermitted("You may not.", next_step="Ask."), "info"),
        ("failed", Unworkable("No edit fits.", next_step="Try."), "warning"),
        ("failed", OutsideError("GitHub is away.", next_step="Wait."), "warning"),
        ("failed", SetupError("No key.", next_step="Set it."), "warning"),
        ("failed", TinyGenError("A fault of its own.", next_step="Look."), "error"),
    ],
)
def test_the_level_says_who_must_look(state: State, error: TinyGenError | None, level: str) -> None:
    line = ended(state, Failure.of(error) if error else None)
    assert (line["log_level"], line["outcome"]) == (level, state)
    assert line.get("reason") == (error.message if error else None)
    assert line.get("error") == (type(error).__name__ if error else None)


def test_a_reason_leaves_out_what_it_quotes_of_the_asker_and_of_the_model() -> None:
    failures = (
        BadRequest("`--swordfish` is not one of `--pr`.", next_step=""),
        Unworkable("The model m refused (I say no swordfish).", next_step=""),
        BadRequest('"swordfish" and “swordfish”.', next_step=""),
    )
    reasons = [neutral_reason(Failure.of(each)) for each in failures]
    assert reasons == ["… is not one of ….", "The model m refused ….", "… and …."]


def test_a_reason_keeps_what_a_server_said() -> None:
    said = "The model server refused the key (Incorrect API key)."
    assert neutral_reason(Failure.of(OutsideError(said, next_step=""))) == said


def test_a_job_without_its_times_has_a_line_too() -> None:
    with capture_logs() as lines:
        log_ended(Report(replace(JOB, received_at=""), "done"))
    assert "seconds" not in lines[0]
