"""Attached files: what is sent where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bot.errors import BadRequest, NotFound, OutsideError
from tests.adapters.github.conftest import InstalledApp
from tests.doubles.github.attachments import attach
from tests.doubles.github.faults import Fault
from tests.doubles.server import Request, Response, Server


def test_a_file_comes_as_it_was_attached(installed: InstalledApp) -> None:
    assert (
        installed.connect().attachment(attach(installed.repo, b"bytes"), 1, max_bytes=5) == b"bytes"
    )


def test_a_larger_one_is_refused(installed: InstalledApp) -> None:
    with pytest.raises(BadRequest, match="larger than 4 bytes"):
        installed.connect().attachment(attach(installed.repo, b"bytes"), 1, max_bytes=4)


@contextmanager
def other_server() -> Iterator[tuple[Server, list[Request]]]:
    """A server that is not GitHub's, with the requests that it gets. It answers with a file."""
    requests: list[Request] = []

    def answer(request: Request) -> Response:
        requests.append(request)
        return Response(200, b"bytes")

    with Server(answer) as server:
        yield server, requests


def test_the_token_follows_no_redirect(installed: InstalledApp) -> None:
    with other_server() as (server, requests):
        redirect = Fault(302, headers={"Location": f"{server.url}/x.png"})
        installed.double.faults.add(redirect, path="/user-attachments/")
        url = attach(installed.repo, b"")
        assert installed.connect().attachment(url, 1, max_bytes=99) == b"bytes"
    assert "Authorization" not in requests[0].headers
    asked = installed.double.requests.of("GET", "/user-attachments/.*")
    assert asked[0].caller == "installation"


def test_the_token_goes_to_no_host_but_the_servers(installed: InstalledApp) -> None:
    with other_server() as (server, requests):
        installed.connect().attachment(f"{server.url}/x.png", 1, max_bytes=99)
    assert "Authorization" not in requests[0].headers


@pytest.mark.parametrize("onward", ["https://127.0.0.1:1/x", "/user-attachments/round"])
def test_a_lead_to_nowhere_is_not_followed_for_ever(installed: InstalledApp, onward: str) -> None:
    installed.double.faults.add(
        Fault(302, headers={"Location": onward}), path="/user-attachments/", times=99
    )
    with pytest.raises(OutsideError, match="led nowhere"):
        installed.connect().attachment(attach(installed.repo, b""), 1, max_bytes=99)


def test_what_is_gone_is_gone(installed: InstalledApp) -> None:
    url = attach(installed.repo, b"")
    installed.repo.private = True
    installed.double.faults.add(Fault(404), path="/user-attachments/")
    with pytest.raises(NotFound):
        installed.connect().attachment(url, 1, max_bytes=99)


def test_a_signed_address_is_found_in_a_comment_on_a_later_page(installed: InstalledApp) -> None:
    installed.repo.private = True
    url = attach(installed.repo, b"bytes")
    for number in range(120):
        installed.repo.comment(1, "mona", f"{number}" + (f" ![]({url})" if number == 110 else ""))
    assert installed.connect().attachment(url, 1, max_bytes=99) == b"bytes"


def test_another_hosts_address_of_the_same_name_is_not_taken(installed: InstalledApp) -> None:
    installed.repo.private = True
    url = attach(installed.repo, b"bytes")
    name = url.rpartition("/")[2]
    installed.repo.comment(1, "mallory", f"![](http://127.0.0.1:1/{name}.png?jwt=a)")
    with pytest.raises(NotFound):
        installed.connect().attachment(url, 1, max_bytes=99)
