"""`/setup` after the restart: for the browser that set TinyGen up, until a day has passed."""

from __future__ import annotations

import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from bot.types.pages import SetupRecord
from bot.web.setup.guard import COOKIE, session_digest
from bot.web.setup.progress import FirstDelivery
from tests.doubles.github.webhooks import sign
from tests.fakes import MemoryStatus
from tests.web.site import HOST, Browser, Site

SESSION = "session-of-the-set-up"
INSTALL = "https://github.com/apps/tinygen/installations/new"
RECORD = SetupRecord(
    session_digest(SESSION), urlsplit(HOST).netloc, INSTALL, int(time.time()) + 86_400
)
PING = b'{"zen": "Keep it logically awesome."}'


def browser_with(session: str, site: Site) -> Browser:
    browser = site.browser()
    if session:
        browser.client.set_cookie(COOKIE, session, domain=urlsplit(HOST).netloc, path="/setup")
    return browser


def deliver(site: Site, secret: str) -> int:
    headers = {
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": "d-1",
        "X-Hub-Signature-256": sign(secret, PING),
    }
    return site.app.test_client().post("/webhook", data=PING, headers=headers).status_code


def test_the_last_steps_are_shown_and_the_first_signed_delivery_ends_them() -> None:
    site = Site()
    site.status.save_setup(RECORD)
    browser = browser_with(SESSION, site)
    waiting = browser.get("/setup")
    assert waiting.status_code == 200
    assert INSTALL in waiting.text
    assert "none yet" in waiting.text
    assert deliver(site, "not-the-secret") == 401
    assert "none yet" in browser.get("/setup").text
    assert deliver(site, "hush-hush-secret") == 200
    received = browser.get("/setup").text
    assert "received" in received
    assert 'data-final="yes"' in received


def test_a_later_delivery_in_another_process_changes_nothing() -> None:
    status = MemoryStatus()
    FirstDelivery(status).note()
    assert status.last_setup is None
    status.save_setup(replace(RECORD, delivered_at="2026-01-01T00:00:00.000+00:00"))
    FirstDelivery(status).note()
    assert status.last_setup == replace(RECORD, delivered_at="2026-01-01T00:00:00.000+00:00")


@pytest.mark.parametrize(
    ("record", "cookie"),
    [
        (None, SESSION),
        (RECORD, ""),
        (RECORD, "of-somebody-else"),
        (replace(RECORD, expires_at_s=int(time.time()) - 1), SESSION),
        (replace(RECORD, host="127.0.0.1:8000"), SESSION),
    ],
)
def test_nobody_else_is_shown_anything(record: SetupRecord | None, cookie: str) -> None:
    site = Site()
    site.status.last_setup = record
    assert browser_with(cookie, site).get("/setup").status_code == 404
