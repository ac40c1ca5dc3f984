"""The answers of the API: a diff, and a job's page."""

from __future__ import annotations

from pydantic import BaseModel, Field

from bot.thread.render import render_outsiders_note
from bot.types import Report, Source, State, StepState
from bot.web.problems import failure_error, problem_error


class RunAnswer(BaseModel):
    diff: str = Field(description="What `git apply` takes; empty where no change is needed.")


class Accepted(BaseModel):
    job: str = Field(description="Its page is /jobs/<job>.")


class StepLine(BaseModel):
    title: str
    state: StepState


class UsageSum(BaseModel):
    model: str | None
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    seconds: float


class Result(BaseModel):
    diff: str
    base_sha: str
    summary: str
    notes: tuple[str, ...]
    pull_request_url: str | None
    commit_url: str | None


class JobPage(BaseModel):
    id: str
    state: State
    source: Source
    repo: str
    steps: tuple[StepLine, ...]
    usage: UsageSum
    result: Result | None
    error: str | None
    created_at: str
    finished_at: str | None


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


def job_page(report: Report) -> JobPage:
    """The answer of /jobs/<id>."""
    failure = report.failure
    return JobPage(
        id=report.job.id,
        state=report.state,
        source=report.job.source,
        repo=report.job.target.repo,
        steps=tuple(StepLine(title=step.title, state=step.state) for step in report.steps),
        usage=_usage(report),
        result=_result(report),
        error=f"{failure.message} {failure.next_step}".strip() if failure else None,
        created_at=report.job.received_at,
        finished_at=report.finished_at,
    )


def _usage(report: Report) -> UsageSum:
    usage = report.usage
    return UsageSum(
        model=report.model,
        calls=usage.calls,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cost_usd=usage.cost_usd,
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
