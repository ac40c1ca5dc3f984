"""What people read on GitHub: the job's comment, refusals, the help, the pull request and the
commit.

Text of the model or of a user passes through `neutralize`, so that nothing in it pings a person,
closes an issue, loads an image, makes a link or breaks the layout. The state of a job comes from
its report, never from the model.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Literal

from bot.errors import Conflict
from bot.thread.history import is_undelivered
from bot.thread.markdown.quote import code_span, fence, neutralize, plain_words, shorten
from bot.thread.settings import Action
from bot.types import (
    WORK,
    Failure,
    Job,
    Mode,
    Outsider,
    Permission,
    Report,
    Step,
    StepState,
    Task,
    Verdict,
)
from bot.types.names import short_id
from bot.types.snapshot import Patch

Where = Literal["issue", "pull", "fork"]
"""An issue, a pull request of the repository, or one whose branch belongs to a fork."""

MAX_COMMENT_CHARS = 65_536
"""GitHub refuses a longer body.
https://docs.github.com/en/rest/issues/comments#create-an-issue-comment"""
MAX_SHORT_CHARS = 8_000
"""For each part of the short comment."""
MAX_TITLE_CHARS = 72
MAX_OPEN_LINES = 60
"""A longer diff is folded, so that the words around it stay in view."""
MAX_FILE_ROWS = 50
MAX_SHOWN_ROWS = 40
MAX_SHOWN_RANGES = 20
MAX_OUTSIDERS = 5
"""Further outsiders are counted, not named."""

_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_STATUS_MARKER = "<!-- tinygen:status -->"
STEPS = {
    "read": "Read the task and the repository",
    "generate": "Write the change",
    "reflect": "Review the change",
    "deliver": "Deliver",
}
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
_CHECKED = (
    "Nothing was run. The diff was applied to its base again and gave the same files; what parsed"
    " before still parses, and no new name, import or call leads nowhere as far as a parser can"
    " tell, unless a note says otherwise."
)
_WITHHELD = "Not in it, to be applied by hand:"
WAITS = (
    "it rests on words of people who may not have changes made here, and waits for"
    " `/tinygen apply`."
)
MEND_CHECK = "Mend it by hand, or say what to do: `/tinygen PROMPT`."
"""What a person can do where a failed check is not mended."""
_SHOWS = "shows the change as a diff"
_PUSHES: dict[Where, str] = {
    "issue": "opens a pull request",
    "pull": "adds a commit to this pull request",
}


def checklist(running: str | None) -> tuple[Step, ...]:
    """The steps of a job, of which those before `running` (a key of STEPS) are done; None if none
    has begun."""
    states: list[StepState] = ["waiting"] * len(STEPS)
    if running is not None:
        done_count = list(STEPS).index(running)
        states[:done_count] = ["done"] * done_count
        states[done_count] = "running"
    return tuple(map(Step, STEPS.values(), states))


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
        parts.extend(_result(report, with_diff=with_diff))
    elif is_undelivered(report):
        parts.append("The change itself was made, and is kept:")
        parts.extend(_result(report, with_diff=with_diff))
    parts.append(_notes(report))
    if report.usage.calls:
        parts.append(_provenance(report))
    parts.append(_page_link(report))
    return _paragraphs(parts) + "\n"


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
    where = f"It is at {report.page_url}"
    if not report.page_url:
        where = f"The operator finds it at `/jobs/{report.job.id}`"
    parts = [
        shorten(_opening(report), MAX_SHORT_CHARS),
        shorten(url, MAX_SHORT_CHARS),
        f"GitHub did not take the whole report here. {where}.",
    ]
    return _paragraphs(parts) + "\n"


def fits_comment(report: Report) -> bool:
    """Whether GitHub accepts the comment with its diff."""
    return _fits(render_comment(report))


def _fits(comment: str) -> bool:
    """Counts UTF-16 units: the strictest reading of GitHub's limit."""
    return len(comment.encode("utf-16-le", "surrogatepass")) // 2 <= MAX_COMMENT_CHARS


def _paragraphs(parts: Collection[str]) -> str:
    return "\n\n".join(part for part in parts if part)


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
        if not (report.pull_request_url or report.commit_url):
            apply = f"`/tinygen apply {short_id(report.job.id)}`"
            opening += (
                f" Nothing was pushed: {apply}, by someone who may, delivers exactly this diff."
            )
        opening += "\n\n"
    return opening + _headline(report)


