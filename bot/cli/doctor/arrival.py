"""The checks that deliveries arrive: GitHub's own record of them, and the public address.

The record counts more than the address. A machine behind a router often cannot reach its own public
address, though everybody else can; only GitHub knows whether its deliveries were taken.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot.cli.doctor.finding import Checkup, Finding
from bot.errors import TinyGenError
from bot.ports import DELIVERIES_KEPT
from bot.thread.webhooks import address_of

if TYPE_CHECKING:
    import httpx

    from bot.adapters.github import GitHubApp
    from bot.ports import Deliveries
    from bot.types import DeliveryAttempt

_RESEND_LOOK_BACK = timedelta(minutes=10)
"""For the attempt that was just asked for; the clocks may differ by minutes."""
_POLL_S = 1.5
_MAX_POLLS = 10
"""GitHub sends within seconds, and gives up after ten."""
_TIMEOUT_S = 10.0
_MAX_BODY_BYTES = 64 * 1024
_MAX_DETAIL_CHARS = 200

_START = "Start TinyGen (`python -m bot serve`), and see that the proxy before it leads to it."
_NO_LOOPBACK = (
    "This machine may be unable to reach its own public address, as behind many routers: see the"
    " line `deliveries`, and open the address from elsewhere."
)


def check_arrival(checkup: Checkup) -> Iterator[Finding]:
    """The newest delivery, sent again, and `/readyz` at the public address."""
    config = checkup.config
    address, is_taken = config.public_url or "", None
    if config.github_app_id is not None and config.github_private_key is not None:
        with checkup.services.github(config) as github:
            hook_address = _read_hook_address(github)
            if hook_address is not None:
                address = address or hook_address
                is_taken, delivery = _check_deliveries(checkup, github.deliveries())
                yield delivery
    if address:
        yield check_address(address, is_taken=is_taken)
    else:
        step = "Set TINYGEN_PUBLIC_URL if people shall reach its pages."
        yield Finding("address", None, "TinyGen's public address is not known.", step)


def _read_hook_address(github: GitHubApp) -> str | None:
    """None if GitHub does not say: `check_app` asks the same, and tells why."""
    try:
        return address_of(github.fetch_webhook_config().url)
    except TinyGenError:
        return None


def _check_deliveries(checkup: Checkup, deliveries: Deliveries) -> tuple[bool | None, Finding]:
    """Whether the newest delivery was taken, and what to say of it. None: GitHub does not say."""
    try:
        return _judge_newest(checkup, deliveries)
    except TinyGenError as error:
        return None, Finding("deliveries", False, error.message, error.next_step)


def _judge_newest(checkup: Checkup, deliveries: Deliveries) -> tuple[bool | None, Finding]:
    attempts = deliveries.recent(checkup.services.now() - DELIVERIES_KEPT)
    if not attempts:
        step = "Write `/tinygen help` in an issue where the App is installed, and look again."
        return None, Finding("deliveries", None, "None in the last three days.", step)
    again = _send_again(checkup, deliveries, attempts) if checkup.is_thorough else None
    if again is not None:
        found = judge_delivery(again.status, "The newest one, sent again,")
        return found.good is True, found
    found = judge_delivery(attempts[0].status, "The newest one")
    if found.good and checkup.is_thorough:
        message = f"{found.message} It was sent again, and GitHub does not say yet how that ended."
        return True, Finding("deliveries", None, message, "Run this again in a minute.")
    if not checkup.is_thorough and _is_unanswered(attempts[0].status):
        # TinyGen did not run before now, so it says little that a delivery met nobody.
        return None, Finding("deliveries", None, found.message)
    return found.good is True, found


def _send_again(
    checkup: Checkup, deliveries: Deliveries, attempts: Sequence[DeliveryAttempt]
) -> DeliveryAttempt | None:
    """The attempt that GitHub makes now at the newest delivery; None if it is not on record within
    some 15 seconds. Nothing is done twice: a delivery's id runs once."""
    newest, known = attempts[0], {attempt.id for attempt in attempts}
    deliveries.redeliver(newest.id)
    since = checkup.services.now() - _RESEND_LOOK_BACK
    for _ in range(_MAX_POLLS):
        for attempt in deliveries.recent(since):
            if attempt.guid == newest.guid and attempt.id not in known:
                return attempt
        checkup.services.wait(_POLL_S)
    return None


def _is_unanswered(status: int) -> bool:
    return status == 0 or status >= 500


