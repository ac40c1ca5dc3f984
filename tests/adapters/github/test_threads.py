"""Issues, comments, reactions and permissions."""

from __future__ import annotations

import pytest

from bot.errors import BadRequest, NotFound, NotPermitted, OutsideError
from tests.adapters.github.conftest import Stage
from tests.doubles.github import faults
from tests.doubles.github.faults import Fault
from tests.doubles.github.state import Role

MARKER = "<!-- tinygen:job=1 "
BODY = "<!-- tinygen:job=1 state=queued -->\nWorking."


def test_a_thread_is_read_as_it_stands_now(stage: Stage) -> None:
    stage.repo.open_issue("mona", "No text", None)
    stage.repo.git.commit({"b": b"b"}, branch="topic")
    stage.repo.open_pull("mona", "Add b", head="topic", body="It adds b.")
    stage.repo.close(2)
    stage.repo.issues[2].locked = True
    here = stage.here()
    issue, empty, pull = (here.thread(number) for number in (1, 2, 3))
    assert (issue.title, issue.body, issue.author, issue.is_pull) == (
        "It is broken",
        "Mend it.",
        "mona",
        False,
    )
    assert (empty.body, empty.state, empty.locked) == ("", "closed", True)
    assert (pull.title, pull.body, pull.is_pull, pull.state) == (
        "Add b",
        "It adds b.",
        True,
        "open",
    )


def test_an_issue_that_is_not_there_is_named(stage: Stage) -> None:
    with pytest.raises(NotFound, match="octocat/hello#7"):
        stage.here().thread(7)


def test_all_comments_are_read_oldest_first(stage: Stage) -> None:
    for number in range(250):
        stage.repo.comment(1, "mona", f"comment {number}")
    comments = stage.here().comments(1)
    assert [comment.body for comment in comments] == [f"comment {number}" for number in range(250)]
    assert stage.count("GET", ".*/comments") == 3


def test_only_this_apps_comments_are_its_own(stage: Stage) -> None:
    other = stage.double.add_app(app_id=777, slug="other")
    here = stage.here()
    stage.repo.comment(1, "mona", BODY)
    stage.repo.comment(1, other.bot, BODY, via=other)
    stage.repo.comment(1, stage.app.bot, BODY)
    here.post_comment(1, "plain", marker="no such marker")
    seen = [(c.author, c.author_is_bot, c.by_this_app) for c in here.comments(1)]
    assert seen == [
        ("mona", False, False),
        ("other[bot]", True, False),
        ("tinygen[bot]", True, True),
        ("tinygen[bot]", True, True),
    ]
    assert stage.count("GET", "/app") == 1


def test_others_long_comments_are_cut_and_the_apps_own_are_not(stage: Stage) -> None:
    stage.repo.comment(1, "mona", "x" * 60_000)
    here = stage.here()
    here.post_comment(1, "y" * 60_000, marker="no such marker")
    assert [len(comment.body) for comment in here.comments(1)] == [20_000, 60_000]


def test_a_comment_is_posted_once(stage: Stage) -> None:
    first = stage.here().post_comment(1, BODY, marker=MARKER)
    again = stage.here().post_comment(1, BODY, marker=MARKER)
    assert first == again
    assert [c.body for c in stage.repo.thread(1)] == [BODY]


@pytest.mark.parametrize("acts", [True, False], ids=["after it acted", "before it acted"])
@pytest.mark.parametrize("lost", [faults.bad_gateway, faults.dropped])
def test_a_comment_whose_answer_is_lost_is_looked_for_before_another_is_made(
    stage: Stage, lost: type[Fault], acts: bool
) -> None:
    stage.double.faults.add(lost(acts=acts), method="POST", path="/comments$", times=2)
    posted = stage.here().post_comment(1, BODY, marker=MARKER)
    assert [c.id for c in stage.repo.thread(1)] == [posted]
    assert stage.count("POST", ".*/comments") == (1 if acts else 3)


