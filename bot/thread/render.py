"""All words to people: the comment, the pull request, the commit.

What the model or a user wrote passes through `quiet`, so that nothing in it pings a person, closes
an issue, loads an image, makes a link or breaks out of its place. State is never the model's to
tell: it is rendered from the report.

What `/tinygen help` says: the commands that this person may give in this thread, and what each does
here.

A change as GitHub's suggestion block: what the commented lines become, taken over with a click.

https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/reviewing-changes-in-pull-requests
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import replace
from typing import Literal

from bot.thread.settings import Action
from bot.types import (
    WORK,
    Failure,
    Job,
    Mode,
    Outsider,
    Permission,
    Report,
    ReviewComment,
    StepState,
    Task,
    Usage,
)
from bot.types.text import read_text

MAX_COMMENT_CHARS = 65_536
"""GitHub refuses a longer body.
https://docs.github.com/en/rest/issues/comments#create-an-issue-comment"""
MAX_PROSE_CHARS = 4_000
MAX_TITLE_CHARS = 72

_BOX: dict[StepState, str] = {"waiting": "[ ]", "running": "[ ]", "done": "[x]", "failed": "[ ]"}
_STATUS = "<!-- tinygen:status -->"
MAX_OPEN_LINES = 60
"""A longer diff is folded: what is said of it stays in view."""
MAX_ROWS = 50
MAX_NAMED = 5
"""Of the people on whose words a change rests."""
_CHECKED = (
    "Nothing was run. The diff was applied to its base again and gave the same files; what parsed"
    " before still parses, unless a note says otherwise."
)
_WITHHELD = "Not in it, to be applied by hand:"
MAX_SHORT_CHARS = 8_000
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_INVISIBLE_BREAK = "\u200b"
_LOUD = re.compile(
    r"(?P<mention>@)(?=\w)"
    r"|(?P<number>#|\bGH-|/(?:issues|pull|discussions|commit)/)(?=\w)"
    r"|(?P<tag><)(?=[A-Za-z/!?])"
    r"|(?P<link>!?\[|\](?=[(:\[]))"
    r"|(?P<url>\b(?:https?|ftp):(?=//)|\bwww(?=\.))"
    r"|(?P<fence>`(?=``)|~(?=~~))",
    re.IGNORECASE,
)


def marker(job_id: str) -> str:
    """What this job's comment begins with, whatever its state."""
    return f"<!-- tinygen:job={job_id} "


def thread_marker(report: Report) -> str:
    """What a line of the comment that takes a report begins with: `status` goes into the thread's
    one comment of that kind, and a refusal into the one that the refused comment has had, however
    often it is edited."""
    if report.state == "refused" and report.job.target.comment_id is not None:
        return f"<!-- tinygen:refused={report.job.target.comment_id} -->"
    return _STATUS if report.job.command.verb == "status" else marker(report.job.id)


def branch_name(job: Job) -> str:
    """The branch of a job's pull request: always the same one, so that making it twice is
    harmless."""
    return f"tinygen/issue-{job.target.issue_number}-{short_id(job.id)}"


def short_id(job_id: str) -> str:
    """What people call a job by: as in `/tinygen apply ID`, and in its branch's name."""
    return hashlib.sha256(job_id.encode()).hexdigest()[:8]


