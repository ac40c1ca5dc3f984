"""What refusing costs: a stranger's thousand commands are one question to GitHub, one comment, and
a row each."""

from __future__ import annotations

import re

from tests.doubles.github.faults import secondary_limit
from tests.scene import REPO, Scene


def about(scene: Scene, repo: str = REPO) -> int:
    """How many requests GitHub got about the repository, in its own or its installation's name."""
    return len(
        [
            each
            for each in scene.github.requests
            if re.search(rf"/repos/{repo}/|/access_tokens", each.path)
        ]
    )


def test_a_refusal_counts_for_a_while_without_being_asked_or_told_again(scene: Scene) -> None:
    first = scene.tell("/tinygen Louder.", who="mallory")
    before = len(scene.github.requests)
    again = [scene.tell(f"/tinygen Louder, {number}.", who="mallory") for number in range(5)]
    assert [told.state for told in (first, *again)] == ["refused"] * 6
    assert len(scene.github.requests) == before
    assert len(scene.bot_comments()) == 1
    assert all("`write`" in told.row["error"] for told in again)


def test_a_refusal_counts_for_that_person_in_that_repository_alone(scene: Scene) -> None:
    scene.tell("/tinygen Louder.", who="mallory")
    assert scene.tell("/tinygen help", who="octocat").state == "done"
    other = scene.github.add_repository("octocat/other", files=scene.files)
    other.permissions["mallory"] = "write"
    assert scene.ended(scene.say("/tinygen help", who="mallory", repo=other)).state == "done"


def test_who_has_a_role_and_was_refused_one_command_is_asked_about_another(scene: Scene) -> None:
    settings = b"permissions:\n  diff: triage\n"
    scene.repo.git.commit({".github/tinygen.yml": settings}, branch="main")
    scene.repo.permissions["mona"] = "triage"
    assert scene.tell("/tinygen --pr Louder.", who="mona").state == "refused"
    assert scene.tell("/tinygen --diff Louder.", who="mona").state == "done"
    assert scene.tell("/tinygen --pr Softer.", who="mona").answers == []


def test_a_comment_has_one_refusal_however_often_it_is_edited(scene: Scene) -> None:
    first = last = scene.tell("/tinygen Louder, 0.", who="mallory")
    for number in range(1, 4):
        scene.forget_refusals()
        edited = scene.edit(first.comment, f"/tinygen Louder, {number}.", who="mallory")
        assert edited
        last = scene.ended(edited)
        assert last.state == "refused"
    assert len(scene.bot_comments()) == 1
    assert f"job={last.job} state=refused" in scene.bot_comments()[0]


def test_a_permitted_command_has_its_own_comment_beside_a_refusal(scene: Scene) -> None:
    told = scene.tell("/tinygen Louder.", who="mallory")
    edited = scene.edit(told.comment, "/tinygen help", who="octocat")
    assert edited
    assert scene.ended(edited).state == "done"
    assert len(scene.bot_comments()) == 2


def test_a_refused_request_keeps_little_of_its_words(scene: Scene) -> None:
    issue = scene.open_issue(body="The thread. " * 1000)
    first = scene.tell("/tinygen " + "word " * 2000, who="mallory", on=issue)
    again = scene.tell("/tinygen " + "more " * 2000, who="mallory", on=issue)
    for told in (first, again):
        assert len(told.row["prompt"]) == 200
        assert len(told.report.job.command.prompt) == 200
        assert told.report.job.thread is None


def test_a_job_that_was_refused_again_still_has_its_page(scene: Scene) -> None:
    scene.tell("/tinygen Louder.", who="mallory")
    told = scene.tell("/tinygen Louder still.", who="mallory")
    page = scene.web.get(f"/jobs/{told.job}").json
    assert page
    assert (page["state"], page["repo"]) == ("refused", REPO)
    assert "`write`" in page["error"]


def test_a_thousand_refusals_cost_github_little_and_hold_nobody_up(scene: Scene) -> None:
    other = scene.github.add_repository("octocat/other", files=scene.files)
    issue, there = scene.open_issue(), other.open_issue("octocat", "Too quiet", "It whispers.")
    before = about(scene)
    flood = [
        scene.say(f"/tinygen Louder, {number}.", who="mallory", on=issue) for number in range(150)
    ]
    told = scene.say("/tinygen Louder.", on=there, repo=other)
    scene.wait(
        lambda: told.comment.reactions, "the other repository to be acknowledged", within_s=20.0
    )
    for each in flood:
        scene.ended(each)
    assert about(scene) - before < 30
    assert len(scene.bot_comments(issue.number)) == 1


def test_a_limit_of_github_for_one_repository_holds_up_no_other(scene: Scene) -> None:
    """Waiting for it holds no thread, and GitHub is not asked again until it ends."""
    other = scene.github.add_repository("octocat/other", files=scene.files)
    there = other.open_issue("octocat", "Too quiet", "It whispers.")
    limit = scene.github.faults.add(
        secondary_limit(retry_after_s=60), path=rf"/repos/{REPO}/", times=1000
    )
    limited = [scene.say(f"/tinygen help {number}", who=f"person-{number}") for number in range(11)]
    told = scene.say("/tinygen help", on=there, repo=other)
    assert scene.ended(told).state == "done"
    scene.wait(lambda: scene.database.oldest_waiting_s() == 0.0, "all to be taken in")
    assert limit.met < 10
    scene.github.faults.clear()
    for each in limited:
        scene.hurried(each)
        assert each.state == "refused"


def test_commands_that_waited_for_a_limit_are_refused_once(scene: Scene) -> None:
    scene.github.faults.add(
        secondary_limit(retry_after_s=60), path=rf"/repos/{REPO}/contents/", times=1
    )
    limited = [scene.say(f"/tinygen Louder, {number}.", who="mallory") for number in range(6)]
    for each in limited:
        assert scene.hurried(each).state == "refused"
    assert len(scene.bot_comments()) == 1


def test_strangers_push_nothing_out_of_a_threads_history(scene: Scene) -> None:
    issue = scene.open_issue()
    scene.tell("/tinygen Louder.", on=issue)
    for number in range(25):
        scene.tell("/tinygen Softer.", who=f"stranger-{number}", on=issue)
    assert "Louder" in scene.tell("/tinygen status", on=issue).answer
    assert scene.tell("/tinygen apply", on=issue).report.pull_request_url
