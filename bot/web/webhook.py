"""`POST /webhook`: takes GitHub's deliveries. One costs a signature, a small parse and one committed
row."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import request
from flask_openapi3.openapi import OpenAPI
from werkzeug.exceptions import RequestEntityTooLarge

from bot.config import Config
from bot.ports import Inbox
from bot.thread.webhooks import Ignored, parse_job, read_delivery, verify_signature
from bot.web import call_log
from bot.web.calls import accept, now_text
from bot.web.problems import Unauthorized

MAX_BODY_BYTES = 25 * 1024 * 1024
"""GitHub's own limit.
https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap"""
_SIGNATURE = re.compile(r"sha256=[0-9a-fA-F]{64}", re.ASCII)


class Receiver:
    def __init__(self, config: Config, inbox: Inbox, note_delivery: Callable[[], None]) -> None:
        self._inbox, self._note_delivery = inbox, note_delivery
        secrets = (config.github_webhook_secret, config.github_webhook_secret_old)
        self._secrets = [secret.get_secret_value() for secret in secrets if secret]
        self._app_id = config.github_app_id or 0
        self._triggers = config.triggers()

    def receive(self) -> tuple[dict[str, str], int]:
        signature = request.headers.get("X-Hub-Signature-256", "")
        # The body of a request without even the form of a signature is not kept in memory.
        is_signed = bool(_SIGNATURE.fullmatch(signature))
        body = request.get_data(cache=False) if is_signed else b""
        if (len(body) if is_signed else _passed_over_bytes()) > MAX_BODY_BYTES:
            raise RequestEntityTooLarge
        # With each secret, so that the time does not tell which one is right.
        matches = [verify_signature(each, body, signature) for each in self._secrets]
        if not any(matches):
            raise Unauthorized(
                "The signature is missing or wrong. Use the App's webhook secret on both sides."
            )
        headers = request.headers
        delivery = read_delivery(
            headers.get("X-GitHub-Event"), headers.get("X-GitHub-Delivery"), body
        )
        job = parse_job(
            delivery, app_id=self._app_id, received_at=now_text(), triggers=self._triggers
        )
        self._note_delivery()
        if isinstance(job, Ignored):
            call_log.log_ignored(delivery, job)
            return {"ignored": job.reason}, 200
        accept(self._inbox, job)
        return {"job": job.id}, 202


def add_webhook(
    app: OpenAPI, config: Config, inbox: Inbox, note_delivery: Callable[[], None]
) -> None:
    """`note_delivery` is called for each signed delivery, before it is stored."""
    receiver = Receiver(config, inbox, note_delivery)

    @app.post("/webhook", doc_ui=False)
    def webhook() -> tuple[dict[str, str], int]:
        return receiver.receive()


def _passed_over_bytes() -> int:
    """Reads the body without keeping it; its size."""
    size_bytes = 0
    while piece := request.stream.read(1 << 16):
        size_bytes += len(piece)
    return size_bytes
