"""The answers to quick commands, refusals, and notes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from bot.errors import BadRequest, NeedsConsent
from bot.thread.markdown.quote import code_span
from bot.thread.render.parts import count, request_link
from bot.thread.settings import Action
from bot.types import Failure, Mode, Permission, Report
from bot.types.github import PullRequest
from bot.types.names import short_id

Where = Literal["issue", "pull", "fork"]
"""An issue, a pull request of the repository, or one whose branch belongs to a fork."""
MEND_CHECK = "Mend it by hand, or say what to do: `/tinygen PROMPT`."
"""What a person can do where a failed check is not mended."""
_SHOWS = "shows the change as a diff"
_PUSHES: dict[Where, str] = {
    "issue": "opens a pull request",
    "pull": "adds a commit to this pull request",
}


def render_permission_refusal(login: str, has: Permission, needs: Permission) -> Failure:
    """Why a person's command is not carried out."""
    return Failure(
        f"Commands need the permission {code_span(needs)} on this repository; {code_span(login)}"
        f" has {code_span(has)}.",
        "Ask a maintainer to give this command, or to change the permission.",
    )


def render_status(requests: Sequence[tuple[Report, float]]) -> str:
    """The answer to `/tinygen status`: the reports of the thread, newest first, each with how many
    seconds it took or has taken until now."""
    return "\n".join(_status_line(report, seconds) for report, seconds in requests) or (
        "Nothing was asked of TinyGen in this thread yet. `/tinygen PROMPT` asks for a change."
    )


def _status_line(report: Report, seconds: float) -> str:
    step = next((step.title for step in report.steps if step.state == "running"), "")
    at_step = f" ({step})" if step else ""
    since = "after" if report.finished_at else "for"
    parts = [f"- {request_link(report)}: {report.state}{at_step} {since} {_duration(seconds)}"]
    url = report.pull_request_url or report.commit_url
    if url:
        parts.append(f"[the {'pull request' if report.pull_request_url else 'commit'}]({url})")
    if report.page_url:
        parts.append(f"[its page]({report.page_url})")
    asked_at = report.job.received_at[:16].replace("T", " ")
    return f"{', '.join(parts)}; asked at {asked_at} UTC"


def _duration(seconds: float) -> str:
    """In its two largest units, as `1 min 20 s`."""
    whole = round(seconds)
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    amounts: list[str] = []
    for unit, size_s in units:
        amount, whole = divmod(whole, size_s)
        if amount or (unit == "s" and not amounts):
            amounts.append(f"{amount} {unit}")
    return " ".join(amounts[:2])


def waiting_reason(report: Report) -> str:
    """What the job waits for, in a sentence; "" if it waits for nothing."""
    if report.waits_for:
        return report.waits_for
    if report.state != "queued":
        return ""
    if report.behind:
        return f"Its turn behind {count(len(report.behind), 'request')} of its repository."
    if report.steps:
        return "GitHub's answers, or its turn among others of its repository or installation."
    return "A worker."


def render_mode_note(wanted: Mode, reason: str) -> str:
    """The note that a change is delivered in the other mode than the wanted one."""
    other = "a diff" if wanted == "pr" else "a pull request"
    return f"Delivered as {other}: {reason}"


def render_asker_note(shown: Report) -> str:
    """Whose diff it is that somebody else applies."""
    return f"The diff {short_id(shown.job.id)} was asked for by {code_span(shown.job.actor)}."


def render_cancelled(jobs: int) -> str:
    if not jobs:
        return "Nothing runs in this thread. `/tinygen status` says what was done here."
    return (
        f"Cancelled: {jobs} of this thread's requests. `/tinygen retry` starts the last one again."
    )


def still_runs() -> BadRequest:
    return BadRequest(
        "Something still runs in this thread.", next_step="`/tinygen cancel` stops it."
    )


def asks_first(estimate_usd: float, limit_usd: float) -> NeedsConsent:
    """For a request that may cost more than the operator lets it without asking."""
    return NeedsConsent(
        f"This would cost about ${estimate_usd:.2f}, and above ${limit_usd:.2f}"
        " (`TINYGEN_ASK_ABOVE_USD`) somebody must say so. Nothing was spent yet.",
        next_step=(
            "`/tinygen retry` goes ahead. A smaller request may cost less; `--force` before a"
            " prompt goes ahead at once."
        ),
    )


OPEN_PULL = Failure(
    "A pull request for this issue is open already, so nothing was begun.",
    "To change it, ask there. To have another one made, ask again with `--force`, as in"
    " `/tinygen --force PROMPT`; once it is closed, `/tinygen retry` does this one.",
    retryable=True,
)


def render_undone(pull: PullRequest) -> str:
    return (
        f"Closed: {pull.url}. Its branch {code_span(pull.head_ref)} is deleted; the commits stay on"
        " that page. `/tinygen --new PROMPT` begins again."
    )


def render_kept_branch(pull: PullRequest, why: str) -> str:
    return (
        f"Closed: {pull.url}. Its branch {code_span(pull.head_ref)} {why}, and is kept. Delete it on"
        " that page, if nobody needs it."
    )


HINT = (
    "`/tinygen PROMPT` at the start of a line asks for a change, `/tinygen ask QUESTION` for an"
    " answer; `/tinygen help` shows all commands."
)
"""For whoever only mentions TinyGen."""
HINT_MARKER = "<!-- tinygen:hint -->"


def render_help(
    login: str,
    permission: Permission,
    where: Where,
    mode: Mode,
    *,
    may: Collection[Action] = ("pr", "apply"),
) -> str:
    """The answer to `/tinygen help`: the commands that this person may give in this thread. `may`
    are the actions that the person may ask for."""
    thread = "issue's" if where == "issue" else "pull request's"
    rows = [
        ("/tinygen PROMPT", _solve_help(where, mode) if "pr" in may else _SHOWS),
        ("/tinygen", f"takes the {thread} own text as the prompt"),
        (
            "/tinygen PROMPT",
            "again: goes on from the change in this thread (`--new`: starts afresh)",
        ),
        ("/tinygen ask QUESTION", "answers from the repository, and changes nothing"),
    ]
    if where in _PUSHES and "apply" in may:
        rows.append(("/tinygen apply", f"{_PUSHES[where]} with exactly the diff last shown here"))
    if where in _PUSHES and "pr" in may:
        rows.append(
            ("/tinygen undo", "closes the pull request that I opened, and drops its branch")
        )
    rows += [
        ("/tinygen retry", "runs the last request of this thread again"),
        ("/tinygen cancel", "stops what is running in this thread"),
        ("/tinygen status", "says what is queued, running and done here"),
        ("/tinygen help", "shows this"),
    ]
    opening = (
        f"{code_span(login)}, who has the permission {code_span(permission)}, may begin a line of"
        " a comment here with:"
    )
    table = "\n".join(f"| `{command}` | {does} |" for command, does in rows)
    return f"{opening}\n\n| command | does |\n| --- | --- |\n{table}\n"


def _solve_help(where: Where, mode: Mode) -> str:
    if where not in _PUSHES:
        return f"{_SHOWS}: this branch belongs to a fork, which I cannot push to"
    pushes = _PUSHES[where]
    base = "; `--base BRANCH`: from there" if where == "issue" else ""
    if mode == "diff":
        return f"{_SHOWS} (`--pr`: {pushes}{base})"
    return f"{pushes} (`--diff`: {_SHOWS}{base})"
