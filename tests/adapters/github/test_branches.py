"""Branches and pull requests: finding them, opening them once."""

from __future__ import annotations

import json

import pytest

from bot.errors import NotFound, Unworkable
from tests.adapters.github.conftest import Stage
from tests.doubles.github import faults
from tests.doubles.github.faults import Fault

ODD_NAMES = ["feature/x", "a#1", "100%25", "ünï/cøde", "a&b=c", "x+y", "deep/er/still"]


def test_no_ref_is_the_default_branch(stage: Stage) -> None:
    stage.repo.git.commit({"a": b"a"}, branch="trunk")
    stage.repo.default_branch = "trunk"
    assert stage.here().resolve(None) == ("trunk", stage.repo.git.branch("trunk"))


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_branch_of_any_name_is_found(stage: Stage, name: str) -> None:
    sha = stage.repo.git.commit({"a": b"a"}, branch=name)
    assert stage.here().resolve(name) == (name, sha)
    assert stage.here().resolve(f"refs/heads/{name}") == (name, sha)


def test_a_sha_is_itself_where_it_is_known(stage: Stage) -> None:
    sha = stage.repo.git.branch("main") or ""
    assert stage.here().resolve(sha.upper()) == (sha, sha)
    with pytest.raises(NotFound, match="0123456789012345678901234567890123456789"):
        stage.here().resolve("0123456789" * 4)


def test_a_sha_that_github_cannot_even_read_is_not_found(stage: Stage) -> None:
    fault = Fault(422, b'{"message": "The SHA parameter must be exactly 40 characters"}')
    stage.double.faults.add(fault, path="/git/commits/")
    with pytest.raises(NotFound, match="has no commit 0123"):
        stage.here().resolve("0123456789" * 4)


def test_an_empty_repository_has_a_branch_without_a_commit(stage: Stage) -> None:
    stage.double.add_repository("octocat/empty", default_branch="trunk")
    here = stage.github().connect("octocat/empty", stage.installation.id)
    assert here.resolve(None) == ("trunk", "")
    assert here.resolve("trunk") == ("trunk", "")


def test_what_the_default_branch_holds_is_in_its_history(stage: Stage) -> None:
    first = stage.repo.git.branch("main") or ""
    second = stage.repo.git.commit({"a": b"a"}, branch="main")
    assert (stage.here().in_history(first), stage.here().in_history(second)) == (True, True)


def test_what_only_another_branch_holds_is_in_that_branchs_history_alone(stage: Stage) -> None:
    sha = stage.repo.git.commit({"a": b"a"}, branch="topic/one#1")
    assert (stage.here().in_history(sha), stage.here().in_history(sha, "topic/one#1")) == (
        False,
        True,
    )


def test_what_only_a_fork_holds_is_in_no_history(stage: Stage) -> None:
    """Though GitHub gives the commit out under this repository's name: its head is kept here
    too."""
    sha = stage.double.fork(stage.repo, "mallory").git.commit({"a": b"evil"}, branch="topic")
    stage.repo.open_pull("mallory", "Mine", head="mallory:topic")
    assert stage.here().file("a", max_bytes=9, ref=sha) == b"evil"
    assert not stage.here().in_history(sha)


def test_an_unknown_commit_is_in_no_history(stage: Stage) -> None:
    assert not stage.here().in_history("0123456789" * 4)


@pytest.mark.parametrize("name", ["nowhere", "main/x", "mai", "heads/main"])
def test_a_branch_that_is_not_there_is_named(stage: Stage, name: str) -> None:
    with pytest.raises(NotFound, match=f"has no branch '{name}'"):
        stage.here().resolve(name)


@pytest.mark.parametrize(
    "name",
    ["..", "../../installation", "a..b", "a b", "a\n", "-x", "/x", "x/", "a~1", "a^", "\udce9"],
)
def test_what_is_no_branch_name_never_reaches_github(stage: Stage, name: str) -> None:
    with pytest.raises(NotFound):
        stage.here().resolve(name)
    assert stage.double.requests == []


def branch(stage: Stage, name: str = "tinygen/issue-1-abc") -> str:
    files: dict[str, bytes | None] = {"README.md": b"# Hello\n", "new": b"new\n"}
    base = stage.repo.git.branch("main")
    stage.repo.git.set_ref(f"refs/heads/{name}", base or "")
    stage.repo.git.commit(files, branch=name)
    return name


def opened(stage: Stage) -> list[str]:
    return [issue.title for issue in stage.repo.pulls]


def test_a_pull_request_is_opened_once(stage: Stage) -> None:
    name = branch(stage)
    pulls = [
        stage.here().open_pull(name, "main", title="Mend it", body="Closes #1", draft=True)
        for _ in range(2)
    ]
    assert pulls[0] == pulls[1]
    assert pulls[0].url == f"{stage.double.url}/octocat/hello/pull/2"
    assert (pulls[0].head_ref, pulls[0].base_ref, pulls[0].state) == (name, "main", "open")
    assert (pulls[0].head_repo, pulls[0].head_sha) == ("octocat/hello", stage.repo.git.branch(name))
    assert opened(stage) == ["Mend it"]
    pull = stage.repo.pulls[0].pull
    assert pull is not None
    assert pull.draft
    assert stage.repo.pulls[0].body == "Closes #1"


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_pull_request_of_a_branch_of_any_name_is_found(stage: Stage, name: str) -> None:
    branch(stage, name)
    pulls = [
        stage.here().open_pull(name, "main", title="t", body="", draft=False) for _ in range(2)
    ]
    assert pulls[0] == pulls[1]


