"""Webhook deliveries: their payloads and signatures, and the answers of the Apps."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.doubles.github import payloads
from tests.doubles.github.repository import Repository
from tests.doubles.github.state import App, Installation, Json, User, World, iso

PATIENCE_S = 10.0
"""https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries"""
ALWAYS_SENT = frozenset(
    {"installation", "installation_repositories", "github_app_authorization", "ping"}
)


@dataclass(eq=False)
class Delivery:
    """One attempt to deliver an event to an App. `body` and `headers` are what was (or, without a webhook URL,
    would be) sent; `status_code` is 0 where no answer came, and `problem` says why."""

    id: int
    guid: str
    app: App
    event: str
    payload: Json
    body: bytes
    headers: dict[str, str]
    delivered_at_s: float
    redelivery: bool = False
    status_code: int = 0
    problem: str = ""
    answer: bytes = b""
    answer_headers: dict[str, str] = field(default_factory=dict)
    duration_s: float = 0.0
    future: Future[None] | None = None

    @property
    def is_finished(self) -> bool:
        return self.future is None or self.future.done()

    def json(self) -> Any:
        """What the App answered."""
        return json.loads(self.answer)


def sign(secret: str, body: bytes) -> str:
    """https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Post:
    """Makes the deliveries and sends them, eight at a time. An App without a webhook URL is sent
    nothing, but what it would have been sent is recorded."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._senders = ThreadPoolExecutor(8, thread_name_prefix="webhooks")
        self._here = threading.local()
        self.deliveries: list[Delivery] = []

    @contextmanager
    def in_background(self) -> Iterator[None]:
        """Within, no call waits for a delivery: while the double answers a request of the App, the App
        may not be able to take one."""
        self._here.in_background = True
        try:
            yield
        finally:
            self._here.in_background = False

    def emit(self, repo: Repository, sender: User, event: str, part: Json) -> None:
        """Delivers `event` to every App that is subscribed to it and installed on the repository."""
        for installation in list(self._world.installations.values()):
            if (
                installation.covers(repo)
                and event in installation.app.events
                and not installation.suspended
            ):
                whole = payload(
                    self._world,
                    installation,
                    sender,
                    {**part, "repository": payloads.repository(repo)},
                )
                self.deliver(installation.app, event, whole)

    def deliver(self, app: App, event: str, whole: Json, *, guid: str | None = None) -> Delivery:
        return self._send(
            app, event, whole, json.dumps(whole).encode(), guid=guid or str(uuid.uuid4())
        )

    def redeliver(self, earlier: Delivery) -> Delivery:
        """The same bytes under the same GUID, as a new attempt."""
        return self._send(
            earlier.app,
            earlier.event,
            earlier.payload,
            earlier.body,
            guid=earlier.guid,
            redelivery=True,
        )

    def settle(self) -> None:
        """Returns when every delivery so far was answered or failed."""
        for delivery in list(self.deliveries):
            if delivery.future:
                delivery.future.result()

    def close(self) -> None:
        self._senders.shutdown(wait=True, cancel_futures=True)

    def _send(
        self, app: App, event: str, whole: Json, body: bytes, *, guid: str, redelivery: bool = False
    ) -> Delivery:
        delivery = Delivery(
            id=next(self._world.ids),
            guid=guid,
            app=app,
            event=event,
            payload=whole,
            body=body,
            headers=_headers(app, event, body, guid),
            delivered_at_s=self._world.clock(),
            redelivery=redelivery,
        )
        self.deliveries.append(delivery)
        if app.webhook_url:
            delivery.future = self._senders.submit(_attempt, delivery, app.webhook_url)
            if not getattr(self._here, "in_background", False):
                delivery.future.result()
        return delivery


def payload(world: World, installation: Installation, sender: User, part: Json) -> Json:
    """`part` with what every payload of an App carries."""
    of = {"id": installation.id, "node_id": payloads.node_id("IN", installation.id)}
    return {**part, "sender": payloads.user(world, sender), "installation": of}


def _headers(app: App, event: str, body: bytes, guid: str) -> dict[str, str]:
    headers = {
        "User-Agent": "GitHub-Hookshot/0000000",
        "Accept": "*/*",
        "Content-Type": "application/json",
        "X-GitHub-Delivery": guid,
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": str(app.id + 400_000_000),
        "X-GitHub-Hook-Installation-Target-ID": str(app.id),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
    }
    if app.webhook_secret:
        headers["X-Hub-Signature-256"] = sign(app.webhook_secret, body)
    return headers


def _attempt(delivery: Delivery, url: str) -> None:
    parts, began = urlsplit(url), time.monotonic()
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    try:
        connection.request("POST", parts.path or "/", delivery.body, delivery.headers)
        answer = connection.getresponse()
        delivery.answer = answer.read()
        delivery.answer_headers = dict(answer.getheaders())
        delivery.status_code = answer.status
    except (OSError, http.client.HTTPException) as error:
        delivery.problem = (
            "timed out" if isinstance(error, TimeoutError) else "failed to connect to host"
        )
    finally:
        delivery.duration_s = time.monotonic() - began
        connection.close()


def delivery_item(of: Delivery) -> Json:
    """As `/app/hook/deliveries` lists it."""
    ok = 200 <= of.status_code < 400
    failed = of.problem or f"Invalid HTTP Response: {of.status_code}"
    return {
        "id": of.id,
        "guid": of.guid,
        "delivered_at": iso(of.delivered_at_s),
        "redelivery": of.redelivery,
        "duration": round(of.duration_s, 2),
        "status": "OK" if ok else failed,
        "status_code": of.status_code,
        "event": of.event,
        "action": of.payload.get("action"),
        "installation_id": of.payload.get("installation", {}).get("id"),
        "repository_id": of.payload.get("repository", {}).get("id"),
        "throttled_at": None,
    }


def delivery(of: Delivery) -> Json:
    return {
        **delivery_item(of),
        "url": of.app.webhook_url or "",
        "request": {"headers": of.headers, "payload": of.payload},
        "response": {"headers": of.answer_headers, "payload": of.answer.decode("utf-8", "replace")},
    }
