"""`/tinygen undo`: TinyGen's own pull request is closed and its branch deleted, if nobody else pushed."""

from __future__ import annotations

from dataclasses import replace

from tests.scene import CONFIDENT, LOUDER_BYE, Scene


def opened(scene: Scene) -> tuple[int, str]:
    scene.tell("/tinygen --pr Greet louder.")
    (issue,) = scene.repo.pulls
    assert issue.pull is not None
    return issue.number, issue.pull.head_ref


def test_the_pull_request_is_closed_and_its_branch_is_gone(scene: Scene) -> None:
    number, branch = opened(scene)
    told = scene.tell("/tinygen undo")
    assert told.state == "done"
    assert f"/pull/{number}. Its branch `{branch}` is deleted" in told.answer
    assert scene.repo.issues[number].state == "closed"
    assert scene.repo.git.branch(branch) is None
    assert "closed already" in scene.tell("/tinygen undo").answer


def test_commits_that_tinygen_added_are_no_others(scene: Scene) -> None:
    number, branch = opened(scene)
    scene.model_says(LOUDER_BYE, CONFIDENT)
    scene.tell("/tinygen The farewell as well.")
    assert scene.tell("/tinygen undo", on=scene.repo.issues[number]).state == "done"
    assert scene.repo.git.branch(branch) is None


def test_a_push_of_somebody_else_keeps_it(scene: Scene) -> None:
    number, branch = opened(scene)
    scene.repo.git.commit({"mine.py": b"1\n"}, branch=branch)
    told = scene.tell("/tinygen undo")
    assert told.state == "failed"
    assert "Somebody else has pushed" in told.answer
    assert scene.repo.issues[number].state == "open"


def test_so_does_a_push_below_a_later_commit_of_tinygens(scene: Scene) -> None:
    number, branch = opened(scene)
    scene.repo.git.commit({"mine.py": b"1\n"}, branch=branch)
    scene.model_says(LOUDER_BYE, CONFIDENT)
    scene.tell("/tinygen The farewell as well.")
    assert "Somebody else has pushed" in scene.tell("/tinygen undo").answer
    assert scene.repo.issues[number].state == "open"


def test_only_who_may_have_branches_changed_may_undo(scene: Scene) -> None:
    number, _branch = opened(scene)
    assert scene.tell("/tinygen undo", who="mallory").state == "refused"
    assert scene.repo.issues[number].state == "open"


def test_where_nothing_was_opened_there_is_nothing_to_undo(scene: Scene) -> None:
    assert "has opened no pull request" in scene.tell("/tinygen undo").answer
    pull = scene.open_pull()
    assert "has opened no pull request" in scene.tell("/tinygen undo", on=pull).answer
    assert pull.state == "open"


def test_a_branch_that_another_pull_request_uses_is_kept(scene: Scene) -> None:
    number, branch = opened(scene)
    scene.repo.git.commit({"more.py": b"1\n"}, branch="stacked")
    scene.repo.open_pull("mona", "On top", head="stacked", base=branch)
    told = scene.tell("/tinygen undo")
    assert scene.repo.issues[number].state == "closed"
    assert "is used by another pull request, and is kept" in told.answer
    assert scene.repo.git.branch(branch) is not None


def test_many_requests_later_it_is_still_tinygens_own(scene: Scene) -> None:
    number, _branch = opened(scene)
    scene.model_says("Because.")
    asked = scene.tell("/tinygen ask Why?").report
    for n in range(60):
        scene.database.save(replace(asked, job=replace(asked.job, id=f"later-{n}")))
    assert scene.tell("/tinygen undo").state == "done"
    assert scene.repo.issues[number].state == "closed"


def test_what_was_undone_can_be_applied_again(scene: Scene) -> None:
    shown = scene.tell("/tinygen Greet louder.")
    scene.tell("/tinygen apply")
    scene.tell("/tinygen undo")
    told = scene.tell("/tinygen apply")
    first, second = scene.repo.pulls
    assert (first.state, second.state) == ("closed", "open")
    assert f"/pull/{second.number}" in told.answer
    assert told.report.patch == shown.report.patch