def judge_delivery(status: int, which: str) -> Finding:
    """What TinyGen's answer to a delivery means. `status` 0: GitHub got none."""
    if 200 <= status < 300:
        return Finding("deliveries", True, f"{which} was taken ({status}).")
    if status == 0:
        message = f"{which} got no answer: GitHub could not connect, or waited ten seconds in vain."
        step = f"{_START} GitHub must reach it on port 443: see DNS, firewall and certificate."
    elif status == 401:
        message = f"{which} was refused (401): the secret on the App's page differs from ours."
        step = "Put one secret on the App's page, under Webhook, and in GITHUB_WEBHOOK_SECRET."
    elif status in (404, 405) or 300 <= status < 400:
        message = f"{which} met another path or another program ({status})."
        step = "On the App's page, under Webhook: https://HOST/webhook, and nothing before it."
    elif status >= 500:
        message = f"{which} was not taken ({status})."
        step = f"{_START} If it runs, its log says why."
    else:
        message = f"{which} was refused ({status})."
        step = "See TinyGen's answer on the App's page, Advanced, Recent Deliveries."
    return Finding("deliveries", False, message, step)


def check_address(address: str, *, is_taken: bool | None) -> Finding:
    """Whether TinyGen answers at its public address. `is_taken`: whether GitHub's deliveries arrive,
    if that is known: then an address which only this machine cannot reach is no fault."""
    found = _fetch(address, "/readyz", is_taken=is_taken)
    return found if isinstance(found, Finding) else judge_readyz(address, found)


def fetch_health(address: str, probe: str) -> tuple[int, dict[str, object]] | Finding:
    """The status of `/healthz` there, and what it says; or why no answer came."""
    found = _fetch(address, f"/healthz?probe={probe}", is_taken=None)
    if isinstance(found, Finding):
        return found
    return found.status_code, _read_object(found.content)


def _fetch(address: str, path: str, *, is_taken: bool | None) -> httpx.Response | Finding:
    """The answer, limited in size and time, or why there is none. No redirect is followed."""
    import httpx

    from bot.adapters.http import bound_body, bound_time

    hooks = {"response": [bound_body(_MAX_BODY_BYTES)]}
    try:
        with httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False, event_hooks=hooks) as client:
            bound_time(client)
            return client.get(f"{address}{path}")
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        return explain_failure(address, error, is_taken=is_taken)


def judge_readyz(address: str, response: httpx.Response) -> Finding:
    status, host = response.status_code, urlsplit(address).netloc
    answer = _read_object(response.content)
    if status == 200 and answer.get("status") == "ready":
        return Finding("address", True, f"{address} answers, and is ready.")
    if status == 503 and isinstance(answer.get("detail"), str):
        detail = str(answer["detail"])[:_MAX_DETAIL_CHARS]
        message = f"{host} answers, and is not ready (503): {detail}"
        return Finding("address", False, message, "See the log of `serve`, or of the worker.")
    if status in (502, 503, 504):
        message = f"The proxy at {host} answers, and TinyGen behind it does not ({status})."
        return Finding("address", False, message, _START)
    if 300 <= status < 400:
        message = f"{host} sends callers elsewhere ({status}); GitHub does not follow."
        step = "Give the address that it leads to, on the App's page and in TINYGEN_PUBLIC_URL."
    else:
        message = f"What answers {host}/readyz is not TinyGen ({status})."
        step = (
            "See that the name leads to this machine, the proxy to TinyGen, and that nothing asks"
            " for a password before it."
        )
    return Finding("address", False, message, step)


def _read_object(body: bytes) -> dict[str, object]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def explain_failure(address: str, error: Exception, *, is_taken: bool | None) -> Finding:
    """Why no answer came. The first cause says it: the library's own error is the same for many."""
    import httpx

    host = urlsplit(address).netloc
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(cause, socket.gaierror | UnicodeError | httpx.InvalidURL):
        message = f"The name {host} does not resolve here."
        return Finding("address", False, message, "Set its DNS record, or mend the address.")
    if isinstance(cause, ssl.SSLCertVerificationError):
        message = f"The certificate of {host} is not valid: {cause.verify_message}."
        step = "Renew it, for this name and with its intermediate certificates."
        return Finding("address", False, message, step)
    if isinstance(error, httpx.TimeoutException):
        message = f"{host} did not answer within {_TIMEOUT_S:.0f} s."
    elif isinstance(cause, ConnectionRefusedError):
        message = f"{host} refuses the connection."
    else:
        message = f"{host} did not answer ({type(cause).__name__})."
    if is_taken:
        return Finding("address", None, f"{message} GitHub reaches it.", _NO_LOOPBACK)
    step = _START if is_taken is False else f"{_START} {_NO_LOOPBACK}"
    return Finding("address", False, message, step)
