"""The HTTP edge from outside: every code that CONTRACT section 3 names, and nothing that tells too
much."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from bot.app import build_database, build_stores
from bot.config import load_config
from bot.errors import SetupError
from bot.metrics import render_metrics
from bot.types import FINAL_STATES, Command, Failure, Job, Report, State, Step, Target, Usage
from bot.types.snapshot import FileStat, Patch
from bot.web import create_app
from bot.web.webhook import MAX_BODY_BYTES
from tests.conftest import NPM
from tests.doubles.github import sign
from tests.fakes import (
    MemoryConversations,
    MemoryInbox,
    MemoryReports,
    MemoryStatus,
    MemoryWorkers,
    memory_stores,
)
from tests.strategies import JSON

SECRET = "hush-hush-secret"
KEYS = ("key-of-the-first", "key-of-the-second")
SOME_SIGNATURE = {"X-Hub-Signature-256": "sha256=" + "0" * 64}
OPERATOR_KEY = "key-of-an-operator"
REPO_URL = "https://github.com/octocat/greeter"
DIFF = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-a\n+é\n"
COMMENT: dict[str, Any] = {
    "action": "created",
    "comment": {
        "id": 7,
        "body": "/tinygen Greet louder.",
        "user": {"id": 1, "login": "octocat", "type": "User"},
    },
    "issue": {"number": 3},
    "repository": {"full_name": "octocat/greeter"},
    "installation": {"id": 9},
}


class Web:
    """The application on ports in memory. `settings` are the bot's."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.inbox, self.reports, self.workers = MemoryInbox(), MemoryReports(), MemoryWorkers()
        self.conversations, self.status = MemoryConversations(), MemoryStatus()
        given = {"GITHUB_WEBHOOK_SECRET": SECRET, "GITHUB_APP_ID": "12345", **(settings or {})}
        self.app = create_app(
            load_config(given, env_file=None),
            memory_stores(self.inbox, self.reports, self.workers, self.conversations, self.status),
            lambda: b"",
        )
        self.client: FlaskClient = self.app.test_client()

    def deliver(
        self, body: bytes | object, event: str = "issue_comment", **headers: str | None
    ) -> TestResponse:
        """Signed; `headers` by their names with underscores, None to leave one out."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        usual: dict[str, str | None] = {
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": "d-1",
            "X-Hub-Signature-256": sign(SECRET, raw),
        }
        usual |= {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        kept = {name: value for name, value in usual.items() if value is not None}
        return self.client.post("/webhook", data=raw, headers=kept)

    def run(self, body: object = None, **headers: str) -> TestResponse:
        asked = {"repoUrl": REPO_URL, "prompt": "Greet louder."} if body is None else body
        return self.client.post(
            "/run", json=asked, headers={name.replace("_", "-"): v for name, v in headers.items()}
        )

    def will_end(self, **of: Any) -> None:
        """Every job that is accepted from now on has ended so."""
        accept = self.inbox.accept

        def accept_and_end(job: Job) -> bool:
            is_new = accept(job)
            self.reports.save(replace(Report(job, "done"), **of))
            return is_new

        self.inbox.accept = accept_and_end  # type: ignore[method-assign]


def problem(answer: TestResponse, status: int) -> str:
    """The detail of a problem of that status."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    body = answer.get_json(force=True)
    assert set(body) == {"title", "status", "detail"}
    assert body["status"] == status
    assert body["title"]
    assert len(body["detail"]) > 10
    for leak in (SECRET, *KEYS, "Traceback", 'File "', ".py"):
        assert leak not in answer.text
    detail: str = body["detail"]
    return detail


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def keyed() -> Web:
    return Web({"TINYGEN_API_KEYS": ",".join(KEYS), "TINYGEN_OPERATOR_KEYS": OPERATOR_KEY})


