"""The failed jobs of a run of GitHub Actions, with the ends of their logs.

https://docs.github.com/en/rest/actions/workflow-jobs
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from bot.adapters.github.client import ApiClient, ApiRequest, Transport
from bot.adapters.github.schemas import PAGE_ITEMS, Id, Name, Title
from bot.errors import AskerError
from bot.types.github import FailedJob

_MAX_JOBS = 3
_MAX_LOG_BYTES = 64 * 1024


class _Step(BaseModel):
    name: Title
    conclusion: Name | None = None


class _Job(BaseModel):
    id: Id
    name: Title
    conclusion: Name | None = None
    run_attempt: Id = 1
    steps: list[_Step] = []

    def failed_step(self) -> str:
        for step in self.steps:
            if step.conclusion == "failure":
                return step.name
        return "a step"


class _Jobs(BaseModel):
    jobs: Annotated[list[_Job], Field(max_length=PAGE_ITEMS)]


def fetch_failed_jobs(
    transport: Transport, api: ApiClient, repo: str, run_id: int
) -> tuple[FailedJob, ...]:
    """See `bot.ports.GitHub.failed_jobs`; the first three."""
    request = ApiRequest(
        "GET",
        f"/repos/{repo}/actions/runs/{run_id}/jobs",
        f"read which jobs of a check failed in {repo}",
        params={"filter": "all", "per_page": PAGE_ITEMS},
    )
    jobs = api.read(_Jobs, request).jobs
    attempt = max((job.run_attempt for job in jobs), default=1)
    failed = [job for job in jobs if job.conclusion == "failure" and job.run_attempt == attempt]
    passed = {job.name for job in jobs if job.conclusion == "success"}
    return tuple(
        FailedJob(
            job.name,
            job.failed_step(),
            _fetch_log(transport, api, repo, job.id),
            has_passed=job.name in passed,
        )
        for job in failed[:_MAX_JOBS]
    )


def _fetch_log(transport: Transport, api: ApiClient, repo: str, job_id: int) -> str:
    """The end of the log; "" if GitHub does not keep it any more."""
    purpose = f"read the log of a check in {repo}"
    path = f"/repos/{repo}/actions/jobs/{job_id}/logs"
    try:
        response = api.send(ApiRequest("GET", path, purpose, expects_redirect=True))
    except AskerError:
        return ""
    content = response.content
    if response.has_redirect_location:
        url = response.headers["Location"]
        content = transport.read_tail(url, purpose, max_bytes=_MAX_LOG_BYTES)
    return content[-_MAX_LOG_BYTES:].decode("utf-8", "replace")
