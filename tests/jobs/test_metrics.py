"""What a job leaves in the metrics."""

from __future__ import annotations

from bot.metrics import render_metrics
from tests.doubles.github.faults import bad_gateway
from tests.doubles.model import server_error
from tests.scene import CONFIDENT, LOUDER, Scene


def test_a_jobs_calls_steps_and_retries_are_counted(scene: Scene) -> None:
    scene.model_says(server_error(503), LOUDER, CONFIDENT)
    scene.github.faults.add(bad_gateway(), method="GET", path=r"/permission$", times=1)
    scene.tell("/tinygen Louder.")
    scene.meter.flush(scene.database.add_measures)
    told = render_metrics(scene.database).decode()
    assert "tinygen_model_calls_total 2.0" in told
    assert 'tinygen_retries_total{of="model"} 1.0' in told
    assert 'tinygen_retries_total{of="github"} 1.0' in told
    assert 'tinygen_step_seconds_count{step="ask generate"} 1.0' in told
    assert 'tinygen_jobs{state="done"} 1.0' in told
    assert "\ntinygen_github_rate_limit_remaining " in told