class TestWebhook:
    def test_a_command_is_accepted_under_its_delivery_id(self, web: Web) -> None:
        answer = web.deliver(COMMENT, X_GitHub_Delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958")
        assert (answer.status_code, answer.json) == (
            202,
            {"job": "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
        )
        job = web.inbox.jobs["72d3162e-cc78-11e3-81ab-4c9367dc0958"]
        assert job.command == Command("solve", "Greet louder.")
        assert job.target == Target("octocat/greeter", 9, 3, False, 7)

    @pytest.mark.parametrize(
        "signature",
        [
            None,
            "",
            "sha256=",
            "sha256=" + "0" * 64,
            "sha1=abc",
            "é",
            sign(SECRET, b"other"),
            sign(SECRET, b"{").upper(),
            sign(SECRET, b"{")[7:],
        ],
    )
    def test_the_signature_comes_before_all_else(self, web: Web, signature: str | None) -> None:
        for body in (b"{", b"", b"\xff" * 99, json.dumps(COMMENT).encode()):
            problem(web.deliver(body, X_Hub_Signature_256=signature), 401)
            problem(web.deliver(body, X_Hub_Signature_256=signature, X_GitHub_Event=None), 401)
            problem(web.deliver(body, X_Hub_Signature_256=signature, X_GitHub_Delivery="../x"), 401)
        assert not web.inbox.jobs

    def test_the_old_signature_alone_is_not_enough(self, web: Web) -> None:
        body = json.dumps(COMMENT).encode()
        old = "sha1=" + hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
        problem(web.deliver(body, X_Hub_Signature_256=None, X_Hub_Signature=old), 401)

    def test_what_was_signed_is_the_bytes_and_not_what_they_mean(self, web: Web) -> None:
        body = json.dumps(COMMENT).encode()
        problem(web.deliver(body + b"\n", X_Hub_Signature_256=sign(SECRET, body)), 401)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"action": "edited"}, "before its edit"),
            ({"action": "pinned"}, "created or edited"),
            ({"comment": {**COMMENT["comment"], "body": "I like /tinygen"}}, "no command"),
            ({"comment": {**COMMENT["comment"], "body": "> /tinygen x"}}, "no command"),
            ({"comment": {**COMMENT["comment"], "body": "    /tinygen x"}}, "no command"),
            ({"comment": {**COMMENT["comment"], "body": None}}, "no command"),
            ({"comment": {**COMMENT["comment"], "user": None}}, "no author"),
            (
                {"comment": {**COMMENT["comment"], "performed_via_github_app": {"id": 12345}}},
                "TinyGen's own",
            ),
            ({"installation": None}, "installation"),
        ],
    )
    def test_what_is_not_for_us_is_ignored_with_the_reason(
        self, web: Web, change: Any, reason: str
    ) -> None:
        answer = web.deliver({**COMMENT, **change})
        assert answer.status_code == 200
        assert answer.json
        assert reason in answer.json["ignored"]
        assert not web.inbox.jobs

    @pytest.mark.parametrize("event", ["ping", "push", "installation", "pull_request", "x" * 500])
    def test_other_events_are_ignored(self, web: Web, event: str) -> None:
        answer = web.deliver({"zen": "Design for failure."}, event=event)
        assert (answer.status_code, list(answer.json or {})) == (200, ["ignored"])

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"null",
            b"[]",
            b'"text"',
            b"7",
            b"\xff\xfe",
            b"payload=%7B%7D",
            b"[" * 200_000,
            b'{"a":' * 100_000,
            json.dumps(COMMENT).encode()[:-7],
            json.dumps({**COMMENT, "comment": []}).encode(),
            json.dumps({**COMMENT, "comment": {**COMMENT["comment"], "id": "x"}}).encode(),
            json.dumps({**COMMENT, "issue": {"number": 10**400}}).encode(),
            json.dumps({**COMMENT, "repository": {"full_name": "../../etc"}}).encode(),
            json.dumps({**COMMENT, "repository": {"full_name": "a/b\n"}}).encode(),
            b"{}",
        ],
    )
    def test_what_is_not_githubs_shape_is_a_bad_request(self, web: Web, body: bytes) -> None:
        problem(web.deliver(body), 400)
        assert not web.inbox.jobs

    @pytest.mark.parametrize("event", ["issue_comment", "push"])
    @pytest.mark.parametrize(
        "headers",
        [{"X_GitHub_Event": None}, {"X_GitHub_Delivery": None}, {"X_GitHub_Delivery": "a/b"}],
    )
    def test_github_names_event_and_delivery(
        self, web: Web, event: str, headers: dict[str, str | None]
    ) -> None:
        assert "X-GitHub" in problem(web.deliver(COMMENT, event, **headers), 400)

    def test_a_body_of_25_mb_is_read_and_one_byte_more_is_not(self, web: Web) -> None:
        padded = {**COMMENT, "padding": ""}
        padded["padding"] = " " * (MAX_BODY_BYTES - len(json.dumps(padded)))
        body = json.dumps(padded).encode()
        assert len(body) == 25 * 1024 * 1024
        assert web.deliver(body).status_code == 202
        assert "25 MB" in problem(web.deliver(body + b" "), 413)

    def test_a_body_without_a_length_is_bounded_too(self, web: Web) -> None:
        answer = web.client.post(
            "/webhook",
            input_stream=io.BytesIO(b" " * (MAX_BODY_BYTES + 1)),
            headers={"Transfer-Encoding": "chunked", **SOME_SIGNATURE},
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert "25 MB" in problem(answer, 413)

    def test_an_inbox_that_is_away_is_503_and_nothing_is_half_stored(self, web: Web) -> None:
        web.inbox.is_away = True
        answer = web.deliver(COMMENT)
        problem(answer, 503)
        assert answer.headers["Retry-After"]
        assert not web.inbox.jobs
        web.inbox.is_away = False
        assert web.deliver(COMMENT).status_code == 202

    def test_the_answer_to_a_body_that_is_too_long_waits_for_its_end(self, web: Web) -> None:
        body = io.BytesIO(b" " * (MAX_BODY_BYTES + 3_000_000))
        problem(web.client.post("/webhook", input_stream=body, headers=SOME_SIGNATURE), 413)
        assert body.read() == b""

    @pytest.mark.parametrize("signature", [None, "", "sha256=", "sha1=" + "0" * 40, "sha256=xyz"])
    def test_a_body_without_a_signature_is_passed_over(
        self, web: Web, signature: str | None
    ) -> None:
        headers = {} if signature is None else {"X-Hub-Signature-256": signature}
        for size, status in ((1_000_000, 401), (MAX_BODY_BYTES + 1, 413)):
            body = io.BytesIO(b" " * size)
            problem(web.client.post("/webhook", input_stream=body, headers=headers), status)

    def test_during_a_rotation_both_secrets_are_taken(self) -> None:
        web = Web(
            {"GITHUB_WEBHOOK_SECRET": "new-secret", "GITHUB_WEBHOOK_SECRET_OLD": "old-secret"}
        )
        body = json.dumps(COMMENT).encode()
        for number, secret in enumerate(("new-secret", "old-secret", "another")):
            headers = {
                "X-GitHub-Event": "issue_comment",
                "X-GitHub-Delivery": f"d-{number}",
                "X-Hub-Signature-256": sign(secret, body),
            }
            answer = web.client.post("/webhook", data=body, headers=headers)
            assert answer.status_code == (401 if secret == "another" else 202)

    @pytest.mark.npm
    def test_githubs_own_examples_are_all_understood(self, web: Web) -> None:
        folder = NPM / "@octokit" / "webhooks-examples" / "api.github.com" / "index.json"
        events = json.loads(folder.read_text())
        codes = [
            web.deliver(example, event=event["name"]).status_code
            for event in events
            for example in event["examples"]
        ]
        assert len(codes) == 329
        assert set(codes) <= {200, 202}

    @pytest.mark.npm
    def test_githubs_own_comment_with_a_command_is_accepted(self, web: Web) -> None:
        folder = NPM / "@octokit" / "webhooks-examples" / "api.github.com" / "index.json"
        (examples,) = [
            each["examples"]
            for each in json.loads(folder.read_text())
            if each["name"] == "issue_comment"
        ]
        example = next(each for each in examples if each["action"] == "created")
        example["comment"]["body"] = "Thank you!\n\n/tinygen --pr Do it."
        example["installation"] = {"id": 1}
        assert web.deliver(example).status_code == 202


FIELDS = st.sampled_from(["action", "comment", "issue", "repository", "installation"])
PLAIN = Web()
IN_MODULE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@IN_MODULE
@given(st.binary(max_size=300), st.sampled_from(["issue_comment", "push"]))
def test_random_bytes_never_break_the_webhook(body: bytes, event: str) -> None:
    assert PLAIN.deliver(body, event=event).status_code in (200, 400)


@IN_MODULE
@given(FIELDS, JSON)
def test_wrong_types_never_break_the_webhook(field: str, value: Any) -> None:
    body = json.dumps({**COMMENT, field: value}).encode("utf-8", "surrogatepass")
    assert PLAIN.deliver(body).status_code in (200, 202, 400)


@IN_MODULE
@given(st.integers(0, 400))
def test_truncated_json_never_breaks_the_webhook(length: int) -> None:
    body = json.dumps(COMMENT).encode()[:length]
    assert PLAIN.deliver(body).status_code in (400, 202)


@IN_MODULE
@given(st.text(max_size=200))
def test_no_comment_breaks_the_webhook(text: str) -> None:
    body = json.dumps({**COMMENT, "comment": {**COMMENT["comment"], "body": f"/tinygen {text}"}})
    assert PLAIN.deliver(body.encode("utf-8", "surrogatepass")).status_code in (202, 400)


@IN_MODULE
@given(
    st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(["json", "text", ""]),
)
def test_random_bytes_never_break_run(body: bytes, kind: str) -> None:
    kinds = {"json": "application/json", "text": "text/plain", "": ""}
    answer = PLAIN.client.post("/run", data=body, content_type=kinds[kind])
    assert answer.status_code in (400, 415, 422)


class TestRun:
    def test_the_answer_is_the_diff_and_nothing_else(self, web: Web) -> None:
        web.will_end(patch=Patch("0" * 40, DIFF))
        answer = web.run()
        assert (answer.status_code, answer.json) == (200, {"diff": DIFF})
        (job,) = web.inbox.jobs.values()
        assert (job.source, job.target) == ("run", Target("octocat/greeter"))
        assert job.command == Command("solve", "Greet louder.", mode="diff")

    def test_no_change_is_an_empty_diff(self, web: Web) -> None:
        web.will_end(patch=Patch("0" * 40, ""))
        assert web.run().json == {"diff": ""}

    @pytest.mark.parametrize(
        ("body", "ref"),
        [
            ({"ref": "work"}, "work"),
            ({"ref": None}, None),
            ({"repoUrl": f"{REPO_URL}/tree/work/next"}, "work/next"),
            ({"repoUrl": f"{REPO_URL}/tree/work", "ref": "other"}, "other"),
            ({"repoUrl": f"{REPO_URL}.git"}, None),
            ({"repoUrl": f"{REPO_URL}/"}, None),
            ({"repoUrl": "git@github.com:octocat/greeter.git"}, None),
            ({"repoUrl": f"  {REPO_URL}  "}, None),
            ({"ref": "0" * 40}, "0" * 40),
        ],
    )
    def test_the_repository_is_named_as_people_paste_it(
        self, web: Web, body: Any, ref: str | None
    ) -> None:
        web.will_end(patch=Patch("0" * 40, DIFF))
        assert web.run({"repoUrl": REPO_URL, "prompt": "x", **body}).status_code == 200
        (job,) = web.inbox.jobs.values()
        assert (job.target.repo, job.command.base) == ("octocat/greeter", ref)

    @pytest.mark.parametrize(
        "url",
        [
            "https://gitlab.com/octocat/greeter",
            "https://github.com.evil.example/octocat/greeter",
            "https://evil.example/https://github.com/octocat/greeter",
            "https://github.com@evil.example/octocat/greeter",
            "file:///etc/passwd",
            "/etc",
            "http://169.254.169.254/latest/meta-data",
            "ssh://github.com:22/octocat/greeter",
            "https://github.com/octocat",
            "https://github.com/../../x",
            "https://github.com/octocat/..",
            "--upload-pack=touch /tmp/x",
            "https://user:hunter2@github.com/octocat/greeter",
            "ext::sh -c id",
            "https://[::1",
            "https://github.com:99999/a/b",
            "",
            " ",
        ],
    )
    def test_only_a_repository_of_the_configured_server(self, web: Web, url: str) -> None:
        answer = web.run({"repoUrl": url, "prompt": "x"})
        problem(answer, 400)
        assert "hunter2" not in answer.text
        assert not web.inbox.jobs

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "repoUrl"),
            ({"repoUrl": REPO_URL}, "prompt"),
            ({"prompt": "x"}, "repoUrl"),
            ({"repoUrl": REPO_URL, "prompt": ""}, "prompt"),
            ({"repoUrl": REPO_URL, "prompt": " \n\t"}, "prompt"),
            ({"repoUrl": REPO_URL, "prompt": 7}, "prompt"),
            ({"repoUrl": REPO_URL, "prompt": ["x"]}, "prompt"),
            ({"repoUrl": REPO_URL, "prompt": "x" * 100_001}, "prompt"),
            ({"repoUrl": 7, "prompt": "x"}, "repoUrl"),
            ({"repoUrl": "x" * 2_001, "prompt": "x"}, "repoUrl"),
            ({"repoUrl": REPO_URL, "prompt": "x", "ref": {"a": 1}}, "ref"),
            ({"repoUrl": REPO_URL, "prompt": "x", "ref": "r" * 201}, "ref"),
        ],
    )
    def test_a_field_that_is_wrong_is_named(self, web: Web, body: Any, field: str) -> None:
        assert field in problem(web.run(body), 422)

    @pytest.mark.parametrize(
        "ref", ["--upload-pack=x", "a..b", "a b", "", "x\0y", "-x", "../x", "a.lock"]
    )
    def test_a_ref_that_no_branch_can_have_is_refused(self, web: Web, ref: str) -> None:
        answer = web.run({"repoUrl": REPO_URL, "prompt": "x", "ref": ref})
        assert "ref" in problem(answer, 422 if ref == "" else answer.status_code)
        assert answer.status_code in (400, 422)
        assert not web.inbox.jobs

    @pytest.mark.parametrize("prompt", ["nul \0 inside", "lone \ud800 surrogate"])
    def test_a_prompt_that_no_database_takes_is_refused(self, web: Web, prompt: str) -> None:
        answer = web.run({"repoUrl": REPO_URL, "prompt": prompt})
        assert answer.status_code in (400, 422)
        problem(answer, answer.status_code)

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"7", b"\xff\xff", b"[" * 200_000])
    def test_what_is_no_json_object_is_a_bad_request(self, web: Web, body: bytes) -> None:
        problem(web.client.post("/run", data=body, content_type="application/json"), 400)

    def test_a_body_of_more_than_25_mb_is_refused(self, web: Web) -> None:
        body = b'{"prompt": "' + b" " * MAX_BODY_BYTES + b'"}'
        problem(web.client.post("/run", data=body, content_type="application/json"), 413)

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
    )
    def test_only_json_is_read_so_that_no_page_can_post_it(self, web: Web, kind: str) -> None:
        body = json.dumps({"repoUrl": REPO_URL, "prompt": "x"})
        answer = web.client.post("/run", data=body, content_type=kind)
        assert answer.status_code in (400, 415)
        problem(answer, answer.status_code)
        assert not web.inbox.jobs

    @pytest.mark.parametrize(
        ("failure", "status"),
        [
            (Failure("No such branch.", "Name one.", kind="NotFound"), 404),
            (Failure("Not for you.", "Ask.", kind="NotPermitted"), 404),
            (Failure("Too much.", "Wait.", kind="LimitReached"), 429),
            (Failure("Nothing came of it.", "Rephrase.", kind="Unworkable"), 422),
            (Failure("GitHub failed.", "Wait.", True, "OutsideError"), 502),
            (Failure("The model's key is wrong.", "Set it.", True, "SetupError"), 502),
            (Failure("Too long for the model.", "Ask for less.", True, "ContextTooLong"), 502),
            (Failure("TinyGen met a fault of its own.", "See the log.", True, "TinyGenError"), 502),
            (Failure("It took too long.", "Ask for less.", True, "TimedOut"), 504),
        ],
    )
    def test_a_job_that_failed_is_a_problem_with_its_words(
        self, web: Web, failure: Failure, status: int
    ) -> None:
        web.will_end(state="failed", failure=failure)
        assert problem(web.run(), status) == f"{failure.message} {failure.next_step}"

    def test_a_job_that_was_cancelled_is_a_problem(self, web: Web) -> None:
        web.will_end(state="cancelled")
        assert "cancelled" in problem(web.run(), 409)

    def test_a_job_that_takes_too_long_is_504_and_goes_on(self) -> None:
        web = Web({"TINYGEN_RUN_WAIT_SECONDS": "1"})
        detail = problem(web.run(), 504)
        (job,) = web.inbox.jobs
        assert f"/jobs/{job}" in detail

    def test_an_inbox_that_is_away_is_503(self, web: Web) -> None:
        web.inbox.is_away = True
        problem(web.run(), 503)

    def test_a_problem_names_the_job_only_if_it_was_accepted(self, web: Web) -> None:
        web.inbox.is_away = True
        assert "Location" not in web.run().headers
        web.inbox.is_away = False
        web.will_end(state="failed", failure=Failure("It broke.", "Mend it."))
        answer = web.run()
        (job,) = web.inbox.jobs
        assert answer.headers["Location"] == f"/jobs/{job}"

    def test_more_callers_than_threads_can_wait_for_are_turned_away_before_anything_runs(
        self,
    ) -> None:
        web = Web({"TINYGEN_WEB_THREADS": "2", "TINYGEN_RUN_WAIT_SECONDS": "5"})
        first = threading.Thread(target=web.run)
        first.start()
        while not web.inbox.jobs:
            pass
        second = web.run()
        problem(second, 429)
        assert second.headers["Retry-After"]
        assert len(web.inbox.jobs) == 1
        assert web.run(Prefer="respond-async").status_code == 202
        for job in list(web.inbox.jobs.values()):
            web.reports.save(Report(job, "done"))
        first.join()

    @pytest.mark.parametrize(
        "prefer", ["respond-async", "wait=10, Respond-Async", "respond-async; x=1"]
    )
    def test_who_does_not_want_to_wait_is_told_where_to_look(self, web: Web, prefer: str) -> None:
        answer = web.run(Prefer=prefer)
        (job,) = web.inbox.jobs
        assert (answer.status_code, answer.json) == (202, {"job": job})
        assert answer.headers["Location"] == f"/jobs/{job}"
        assert answer.headers["Preference-Applied"] == "respond-async"

    def test_another_preference_changes_nothing(self, web: Web) -> None:
        web.will_end(patch=Patch("0" * 40, DIFF))
        assert web.run(Prefer="no-respond-async, return=minimal").status_code == 200


