"""Runs of a repository's checks: which of their jobs failed, and the ends of those logs.

https://docs.github.com/en/rest/actions/workflow-jobs
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from bot.adapters.github.calls import Call, Calls, Server
from bot.adapters.github.shapes import PAGE_ITEMS, Id, Name, Title
from bot.errors import AskerError
from bot.ports import FailedJob

_LOG_BYTES = 64 * 1024
_MOST = 3


class _Step(BaseModel):
    name: Title
    conclusion: Name | None = None


class _Job(BaseModel):
    id: Id
    name: Title
    conclusion: Name | None = None
    steps: list[_Step] = []


class _Jobs(BaseModel):
    jobs: Annotated[list[_Job], Field(max_length=PAGE_ITEMS)]


def failed_jobs(server: Server, calls: Calls, repo: str, run_id: int) -> tuple[FailedJob, ...]:
    """See `bot.ports.GitHub.failed_jobs`; the first three."""
    path, doing = f"/repos/{repo}/actions/runs/{run_id}/jobs", f"read which jobs of a check failed in {repo}"
    jobs = calls.read(_Jobs, Call("GET", path, doing, params={"filter": "latest", "per_page": 100})).jobs
    failed = [job for job in jobs if job.conclusion == "failure"][:_MOST]
    return tuple(FailedJob(job.name, _failed_step(job), _log(server, calls, repo, job.id)) for job in failed)


def _failed_step(job: _Job) -> str:
    return next((step.name for step in job.steps if step.conclusion == "failure"), "a step")


def _log(server: Server, calls: Calls, repo: str, job_id: int) -> str:
    """GitHub leads to where it keeps the log, or says that it keeps it no longer."""
    doing = f"read the log of a check in {repo}"
    call = Call("GET", f"/repos/{repo}/actions/jobs/{job_id}/logs", doing, leads_elsewhere=True)
    try:
        response = calls.send(call)
    except AskerError:
        return ""
    content = response.content
    if response.has_redirect_location:
        content = server.tail(response.headers["Location"], doing, max_bytes=_LOG_BYTES)
    return content[-_LOG_BYTES:].decode("utf-8", "replace")
