"""Fairness among installations: by itself, and as a newcomer meets it."""

from __future__ import annotations

from bot.jobs.engine.fairness import (
    MAX_STARTING,
    QueuedJob,
    QueueSlot,
    choose_released,
    choose_starting,
    may_run,
)
from bot.types import Command, Job, WaitingJob
from tests.doubles.model import Messages, Reply, hang
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, FILES, LOUDER, Scene, Told


def line(*words: str) -> list[QueuedJob]:
    """From words such as `a/r1` (installation a, repository r1) and `a/r1?`, which is held."""
    split = [word.rstrip("?").split("/") for word in words]
    return [
        QueuedJob(str(at), group, key, words[at].endswith("?"))
        for at, (group, key) in enumerate(split)
    ]


def test_a_job_goes_while_its_installation_has_a_place() -> None:
    assert may_run([], QueueSlot("a", "r1", 2))
    assert may_run(line("a/r1"), QueueSlot("a", "r2", 2))
    assert not may_run(line("a/r1", "a/r2"), QueueSlot("a", "r3", 2))
    assert may_run(line("a/r1", "a/r2"), QueueSlot("a", "r3", 0))


def test_further_jobs_of_a_repository_at_work_take_no_further_place() -> None:
    assert may_run(line("a/r1", "a/r2"), QueueSlot("a", "r2", 2))


def test_nobody_overtakes_those_held() -> None:
    assert not may_run(line("a/r1", "a/r2?"), QueueSlot("a", "r2", 2))


def test_the_oldest_is_freed_first_and_others_hold_nobody_up() -> None:
    assert choose_released(line("a/r1", "a/r2", "a/r3?", "b/r4?"), 2) == ("3",)
    assert choose_released(line("a/r1", "a/r2?", "a/r3?"), 2) == ("1",)


def test_those_of_a_repository_go_together() -> None:
    assert choose_released(line("a/r1?", "a/r2?", "a/r1?"), 1) == ("0", "2")


def test_without_a_limit_all_go() -> None:
    assert choose_released(line("a/r1", "a/r2?", "a/r3?"), 0) == ("1", "2")


def order(told: Told) -> Job:
    """The operator's, to cancel it."""
    return Job(
        f"cancel-{told.job}", "run", told.report.job.target, Command("cancel", prompt=told.job)
    )


def crowd(scene: Scene, count: int) -> list[Told]:
    """As many repositories of the scene's own installation, each with a command."""
    repos = [
        scene.github.add_repository(f"octocat/crowd-{number}", files=FILES)
        for number in range(count)
    ]
    return [scene.say("/tinygen Louder, says the crowd.", repo=repo) for repo in repos]


def test_a_newcomer_starts_though_another_installation_has_more_jobs_than_places(
    set_scene: SetScene,
) -> None:
    scene = set_scene(settings={"TINYGEN_INSTALLATION_CONCURRENCY": "2"})

    def reply(messages: Messages) -> Reply:
        said = "\n".join(str(message["content"]) for message in messages)
        return hang(60) if "crowd" in said else CONFIDENT if "[CONFIDENT]" in said else LOUDER

    scene.replies = [reply] * 10
    waiting = crowd(scene, 6)
    scene.wait(lambda: len(scene.model.requests) == 2, "the first two to run")
    newcomer = scene.github.add_repository("mona/hello", files=FILES)
    scene.github.install(scene.app, "mona")
    assert scene.ended(scene.say("/tinygen Louder.", repo=newcomer, who="mona")).state == "done"
    assert len(scene.model.requests) == 4, "two of the crowd's, and the newcomer's draft and review"
    for told in waiting:
        scene.database.accept(order(told))
    assert {scene.ended(told).state for told in waiting} == {"cancelled"}


def test_those_held_run_when_places_are_free_again(set_scene: SetScene) -> None:
    scene = set_scene(settings={"TINYGEN_INSTALLATION_CONCURRENCY": "1"})
    scene.model_says(*[LOUDER, CONFIDENT] * 3)
    assert {scene.ended(told).state for told in crowd(scene, 3)} == {"done"}


def waiting(name: str, asker: str, repository: str, account: str) -> WaitingJob:
    return WaitingJob(name, asker, repository, account)


def test_of_one_asker_one_command_is_accepted_at_a_time() -> None:
    here = [
        waiting("a", "mona", "1", "i"),
        waiting("b", "mona", "1", "i"),
        waiting("c", "mona", "2", "i"),
    ]
    assert choose_starting(here, [], MAX_STARTING) == ("a", "c")
    assert choose_starting(here[1:], here[:1], MAX_STARTING) == ("c",)


def test_of_one_repository_and_one_account_only_some() -> None:
    here = [waiting(f"{number}", f"p{number}", f"{number // 3}", "i") for number in range(12)]
    assert choose_starting(here, [], MAX_STARTING) == ("0", "1", "3", "4")
    assert choose_starting([waiting("x", "p", "9", "other")], here[:4], 1) == ("x",)


def test_in_all_only_as_many_as_there_are_threads_for() -> None:
    here = [waiting(f"{number}", "p", f"{number}", f"{number}") for number in range(40)]
    assert len(choose_starting(here, [], MAX_STARTING)) == MAX_STARTING
    assert choose_starting(here[MAX_STARTING:], here[:MAX_STARTING], 0) == ()
