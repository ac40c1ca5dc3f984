"""`python -m bot jobs`: lists, shows, retries and cancels jobs for the operator. It only uses the
database, so it works while the bot runs, and on any machine that has the same settings."""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from bot.adapters.database import Database
from bot.app import build_database
from bot.cli.output import print_diff, print_json, print_line, print_note
from bot.config import Config
from bot.errors import NotFound
from bot.ports import ALIVE_S
from bot.thread.page_links import page_path
from bot.thread.render import comment_url
from bot.thread.requests import Asker, cancellation, repetition
from bot.types import Report
from bot.types.pages import JobFilter

OPERATOR = Asker("the operator", is_operator=True)
"""The actor of what is asked here. It contains a space, so it is nobody's login on GitHub."""
_HEADER = ("ID", "STATE", "AGE", "COMMAND", "FOR", "LINK")
_AGE_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


def show_list(config: Config, options: argparse.Namespace) -> int:
    """The newest jobs, newest first."""
    reports = build_database(config).list_jobs(JobFilter(options.state), options.limit).reports
    if options.json:
        print_json([_render_row(report, config) for report in reports])
    elif reports:
        now = datetime.now(UTC)
        _print_table([_HEADER, *(_render_columns(report, config, now) for report in reports)])
    else:
        print_note("There are no such jobs.")
    return 0


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    """Aligned, and the same on a terminal as in a pipe. The last column has links, and no padding."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for *cells, link in rows:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
        print_line("  ".join((*padded, link)).rstrip())


def _render_columns(report: Report, config: Config, now: datetime) -> tuple[str, ...]:
    job = report.job
    thread = job.target.repo
    if job.target.issue_number:
        thread += f"#{job.target.issue_number}"
    age = _render_age(job.received_at, now)
    links = _find_links(report, config)
    link = links["page"] or links["comment"] or links["repo"] or ""
    return (job.id, report.state, age, job.command.verb, thread, link)


def _find_links(report: Report, config: Config) -> dict[str, str | None]:
    """Addresses about the job, None where there is no such thing. The page asks who its reader is:
    no link that lets anybody read it stands in a shell's history."""
    repo = report.job.target.repo
    page = page_path(report.job.id)
    return {
        "page": f"{config.public_url}{page}" if config.public_url else None,
        "comment": comment_url(report.job, config.github_server_url),
        "repo": f"{config.github_server_url}/{repo}" if repo else None,
        "pull_request": report.pull_request_url,
        "commit": report.commit_url,
    }


def show(config: Config, options: argparse.Namespace) -> int:
    """One job, with the values of its web page."""
    from bot.web.answers import job_answer  # imports Flask, which the other commands do not need

    report = _find(build_database(config), options.id)
    page = job_answer(report, config.github_server_url)
    if options.json:
        print_json(page.model_dump(mode="json"))
        return 0
    print_line(
        f"{page.id}: {page.state}\n{page.source} for {page.repo}, asked at {page.created_at}"
    )
    links = _find_links(report, config)
    link = links["page"] or links["comment"]
    if link:
        print_line(link)
    for step in page.steps:
        print_line(f"  {step.title}: {step.state}")
    usage = page.usage
    if usage.calls:
        print_line(
            f"{usage.calls} calls of {usage.model}: {usage.prompt_tokens} tokens in,"
            f" {usage.completion_tokens} out"
        )
    said = page.error or page.answer  # only one of them is there
    if said:
        print_line(said)
    if page.result:
        url = page.result.pull_request_url or page.result.commit_url
        if url:
            print_line(url)
        print_diff(page.result.diff, has_colors=config.no_color is None)
    return 0


def retry(config: Config, options: argparse.Namespace) -> int:
    """Accepts the job again as a new job. In a thread it gets its own comment, and the person who
    asked must still have permission."""
    database = build_database(config)
    asked = _find(database, options.id)
    again = repetition(asked, OPERATOR, job_id=uuid.uuid4().hex, received_at=_now())
    database.accept(again)
    _print_accepted(database, options, again.id, f"Tried again as job {again.id}.")
    return 0


def cancel(config: Config, options: argparse.Namespace) -> int:
    """Asks the workers to stop the job, as the command `/tinygen cancel` does."""
    database = build_database(config)
    asked = _find(database, options.id)
    stop = cancellation(asked, OPERATOR, job_id=uuid.uuid4().hex, received_at=_now())
    database.accept(stop)
    _print_accepted(database, options, stop.id, f"Job {options.id} is asked to stop.")
    return 0


def _find(database: Database, job_id: str) -> Report:
    report = database.load(job_id)
    if report is None:
        raise NotFound(
            f"There is no job {job_id}, or no longer.",
            next_step="`python -m bot jobs list` shows them.",
        )
    return report


def _print_accepted(
    database: Database, options: argparse.Namespace, job_id: str, text: str
) -> None:
    if options.json:
        print_json({"job": job_id})
    else:
        print_line(text)
    if not database.alive(ALIVE_S):
        print_note(
            "tinygen: no worker was alive within the last minute; it happens once one starts."
        )


def _render_row(report: Report, config: Config) -> dict[str, object]:
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
        "links": _find_links(report, config),
    }


def _render_age(received_at: str, now: datetime) -> str:
    """In the largest unit that fits, such as 3h."""
    age_s = max(0, int((now - datetime.fromisoformat(received_at)).total_seconds()))
    for unit, size_s in _AGE_UNITS:
        if age_s >= size_s:
            return f"{age_s // size_s}{unit}"
    return f"{age_s}s"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
