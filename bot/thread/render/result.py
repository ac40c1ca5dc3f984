"""What a finished job shows: the change or the answer, and what to do next."""

from __future__ import annotations

import re
from urllib.parse import quote

from bot.thread.markdown.quote import fence, neutralize, quote_code, split_fences
from bot.thread.render.parts import SHORT_SHA_CHARS, base, count, split_summary, table_cell
from bot.types import MAX_ANSWER_CHARS, Reference, Report
from bot.types.names import short_id
from bot.types.snapshot import Patch

MAX_OPEN_LINES = 60
"""A longer diff is folded, so that the words around it stay in view."""
MAX_FILE_ROWS = 50
_CODE = re.compile(r"(?<![`\\!])`([^`\n]+)`(?!`)")
"""Behind `!` a link would be an image."""
_WITHHELD = "Not in it, to be applied by hand:"
_AGAIN = "To change it, comment again: `/tinygen PROMPT`"
_APPLY = {
    "new": "`/tinygen apply` opens a pull request with exactly this diff",
    "head": "`/tinygen apply` commits exactly this diff to the pull request",
    "fork": "This branch belongs to a fork, which TinyGen cannot push to: `git apply` takes the diff",
}


def render_summary(report: Report) -> str:
    title, rest = split_summary(report.summary)
    if report.patch is None or not report.patch.text:
        reason = neutralize(f"{title}\n\n{rest}".strip()) or "The model gave no reason."
        return f"**No change is needed.** {reason}"
    if not title:
        return "**The change is ready.**"
    return f"**{neutralize(title)}**\n\n{neutralize(rest)}".strip()


def render_answer(report: Report) -> str:
    """The answer to a question, with links to the places that it names."""
    addresses = {}
    if report.repository_url and report.base_sha:
        addresses = {
            each.words: place_url(each, report.repository_url, report.base_sha)
            for each in report.references
        }

    def link(code: re.Match[str]) -> str:
        address = addresses.get(code[1])
        return f"[{code[0]}]({address})" if address else code[0]

    parts = []
    for language, text in split_fences(report.summary[:MAX_ANSWER_CHARS]):
        if language is None:
            words = neutralize(text.strip("\n"), limit_chars=MAX_ANSWER_CHARS)
            parts.append(_CODE.sub(link, words))
        else:
            parts.append(quote_code(text, language))
    return "\n\n".join(part for part in parts if part.strip())


def place_url(place: Reference, repository_url: str, sha: str) -> str:
    """The address of a place's lines on GitHub."""
    lines = f"#L{place.start}" if place.start else ""
    if place.end and place.end != place.start:
        lines += f"-L{place.end}"
    # `plain`: the page of a Markdown file has no lines otherwise.
    plain = "?plain=1" if lines and place.path.lower().endswith((".md", ".markdown")) else ""
    path = quote(place.path.encode("utf-8", "surrogateescape"))
    return f"{repository_url}/blob/{sha}/{path}{plain}{lines}"


def render_result(report: Report, *, with_diff: bool) -> list[str]:
    """The parts below the headline of a job that has something to show."""
    verb, patch = report.job.command.verb, report.patch
    if verb == "ask":
        change = (
            f", with the change `{short_id(report.continues)}` above" if report.continues else ""
        )
        return [
            f"Answered from {base(report)}{change}; nothing was changed. `/tinygen ask QUESTION` asks on,"
            " `/tinygen PROMPT` has something changed."
        ]
    if patch is None:
        return []
    if not patch.text:
        again = "If something is to change after all, say what: `/tinygen PROMPT`."
        return [f"Base: {base(report)}", again]

    added = sum(file.added for file in patch.files)
    removed = sum(file.removed for file in patch.files)
    size = f"{count(len(patch.files), 'file')}, +{added} −{removed}. Base: {base(report)}"
    if report.pull_request_url or report.commit_url:
        return _pushed_result(report, size, with_diff=with_diff)
    if not with_diff:
        whole = f"The diff is too long for a comment: {_diff_url(report)}."
        return [size, _files(report), whole, *_next_steps(report)]
    return _diff_result(report, patch, size)


def _pushed_result(report: Report, size: str, *, with_diff: bool) -> list[str]:
    if report.pull_request_url:
        link = f"Pull request: {report.pull_request_url}"
        again = (
            f"{_AGAIN}, here or on the pull request, adds a commit to it. `/tinygen undo` closes it,"
            " while nobody else has pushed to it."
        )
    else:
        url = report.commit_url or ""
        link = f"Commit: [`{url.rpartition('/')[2][:SHORT_SHA_CHARS]}`]({url})"
        again = f"{_AGAIN} adds a further commit."
    parts = [link, size, _files(report)]
    if report.withheld and with_diff:
        parts.append(f"{_WITHHELD}\n\n{fence(report.withheld.text, 'diff')}")
    return [*parts, again]


def _diff_result(report: Report, patch: Patch, size: str) -> list[str]:
    if report.suggestion is not None:
        take = "“Commit suggestion” takes it, and so does `/tinygen apply`."
        return [fence(report.suggestion, "suggestion"), f"{size}. {take} {_AGAIN}."]
    parts = [size]
    if report.continues and report.job.command.verb == "solve":
        earlier = short_id(report.continues)
        parts.append(f"It goes on from the diff `{earlier}` above: this is the whole change.")
    if len(patch.files) > 1:
        parts.append(_files(report))
    return [*parts, _diff(patch.text), *_next_steps(report)]


def _next_steps(report: Report) -> list[str]:
    """What to do with a diff that is only shown; nothing for a direct call."""
    if not report.job.target.issue_number:
        return []
    apply = _APPLY.get(report.push, "`/tinygen apply` delivers exactly this diff")
    named = f"`/tinygen apply {short_id(report.job.id)}`"
    by_others = "" if report.push == "fork" else f" Somebody else names it: {named}."
    return [f"{apply}; comment again, `/tinygen PROMPT`, to change it.{by_others}"]


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
        rows.append(f"| {table_cell(file.path)} | {file.status} | +{file.added} −{file.removed} |")
    if len(files) > MAX_FILE_ROWS:
        rows.append(f"| and {len(files) - MAX_FILE_ROWS} more | | |")
    return "\n".join(rows)


def _diff_url(report: Report) -> str:
    """Where the whole diff can be read, in a few words."""
    job_id = report.job.id
    if not report.page_url:
        return f"the operator can read it at `/jobs/{job_id}.diff`"
    diff_url = report.page_url.replace(f"/jobs/{job_id}", f"/jobs/{job_id}.diff", 1)
    return f"it is on [its page]({report.page_url}), and [as text]({diff_url})"
