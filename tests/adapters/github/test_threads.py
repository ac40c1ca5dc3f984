"""Issues, comments, reactions and permissions."""

from __future__ import annotations

import pytest

from bot.errors import BadRequest, NotFound, NotPermitted, OutsideError
from bot.types.github import Thread
from tests.adapters.github.conftest import InstalledApp
from tests.doubles.github import faults
from tests.doubles.github.faults import Fault
from tests.doubles.github.state import Role

MARKER = "<!-- tinygen:job=1 "
BODY = "<!-- tinygen:job=1 state=queued -->\nWorking."


def test_a_thread_is_read_as_it_stands_now(installed: InstalledApp) -> None:
    installed.repo.open_issue("mona", "No text", None)
    installed.repo.git.commit({"b": b"b"}, branch="topic")
    installed.repo.open_pull("mona", "Add b", head="topic", body="It adds b.")
    repository = installed.connect()
    issue, empty, pull = (repository.thread(number) for number in (1, 2, 3))
    assert issue == Thread("It is broken", "Mend it.", "mona")
    assert (empty.title, empty.body) == ("No text", "")
    assert pull == Thread("Add b", "It adds b.", "mona")


def test_an_issue_that_is_not_there_is_named(installed: InstalledApp) -> None:
    with pytest.raises(NotFound, match="octocat/hello#7"):
        installed.connect().thread(7)


def test_all_comments_are_read_oldest_first(installed: InstalledApp) -> None:
    for number in range(250):
        installed.repo.comment(1, "mona", f"comment {number}")
    comments = installed.connect().comments(1)
    assert [comment.body for comment in comments] == [f"comment {number}" for number in range(250)]
    assert installed.count("GET", ".*/comments") == 3


def test_only_this_apps_comments_are_its_own(installed: InstalledApp) -> None:
    other = installed.double.add_app(app_id=777, slug="other")
    repository = installed.connect()
    installed.repo.comment(1, "mona", BODY)
    installed.repo.comment(1, other.bot, BODY, via=other)
    installed.repo.comment(1, installed.app.bot, BODY)
    repository.post_comment(1, "plain", marker="no such marker")
    seen = [(c.author, c.author_is_bot, c.by_this_app) for c in repository.comments(1)]
    assert seen == [
        ("mona", False, False),
        ("other[bot]", True, False),
        ("tinygen[bot]", True, True),
        ("tinygen[bot]", True, True),
    ]
    assert installed.count("GET", "/app") == 1


def test_others_long_comments_are_cut_and_the_apps_own_are_not(installed: InstalledApp) -> None:
    installed.repo.comment(1, "mona", "x" * 60_000)
    repository = installed.connect()
    repository.post_comment(1, "y" * 60_000, marker="no such marker")
    assert [len(comment.body) for comment in repository.comments(1)] == [20_000, 60_000]


def test_a_comment_is_posted_once(installed: InstalledApp) -> None:
    first = installed.connect().post_comment(1, BODY, marker=MARKER)
    again = installed.connect().post_comment(1, BODY, marker=MARKER)
    assert first == again
    assert [c.body for c in installed.repo.thread(1)] == [BODY]


@pytest.mark.parametrize("acts", [True, False], ids=["after it acted", "before it acted"])
@pytest.mark.parametrize("lost", [faults.bad_gateway, faults.dropped])
def test_a_comment_whose_answer_is_lost_is_looked_for_before_another_is_made(
    installed: InstalledApp, lost: type[Fault], acts: bool
) -> None:
    installed.double.faults.add(lost(acts=acts), method="POST", path="/comments$", times=2)
    posted = installed.connect().post_comment(1, BODY, marker=MARKER)
    assert [c.id for c in installed.repo.thread(1)] == [posted]
    assert installed.count("POST", ".*/comments") == (1 if acts else 3)


