"""What several texts share: limits, lists, links, and the parts of the model's summary."""

from __future__ import annotations

import re
from collections.abc import Collection

from bot.thread.markdown.quote import code_span, neutralize
from bot.types import Job, Report

MAX_SHORT_CHARS = 8_000
"""For each part of the short comment."""
MAX_TITLE_CHARS = 72
MAX_LINK_CHARS = 60
SHORT_SHA_CHARS = 7
"""As GitHub shows a commit."""


def paragraphs(parts: Collection[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def bullets(sentences: Collection[str]) -> str:
    return "\n".join(f"- {neutralize(sentence)}" for sentence in sentences)


def in_list(text: str) -> str:
    """Its further lines indented, as those of a numbered list are."""
    return re.sub(r"\n(?=[^\n])", "\n   ", text)


def table_cell(path: str) -> str:
    """The path in a table, where `|` ends a cell even inside code.
    https://github.github.com/gfm/#example-200"""
    return code_span(path).replace("|", "\\|")


def commit(report: Report, sha: str) -> str:
    """The commit in short, as a link to it; whole, if the repository's address is not known."""
    if not report.repository_url:
        return f"`{sha}`"
    return f"[`{sha[:SHORT_SHA_CHARS]}`]({report.repository_url}/commit/{sha})"


def base(report: Report) -> str:
    """The commit that the job worked on, and its branch; "" if there is none yet."""
    if not report.base_sha:
        return ""
    branch = f" ({code_span(report.base_ref)})" if report.base_ref else ""
    return commit(report, report.base_sha) + branch


def split_summary(summary: str) -> tuple[str, str]:
    """(title, rest) of the model's summary: its first line and the others. The title is "" if the
    first line is too long for one."""
    first, _, rest = summary.strip().partition("\n")
    title = re.sub(r"^[#*_\s]++|(?<![*_\s])[*_\s]++$", "", first)
    if len(title) > MAX_TITLE_CHARS + 30:
        return "", summary.strip()
    return title, rest.strip()


def comment_url(job: Job, server_url: str) -> str | None:
    """The comment that asked for the job, on GitHub; its thread if no comment did."""
    target = job.target
    if target.issue_number is None:
        return None
    kind = "pull" if target.is_pull else "issues"
    thread = f"{server_url}/{target.repo}/{kind}/{target.issue_number}"
    if target.comment_id is None:
        return thread
    anchor = "issuecomment-" if target.reply_to is None else "discussion_r"
    return f"{thread}#{anchor}{target.comment_id}"


def request_link(report: Report) -> str:
    """The first words of the request, as a link to its comment where that is known."""
    command = report.job.command
    said = command.prompt.partition("\n")[0][:MAX_LINK_CHARS]
    if command.verb == "solve":
        words = code_span(said) if said else "the thread's own text"
    else:
        words = code_span(f"{command.verb} {said}".rstrip())
    server_url = report.repository_url.removesuffix(f"/{report.job.target.repo}")
    url = comment_url(report.job, server_url) if server_url else None
    return f"[{words}]({url})" if url else words
