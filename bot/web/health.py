"""`/healthz`, `/readyz` and `/metrics`, for load balancers and monitoring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from flask import Response
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, Field
from werkzeug.exceptions import ServiceUnavailable

from bot.ports import ALIVE_S, Workers
from bot.web.callers import Callers, is_local
from bot.web.reference.examples import EXAMPLE_METRICS
from bot.web.reference.responses import HEALTH, NO_KEY, problems, success

_NO_WORKER = (
    "No worker was alive within the last minute. Start one, or see its log: commands are kept until"
    " then."
)
_METRICS: dict[str, object] = {
    "description": "In Prometheus' text format.",
    "content": {"text/plain": {"schema": {"type": "string"}, "example": EXAMPLE_METRICS}},
}


class Alive(BaseModel):
    """That the process can serve."""

    status: Literal["ok"]


class Ready(BaseModel):
    """That commands are worked on."""

    status: Literal["ready"]
    workers: int = Field(description="Those that were alive within the last minute.")


def add_health(
    app: OpenAPI, workers: Workers, callers: Callers, metrics: Callable[[], bytes]
) -> None:
    """`metrics` gives the text of `/metrics`."""

    @app.get(
        "/healthz",
        tags=[HEALTH],
        operation_id="health",
        summary="Whether the process can serve",
        description="Needs no key, and asks nothing else.",
        security=NO_KEY,
        responses={"200": success(Alive, "It can.", {"status": "ok"}), **problems()},
    )
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(
        "/readyz",
        tags=[HEALTH],
        operation_id="readiness",
        summary="Whether commands are worked on",
        description="Needs no key. The database answers, and a worker was alive a minute ago.",
        security=NO_KEY,
        responses={
            "200": success(Ready, "They are.", {"status": "ready", "workers": 1}),
            **problems(503, details={503: _NO_WORKER}),
        },
    )
    def readyz() -> dict[str, str | int]:
        alive = workers.alive(ALIVE_S)
        if not alive:
            raise ServiceUnavailable(_NO_WORKER)
        return {"status": "ready", "workers": len(alive)}

    @app.get(
        "/metrics",
        tags=[HEALTH],
        operation_id="metrics",
        summary="Counters and gauges for Prometheus",
        description="For any key, and without one for programs on the same machine.",
        security=[{"bearerKey": []}, *NO_KEY],
        responses={"200": _METRICS, **problems(401, 503)},
    )
    def show_metrics() -> Response:
        if not is_local():  # any key will do, and none is needed on this machine
            callers.require_runner()
        return Response(metrics(), content_type="text/plain; version=0.0.4; charset=utf-8")
