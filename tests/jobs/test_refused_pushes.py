"""GitHub refuses the push or the pull request: the diff is shown with the reason, `apply` finds it, and
no model call is paid for again."""

from __future__ import annotations

import json

import pytest

from tests.doubles.github.faults import Fault
from tests.doubles.github.state import Issue
from tests.doubles.model import Messages
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, FILES, LOUD_GREET, LOUDER, Scene

RULES = "Repository rule violations found\n\nCommits must have verified signatures.\n"


def refusal(status: int, message: str) -> Fault:
    return Fault(status, body=json.dumps({"message": message}).encode())


REFUSALS = {
    "ruleset": ("POST", r"/git/refs$", refusal(422, RULES)),
    "ruleset, as a conflict": ("POST", r"/git/refs$", refusal(409, RULES)),
    "no permission": (
        "POST",
        r"/git/refs$",
        refusal(403, "Resource not accessible by integration"),
    ),
    "archived": ("POST", r"/git/trees$", refusal(403, "Repository was archived so is read-only.")),
    "pull requests forbidden": ("POST", r"/pulls$", refusal(403, "You may not create them here")),
    "pull requests off": ("POST", r"/pulls$", refusal(404, "Not Found")),
    "base protected": ("POST", r"/pulls$", refusal(422, "Validation Failed")),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_push_shows_the_diff_and_apply_delivers_it_later(scene: Scene, name: str) -> None:
    method, path, fault = REFUSALS[name]
    order = scene.github.faults.add(fault, method=method, path=path, times=99)
    issue = scene.open_issue()
    told = scene.tell("/tinygen --pr Louder.", on=issue)
    assert order.met
    assert told.state == "done"
    assert "HELLO" in told.diff
    is_late = path == r"/pulls$"
    what = "no pull request could be opened" if is_late else "it could not be pushed"
    assert f"Delivered as a diff: {what}." in told.answer
    assert "verified signatures" in told.answer or "ruleset" not in name
    paid = len(scene.asked)
    scene.github.faults.clear()
    applied = scene.tell("/tinygen apply", on=issue)
    assert applied.state == "done"
    (pull,) = scene.repo.pulls
    assert scene.repo.git.file(scene.repo.head(pull), "greet.py") == LOUD_GREET.encode()
    branches = [ref[0] for ref in scene.repo.git.refs("refs/heads/") if "tinygen/" in ref[0]]
    assert len(branches) == 1
    assert len(scene.asked) == paid


def test_a_branch_above_ours_is_named(scene: Scene) -> None:
    scene.repo.git.commit({"x.py": b"X = 1\n"}, branch="tinygen")
    told = scene.tell("/tinygen --pr Louder.")
    assert "has a branch tinygen, so git allows none named tinygen/issue-1-" in told.answer
    assert "HELLO" in told.diff


def test_a_head_that_is_gone_meanwhile_leaves_the_diff(scene: Scene) -> None:
    pull = scene.open_pull()

    def delete(_messages: Messages) -> str:
        scene.repo.git.run("update-ref", "-d", "refs/heads/topic")
        return CONFIDENT

    scene.model_says(LOUDER, delete)
    told = scene.tell("/tinygen --pr Louder.", on=pull)
    assert "The branch topic of octocat/greeter is gone." in told.answer
    assert "HELLO" in told.diff


def test_a_refused_apply_may_be_repeated_without_asking_the_model(scene: Scene) -> None:
    issue = scene.open_issue()
    scene.tell("/tinygen --diff Louder.", on=issue)
    paid = len(scene.asked)
    scene.github.faults.add(refusal(422, RULES), method="POST", path=r"/git/refs$", times=99)
    assert scene.tell("/tinygen apply", on=issue).state == "failed"
    scene.github.faults.clear()
    assert scene.tell("/tinygen retry", on=issue).state == "done"
    assert len(scene.repo.pulls) == 1
    assert len(scene.asked) == paid


@pytest.mark.parametrize("words", ["/tinygen --pr Louder.", "/tinygen --diff Louder."])
def test_nothing_is_committed_to_the_default_branch(set_scene: SetScene, words: str) -> None:
    scene = set_scene(files=FILES)
    scene.repo.git.commit({"other.txt": b"1\n"}, branch="release")
    pull = scene.repo.open_pull("octocat", "Release", head="main", base="release")
    before = scene.repo.git.branch("main")
    told = scene.tell(words, on=pull)
    told = told if "--pr" in words else scene.tell("/tinygen apply", on=pull)
    assert scene.repo.git.branch("main") == before
    assert "`main` is the default branch, so the change has a branch of its own." in told.answer
    (ours,) = (each for each in scene.repo.pulls if each.author is scene.app.bot)
    assert ours.pull
    assert ours.pull.base_ref == "main"


def test_nothing_is_committed_to_a_protected_branch(scene: Scene) -> None:
    pull = scene.open_pull()
    scene.repo.protected.add("topic")
    before = scene.repo.git.branch("topic")
    told = scene.tell("/tinygen --pr Louder.", on=pull)
    assert scene.repo.git.branch("topic") == before
    assert "`topic` is protected, so the change has a branch of its own." in told.answer


def test_a_branch_that_became_protected_meanwhile_takes_no_commit(scene: Scene) -> None:
    pull: Issue = scene.open_pull()
    before = scene.repo.git.branch("topic")

    def protect(_messages: Messages) -> str:
        scene.repo.protected.add("topic")
        return CONFIDENT

    scene.model_says(LOUDER, protect)
    told = scene.tell("/tinygen --pr Louder.", on=pull)
    assert scene.repo.git.branch("topic") == before
    assert "`topic` is protected. Give the command in an issue" in told.answer
    assert "HELLO" in told.diff