def _headline(report: Report) -> str:
    if report.state == "queued":
        return "**TinyGen** has taken this request."
    if report.state == "running":
        return "**TinyGen** is working on this request."
    if report.state == "cancelled":
        return "**TinyGen** stopped: the request was cancelled. `/tinygen retry` starts it again."
    if report.state in ("failed", "refused") and report.failure:
        return _failure(report.failure, is_refused=report.state == "refused")
    if report.job.command.verb not in WORK:
        return report.summary
    if report.together_with:
        return (
            "**TinyGen** does this together with the other commands of the review. The answer:"
            f" {report.together_with}"
        )
    return _summary(report)


def _failure(failure: Failure, *, is_refused: bool) -> str:
    opening = "**TinyGen** cannot do this." if is_refused else "**TinyGen** could not finish this."
    may_retry = failure.retryable or failure.kind == Conflict.__name__
    retry = " `/tinygen retry` asks the same again." if may_retry else ""
    message, next_step = neutralize(failure.message), neutralize(failure.next_step)
    return f"{opening} {message} {next_step}{retry}".rstrip()


def _summary(report: Report) -> str:
    title, rest = split_summary(report.summary)
    if report.patch is None or not report.patch.text:
        reason = neutralize(f"{title}\n\n{rest}".strip()) or "The model gave no reason."
        return f"**No change is needed.** {reason}"
    if not title:
        return "**The change is ready.**"
    return f"**{neutralize(title)}**\n\n{neutralize(rest)}".strip()


def split_summary(summary: str) -> tuple[str, str]:
    """(title, rest) of the model's summary: its first line and the others. The title is "" if the
    first line is too long for one."""
    first, _, rest = summary.strip().partition("\n")
    title = re.sub(r"^[#*_\s]++|(?<![*_\s])[*_\s]++$", "", first)
    if len(title) > MAX_TITLE_CHARS + 30:
        return "", summary.strip()
    return title, rest.strip()


def _result(report: Report, *, with_diff: bool) -> list[str]:
    patch = report.patch
    if patch is None or report.job.command.verb not in WORK:
        return []
    base = f"Base: `{patch.base_sha}`"
    if report.base_ref:
        base += f" ({code_span(report.base_ref)})"
    if not patch.text:
        return [base]

    added = sum(file.added for file in patch.files)
    removed = sum(file.removed for file in patch.files)
    size = f"{_count(len(patch.files), 'file')}, +{added} −{removed}. {base}"
    if report.pull_request_url or report.commit_url:
        return _pushed_result(report, size, with_diff=with_diff)
    if not with_diff:
        return [size, _files(report), f"The diff is too long for a comment: {_diff_url(report)}."]
    return _diff_result(report, patch, size)


def _pushed_result(report: Report, size: str, *, with_diff: bool) -> list[str]:
    if report.pull_request_url:
        link = f"Pull request: {report.pull_request_url}"
    else:
        link = _commit_link(report.commit_url or "")
    parts = [link, size, _files(report)]
    if report.withheld and with_diff:
        parts.append(f"{_WITHHELD}\n\n{fence(report.withheld.text, 'diff')}")
    return parts


def _diff_result(report: Report, patch: Patch, size: str) -> list[str]:
    parts = []
    if report.suggestion is not None:
        parts.append(fence(report.suggestion, "suggestion"))
    parts.append(size)
    if len(patch.files) > 1:
        parts.append(_files(report))
    parts.append(_diff(patch.text))
    if report.job.target.issue_number:
        apply = f"`/tinygen apply {short_id(report.job.id)}`"
        parts.append(
            f"`/tinygen apply`, or {apply} by others, delivers exactly this diff; `git apply`"
            " takes it at the base above."
        )
    return parts


def _commit_link(url: str) -> str:
    return f"Commit: [`{url.rpartition('/')[2][:12]}`]({url})"


def _diff(text: str) -> str:
    line_count = text.count("\n")
    if line_count <= MAX_OPEN_LINES:
        return fence(text, "diff")
    return (
        f"<details><summary>The diff, {line_count:,}"
        f" lines</summary>\n\n{fence(text, 'diff')}\n\n</details>"
    )


def _files(report: Report) -> str:
    files = report.patch.files if report.patch else ()
    rows = ["| file | change | lines |", "| --- | --- | --- |"]
    for file in files[:MAX_FILE_ROWS]:
        rows.append(f"| {_cell(file.path)} | {file.status} | +{file.added} −{file.removed} |")
    if len(files) > MAX_FILE_ROWS:
        rows.append(f"| and {len(files) - MAX_FILE_ROWS} more | | |")
    return "\n".join(rows)


