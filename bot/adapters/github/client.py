"""Requests to GitHub: limited in time, repeated only if that is safe, and waiting for rate limits.

githubkit signs for the App and configures the HTTP client. Its own `request` is not used: it
repeats POSTs, waits for rate limits without an upper bound, misses secondary limits that come
without `Retry-After`, and fails on a `Retry-After` that is no whole number.
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
    certificate_error,
    error_for,
    rate_limit_error,
    rate_limit_wait_s,
    retry_after_s,
)
from bot.adapters.http import ACCEPT_ENCODING, bound_body, bound_time, encode_text
from bot.errors import OutsideError
from bot.ports import MetricsSink, NoMetrics

if TYPE_CHECKING:
    from githubkit import GitHub, UnauthAuthStrategy

Schema = TypeVar("Schema", bound=BaseModel)

_MAX_ATTEMPTS = 4
_BACKOFF_S = (1.0, 2.0, 4.0)
_MAX_WAIT_S = 120.0
"""The most that one request waits in all between its attempts; beyond it, the job waits instead."""
_MAX_LIMITS = 1_000
_CONNECT_TIMEOUT_S = 5.0
_MAX_REDIRECTS = 3
_MAX_PAGES = 100
"""Of 100 items each: four times the comments that an issue may have."""
_MAX_ANSWER_BYTES = 64 << 20
"""100 comments of the greatest length, in three forms and mostly escaped, are 60 MB."""
_CHUNK_BYTES = 64 * 1024
_MAX_TAIL_CHUNKS = 1_000
"""A longer log is not read to its end. In bytes it is less than `_MAX_ANSWER_BYTES`, beyond which
reading fails."""
_MAX_PARAM_CHARS = 1_000
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_HEADERS = {"X-GitHub-Api-Version": "2022-11-28", "Content-Type": "application/json"}
"""https://docs.github.com/en/rest/about-the-rest-api/api-versions"""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request. `purpose` completes "TinyGen could not ..."."""

    method: str
    path: str
    purpose: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    json: object = None
    idempotent: bool = True
    """Whether sending it twice does the same as sending it once."""
    accept: str = ""
    """The media type to ask for, if not the API's own."""
    expects_redirect: bool = False
    """Whether a redirect to another server is the answer, not a failure."""


class Credentials(Protocol):
    def token(self, refused: str | None = None) -> str | None:
        """What to send; None for nothing. `refused` was answered with 401: another token if there
        can be one."""


