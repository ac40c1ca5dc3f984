"""Branches and pull requests: finding them, opening them once."""

from __future__ import annotations

import json

import pytest

from bot.errors import BadRequest, NotFound, Unworkable
from tests.adapters.github.conftest import InstalledApp
from tests.doubles.github import faults
from tests.doubles.github.faults import Fault

ODD_NAMES = ["feature/x", "a#1", "100%25", "ünï/cøde", "a&b=c", "x+y", "deep/er/still"]


def test_no_ref_is_the_default_branch(installed: InstalledApp) -> None:
    installed.repo.git.commit({"a": b"a"}, branch="trunk")
    installed.repo.default_branch = "trunk"
    assert installed.connect().resolve(None) == ("trunk", installed.repo.git.branch("trunk"))


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_branch_of_any_name_is_found(installed: InstalledApp, name: str) -> None:
    sha = installed.repo.git.commit({"a": b"a"}, branch=name)
    assert installed.connect().resolve(name) == (name, sha)
    assert installed.connect().resolve(f"refs/heads/{name}") == (name, sha)


def test_a_sha_is_itself_where_it_is_known(installed: InstalledApp) -> None:
    sha = installed.repo.git.branch("main") or ""
    assert installed.connect().resolve(sha.upper()) == (sha, sha)
    with pytest.raises(NotFound, match="0123456789012345678901234567890123456789"):
        installed.connect().resolve("0123456789" * 4)


def test_a_sha_that_github_cannot_even_read_is_not_found(installed: InstalledApp) -> None:
    fault = Fault(422, b'{"message": "The SHA parameter must be exactly 40 characters"}')
    installed.double.faults.add(fault, path="/git/commits/")
    with pytest.raises(NotFound, match="has no commit 0123"):
        installed.connect().resolve("0123456789" * 4)


def test_an_empty_repository_has_a_branch_without_a_commit(installed: InstalledApp) -> None:
    installed.double.add_repository("octocat/empty", default_branch="trunk")
    repository = installed.adapter().connect("octocat/empty", installed.installation.id)
    assert repository.resolve(None) == ("trunk", "")
    assert repository.resolve("trunk") == ("trunk", "")


def test_a_default_branch_that_cannot_be_read_is_no_empty_repository(
    installed: InstalledApp,
) -> None:
    installed.repo.default_branch = "gone"
    with pytest.raises(NotFound, match=r"default branch of .* 'gone', cannot be read"):
        installed.connect().resolve(None)


def test_what_the_default_branch_holds_is_in_its_history(installed: InstalledApp) -> None:
    first = installed.repo.git.branch("main") or ""
    second = installed.repo.git.commit({"a": b"a"}, branch="main")
    assert (installed.connect().in_history(first), installed.connect().in_history(second)) == (
        True,
        True,
    )


def test_what_only_another_branch_holds_is_in_that_branchs_history_alone(
    installed: InstalledApp,
) -> None:
    sha = installed.repo.git.commit({"a": b"a"}, branch="topic/one#1")
    assert (
        installed.connect().in_history(sha),
        installed.connect().in_history(sha, "topic/one#1"),
    ) == (
        False,
        True,
    )


def test_what_only_a_fork_holds_is_in_no_history(installed: InstalledApp) -> None:
    """Though GitHub gives the commit out under this repository's name: its head is kept here
    too."""
    sha = installed.double.fork(installed.repo, "mallory").git.commit(
        {"a": b"evil"}, branch="topic"
    )
    installed.repo.open_pull("mallory", "Mine", head="mallory:topic")
    assert installed.connect().file_at(sha, "a", max_bytes=9) == b"evil"
    assert not installed.connect().in_history(sha)


def test_an_unknown_commit_is_in_no_history(installed: InstalledApp) -> None:
    assert not installed.connect().in_history("0123456789" * 4)


@pytest.mark.parametrize("name", ["nowhere", "main/x", "mai", "heads/main"])
def test_a_branch_that_is_not_there_is_named(installed: InstalledApp, name: str) -> None:
    with pytest.raises(NotFound, match=f"has no branch '{name}'"):
        installed.connect().resolve(name)


