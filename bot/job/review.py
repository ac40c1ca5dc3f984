"""One submitted review is one run: its commands are done together, by the job of the first of them.

GitHub delivers each comment of a review by itself, all after the review was submitted: whichever arrives, the whole
review can be read, and everybody finds the same first command.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import TypeAdapter

from bot.core.command import parse_command
from bot.core.types import Job, Remark
from bot.job.house import House
from bot.ports import LineComment

MAX_REMARKS = 30

_remarks = TypeAdapter(tuple[Remark, ...])


def with_review(house: House, job: Job) -> Job:
    """The job with all remarks of its review that are its asker's, in their order; the first is done for all."""
    if job.command.verb != "solve" or not job.remarks or job.remarks[0].review_id is None:
        return job
    read = house.engine.step("review", lambda: _remarks.dump_python(_read(house, job), mode="json"))
    remarks = _remarks.validate_python(read)
    if len(remarks) < 2:
        return job
    words = "\n\n".join(f"{place_of(remark)}: {remark.words}" for remark in remarks)
    return replace(job, remarks=remarks, command=replace(job.command, prompt=words))


def is_first(job: Job) -> bool:
    return not job.remarks or job.remarks[0].comment_id == job.target.comment_id


def first_url(house: House, job: Job) -> str:
    """Where the first of the review's commands stands, and is answered."""
    target = job.target
    return f"{house.rules.server_url}/{target.repo}/pull/{target.issue_number}#discussion_r{job.remarks[0].comment_id}"


def place_of(remark: Remark) -> str:
    return f"{remark.path}:{remark.line}" if remark.line else remark.path


def _read(house: House, job: Job) -> tuple[Remark, ...]:
    target = job.target
    comments = house.github(target).line_comments(target.issue_number or 0)
    found = [_remark(comment, job) for comment in comments if comment.review_id == job.remarks[0].review_id]
    remarks = sorted((remark for remark in found if remark), key=lambda remark: remark.comment_id)[:MAX_REMARKS]
    is_here = any(remark.comment_id == target.comment_id for remark in remarks)
    return tuple(remarks) if is_here else job.remarks


def _remark(comment: LineComment, job: Job) -> Remark | None:
    """None for words that are no task, and for another's: a review's author is one, an edit's may be another."""
    command = parse_command(comment.body)
    if command is None or command.verb != "solve" or command.problem or comment.author_id != job.actor_id:
        return None
    return Remark(
        comment.id,
        comment.path,
        comment.hunk,
        comment.line,
        comment.start_line,
        comment.side,
        comment.commit_sha,
        command.prompt,
        comment.review_id,
    )
