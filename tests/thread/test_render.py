"""The words to people."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.thread.commands import parse_command
from bot.thread.render import (
    MAX_COMMENT_CHARS,
    fits_comment,
    job_marker,
    render_comment,
    render_commit_message,
    render_help,
    render_pull_body,
    render_short_comment,
    render_title,
    split_summary,
)
from bot.types import (
    Command,
    FailedCheck,
    Failure,
    Job,
    Outsider,
    Report,
    ShownFile,
    State,
    Step,
    Target,
    Task,
    Trigger,
    Usage,
)
from bot.types.names import short_id
from bot.types.snapshot import FileStat, Patch

JOB = Job("d-1", "comment", Target("o/r", 9, 3, comment_id=7), Command("solve", "fix"), "ada", 5)
DIFF = "diff --git a/x.md b/x.md\n--- a/x.md\n+++ b/x.md\n@@ -1 +1 @@\n-````\n+```` @ada fixes #1\n"
DONE = Report(
    JOB,
    "done",
    steps=(Step("Read", "done"),),
    base_ref="main",
    base_sha="b" * 40,
    patch=Patch("b" * 40, DIFF, (FileStat("x.md", 1, 1, "modified"),)),
    summary="Use longer fences\n\nThe fence was too short.",
    reflections=("Confident. It is right.",),
    shown=(ShownFile("x.md", 1, 4, "named in the request"),),
    model="m",
    usage=Usage(2, 100, 20, 0, 0.0123, 3.2),
)


@pytest.mark.parametrize("state", ["queued", "running", "done", "failed", "cancelled", "refused"])
def test_the_first_line_names_job_and_state(state: State) -> None:
    body = render_comment(
        replace(DONE, state=state, failure=Failure("It broke.", "Mend it.", retryable=True))
    )
    assert body.splitlines()[0] == f"<!-- tinygen:job=d-1 state={state} -->"
    assert body.startswith(job_marker("d-1"))


def test_a_finished_comment_holds_the_whole_diff_in_one_fence_longer_than_any_inside() -> None:
    body = render_comment(DONE)
    fences = [token for token in MarkdownIt().parse(body) if token.type == "fence"]
    assert [(token.info, token.content) for token in fences] == [("diff", DIFF)]
    assert fences[0].markup == "`````"
    assert "b" * 40 in body
    assert "Use longer fences" in body


def test_it_says_how_the_change_came_about() -> None:
    body = render_comment(DONE)
    for part in (
        "2 calls",
        "100 tokens in",
        "20 out",
        "$0.0123",
        "3 s",
        "It is right.",
        "`x.md` 1–4: named",
    ):
        assert part in body


def test_an_empty_diff_says_that_no_change_is_needed_and_why() -> None:
    body = render_comment(replace(DONE, patch=Patch("b" * 40, ""), summary="It works already."))
    assert "**No change is needed.** It works already." in body
    assert "```" not in body


def test_a_failure_says_what_and_what_to_do_and_whether_to_retry() -> None:
    failed = replace(
        DONE, state="failed", failure=Failure("GitHub is away.", "Wait.", retryable=True)
    )
    assert "GitHub is away. Wait. `/tinygen retry` asks the same again." in render_comment(failed)
    final = replace(failed, failure=Failure("No.", "Ask."))
    assert "retry" not in render_comment(final)


def test_a_running_job_shows_its_checklist() -> None:
    steps = (Step("Read", "done"), Step("Write", "running"), Step("Review"))
    body = render_comment(replace(DONE, state="running", steps=steps))
    assert "- [x] Read\n- [ ] Write …\n- [ ] Review" in body


def test_a_pull_request_is_linked_and_the_diff_not_repeated() -> None:
    body = render_comment(replace(DONE, mode="pr", pull_request_url="https://h/o/r/pull/4"))
    assert "Pull request: https://h/o/r/pull/4" in body
    assert "| `x.md` | modified | +1 −1 |" in body
    assert "diff --git" not in body


MALLORY = (
    Outsider("mallory", "the issue's title and text"),
    Outsider(None, "lines"),
    Outsider("mallory", "comments"),
)


def test_whose_words_a_change_rests_on_is_said_before_all_that_the_model_says() -> None:
    named = "`mallory` (the issue's title and text, comments) and somebody unknown (lines)"
    first = render_comment(replace(DONE, rests_on=MALLORY)).splitlines()[1]
    assert first.startswith(
        f"This change rests on words of {named}, who may not have changes made here."
    )
    assert f"`/tinygen apply {short_id(JOB.id)}`" in first
    pushed = replace(DONE, rests_on=MALLORY, mode="pr", pull_request_url="https://h/o/r/pull/4")
    assert "/tinygen apply" not in render_comment(pushed)
    assert named in render_pull_body(pushed).splitlines()[1]


def test_whose_words_a_change_rests_on_is_not_said_where_there_is_none() -> None:
    for report in (replace(DONE, patch=Patch("b" * 40, "")), replace(DONE, state="running")):
        assert "rests on" not in render_comment(replace(report, rests_on=MALLORY))


def test_of_many_people_some_are_named() -> None:
    crowd = tuple(Outsider(f"p{number}", "comments") for number in range(8))
    assert "`p4` (comments) and 3 more, who" in render_comment(replace(DONE, rests_on=crowd))


@given(st.text(max_size=60))
def test_no_name_breaks_out_of_its_place(login: str) -> None:
    body = render_comment(replace(DONE, rests_on=(Outsider(login, "comments"),)))
    assert [token.content for token in MarkdownIt().parse(body) if token.type == "fence"] == [DIFF]


def test_the_limit_counts_as_github_might() -> None:
    room = MAX_COMMENT_CHARS - len(render_comment(replace(DONE, patch=Patch("b" * 40, "x\n")))) + 2
    assert fits_comment(replace(DONE, patch=Patch("b" * 40, "y" * (room - 1) + "\n")))
    assert not fits_comment(replace(DONE, patch=Patch("b" * 40, "y" * (room + 3) + "\n")))
    assert not fits_comment(replace(DONE, patch=Patch("b" * 40, "😀" * (room // 2 + 2) + "\n")))


@given(st.text(max_size=200))
def test_prose_never_breaks_out_of_its_place(prose: str) -> None:
    body = render_comment(replace(DONE, summary=prose, reflections=(prose,), notes=(prose,)))
    fences = [token.content for token in MarkdownIt().parse(body) if token.type == "fence"]
    assert DIFF in fences
    assert body.count("<details>") == body.count("</details>") == 1


def test_none_of_our_comments_is_a_command() -> None:
    states: tuple[State, ...] = ("queued", "running", "done", "failed", "cancelled")
    failure = Failure("a", "b", retryable=True)
    assert all(
        parse_command(render_comment(replace(DONE, state=state, failure=failure))) is None
        for state in states
    )
    assert parse_command(render_help("octocat", "write", "issue", "diff")) is None


@pytest.mark.parametrize(
    ("summary", "title"),
    [
        ("Use longer fences\n\nWhy.", "Use longer fences"),
        ("**Use longer fences**\nWhy.", "Use longer fences"),
        ("# Use longer fences", "Use longer fences"),
        ("", "The issue"),
        ("So " * 60, "The issue"),
    ],
)
def test_a_title_is_the_models_first_line_else_the_threads(summary: str, title: str) -> None:
    assert render_title(summary, Task("o/r", "do", "The issue")) == title


def test_a_title_is_bounded_and_quiet() -> None:
    title = render_title("", Task("o/r", "do", "fixes #1 @ada " + "x" * 100))
    assert len(title) <= 72
    assert "#1" not in title


def test_a_long_first_line_is_kept_in_the_text() -> None:
    assert split_summary("So " * 60)[1] == ("So " * 60).strip()


def test_the_commit_names_its_requester_as_co_author() -> None:
    message = render_commit_message(DONE, "Use longer fences", server_host="github.com")
    assert (
        message == "Use longer fences\n\nThe fence was too short.\n\nCo-authored-by: ada"
        " <5+ada@users.noreply.github.com>\n"
    )


def test_the_pull_request_closes_its_issue_once() -> None:
    body = render_pull_body(replace(DONE, summary="T\n\ncloses #99"))
    assert "Closes #3" in body
    assert "closes #99" not in body
    assert "Asked for by `ada` in a comment on #3." in body


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ("comment", "Asked for by `ada` in a comment on #3."),
        ("review", "Asked for by `ada` in a review of #3."),
        ("label", "Asked for by `ada`, who gave #3 its label."),
        ("assignment", "Asked for by `ada`, who assigned #3."),
        ("failed check", "Done for `ada` after the check `unit *tests*` of #3 failed."),
        ("call", "Asked for by `ada`."),
    ],
)
def test_the_pull_request_says_what_asked_for_it(trigger: Trigger, words: str) -> None:
    check = FailedCheck(1, "unit *tests*", "a" * 40) if trigger == "failed check" else None
    body = render_pull_body(replace(DONE, job=replace(JOB, trigger=trigger, check=check)))
    assert words in body.splitlines()


def test_the_short_comment_fits_whatever_the_report_holds() -> None:
    long = "w" * 70_000
    for report in (
        replace(
            DONE, rests_on=tuple(Outsider("mallory", f"words {number}") for number in range(3_000))
        ),
        replace(DONE, rests_on=(Outsider(long, "words"),)),
        replace(DONE, together_with=long),
        replace(DONE, pull_request_url=long),
        replace(DONE, job=replace(JOB, command=Command("status")), summary="\U0001f600" * 70_000),
    ):
        words = render_short_comment(report)
        assert len(words.encode("utf-16-le")) // 2 <= 65_536
        assert words.startswith("<!-- tinygen:job=d-1 state=done -->\n")
        assert words.endswith("The operator finds it at `/jobs/d-1`.\n")