@pytest.mark.parametrize(
    "name",
    ["..", "../../installation", "a..b", "a b", "a\n", "-x", "/x", "x/", "a~1", "a^", "\udce9"],
)
def test_what_is_no_branch_name_never_reaches_github(installed: InstalledApp, name: str) -> None:
    with pytest.raises(NotFound):
        installed.connect().resolve(name)
    assert installed.double.requests == []


def branch(installed: InstalledApp, name: str = "tinygen/issue-1-abc") -> str:
    files: dict[str, bytes | None] = {"README.md": b"# Hello\n", "new": b"new\n"}
    base = installed.repo.git.branch("main")
    installed.repo.git.set_ref(f"refs/heads/{name}", base or "")
    installed.repo.git.commit(files, branch=name)
    return name


def opened(installed: InstalledApp) -> list[str]:
    return [issue.title for issue in installed.repo.pulls]


def test_a_pull_request_is_opened_once(installed: InstalledApp) -> None:
    name = branch(installed)
    pulls = [
        installed.connect().open_pull(name, "main", title="Mend it", body="Closes #1", draft=True)
        for _ in range(2)
    ]
    assert pulls[0] == pulls[1]
    assert pulls[0].url == f"{installed.double.url}/octocat/hello/pull/2"
    assert (pulls[0].head_ref, pulls[0].base_ref, pulls[0].state) == (name, "main", "open")
    assert (pulls[0].head_repo, pulls[0].head_sha) == (
        "octocat/hello",
        installed.repo.git.branch(name),
    )
    assert opened(installed) == ["Mend it"]
    pull = installed.repo.pulls[0].pull
    assert pull is not None
    assert pull.draft
    assert installed.repo.pulls[0].body == "Closes #1"


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_pull_request_of_a_branch_of_any_name_is_found(
    installed: InstalledApp, name: str
) -> None:
    branch(installed, name)
    pulls = [
        installed.connect().open_pull(name, "main", title="t", body="", draft=False)
        for _ in range(2)
    ]
    assert pulls[0] == pulls[1]


def test_a_closed_pull_request_is_the_one(installed: InstalledApp) -> None:
    name = branch(installed)
    first = installed.connect().open_pull(name, "main", title="t", body="", draft=False)
    installed.repo.close(first.number)
    assert (
        installed.connect().open_pull(name, "main", title="t", body="", draft=False).number
        == first.number
    )


@pytest.mark.parametrize("acts", [True, False])
def test_a_pull_request_whose_answer_is_lost_is_looked_for(
    installed: InstalledApp, acts: bool
) -> None:
    installed.double.faults.add(faults.dropped(acts=acts), method="POST", path="/pulls$")
    pull = installed.connect().open_pull(branch(installed), "main", title="t", body="", draft=False)
    assert [issue.number for issue in installed.repo.pulls] == [pull.number]
    assert installed.count("POST", ".*/pulls") == (1 if acts else 2)


def test_a_pull_request_that_the_list_did_not_show_yet_is_found_when_github_names_it(
    installed: InstalledApp,
) -> None:
    name = branch(installed)
    first = installed.connect().open_pull(name, "main", title="t", body="", draft=False)
    installed.double.faults.add(Fault(200, b"[]"), method="GET", path="/pulls$")
    assert (
        installed.connect().open_pull(name, "main", title="t", body="", draft=False).number
        == first.number
    )


def test_a_forks_pull_request_from_a_branch_of_that_name_is_another(
    installed: InstalledApp,
) -> None:
    name = branch(installed)
    fork = installed.double.fork(installed.repo, "ada")
    fork.git.commit({"other": b"other"}, branch=name)
    installed.repo.open_pull("ada", "From a fork", head=f"ada:{name}")
    pull = installed.connect().open_pull(name, "main", title="Ours", body="", draft=False)
    assert pull.head_repo == "octocat/hello"


def test_a_filter_that_github_ignores_finds_nobody_elses(installed: InstalledApp) -> None:
    other = branch(installed, "other")
    repository = installed.connect()
    repository.open_pull(other, "main", title="Other", body="", draft=False)
    name = branch(installed)
    listed = [
        {"number": 2, "html_url": "u", "state": "open", "head": side("other"), "base": side("main")}
    ]
    installed.double.faults.add(
        Fault(200, json.dumps(listed).encode()), method="GET", path="/pulls$"
    )
    assert repository.open_pull(name, "main", title="Ours", body="", draft=False).number == 3