LOOPBACK_HOSTS = (
    "localhost",
    "LocalHost:8000",
    "127.0.0.1",
    "127.0.0.1:8000",
    "127.255.3.9:1",
    "[::1]",
    "[::1]:8000",
)
FOREIGN_HOSTS = (
    "",
    "bot.example.com",
    "evil.example:8000",
    "localhost.evil.example",
    "localhost.",
    "127.0.0.1.evil.example",
    "127.0.0.1.",
    "127.0.0",
    "127.0.0.256",
    "2130706433",
    "0x7f.0.0.1",
    "0.0.0.0",
    "10.0.0.1",
    "::1",
    "[::]",
    "[::ffff:7f00:1]",
    "localhost:",
    "localhost:x",
    "localhost:8000,evil.example",
    "evil@localhost",
    "localhost/",
    "localhost evil.example",
    "localhost\t",
    "１27.0.0.1",
)


class TestWhoMayCall:
    PATHS = ("/run", "/jobs/x", "/jobs/x.diff")

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize(
        "header",
        [
            None,
            "",
            "Bearer",
            "Bearer ",
            "Bearer wrong",
            "Basic a2V5",
            KEYS[0],
            f"Bearer {KEYS[0]}x",
            "Bearer é",
        ],
    )
    def test_with_keys_nobody_without_one(self, keyed: Web, path: str, header: str | None) -> None:
        answer = keyed.client.open(
            path,
            method="POST" if path == "/run" else "GET",
            json={},
            headers={} if header is None else {"Authorization": header},
        )
        problem(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize("key", KEYS)
    @pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
    def test_with_keys_whoever_has_one(self, keyed: Web, key: str, scheme: str) -> None:
        answer = keyed.run(
            Authorization=f"{scheme} {key}", Prefer="respond-async", X_Forwarded_For="203.0.113.9"
        )
        assert answer.status_code == 202

    def test_without_keys_only_this_machine(self, web: Web) -> None:
        for address, status in (
            ("127.0.0.1", 404),
            ("127.0.0.9", 404),
            ("::1", 404),
            ("203.0.113.9", 401),
            ("10.0.0.1", 401),
            ("", 401),
            ("unix", 401),
        ):
            answer = web.client.get("/jobs/x", environ_overrides={"REMOTE_ADDR": address})
            problem(answer, status)

    @pytest.mark.parametrize(
        "name",
        [
            "X-Forwarded-For",
            "Forwarded",
            "X-Real-IP",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "Via",
        ],
    )
    def test_without_keys_nobody_whom_a_proxy_speaks_for(self, web: Web, name: str) -> None:
        problem(web.client.get("/jobs/x", headers={name: "127.0.0.1"}), 401)

    @pytest.mark.parametrize("host", LOOPBACK_HOSTS)
    def test_without_keys_a_caller_may_name_loopback_as_it_likes(self, web: Web, host: str) -> None:
        problem(web.client.get("/jobs/x", environ_overrides={"HTTP_HOST": host}), 404)

    @pytest.mark.parametrize("host", FOREIGN_HOSTS)
    @pytest.mark.parametrize("path", PATHS)
    def test_without_keys_nobody_who_means_another_host(
        self, web: Web, path: str, host: str
    ) -> None:
        method = "POST" if path == "/run" else "GET"
        answer = web.client.open(
            path, method=method, json={}, environ_overrides={"HTTP_HOST": host}
        )
        assert "TINYGEN_API_KEYS" in problem(answer, 401)
        assert not web.inbox.jobs

    def test_without_keys_nobody_who_names_no_host(self, web: Web) -> None:
        environ = EnvironBuilder("/jobs/x").get_environ()
        del environ["HTTP_HOST"]
        body, status, _headers = run_wsgi_app(web.app, environ)
        assert status == "401 UNAUTHORIZED"
        assert b"TINYGEN_API_KEYS" in b"".join(body)

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "http://localhost:8000", "null", ""]
    )
    def test_without_keys_no_page_of_a_browser(self, web: Web, origin: str) -> None:
        assert "TINYGEN_API_KEYS" in problem(web.run(Origin=origin), 401)
        assert not web.inbox.jobs

    def test_with_keys_host_and_origin_tell_nothing(self, keyed: Web) -> None:
        headers = {
            "Authorization": f"Bearer {KEYS[0]}",
            "Host": "bot.example.com",
            "Origin": "https://a.example",
        }
        problem(keyed.client.get("/jobs/x", headers=headers), 404)

    @pytest.mark.parametrize("path", ["/healthz", "/docs/openapi.json"])
    def test_what_needs_no_key_is_for_any_host(self, web: Web, path: str) -> None:
        headers = {"Host": "bot.example.com", "Origin": "https://a.example"}
        assert web.client.get(path, headers=headers).status_code == 200

    def test_the_key_is_asked_before_the_body_is_read(self, keyed: Web) -> None:
        problem(keyed.client.post("/run", data=b"{", content_type="application/json"), 401)

    @pytest.mark.parametrize("path", ["/healthz", "/docs/openapi.json"])
    def test_what_tells_nothing_needs_no_key(self, keyed: Web, path: str) -> None:
        assert (
            keyed.client.get(path, environ_overrides={"REMOTE_ADDR": "203.0.113.9"}).status_code
            == 200
        )

    def test_metrics_are_for_this_machine_or_a_key(self, keyed: Web) -> None:
        far = {"REMOTE_ADDR": "203.0.113.9"}
        key = {"Authorization": f"Bearer {KEYS[0]}"}
        assert keyed.client.get("/metrics").status_code == 200
        problem(keyed.client.get("/metrics", environ_overrides=far), 401)
        problem(keyed.client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}), 401)
        assert keyed.client.get("/metrics", headers=key, environ_overrides=far).status_code == 200

    def test_a_key_reads_the_jobs_that_it_asked_for_and_operators_keys_all(
        self, keyed: Web
    ) -> None:
        jobs = {}
        for key in KEYS:
            answer = keyed.run(Authorization=f"Bearer {key}", Prefer="respond-async")
            jobs[key] = json.loads(answer.data)["job"]
        for job in keyed.inbox.jobs.values():
            keyed.reports.save(Report(job, "done", patch=Patch("b" * 40, "")))
        theirs = replace(report().job, id="of-a-comment")
        keyed.reports.save(replace(report(), job=theirs))
        for key in KEYS:
            headers = {"Authorization": f"Bearer {key}"}
            for other, job_id in (*jobs.items(), ("", "of-a-comment")):
                for path in (f"/jobs/{job_id}", f"/jobs/{job_id}.diff"):
                    status = keyed.client.get(path, headers=headers).status_code
                    assert status == (200 if other == key else 404)
        operator = {"Authorization": f"Bearer {OPERATOR_KEY}"}
        for job_id in (*jobs.values(), "of-a-comment"):
            assert keyed.client.get(f"/jobs/{job_id}", headers=operator).status_code == 200

    def test_the_only_key_reads_all_jobs(self) -> None:
        web = Web({"TINYGEN_API_KEYS": KEYS[0]})
        web.reports.save(replace(report(), job=replace(report().job, id="of-a-comment")))
        headers = {"Authorization": f"Bearer {KEYS[0]}"}
        assert web.client.get("/jobs/of-a-comment", headers=headers).status_code == 200


