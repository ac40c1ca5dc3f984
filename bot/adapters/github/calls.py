"""Requests to GitHub as they must be made: bounded in time, repeated only where that is safe,
patient with limits.

githubkit signs for the App and holds the HTTP client. Its own `request` is not used: it repeats
POSTs, waits for rate limits without a bound, misses secondary limits that come without
`Retry-After`, and fails on a `Retry-After` that is no whole number.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from bot.adapters.github.errors import (
    TRY_LATER,
    UnclearOutcome,
    error_for,
    limit_error,
    limit_wait_s,
    retry_after_s,
    untrusted_error,
)
from bot.adapters.http import ACCEPT_ENCODING, bound_body, bound_time
from bot.errors import OutsideError
from bot.ports import MetricsSink, NoMetrics

if TYPE_CHECKING:
    from githubkit import GitHub, UnauthAuthStrategy

    Kit = GitHub[UnauthAuthStrategy]

Shape = TypeVar("Shape", bound=BaseModel)

_TRIES = 4
_BACKOFF_S = (1.0, 2.0, 4.0)
_PATIENCE_S = 120.0
"""The most that one call waits for outages together, in seconds; beyond it, the job waits
instead."""
_KEPT_LIMITS = 1_000
_CONNECT_S = 5.0
_REDIRECTS = 3
_PAGES = 100
"""Of 100 items each: four times what an issue may hold in comments."""
_MAX_BYTES = 64 << 20
"""Of one answer: 100 comments of the greatest length, in three forms and mostly escaped, are 60
MB."""
_CHUNK_BYTES = 64 * 1024
_MAX_CHUNKS = 1_000
"""Nobody reads more of a log to see its end. It is less than `_MAX_BYTES`, which would be a
failure."""
_LONGEST_PARAM_CHARS = 1_000
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_HEADERS = {"X-GitHub-Api-Version": "2022-11-28", "Content-Type": "application/json"}
"""https://docs.github.com/en/rest/about-the-rest-api/api-versions"""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `doing` completes "TinyGen could not ...". `repeatable`: doing it twice is as
    good as once."""

    method: str
    path: str
    doing: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    json: object = None
    repeatable: bool = True
    accept: str = ""
    """The media type that is asked for, where it is not the API's own."""
    leads_elsewhere: bool = False
    """Whether a redirect to another server is the answer, not a failure."""


class Credentials(Protocol):
    def token(self, refused: str | None = None) -> str | None:
        """What to send, None for nothing. `refused` was answered with 401: another one where one
        can be had."""


