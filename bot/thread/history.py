"""The earlier jobs of a thread: which of them `apply`, `retry` and a further prompt may go on from.

All reports here are newest first, if nothing else is said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.errors import BadRequest
from bot.thread.markdown.quote import code_span
from bot.types import Job, Report
from bot.types.names import short_id

_PULL_REQUEST_URL = re.compile(r"/pull/(\d{1,18})\Z")


def is_request(report: Report) -> bool:
    """Whether `retry` may repeat this job: not if its command is invalid, if its asker has no
    permission for it, or if another job did it. A job that a limit refused may be repeated; an
    `apply`, or a fix of a failed check, only if it was cancelled or if a second try may succeed."""
    command = report.job.command
    is_retryable = report.failure is not None and report.failure.retryable
    may_help = report.state == "cancelled" or is_retryable
    if command.problem or report.together_with or (report.state == "refused" and not may_help):
        return False
    if report.job.check or command.verb == "apply":
        return may_help
    return command.verb in ("solve", "ask")


def has_diff(report: Report) -> bool:
    """Whether the job's comment shows a diff, or links to the change made of it. A job that failed
    while it delivered its change shows it as well."""
    if report.patch is None or not report.patch.text:
        return False
    return report.state == "done" or is_undelivered(report)


def is_undelivered(report: Report) -> bool:
    """Whether the job made a change, and failed only afterwards."""
    is_new = report.job.command.verb != "apply"
    return report.state == "failed" and is_new and bool(report.patch and report.patch.text)


def pull_number(lineage: Sequence[Report]) -> int | None:
    """The number of the pull request that the newest of them opened; `lineage` is oldest first."""
    for report in reversed(lineage):
        if report.pull_request_url:
            found = _PULL_REQUEST_URL.search(report.pull_request_url)
            return int(found[1]) if found else None
    return None


def nothing_to_repeat() -> BadRequest:
    """For a `retry` in a thread without a request."""
    return BadRequest(
        "There is no earlier request in this thread.",
        next_step="Say what to do: `/tinygen PROMPT`.",
    )


def choose_diff(reports: Sequence[Report], asked: Job) -> Report:
    """The report of the diff that an `apply` means: the one that it names or, without a name, the
    newest that its asker asked for, never one that somebody else was shown a moment before.
    `reports` are those that had ended when the command was given."""
    shown = [each for each in reports if has_diff(each)]
    wanted = asked.command.prompt
    if wanted:
        found = [each for each in shown if short_id(each.job.id) == wanted]
    else:
        own = [each for each in shown if each.job.asker_key == asked.asker_key]
        made = {each.job.id for each in own if each.job.command.verb != "apply"}
        found = [each for each in own if each.job.id in made or each.continues in made]
    if found:
        return found[0]
    if not shown:
        raise BadRequest(
            "No diff was shown in this thread yet.",
            next_step="Ask for one: `/tinygen --diff PROMPT`.",
        )
    whose = f"has the name {code_span(wanted)}" if wanted else "was asked for by you"
    names = [
        f"`/tinygen apply {short_id(each.job.id)}` (asked for by {code_span(each.job.actor)})"
        for each in shown[:3]
    ]
    raise BadRequest(
        f"None of the diffs in this thread {whose}.", next_step=f"Name one: {', '.join(names)}."
    )
