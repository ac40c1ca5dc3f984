"""The jobs that are asked for here and not in a comment: direct calls, and what stops or repeats a job
from its page or the shell."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from bot.errors import BadRequest, NeedsConsent
from bot.types import FINAL_STATES, Command, Job, Report, Target


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a person by login and GitHub's id, or a key, this machine or the operator by a name
    that no login can be."""

    name: str
    user_id: int | None = None
    is_operator: bool = False

    @property
    def key(self) -> str:
        """The `Job.asker_key` of what it asks for."""
        return self.name if self.user_id is None else str(self.user_id)

    @property
    def is_trusted(self) -> bool:
        """Whether it acts for the installation, as keys and operators do, and not as a person whose
        rights GitHub knows."""
        return self.user_id is None or self.is_operator


def direct_call(command: Command, repo: str, asker: Asker, *, job_id: str, received_at: str) -> Job:
    return Job(
        job_id,
        "run",
        Target(repo),
        command,
        actor=asker.name,
        actor_id=asker.user_id,
        received_at=received_at,
        trigger="call",
    )


def cancellation(report: Report, asker: Asker, *, job_id: str, received_at: str) -> Job:
    """The job that asks the workers to stop this one; BadRequest if it has ended. For a person who
    is neither its asker nor an operator, the repository's own settings decide, as for `/tinygen
    cancel`."""
    if report.state in FINAL_STATES:
        raise BadRequest(
            f"The job has ended: {report.state}.", next_step="There is nothing to cancel."
        )
    job, target = report.job, report.job.target
    stop = direct_call(
        Command("cancel", job.id), target.repo, asker, job_id=job_id, received_at=received_at
    )
    if asker.is_trusted or job.asker_key == asker.key:
        return stop
    # Not the thread itself: nothing is to be written there.
    where = Target(target.repo, target.installation_id, repository_id=target.repository_id)
    return replace(stop, target=where, trigger="page")


def is_repeatable(report: Report) -> bool:
    """Whether the job failed or was stopped, or was refused for the moment only."""
    if report.state == "refused":
        return report.failure is not None and report.failure.retryable
    return report.state in ("failed", "cancelled")


def repetition(report: Report, asker: Asker, *, job_id: str, received_at: str) -> Job:
    """The same job again, as a new one; BadRequest if it cannot be repeated. In a thread it gets a
    comment of its own.

    For an operator or a key it is its asker's as before. For any other person it is what `/tinygen
    retry` is: the person's own command, about words that may be another's.
    """
    if not is_repeatable(report):
        raise BadRequest(
            f"The job is {report.state}.",
            next_step="What failed or was stopped can be tried again.",
        )
    again = replace(report.job, id=job_id, delivery_id=None, event_key="", received_at=received_at)
    if asker.is_trusted:
        needs_consent = report.failure and report.failure.kind == NeedsConsent.__name__
        return (
            replace(again, command=replace(again.command, force=True)) if needs_consent else again
        )
    return replace(
        again,
        command=Command("retry", report.job.id),
        actor=asker.name,
        actor_id=asker.user_id,
        actor_is_bot=False,
        trigger="page",
        remarks=(),
        check=None,
        edited_of=None,
    )


def repetition_id(report: Report, asker: Asker) -> str:
    """The id of the job that this asker's repetition is: the same at the second press of a button."""
    text = f"{report.job.id} again for {asker.key}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
