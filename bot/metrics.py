"""`/metrics`: what the database knows of the jobs, so every process tells the same.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.core.types import State


class Counts(Protocol):
    def counts(self) -> Mapping[State, int]: ...

    def oldest_waiting_s(self) -> float: ...


class _Jobs(Collector):
    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("tinygen_jobs", "Jobs kept, by state.", labels=["state"])
        for state, count in sorted(self._counts.counts().items()):
            jobs.add_metric([state], count)
        yield jobs
        yield GaugeMetricFamily(
            "tinygen_inbox_age_seconds",
            "How long the oldest accepted job has waited for a worker.",
            value=self._counts.oldest_waiting_s(),
        )


def render_metrics(counts: Counts) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Jobs(counts))
    return generate_latest(registry)