def side(ref: str) -> dict[str, object]:
    return {"ref": ref, "sha": "0" * 40, "repo": {"full_name": "octocat/hello"}}


def test_where_drafts_are_not_to_be_had_it_is_opened_for_review(installed: InstalledApp) -> None:
    message = b'{"message": "Draft pull requests are not supported in this repository."}'
    installed.double.faults.add(Fault(422, message), method="POST", path="/pulls$")
    installed.connect().open_pull(branch(installed), "main", title="t", body="", draft=True)
    pull = installed.repo.pulls[0].pull
    assert pull is not None
    assert not pull.draft


def test_a_branch_without_a_commit_of_its_own_says_so(installed: InstalledApp) -> None:
    installed.repo.git.set_ref("refs/heads/same", installed.repo.git.branch("main") or "")
    with pytest.raises(Unworkable, match="No commits between main and same"):
        installed.connect().open_pull("same", "main", title="t", body="", draft=False)


def test_a_base_that_is_gone_is_named(installed: InstalledApp) -> None:
    with pytest.raises(Unworkable, match="base invalid"):
        installed.connect().open_pull(branch(installed), "gone", title="t", body="", draft=False)


def test_a_pull_request_from_a_fork_is_read_as_it_stands(installed: InstalledApp) -> None:
    fork = installed.double.fork(installed.repo, "ada")
    sha = fork.git.commit({"other": b"other"}, branch="topic")
    number = installed.repo.open_pull("ada", "From a fork", head="ada:topic").number
    pull = installed.connect().pull(number)
    assert (pull.head_repo, pull.head_ref, pull.head_sha, pull.base_ref) == (
        "ada/hello",
        "topic",
        sha,
        "main",
    )


def test_a_pull_request_whose_fork_is_gone_has_no_repository(installed: InstalledApp) -> None:
    installed.double.fork(installed.repo, "ada").git.commit({"other": b"other"}, branch="topic")
    issue = installed.repo.open_pull("ada", "From a fork", head="ada:topic")
    assert issue.pull is not None
    issue.pull.head_repo = None
    assert installed.connect().pull(issue.number).head_repo is None


def test_an_issue_is_no_pull_request(installed: InstalledApp) -> None:
    with pytest.raises(NotFound, match="read pull request octocat/hello#1"):
        installed.connect().pull(1)


def test_a_file_at_a_commit_is_itself_and_never_what_a_link_leads_to(
    installed: InstalledApp,
) -> None:
    git = installed.repo.git
    git.commit({"private/k.txt": b"key\n", "docs/a.md": b"words\n"}, branch="main")
    link = git.write("blob", b"private/k.txt")
    folder = git.write("blob", b"private")
    for name, oid in (("link.txt", link), ("folder", folder)):
        git.run("update-index", "--add", "--cacheinfo", f"120000,{oid},{name}")
    tree = git.run("write-tree").decode().strip()
    who = "a <a@example.org> 0 +0000"
    words = f"tree {tree}\nauthor {who}\ncommitter {who}\n\nLinks\n"
    sha = git.write("commit", words.encode())
    repository = installed.connect()
    assert repository.file_at(sha, "link.txt", max_bytes=99) is None
    assert repository.file_at(sha, "folder/k.txt", max_bytes=99) is None
    main = git.branch("main") or ""
    assert repository.file_at(main, "docs/a.md", max_bytes=99) == b"words\n"
    assert repository.file_at(main, "docs/none.md", max_bytes=99) is None
    assert repository.file_at("0123456789" * 4, "docs/a.md", max_bytes=99) is None
    with pytest.raises(BadRequest, match="larger than 3 bytes"):
        repository.file_at(main, "docs/a.md", max_bytes=3)


def test_the_default_branch_and_protected_ones_take_no_commits(installed: InstalledApp) -> None:
    installed.repo.git.commit({"a": b"1"}, branch="release/1")
    repository = installed.connect()
    assert repository.why_not_push("main") == "is the default branch"
    assert repository.why_not_push("release/1") == ""
    installed.repo.protected.add("release/1")
    assert repository.why_not_push("release/1") == "is protected"
    assert repository.why_not_push("gone") == ""