def test_a_closed_pull_request_is_the_one(stage: Stage) -> None:
    name = branch(stage)
    first = stage.here().open_pull(name, "main", title="t", body="", draft=False)
    stage.repo.close(first.number)
    assert (
        stage.here().open_pull(name, "main", title="t", body="", draft=False).number == first.number
    )


@pytest.mark.parametrize("acts", [True, False])
def test_a_pull_request_whose_answer_is_lost_is_looked_for(stage: Stage, acts: bool) -> None:
    stage.double.faults.add(faults.dropped(acts=acts), method="POST", path="/pulls$")
    pull = stage.here().open_pull(branch(stage), "main", title="t", body="", draft=False)
    assert [issue.number for issue in stage.repo.pulls] == [pull.number]
    assert stage.count("POST", ".*/pulls") == (1 if acts else 2)


def test_a_pull_request_that_the_list_did_not_show_yet_is_found_when_github_names_it(
    stage: Stage,
) -> None:
    name = branch(stage)
    first = stage.here().open_pull(name, "main", title="t", body="", draft=False)
    stage.double.faults.add(Fault(200, b"[]"), method="GET", path="/pulls$")
    assert (
        stage.here().open_pull(name, "main", title="t", body="", draft=False).number == first.number
    )


def test_a_forks_pull_request_from_a_branch_of_that_name_is_another(stage: Stage) -> None:
    name = branch(stage)
    fork = stage.double.fork(stage.repo, "ada")
    fork.git.commit({"other": b"other"}, branch=name)
    stage.repo.open_pull("ada", "From a fork", head=f"ada:{name}")
    pull = stage.here().open_pull(name, "main", title="Ours", body="", draft=False)
    assert pull.head_repo == "octocat/hello"


def test_a_filter_that_github_ignores_finds_nobody_elses(stage: Stage) -> None:
    other = branch(stage, "other")
    here = stage.here()
    here.open_pull(other, "main", title="Other", body="", draft=False)
    name = branch(stage)
    listed = [
        {"number": 2, "html_url": "u", "state": "open", "head": side("other"), "base": side("main")}
    ]
    stage.double.faults.add(Fault(200, json.dumps(listed).encode()), method="GET", path="/pulls$")
    assert here.open_pull(name, "main", title="Ours", body="", draft=False).number == 3


def side(ref: str) -> dict[str, object]:
    return {"ref": ref, "sha": "0" * 40, "repo": {"full_name": "octocat/hello"}}


def test_where_drafts_are_not_to_be_had_it_is_opened_for_review(stage: Stage) -> None:
    message = b'{"message": "Draft pull requests are not supported in this repository."}'
    stage.double.faults.add(Fault(422, message), method="POST", path="/pulls$")
    stage.here().open_pull(branch(stage), "main", title="t", body="", draft=True)
    pull = stage.repo.pulls[0].pull
    assert pull is not None
    assert not pull.draft


def test_a_branch_without_a_commit_of_its_own_says_so(stage: Stage) -> None:
    stage.repo.git.set_ref("refs/heads/same", stage.repo.git.branch("main") or "")
    with pytest.raises(Unworkable, match="No commits between main and same"):
        stage.here().open_pull("same", "main", title="t", body="", draft=False)


def test_a_base_that_is_gone_is_named(stage: Stage) -> None:
    with pytest.raises(Unworkable, match="base invalid"):
        stage.here().open_pull(branch(stage), "gone", title="t", body="", draft=False)


def test_a_pull_request_from_a_fork_is_read_as_it_stands(stage: Stage) -> None:
    fork = stage.double.fork(stage.repo, "ada")
    sha = fork.git.commit({"other": b"other"}, branch="topic")
    number = stage.repo.open_pull("ada", "From a fork", head="ada:topic").number
    pull = stage.here().pull(number)
    assert (pull.head_repo, pull.head_ref, pull.head_sha, pull.base_ref) == (
        "ada/hello",
        "topic",
        sha,
        "main",
    )


def test_a_pull_request_whose_fork_is_gone_has_no_repository(stage: Stage) -> None:
    stage.double.fork(stage.repo, "ada").git.commit({"other": b"other"}, branch="topic")
    issue = stage.repo.open_pull("ada", "From a fork", head="ada:topic")
    assert issue.pull is not None
    issue.pull.head_repo = None
    assert stage.here().pull(issue.number).head_repo is None


def test_an_issue_is_no_pull_request(stage: Stage) -> None:
    with pytest.raises(NotFound, match="read pull request octocat/hello#1"):
        stage.here().pull(1)
