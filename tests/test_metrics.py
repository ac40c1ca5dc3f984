"""What workers count, from the counting to the text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.adapters.database import Database
from bot.errors import OutsideError
from bot.jobs.engine import without_ids
from bot.metrics import WORKER_METRICS, MetricsBuffer, render_metrics
from bot.ports import MetricSample
from bot.types import Reply
from tests import ROOT

RUNBOOK = ROOT / "docs" / "operations.md"
REPLY = Reply(
    "x",
    "stop",
    "m",
    prompt_tokens=100,
    completion_tokens=20,
    seconds=2.5,
    cached_tokens=60,
    cost_usd=0.25,
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/tinygen.sqlite")
    database.create()
    yield database
    database.close()


def samples(database: Database) -> dict[str, float]:
    """By series, as Prometheus reads them."""
    found = {}
    for family in text_string_to_metric_families(render_metrics(database).decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_what_several_workers_count_is_added_up(database: Database) -> None:
    for buffer in (MetricsBuffer(), MetricsBuffer()):
        buffer.replied(REPLY)
        buffer.retried("github")
        buffer.step_ended("fetch", 0.5)
        buffer.flush(database.add_measures)
        buffer.flush(database.add_measures)
    seen = samples(database)
    assert seen["tinygen_model_calls_total"] == 2
    assert seen["tinygen_model_seconds_total"] == 5
    assert [
        seen[f"tinygen_model_tokens_total{{kind={kind}}}"] for kind in ("in", "out", "cached")
    ] == [200, 40, 120]
    assert seen["tinygen_model_cost_usd_total"] == 0.5
    assert seen["tinygen_retries_total{of=github}"] == 2
    assert seen["tinygen_step_seconds_sum{step=fetch}"] == 1
    assert seen["tinygen_step_seconds_count{step=fetch}"] == 2


def test_a_counter_is_told_from_zero_and_once_counted_only_as_what_it_is(
    database: Database,
) -> None:
    counted = {
        *(f"tinygen_model_{name}_total" for name in ("calls", "seconds", "cost_usd")),
        *(f"tinygen_model_tokens_total{{kind={kind}}}" for kind in ("in", "out", "cached")),
        *(f"tinygen_retries_total{{of={whom}}}" for whom in ("github", "model")),
    }
    before = samples(database)
    assert {name: before[name] for name in counted} == dict.fromkeys(counted, 0)
    buffer = MetricsBuffer()
    buffer.replied(REPLY)
    buffer.retried("model")
    buffer.flush(database.add_measures)
    after = samples(database)
    assert {name for name in counted if not after[name]} == {"tinygen_retries_total{of=github}"}
    text = render_metrics(database).decode()
    assert text.count("\ntinygen_model_calls_total ") == 1


def test_the_limit_that_is_told_is_the_least_seen_since_the_last_time(database: Database) -> None:
    buffer = MetricsBuffer()
    for left in (4000, 12, 4999):
        buffer.github_left(left)
    buffer.flush(database.add_measures)
    assert samples(database)["tinygen_github_rate_limit_remaining"] == 12
    buffer.github_left(4998)
    buffer.flush(database.add_measures)
    assert samples(database)["tinygen_github_rate_limit_remaining"] == 4998


def test_what_cannot_be_written_is_written_later(database: Database) -> None:
    def fail(_added: Sequence[MetricSample], _latest: Sequence[MetricSample]) -> None:
        raise OutsideError("The database failed.", next_step="Try again.")

    buffer = MetricsBuffer()
    buffer.retried("model")
    buffer.github_left(7)
    with pytest.raises(OutsideError):
        buffer.flush(fail)
    buffer.retried("model")
    buffer.flush(database.add_measures)
    seen = samples(database)
    assert (
        seen["tinygen_retries_total{of=model}"],
        seen["tinygen_github_rate_limit_remaining"],
    ) == (2, 7)


@pytest.mark.parametrize("job", ["72d3162e-cc78-11e3-81ab-4c9367dc0958", "0b989ba4"])
def test_a_step_that_names_one_job_is_no_series_of_its_own(job: str) -> None:
    assert without_ids(f"drop {job}") == "drop"


def test_workers_and_waiting_jobs_are_told(database: Database) -> None:
    assert samples(database)["tinygen_workers"] == 0
    database.beat("one")
    seen = samples(database)
    assert seen["tinygen_workers"] == 1
    assert seen["tinygen_queue_age_seconds"] == seen["tinygen_inbox_age_seconds"] == 0


def test_the_runbook_explains_every_series(database: Database) -> None:
    runbook = RUNBOOK.read_text()
    families = {
        family.name for family in text_string_to_metric_families(render_metrics(database).decode())
    }
    assert set(WORKER_METRICS) < families
    for name in families:
        assert f"`{name}" in runbook, name