def _cell(path: str) -> str:
    """The path in a table, where `|` ends a cell even inside code.
    https://github.github.com/gfm/#example-200"""
    return code_span(path).replace("|", "\\|")


def _steps(report: Report) -> str:
    return "\n".join(
        f"- {_CHECKBOX[step.state]} {step.title}{_STEP_SUFFIX[step.state]}" for step in report.steps
    )


def _notes(report: Report) -> str:
    if not report.notes:
        return ""
    return "**To note**\n\n" + _bullets(report.notes)


def _bullets(sentences: Collection[str]) -> str:
    return "\n".join(f"- {neutralize(sentence)}" for sentence in sentences)


def _provenance(report: Report) -> str:
    """How the change was made: reviews, checks, what the model was shown, and what it cost."""
    sections = ["<details><summary>How this came about</summary>"]
    if report.reflections:
        found = [
            f"{number}. {_in_list(neutralize(text)) or 'Nothing was found wrong.'}"
            for number, text in enumerate(report.reflections, 1)
        ]
        sections.append("**What reflection found**\n\n" + "\n".join(found))
    if report.first_patch is not None:
        sections.append(f"**The first version**\n\n{_first_version(report.first_patch)}")
    if report.state == "done" and report.patch and report.patch.text:
        sections.append(f"**Checked**\n\n{_CHECKED}")
    if report.shown:
        sections.append("**Shown to the model**\n\n" + "\n".join(_shown_rows(report)))
    if report.left_out:
        sections.append("**Not shown to the model**\n\n" + _bullets(report.left_out))
    sections.append(f"**What it took**\n\n{_usage(report)}")
    sections.append("</details>")
    return _paragraphs(sections)


def _page_link(report: Report) -> str:
    """The link to the job's page, for a job that has something to show there."""
    if not report.page_url or report.job.command.verb not in WORK or report.state == "refused":
        return ""
    if report.state in ("queued", "running"):
        return f"[Follow it live]({report.page_url})"
    return f"[How this came about, step by step]({report.page_url})"


def _diff_url(report: Report) -> str:
    """Where the whole diff can be read, in a few words."""
    job_id = report.job.id
    if not report.page_url:
        return f"the operator can read it at `/jobs/{job_id}.diff`"
    diff_url = report.page_url.replace(f"/jobs/{job_id}", f"/jobs/{job_id}.diff", 1)
    return f"it is on [its page]({report.page_url}), and [as text]({diff_url})"


def _in_list(text: str) -> str:
    """Its further lines indented, as those of a numbered list are."""
    return re.sub(r"\n(?=[^\n])", "\n   ", text)


def _first_version(patch: Patch) -> str:
    if len(patch.text) <= MAX_SHORT_CHARS:
        # "patch" is coloured like "diff", by which programs find the comment's one result.
        return fence(patch.text, "patch")
    return f"Its diff is too long to be shown here: {len(patch.text):,} characters."


def _shown_rows(report: Report) -> list[str]:
    """A row for each file and reason, in the order in which they were shown."""
    ranges: dict[tuple[str, str], list[str]] = {}
    for part in report.shown:
        ranges.setdefault((part.path, part.why), []).append(f"{part.start}–{part.end}")
    rows = []
    for (path, why), lines in ranges.items():
        rows.append(f"- {code_span(path)} {', '.join(lines[:MAX_SHOWN_RANGES])}: {neutralize(why)}")
    if len(rows) > MAX_SHOWN_ROWS:
        return [*rows[:MAX_SHOWN_ROWS], f"- and {len(rows) - MAX_SHOWN_ROWS} more files"]
    return rows


