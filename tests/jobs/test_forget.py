"""What the engine keeps of jobs that ended, until it forgets them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.jobs.workflows import CANCEL, JobReference, run_id
from tests.scene import Scene


def test_ended_jobs_are_forgotten_by_age_and_open_ones_never(scene: Scene) -> None:
    told = scene.tell("/tinygen Louder.")
    assert scene.engine.forget(datetime.now(UTC) - timedelta(days=1)) == 0
    scene.engine.enqueue("jobs", CANCEL, "open", JobReference("open"), key="k", wait_s=3600)
    scene.engine.enqueue("jobs", CANCEL, "dropped", JobReference("dropped"), key="k", wait_s=3600)
    scene.engine.drop("dropped")
    assert scene.engine.forget(datetime.now(UTC) + timedelta(days=1)) == 3
    assert [scene.engine.state(each) for each in (told.job, run_id(told.job), "dropped")] == [
        "unknown"
    ] * 3
    assert scene.engine.state("open") == "queued"
