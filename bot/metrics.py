"""`/metrics`: what the database knows of the jobs and of what the workers counted, so every process tells the same.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.core.types import State
from bot.watch import Measure

ALIVE_S = 60.0
COUNTED = {
    "tinygen_step_seconds": ("summary", "How long the steps of jobs took, by step."),
    "tinygen_model_calls": ("counter", "Replies received from the model."),
    "tinygen_model_seconds": ("counter", "Time spent waiting for them, retries included."),
    "tinygen_model_tokens": ("counter", "Tokens in, out, and of those in, cached by the server."),
    "tinygen_model_cost_usd": ("counter", "What they cost, where the server says so or prices are set."),
    "tinygen_retries": ("counter", "Requests sent again after a fault or a limit, by whom they went to."),
    "tinygen_github_rate_limit_remaining": ("gauge", "The least that an installation's limit lately had left."),
    "tinygen_log_rows_waiting": ("gauge", "Rows that the request log at Supabase has not taken yet."),
}
"""What workers count, with its kind and meaning."""


class Counts(Protocol):
    def counts(self) -> Mapping[State, int]: ...

    def oldest_waiting_s(self) -> float: ...

    def oldest_queued_s(self) -> float: ...

    def alive(self, within_s: float) -> frozenset[str]: ...

    def measures(self) -> Sequence[Measure]: ...


class _Jobs(Collector):
    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("tinygen_jobs", "Jobs kept, by state.", labels=["state"])
        for state, count in sorted(self._counts.counts().items()):
            jobs.add_metric([state], count)
        yield jobs
        for name, meaning, value in (
            (
                "tinygen_inbox_age_seconds",
                "How long the oldest accepted job has waited for a worker.",
                self._counts.oldest_waiting_s(),
            ),
            (
                "tinygen_queue_age_seconds",
                "How long the oldest job that does not run yet has waited.",
                self._counts.oldest_queued_s(),
            ),
            ("tinygen_workers", "Workers that were alive within the last minute.", len(self._counts.alive(ALIVE_S))),
        ):
            yield GaugeMetricFamily(name, meaning, value=value)


class _Counted(Collector):
    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        measures = self._counts.measures()
        for name, (kind, meaning) in COUNTED.items():
            family = Metric(name, meaning, kind)
            for measure in measures:
                if measure.name.removesuffix("_total").removesuffix("_sum").removesuffix("_count") == name:
                    family.add_sample(measure.name, dict(measure.labels), measure.value)
            yield family


def render_metrics(counts: Counts) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Jobs(counts))
    registry.register(_Counted(counts))
    return generate_latest(registry)