class Transport:
    """The connections to one GitHub server, and its rate limits; shared by all threads. `close` it
    at the end."""

    def __init__(
        self,
        api_url: str,
        *,
        timeout_s: float,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
        metrics: MetricsSink | None = None,
        max_limit_wait_s: float = _MAX_WAIT_S,
    ) -> None:
        """`max_limit_wait_s` is the longest rate limit that a request itself waits for; a longer
        one is raised at once, with its length."""
        self.api_url = api_url.rstrip("/")
        self.max_limit_wait_s = max_limit_wait_s
        self.sleep = sleep
        self.clock = clock
        self.metrics = metrics or NoMetrics()
        self._timeout = httpx.Timeout(timeout_s, connect=min(_CONNECT_TIMEOUT_S, timeout_s))
        self._lock = threading.RLock()
        self._resources = ExitStack()
        self._githubkit: GitHub[UnauthAuthStrategy] | None = None
        self._client: httpx.Client | None = None
        self._limit_ends: dict[str, float] = {}

    def githubkit(self) -> GitHub[UnauthAuthStrategy]:
        """The library, without the defaults that do not suit a long-lived worker."""
        from githubkit import GitHub
        from githubkit.cache import MemCacheStrategy

        with self._lock:
            if self._githubkit is None:
                self._githubkit = GitHub(
                    None,
                    base_url=self.api_url,
                    user_agent="TinyGen",
                    follow_redirects=False,
                    timeout=self._timeout,
                    # The default cache is shared by all servers of the process.
                    cache_strategy=MemCacheStrategy(),
                    # With it no timeout works: https://github.com/karpetrosyan/hishel/issues/484
                    http_cache=False,
                    auto_retry=False,
                    event_hooks={"response": [bound_body(_MAX_ANSWER_BYTES)]},
                )
            return self._githubkit

    def send_once(self, request: ApiRequest, token: str | None) -> httpx.Response:
        """The answer to one request, whatever its status. Redirects within the server are followed
        with the same method."""
        headers = {**_HEADERS, **_authorization(token)}
        if request.accept:
            headers["Accept"] = request.accept
        content = None
        if request.json is not None:
            content = encode_text(json.dumps(request.json, ensure_ascii=False))
        client = self._open_client()
        url = self._base_url(request) + request.path
        response = client.request(
            request.method, url, params=request.params, content=content, headers=headers
        )
        for _ in range(_MAX_REDIRECTS):
            redirected = response.next_request
            if redirected is None or redirected.url.host != response.url.host:
                break
            # httpx makes a GET of a redirected POST, as browsers do; the answer to it would be
            # taken for the thing created.
            if redirected.method != request.method:
                break
            response = client.send(redirected)
        remaining = response.headers.get("X-RateLimit-Remaining", "")
        if remaining.isdecimal() and len(remaining) < 10:
            self.metrics.github_left(int(remaining))
        return response

    def remember_limit(self, request: ApiRequest, wait_s: float) -> None:
        """Until the limit ends no job sends the same request again, which would extend it."""
        ends = self.clock() + wait_s
        with self._lock:
            if len(self._limit_ends) >= _MAX_LIMITS:
                self._limit_ends.clear()  # a forgotten limit costs one request
            self._limit_ends[f"{request.method} {request.path}"] = ends

    def limit_left_s(self, request: ApiRequest) -> float:
        """How long the known limit of this request still lasts; 0 without one."""
        ends = self._limit_ends.get(f"{request.method} {request.path}", 0.0)
        return max(ends - self.clock(), 0.0)

    def _base_url(self, request: ApiRequest) -> str:
        """On Enterprise Server, GraphQL has no version in its path.
        https://docs.github.com/en/enterprise-server/graphql/guides/forming-calls-with-graphql"""
        if request.path == "/graphql":
            return self.api_url.removesuffix("/v3")
        return self.api_url

    def read_tail(self, url: str, purpose: str, *, max_bytes: int) -> bytes:
        """The last bytes of a file to which GitHub redirected. It is on another server, so no token
        is sent."""
        tail = b""
        with self.open_stream(url, purpose) as response:
            if not response.is_success:
                message = f"TinyGen could not {purpose}: {response.status_code}."
                raise OutsideError(message, next_step=TRY_LATER)
            for count, chunk in enumerate(response.iter_bytes(_CHUNK_BYTES)):
                if count == _MAX_TAIL_CHUNKS:
                    break
                tail = (tail + chunk)[-max_bytes:]
        return tail

    @contextmanager
    def open_stream(
        self, url: str, purpose: str, token: str | None = None
    ) -> Iterator[httpx.Response]:
        """An answer from outside the API, whatever its status, to be read in chunks. No redirect is
        followed."""
        try:
            with self._open_client().stream("GET", url, headers=_authorization(token)) as response:
                yield response
        except httpx.HTTPError as failure:
            message = f"TinyGen could not {purpose} ({type(failure).__name__})."
            raise OutsideError(message, next_step=TRY_LATER) from None

    def _open_client(self) -> httpx.Client:
        """One client for all requests and threads: githubkit would make one, with new connections,
        per request or per thread."""
        github = self.githubkit()
        with self._lock:
            if self._client is None:
                self._client = self._resources.enter_context(github.get_sync_client())
                self._client.headers["Accept-Encoding"] = ACCEPT_ENCODING
                bound_time(self._client)
            return self._client

    def close(self) -> None:
        with self._lock:
            self._resources.close()
            self._client = None


