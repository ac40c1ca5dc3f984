"""What GraphQL tells: which review threads are resolved, and which pull requests close an issue."""

from __future__ import annotations

import json

import pytest

from bot.errors import OutsideError
from tests.adapters.github.conftest import InstalledApp
from tests.doubles.github.faults import Fault
from tests.doubles.github.state import Comment


def pull_with(installed: InstalledApp, threads: int) -> list[Comment]:
    installed.repo.git.commit({"b": b"b\n"}, branch="topic")
    pull = installed.repo.open_pull("mona", "Add b", head="topic")
    return [
        installed.repo.review_comment(pull.number, "mona", f"{n}", path="b", line=1)
        for n in range(threads)
    ]


def answered(**answer: object) -> Fault:
    return Fault(200, json.dumps(answer).encode())


def test_of_many_threads_the_resolved_ones_are_known_by_their_first_comment(
    installed: InstalledApp,
) -> None:
    comments = pull_with(installed, 130)
    for at in (3, 120):
        comments[at].is_resolved = True
    assert installed.connect().resolved_threads(2) == {comments[3].id, comments[120].id}
    assert installed.count("POST", "/graphql") == 2


def test_a_pull_request_without_any_has_none(installed: InstalledApp) -> None:
    pull_with(installed, 0)
    assert installed.connect().resolved_threads(2) == frozenset()


def test_a_private_repository_is_asked_about_with_its_token(installed: InstalledApp) -> None:
    pull_with(installed, 1)[0].is_resolved = True
    installed.repo.private = True
    assert len(installed.connect().resolved_threads(2)) == 1


def test_an_error_that_comes_as_an_answer_is_one(installed: InstalledApp) -> None:
    with pytest.raises(OutsideError, match="Could not resolve to a PullRequest"):
        installed.connect().resolved_threads(77)


def test_a_limit_that_comes_as_an_answer_is_waited_for(installed: InstalledApp) -> None:
    pull_with(installed, 1)
    installed.double.faults.add(
        answered(errors=[{"type": "RATE_LIMITED", "message": "No."}]), path="/graphql"
    )
    with pytest.raises(OutsideError, match="rate limit") as raised:
        installed.connect().resolved_threads(2)
    assert raised.value.retry_in_s == 60


@pytest.mark.parametrize(
    "answer", [answered(data=None), answered(), answered(data={"repository": None})]
)
def test_an_answer_without_what_was_asked_for_is_an_error(
    installed: InstalledApp, answer: Fault
) -> None:
    pull_with(installed, 1)
    installed.double.faults.add(answer, path="/graphql")
    with pytest.raises(OutsideError):
        installed.connect().resolved_threads(2)


def test_the_open_pull_requests_that_close_an_issue_are_known(installed: InstalledApp) -> None:
    issue = installed.repo.open_issue("mona", "t", "b")
    installed.repo.git.commit({"b": b"b\n"}, branch="topic")
    pull = installed.repo.open_pull("mona", "Add b", head="topic", body=f"Closes #{issue.number}")
    repository = installed.connect()
    (url,) = repository.closing_pulls(issue.number)
    assert url.endswith(f"/pull/{pull.number}")
    repository.edit_pull(pull.number, state="closed", body="x")
    assert repository.closing_pulls(issue.number) == ()
    assert (pull.state, pull.body) == ("closed", "x")


def test_an_address_that_is_none_of_a_pull_request_is_no_answer(installed: InstalledApp) -> None:
    node = {"state": "OPEN", "url": "https://evil.example/a) [b](c"}
    nodes = {"closedByPullRequestsReferences": {"nodes": [node]}}
    fault = answered(data={"repository": {"issue": nodes}})
    installed.double.faults.add(fault, path="/graphql")
    with pytest.raises(OutsideError):
        installed.connect().closing_pulls(1)


def test_a_branch_that_is_gone_already_is_deleted(installed: InstalledApp) -> None:
    installed.repo.git.commit({"b": b"b\n"}, branch="a/b")
    for _ in range(2):
        installed.connect().delete_branch("a/b")
        assert installed.repo.git.branch("a/b") is None
