"""The web part on stores in memory, with one private job and browsers of all kinds of callers."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bot.config import load_config
from bot.errors import NotPermitted, OutsideError
from bot.thread.page_links import sign_link
from bot.types import Command, Job, Message, Permission, Reply, Report, Step, Target, Usage
from bot.types.pages import Person, SignInStart, Turn
from bot.types.snapshot import FileStat, Patch
from bot.web import create_app
from tests.fakes import (
    MemoryConversations,
    MemoryInbox,
    MemoryReports,
    MemoryStatus,
    MemoryWorkers,
    memory_stores,
)

HOST = "https://bot.example.com"
KEY, OTHER_KEY, OPERATOR_KEY = "key-of-the-first", "key-of-the-second", "key-of-an-operator"
ALICE, READER, WRITER, STRANGER, BOSS = 11, 12, 13, 14, 15
LOGINS = {ALICE: "alice", READER: "reader", WRITER: "writer", STRANGER: "stranger", BOSS: "boss"}
REPOSITORY_ID = 77
HTML = {"Accept": "text/html"}

PRIVATE_WORDS = (
    "acme/secret-plans",
    "the-private-prompt",
    "the-private-title",
    "the-private-summary",
    "the-private-line",
    "the-private-message",
    "the-private-reply",
    "the-private-note",
    "the-private-review",
)
DIFF = (
    "diff --git a/plans.txt b/plans.txt\n--- a/plans.txt\n+++ b/plans.txt\n@@ -1 +1 @@\n"
    "-old\n+the-private-line <b>&\n"
)
JOB = Job(
    "0b4c9e1f-7a3d-4c5b-8e6f-2a1d0c9b8a7f",
    "comment",
    Target("acme/secret-plans", 9, 3, comment_id=7, repository_id=REPOSITORY_ID),
    Command("solve", "the-private-prompt"),
    actor="alice",
    actor_id=ALICE,
    received_at="2026-01-01T00:00:00+00:00",
    thread=("the-private-title", "body"),
)
REPORT = Report(
    JOB,
    "failed",
    steps=(
        Step("Read the task and the repository", "done", "2026-01-01T00:00:01+00:00"),
        Step("Write the change", "done", "2026-01-01T00:00:02.500000+00:00"),
    ),
    patch=Patch("1" * 40, DIFF, (FileStat("plans.txt", 1, 1, "modified"),)),
    base_sha="1" * 40,
    summary="the-private-summary\n\nIt is done.",
    notes=("the-private-note",),
    reflections=("**Confident.** the-private-review",),
    model="double-1",
    usage=Usage(2, 100, 50, 10, 0.5, 3.0),
    finished_at="2026-01-01T00:00:05+00:00",
)
TURN = Turn(
    1,
    "generate",
    0,
    (Message("system", "You change code."), Message("user", "the-private-message </pre><b>")),
    Reply("the-private-reply", "stop", "double-1", 100, 50, 3.0),
    "2026-01-01T00:00:04+00:00",
)


class SignIns:
    """A `bot.ports.SignIn` that knows what everybody may do in the one repository. The code of a
    sign-in is the person's id."""

    def __init__(self) -> None:
        self.levels: dict[int, Permission] = {
            ALICE: "read",
            READER: "read",
            WRITER: "write",
            STRANGER: "none",
            BOSS: "none",
        }
        self.logins = dict(LOGINS)
        self.ended: set[int] = set()
        """Whose tokens are no longer valid."""
        self.asked = 0
        self.is_away = False

    def begin(self, redirect_uri: str) -> SignInStart:
        return SignInStart(
            f"https://github.com/login/oauth/authorize?redirect_uri={redirect_uri}", "s-1", "v-1"
        )

    def finish(self, redirect_uri: str, code: str, verifier: str) -> Person:
        assert verifier == "v-1"
        if int(code) not in LOGINS:
            raise NotPermitted("GitHub does not take this sign-in.", next_step="Sign in again.")
        return Person(int(code), LOGINS[int(code)], f"ghu_token_of_{code}")

    def login(self, token: str) -> str | None:
        person = int(token.rpartition("_")[2])
        if self.is_away:
            raise OutsideError("GitHub did not answer.", next_step="Try again.")
        return None if person in self.ended else self.logins[person]

    def permission(self, token: str, repository_id: int) -> Permission | None:
        self.asked += 1
        if self.is_away:
            raise OutsideError("GitHub did not answer.", next_step="Try again.")
        person = int(token.rpartition("_")[2])
        if person in self.ended:
            return None
        return self.levels[person] if repository_id == REPOSITORY_ID else "none"


class Site:
    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.inbox, self.reports, self.workers = MemoryInbox(), MemoryReports(), MemoryWorkers()
        self.conversations, self.status = MemoryConversations(), MemoryStatus()
        self.sign_ins = SignIns()
        given = {
            "GITHUB_WEBHOOK_SECRET": "hush-hush-secret",
            "TINYGEN_API_KEYS": f"{KEY},{OTHER_KEY}",
            "TINYGEN_OPERATOR_KEYS": OPERATOR_KEY,
            "TINYGEN_OPERATORS": "Boss",
            "TINYGEN_PUBLIC_URL": HOST,
            **(settings or {}),
        }
        stores = memory_stores(
            self.inbox, self.reports, self.workers, self.conversations, self.status
        )
        self.listing = stores.listing
        self.app = create_app(
            load_config(given, env_file=None),
            stores,
            lambda: b"",
            self.sign_ins,
        )
        self.reports.save(REPORT)
        self.conversations.keep(JOB.id, TURN)

    def browser(self) -> Browser:
        return Browser(self.app.test_client())

    def signed_in(self, person: int) -> Browser:
        browser = self.browser()
        browser.get("/login/github")
        answer = browser.get(f"/login/callback?state=s-1&code={person}")
        assert answer.status_code == 303, answer.text
        return browser

    def with_key(self, key: str) -> Browser:
        browser = self.browser()
        assert browser.post("/login", api_key=key).status_code == 303
        return browser

    def link(self, job_id: str = JOB.id, *, valid_s: float = 60.0) -> str:
        return sign_link(self.status.signing_key(), job_id, time.time() + valid_s)


class Browser:
    """Behind a proxy that speaks TLS, as a page of the site itself sends its forms."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **headers: str) -> TestResponse:
        return self._open("GET", path, headers={**HTML, **_dashed(headers)})

    def post(
        self, path: str, headers: Mapping[str, str] | None = None, /, **form: str
    ) -> TestResponse:
        sent = {**HTML, "Origin": HOST, "Sec-Fetch-Site": "same-origin", **(headers or {})}
        return self._open("POST", path, headers=sent, data=form)

    def _open(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        data: Mapping[str, str] | None = None,
    ) -> TestResponse:
        proxy = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
        return self.client.open(
            path, method=method, base_url=HOST, headers={**proxy, **headers}, data=data
        )

    def token(self, path: str) -> str:
        """What the forms of a page carry."""
        found = re.search(r'name="form_token" value="([0-9a-f]{64})"', self.get(path).text)
        assert found is not None, path
        return found[1]


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
