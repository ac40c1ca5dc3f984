"""The pull request and the commit: titles, messages, descriptions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bot.thread.markdown.own import (
    REPORT,
    REQUESTS,
    add_to_marked,
    has_marked,
    marked,
    replace_marked,
)
from bot.thread.markdown.quote import code_span, neutralize, plain_words, shorten
from bot.thread.render.outsiders import render_outsiders_note
from bot.thread.render.parts import (
    MAX_TITLE_CHARS,
    bullets,
    count,
    paragraphs,
    request_link,
    split_summary,
)
from bot.thread.render.provenance import render_provenance
from bot.types import Job, Report, Task

_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def render_title(summary: str, task: Task) -> str:
    """The title of the commit and the pull request: the model's, else the thread's."""
    title = split_summary(summary)[0] or task.title or task.prompt.strip().partition("\n")[0]
    return shorten(plain_words(title or "Change by TinyGen"), MAX_TITLE_CHARS)


def render_commit_message(
    report: Report, title: str, *, server_host: str, made_for: Job | None = None
) -> str:
    """Title, reason, and as co-authors the requester and whoever the change was `made_for`.
    https://docs.github.com/en/pull-requests/committing-changes-to-your-project/creating-and-editing-commits
    """
    parts = [title, plain_words(split_summary(report.summary)[1])]
    askers = [job for job in (made_for, report.job) if job is not None]
    trailers = [
        f"Co-authored-by: {job.actor} <{job.actor_id}+{job.actor}@users.noreply.{server_host}>"
        for job in askers
        if job.actor_id and _LOGIN.fullmatch(job.actor or "")
    ]
    parts.append("\n".join(dict.fromkeys(trailers)))
    return paragraphs(parts) + "\n"


def render_pull_body(report: Report, *, requests: Sequence[Report] = (), ci_fixes: int = 0) -> str:
    """The description of the pull request. `requests` are the reports of the requests that led to
    its change, oldest first. `ci_fixes` is how often a failed check is worked on."""
    issue = report.job.target.issue_number
    parts = [
        render_outsiders_note(replace(report, state="done")),
        neutralize(split_summary(report.summary)[1]),
    ]
    if issue and not report.job.target.is_pull:
        parts.append(f"Closes #{issue}")
    parts.append(_asked_by(report.job))
    parts.append(render_requests(requests))
    parts.append(bullets(report.notes))
    if ci_fixes:
        parts.append(
            f"If a check fails here, TinyGen tries to mend it, at most {count(ci_fixes, 'time')}."
        )
    if report.usage.calls:
        parts.append(render_provenance(report))
    return marked(REPORT, paragraphs(parts)) + "\n"


def render_requests(requests: Sequence[Report]) -> str:
    """All requests that led to a change, if there is more than one."""
    if len(requests) < 2:
        return ""
    rows = [
        f"{number}. {request_link(report)}, by {code_span(report.job.actor)}"
        for number, report in enumerate(requests, 1)
    ]
    return marked(REQUESTS, "What was asked for, in order:\n\n" + "\n".join(rows))


def with_requests(body: str, requests: Sequence[Report]) -> str:
    """The description of a pull request with the list of its requests brought up to date; as it is
    where people took out what TinyGen had written."""
    section = render_requests(requests)
    if section and has_marked(REQUESTS, body):
        return replace_marked(REQUESTS, body, section)
    if section and has_marked(REPORT, body):
        return add_to_marked(REPORT, body, section)
    return body


def _asked_by(job: Job) -> str:
    if job.actor is None or job.target.issue_number is None:
        return ""
    who, number = code_span(job.actor), f"#{job.target.issue_number}"
    if job.trigger == "failed check" and job.check:
        return f"Done for {who} after the check {code_span(job.check.name)} of {number} failed."
    how = {
        "comment": f" in a comment on {number}",
        "review": f" in a review of {number}",
        "label": f", who gave {number} its label",
        "assignment": f", who assigned {number}",
    }
    return f"Asked for by {who}{how.get(job.trigger, '')}."
