"""`/metrics`: what the database knows of the jobs and of what the workers counted, so every process
tells the same.

https://prometheus.io/docs/instrumenting/exposition_formats/

What a worker counts as it works. From time to time it is added to what the database holds, and read
there by `/metrics`: the web part and the workers are different processes, on different machines
perhaps.

Of a worker that is killed, what it counted since it last wrote is lost: some seconds' worth.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.errors import OutsideError
from bot.ports import MetricSample
from bot.types import Reply, State

ALIVE_S = 60.0
COUNTED = {
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
"""What workers count, with its kind and meaning."""


class Counts(Protocol):
    def counts(self) -> Mapping[State, int]: ...

    def oldest_waiting_s(self) -> float: ...

    def oldest_queued_s(self) -> float: ...

    def alive(self, within_s: float) -> frozenset[str]: ...

    def measures(self) -> Sequence[MetricSample]: ...


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
            (
                "tinygen_workers",
                "Workers that were alive within the last minute.",
                len(self._counts.alive(ALIVE_S)),
            ),
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
                if (
                    measure.name.removesuffix("_total").removesuffix("_sum").removesuffix("_count")
                    == name
                ):
                    family.add_sample(measure.name, dict(measure.labels), measure.value)
            yield family


def render_metrics(counts: Counts) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Jobs(counts))
    registry.register(_Counted(counts))
    return generate_latest(registry)


Write = Callable[[Sequence[MetricSample], Sequence[MetricSample]], None]
_Key = tuple[str, tuple[tuple[str, str], ...]]

_PARTICULAR = re.compile(r"(?:(?<!\s)\s++|(?<!\S))[^\s\d]*+\d\S*+")
"""A word with a digit, as an id: of such there is no end, and each would be a series of its own."""


class MetricsBuffer:
    """A `bot.ports.MetricsSink`. `flush` hands over what was counted since it last did."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._added: dict[_Key, float] = {}
        self._latest: dict[_Key, float] = {}

    def retried(self, whom: Literal["github", "model"]) -> None:
        self.add("tinygen_retries_total", of=whom)

    def github_left(self, requests: int) -> None:
        """Each installation has a limit of its own: what is told is the least of those met since
        the last flush."""
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
        name = _PARTICULAR.sub("", step)
        self.add("tinygen_step_seconds_sum", seconds, step=name)
        self.add("tinygen_step_seconds_count", step=name)

    def add(self, name: str, amount: float = 1.0, **labels: str) -> None:
        key = (name, tuple(sorted(labels.items())))
        with self._lock:
            self._added[key] = self._added.get(key, 0.0) + amount

    def set(self, name: str, value: float) -> None:
        with self._lock:
            self._latest[(name, ())] = value

    def flush(self, write: Write) -> None:
        """`write` is given what is to be added, and what replaces its last value. Where it fails,
        it is kept."""
        with self._lock:
            added, self._added = self._added, {}
            latest, self._latest = self._latest, {}
        try:
            write(_measures(added), _measures(latest))
        except OutsideError:
            with self._lock:
                self._latest = latest | self._latest
            for (name, labels), amount in added.items():
                self.add(name, amount, **dict(labels))
            raise


def _measures(counted: Mapping[_Key, float]) -> list[MetricSample]:
    return [MetricSample(name, labels, value) for (name, labels), value in sorted(counted.items())]
