"""The metrics of `/metrics`: workers count in a buffer, add it to the database from time to time,
and the web part reads all of it from there. So every process shows the same, on every machine.

A worker that is killed loses what it counted since its last write: some seconds' worth.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.errors import OutsideError
from bot.ports import ALIVE_S, MetricSample
from bot.types import Reply, State

WORKER_METRICS = {
    "tinygen_step_seconds": ("summary", "How long the steps of jobs took, by step."),
    "tinygen_model_calls": ("counter", "Replies received from the model."),
    "tinygen_model_seconds": ("counter", "Time spent waiting for them, retries included."),
    "tinygen_model_tokens": ("counter", "Tokens in, out, and of those in, cached by the server."),
    "tinygen_model_cost_usd": (
        "counter",
        "What they cost, where the server says so or prices are set.",
    ),
    "tinygen_retries": (
        "counter",
        "Requests sent again after a fault or a limit, by whom they went to.",
    ),
    "tinygen_github_rate_limit_remaining": (
        "gauge",
        "The least that an installation's limit lately had left.",
    ),
    "tinygen_log_rows_waiting": (
        "gauge",
        "Rows that the request log at Supabase has not taken yet.",
    ),
}
"""The type and meaning of each metric that workers count."""


_FROM_ZERO: Sequence[tuple[str, Mapping[str, str]]] = (
    ("tinygen_model_calls_total", {}),
    ("tinygen_model_seconds_total", {}),
    *(("tinygen_model_tokens_total", {"kind": kind}) for kind in ("in", "out", "cached")),
    ("tinygen_model_cost_usd_total", {}),
    *(("tinygen_retries_total", {"of": whom}) for whom in ("github", "model")),
)
"""Told as 0 before they are counted first: of a series that begins later, Prometheus loses the first
increase."""

Write = Callable[[Sequence[MetricSample], Sequence[MetricSample]], None]
_Key = tuple[str, tuple[tuple[str, str], ...]]


class MetricsBuffer:
    """A `bot.ports.MetricsSink` that holds what was counted since the last `flush`. Safe for use
    by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._added: dict[_Key, float] = {}
        self._latest: dict[_Key, float] = {}

    def retried(self, whom: Literal["github", "model"]) -> None:
        self.add("tinygen_retries_total", of=whom)

    def github_left(self, requests: int) -> None:
        """Keeps the least value since the last flush: each installation has a limit of its own."""
        key: _Key = ("tinygen_github_rate_limit_remaining", ())
        with self._lock:
            self._latest[key] = min(requests, self._latest.get(key, requests))

    def replied(self, reply: Reply) -> None:
        self.add("tinygen_model_calls_total")
        self.add("tinygen_model_seconds_total", reply.seconds)
        self.add("tinygen_model_tokens_total", reply.prompt_tokens, kind="in")
        self.add("tinygen_model_tokens_total", reply.completion_tokens, kind="out")
        self.add("tinygen_model_tokens_total", reply.cached_tokens, kind="cached")
        self.add("tinygen_model_cost_usd_total", reply.cost_usd or 0.0)

    def step_ended(self, step: str, seconds: float) -> None:
        self.add("tinygen_step_seconds_sum", seconds, step=step)
        self.add("tinygen_step_seconds_count", step=step)

    def add(self, name: str, amount: float = 1.0, **labels: str) -> None:
        key = (name, tuple(sorted(labels.items())))
        with self._lock:
            self._added[key] = self._added.get(key, 0.0) + amount

    def set(self, name: str, value: float) -> None:
        with self._lock:
            self._latest[(name, ())] = value

    def flush(self, write: Write) -> None:
        """Calls `write` with the samples to add and the samples that replace their last value. If
        it raises OutsideError, they are kept for the next flush."""
        with self._lock:
            added, self._added = self._added, {}
            latest, self._latest = self._latest, {}
        try:
            write(_samples(added), _samples(latest))
        except OutsideError:
            with self._lock:
                self._latest = latest | self._latest
            for (name, labels), amount in added.items():
                self.add(name, amount, **dict(labels))
            raise


def _samples(counted: Mapping[_Key, float]) -> list[MetricSample]:
    return [MetricSample(name, labels, value) for (name, labels), value in sorted(counted.items())]


class StoredMetrics(Protocol):
    """The database, as far as metrics need it."""

    def counts(self) -> Mapping[State, int]: ...

    def oldest_waiting_s(self) -> float: ...

    def oldest_queued_s(self) -> float: ...

    def alive(self, within_s: float) -> frozenset[str]: ...

    def measures(self) -> Sequence[MetricSample]: ...


class _JobCollector(Collector):
    def __init__(self, stored: StoredMetrics) -> None:
        self._stored = stored

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("tinygen_jobs", "Jobs kept, by state.", labels=["state"])
        for state, count in sorted(self._stored.counts().items()):
            jobs.add_metric([state], count)
        yield jobs
        yield GaugeMetricFamily(
            "tinygen_inbox_age_seconds",
            "How long the oldest accepted job has waited for a worker.",
            self._stored.oldest_waiting_s(),
        )
        yield GaugeMetricFamily(
            "tinygen_queue_age_seconds",
            "How long the oldest job that does not run yet has waited.",
            self._stored.oldest_queued_s(),
        )
        yield GaugeMetricFamily(
            "tinygen_workers",
            "Workers that were alive within the last minute.",
            len(self._stored.alive(ALIVE_S)),
        )


class _WorkerCollector(Collector):
    def __init__(self, stored: StoredMetrics) -> None:
        self._stored = stored

    def collect(self) -> Iterator[Metric]:
        samples = self._stored.measures()
        for name, (kind, meaning) in WORKER_METRICS.items():
            family = Metric(name, meaning, kind)
            told = [sample for sample in samples if _metric_name(sample.name) == name]
            for sample in told:
                family.add_sample(sample.name, dict(sample.labels), sample.value)
            counted = [(sample.name, dict(sample.labels)) for sample in told]
            for sample_name, labels in _FROM_ZERO:
                if _metric_name(sample_name) == name and (sample_name, labels) not in counted:
                    family.add_sample(sample_name, dict(labels), 0.0)
            yield family


def _metric_name(sample_name: str) -> str:
    return sample_name.removesuffix("_total").removesuffix("_sum").removesuffix("_count")


def render_metrics(stored: StoredMetrics) -> bytes:
    """The answer of `/metrics`, in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(_JobCollector(stored))
    registry.register(_WorkerCollector(stored))
    return generate_latest(registry)
