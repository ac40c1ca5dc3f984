"""The page of a job in every state, with and without each of its parts."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from bot.thread.render import checklist
from bot.types import Command, Failure, Job, Reference, Report, State, Step, Target
from bot.types.pages import Turn
from bot.types.snapshot import FileStat, Patch
from bot.web.pages.diff_view import MAX_FILE_CHARS, file_views
from bot.web.pages.job_page import MAX_TEXT_CHARS, step_views, turn_views
from tests.web.site import DIFF, JOB, REPORT, TURN, WRITER, Site

BEGAN, THEN, ENDED = (f"2026-01-01T00:00:0{second}+00:00" for second in (1, 4, 9))


def page(report: Report) -> str:
    site = Site()
    site.reports.save(report)
    answer = site.signed_in(WRITER).get(f"/jobs/{report.job.id}")
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize("state", get_args(State))
@pytest.mark.parametrize(
    "steps",
    [(), checklist("solve", None), checklist("solve", "generate"), REPORT.steps],
    ids=lambda s: str(len(s)),
)
def test_every_state_has_a_page(state: State, steps: tuple[Step, ...]) -> None:
    bare = Report(JOB, state, steps=steps)
    assert f">{state}</span>" in page(bare)
    assert f">{state}</span>" in page(replace(REPORT, state=state, steps=steps))


@pytest.mark.parametrize(
    "verb", ["solve", "apply", "retry", "cancel", "status", "help", "withdraw", "ask", "undo"]
)
def test_every_command_has_a_page(verb: str) -> None:
    job = replace(JOB, command=Command(verb))  # type: ignore[arg-type]
    assert "<h1>" in page(Report(job, "done", summary="An answer."))
    assert "<h1>" in page(Report(replace(job, thread=None), "queued"))


def test_a_failure_is_told_with_its_next_step() -> None:
    shown = page(Report(JOB, "failed", failure=Failure("It <b> broke.", "Mend it.")))
    assert "It &lt;b&gt; broke." in shown
    assert "Mend it." in shown


def test_a_step_lasts_until_the_next_begins_or_the_job_ends() -> None:
    steps = (Step("a", "done", BEGAN), Step("b", "done", THEN), Step("c", "done"))
    views = step_views(Report(JOB, "done", steps=steps, finished_at=ENDED))
    assert [view.seconds for view in views] == [3.0, 5.0, None]
    views = step_views(Report(JOB, "running", steps=steps))
    assert [view.seconds for view in views] == [3.0, None, None]
    (late,) = step_views(Report(JOB, "done", steps=(steps[1],), finished_at=BEGAN))
    assert late.seconds == 0


def test_a_patch_is_shown_by_file() -> None:
    second = DIFF.replace("plans.txt", "other.txt")
    files = (FileStat("plans.txt", 1, 1, "modified"), FileStat("other.txt", 1, 1, "modified"))
    first, last = file_views(Patch("1" * 40, DIFF + second, files))
    assert (first.path, last.path, first.added, first.cut) == ("plans.txt", "other.txt", 1, 0)
    assert '<span class="d-gi">+the-private-line &lt;b&gt;&amp;\n</span>' in first.html
    assert "other.txt" not in first.html


def test_what_a_reader_does_not_see_is_escaped_in_a_diff() -> None:
    (view,) = file_views(Patch("1" * 40, DIFF.replace("old", "o\u202eld"), ()))
    assert "o\\u202eld" in view.html


def test_a_long_diff_and_a_long_message_are_cut_and_say_so() -> None:
    line = "+" + "x" * 98 + "\n"
    (view,) = file_views(Patch("1" * 40, DIFF + line * 1_000, ()))
    assert view.cut == len(DIFF) + 100_000 - MAX_FILE_CHARS
    message = replace(TURN.messages[0], text="y" * (MAX_TEXT_CHARS + 5))
    (turn,) = turn_views([replace(TURN, messages=(message,))])
    assert turn.messages[0].cut == 5
    many = turn_views([replace(TURN, messages=(message,) * 20)])
    assert sum(len(each.text) for each in many[0].messages) == 2_000_000


def test_a_path_that_is_not_utf8_has_a_page() -> None:
    patch = Patch("1" * 40, DIFF.replace("plans", "pl\udcffns"), ())
    assert "<h1>" in page(replace(REPORT, patch=patch))


def test_a_direct_call_has_a_page_without_a_thread() -> None:
    site = Site({"TINYGEN_API_KEYS": "only-key-that-reads-all", "TINYGEN_OPERATOR_KEYS": ""})
    job = Job("j-1", "run", Target("octocat/greeter"), Command("solve", "x"))
    site.reports.save(Report(job, "queued"))
    shown = site.with_key("only-key-that-reads-all").get("/jobs/j-1").text
    assert "A worker." in shown
    assert "#None" not in shown


def test_an_unchanged_page_is_not_sent_again() -> None:
    site = Site()
    browser = site.signed_in(WRITER)
    path = f"/jobs/{JOB.id}"
    tag = browser.get(path).headers["ETag"]
    assert browser.get(path, If_None_Match=tag).status_code == 304
    site.conversations.keep(JOB.id, replace(TURN, number=2))
    assert browser.get(path, If_None_Match=tag).status_code == 200


def test_a_removed_line_that_looks_like_a_head_is_a_removed_line() -> None:
    text = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,2 +1 @@\n--- old\n+++ new\n same\n"
    (view,) = file_views(Patch("1" * 40, text, ()))
    assert view.html == (
        '<span class="d-gh">diff --git a/a b/a\n--- a/a\n+++ b/a\n</span>'
        '<span class="d-gu">@@ -1,2 +1 @@\n</span><span class="d-gd">--- old\n</span>'
        '<span class="d-gi">+++ new\n</span> same\n'
    )


def test_the_pages_parts_are_bounded_in_number() -> None:
    text = "".join(DIFF.replace("plans", f"plans-{number}") for number in range(400))
    shown = page(replace(REPORT, patch=Patch("1" * 40, text, ())))
    assert shown.count('<details class="file"') == 300
    message = replace(TURN.messages[0], text="x")
    (turn,) = turn_views([replace(TURN, messages=(message,) * 1_000)])
    assert len(turn.messages) == 400


def test_a_link_that_does_not_lead_to_github_is_none() -> None:
    assert "javascript:" not in page(replace(REPORT, pull_request_url="javascript:alert(1)"))
    good = "https://github.com/acme/secret-plans/pull/4"
    assert f'href="{good}"' in page(replace(REPORT, pull_request_url=good))


def test_no_more_pages_are_made_at_once_than_a_quarter_of_the_threads() -> None:
    site = Site({"TINYGEN_WEB_THREADS": "4"})
    other, inner = site.signed_in(WRITER), list[int]()
    kept = site.conversations.of

    def of(job_id: str) -> tuple[Turn, ...]:
        if not inner:
            inner.append(0)
            inner[0] = other.get(f"/jobs/{job_id}").status_code
        return kept(job_id)

    site.conversations.of = of  # type: ignore[method-assign]
    site.conversations.count = lambda job_id: 1  # type: ignore[method-assign]
    assert site.signed_in(WRITER).get(f"/jobs/{JOB.id}").status_code == 200
    assert inner == [429]


def test_an_answer_stands_under_its_question_with_links_to_the_lines() -> None:
    asked = replace(
        REPORT,
        job=replace(JOB, command=Command("ask", "Where is <it>?")),
        mode="ask",
        patch=None,
        summary="Here: `a b.py:3`.",
        references=(Reference("a b.py:3", "a b.py", 3, 3),),
        base_sha="c" * 40,
    )
    text = page(asked)
    assert "<h1>Where is &lt;it&gt;?</h1>" in text
    assert 'id="result">Answer</h2>' in text
    assert f"/blob/{'c' * 40}/a%20b.py#L3" in text
    assert "delivered as" not in text


def test_a_refusal_links_to_the_open_pull_requests_that_it_names_and_nowhere_else() -> None:
    ours = f"https://github.com/{JOB.target.repo}/pull/4"
    refused = replace(
        REPORT,
        state="refused",
        failure=Failure("Open already.", "Ask there."),
        open_pulls=(ours, "https://evil.example/o/r/pull/4"),
    )
    text = page(refused)
    assert f'<a href="{ours}">' in text
    assert "evil.example" not in text