def test_an_answer_that_cannot_be_read_may_have_made_the_comment(stage: Stage) -> None:
    stage.double.faults.add(Fault(200, b"<html>", acts=True), method="POST", path="/comments$")
    posted = stage.here().post_comment(1, BODY, marker=MARKER)
    assert [c.id for c in stage.repo.thread(1)] == [posted]


def test_a_comment_whose_answers_are_all_lost_fails_as_every_outage_does(stage: Stage) -> None:
    stage.double.faults.add(faults.bad_gateway(), method="POST", path="/comments$", times=9)
    with pytest.raises(
        OutsideError, match="comment on octocat/hello#1: GitHub answered 502"
    ) as caught:
        stage.here().post_comment(1, BODY, marker=MARKER)
    assert type(caught.value) is OutsideError
    assert stage.pauses == [2, 5, 10]


def test_a_limit_is_no_lost_answer_and_is_simply_waited_for(stage: Stage) -> None:
    stage.double.faults.add(
        faults.secondary_limit(retry_after_s=7), method="POST", path="/comments$"
    )
    stage.here().post_comment(1, BODY, marker=MARKER)
    assert stage.pauses == [7]
    assert stage.count("GET", ".*/comments") == 1


def test_a_persons_copy_of_the_marker_is_not_taken_for_the_apps_comment(stage: Stage) -> None:
    stage.repo.comment(1, "mona", BODY)
    posted = stage.here().post_comment(1, BODY, marker=MARKER)
    assert stage.repo.comments[posted].author is stage.app.bot


def test_the_marker_of_another_job_is_not_this_ones(stage: Stage) -> None:
    here = stage.here()
    ids = {
        here.post_comment(
            1, f"<!-- tinygen:job={n} state=done -->", marker=f"<!-- tinygen:job={n} "
        )
        for n in (1, 12)
    }
    assert len(ids) == 2


def test_a_long_thread_is_searched_from_its_end(stage: Stage) -> None:
    for number in range(320):
        stage.repo.comment(1, "mona", f"comment {number}")
    here = stage.here()
    posted = here.post_comment(1, BODY, marker=MARKER)
    before = stage.count("GET", ".*/comments")
    assert here.post_comment(1, BODY, marker=MARKER) == posted
    assert stage.count("GET", ".*/comments") - before == 2


def test_a_locked_thread_says_so(stage: Stage) -> None:
    stage.repo.issues[1].locked = True
    with pytest.raises(NotPermitted, match="issue is locked"):
        stage.here().post_comment(1, BODY, marker=MARKER)


def test_a_body_that_is_too_long_is_quoted_from_github(stage: Stage) -> None:
    with pytest.raises(BadRequest, match="65536 characters"):
        stage.here().post_comment(1, BODY + "x" * 65_536, marker=MARKER)


def test_an_archived_repository_says_so(stage: Stage) -> None:
    stage.repo.archived = True
    with pytest.raises(NotPermitted, match="archived so is read-only"):
        stage.here().post_comment(1, BODY, marker=MARKER)


def test_a_comment_is_edited_though_answers_are_lost(stage: Stage) -> None:
    here = stage.here()
    posted = here.post_comment(1, BODY, marker=MARKER)
    stage.double.faults.add(faults.dropped(acts=True), method="PATCH")
    here.edit_comment(posted, "done, caf\udce9")
    assert stage.repo.comments[posted].body == "done, caf?"
    assert stage.count("PATCH", ".*") == 2


def test_editing_a_comment_that_is_gone_is_not_found(stage: Stage) -> None:
    here = stage.here()
    posted = here.post_comment(1, BODY, marker=MARKER)
    stage.repo.delete_comment(stage.repo.comments[posted])
    with pytest.raises(NotFound, match="edit its comment"):
        here.edit_comment(posted, "done")