def report(state: State = "done", **of: Any) -> Report:
    job = Job(
        "j-1",
        "run",
        Target("octocat/greeter"),
        Command("solve", "x"),
        received_at="2026-01-01T00:00:00+00:00",
    )
    return replace(Report(job, "done"), state=state, **of)


class TestJobPages:
    def test_tell_state_steps_usage_and_result(self, web: Web) -> None:
        web.reports.save(
            report(
                steps=(Step("Write the change", "done"),),
                patch=Patch("1" * 40, DIFF, (FileStat("a", 1, 1, "modified"),)),
                summary="Change a",
                notes=("A note.",),
                model="double-1",
                usage=Usage(calls=2, prompt_tokens=10, completion_tokens=5, seconds=1.25),
                finished_at="2026-01-01T00:00:09+00:00",
            )
        )
        page = web.client.get("/jobs/j-1").json
        assert page == {
            "id": "j-1",
            "state": "done",
            "source": "run",
            "repo": "octocat/greeter",
            "issue_number": None,
            "asker": None,
            "command": "solve",
            "prompt": "x",
            "steps": [{"title": "Write the change", "state": "done", "began_at": None}],
            "waits_for": None,
            "usage": {
                "model": "double-1",
                "calls": 2,
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "cached_tokens": 0,
                "cost_usd": None,
                "estimate_usd": None,
                "seconds": 1.25,
            },
            "shown": [],
            "reflections": [],
            "result": {
                "diff": DIFF,
                "base_sha": "1" * 40,
                "summary": "Change a",
                "notes": ["A note."],
                "pull_request_url": None,
                "commit_url": None,
            },
            "answer": None,
            "places": [],
            "base_sha": None,
            "error": None,
            "created_at": "2026-01-01T00:00:00+00:00",
            "finished_at": "2026-01-01T00:00:09+00:00",
            "links": {
                "self": "/jobs/j-1",
                "diff": "/jobs/j-1.diff",
                "comment": None,
                "pull_request": None,
                "commit": None,
            },
        }

    def test_tell_a_failure(self, web: Web) -> None:
        web.reports.save(report("failed", failure=Failure("It broke.", "Mend it.")))
        page = web.client.get("/jobs/j-1").json
        assert page
        assert (page["state"], page["error"], page["result"]) == (
            "failed",
            "It broke. Mend it.",
            None,
        )

    def test_give_the_diff_as_text(self, web: Web) -> None:
        web.reports.save(report(patch=Patch("1" * 40, DIFF)))
        answer = web.client.get("/jobs/j-1.diff")
        assert answer.data == DIFF.encode()
        assert answer.content_type.startswith("text/")

    def test_give_the_bytes_of_a_path_that_is_not_utf8(self, web: Web) -> None:
        web.reports.save(report(patch=Patch("1" * 40, DIFF + "\udcff")))
        assert web.client.get("/jobs/j-1.diff").data == DIFF.encode() + b"\xff"
        assert web.client.get("/jobs/j-1").status_code == 200

    @pytest.mark.parametrize("state", sorted(FINAL_STATES | {"queued", "running"}))
    def test_a_diff_that_is_not_there_is_empty_only_where_the_job_is_done(
        self, web: Web, state: State
    ) -> None:
        web.reports.save(report(state))
        answer = web.client.get("/jobs/j-1.diff")
        if state == "done":
            assert (answer.status_code, answer.data) == (200, b"")
        else:
            assert state in problem(answer, 404)

    @pytest.mark.parametrize(
        "job", ["unknown", "x" * 65, "a%2Fb", "..", "a%00b", "a%0Ab", "%F0%9F%98%80", "j-1.txt"]
    )
    def test_an_unknown_job_is_404(self, web: Web, job: str) -> None:
        web.reports.save(report())
        problem(web.client.get(f"/jobs/{job}"), 404)
        problem(web.client.get(f"/jobs/{job}.diff"), 404)

    def test_reports_that_are_away_are_503(self, web: Web) -> None:
        web.reports.is_away = True
        problem(web.client.get("/jobs/j-1"), 503)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/webhook", {"POST", "OPTIONS"}),
        ("PUT", "/webhook", {"POST", "OPTIONS"}),
        ("GET", "/run", {"POST", "OPTIONS"}),
        ("POST", "/jobs/x", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("DELETE", "/jobs/x.diff", {"GET", "HEAD", "OPTIONS"}),
        ("DELETE", "/jobs", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/healthz", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_method_that_is_not_allowed_is_told_which_are(
    web: Web, method: str, path: str, allowed: set[str]
) -> None:
    answer = web.client.open(path, method=method)
    problem(answer, 405)
    assert set(re.split(r", *", answer.headers["Allow"])) == allowed


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/webhook/", "/run/x", "/jobs/", "/.env", "/%2e%2e/etc/passwd"],
)
def test_what_is_not_there_is_a_problem_as_well(web: Web, path: str) -> None:
    problem(web.client.get(path), 404)


