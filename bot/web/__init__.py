"""The HTTP edge: takes webhooks and calls, stores what they ask for, answers from what is stored.

It is light on purpose: it imports neither the engine nor githubkit, and the answer to GitHub costs a signature, ten
fields and one committed row. The work happens in the worker.
"""

from __future__ import annotations

import hmac
import ipaddress
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from flask import Response, request
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, Field

from bot import __version__
from bot.config import Config
from bot.core.delivery import Ignored, job_for, read_delivery, verify_signature
from bot.core.repo_url import read_repo_url
from bot.core.report import Report
from bot.core.types import FINAL_STATES, Command, Job, Target
from bot.errors import BadRequest, LimitReached, OutsideError, SetupError, TimedOut
from bot.ports import Inbox, Reports
from bot.web import problems
from bot.web.pages import diff_answer, job_page
from bot.web.problems import NoSuchJob, Unauthorized, Unavailable

MAX_BODY_BYTES = 25 * 1024 * 1024
"""GitHub's own bound. https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap"""
MAX_PROMPT_CHARS = 100_000
POLL_S = 0.05
"""How often a waiting /run looks for its report."""


class RunRequest(BaseModel):
    repo_url: Annotated[str, Field(alias="repoUrl", max_length=2_000, examples=["https://github.com/owner/name"])]
    prompt: Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARS, pattern=r"\S")]
    ref: Annotated[
        str | None, Field(max_length=200, description="Branch or commit; the default branch without it.")
    ] = None


class RunAnswer(BaseModel):
    diff: str = Field(description="What `git apply` takes; empty where no change is needed.")


class JobPath(BaseModel):
    job_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]


def create_app(config: Config, inbox: Inbox, reports: Reports, metrics: Callable[[], bytes]) -> OpenAPI:
    """The WSGI application. SetupError without a webhook secret: an unsigned delivery must never be believed."""
    if config.github_webhook_secret is None:
        raise SetupError(
            "GITHUB_WEBHOOK_SECRET is not set.",
            next_step="Run `python -m bot setup`, or copy it from the App's page into .env.",
        )
    app = OpenAPI(
        "bot",
        info=Info(title="TinyGen", version=__version__),
        doc_prefix="/docs",
        validation_error_callback=problems.invalid,
        responses={"4XX": problems.Problem, "5XX": problems.Problem},
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    problems.register(app)
    _add_routes(app, _Routes(config, inbox, reports), metrics)
    return app


def _add_routes(app: OpenAPI, routes: _Routes, metrics: Callable[[], bytes]) -> None:
    app.before_request(routes.check_caller)

    @app.post("/webhook", doc_ui=False)
    def webhook() -> tuple[dict[str, str], int]:
        return routes.webhook()

    @app.post("/run", summary="The diff for a prompt", responses={"200": RunAnswer})
    def run(body: RunRequest) -> dict[str, str] | tuple[dict[str, str], int, dict[str, str]]:
        return routes.run(body)

    @app.get("/jobs/<job_id>", summary="State, steps, usage and result of a job")
    def job(path: JobPath) -> dict[str, object]:
        return job_page(routes.find(path.job_id))

    @app.get("/jobs/<job_id>.diff", summary="A job's diff as text")
    def job_diff(path: JobPath) -> Response:
        patch = routes.find(path.job_id).patch
        return Response(patch.text if patch else "", content_type="text/x-diff; charset=utf-8")

    @app.get("/healthz", doc_ui=False)
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", doc_ui=False)
    def show_metrics() -> Response:
        return Response(metrics(), content_type="text/plain; version=0.0.4; charset=utf-8")


class _Routes:
    def __init__(self, config: Config, inbox: Inbox, reports: Reports) -> None:
        self._config, self._inbox, self._reports = config, inbox, reports
        secret = config.github_webhook_secret
        self._secret = secret.get_secret_value() if secret else ""
        self._app_id = config.github_app_id or 0
        self._waiters = threading.BoundedSemaphore(max(1, config.web_threads // 2))

    # -- GitHub --

    def webhook(self) -> tuple[dict[str, str], int]:
        body = request.get_data(cache=False)
        if not verify_signature(self._secret, body, request.headers.get("X-Hub-Signature-256")):
            raise Unauthorized("The signature is missing or wrong. Use the App's webhook secret on both sides.")
        headers = request.headers
        delivery = read_delivery(headers.get("X-GitHub-Event"), headers.get("X-GitHub-Delivery"), body)
        asked = job_for(delivery, app_id=self._app_id, received_at=_now())
        if isinstance(asked, Ignored):
            return {"ignored": asked.reason}, 200
        try:
            self._inbox.accept(asked)
        except OutsideError as error:
            raise Unavailable(str(error)) from error
        return {"job": asked.id}, 202

    # -- direct calls --

    def run(self, body: RunRequest) -> dict[str, str] | tuple[dict[str, str], int, dict[str, str]]:
        job = self._run_job(body)
        self._inbox.accept(job)
        if "respond-async" in request.headers.get("Prefer", ""):
            return {"job": job.id}, 202, {"Location": f"/jobs/{job.id}", "Preference-Applied": "respond-async"}
        if not self._waiters.acquire(blocking=False):
            raise LimitReached(
                "Too many callers wait for a diff.",
                next_step=f"This one is running: poll /jobs/{job.id}, or call with `Prefer: respond-async`.",
            )
        try:
            report = self._wait(job.id)
        finally:
            self._waiters.release()
        return diff_answer(report)

    def _run_job(self, body: RunRequest) -> Job:
        repo, ref = read_repo_url(body.repo_url, self._config.github_server_url)
        if "\0" in body.prompt:
            raise BadRequest("The prompt holds a NUL character.", next_step="Leave it out.")
        command = Command("solve", body.prompt, mode="diff", base=body.ref or ref)
        return Job(uuid.uuid4().hex, "run", Target(repo), command, received_at=_now())

    def _wait(self, job_id: str) -> Report:
        until = time.monotonic() + self._config.run_wait_s
        while time.monotonic() < until:
            report = self._reports.load(job_id)
            if report is not None and report.state in FINAL_STATES:
                return report
            time.sleep(POLL_S)
        raise TimedOut("The diff is not ready yet.", next_step=f"The job goes on: ask /jobs/{job_id} for it.")

    def find(self, job_id: str) -> Report:
        report = self._reports.load(job_id)
        if report is None:
            raise NoSuchJob(f"There is no job {job_id}, or no longer. Its id is in the answer that accepted it.")
        return report

    # -- who may call --

    def check_caller(self) -> None:
        """Before anything of a call is read, where it is one that needs a key."""
        if not request.path.startswith(("/run", "/jobs")):
            return
        keys = [key.get_secret_value().encode() for key in self._config.api_keys]
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if keys:
            good = [hmac.compare_digest(key, given.strip().encode()) for key in keys]
            if scheme.lower() != "bearer" or not any(good):
                raise Unauthorized("Send one of TINYGEN_API_KEYS as `Authorization: Bearer KEY`.")
        elif not _is_local():
            raise Unauthorized("Only callers on this machine are answered until TINYGEN_API_KEYS is set.")


def _is_local() -> bool:
    """Whether the caller is on loopback itself, and not someone whom a proxy here speaks for."""
    if any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP")):
        return False
    return ipaddress.ip_address(request.remote_addr or "192.0.2.1").is_loopback


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
