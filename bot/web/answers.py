"""The answers of the API: a diff, a job, a list of jobs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from bot.thread.render import comment_url, render_outsiders_note, waiting_reason
from bot.types import Report, Source, State, StepState
from bot.types.pages import AppStatus, Spending
from bot.web.problems import failure_error, problem_error


class RunAnswer(BaseModel):
    diff: str = Field(description="What `git apply` takes; empty where no change is needed.")


class Accepted(BaseModel):
    job: str = Field(description="The job's id: ask for it at `/jobs/<id>`.")


class StepLine(BaseModel):
    """A step of a job."""

    title: str
    state: StepState
    began_at: str | None = Field(description="ISO 8601, UTC; null if it has not begun.")


class UsageSum(BaseModel):
    """What all calls of the model used together."""

    model: str | None = Field(description="Null before the first call.")
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = Field(description="Those of `prompt_tokens` that the model had cached.")
    cost_usd: float | None = Field(description="Null where the price is not known.")
    estimate_usd: float | None = Field(
        description="What the job would probably cost, estimated before anything was spent."
    )
    seconds: float = Field(description="Spent waiting for the model.")


class Shown(BaseModel):
    """Lines of a file that the model was shown."""

    path: str
    start: int = Field(description="The first line, from 1.")
    end: int = Field(description="The last line.")
    why: str = Field(description="Why they were chosen.")


class Place(BaseModel):
    """A place that an answer names."""

    words: str = Field(description="As they stand in the answer.")
    path: str
    start: int | None = Field(description="The first line, from 1; null for the whole file.")
    end: int | None = Field(description="The last line.")


class Result(BaseModel):
    """The change."""

    diff: str = Field(description="What `git apply` takes; empty where no change is needed.")
    base_sha: str = Field(description="The commit that the diff is made for.")
    summary: str = Field(description="In the model's words; its first line is a title.")
    notes: tuple[str, ...] = Field(description="What could not be done as asked, and why.")
    pull_request_url: str | None
    commit_url: str | None


class Links(BaseModel):
    """Addresses of or about the job; null where there is no such thing."""

    self: str = Field(description="A path of this server.")
    diff: str | None = Field(description="A path of this server.")
    comment: str | None = Field(description="The comment that asked for it.")
    pull_request: str | None
    commit: str | None


class _JobBase(BaseModel):
    id: str
    state: State
    source: Source = Field(description="Where it was asked for; `run` is a direct call.")
    repo: str = Field(description="As owner/name.")
    issue_number: int | None = Field(description="Of the issue or pull request; null for a call.")
    asker: str | None = Field(description="A login, or the name of the key that called.")
    command: str = Field(description="What was asked for; `solve` is a change.")
    waits_for: str | None = Field(description="What a job waits for that has not ended.")
    error: str | None = Field(description="Why the job failed or was refused, and what to do.")
    created_at: str = Field(description="ISO 8601, UTC.")
    finished_at: str | None = Field(description="ISO 8601, UTC; null if it has not ended.")
    links: Links


class JobRow(_JobBase):
    """A job in the list."""

    tokens: int = Field(description="Of all calls of the model.")
    cost_usd: float | None = Field(description="Null where the price is not known.")


class JobAnswer(_JobBase):
    """A job."""

    prompt: str
    steps: tuple[StepLine, ...]
    usage: UsageSum
    shown: tuple[Shown, ...] = Field(description="The lines that the model was shown, and why.")
    reflections: tuple[str, ...] = Field(description="What each review by the model found.")
    result: Result | None = Field(description="The change; null while there is none.")
    answer: str | None = Field(description="To a question (`ask`), in Markdown; null if none.")
    places: tuple[Place, ...] = Field(description="Those that the answer names, at `base_sha`.")
    base_sha: str | None = Field(description="The commit that was read; null before that.")


class SpendingRow(BaseModel):
    name: str
    requests: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None


class Spent(BaseModel):
    """What the requests used, the most first; by day, the newest first."""

    since: str = Field(description="ISO 8601, UTC.")
    day: tuple[SpendingRow, ...]
    repo: tuple[SpendingRow, ...]
    person: tuple[SpendingRow, ...] = Field(description="A direct call has the name of none.")
    model: tuple[SpendingRow, ...]


class DeadDelivery(BaseModel):
    """A delivery of GitHub's that was never taken."""

    delivery: str
    event: str
    action: str | None
    status: int = Field(description="Of our answer to the last attempt; 0 if there was none.")
    tried_at: str