def test_a_doubled_slash_leads_to_the_page(web: Web) -> None:
    answer = web.client.get("/jobs//x")
    assert (answer.status_code, answer.headers["Location"]) == (308, "http://localhost/jobs/x")


def test_head_is_get_without_a_body(web: Web) -> None:
    web.reports.save(report(patch=Patch("1" * 40, DIFF)))
    for path in ("/healthz", "/metrics", "/jobs/j-1", "/jobs/j-1.diff"):
        answer = web.client.head(path)
        assert (answer.status_code, answer.data) == (200, b"")


def test_healthz_answers_whatever_else_is_away(web: Web) -> None:
    web.inbox.is_away = web.reports.is_away = True
    assert web.client.get("/healthz").status_code == 200


def test_readyz_is_200_while_a_worker_lives(web: Web) -> None:
    web.workers.beat("one")
    answer = web.client.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ready", "workers": 1})


def test_readyz_names_what_is_missing(web: Web) -> None:
    assert "No worker" in problem(web.client.get("/readyz"), 503)
    web.workers.is_away = True
    assert "The database failed" in problem(web.client.get("/readyz"), 503)


def test_metrics_are_prometheus_text(tmp_path: Path) -> None:
    config = load_config(
        {"GITHUB_WEBHOOK_SECRET": SECRET, "TINYGEN_DATA_DIR": str(tmp_path)}, env_file=None
    )
    database = build_database(config)
    database.accept(report().job)
    app = create_app(config, build_stores(database), lambda: render_metrics(database))
    answer = app.test_client().get("/metrics")
    assert answer.content_type.startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    states = {sample.labels["state"]: sample.value for sample in families["tinygen_jobs"].samples}
    assert states == {**dict.fromkeys(FINAL_STATES | {"running"}, 0.0), "queued": 1.0}
    assert families["tinygen_inbox_age_seconds"].samples[0].value >= 0
    database.close()


def test_the_receiver_does_not_start_without_its_secret() -> None:
    with pytest.raises(SetupError, match="GITHUB_WEBHOOK_SECRET"):
        create_app(
            load_config({}, env_file=None),
            memory_stores(),
            lambda: b"",
        )


def test_a_fault_of_our_own_is_500_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fault() -> bytes:
        raise ZeroDivisionError(SECRET)

    config = load_config({"GITHUB_WEBHOOK_SECRET": SECRET}, env_file=None)
    app = create_app(config, memory_stores(), fault)
    problem(app.test_client().get("/metrics"), 500)
