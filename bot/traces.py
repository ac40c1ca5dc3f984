"""Traces of jobs, in the form of OpenTelemetry: a trace for each job, in it a span for each run of one
of its workflows, in that a span for each step, and in a step one for each call of a model.

Spans hold names of our own, numbers and classes of errors, never text of a request, a thread, a
repository or a model. A collector that does not answer holds up nothing: spans wait in a queue, and
are dropped if it is full.

This is the only module that imports opentelemetry, and only workers do it, if traces are on.
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context

from bot.errors import Cancelled
from bot.types import Reply
from bot.version import version

SEND_TIMEOUT_S = 5.0
SEND_EVERY_S = 2.0
MAX_WAITING = 2_048
"""Spans that wait to be sent: some megabytes."""
MAX_AT_ONCE = 256
CLOSE_S = 2.0
MAX_CHARS = 200
"""Of an attribute, and of a message about a failure."""
_MODEL_NAME = re.compile(r"[\w.:/@+-]{1,100}", re.ASCII)
"""Its server may send any text as the model's name."""

_current: ContextVar[Span | None] = ContextVar("span", default=None)
_trace_id: ContextVar[int | None] = ContextVar("trace id", default=None)


def open_traces(
    endpoint: str, *, headers: Mapping[str, str], service: str, warn: Callable[[str], None]
) -> JobTraces:
    """Traces that are sent to the collector at `endpoint`, by OTLP over HTTP. `warn` is given the
    SDK's own warnings and errors."""
    logger = logging.getLogger("opentelemetry")
    logger.handlers, logger.propagate = [_Warnings(warn)], False
    exporter = OTLPSpanExporter(endpoint, headers=headers, timeout=SEND_TIMEOUT_S)
    sender = BatchSpanProcessor(
        exporter,
        max_queue_size=MAX_WAITING,
        schedule_delay_millis=SEND_EVERY_S * 1000,
        max_export_batch_size=MAX_AT_ONCE,
    )
    return JobTraces(sender, service)


class JobTraces:
    """A `bot.ports.Tracer` that gives each ended span to `processor`."""

    def __init__(self, processor: SpanProcessor, service: str) -> None:
        about = {"service.name": service, "service.version": version()}
        self._provider = TracerProvider(
            resource=Resource.create(about),
            id_generator=_JobIds(),
            span_limits=SpanLimits(max_span_attribute_length=MAX_CHARS),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("tinygen", version())

    @contextmanager
    def workflow(self, name: str, *, job_id: str, command: str) -> Iterator[None]:
        attributes = {"tinygen.job": job_id, "tinygen.workflow": name}
        if command:
            attributes["tinygen.command"] = command
        # A workflow that a step of another job starts inherits its context.
        outer, outer_id = _current.set(None), _trace_id.set(trace_id_of(job_id))
        try:
            with self._span(name, SpanKind.INTERNAL, attributes):
                yield
        finally:
            _current.reset(outer)
            _trace_id.reset(outer_id)

    def step(self, name: str) -> AbstractContextManager[object]:
        return self._span(name, SpanKind.INTERNAL, {"tinygen.step": name})

    @contextmanager
    def chat(self, model: str, base_url: str) -> Iterator[Callable[[Reply], None]]:
        url = urlsplit(base_url)
        attributes: dict[str, str | int] = {
            "gen_ai.operation.name": "chat",
            # The provider whose API it speaks; who runs the server is not known.
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": model,
            "server.address": url.hostname or "",
        }
        if url.port is not None:
            attributes["server.port"] = url.port
        with self._span(f"chat {model}", SpanKind.CLIENT, attributes) as span:
            yield lambda reply: _add_reply(span, reply)

    def close(self) -> None:
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(CLOSE_S)

    @contextmanager
    def _span(
        self, name: str, kind: SpanKind, attributes: Mapping[str, str | int]
    ) -> Iterator[Span]:
        """A span within the current one. It is kept apart from OpenTelemetry's own current span,
        which libraries would write into what they store and send."""
        parent = _current.get()
        context = Context() if parent is None else set_span_in_context(parent, Context())
        span = self._tracer.start_span(name, context, kind, attributes)
        token = _current.set(span)
        outcome = "ok"
        try:
            yield span
        except Cancelled:
            outcome = "cancelled"
            raise
        except BaseException as error:
            outcome = "failed"
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            _current.reset(token)
            span.set_attribute("tinygen.outcome", outcome)
            span.end()


def trace_id_of(job_id: str) -> int:
    """The id of the job's trace, which is the same in all its workflows and after a restart."""
    return int.from_bytes(hashlib.sha256(job_id.encode()).digest()[:16], "big")


class _JobIds(RandomIdGenerator):
    def generate_trace_id(self) -> int:
        return _trace_id.get() or super().generate_trace_id()


class _Warnings(logging.Handler):
    def __init__(self, warn: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._warn = warn

    def emit(self, record: logging.LogRecord) -> None:
        self._warn(record.getMessage()[:MAX_CHARS])


def _add_reply(span: Span, reply: Reply) -> None:
    if _MODEL_NAME.fullmatch(reply.model):
        span.set_attribute("gen_ai.response.model", reply.model)
    span.set_attributes(
        {
            "gen_ai.response.finish_reasons": (reply.finish,),
            "gen_ai.usage.input_tokens": reply.prompt_tokens,
            "gen_ai.usage.cache_read.input_tokens": reply.cached_tokens,
            "gen_ai.usage.output_tokens": reply.completion_tokens,
        }
    )