def render_comment(report: Report, *, with_diff: bool = True) -> str:
    """The job's one comment in its present state."""
    parts = [
        _opening(report),
        _steps(report) if report.state in ("queued", "running") else "",
        *(_result(report, with_diff=with_diff) if report.state == "done" else ()),
        _notes(report),
        _provenance(report) if report.usage.calls else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _second_line(report: Report) -> str:
    """A marker of its own, where the comment is found by another one than the job's."""
    own = thread_marker(report)
    return "" if own == marker(report.job.id) else f"{own}\n"


def render_comment_that_fits(report: Report) -> str:
    """The job's comment with as much as GitHub takes: without its diff, or in short, where that is
    too much."""
    for words in (render_comment(report), render_comment(report, with_diff=False)):
        if _fits(words):
            return words
    return render_short_comment(report)


def render_short_comment(report: Report) -> str:
    """The job's end and where to find the rest: what is left to say where GitHub refuses the whole
    comment."""
    where = shorten(report.pull_request_url or report.commit_url or "", MAX_SHORT_CHARS)
    kept = f"GitHub did not take the whole report here. It is kept at `/jobs/{report.job.id}`."
    return (
        "\n\n".join(
            part for part in (shorten(_opening(report), MAX_SHORT_CHARS), where, kept) if part
        )
        + "\n"
    )


def rests_on_note(report: Report) -> str:
    """Whose words a change rests on; "" where there is none, or they are all of people who may have
    one made."""
    if (
        not report.rests_on
        or report.state != "done"
        or report.patch is None
        or not report.patch.text
    ):
        return ""
    return f"This change rests on {_outsiders(report.rests_on)}."


def _rests_on(report: Report) -> str:
    """Before all that the model says, since those words may have led it."""
    note = rests_on_note(report)
    if not note:
        return ""
    apply = f"`/tinygen apply {short_id(report.job.id)}`"
    waits = f" Nothing was pushed: {apply}, by someone who may, delivers exactly this diff."
    is_pushed = report.pull_request_url or report.commit_url
    return f"{note}{'' if is_pushed else waits}\n\n"


def _outsiders(rests_on: tuple[Outsider, ...]) -> str:
    said: dict[str | None, list[str]] = {}
    for each in rests_on:
        said.setdefault(each.login, []).append(each.words)
    named = [
        f"{code(login) if login else 'somebody unknown'} ({', '.join(said[login])})"
        for login in said
    ]
    if len(named) > MAX_NAMED:
        named = [*named[:MAX_NAMED], f"{len(named) - MAX_NAMED} more"]
    people = " and ".join(part for part in (", ".join(named[:-1]), named[-1]) if part)
    return f"words of {people}, who may not have changes made here"


def refused_for(rests_on: tuple[Outsider, ...]) -> Failure:
    """Why nothing is made that would rest on outsiders' words."""
    return Failure(
        f"The change would rest on {_outsiders(rests_on)}, and here none is made of such words"
        " (`TINYGEN_OUTSIDERS`).",
        "Say what to do in a thread that someone opened who may have changes made, in words of your"
        " own.",
    )


def fits_comment(report: Report) -> bool:
    """Whether GitHub takes the comment with its diff."""
    return _fits(render_comment(report))


def _fits(words: str) -> bool:
    """Counted in UTF-16 units, the strictest reading of the limit."""
    return len(words.encode("utf-16-le", "surrogatepass")) // 2 <= MAX_COMMENT_CHARS


def _opening(report: Report) -> str:
    first = f"{marker(report.job.id)}state={report.state} -->\n"
    return f"{first}{_second_line(report)}{_rests_on(report)}{_headline(report)}"


def _headline(report: Report) -> str:
    if report.state == "queued":
        return "**TinyGen** has taken this request."
    if report.state == "running":
        return "**TinyGen** is working on this request."
    if report.state == "cancelled":
        return "**TinyGen** stopped: the request was cancelled. `/tinygen retry` starts it again."
    if report.state in ("failed", "refused") and report.failure:
        return _failed(report.failure, refused=report.state == "refused")
    if report.job.command.verb not in WORK:
        return report.summary
    if report.together_with:
        return (
            "**TinyGen** does this together with the other commands of the review. The answer:"
            f" {report.together_with}"
        )
    return _summary(report)


def _failed(failure: Failure, *, refused: bool) -> str:
    opening = "**TinyGen** cannot do this." if refused else "**TinyGen** could not finish this."
    again = " `/tinygen retry` asks the same again." if failure.retryable else ""
    return (
        f"{opening} {neutralize(failure.message)} {neutralize(failure.next_step)}{again}".rstrip()
    )


def _summary(report: Report) -> str:
    title, rest = split_summary(report.summary)
    if report.patch is None or not report.patch.text:
        reason = neutralize(f"{title}\n\n{rest}".strip()) or "The model gave no reason."
        return f"**No change is needed.** {reason}"
    return (
        f"**{neutralize(title)}**\n\n{neutralize(rest)}".strip()
        if title
        else "**The change is ready.**"
    )


def _result(report: Report, *, with_diff: bool) -> tuple[str, ...]:
    patch = report.patch
    if patch is None or report.job.command.verb not in WORK:
        return ()
    base = f"Base: `{patch.base_sha}`" + (f" ({code(report.base_ref)})" if report.base_ref else "")
    if not patch.text:
        return (base,)
    added, removed = (
        sum(file.added for file in patch.files),
        sum(file.removed for file in patch.files),
    )
    size = f"{_count(len(patch.files), 'file')}, +{added} −{removed}. {base}"
    if report.pull_request_url or report.commit_url:
        where = (
            f"Pull request: {report.pull_request_url}"
            if report.pull_request_url
            else _commit(report.commit_url or "")
        )
        withheld = (
            f"{_WITHHELD}\n\n{fence(report.withheld.text, 'diff')}"
            if report.withheld and with_diff
            else ""
        )
        return (where, size, _files(report), withheld)
    if not with_diff:
        return (size, _files(report))
    named = f"`/tinygen apply {short_id(report.job.id)}`"
    closing = (
        f"`/tinygen apply`, or {named} by others, delivers exactly this diff; `git apply` takes it"
        " at the base above."
    )
    suggestion = "" if report.suggestion is None else fence(report.suggestion, "suggestion")
    files = _files(report) if len(patch.files) > 1 else ""
    return (
        suggestion,
        size,
        files,
        _diff(patch.text),
        closing if report.job.target.issue_number else "",
    )


def _commit(url: str) -> str:
    return f"Commit: [`{url.rpartition('/')[2][:12]}`]({url})"


def _diff(text: str) -> str:
    """The diff, folded where it is long."""
    lines = text.count("\n")
    if lines <= MAX_OPEN_LINES:
        return fence(text, "diff")
    return (
        f"<details><summary>The diff, {lines:,}"
        f" lines</summary>\n\n{fence(text, 'diff')}\n\n</details>"
    )


def _files(report: Report) -> str:
    files = report.patch.files if report.patch else ()
    rows = [
        f"| {_cell(file.path)} | {file.status} | +{file.added} −{file.removed} |"
        for file in files[:MAX_ROWS]
    ]
    more = [f"| and {len(files) - MAX_ROWS} more | | |"] if len(files) > MAX_ROWS else []
    return "\n".join(("| file | change | lines |", "| --- | --- | --- |", *rows, *more))


def _cell(path: str) -> str:
    """The path in a table, where a bar divides even inside code.
    https://github.github.com/gfm/#example-200"""
    return code(path).replace("|", "\\|")


def _steps(report: Report) -> str:
    marks = {"running": " …", "failed": " (failed)"}
    return "\n".join(
        f"- {_BOX[step.state]} {step.title}{marks.get(step.state, '')}" for step in report.steps
    )


def _notes(report: Report) -> str:
    return (
        "**To note**\n\n" + "\n".join(f"- {neutralize(note)}" for note in report.notes)
        if report.notes
        else ""
    )


def _provenance(report: Report) -> str:
    found = [
        f"{number}. {neutralize(text) or 'Nothing was found wrong.'}"
        for number, text in enumerate(report.reflections, 1)
    ]
    shown = _shown(report)
    left_out = [f"- {neutralize(sentence)}" for sentence in report.left_out]
    sections = [
        "<details><summary>How this came about</summary>",
        "**What reflection found**\n\n" + "\n".join(found) if found else "",
        (
            f"**Checked**\n\n{_CHECKED}"
            if report.state == "done" and report.patch and report.patch.text
            else ""
        ),
        "**Shown to the model**\n\n" + "\n".join(shown) if shown else "",
        "**Not shown to the model**\n\n" + "\n".join(left_out) if left_out else "",
        f"**What it took**\n\n{_usage(report.model, report.usage)}",
        "</details>",
    ]
    return "\n\n".join(section for section in sections if section)


def _shown(report: Report) -> list[str]:
    """A line for each file, in the order in which they were shown."""
    places: dict[tuple[str, str], list[str]] = {}
    for part in report.shown:
        places.setdefault((part.path, part.why), []).append(f"{part.start}–{part.end}")
    lines = [
        f"- {code(path)} {', '.join(ranges[:20])}: {neutralize(why)}"
        for (path, why), ranges in places.items()
    ]
    return [*lines[:40], f"- and {len(lines) - 40} more files"] if len(lines) > 40 else lines


def _usage(model: str | None, usage: Usage) -> str:
    cost = f", ${usage.cost_usd:.4f}" if usage.cost_usd is not None else ""
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    return (
        f"{code(model or 'model')}: {_count(usage.calls, 'call')}, {usage.prompt_tokens:,} tokens"
        f" in{cached}, {usage.completion_tokens:,} out{cost}, {usage.seconds:.0f} s"
    )


def render_title(summary: str, task: Task) -> str:
    """A commit's and a pull request's title: the model's own where it gave one, else the
    thread's."""
    first = (
        split_summary(summary)[0]
        or task.title
        or task.prompt.strip().partition("\n")[0]
        or "Change by TinyGen"
    )
    return shorten(neutralize(first), MAX_TITLE_CHARS)


def render_commit_message(report: Report, title: str, *, server_host: str) -> str:
    """Title, reason and the requester as co-author.
    https://docs.github.com/en/pull-requests/committing-changes-to-your-project/creating-and-editing-commits
    """
    job = report.job
    body = neutralize(split_summary(report.summary)[1])
    trailer = ""
    if job.actor and job.actor_id:
        trailer = (
            f"Co-authored-by: {job.actor} <{job.actor_id}+{job.actor}@users.noreply.{server_host}>"
        )
    return "\n\n".join(part for part in (title, body, trailer) if part) + "\n"


def render_pull_body(report: Report, *, ci_fixes: int = 0) -> str:
    """What the pull request says of itself."""
    issue = report.job.target.issue_number
    note = rests_on_note(replace(report, state="done"))
    parts = [
        note,
        neutralize(split_summary(report.summary)[1]),
        f"Closes #{issue}" if issue and not report.job.target.is_pull else "",
        _asked_by(report.job),
        "\n".join(f"- {neutralize(note)}" for note in report.notes),
        (
            f"If a check fails here, TinyGen tries to mend it, at most {_count(ci_fixes, 'time')}."
            if ci_fixes
            else ""
        ),
        _provenance(report) if report.usage.calls else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _asked_by(job: Job) -> str:
    who, number = code(job.actor), f"#{job.target.issue_number}"
    if job.actor is None or job.target.issue_number is None:
        return ""
    if job.trigger == "failed check" and job.check:
        return f"Done for {who} after the check {code(job.check.name)} of {number} failed."
    how = {
        "comment": f" in a comment on {number}",
        "review": f" in a review of {number}",
        "label": f", who gave {number} its label",
        "assignment": f", who assigned {number}",
    }
    return f"Asked for by {who}{how.get(job.trigger, '')}."


def refusal(login: str, has: Permission, needs: Permission) -> Failure:
    """Why a person's command is not carried out."""
    return Failure(
        f"Commands need the permission {code(needs)} on this repository; {code(login)} has"
        f" {code(has)}.",
        "Ask a maintainer to give this command, or to change the permission.",
    )


def delivered_instead(wanted: Mode, reason: str) -> str:
    """A note that the change is delivered in the other way."""
    other = "a diff" if wanted == "pr" else "a pull request"
    return f"Delivered as {other}: {reason}"


def split_summary(summary: str) -> tuple[str, str]:
    """The model's first line, as a title, and the rest. A first line too long for a title is part
    of the rest."""
    first, _, rest = summary.strip().partition("\n")
    title = re.sub(r"^[#*_\s]++|(?<![*_\s])[*_\s]++$", "", first)
    if len(title) > MAX_TITLE_CHARS + 30:
        return "", summary.strip()
    return title, rest.strip()


def neutralize(text: str) -> str:
    """The text, cut to a bound, with an invisible break wherever GitHub would act on it, and U+FFFD
    for what is no text: git refuses a commit message that holds NUL."""
    text = shorten(_NO_TEXT.sub("\ufffd", text.replace("\r", "")), MAX_PROSE_CHARS)
    return _LOUD.sub(lambda found: found[0] + _INVISIBLE_BREAK, text)


def fence(text: str, language: str) -> str:
    """The text in a fence longer than any run of backticks inside.
    https://spec.commonmark.org/0.31.2/#fenced-code-blocks"""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{ticks}{language}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{ticks}"


def code(text: str | None) -> str:
    """The text as inline code, on one line."""
    line = re.sub(r"[\x00-\x1f\x7f]+", " ", text or "").encode("utf-8", "backslashreplace").decode()
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


Where = Literal["issue", "pull", "fork"]
"""An issue, a pull request of the repository, or one whose branch belongs to a fork."""

_SHOWS = "shows the change as a diff"
_PUSHES: dict[Where, str] = {
    "issue": "opens a pull request",
    "pull": "adds a commit to this pull request",
}


def render_help(
    login: str,
    permission: Permission,
    where: Where,
    mode: Mode,
    *,
    may: Collection[Action] = ("pr", "apply"),
) -> str:
    """The comment's words, for one who may command the bot; `may` says whether it writes for
    them."""
    own = "issue's" if where == "issue" else "pull request's"
    rows = [
        ("PROMPT", _solve(where, mode) if "pr" in may else _SHOWS),
        ("", f"takes the {own} own text as the prompt"),
        (
            "apply",
            (
                f"{_PUSHES[where]} with exactly the diff last shown here"
                if where in _PUSHES and "apply" in may
                else ""
            ),
        ),
        ("retry", "runs the last request of this thread again"),
        ("cancel", "stops what is running in this thread"),
        ("status", "says what is queued, running and done here"),
        ("help", "shows this"),
    ]
    table = [f"| `{f'/tinygen {words}'.rstrip()}` | {does} |" for words, does in rows if does]
    opening = (
        f"{code(login)}, who has the permission {code(permission)}, may begin a line of a comment"
        " here with:"
    )
    return "\n".join([opening, "", "| command | does |", "| --- | --- |", *table]) + "\n"


def _solve(where: Where, mode: Mode) -> str:
    if where not in _PUSHES:
        return f"{_SHOWS}: this branch belongs to a fork, which I cannot push to"
    pushes, base = _PUSHES[where], "; `--base BRANCH`: from there" if where == "issue" else ""
    return (
        f"{_SHOWS} (`--pr`: {pushes}{base})"
        if mode == "diff"
        else f"{pushes} (`--diff`: {_SHOWS}{base})"
    )


SMALL_LINES = 12
"""What is longer is read more easily as a commit."""


def suggest(remark: ReviewComment, old: bytes, new: bytes) -> str | None:
    """The text that stands for the commented lines in `new`; None where the change reaches beyond
    them, or where a block cannot say it. `old` is the file as it was commented on."""
    before, after = read_text(old), read_text(new)
    if (
        before is None
        or after is None
        or remark.line is None
        or remark.side != "RIGHT"
        or "\r" in before + after
    ):
        return None
    first, last = (remark.start_line or remark.line) - 1, remark.line
    lines, changed = before.splitlines(keepends=True), after.splitlines(keepends=True)
    rest = lines[last:]
    until = len(changed) - len(rest)
    is_inside = 0 <= first < last <= len(lines) and first <= until
    if not is_inside or changed[:first] != lines[:first] or changed[until:] != rest:
        return None
    return "".join(changed[first:until])


def is_small(suggestion: str) -> bool:
    return suggestion.count("\n") <= SMALL_LINES
