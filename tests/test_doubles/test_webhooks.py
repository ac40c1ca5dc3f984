"""Webhook deliveries: which events an App gets, how they are signed, and how they are redelivered."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.doubles.github import GitHubDouble, Repository
from tests.doubles.github.state import App, Installation
from tests.doubles.server import Request, Response, Server
from tests.test_doubles.conftest import COMMENTS, Client, sign_jwt

SECRET = "It's a Secret to Everybody"


class Receiver(Server):
    """Records each request and answers `status`."""

    def __init__(self) -> None:
        super().__init__(self._receive)
        self.received: list[Request] = []
        self.status = 202

    def _receive(self, request: Request) -> Response:
        self.received.append(request)
        return Response(self.status, b'{"job": "1"}', {"Content-Type": "application/json"})


@pytest.fixture
def receiver(app: App, installation: Installation) -> Iterator[Receiver]:
    with Receiver() as receiver:
        app.webhook_url, app.webhook_secret = f"{receiver.url}/webhook", SECRET
        yield receiver


def test_a_comment_is_delivered_and_signed(
    github: GitHubDouble, repo: Repository, receiver: Receiver
) -> None:
    comment = repo.comment(1, "mona", "/tinygen mend it")
    sent = receiver.received[-1]
    signature = hmac.new(SECRET.encode(), sent.body, hashlib.sha256).hexdigest()
    assert sent.headers["X-Hub-Signature-256"] == f"sha256={signature}"
    assert (sent.path, sent.headers["X-GitHub-Event"]) == ("/webhook", "issue_comment")
    payload = json.loads(sent.body)
    assert payload["comment"]["id"] == comment.id
    assert payload["sender"]["login"] == "mona"
    assert payload["comment"]["author_association"] == "COLLABORATOR"
    assert payload["installation"]["id"] in github.world.installations
    delivery = github.deliveries[-1]
    assert (delivery.status_code, delivery.json()) == (202, {"job": "1"})
    assert delivery.guid == sent.headers["X-GitHub-Delivery"]


def test_the_apps_own_comment_is_delivered_as_well(
    github: GitHubDouble, receiver: Receiver, bot: Client
) -> None:
    bot("POST", COMMENTS, {"body": "Working on it."})
    github.settle()
    payload = json.loads(receiver.received[-1].body)
    assert payload["sender"]["type"] == "Bot"
    assert payload["comment"]["performed_via_github_app"]["slug"] == "tinygen"


def test_an_app_gets_no_event_that_it_is_not_subscribed_to(
    github: GitHubDouble, repo: Repository, receiver: Receiver
) -> None:
    repo.open_issue("mona", "Another", "It is.")
    github.add_repository("hubot/other").open_issue("hubot", "Hello", "")
    assert receiver.received == []


def test_a_redelivery_is_the_same_bytes_under_the_same_id(
    github: GitHubDouble, repo: Repository, receiver: Receiver
) -> None:
    receiver.status = 503
    repo.comment(1, "mona", "/tinygen mend it")
    first = github.deliveries[-1]
    assert first.status_code == 503
    receiver.status = 202
    assert github.redeliver(first.guid).status_code == 202
    once, again = receiver.received
    assert once.body == again.body
    assert once.headers["X-GitHub-Delivery"] == again.headers["X-GitHub-Delivery"]


def test_an_app_lists_its_deliveries_and_requests_a_redelivery(
    github: GitHubDouble, repo: Repository, receiver: Receiver, http: httpx.Client, app: App
) -> None:
    receiver.status = 500
    for _ in range(3):
        repo.comment(1, "mona", "/tinygen mend it")
    receiver.status = 202
    as_app = Client(http, sign_jwt(github, app))
    newest = as_app("GET", "/app/hook/deliveries?per_page=2")
    assert [each["status_code"] for each in newest.json()] == [500, 500]
    oldest = as_app("GET", newest.links["next"]["url"]).json()[0]
    assert oldest["status"] == "Invalid HTTP Response: 500"
    assert as_app("POST", f"/app/hook/deliveries/{oldest['id']}/attempts").status_code == 202
    github.settle()
    attempts = [
        each
        for each in as_app("GET", "/app/hook/deliveries").json()
        if each["guid"] == oldest["guid"]
    ]
    assert [(each["status_code"], each["redelivery"]) for each in attempts] == [
        (202, True),
        (500, False),
    ]


def test_a_delivery_to_a_server_that_is_down_has_failed(
    github: GitHubDouble, repo: Repository, receiver: Receiver
) -> None:
    receiver.stop()
    repo.comment(1, "mona", "/tinygen mend it")
    assert (github.deliveries[-1].status_code, github.deliveries[-1].problem) == (
        0,
        "failed to connect to host",
    )


def test_without_a_webhook_url_the_delivery_is_still_recorded(
    github: GitHubDouble, repo: Repository, installation: Installation
) -> None:
    repo.comment(1, "mona", "/tinygen mend it")
    assert json.loads(github.deliveries[-1].body)["comment"]["body"] == "/tinygen mend it"


def test_a_test_can_deliver_any_event(github: GitHubDouble, receiver: Receiver) -> None:
    github.deliver("ping", {"zen": "Keep it logically awesome."}, delivery_id="d-1")
    assert receiver.received[-1].headers["X-GitHub-Delivery"] == "d-1"


def test_an_app_is_registered_from_a_manifest(github: GitHubDouble) -> None:
    manifest = {
        "name": "TinyGen Mona",
        "redirect_url": "http://127.0.0.1:1/done",
        "default_events": ["issue_comment"],
    }
    with httpx.Client() as http:
        form = {"manifest": json.dumps(manifest)}
        location = http.post(
            f"{github.url}/settings/apps/new", params={"state": "s"}, data=form
        ).headers["Location"]
        query = httpx.URL(location).params
        assert (location.partition("?")[0], query["state"]) == ("http://127.0.0.1:1/done", "s")
        conversion = f"{github.api_url}/app-manifests/{query['code']}/conversions"
        made = http.post(conversion).json()
        assert http.post(conversion).status_code == 404
        app = github.world.apps[made["id"]]
        assert (made["slug"], made["webhook_secret"]) == ("tinygen-mona", app.webhook_secret)
        token = sign_jwt(github, app)
        answer = http.get(f"{github.api_url}/app", headers={"Authorization": f"Bearer {token}"})
        assert answer.json()["slug"] == "tinygen-mona"
