"""The workflows of a job, and their payloads.

Their names, ids and payloads are stored in the database, where older versions wrote those of the
jobs in flight: never rename them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.jobs.engine import NOBODY, Workflow
from bot.jobs.policy import AUTHORIZATION, Authorization
from bot.types import Job
from bot.types.serialization import JOB, Codec, Json, codec_of


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A job that was accepted, and its comment in the thread if it has one."""

    job: Job
    comment_id: int | None
    authorization: Authorization = field(default_factory=Authorization)


@dataclass(frozen=True, slots=True)
class EndToReport:
    """The end of a job, to be posted in its thread."""

    id: str
    comment_id: int | None
    account: str = NOBODY
    tries: int = 1


@dataclass(frozen=True, slots=True)
class JobReference:
    id: str
    account: str = NOBODY


def _dump_request(request: RunRequest) -> Json:
    return {
        "id": request.job.id,
        "job": JOB.dump(request.job),
        "comment_id": request.comment_id,
        "terms": AUTHORIZATION.dump(request.authorization),
    }


def _load_request(stored: Json) -> RunRequest:
    authorization = AUTHORIZATION.load(stored.get("terms"))
    return RunRequest(JOB.load(stored["job"]), stored["comment_id"], authorization)


ACCEPT: Workflow[Job] = Workflow("accept", JOB, lambda job: job.command.verb)
RUN: Workflow[RunRequest] = Workflow(
    "run", Codec(_dump_request, _load_request), lambda request: request.job.command.verb
)
REPORT_END: Workflow[EndToReport] = Workflow("tell", codec_of(EndToReport))
CLOSE_LOST: Workflow[JobReference] = Workflow("close", codec_of(JobReference))
CANCEL: Workflow[JobReference] = Workflow("cancel", codec_of(JobReference))
"""Its body does nothing: a job is to be cancelled if a workflow of the id `cancel_id` exists."""


def run_id(job_id: str) -> str:
    """The id of the workflow that does a job's work."""
    return f"{job_id}-run"


def cancel_id(job_id: str) -> str:
    return f"{job_id}-cancel"
