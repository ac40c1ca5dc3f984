"""Attached files: what is sent where."""

from __future__ import annotations

import pytest

from bot.errors import BadRequest, NotFound, OutsideError
from tests.adapters.github.conftest import Stage
from tests.doubles.github.attachments import attach
from tests.doubles.github.faults import Fault
from tests.doubles.server import Request, Response, Server


def test_a_file_comes_as_it_was_attached(stage: Stage) -> None:
    assert stage.here().attachment(attach(stage.repo, b"bytes"), 1, max_bytes=5) == b"bytes"


def test_a_larger_one_is_refused(stage: Stage) -> None:
    with pytest.raises(BadRequest, match="larger than 4 bytes"):
        stage.here().attachment(attach(stage.repo, b"bytes"), 1, max_bytes=4)


def test_the_token_follows_no_redirect(stage: Stage) -> None:
    asked: list[Request] = []

    def answer(request: Request) -> Response:
        asked.append(request)
        return Response(200, b"bytes")

    elsewhere = Server(answer)
    elsewhere.start()
    stage.double.faults.add(
        Fault(302, headers={"Location": f"{elsewhere.url}/x.png"}), path="/user-attachments/"
    )
    assert stage.here().attachment(attach(stage.repo, b""), 1, max_bytes=99) == b"bytes"
    elsewhere.stop()
    assert "Authorization" not in asked[0].headers
    assert stage.double.requests.of("GET", "/user-attachments/.*")[0].caller == "installation"


def test_the_token_goes_to_no_host_but_the_servers(stage: Stage) -> None:
    asked: list[Request] = []

    def answer(request: Request) -> Response:
        asked.append(request)
        return Response(200, b"bytes")

    elsewhere = Server(answer)
    elsewhere.start()
    stage.here().attachment(f"{elsewhere.url}/x.png", 1, max_bytes=99)
    elsewhere.stop()
    assert "Authorization" not in asked[0].headers


@pytest.mark.parametrize("onward", ["https://127.0.0.1:1/x", "/user-attachments/round"])
def test_a_lead_to_nowhere_is_not_followed_for_ever(stage: Stage, onward: str) -> None:
    stage.double.faults.add(
        Fault(302, headers={"Location": onward}), path="/user-attachments/", times=99
    )
    with pytest.raises(OutsideError, match="led nowhere"):
        stage.here().attachment(attach(stage.repo, b""), 1, max_bytes=99)


def test_what_is_gone_is_gone(stage: Stage) -> None:
    url = attach(stage.repo, b"")
    stage.repo.private = True
    stage.double.faults.add(Fault(404), path="/user-attachments/")
    with pytest.raises(NotFound):
        stage.here().attachment(url, 1, max_bytes=99)


def test_a_signed_address_is_found_in_a_comment_on_a_later_page(stage: Stage) -> None:
    stage.repo.private = True
    url = attach(stage.repo, b"bytes")
    for number in range(120):
        stage.repo.comment(1, "mona", f"{number}" + (f" ![]({url})" if number == 110 else ""))
    assert stage.here().attachment(url, 1, max_bytes=99) == b"bytes"


def test_another_hosts_address_of_the_same_name_is_not_taken(stage: Stage) -> None:
    stage.repo.private = True
    url = attach(stage.repo, b"bytes")
    name = url.rpartition("/")[2]
    stage.repo.comment(1, "mallory", f"![](http://127.0.0.1:1/{name}.png?jwt=a)")
    with pytest.raises(NotFound):
        stage.here().attachment(url, 1, max_bytes=99)
