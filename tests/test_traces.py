"""Traces without jobs: what a span holds, what a collector gets, and what it costs if there is none."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import StatusCode

from bot.app import build_tracer
from bot.config import load_config
from bot.errors import Cancelled, OutsideError
from bot.ports import NoTracer
from bot.traces import CLOSE_S, JobTraces, open_traces, trace_id_of
from bot.types import Reply
from tests import ROOT
from tests.doubles.server import Request, Response, Server

REPLY = Reply("Swordfish.", "stop", "m-1-2026", 100, 20, seconds=1.5, cached_tokens=64)


class Spans(SpanProcessor):
    """Keeps the ended spans."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)

    def named(self, name: str) -> ReadableSpan:
        (span,) = [span for span in self.ended if span.name == name]
        return span


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """An exporter that still tries draws random numbers, which other tests in this process must not
    see change."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive(), thread


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture
def traces(spans: Spans) -> JobTraces:
    return JobTraces(spans, "tinygen")


def test_steps_and_calls_are_parts_of_their_jobs_trace(traces: JobTraces, spans: Spans) -> None:
    with (
        traces.workflow("run", job_id="j-1", command="solve"),
        traces.step("ask generate"),
        traces.chat("m-1", "https://user:pass@models.example.com:8443/v1/secret") as replied,
    ):
        replied(REPLY)
    call, step, run = spans.ended
    assert [span.name for span in (run, step, call)] == ["run", "ask generate", "chat m-1"]
    assert {span.context.trace_id for span in spans.ended if span.context} == {trace_id_of("j-1")}
    assert run.parent is None
    assert (step.parent, call.parent) == (run.context, step.context)
    assert dict(run.attributes or {}) == {
        "tinygen.job": "j-1",
        "tinygen.workflow": "run",
        "tinygen.command": "solve",
        "tinygen.outcome": "ok",
    }
    assert dict(call.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m-1",
        "gen_ai.response.model": "m-1-2026",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.cache_read.input_tokens": 64,
        "gen_ai.usage.output_tokens": 20,
        "server.address": "models.example.com",
        "server.port": 8443,
        "tinygen.outcome": "ok",
    }


def test_workflows_of_one_job_share_its_trace_and_jobs_share_none(
    traces: JobTraces, spans: Spans
) -> None:
    for name, job_id in (("accept", "j-1"), ("run", "j-1"), ("accept", "j-2")):
        with traces.workflow(name, job_id=job_id, command=""):
            pass
    ids = [span.context.trace_id for span in spans.ended if span.context]
    assert ids[0] == ids[1] != ids[2]


def test_a_workflow_that_another_jobs_step_starts_is_in_its_own_jobs_trace(
    traces: JobTraces, spans: Spans
) -> None:
    with (
        traces.workflow("accept", job_id="j-1", command="cancel"),
        traces.step("find jobs"),
        traces.workflow("cancel", job_id="j-2", command=""),
    ):
        pass
    inner = spans.named("cancel")
    assert inner.context
    assert (inner.context.trace_id, inner.parent) == (trace_id_of("j-2"), None)
    outer = spans.named("accept").context
    assert spans.named("find jobs").parent == outer


def test_an_error_is_its_class_alone(traces: JobTraces, spans: Spans) -> None:
    with pytest.raises(OutsideError), traces.step("push"):
        raise OutsideError("Swordfish.", next_step="Wait.")
    span = spans.named("push")
    assert dict(span.attributes or {}) == {
        "tinygen.step": "push",
        "error.type": "OutsideError",
        "tinygen.outcome": "failed",
    }
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert not span.events
    assert "words" not in span.to_json()


def test_a_cancelled_step_is_no_error(traces: JobTraces, spans: Spans) -> None:
    with pytest.raises(Cancelled), traces.step("ask"):
        raise Cancelled
    span = spans.named("ask")
    assert (span.attributes or {})["tinygen.outcome"] == "cancelled"
    assert span.status.status_code is StatusCode.UNSET


def test_what_a_server_sends_as_a_models_name_is_kept_only_if_it_is_one(
    traces: JobTraces, spans: Spans
) -> None:
    with traces.chat("m-1", "http://127.0.0.1:9/v1") as replied:
        replied(Reply("", "stop", "You said: swordfish", 1, 1, seconds=0.0))
    assert "swordfish" not in spans.named("chat m-1").to_json()


class Collector:
    """A collector of traces on loopback. `status`: what it answers."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.requests: Queue[Request] = Queue()
        self.server = Server(self._answer)

    def _answer(self, request: Request) -> Response:
        self.requests.put(request)
        return Response(self.status)

    def next_names(self) -> list[str]:
        """The names of the spans of the next request."""
        request = self.requests.get(timeout=20)
        sent = ExportTraceServiceRequest.FromString(request.body)
        return [
            span.name
            for resource in sent.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@contextmanager
def collecting(status: int = 200) -> Iterator[Collector]:
    collector = Collector(status)
    with collector.server:
        yield collector


def test_a_collector_gets_spans_by_otlp_with_the_operators_headers() -> None:
    with collecting() as collector:
        endpoint = f"{collector.server.url}/v1/traces"
        traces = open_traces(
            endpoint, headers={"api-key": "k"}, service="greeters", warn=pytest.fail
        )
        with traces.workflow("run", job_id="j-1", command="solve"), traces.step("fetch"):
            pass
        traces.close()
        request = collector.requests.queue[0]
        assert (request.path, request.headers["api-key"]) == ("/v1/traces", "k")
        assert collector.next_names() == ["fetch", "run"]
    (resource,) = ExportTraceServiceRequest.FromString(request.body).resource_spans
    about = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert about["service.name"] == "greeters"
    assert {name.partition(".")[0] for name in about} == {"service", "telemetry"}


def trace_something(endpoint: str) -> tuple[list[str], float]:
    """What the traces warned of, and how long a step and the close took, in seconds."""
    told: list[str] = []
    traces = open_traces(endpoint, headers={}, service="tinygen", warn=told.append)
    began = time.monotonic()
    with traces.step("fetch"):
        pass
    traces.close()
    return told, time.monotonic() - began


def test_a_dead_collector_is_told_and_holds_up_nothing() -> None:
    told, seconds = trace_something("http://127.0.0.1:9/v1/traces")
    assert told
    assert seconds < CLOSE_S + 3


def test_a_collector_that_never_answers_holds_up_nothing() -> None:
    stuck = Server(lambda _request: _wait(stuck))
    with stuck:
        _, seconds = trace_something(f"{stuck.url}/v1/traces")
    assert seconds < CLOSE_S + 3


def _wait(server: Server) -> Response:
    server.stopping.wait(30)
    return Response()


def test_spans_beyond_the_queue_are_dropped() -> None:
    told: list[str] = []
    released = threading.Event()

    def answer(_request: Request) -> Response:
        released.wait(30)
        return Response()

    with Server(answer) as stuck:
        before = set(threading.enumerate())
        traces = open_traces(f"{stuck.url}/v1/traces", headers={}, service="t", warn=told.append)
        for _ in range(5_000):
            with traces.step("fetch"):
                pass
        assert any("Queue full" in message for message in told)
        closing = threading.Thread(target=traces.close)
        closing.start()
        closing.join(CLOSE_S + 3)
        assert not closing.is_alive()
        released.set()
        for thread in set(threading.enumerate()) - before:
            thread.join(30)  # what is left is sent while there is a server


@pytest.mark.parametrize(
    ("settings", "endpoint"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/x"}, "http://c/x"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "True"}, None),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "false"},
            "http://c/v1/traces",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_SERVICE_NAME": "mine"}, None),
    ],
)
def test_traces_are_on_by_the_standard_variables_alone(
    settings: dict[str, str], endpoint: str | None
) -> None:
    config = load_config(settings, env_file=None)
    assert config.traces_endpoint() == endpoint
    if endpoint is None:
        assert isinstance(build_tracer(config), NoTracer)


def test_the_keys_in_headers_are_secrets_and_short_values_are_not() -> None:
    given = "api-key=0123456789abcdef%3D, dataset=tinygen"
    config = load_config({"OTEL_EXPORTER_OTLP_HEADERS": given}, env_file=None)
    assert config.traces_headers() == {"api-key": "0123456789abcdef=", "dataset": "tinygen"}
    assert "0123456789abcdef=" in config.secrets()
    assert "tinygen" not in config.secrets()


BUILD = """
import sys
from bot.cli.output import block_rich
block_rich()
import bot.cli.serve
from bot.app import build_web, build_worker
from bot.config import load_config
config = load_config({"TINYGEN_DATA_DIR": sys.argv[1], "GITHUB_WEBHOOK_SECRET": "x" * 32}, env_file=None)
build_web(config)
build_worker(config)
loaded = {name.partition(".")[0] for name, module in sys.modules.items() if module}
print(loaded & {"opentelemetry", "rich"})
"""


@pytest.mark.slow
def test_the_processes_import_neither_rich_nor_without_an_address_opentelemetry(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", BUILD, str(tmp_path / "data")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert built.stdout == "set()\n"