class Server:
    """One GitHub server's connections, shared by all threads. `close` it, or leave its `with`."""

    def __init__(
        self,
        api_url: str,
        *,
        timeout_s: float,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
        watch: MetricsSink | None = None,
        limit_patience_s: float = _PATIENCE_S,
    ) -> None:
        """`limit_patience_s`: for how long a call waits for a limit itself, before it gives up and
        says how long."""
        self.api_url = api_url.rstrip("/")
        self.limit_patience_s = limit_patience_s
        self.sleep = sleep
        self.clock = clock
        self.watch = watch or NoMetrics()
        self._timeout = httpx.Timeout(timeout_s, connect=min(_CONNECT_S, timeout_s))
        self._lock = threading.RLock()
        self._open = ExitStack()
        self._kit: Kit | None = None
        self._client: httpx.Client | None = None
        self._limited_until: dict[str, float] = {}

    def kit(self) -> Kit:
        """githubkit with nothing left to its defaults that a long-lived worker would regret."""
        from githubkit import GitHub
        from githubkit.cache import MemCacheStrategy

        with self._lock:
            if self._kit is None:
                self._kit = GitHub(
                    None,
                    base_url=self.api_url,
                    user_agent="TinyGen",
                    follow_redirects=False,
                    timeout=self._timeout,
                    cache_strategy=MemCacheStrategy(),  # the default one is shared by all servers of the process
                    http_cache=False,  # with it, no timeout is honoured: github.com/karpetrosyan/hishel/issues/484
                    auto_retry=False,
                    event_hooks={"response": [bound_body(_MAX_BYTES)]},
                )
            return self._kit

    def exchange(self, call: Call, token: str | None) -> httpx.Response:
        """One request and its answer, whatever it is; redirects within the server are followed,
        verb and all."""
        headers = {
            **_HEADERS,
            **_authorization(token),
            **({"Accept": call.accept} if call.accept else {}),
        }
        client, url = self._shared_client(), self._root(call) + call.path
        response = client.request(
            call.method, url, params=call.params, content=_encoded(call.json), headers=headers
        )
        for _ in range(_REDIRECTS):
            onward = response.next_request
            # httpx makes a GET of a redirected POST, as browsers do: its answer would pass for the
            # thing created
            if (
                onward is None
                or onward.method != call.method
                or onward.url.host != response.url.host
            ):
                break
            response = client.send(onward)
        left = response.headers.get("X-RateLimit-Remaining", "")
        if left.isdecimal() and len(left) < 10:
            self.watch.github_left(int(left))
        return response

    def limited(self, call: Call, wait_s: float) -> None:
        """Remembers a limit: until it ends the same is not asked again, by any job, which would
        make it longer."""
        now = self.clock()
        with self._lock:
            if len(self._limited_until) >= _KEPT_LIMITS:
                self._limited_until.clear()  # they are met again, at the price of a request each
            self._limited_until[f"{call.method} {call.path}"] = now + wait_s

    def limit_left_s(self, call: Call) -> float:
        """For how long GitHub does not want to be asked this; 0 where it did not say so."""
        return max(self._limited_until.get(f"{call.method} {call.path}", 0.0) - self.clock(), 0.0)

    def _root(self, call: Call) -> str:
        """On Enterprise Server GraphQL stands beside the REST API's version.
        https://docs.github.com/en/enterprise-server/graphql/guides/forming-calls-with-graphql"""
        return self.api_url.removesuffix("/v3") if call.path == "/graphql" else self.api_url

    def tail(self, url: str, doing: str, *, max_bytes: int) -> bytes:
        """The last bytes of a file that GitHub led to: elsewhere, so no token is sent."""
        kept = b""
        with self.stream(url, doing) as response:
            if not response.is_success:
                raise OutsideError(
                    f"TinyGen could not {doing}: {response.status_code}.", next_step=TRY_LATER
                )
            for count, chunk in enumerate(response.iter_bytes(_CHUNK_BYTES)):
                if count == _MAX_CHUNKS:
                    break
                kept = (kept + chunk)[-max_bytes:]
        return kept

    @contextmanager
    def stream(self, url: str, doing: str, token: str | None = None) -> Iterator[httpx.Response]:
        """An answer from beside the API, whatever it is, to be read piece by piece; no redirect is
        followed."""
        try:
            with self._shared_client().stream(
                "GET", url, headers=_authorization(token)
            ) as response:
                yield response
        except httpx.HTTPError as fault:
            message = f"TinyGen could not {doing} ({type(fault).__name__})."
            raise OutsideError(message, next_step=TRY_LATER) from None

    def _shared_client(self) -> httpx.Client:
        """A client outlives the call, and serves every thread: githubkit makes a new one, with new
        connections, per request or per thread."""
        kit = self.kit()
        with self._lock:
            if self._client is None:
                self._client = self._open.enter_context(kit.get_sync_client())
                self._client.headers["Accept-Encoding"] = ACCEPT_ENCODING
                bound_time(self._client)
            return self._client

    def close(self) -> None:
        with self._lock:
            self._open.close()
            self._client = None