class Overview(BaseModel):
    """What an operator sees above the list."""

    states: dict[State, int] = Field(description="How many jobs are in each state.")
    workers: int = Field(description="How many were alive within the last minute.")
    paused: str | None = Field(description="Why no new work begins; null if it begins.")
    log_rows_waiting: int = Field(description="Rows that the log at Supabase has not taken yet.")
    dead_deliveries: tuple[DeadDelivery, ...] | None = Field(
        description="The newest ones; null if GitHub was not asked yet."
    )
    deliveries_read_at: str | None = Field(description="When GitHub was asked for them.")
    spent: Spent


class JobsAnswer(BaseModel):
    """A page of the list."""

    jobs: tuple[JobRow, ...]
    next: str | None = Field(description="The address of the next page; null on the last.")
    overview: Overview | None = Field(
        description="For operators, on the first page; null for all others."
    )


def diff_answer(report: Report) -> dict[str, str]:
    """The answer of /run after the job has ended."""
    if report.state == "done":
        return {"diff": report.patch.text if report.patch else ""}
    if report.failure is None:
        raise problem_error(409, "The job was cancelled. Send the request again.")
    raise failure_error(report.failure)


def diff_bytes(report: Report) -> bytes:
    """The answer of /jobs/<id>.diff."""
    if report.patch is None and report.state != "done":
        raise problem_error(
            404, f"The job is {report.state} and has no diff. See /jobs/{report.job.id}."
        )
    return (report.patch.text if report.patch else "").encode("utf-8", "surrogateescape")


def job_answer(report: Report, server_url: str) -> JobAnswer:
    """The answer of /jobs/<id>. `server_url` is GitHub's."""
    return JobAnswer(
        **_facts(report, server_url),
        prompt=report.job.command.prompt,
        steps=tuple(
            StepLine(title=step.title, state=step.state, began_at=step.began_at or None)
            for step in report.steps
        ),
        usage=_usage(report),
        shown=tuple(
            Shown(path=part.path, start=part.start, end=part.end, why=part.why)
            for part in report.shown
        ),
        reflections=report.reflections,
        result=_result(report),
        places=tuple(
            Place(words=each.words, path=each.path, start=each.start, end=each.end)
            for each in report.references
        ),
        base_sha=report.base_sha or None,
        answer=report.summary if report.job.command.verb == "ask" and report.summary else None,
    )


def job_row(report: Report, server_url: str) -> JobRow:
    usage = report.usage
    return JobRow(
        **_facts(report, server_url),
        tokens=usage.prompt_tokens + usage.completion_tokens,
        cost_usd=usage.cost_usd,
    )


def _facts(report: Report, server_url: str) -> dict[str, Any]:
    """The values of `_JobBase`."""
    job = report.job
    return {
        "id": job.id,
        "state": report.state,
        "source": job.source,
        "repo": job.target.repo,
        "issue_number": job.target.issue_number,
        "asker": job.actor,
        "command": job.command.verb,
        "waits_for": waiting_reason(report) or None,
        "error": _error(report),
        "created_at": job.received_at,
        "finished_at": report.finished_at,
        "links": _links(report, server_url),
    }


def spending_rows(spent: tuple[Spending, ...]) -> tuple[SpendingRow, ...]:
    return tuple(
        SpendingRow(
            name=each.name,
            requests=each.requests,
            calls=each.calls,
            prompt_tokens=each.prompt_tokens,
            completion_tokens=each.completion_tokens,
            cost_usd=each.cost_usd,
        )
        for each in spent
    )


def dead_deliveries(app: AppStatus | None) -> tuple[DeadDelivery, ...] | None:
    if app is None:
        return None
    return tuple(
        DeadDelivery(
            delivery=each.guid,
            event=each.event,
            action=each.action,
            status=each.status,
            tried_at=each.delivered_at,
        )
        for each in app.dead
    )


def _error(report: Report) -> str | None:
    failure = report.failure
    return f"{failure.message} {failure.next_step}".strip() if failure else None


def _usage(report: Report) -> UsageSum:
    usage = report.usage
    return UsageSum(
        model=report.model,
        calls=usage.calls,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.cached_tokens,
        cost_usd=usage.cost_usd,
        estimate_usd=report.estimate_usd,
        seconds=round(usage.seconds, 3),
    )


def _result(report: Report) -> Result | None:
    if report.patch is None:
        return None
    outsiders_note = render_outsiders_note(report)
    return Result(
        diff=report.patch.text,
        base_sha=report.patch.base_sha,
        summary=report.summary,
        notes=(*report.notes, outsiders_note) if outsiders_note else report.notes,
        pull_request_url=report.pull_request_url,
        commit_url=report.commit_url,
    )


def _links(report: Report, server_url: str) -> Links:
    job_id = report.job.id
    return Links(
        self=f"/jobs/{job_id}",
        diff=f"/jobs/{job_id}.diff" if report.patch and report.patch.text else None,
        comment=comment_url(report.job, server_url),
        pull_request=report.pull_request_url,
        commit=report.commit_url,
    )
