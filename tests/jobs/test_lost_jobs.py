"""What is said to run does: a job whose workflow is gone is closed, a comment that GitHub refuses
is replaced."""

from __future__ import annotations

from dataclasses import replace

from bot.jobs.worker.maintenance import find_lost
from bot.jobs.workflows import run_id
from bot.types import FINAL_STATES, Command, Job, Report, Target
from tests.doubles.github.faults import Fault, secondary_limit
from tests.doubles.model import Messages, hang
from tests.fakes import MemoryReports
from tests.scene import CONFIDENT, LOUDER, Scene, Told


def look(scene: Scene) -> None:
    """As the worker does from time to time, when nothing has changed for a while."""
    scene.run_sql("update tinygen_jobs set updated_at = 0")
    find_lost(scene.context)


def is_left_alone(scene: Scene, told: Told) -> bool:
    look(scene)
    return scene.engine.state(f"{told.job}-close") == "unknown"


def test_a_job_whose_workflow_is_gone_is_closed_and_told(scene: Scene) -> None:
    scene.model_says(hang(60))
    told = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.model.requests, "the model to be asked")
    scene.engine.drop(run_id(told.job))
    look(scene)
    scene.wait(lambda: told.report.state in FINAL_STATES, "the job to be closed")
    scene.wait(lambda: "state=failed" in told.answer, "its comment")
    assert "lost this job" in told.answer
    assert told.row["state"] == "failed"


def test_a_job_that_runs_is_left_alone(scene: Scene) -> None:
    scene.model_says(hang(60))
    told = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.model.requests, "the model to be asked")
    assert is_left_alone(scene, told)
    scene.tell("/tinygen cancel")
    scene.ended(told)


def test_a_job_that_waits_for_a_limit_is_left_alone(scene: Scene) -> None:
    scene.github.faults.add(secondary_limit(retry_after_s=600), path=r"/git/ref/heads/main$")
    told = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.engine.state(run_id(told.job)) == "ended", "the job to be put off")
    assert is_left_alone(scene, told)
    assert scene.hurried(told).state == "done"


def test_a_lost_job_is_found_behind_any_number_of_others(scene: Scene) -> None:
    reports = MemoryReports()
    for number in range(7):
        reports.save(
            Report(
                Job(f"lost-{number}", "run", Target("octocat/greeter"), Command("solve")), "running"
            )
        )
    find_lost(replace(scene.context, reports=reports))
    assert {scene.engine.state(f"lost-{number}-close") for number in range(7)} <= {
        "queued",
        "running",
        "ended",
    }


def test_a_job_that_ended_is_left_alone(scene: Scene) -> None:
    assert is_left_alone(scene, scene.tell("/tinygen Louder."))


def test_a_comment_that_github_refuses_is_followed_by_a_short_one(scene: Scene) -> None:
    def reply(_messages: Messages) -> str:
        refusal = Fault(422, b'{"message": "Validation Failed"}')
        scene.github.faults.add(refusal, method="PATCH", path=r"/issues/comments/", times=1)
        return CONFIDENT

    scene.model_says(LOUDER, reply)
    told = scene.tell("/tinygen Louder.")
    assert told.answer.startswith(f"<!-- tinygen:job={told.job} state=done -->\n")
    assert "GitHub did not take the whole report here." in told.answer
    assert f"`/jobs/{told.job}`" in told.answer


def test_closing_an_issue_or_deleting_a_command_is_no_job_that_could_be_lost(scene: Scene) -> None:
    scene.app.events.append("issues")
    issue = scene.open_issue()
    told = scene.tell("/tinygen help", on=issue)
    before = len(scene.deliveries)
    scene.repo.delete_comment(told.comment)
    scene.repo.close(issue.number, by="octocat")
    deleted, closed = scene.deliveries[before:]
    for delivery in (deleted, closed):
        scene.deliver(delivery)
    scene.wait(lambda: scene.database.oldest_waiting_s() == 0.0, "both to be taken in")
    look(scene)
    for delivery in (deleted, closed):
        assert scene.database.load(delivery.guid) is None
        assert scene.engine.state(f"{delivery.guid}-close") == "unknown"
