"""A job's one comment, in each of its states. The state comes from the job's report, never from the
model."""

from __future__ import annotations

from dataclasses import replace

from bot.errors import Conflict, NeedsConsent
from bot.thread.history import is_undelivered
from bot.thread.markdown.quote import neutralize, quote_code, shorten
from bot.thread.render.outsiders import render_outsiders_note
from bot.thread.render.parts import MAX_SHORT_CHARS, bullets, count, paragraphs
from bot.thread.render.provenance import render_provenance
from bot.thread.render.replies import OPEN_PULL
from bot.thread.render.result import render_answer, render_result, render_summary
from bot.types import WORK, Failure, Report, Step, StepState, Verb
from bot.types.names import short_id

MAX_COMMENT_CHARS = 65_536
"""GitHub refuses a longer body.
https://docs.github.com/en/rest/issues/comments#create-an-issue-comment"""
_STATUS_MARKER = "<!-- tinygen:status -->"
STEPS = {
    "read": "Read the task and the repository",
    "generate": "Write the change",
    "reflect": "Review the change",
    "deliver": "Deliver",
}
ASK_STEPS = {"read": "Read the question and the repository", "generate": "Write the answer"}
_CHECKBOX: dict[StepState, str] = {
    "waiting": "[ ]",
    "running": "[ ]",
    "done": "[x]",
    "failed": "[ ]",
}
_STEP_SUFFIX: dict[StepState, str] = {
    "waiting": "",
    "running": " …",
    "done": "",
    "failed": " (failed)",
}


def checklist(verb: Verb, running: str | None) -> tuple[Step, ...]:
    """The steps of a job, of which those before `running` (a key of STEPS) are done; None if none
    has begun. A quick command has none."""
    if verb not in WORK:
        return ()
    titles = ASK_STEPS if verb == "ask" else STEPS
    states: list[StepState] = ["waiting"] * len(titles)
    if running is not None:
        done_count = list(titles).index(running)
        states[:done_count] = ["done"] * done_count
        states[done_count] = "running"
    return tuple(map(Step, titles.values(), states))


def job_marker(job_id: str) -> str:
    """The beginning of the job's comment, in every state."""
    return f"<!-- tinygen:job={job_id} "


def thread_marker(report: Report) -> str:
    """The beginning of a line in the comment that shows a report: a job has its own comment, a
    thread has one for `status`, and a refused comment has one, however often it is edited."""
    if report.state == "refused" and report.job.target.comment_id is not None:
        return f"<!-- tinygen:refused={report.job.target.comment_id} -->"
    if report.job.command.verb == "status":
        return _STATUS_MARKER
    return job_marker(report.job.id)


def render_comment(report: Report, *, with_diff: bool = True) -> str:
    """The job's one comment in its present state."""
    parts = [_opening(report)]
    if report.state in ("queued", "running"):
        parts.append(_steps(report))
    if report.state == "done":
        parts.extend(render_result(report, with_diff=with_diff))
    elif is_undelivered(report):
        parts.append("The change itself was made, and is kept:")
        parts.extend(render_result(report, with_diff=with_diff))
    parts.append(_notes(report))
    if report.usage.calls:
        parts.append(render_provenance(report))
    parts.append(_page_link(report))
    return paragraphs(parts) + "\n"


def render_comment_that_fits(report: Report) -> str:
    """The job's comment with as much as GitHub accepts: whole, without its diff, or the short
    one."""
    for with_diff in (True, False):
        comment = render_comment(report, with_diff=with_diff)
        if _fits(comment):
            return comment
    return render_short_comment(report)


def render_short_comment(report: Report) -> str:
    """The job's end and where to find the rest, for when GitHub refuses the whole comment."""
    url = report.pull_request_url or report.commit_url or ""
    if report.job.command.verb == "ask":
        report = replace(report, summary="")  # cut, an answer's block of code would stay open
    where = f"It is at {report.page_url}"
    if not report.page_url:
        where = f"The operator finds it at `/jobs/{report.job.id}`"
    parts = [
        shorten(_opening(report), MAX_SHORT_CHARS),
        shorten(url, MAX_SHORT_CHARS),
        f"GitHub did not take the whole report here. {where}.",
    ]
    return paragraphs(parts) + "\n"


