"""What people read on GitHub: the job's comment, answers, refusals, the pull request and the commit.

Text of the model or of a user passes through `neutralize`, so that nothing in it pings a person,
closes an issue, loads an image, makes a link or breaks the layout. Every text ends with what its
reader can do next.
"""

from bot.thread.render.comment import (
    MAX_COMMENT_CHARS,
    STEPS,
    checklist,
    fits_comment,
    job_marker,
    render_comment,
    render_comment_that_fits,
    render_short_comment,
    thread_marker,
)
from bot.thread.render.outsiders import WAITS, render_outsiders_note, render_outsiders_refusal
from bot.thread.render.parts import comment_url, split_summary
from bot.thread.render.provenance import render_reflection
from bot.thread.render.pull_request import (
    render_commit_message,
    render_pull_body,
    render_title,
    with_requests,
)
from bot.thread.render.replies import (
    HINT,
    HINT_MARKER,
    MEND_CHECK,
    OPEN_PULL,
    Where,
    asks_first,
    render_asker_note,
    render_cancelled,
    render_help,
    render_kept_branch,
    render_mode_note,
    render_permission_refusal,
    render_status,
    render_undone,
    still_runs,
    waiting_reason,
)
from bot.thread.render.result import MAX_OPEN_LINES, place_url

__all__ = [
    "HINT",
    "HINT_MARKER",
    "MAX_COMMENT_CHARS",
    "MAX_OPEN_LINES",
    "MEND_CHECK",
    "OPEN_PULL",
    "STEPS",
    "WAITS",
    "Where",
    "asks_first",
    "checklist",
    "comment_url",
    "fits_comment",
    "job_marker",
    "place_url",
    "render_asker_note",
    "render_cancelled",
    "render_comment",
    "render_comment_that_fits",
    "render_commit_message",
    "render_help",
    "render_kept_branch",
    "render_mode_note",
    "render_outsiders_note",
    "render_outsiders_refusal",
    "render_permission_refusal",
    "render_pull_body",
    "render_reflection",
    "render_short_comment",
    "render_status",
    "render_title",
    "render_undone",
    "split_summary",
    "still_runs",
    "thread_marker",
    "waiting_reason",
    "with_requests",
]