class Calls:
    """Requests under one kind of credentials."""

    def __init__(self, server: Server, credentials: Credentials) -> None:
        self._server = server
        self._credentials = credentials

    def send(self, call: Call) -> httpx.Response:
        """A successful answer, or an error of `bot.errors`. UnclearOutcome only where `call` is not
        repeatable."""
        if (left_s := self._server.limit_left_s(call)) > self._server.limit_patience_s:
            raise limit_error(call.doing, left_s)
        patience = _Patience(self._server)
        token, renewed = self._credentials.token(), False
        while True:
            response = self._attempt(call, token, patience)
            if response is None:
                continue
            if response.is_success or (call.leads_elsewhere and response.has_redirect_location):
                return response
            error = error_for(response, call.doing, token)
            if response.status_code != 401:
                raise error
            if renewed:  # not all of GitHub knows a new token at once
                patience.failed(call, error.message, acted=False)
                continue
            refused, token, renewed = token, self._credentials.token(refused=token), True
            if token == refused:
                raise error

    def read(self, shape: type[Shape], call: Call) -> Shape:
        """The answer's body, checked."""
        return checked(shape, call, self.send(call))

    def pages(
        self, shape: type[Shape], call: Call, *, newest_first: bool = False
    ) -> Iterator[Shape]:
        """All pages of a list, 100 items each; of a list that grows meanwhile, those that were
        there at the start."""
        first = replace(call, params={**call.params, "per_page": 100})
        response = self.send(first)
        others = range(2, _last_page(response) + 1)
        others = others[-_PAGES:] if newest_first else others[:_PAGES]
        if not newest_first:
            yield checked(shape, call, response)
        for page in reversed(others) if newest_first else others:
            yield self.read(shape, replace(first, params={**first.params, "page": page}))
        if newest_first:
            yield checked(shape, call, response)

    def pause(self, seconds: float) -> None:
        self._server.sleep(seconds)

    def _attempt(self, call: Call, token: str | None, patience: _Patience) -> httpx.Response | None:
        """The answer; None where another attempt is due, after the wait that it asks for."""
        try:
            response = self._server.exchange(call, token)
        except httpx.HTTPError as fault:
            if "CERTIFICATE_VERIFY_FAILED" in str(fault):
                raise untrusted_error(call.doing) from None
            message = (
                f"TinyGen could not {call.doing}: GitHub did not answer ({type(fault).__name__})."
            )
            patience.failed(call, message, acted=not isinstance(fault, _NEVER_SENT))
            return None
        now = self._server.clock()
        if (wait_s := limit_wait_s(response, now, met_before=patience.failures)) is not None:
            patience.limited(call, wait_s)
            return None
        if response.status_code >= 500:
            message = error_for(response, call.doing, token).message
            patience.failed(call, message, acted=True, asked_s=retry_after_s(response, now) or 0.0)
            return None
        return response


class _Patience:
    """What one call may still wait, and how often it may still fail."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._left_s = _PATIENCE_S
        self._limits_left_s = server.limit_patience_s
        self.failures = 0

    def limited(self, call: Call, wait_s: float) -> None:
        """A limit may end in an hour, and whoever waits holds a thread that others need."""
        self._server.limited(call, wait_s)
        if wait_s > self._limits_left_s:
            raise limit_error(call.doing, wait_s)
        self._limits_left_s -= wait_s
        self._wait(wait_s, limit_error(call.doing, wait_s))

    def failed(self, call: Call, message: str, *, acted: bool, asked_s: float = 0.0) -> None:
        """`acted`: GitHub may have done what was asked, though it did not say so."""
        if acted and not call.repeatable:
            raise UnclearOutcome(message, next_step=TRY_LATER)
        wait_s = asked_s or _BACKOFF_S[min(self.failures, len(_BACKOFF_S) - 1)]
        error = OutsideError(message, next_step=TRY_LATER, retry_in_s=asked_s or None)
        if asked_s > self._limits_left_s:
            raise error
        self._wait(wait_s, error)

    def _wait(self, seconds: float, error: OutsideError) -> None:
        self.failures += 1
        if self.failures == _TRIES or seconds > self._left_s:
            raise error
        self._left_s -= seconds
        self._server.sleep(seconds)
        self._server.watch.retried("github")


def _authorization(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _encoded(value: object) -> bytes | None:
    """Surrogates, which stand for bytes that are not UTF-8, become question marks: no request can
    hold them."""
    return (
        None if value is None else json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    )


def checked(shape: type[Shape], call: Call, response: httpx.Response) -> Shape:
    """The answer's body as `shape`."""
    try:
        return shape.model_validate_json(response.content)
    except ValidationError as odd:
        message = (
            f"TinyGen could not {call.doing}: GitHub's answer has an unknown form"
            f" ({odd.error_count()} faults)."
        )
        kind = OutsideError if call.repeatable else UnclearOutcome
        raise kind(
            message, next_step="Check that GITHUB_API_URL is GitHub's API, then try again."
        ) from None


def link_param(response: httpx.Response, to: str, name: str) -> str | None:
    """A parameter of the address of another page of the list; None where there is no such page, or
    no sense in it.
    https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api"""
    try:
        value = httpx.URL(response.links.get(to, {}).get("url", "")).params.get(name)
    except (httpx.InvalidURL, ValueError):
        return None
    return value if value and len(value) <= _LONGEST_PARAM_CHARS else None


def _last_page(response: httpx.Response) -> int:
    page = link_param(response, "last", "page") or "1"
    return int(page) if page.isdecimal() and len(page) < 10 else 1
