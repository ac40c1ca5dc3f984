"""Which comments of a thread the model is shown."""

from __future__ import annotations

from dataclasses import replace

from bot.thread.comments import (
    MAX_AUTHORS,
    MAX_READ_CHARS,
    AnyComment,
    choose_comments,
    in_open_threads,
    newest_authors,
    written_before,
)
from bot.types import Command, Job, Target
from bot.types.github import Comment, LineComment

JOB = Job(
    "job", "comment", Target("o/r", comment_id=900), Command("solve"), given_at="2026-01-02T12:00Z"
)
BEFORE, AFTER = "2026-01-02T11:00Z", "2026-01-02T13:00Z"


def comment(number: int, body: str = "Louder.", author: str = "mona") -> Comment:
    return Comment(number, body, author, False, False, BEFORE, BEFORE)


def line_comment(number: int, thread_id: int, author: str = "mona") -> LineComment:
    return LineComment(
        number, thread_id, None, "Here.", author, 7, False, BEFORE, BEFORE, "a.py", "@@", 3, None,
        "RIGHT", "c" * 40,
    )  # fmt: skip


def test_commands_bots_and_what_was_written_later_do_not_count() -> None:
    counted = comment(2)
    others = [
        comment(1, "/tinygen Louder."),
        replace(comment(3), author_is_bot=True),
        replace(comment(4), created_at=AFTER),
        comment(900),
    ]
    assert written_before([*others, counted], JOB) == [counted]


def test_long_comments_that_show_nothing_are_read_up_to_a_limit() -> None:
    """Reading one takes time, whatever it shows."""
    empty = "<!--" + "x" * (MAX_READ_CHARS // 10 - 7) + "-->"
    written = [comment(number, empty) for number in range(1, 31)]
    chosen = choose_comments(written, JOB, resolved=(), authors={"mona"})
    assert chosen.words == ("mona wrote:\n",) * 10
    assert chosen.left_out == ("Comments too old to fit that were not shown: 20.",)


def test_each_comment_that_is_not_shown_is_counted_once_with_its_reason() -> None:
    changed = replace(comment(3), updated_at=AFTER)
    written: list[AnyComment] = [
        comment(1),
        comment(2, author="mallory"),
        changed,
        line_comment(4, 4),
    ]
    chosen = choose_comments(written, JOB, resolved={4}, authors={"mona"})
    assert chosen.words == ("mona wrote:\nLouder.",)
    assert chosen.left_out == (
        "Comments in review threads that are resolved that were not shown: 1.",
        "Comments by people without a say in this repository that were not shown: 1.",
        "Comments changed since the command was given that were not shown: 1.",
    )


NOW = JOB.given_at


def test_what_was_written_in_the_commands_own_second_counts_by_its_id() -> None:
    earlier, later = comment(899), comment(901)
    written = [replace(each, created_at=NOW, updated_at=NOW) for each in (earlier, later)]
    assert [each.id for each in written_before(written, JOB)] == [899]


def test_what_was_changed_in_the_commands_own_second_is_not_shown() -> None:
    changed = replace(comment(1), updated_at=NOW)
    fresh = replace(comment(2), created_at=NOW, updated_at=NOW)
    chosen = choose_comments([changed, fresh], JOB, resolved=(), authors={"mona"})
    assert len(chosen.words) == 1
    assert chosen.left_out == (
        "Comments changed since the command was given that were not shown: 1.",
    )


def test_whoever_wrote_only_in_resolved_threads_takes_no_place_among_the_authors() -> None:
    crowd = [line_comment(n, 1, author=f"person-{n}") for n in range(2, 2 + MAX_AUTHORS)]
    written: list[AnyComment] = [comment(1, author="mona"), *crowd]
    assert "mona" not in newest_authors(written)
    assert newest_authors(in_open_threads(written, {1})) == ("mona",)
