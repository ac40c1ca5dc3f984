"""Each job has one line when it was accepted and one when it ended, whatever became of it, and none
that holds words of people or models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.jobs.progress import ProgressReporter
from bot.jobs.worker.maintenance import find_lost
from bot.jobs.workflows import run_id
from tests.doubles.github.faults import secondary_limit
from tests.doubles.model import hang, server_error
from tests.jobs.conftest import SetScene
from tests.jobs.test_ci_fixes import LOG
from tests.scene import Scene, Told

SWORDFISH = "Swordfish"


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as lines:
        yield lines


def ends(lines: list[Any], job: str) -> list[str]:
    """The outcomes of a job that was accepted once, and whose lines hold no word of its request."""
    of_job = [line for line in lines if line.get("job") == job]
    assert [line["event"] for line in of_job].count("accepted") == 1
    assert SWORDFISH not in str(lines)
    return [line["outcome"] for line in of_job if line["event"] == "ended"]


def end_of(lines: list[Any], told: Told) -> Any:
    (end,) = [line for line in lines if (line.get("job"), line["event"]) == (told.job, "ended")]
    return end


def test_a_job_that_is_done(scene: Scene, lines: list[Any]) -> None:
    told = scene.tell(f"/tinygen --pr {SWORDFISH}.")
    assert ends(lines, told.job) == ["done"]
    end = end_of(lines, told)
    assert (end["repo"], end["number"], end["asker"]) == ("octocat/greeter", 1, "octocat")
    assert (end["command"], end["calls"], end["log_level"]) == ("solve", 2, "info")
    assert end["tokens_in"] > end["tokens_out"] > 0
    assert end["seconds"] > 0
    assert end["pull_request"] == told.report.pull_request_url


def test_steps_are_told_to_who_debugs(scene: Scene, lines: list[Any]) -> None:
    scene.tell("/tinygen Louder.")
    assert {line["log_level"] for line in lines if line["event"] == "step"} == {"debug"}


def test_a_delivery_that_comes_twice_is_accepted_once(scene: Scene, lines: list[Any]) -> None:
    told = scene.tell("/tinygen help")
    scene.deliver(told.delivery)
    assert ends(lines, told.job) == ["done"]


def test_a_job_that_failed(scene: Scene, lines: list[Any]) -> None:
    scene.model_says(*[server_error(401)])
    told = scene.tell(f"/tinygen {SWORDFISH}.")
    assert ends(lines, told.job) == ["failed"]
    assert end_of(lines, told)["log_level"] == "warning"
    assert end_of(lines, told)["reason"]


def test_a_command_that_cannot_be_read(scene: Scene, lines: list[Any]) -> None:
    told = scene.tell(f"/tinygen --{SWORDFISH} Louder.")
    assert ends(lines, told.job) == ["failed"]


def test_a_job_that_met_a_fault_of_our_own(set_scene: SetScene, lines: list[Any]) -> None:
    class BrokenGit:
        def __getattr__(self, name: str) -> Any:
            raise ZeroDivisionError

    scene = set_scene(git=BrokenGit())
    told = scene.tell("/tinygen Louder.")
    assert ends(lines, told.job) == ["failed"]
    assert end_of(lines, told)["log_level"] == "error"


def test_jobs_that_are_refused_and_refused_again(scene: Scene, lines: list[Any]) -> None:
    told = [scene.tell(f"/tinygen {SWORDFISH}.", who="mallory") for _ in range(3)]
    for each in told:
        assert ends(lines, each.job) == ["refused"]
        assert end_of(lines, each)["log_level"] == "info"
        assert "`write`" in end_of(lines, each)["reason"]


@pytest.mark.parametrize("word", ["help", "status", "cancel"])
def test_a_quick_command(scene: Scene, lines: list[Any], word: str) -> None:
    assert ends(lines, scene.tell(f"/tinygen {word}").job) == ["done"]


def test_a_running_job_that_is_cancelled(scene: Scene, lines: list[Any]) -> None:
    scene.model_says(hang(60))
    told = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.model.requests, "the model to be asked")
    scene.tell("/tinygen cancel")
    scene.ended(told)
    assert ends(lines, told.job) == ["cancelled"]


def test_a_waiting_job_that_is_cancelled_by_two(scene: Scene, lines: list[Any]) -> None:
    scene.github.faults.add(secondary_limit(retry_after_s=600), path=r"/git/ref/heads/main$")
    told = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.engine.state(run_id(told.job)) == "ended", "the job to be put off")
    both = [scene.say("/tinygen cancel"), scene.say("/tinygen cancel")]
    for each in (*both, told):
        scene.ended(each)
    assert ends(lines, told.job) == ["cancelled"]


def test_a_command_that_was_deleted_and_its_deletion(scene: Scene, lines: list[Any]) -> None:
    scene.model_says(hang(60))
    told = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.model.requests, "the model to be asked")
    payload = {**told.delivery.payload, "action": "deleted"}
    deletion = scene.github.deliver("issue_comment", payload)
    assert scene.deliver(deletion).status_code == 202
    scene.ended(told)
    scene.wait(lambda: scene.engine.state(deletion.guid) == "ended", "the deletion")
    assert ends(lines, told.job) == ["cancelled"]
    assert ends(lines, deletion.guid) == ["done"]


def test_commands_of_one_review(scene: Scene, lines: list[Any]) -> None:
    pull = scene.open_pull()
    asked = f"/tinygen {SWORDFISH}."
    first, second = scene.submit(("new.py", 1, asked), ("new.py", 1, asked), on=pull)
    assert ends(lines, first.job) == ends(lines, second.job) == ["done"]
    with_others = [line for line in lines if "together_with" in line]
    assert [line["job"] for line in with_others] == [second.job]


def test_a_failed_check_that_is_left_alone(set_scene: SetScene, lines: list[Any]) -> None:
    scene = set_scene(settings={"TINYGEN_CI_FIXES": "0"})
    scene.tell("/tinygen --pr Louder.")
    (pull,) = scene.repo.pulls
    job = scene.fail_check(LOG, on=pull)
    assert ends(lines, job) == ["cancelled"]


def test_a_job_that_is_lost_and_closed(scene: Scene, lines: list[Any]) -> None:
    scene.model_says(hang(60))
    told = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.model.requests, "the model to be asked")
    scene.engine.drop(run_id(told.job))
    scene.run_sql("update tinygen_jobs set updated_at = 0")
    find_lost(scene.context)
    scene.wait(lambda: ends(lines, told.job), "the job to be closed")
    assert ends(lines, told.job) == ["failed"]
    assert end_of(lines, told)["log_level"] == "error"


def test_a_job_whose_end_is_recorded_again(scene: Scene, lines: list[Any]) -> None:
    """As after a worker's death between the record and the end of its step."""
    told = scene.tell("/tinygen Louder.")
    ProgressReporter(scene.context, told.report, None).record()
    assert ends(lines, told.job) == ["done"]