def fits_comment(report: Report) -> bool:
    """Whether GitHub accepts the comment with its diff."""
    return _fits(render_comment(report))


def _fits(comment: str) -> bool:
    """Counts UTF-16 units: the strictest reading of GitHub's limit."""
    return len(comment.encode("utf-16-le", "surrogatepass")) // 2 <= MAX_COMMENT_CHARS


def _opening(report: Report) -> str:
    """The markers and the headline. A note on outsiders comes before all words of the model, which
    their words may have led."""
    opening = f"{job_marker(report.job.id)}state={report.state} -->\n"
    marker = thread_marker(report)
    if marker != job_marker(report.job.id):
        opening += f"{marker}\n"
    note = render_outsiders_note(report)
    if note:
        opening += note
        if not (report.pull_request_url or report.commit_url or report.push == "fork"):
            apply = f"`/tinygen apply {short_id(report.job.id)}`"
            opening += (
                f" Nothing was pushed: {apply}, by someone who may, delivers exactly this diff."
            )
        opening += "\n\n"
    return opening + _headline(report)


def _headline(report: Report) -> str:
    if report.state == "queued":
        return "**TinyGen** has taken this request." + _behind(report)
    if report.state == "running":
        return "**TinyGen** is working on this request."
    if report.state == "cancelled":
        return "**TinyGen** stopped: the request was cancelled. `/tinygen retry` starts it again."
    if report.state in ("failed", "refused") and report.failure:
        words = _failure(report.failure, is_refused=report.state == "refused")
        return "\n\n".join((words, *(f"- {url}" for url in report.open_pulls)))
    if report.job.command.verb not in WORK:
        return report.summary
    if report.together_with:
        return (
            "**TinyGen** does this together with the other commands of the review. The answer:"
            f" {report.together_with}"
        )
    if report.job.command.verb == "ask":
        return render_answer(report)
    return render_summary(report)


def _behind(report: Report) -> str:
    """What a queued job waits for: one job of a repository runs at a time."""
    if not report.behind:
        return ""
    more = f" and {count(len(report.behind) - 1, 'other')}" if len(report.behind) > 1 else ""
    return f" It waits for its turn behind [this request]({report.behind[0]}){more}."


def _failure(failure: Failure, *, is_refused: bool) -> str:
    opening = "**TinyGen** cannot do this." if is_refused else "**TinyGen** could not finish this."
    if failure.kind == NeedsConsent.__name__:
        return (
            f"**TinyGen** asks first. {neutralize(failure.message)} {neutralize(failure.next_step)}"
        )
    may_retry = (failure.retryable and failure != OPEN_PULL) or failure.kind == Conflict.__name__
    retry = " `/tinygen retry` asks the same again." if may_retry else ""
    message, next_step = neutralize(failure.message), neutralize(failure.next_step)
    words = f"{opening} {message} {next_step}{retry}".rstrip()
    return f"{words}\n\n{quote_code(failure.details)}" if failure.details else words


def _steps(report: Report) -> str:
    return "\n".join(
        f"- {_CHECKBOX[step.state]} {step.title}{_STEP_SUFFIX[step.state]}" for step in report.steps
    )


def _notes(report: Report) -> str:
    if not report.notes:
        return ""
    return "**To note**\n\n" + bullets(report.notes)


def _page_link(report: Report) -> str:
    """The link to the job's page, for a job that has something to show there."""
    if not report.page_url or report.job.command.verb not in WORK or report.state == "refused":
        return ""
    if report.state in ("queued", "running"):
        return f"[Follow it live]({report.page_url})"
    return f"[How this came about, step by step]({report.page_url})"
