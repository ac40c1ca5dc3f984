"""The operator's view of the jobs: what there is, one of them, again, and stop. All of it through
the database, so that it works beside running processes, and on any machine that has the same
settings."""

from __future__ import annotations

import argparse
import uuid
from dataclasses import replace
from datetime import UTC, datetime

from bot.adapters.database import Database
from bot.app import build_database
from bot.cli.output import print_diff, print_json, print_line, print_note
from bot.config import Config
from bot.errors import BadRequest, NotFound
from bot.types import FINAL_STATES, Command, Job, Report, Target

OPERATOR = "the operator"
"""The actor of what is asked here; it holds a space, which no login on GitHub does."""
ALIVE_S = 60.0


def show_list(config: Config, options: argparse.Namespace) -> int:
    """The newest jobs, newest first."""
    now, reports = datetime.now(UTC), build_database(config).newest(options.limit, options.state)
    if options.json:
        print_json([_row(report) for report in reports])
        return 0
    if not reports:
        print_note("There are no such jobs.")
    for report in reports:
        target, age = report.job.target, _age(report.job.received_at, now)
        where = f"{target.repo}#{target.issue_number}" if target.issue_number else target.repo
        print_line(
            f"{report.job.id:36}  {report.state:9}  {age:>4}  {report.job.command.verb:6}  {where}"
        )
    return 0


def show(config: Config, options: argparse.Namespace) -> int:
    """One job, as its page has it."""
    from bot.web.pages import job_page  # brings Flask, which other commands need not wait for

    page = job_page(_find(build_database(config), options.id))
    if options.json:
        print_json(page.model_dump(mode="json"))
        return 0
    usage, result = page.usage, page.result
    print_line(
        f"{page.id}: {page.state}\n{page.source} for {page.repo}, asked at {page.created_at}"
    )
    for step in page.steps:
        print_line(f"  {step.title}: {step.state}")
    if usage.calls:
        print_line(
            f"{usage.calls} calls of {usage.model}: {usage.prompt_tokens} tokens in,"
            f" {usage.completion_tokens} out"
        )
    for word in (page.error, result and (result.pull_request_url or result.commit_url)):
        if word:
            print_line(word)
    if result:
        print_diff(result.diff)
    return 0


def retry(config: Config, options: argparse.Namespace) -> int:
    """Asks for it again, as a new job: in a thread it has its own comment, and its asker must still
    be permitted."""
    database = build_database(config)
    report = _find(database, options.id)
    if report.state not in FINAL_STATES - {"done"}:
        raise BadRequest(
            f"The job is {report.state}.",
            next_step="What failed or was stopped can be tried again.",
        )
    if report.state == "refused" and not (report.failure and report.failure.retryable):
        raise BadRequest(
            "The job was refused.",
            next_step="Let its asker give the command again, once it is permitted.",
        )
    again = replace(report.job, id=uuid.uuid4().hex, delivery_id=None, received_at=_now())
    database.accept(again)
    _answer(database, options, again.id, f"Tried again as job {again.id}.")
    return 0


def cancel(config: Config, options: argparse.Namespace) -> int:
    """Asks the workers to stop it, as `/tinygen cancel` does."""
    database = build_database(config)
    report = _find(database, options.id)
    if report.state in FINAL_STATES:
        raise BadRequest(
            f"The job has ended: {report.state}.", next_step="There is nothing to cancel."
        )
    command, target = Command("cancel", prompt=options.id), Target(report.job.target.repo)
    order = Job(
        uuid.uuid4().hex, "run", target, command, actor=OPERATOR, received_at=_now(), trigger="call"
    )
    database.accept(order)
    _answer(database, options, order.id, f"Job {options.id} is asked to stop.")
    return 0


def _find(database: Database, job_id: str) -> Report:
    report = database.load(job_id)
    if report is None:
        raise NotFound(
            f"There is no job {job_id}, or no longer.",
            next_step="`python -m bot jobs list` shows them.",
        )
    return report


def _answer(database: Database, options: argparse.Namespace, job_id: str, words: str) -> None:
    if options.json:
        print_json({"job": job_id})
    else:
        print_line(words)
    if not database.alive(ALIVE_S):
        print_note(
            "tinygen: no worker was alive within the last minute; it happens once one starts."
        )


def _row(report: Report) -> dict[str, str | int | None]:
    job = report.job
    return {
        "id": job.id,
        "state": report.state,
        "source": job.source,
        "repo": job.target.repo,
        "issue_number": job.target.issue_number,
        "actor": job.actor,
        "command": job.command.verb,
        "created_at": job.received_at,
        "finished_at": report.finished_at,
    }


def _age(received_at: str, now: datetime) -> str:
    seconds = max(0, int((now - datetime.fromisoformat(received_at)).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