def _usage(report: Report) -> str:
    usage = report.usage
    cost = f", ${usage.cost_usd:.4f}" if usage.cost_usd is not None else ""
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    return (
        f"{code_span(report.model or 'model')}: {_count(usage.calls, 'call')},"
        f" {usage.prompt_tokens:,} tokens in{cached}, {usage.completion_tokens:,} out{cost},"
        f" {usage.seconds:.0f} s"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def render_outsiders_note(report: Report) -> str:
    """Which outsiders' words a finished change depends on; "" if there is no change or none of
    them."""
    has_change = report.state == "done" and report.patch is not None and report.patch.text
    if not report.rests_on or not has_change:
        return ""
    return f"This change rests on {_outsiders(report.rests_on)}."


def render_outsiders_refusal(rests_on: tuple[Outsider, ...]) -> Failure:
    """Why no change is made that would depend on outsiders' words."""
    return Failure(
        f"The change would rest on {_outsiders(rests_on)}, and here none is made of such words"
        " (`TINYGEN_OUTSIDERS`).",
        "Say what to do in a thread that someone opened who may have changes made, in words of your"
        " own.",
    )


def _outsiders(rests_on: tuple[Outsider, ...]) -> str:
    words_of: dict[str | None, list[str]] = {}
    for outsider in rests_on:
        words_of.setdefault(outsider.login, []).append(outsider.words)
    people = []
    for login, words in words_of.items():
        name = code_span(login) if login else "somebody unknown"
        people.append(f"{name} ({', '.join(words)})")
    if len(people) > MAX_OUTSIDERS:
        people = [*people[:MAX_OUTSIDERS], f"{len(people) - MAX_OUTSIDERS} more"]
    names = ", ".join(people[:-1])
    names = f"{names} and {people[-1]}" if names else people[-1]
    return f"words of {names}, who may not have changes made here"


def render_permission_refusal(login: str, has: Permission, needs: Permission) -> Failure:
    """Why a person's command is not carried out."""
    return Failure(
        f"Commands need the permission {code_span(needs)} on this repository; {code_span(login)}"
        f" has {code_span(has)}.",
        "Ask a maintainer to give this command, or to change the permission.",
    )


def render_status_line(report: Report) -> str:
    """The line of `/tinygen status` about one request."""
    command = report.job.command
    words = code_span(command.prompt.partition("\n")[0][:60] or command.verb)
    step = next((step.title for step in report.steps if step.state == "running"), "")
    at_step = f" ({step})" if step else ""
    asked_at = report.job.received_at[:16].replace("T", " ")
    return f"- {words}: {report.state}{at_step}, asked at {asked_at} UTC"


def waiting_reason(report: Report) -> str:
    """What the job waits for, in a sentence; "" if it waits for nothing."""
    if report.waits_for:
        return report.waits_for
    if report.state != "queued":
        return ""
    if report.steps:
        return "GitHub's answers, or its turn among others of its repository or installation."
    return "A worker."


def comment_url(report: Report, server_url: str) -> str | None:
    """The comment that asked for the job, on GitHub; its thread if no comment did."""
    target = report.job.target
    if target.issue_number is None:
        return None
    kind = "pull" if target.is_pull else "issues"
    thread = f"{server_url}/{target.repo}/{kind}/{target.issue_number}"
    if target.comment_id is None:
        return thread
    anchor = "issuecomment-" if target.reply_to is None else "discussion_r"
    return f"{thread}#{anchor}{target.comment_id}"


def render_reflection(verdict: Verdict) -> str:
    """What a review found, and what came of it."""
    outcome = {"taken": "Revised", "kept": "Not revised", "": "A revision was asked for"}
    heading = "Confident" if verdict.confident else outcome[verdict.decision]
    why = f"{verdict.why} {verdict.comparison}".strip()
    return "\n\n".join(part for part in (f"**{heading}.** {verdict.reason}".strip(), why) if part)


def render_mode_note(wanted: Mode, reason: str) -> str:
    """The note that a change is delivered in the other mode than the wanted one."""
    other = "a diff" if wanted == "pr" else "a pull request"
    return f"Delivered as {other}: {reason}"


def render_title(summary: str, task: Task) -> str:
    """The title of the commit and the pull request: the model's, else the thread's."""
    title = split_summary(summary)[0] or task.title or task.prompt.strip().partition("\n")[0]
    return shorten(plain_words(title or "Change by TinyGen"), MAX_TITLE_CHARS)


def render_asker_note(shown: Report) -> str:
    """Whose diff it is that somebody else applies."""
    return f"The diff {short_id(shown.job.id)} was asked for by {code_span(shown.job.actor)}."


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
    return _paragraphs(parts) + "\n"


def render_pull_body(report: Report, *, ci_fixes: int = 0) -> str:
    """The description of the pull request. `ci_fixes` is how often a failed check is worked on."""
    issue = report.job.target.issue_number
    parts = [
        render_outsiders_note(replace(report, state="done")),
        neutralize(split_summary(report.summary)[1]),
    ]
    if issue and not report.job.target.is_pull:
        parts.append(f"Closes #{issue}")
    parts.append(_asked_by(report.job))
    parts.append(_bullets(report.notes))
    if ci_fixes:
        parts.append(
            f"If a check fails here, TinyGen tries to mend it, at most {_count(ci_fixes, 'time')}."
        )
    if report.usage.calls:
        parts.append(_provenance(report))
    return _paragraphs(parts) + "\n"


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
    ]
    if where in _PUSHES and "apply" in may:
        rows.append(("/tinygen apply", f"{_PUSHES[where]} with exactly the diff last shown here"))
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