class ApiClient:
    """Requests with one kind of credentials."""

    def __init__(self, transport: Transport, credentials: Credentials) -> None:
        self._transport = transport
        self._credentials = credentials

    def send(self, request: ApiRequest) -> httpx.Response:
        """A successful answer, or an error of `bot.errors`. UnclearOutcome only if the request is
        not idempotent."""
        limit_left_s = self._transport.limit_left_s(request)
        if limit_left_s > self._transport.max_limit_wait_s:
            raise rate_limit_error(request.purpose, limit_left_s)
        retries = _Retries(self._transport, request)
        token = self._credentials.token()
        is_renewed = False
        while True:
            response = self._attempt(request, token, retries)
            if response is None:
                continue
            is_redirect = request.expects_redirect and response.has_redirect_location
            if response.is_success or is_redirect:
                return response
            error = error_for(response, request.purpose, token)
            if response.status_code != 401:
                raise error
            if is_renewed:  # not all of GitHub knows a new token at once
                retries.wait_after_failure(error.message, may_have_acted=False)
                continue
            refused = token
            token = self._credentials.token(refused=refused)
            is_renewed = True
            if token == refused:
                raise error

    def read(self, schema: type[Schema], request: ApiRequest) -> Schema:
        """The answer's body, validated."""
        return parse_response(schema, request, self.send(request))

    def read_pages(
        self, schema: type[Schema], request: ApiRequest, *, newest_first: bool = False
    ) -> Iterator[Schema]:
        """All pages of a list, 100 items each, but no page that was added meanwhile."""
        first = replace(request, params={**request.params, "per_page": 100})
        response = self.send(first)
        others = range(2, _last_page(response) + 1)
        if newest_first:
            for number in reversed(others[-_MAX_PAGES:]):
                yield self._read_page(schema, first, number)
            yield parse_response(schema, request, response)
        else:
            yield parse_response(schema, request, response)
            for number in others[:_MAX_PAGES]:
                yield self._read_page(schema, first, number)

    def _read_page(self, schema: type[Schema], first: ApiRequest, number: int) -> Schema:
        return self.read(schema, replace(first, params={**first.params, "page": number}))

    def sleep(self, seconds: float) -> None:
        self._transport.sleep(seconds)

    def _attempt(
        self, request: ApiRequest, token: str | None, retries: _Retries
    ) -> httpx.Response | None:
        """The answer, or None after a wait, if the request is to be sent again."""
        try:
            response = self._transport.send_once(request, token)
        except httpx.HTTPError as failure:
            if "CERTIFICATE_VERIFY_FAILED" in str(failure):
                raise certificate_error(request.purpose) from None
            message = (
                f"TinyGen could not {request.purpose}: GitHub did not answer"
                f" ({type(failure).__name__})."
            )
            was_sent = not isinstance(failure, _NOT_SENT)
            retries.wait_after_failure(message, may_have_acted=was_sent)
            return None
        now = self._transport.clock()
        limit_s = rate_limit_wait_s(response, now, failures=retries.failures)
        if limit_s is not None:
            retries.wait_for_limit(limit_s)
            return None
        if response.status_code >= 500:
            message = error_for(response, request.purpose, token).message
            requested_s = retry_after_s(response, now) or 0.0
            retries.wait_after_failure(message, may_have_acted=True, requested_s=requested_s)
            return None
        return response


class _Retries:
    """How often one request may still be sent again, and how long it may still wait for that. Each
    method waits, or raises the error if no attempt or time is left."""

    def __init__(self, transport: Transport, request: ApiRequest) -> None:
        self._transport = transport
        self._request = request
        self._left_s = _MAX_WAIT_S
        self._limit_left_s = transport.max_limit_wait_s
        self.failures = 0

    def wait_for_limit(self, wait_s: float) -> None:
        """A limit may last an hour, and the wait holds a thread that other jobs need."""
        error = rate_limit_error(self._request.purpose, wait_s)
        self._transport.remember_limit(self._request, wait_s)
        if wait_s > self._limit_left_s:
            raise error
        self._limit_left_s -= wait_s
        self._wait(wait_s, error)

    def wait_after_failure(
        self, message: str, *, may_have_acted: bool, requested_s: float = 0.0
    ) -> None:
        """`requested_s` is the wait that GitHub asked for, 0 if none."""
        if may_have_acted and not self._request.idempotent:
            raise UnclearOutcome(message, next_step=TRY_LATER)
        error = OutsideError(message, next_step=TRY_LATER, retry_in_s=requested_s or None)
        if requested_s > self._limit_left_s:
            raise error
        backoff_s = _BACKOFF_S[min(self.failures, len(_BACKOFF_S) - 1)]
        self._wait(requested_s or backoff_s, error)

    def _wait(self, seconds: float, error: OutsideError) -> None:
        self.failures += 1
        if self.failures == _MAX_ATTEMPTS or seconds > self._left_s:
            raise error
        self._left_s -= seconds
        self._transport.sleep(seconds)
        self._transport.metrics.retried("github")


def _authorization(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def parse_response(schema: type[Schema], request: ApiRequest, response: httpx.Response) -> Schema:
    """The answer's body, validated."""
    try:
        return schema.model_validate_json(response.content)
    except ValidationError as invalid:
        message = (
            f"TinyGen could not {request.purpose}: GitHub's answer has an unknown form"
            f" ({invalid.error_count()} faults)."
        )
        step = "Check that GITHUB_API_URL is GitHub's API, then try again."
        error_type = OutsideError if request.idempotent else UnclearOutcome
        raise error_type(message, next_step=step) from None


def parse_link_param(response: httpx.Response, relation: str, name: str) -> str | None:
    """A parameter of the address of another page of a list; None if there is no such page, or its
    address cannot be read.
    https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api"""
    url = response.links.get(relation, {}).get("url", "")
    try:
        value = httpx.URL(url).params.get(name)
    except (httpx.InvalidURL, ValueError):
        return None
    return value if value and len(value) <= _MAX_PARAM_CHARS else None


def _last_page(response: httpx.Response) -> int:
    page = parse_link_param(response, "last", "page") or "1"
    return int(page) if page.isdecimal() and len(page) < 10 else 1