def test_an_answer_that_cannot_be_read_may_have_made_the_comment(installed: InstalledApp) -> None:
    installed.double.faults.add(Fault(200, b"<html>", acts=True), method="POST", path="/comments$")
    posted = installed.connect().post_comment(1, BODY, marker=MARKER)
    assert [c.id for c in installed.repo.thread(1)] == [posted]


def test_a_comment_whose_answers_are_all_lost_fails_as_every_outage_does(
    installed: InstalledApp,
) -> None:
    installed.double.faults.add(faults.bad_gateway(), method="POST", path="/comments$", times=9)
    with pytest.raises(
        OutsideError, match="comment on octocat/hello#1: GitHub answered 502"
    ) as caught:
        installed.connect().post_comment(1, BODY, marker=MARKER)
    assert type(caught.value) is OutsideError
    assert installed.pauses == [2, 5, 10]


def test_a_limit_is_no_lost_answer_and_is_simply_waited_for(installed: InstalledApp) -> None:
    installed.double.faults.add(
        faults.secondary_limit(retry_after_s=7), method="POST", path="/comments$"
    )
    installed.connect().post_comment(1, BODY, marker=MARKER)
    assert installed.pauses == [7]
    assert installed.count("GET", ".*/comments") == 1


def test_a_persons_copy_of_the_marker_is_not_taken_for_the_apps_comment(
    installed: InstalledApp,
) -> None:
    installed.repo.comment(1, "mona", BODY)
    posted = installed.connect().post_comment(1, BODY, marker=MARKER)
    assert installed.repo.comments[posted].author is installed.app.bot


def test_the_marker_of_another_job_is_not_this_ones(installed: InstalledApp) -> None:
    repository = installed.connect()
    ids = {
        repository.post_comment(
            1, f"<!-- tinygen:job={n} state=done -->", marker=f"<!-- tinygen:job={n} "
        )
        for n in (1, 12)
    }
    assert len(ids) == 2


def test_a_long_thread_is_searched_from_its_end(installed: InstalledApp) -> None:
    for number in range(320):
        installed.repo.comment(1, "mona", f"comment {number}")
    repository = installed.connect()
    posted = repository.post_comment(1, BODY, marker=MARKER)
    before = installed.count("GET", ".*/comments")
    assert repository.post_comment(1, BODY, marker=MARKER) == posted
    assert installed.count("GET", ".*/comments") - before == 2


def test_a_locked_thread_says_so(installed: InstalledApp) -> None:
    installed.repo.issues[1].locked = True
    with pytest.raises(NotPermitted, match="issue is locked"):
        installed.connect().post_comment(1, BODY, marker=MARKER)


def test_a_body_that_is_too_long_is_quoted_from_github(installed: InstalledApp) -> None:
    with pytest.raises(BadRequest, match="65536 characters"):
        installed.connect().post_comment(1, BODY + "x" * 65_536, marker=MARKER)


def test_an_archived_repository_says_so(installed: InstalledApp) -> None:
    installed.repo.archived = True
    with pytest.raises(NotPermitted, match="archived so is read-only"):
        installed.connect().post_comment(1, BODY, marker=MARKER)


def test_a_comment_is_edited_though_answers_are_lost(installed: InstalledApp) -> None:
    repository = installed.connect()
    posted = repository.post_comment(1, BODY, marker=MARKER)
    installed.double.faults.add(faults.dropped(acts=True), method="PATCH")
    repository.edit_comment(posted, "done, caf\udce9")
    assert installed.repo.comments[posted].body == "done, caf?"
    assert installed.count("PATCH", ".*") == 2


def test_editing_a_comment_that_is_gone_is_not_found(installed: InstalledApp) -> None:
    repository = installed.connect()
    posted = repository.post_comment(1, BODY, marker=MARKER)
    installed.repo.delete_comment(installed.repo.comments[posted])
    with pytest.raises(NotFound, match="edit its comment"):
        repository.edit_comment(posted, "done")


