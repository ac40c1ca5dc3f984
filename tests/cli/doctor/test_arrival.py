"""Whether deliveries arrive, by GitHub's record and by the public address."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from bot.cli.doctor import Services
from bot.cli.doctor.arrival import check_address, explain_failure, judge_readyz
from tests.cli.doctor.conftest import SERVICES, Add, Address, faults, found
from tests.doubles.github import GitHubDouble
from tests.doubles.github.faults import Fault
from tests.doubles.server import Response

URL = "https://bot.test"


@pytest.fixture
def comment(github: GitHubDouble) -> Callable[[], None]:
    """Somebody comments, which GitHub delivers."""

    def post() -> None:
        repo = github.world.names["octocat/hello"]
        repo.comment(repo.open_issue("octocat", "t", "b").number, "octocat", "/tinygen help")

    return post


@pytest.fixture
def settled(github: GitHubDouble) -> Services:
    """Services that wait until GitHub has sent all deliveries."""
    return replace(SERVICES, wait=lambda _seconds: github.settle())


def test_the_newest_delivery_is_sent_again_and_was_taken(
    add_app: Add, github: GitHubDouble, comment: Callable[[], None], settled: Services
) -> None:
    settings = add_app()
    comment()
    sent = len(github.deliveries)
    delivery = found(settings, settled)["deliveries"]
    assert (delivery.good, delivery.message) == (
        True,
        "The newest one, sent again, was taken (202).",
    )
    assert [each.redelivery for each in github.deliveries[sent:]] == [True]
    assert github.deliveries[-1].guid == github.deliveries[sent - 1].guid


def test_a_fault_that_was_mended_since_the_newest_delivery_is_none(
    add_app: Add, address: Address, comment: Callable[[], None], settled: Services
) -> None:
    settings = add_app()
    address.webhook = 401
    comment()
    address.webhook = 202
    assert found(settings, settled)["deliveries"].good


@pytest.mark.parametrize(
    ("status", "words", "step"),
    [
        (401, "secret on the App's page differs", "GITHUB_WEBHOOK_SECRET"),
        (404, "another path or another program", "https://HOST/webhook"),
        (302, "another path or another program", "https://HOST/webhook"),
        (413, "was refused (413)", "Recent Deliveries"),
        (503, "was not taken (503)", "log"),
    ],
)
def test_a_delivery_that_was_not_taken_is_a_fault_by_its_status(
    add_app: Add,
    address: Address,
    comment: Callable[[], None],
    settled: Services,
    status: int,
    words: str,
    step: str,
) -> None:
    settings = add_app()
    address.webhook = status
    comment()
    delivery = faults(settings, settled)["deliveries"]
    assert words in delivery.message
    assert step in delivery.next_step


def test_a_delivery_that_met_nobody_is_a_fault(
    add_app: Add, comment: Callable[[], None], settled: Services
) -> None:
    settings = add_app(webhook_url="http://127.0.0.1:9/webhook")
    comment()
    assert "got no answer" in faults(settings, settled)["deliveries"].message


def test_a_delivery_of_which_github_tells_no_outcome_in_time_is_worth_a_word(
    add_app: Add, address: Address, comment: Callable[[], None]
) -> None:
    settings = add_app()
    comment()
    address.may_answer.clear()
    taken = found(settings)["deliveries"]
    address.may_answer.set()
    assert taken.good is None
    assert "does not say yet" in taken.message


def test_without_deliveries_it_is_said_how_to_cause_one(add_app: Add) -> None:
    delivery = found(add_app())["deliveries"]
    assert (delivery.good, delivery.message) == (None, "None in the last three days.")
    assert "/tinygen help" in delivery.next_step


def test_at_the_start_nothing_is_sent_again(
    add_app: Add, github: GitHubDouble, comment: Callable[[], None], settled: Services
) -> None:
    settings = add_app()
    comment()
    assert found(settings, settled, is_thorough=False)["deliveries"].good
    assert not any(each.redelivery for each in github.deliveries)


def test_at_the_start_a_delivery_that_met_nobody_is_no_fault(
    add_app: Add, address: Address, comment: Callable[[], None], settled: Services
) -> None:
    settings = add_app()
    address.webhook = 503
    comment()
    assert found(settings, settled, is_thorough=False)["deliveries"].good is None


def test_deliveries_that_github_does_not_list_are_told(add_app: Add, github: GitHubDouble) -> None:
    settings = add_app()
    github.faults.add(Fault(500, b""), path="/app/hook/deliveries", times=4)
    assert set(faults(settings)) == {"deliveries"}


def test_the_address_is_the_webhooks_where_none_is_set(add_app: Add, address: Address) -> None:
    settings = add_app()
    del settings["TINYGEN_PUBLIC_URL"]
    assert found(settings)["address"].message == f"{address.url} answers, and is ready."


def test_without_an_address_nothing_is_asked(add_app: Add) -> None:
    settings = add_app(webhook_url="https://relay.test/abc")
    del settings["TINYGEN_PUBLIC_URL"]
    found_at = found(settings)["address"]
    assert (found_at.good, found_at.message) == (None, "TinyGen's public address is not known.")


def test_an_address_is_asked_without_an_app_too(address: Address) -> None:
    settings = {"GITHUB_API_URL": "http://127.0.0.1:9", "TINYGEN_PUBLIC_URL": address.url}
    assert found(settings)["address"].good


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (503, json.dumps({"detail": "No worker was alive."}).encode(), "No worker was alive."),
        (503, b"<h1>Service Unavailable</h1>", "The proxy at"),
        (502, b"", "The proxy at"),
        (404, b"not here", "is not TinyGen (404)"),
        (200, b"<h1>It works!</h1>", "is not TinyGen (200)"),
        (200, b"[" * 30_000, "is not TinyGen (200)"),
        (301, b"", "sends callers elsewhere (301)"),
        (401, b"", "is not TinyGen (401)"),
    ],
)
def test_what_answers_at_the_address_is_named(status: int, body: bytes, words: str) -> None:
    finding = judge_readyz(URL, httpx.Response(status, content=body))
    assert finding.good is False
    assert finding.next_step
    assert words in finding.message


def test_a_redirect_is_not_followed_and_a_long_answer_is_not_read(address: Address) -> None:
    address.readyz = Response(302, b"", {"Location": f"{address.url}/webhook"})
    assert "elsewhere" in check_address(address.url, is_taken=False).message
    address.readyz = Response(200, b" " * 1_000_000)
    assert "BodyTooLong" in check_address(address.url, is_taken=False).message


def caused_by(cause: BaseException, error: httpx.HTTPError | None = None) -> Exception:
    """The error of the library with this first cause."""
    whole = error or httpx.ConnectError("it failed")
    whole.__cause__ = cause
    return whole


def test_why_there_is_no_answer_is_told() -> None:
    expired = ssl.SSLCertVerificationError(1, "certificate verify failed")
    expired.verify_message = "certificate has expired"
    for error, words in (
        (caused_by(socket.gaierror(-2, "Name or service not known")), "does not resolve"),
        (caused_by(expired), "is not valid: certificate has expired"),
        (caused_by(ConnectionRefusedError()), "refuses the connection"),
        (caused_by(TimeoutError(), httpx.ConnectTimeout("")), "did not answer within 10 s"),
        (caused_by(OSError(113, "No route")), "did not answer (OSError)"),
    ):
        finding = explain_failure(URL, error, is_taken=False)
        assert finding.good is False
        assert words in finding.message


def test_an_address_that_only_this_machine_cannot_reach_is_no_fault(
    add_app: Add, comment: Callable[[], None], settled: Services
) -> None:
    settings = {**add_app(), "TINYGEN_PUBLIC_URL": "http://127.0.0.1:9"}
    assert found(settings, settled)["address"].good is False
    comment()
    address = found(settings, settled)["address"]
    assert address.good is None
    assert "GitHub reaches it" in address.message
    assert "own public address" in address.next_step


@pytest.mark.parametrize("url", ["http://a..b", "http://" + "a" * 70 + ".test"])
def test_a_name_that_is_none_does_not_resolve(url: str) -> None:
    assert "does not resolve" in check_address(url, is_taken=True).message