def test_a_reaction_is_given_once(stage: Stage) -> None:
    comment = stage.repo.comment(1, "mona", "/tinygen mend it")
    stage.double.faults.add(faults.dropped(acts=True), path="/reactions$")
    here = stage.here()
    here.react(comment.id, "eyes")
    here.react(comment.id, "eyes")
    here.react(comment.id, "rocket")
    assert [(r.user.login, r.content) for r in comment.reactions] == [
        ("tinygen[bot]", "eyes"),
        ("tinygen[bot]", "rocket"),
    ]


def test_a_comment_on_a_diff_gets_its_reaction_too(stage: Stage) -> None:
    stage.repo.git.commit({**stage_files(), "b": b"b\n"}, branch="topic")
    pull = stage.repo.open_pull("mona", "Add b", head="topic")
    comment = stage.repo.review_comment(pull.number, "mona", "/tinygen no", path="b", line=1)
    stage.here().react(comment.id, "confused", on_line=True)
    assert [r.content for r in comment.reactions] == ["confused"]


def test_an_answer_on_a_line_is_posted_once_into_its_thread_and_edited_there(stage: Stage) -> None:
    stage.repo.git.commit({**stage_files(), "b": b"b\n"}, branch="topic")
    pull = stage.repo.open_pull("mona", "Add b", head="topic")
    above = stage.repo.review_comment(pull.number, "mona", "/tinygen no", path="b", line=1)
    here = stage.here()
    ids = {
        here.post_comment(pull.number, "<!-- m -->\nHi", marker="<!-- m ", reply_to=above.id)
        for _ in range(2)
    }
    (number,) = ids
    here.edit_comment(number, "<!-- m -->\nBye", on_line=True)
    reply = stage.repo.comments[number]
    assert (reply.body, reply.in_reply_to) == ("<!-- m -->\nBye", above.id)
    first, second = here.line_comments(pull.number)
    assert (first.path, first.line, first.hunk, first.review_id) == (
        "b",
        1,
        "@@ -0,0 +1 @@\n+b",
        above.review,
    )
    assert second.id == number


def stage_files() -> dict[str, bytes | None]:
    return {"README.md": b"# Hello\n"}


def test_a_reaction_to_a_comment_that_is_gone_is_no_failure(stage: Stage) -> None:
    stage.here().react(424242, "eyes")


@pytest.mark.parametrize("role", ["read", "triage", "write", "maintain", "admin"])
def test_a_persons_permission_is_githubs_word_for_it(stage: Stage, role: Role) -> None:
    stage.repo.permissions[stage.double.add_user("ada").login] = role
    assert stage.here().permission("ada") == role


def test_the_owner_is_admin_a_stranger_reads_and_nobody_is_none(stage: Stage) -> None:
    stage.double.add_user("stranger")
    here = stage.here()
    assert [here.permission(login) for login in ("octocat", "stranger", "no-such-user")] == [
        "admin",
        "read",
        "none",
    ]


def test_a_stranger_to_a_private_repository_is_none(stage: Stage) -> None:
    stage.repo.private = True
    stage.double.add_user("stranger")
    assert stage.here().permission("stranger") == "none"


def test_an_organizations_own_role_counts_as_the_level_that_it_rests_on(stage: Stage) -> None:
    body = b'{"permission": "write", "role_name": "release-captain"}'
    stage.double.faults.add(Fault(200, body), path="/permission$")
    assert stage.here().permission("mona") == "write"


def test_a_level_that_nobody_knows_is_none(stage: Stage) -> None:
    stage.double.faults.add(
        Fault(200, b'{"permission": "owner", "role_name": "king"}'), path="/permission$"
    )
    assert stage.here().permission("mona") == "none"


def test_a_login_cannot_lead_elsewhere(stage: Stage) -> None:
    assert stage.here().permission("../../mona?x=") == "none"
    assert (
        stage.double.requests[-1].path
        == "/repos/octocat/hello/collaborators/../../mona?x=/permission"
    )