def test_a_reaction_is_given_once(installed: InstalledApp) -> None:
    comment = installed.repo.comment(1, "mona", "/tinygen mend it")
    installed.double.faults.add(faults.dropped(acts=True), path="/reactions$")
    repository = installed.connect()
    repository.react(comment.id, "eyes")
    repository.react(comment.id, "eyes")
    repository.react(comment.id, "rocket")
    assert [(r.user.login, r.content) for r in comment.reactions] == [
        ("tinygen[bot]", "eyes"),
        ("tinygen[bot]", "rocket"),
    ]


def test_a_comment_on_a_diff_gets_its_reaction_too(installed: InstalledApp) -> None:
    installed.repo.git.commit({**readme_only(), "b": b"b\n"}, branch="topic")
    pull = installed.repo.open_pull("mona", "Add b", head="topic")
    comment = installed.repo.review_comment(pull.number, "mona", "/tinygen no", path="b", line=1)
    installed.connect().react(comment.id, "confused", on_line=True)
    assert [r.content for r in comment.reactions] == ["confused"]


def test_an_answer_on_a_line_is_posted_once_into_its_thread_and_edited_there(
    installed: InstalledApp,
) -> None:
    installed.repo.git.commit({**readme_only(), "b": b"b\n"}, branch="topic")
    pull = installed.repo.open_pull("mona", "Add b", head="topic")
    above = installed.repo.review_comment(pull.number, "mona", "/tinygen no", path="b", line=1)
    repository = installed.connect()
    ids = {
        repository.post_comment(pull.number, "<!-- m -->\nHi", marker="<!-- m ", reply_to=above.id)
        for _ in range(2)
    }
    (number,) = ids
    repository.edit_comment(number, "<!-- m -->\nBye", on_line=True)
    reply = installed.repo.comments[number]
    assert (reply.body, reply.in_reply_to) == ("<!-- m -->\nBye", above.id)
    first, second = repository.line_comments(pull.number)
    assert (first.path, first.line, first.hunk, first.review_id) == (
        "b",
        1,
        "@@ -0,0 +1 @@\n+b",
        above.review,
    )
    assert second.id == number


def readme_only() -> dict[str, bytes | None]:
    return {"README.md": b"# Hello\n"}


def test_a_reaction_to_a_comment_that_is_gone_is_no_failure(installed: InstalledApp) -> None:
    installed.connect().react(424242, "eyes")


@pytest.mark.parametrize("role", ["read", "triage", "write", "maintain", "admin"])
def test_a_persons_permission_is_githubs_word_for_it(installed: InstalledApp, role: Role) -> None:
    installed.repo.permissions[installed.double.add_user("ada").login] = role
    assert installed.connect().permission("ada") == role


def test_the_owner_is_admin_a_stranger_reads_and_nobody_is_none(installed: InstalledApp) -> None:
    installed.double.add_user("stranger")
    repository = installed.connect()
    assert [repository.permission(login) for login in ("octocat", "stranger", "no-such-user")] == [
        "admin",
        "read",
        "none",
    ]


def test_a_stranger_to_a_private_repository_is_none(installed: InstalledApp) -> None:
    installed.repo.private = True
    installed.double.add_user("stranger")
    assert installed.connect().permission("stranger") == "none"


def test_an_organizations_own_role_counts_as_the_level_that_it_rests_on(
    installed: InstalledApp,
) -> None:
    body = b'{"permission": "write", "role_name": "release-captain"}'
    installed.double.faults.add(Fault(200, body), path="/permission$")
    assert installed.connect().permission("mona") == "write"


def test_a_level_that_nobody_knows_is_none(installed: InstalledApp) -> None:
    installed.double.faults.add(
        Fault(200, b'{"permission": "owner", "role_name": "king"}'), path="/permission$"
    )
    assert installed.connect().permission("mona") == "none"


def test_a_login_cannot_lead_elsewhere(installed: InstalledApp) -> None:
    assert installed.connect().permission("../../mona?x=") == "none"
    assert (
        installed.double.requests[-1].path
        == "/repos/octocat/hello/collaborators/../../mona?x=/permission"
    )
