"""Faults between GitHub and its clients, which a test orders."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.doubles.server import Request, Response


@dataclass(frozen=True, slots=True)
class Fault:
    """The answer is `status` with `body`; `drop` closes the connection instead; neither: the true
    answer, late.

    With `acts` the request takes effect before its answer is lost, which is what makes a blind
    repeat harmful.
    """

    status: int | None = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    acts: bool = False
    delay_s: float = 0.0

    @property
    def is_true(self) -> bool:
        return self.status is None and not self.drop

    @property
    def answer(self) -> Response | None:
        """None: the connection closes."""
        if self.status is None:
            return None
        kind = "text/html" if self.body.startswith(b"<") else "application/json; charset=utf-8"
        return Response(self.status, self.body, {"Content-Type": kind, **self.headers})


def _message(text: str) -> bytes:
    return b'{"message": "%s", "documentation_url": "https://docs.github.com/rest"}' % text.encode()


def bad_gateway(*, acts: bool = False) -> Fault:
    return Fault(502, b"<html><head><title>502 Bad Gateway</title></head></html>", acts=acts)


def unavailable(*, retry_after_s: int | None = None) -> Fault:
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return Fault(503, b"<html><body>No server is currently available</body></html>", headers)


def secondary_limit(*, status: int = 403, retry_after_s: int | None = None) -> Fault:
    """https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits"""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return Fault(
        status,
        _message("You have exceeded a secondary rate limit. Please wait a few minutes."),
        headers,
    )


def primary_limit(*, reset_at_s: float, status: int = 403) -> Fault:
    headers = {
        "Limit": "5000",
        "Remaining": "0",
        "Used": "5000",
        "Reset": str(int(reset_at_s)),
        "Resource": "core",
    }
    named = {f"X-RateLimit-{name}": value for name, value in headers.items()}
    return Fault(status, _message("API rate limit exceeded for installation."), named)


def unauthorized() -> Fault:
    return Fault(401, _message("Bad credentials"))


def dropped(*, acts: bool = False) -> Fault:
    return Fault(drop=True, acts=acts)


def delayed(seconds: float) -> Fault:
    return Fault(delay_s=seconds, acts=True)


@dataclass(slots=True)
class Order:
    fault: Fault
    method: str
    path: re.Pattern[str]
    left: int
    met: int = 0
    """How many requests got this fault."""


class Faults:
    """The ordered faults, oldest first. Each request gets one fault at most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: list[Order] = []

    def add(self, fault: Fault, *, method: str = "", path: str = "", times: int = 1) -> Order:
        """The next `times` requests of that method (any, if empty) whose path the regex `path` is
        found in."""
        order = Order(fault, method, re.compile(path), times)
        with self._lock:
            self._orders.append(order)
        return order

    def clear(self) -> None:
        with self._lock:
            self._orders.clear()

    def meet(self, request: Request) -> Fault | None:
        with self._lock:
            for order in self._orders:
                if (
                    order.left
                    and order.method in ("", request.method)
                    and order.path.search(request.path)
                ):
                    order.left -= 1
                    order.met += 1
                    return order.fault
        return None
