"""A label on an issue, and its assignment to the App, ask for the issue's own text to be done."""

from __future__ import annotations

import re

from tests.doubles.github.state import Issue
from tests.jobs.conftest import SetScene
from tests.scene import Scene

ASSIGNED = {"TINYGEN_ON_ASSIGNMENT": "tinygen[bot]"}


def job_of(scene: Scene) -> str | None:
    """The job that the last delivery started."""
    answer = scene.deliver(scene.deliveries[-1])
    assert answer.json
    job: str | None = answer.json.get("job")
    return job


def ended(scene: Scene, job: str | None, issue: Issue) -> str:
    """The bot's one comment once the job has ended."""
    assert job

    def look() -> str | None:
        ends = [
            body
            for body in scene.bot_comments(issue.number)
            if re.search("state=(?:done|refused|failed)", body)
        ]
        return ends[0] if ends else None

    return scene.wait(look, "the job to end")


def test_the_label_has_the_issues_text_done(scene: Scene) -> None:
    issue = scene.open_issue("Too quiet", "Make the greeting LOUD, please.")
    scene.repo.label(issue.number, "TinyGen", by="octocat")
    assert "HELLO" in ended(scene, job_of(scene), issue)
    assert "Make the greeting LOUD, please." in scene.asked[0]


def test_the_pull_request_says_that_a_label_asked(set_scene: SetScene) -> None:
    scene = set_scene(settings={"TINYGEN_MODE": "pr"})
    issue = scene.open_issue("Too quiet", "Make the greeting LOUD, please.")
    scene.repo.label(issue.number, "tinygen", by="octocat")
    ended(scene, job_of(scene), issue)
    assert f"Asked for by `octocat`, who gave #{issue.number} its label." in (
        scene.repo.pulls[0].body or ""
    )


def test_another_label_asks_for_nothing(scene: Scene) -> None:
    scene.repo.label(scene.open_issue().number, "bug", by="octocat")
    assert job_of(scene) is None


def test_a_label_by_one_who_may_not_command_is_refused(scene: Scene) -> None:
    scene.repo.permissions["mona"] = "triage"
    issue = scene.open_issue()
    scene.repo.label(issue.number, "tinygen", by="mona")
    assert "`write`" in ended(scene, job_of(scene), issue)
    assert not scene.asked


def test_the_operator_may_shut_the_door_or_name_another_label(set_scene: SetScene) -> None:
    scene = set_scene(settings={"TINYGEN_LABEL": "off"})
    scene.repo.label(scene.open_issue().number, "tinygen", by="octocat")
    assert job_of(scene) is None
    scene.repo.label(scene.open_issue().number, "off", by="octocat")
    assert job_of(scene) is None


def test_assignment_has_it_done_where_the_operator_says_who_the_app_is(set_scene: SetScene) -> None:
    scene = set_scene(settings=ASSIGNED)
    issue = scene.open_issue("Too quiet", "Make the greeting LOUD, please.")
    scene.repo.assign(issue.number, "mona", by="octocat")
    assert job_of(scene) is None
    scene.repo.assign(issue.number, "tinygen[bot]", by="octocat")
    assert "HELLO" in ended(scene, job_of(scene), issue)


def test_assignment_asks_for_nothing_where_nobody_said_so(scene: Scene) -> None:
    scene.repo.assign(scene.open_issue().number, "tinygen[bot]", by="octocat")
    assert job_of(scene) is None
