"""Commits by the git-data API: what arrives, what happens when answers are lost, what is
refused."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bot.errors import NotFound, NotPermitted, OutsideError, SetupError, Unworkable
from tests.adapters.github.conftest import InstalledApp
from tests.adapters.github.pushing import BRANCH, MESSAGE, Pushing, changed
from tests.doubles.github import faults
from tests.doubles.github.faults import Fault

WRITES = {"src/app.py": b"print('mended')\n"}


def pushing(
    installed: InstalledApp, files: Mapping[str, bytes | None] = WRITES, *, create: bool = True
) -> Pushing:
    return Pushing(installed, changed(files), create=create)


def test_a_change_becomes_one_signed_commit_of_the_app(installed: InstalledApp) -> None:
    change = pushing(installed)
    sha = change.push()
    assert change.landed(sha)
    assert sha in installed.repo.signed
    shown = installed.repo.git.run("show", "-s", "--format=%an%n%B", sha).decode()
    assert shown.rstrip("\n") == f"tinygen[bot]\n{MESSAGE}".rstrip("\n")
    assert installed.sent("POST", ".*/git/commits")[0].keys() == {"message", "tree", "parents"}


def test_only_pushing_may_write_contents(installed: InstalledApp) -> None:
    pushing(installed).push()
    assert [sent["permissions"] for sent in installed.sent("POST", ".*/access_tokens")] == [
        {"contents": "write"}
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no newline at the end",
        b"crlf\r\nline\r\n",
        "\ufeffünïcode \u2028 \x85 \U0001f600\n".encode(),
        b"latin \xe9\n",
        b"nul \x00 byte",
        bytes(range(256)),
        b"\xed\xa0\x80 surrogate",
        b"big\n" * 40_000,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_content_of_any_kind_arrives_byte_for_byte(installed: InstalledApp, content: bytes) -> None:
    change = pushing(installed, {"src/app.py": content, "new/file": content})
    assert change.landed(change.push())
    inline = [
        entry.get("content", "")
        for sent in installed.sent("POST", ".*/git/trees")
        for entry in sent["tree"]
    ]
    assert not any("\0" in text or len(text) > 100_000 for text in inline)


@pytest.mark.parametrize("mode", ["100644", "100755", "120000"])
def test_modes_arrive(installed: InstalledApp, mode: str) -> None:
    change = Pushing(installed, changed({"src/run.sh": b"app.py", "link": b"src/app.py"}, mode))
    assert change.landed(change.push())


@pytest.mark.parametrize(
    "files",
    [
        {"README.md": None},
        {"src/app.py": None, "src/run.sh": None},
        {"src/app.py": None, "lib/app.py": b"print('hello')\n"},
        {"README.md": None, "README.md/part": b"a directory now\n"},
        {"src/app.py": None, "src/run.sh": None, "src": b"a file now\n"},
        {
            "src/app.py": None,
            "src/run.sh": None,
            "src": b"a file now\n",
            "z": b"z",
            "README.md": None,
        },
        {"README.md": None, "src/app.py": None, "src/run.sh": None, "only": b"this\n"},
        {"a/b/c/d": b"deep\n", "a/b/c.d": b"beside\n", "a/b-c": b"before\n"},
        {"ünï/cøde \u202e.txt": b"odd\n", 'quo"te': b"odd\n", "tab\there": b"odd\n"},
    ],
    ids=" ".join,
)
def test_deletions_moves_and_odd_paths_arrive(
    installed: InstalledApp, files: Mapping[str, bytes | None]
) -> None:
    change = pushing(installed, files)
    assert change.landed(change.push())


def test_large_changes_go_in_pieces_that_github_can_take(installed: InstalledApp) -> None:
    many: dict[str, bytes | None] = {f"many/{n:03}": b"%d" % n for n in range(250)}
    large: dict[str, bytes | None] = {f"large/{n}": b"x" * 90_000 for n in range(15)}
    change = pushing(installed, {**many, **large, "README.md": None})
    assert change.landed(change.push())
    trees = installed.sent("POST", ".*/git/trees")
    assert [len(sent["tree"]) for sent in trees] == [11, 100, 100, 55]
    assert all(
        sum(len(entry.get("content", "")) for entry in sent["tree"]) <= 1_000_000 for sent in trees
    )
    assert installed.count("POST", ".*/git/blobs") == 0


def test_pushing_again_finds_the_commit(installed: InstalledApp) -> None:
    change = pushing(installed)
    assert change.push() == change.push()
    assert installed.count("POST", ".*/git/commits") == 1


@pytest.mark.parametrize("create", [True, False], ids=["new branch", "existing branch"])
@pytest.mark.parametrize("acts", [True, False], ids=["acted", "not acted"])
@pytest.mark.parametrize("step", ["git/blobs$", "git/trees$", "git/commits$", "git/refs"])
def test_a_lost_answer_at_any_step_leaves_one_branch_with_one_commit(
    installed: InstalledApp, step: str, acts: bool, create: bool
) -> None:
    if not create:
        installed.repo.git.set_ref(f"refs/heads/{BRANCH}", installed.repo.git.branch("main") or "")
    change = pushing(installed, {"src/app.py": b"\xff"}, create=create)
    for method in ("POST", "PATCH"):
        installed.double.faults.add(faults.dropped(acts=acts), method=method, path=step, times=2)
    assert change.landed(change.push())


@pytest.mark.parametrize(
    "step", ["access_tokens", "git/ref/", "git/trees$", "git/commits$", "git/refs$"]
)
def test_a_push_that_died_at_any_step_is_done_by_the_next(
    installed: InstalledApp, step: str
) -> None:
    change = pushing(installed)
    installed.double.faults.add(faults.dropped(acts=True), path=step, times=4)
    with pytest.raises(OutsideError):
        change.push()
    installed.double.faults.clear()
    assert change.landed(change.push())


def test_a_token_that_ends_in_the_middle_is_replaced(installed: InstalledApp) -> None:
    installed.double.faults.add(faults.unauthorized(), path="git/commits$")
    change = pushing(installed)
    assert change.landed(change.push())
    assert installed.count("POST", ".*/access_tokens") == 2


def test_a_branch_is_moved_forward(installed: InstalledApp) -> None:
    installed.repo.git.set_ref("refs/heads/topic", installed.repo.git.branch("main") or "")
    change = Pushing(installed, changed(WRITES), "topic", create=False)
    first = change.push()
    assert change.landed(first)
    assert change.push() == first
    assert [sent["force"] for sent in installed.sent("PATCH", ".*")] == [False]


def test_a_branch_that_moved_meanwhile_is_left_alone(installed: InstalledApp) -> None:
    installed.repo.git.set_ref("refs/heads/topic", installed.repo.git.branch("main") or "")
    change = Pushing(installed, changed(WRITES), "topic", create=False)
    other = installed.repo.git.commit({"other": b"other"}, branch="topic")
    with pytest.raises(OutsideError, match="branch topic moved") as caught:
        change.push()
    assert "Ask again" in caught.value.next_step
    assert installed.repo.git.branch("topic") == other


def test_a_branch_that_moves_at_the_last_moment_is_left_alone(installed: InstalledApp) -> None:
    base = installed.repo.git.branch("main") or ""
    topic = installed.repo.git.commit({"other": b"other"}, branch="topic")
    change = Pushing(installed, changed(WRITES), "topic", create=False)
    seen = b'{"object": {"sha": "%s"}}' % base.encode()
    installed.double.faults.add(Fault(200, seen), path="git/ref/heads/topic$")
    with pytest.raises(OutsideError, match="branch topic moved"):
        change.push()
    assert installed.repo.git.branch("topic") == topic


def test_a_branch_that_is_gone_is_not_made_anew(installed: InstalledApp) -> None:
    with pytest.raises(NotFound, match="branch topic of octocat/hello is gone"):
        Pushing(installed, changed(WRITES), "topic", create=False).push()
    assert installed.repo.git.branch("topic") is None


def test_a_new_branch_takes_nobodys_place(installed: InstalledApp) -> None:
    other = installed.repo.git.commit({"other": b"other"}, branch=BRANCH)
    with pytest.raises(Unworkable, match="already exists and holds something else"):
        pushing(installed).push()
    assert installed.repo.git.branch(BRANCH) == other


def test_a_rule_of_the_repository_is_quoted(installed: InstalledApp) -> None:
    message = (
        b'{"message": "Repository rule violations found", "errors": ["Cannot create ref due to'
        b' rule"]}'
    )
    installed.double.faults.add(Fault(422, message), path="git/refs$")
    with pytest.raises(Unworkable, match="Cannot create ref due to rule"):
        pushing(installed).push()


def test_another_tree_than_gits_is_never_committed(installed: InstalledApp) -> None:
    with pytest.raises(OutsideError, match="another tree"):
        pushing(installed).push(tree_sha="0" * 40)
    assert installed.count("POST", ".*/git/commits") == 0
    assert installed.repo.git.branch(BRANCH) is None


def test_an_empty_repository_says_what_to_do(installed: InstalledApp) -> None:
    with pytest.raises(Unworkable, match="has no commit yet") as caught:
        installed.connect().push(
            BRANCH, "", changed(WRITES), message=MESSAGE, tree_sha="0" * 40, create=True
        )
    assert "first commit" in caught.value.next_step
    assert installed.double.requests == []


def test_a_path_that_is_not_utf8_is_told_and_not_mangled(installed: InstalledApp) -> None:
    changes = changed({"caf\udce9": b"x"})
    with pytest.raises(Unworkable, match="not UTF-8") as caught:
        installed.connect().push(
            BRANCH, "0" * 40, changes, message=MESSAGE, tree_sha="0" * 40, create=True
        )
    assert str(caught.value).isascii()


def test_workflows_need_their_own_permission(installed: InstalledApp) -> None:
    change = pushing(installed, {".github/workflows/ci.yml": b"on: push\n"})
    assert not installed.connect().may_write_workflows()
    with pytest.raises(NotPermitted, match=r"may not change \.github/workflows/"):
        change.push()
    installed.installation.permissions["workflows"] = "write"
    assert installed.connect().may_write_workflows()
    assert change.landed(change.push())
    assert installed.sent("POST", ".*/access_tokens")[-1]["permissions"] == {
        "contents": "write",
        "workflows": "write",
    }


def test_an_installation_that_only_reads_is_the_operators(installed: InstalledApp) -> None:
    installed.installation.permissions["contents"] = "read"
    with pytest.raises(SetupError, match="permissions requested are not granted"):
        pushing(installed).push()
