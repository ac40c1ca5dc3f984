"""How a job is stopped: because somebody says so, deletes the comment that asked for it, or closes its issue.

Who deletes or closes needs no permission of TinyGen's: GitHub let them, and nothing is made by stopping.
"""

from __future__ import annotations

from bot.core.record import dump_report, load_report
from bot.core.report import Report
from bot.core.types import FINAL_STATES, WORK, Job, Target
from bot.errors import Cancelled
from bot.job.engine import Json
from bot.job.house import House
from bot.job.tell import Teller


def run_id(job_id: str) -> str:
    """The id of the workflow that does a job's work."""
    return f"{job_id}-run"


def cancel_id(job_id: str) -> str:
    """The id of the workflow whose existence says that a job is to be cancelled."""
    return f"{job_id}-cancel"


def is_cancelled(house: House, job_id: str) -> bool:
    return house.engine.state(cancel_id(job_id)) != "unknown"


def is_deleted(house: House, job: Job) -> bool:
    """Whether GitHub said that the job's comment is gone: it may say so before the comment itself arrives."""
    return job.target.comment_id is not None and house.engine.state(_deleted_id(job.target)) != "unknown"


def _deleted_id(target: Target) -> str:
    """The id of the workflow whose existence says that a comment was deleted. Comments on lines are numbered apart."""
    return f"deleted {'comment' if target.reply_to is None else 'review comment'} {target.comment_id}"


def cancel(house: House, job_id: str) -> None:
    """Asks a job to stop. One that runs sees it within a second and ends itself; one that waits is ended here."""
    house.engine.start("cancel", cancel_id(job_id), {"id": job_id})
    waiting = house.engine.step(f"drop {job_id}", lambda: _drop(house, job_id))
    if waiting is not None:
        Teller(house, load_report(waiting), None).stopped(Cancelled())


def withdraw(house: House, job: Job) -> None:
    """Stops what the deleted comment asked for or, where the job names no comment, all that was asked in the thread."""
    comment_id = job.target.comment_id
    if comment_id is not None:
        house.engine.start("cancel", _deleted_id(job.target), {"id": job.id})
    found: list[str] = house.engine.step(
        "find jobs",
        lambda: [each.id for each in open_in_thread(house, job) if comment_id in (None, each.target.comment_id)],
    )
    for job_id in found:
        cancel(house, job_id)


def open_in_thread(house: House, job: Job) -> list[Job]:
    """What else was asked in the job's thread and has not ended."""
    number = job.target.issue_number
    jobs = house.reports.open_jobs(job.target.repository_key, number) if number is not None else ()
    return [each for each in jobs if each.id != job.id]


def asked_in_thread(house: House, job: Job) -> list[Report]:
    """What else was asked in the job's thread, newest first."""
    number = job.target.issue_number
    reports = house.reports.latest(job.target.repository_key, number) if number is not None else ()
    return [report for report in reports if report.job.id != job.id and report.job.command.verb in WORK]


def _drop(house: House, job_id: str) -> Json:
    """The report of a job that will not run any more, though it never ended; None for any other."""
    if house.engine.state(run_id(job_id)) == "queued":
        house.engine.drop(run_id(job_id))
    report = house.reports.load(job_id)
    if report is None or report.state in FINAL_STATES or house.engine.state(run_id(job_id)) != "ended":
        return None
    return dump_report(report)
