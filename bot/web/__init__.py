"""The web part: receives webhooks and calls, stores their jobs, and answers from what is stored.

It does no work of a job: a worker does. It imports neither the durable engine nor githubkit, so
that a delivery costs a signature, a small parse and one committed row.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from flask import Response, g, request
from flask.json.provider import DefaultJSONProvider
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, Field
from werkzeug.exceptions import RequestEntityTooLarge, ServiceUnavailable

from bot import __version__
from bot.config import Config
from bot.errors import BadRequest, LimitReached, NotPermitted, SetupError, TimedOut
from bot.job_lines import log_accepted
from bot.ports import ALIVE_S, Inbox, Reports, Workers
from bot.thread.webhooks import Ignored, parse_job, read_delivery, verify_signature
from bot.types import FINAL_STATES, Command, Job, Report, Target
from bot.types.names import is_branch_name, is_denied, read_repo_url
from bot.types.quota import check_quota
from bot.web import call_log, problems
from bot.web.pages import Accepted, JobPage, RunAnswer, diff_answer, diff_bytes, job_page
from bot.web.problems import Answers, NoSuchJob, Unauthorized, described

MAX_BODY_BYTES = 25 * 1024 * 1024
"""GitHub's own limit.
https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap"""
MAX_PROMPT_CHARS = 100_000
_SIGNATURE = re.compile(r"sha256=[0-9a-fA-F]{64}", re.ASCII)
PROXY_HEADERS = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "cf-connecting-ip", "true-client-ip"}
)
_LOOPBACK_HOST = re.compile(
    r"(?:localhost|127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}|\[::1\])(?::\d{1,5})?",
    re.ASCII | re.IGNORECASE,
)
LOCAL_CALLER = "this machine"
"""The actor of a call without a key. With a key it is the word "key" and a part of the key's digest,
which stays when other keys come and go. No login on GitHub holds a space, so these are never
mistaken for one."""
POLL_S = 0.05
"""The interval at which a waiting /run looks for its report."""


class RunRequest(BaseModel):
    repo_url: Annotated[
        str, Field(alias="repoUrl", max_length=2_000, examples=["https://github.com/owner/name"])
    ]
    prompt: Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARS, pattern=r"\S")]
    ref: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description="Branch or commit; the default branch without it.",
        ),
    ] = None


class JobPath(BaseModel):
    job_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]


def create_app(
    config: Config, inbox: Inbox, reports: Reports, workers: Workers, metrics: Callable[[], bytes]
) -> OpenAPI:
    """The WSGI application. SetupError if there is no webhook secret: an unsigned delivery must
    never be accepted."""
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
        validation_error_model=problems.Problem,
    )
    app.json = _JsonProvider(app)
    # A body without a Content-Length is cut off here; one byte more shows that it was too long.
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES + 1
    problems.register(app)
    call_log.register(app)
    _add_routes(app, _Routes(config, inbox, reports), metrics)
    _add_health(app, workers)
    return app


def _add_routes(app: OpenAPI, routes: _Routes, metrics: Callable[[], bytes]) -> None:
    app.before_request(routes.check_caller)

    @app.post("/webhook", doc_ui=False)
    def webhook() -> tuple[dict[str, str], int]:
        return routes.webhook()

    answers: Answers = {
        "200": RunAnswer,
        "202": Accepted,
        **described(400, 401, 404, 409, 413, 415, 422, 429, 502, 503, 504),
    }

    @app.post("/run", summary="The diff for a prompt", responses=answers)
    def run(body: RunRequest) -> dict[str, str] | tuple[dict[str, str], int, dict[str, str]]:
        return routes.run(body)

    @app.get(
        "/jobs/<job_id>",
        summary="A job as it stands",
        responses={"200": JobPage, **described(401, 404, 422, 503)},
    )
    def job(path: JobPath) -> dict[str, object]:
        return job_page(routes.find(path.job_id)).model_dump()

    @app.get(
        "/jobs/<job_id>.diff",
        summary="A job's diff as text",
        responses=described(401, 404, 422, 503),
    )
    def job_diff(path: JobPath) -> Response:
        return Response(
            diff_bytes(routes.find(path.job_id)), content_type="text/x-diff; charset=utf-8"
        )

    @app.get("/metrics", doc_ui=False)
    def show_metrics() -> Response:
        return Response(metrics(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _add_health(app: OpenAPI, workers: Workers) -> None:
    @app.get("/healthz", doc_ui=False)
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", doc_ui=False)
    def readyz() -> dict[str, str | int]:
        alive = workers.alive(ALIVE_S)
        if not alive:
            raise ServiceUnavailable(
                "No worker was alive within the last minute. Start one, or see its log: commands"
                " are kept until then."
            )
        return {"status": "ready", "workers": len(alive)}


class _JsonProvider(DefaultJSONProvider):
    def loads(self, s: str | bytes, **options: Any) -> Any:
        """ValueError, as for other malformed JSON, also if it is nested too deeply for Python."""
        try:
            return super().loads(s, **options)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


class _Routes:
    def __init__(self, config: Config, inbox: Inbox, reports: Reports) -> None:
        self._config = config
        self._inbox = inbox
        self._reports = reports
        secrets = (config.github_webhook_secret, config.github_webhook_secret_old)
        self._secrets = [secret.get_secret_value() for secret in secrets if secret]
        self._app_id = config.github_app_id or 0
        self._triggers = config.triggers()
        # At most half of the threads wait for a diff, so that the others can take webhooks.
        self._waiters = threading.BoundedSemaphore(max(1, config.web_threads // 2))

    def webhook(self) -> tuple[dict[str, str], int]:
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
        job = parse_job(delivery, app_id=self._app_id, received_at=_now(), triggers=self._triggers)
        if isinstance(job, Ignored):
            call_log.log_ignored(delivery, job)
            return {"ignored": job.reason}, 200
        self._accept(job)
        return {"job": job.id}, 202

    def run(self, body: RunRequest) -> dict[str, str] | tuple[dict[str, str], int, dict[str, str]]:
        job = self._run_job(body)
        if is_denied(job, self._config.deny):
            raise NotPermitted(
                "The operator of this TinyGen takes no requests for this repository.",
                next_step="Ask the operator.",
            )
        limit = check_quota(self._config.quota(), job, self._reports, time.time())
        if limit:
            raise limit
        if _prefers_async():
            self._accept(job)
            headers = {"Location": f"/jobs/{job.id}", "Preference-Applied": "respond-async"}
            return {"job": job.id}, 202, headers
        if not self._waiters.acquire(blocking=False):
            raise LimitReached(
                "Too many callers wait for a diff.",
                next_step="Call with `Prefer: respond-async`, or again in a few seconds.",
            )
        try:
            self._accept(job)
            return diff_answer(self._wait(job.id))
        finally:
            self._waiters.release()

    def _accept(self, job: Job) -> None:
        if self._inbox.accept(job):
            log_accepted(job)
        g.job = job.id

    def _run_job(self, body: RunRequest) -> Job:
        repo, url_ref = read_repo_url(body.repo_url, self._config.github_server_url)
        ref = body.ref or url_ref
        if ref is not None and not is_branch_name(ref):
            raise BadRequest(
                "The ref is no name that a branch can have.",
                next_step="Name a branch or a full sha.",
            )
        if "\0" in body.prompt:
            raise BadRequest("The prompt holds a NUL character.", next_step="Leave it out.")
        return Job(
            uuid.uuid4().hex,
            "run",
            Target(repo),
            Command("solve", body.prompt, mode="diff", base=ref),
            actor=g.caller,
            received_at=_now(),
            trigger="call",
        )

    def _wait(self, job_id: str) -> Report:
        deadline = time.monotonic() + self._config.run_wait_s
        while time.monotonic() < deadline:
            report = self._reports.load(job_id)
            if report is not None and report.state in FINAL_STATES:
                return report
            time.sleep(POLL_S)
        raise TimedOut(
            "The diff is not ready yet.", next_step=f"The job goes on: ask /jobs/{job_id} for it."
        )

    def find(self, job_id: str) -> Report:
        """The job's report, if the caller may read it: whoever asked for it, and operators. NoSuchJob
        otherwise, so that nobody learns which ids exist."""
        report = self._reports.load(job_id)
        if report is None or not (g.is_operator or report.job.actor == g.caller):
            raise NoSuchJob(
                f"There is no job {job_id}, or no longer. Its id is in the answer that accepted it."
            )
        return report

    def check_caller(self) -> None:
        """Sets `g.caller` and `g.is_operator` of a call, or raises Unauthorized, before its body is
        read. `/metrics` takes any key, and callers on this machine without one."""
        if request.path.startswith(("/run", "/jobs")):
            g.caller, g.is_operator = self._authorized_caller()
        elif request.path == "/metrics" and not _is_local():
            self._authorized_caller()

    def _authorized_caller(self) -> tuple[str, bool]:
        """The caller's name, and whether it is an operator."""
        keys, operators = (
            [key.get_secret_value().encode() for key in group]
            for group in (self._config.api_keys, self._config.operator_keys)
        )
        if not keys and not operators:
            if _is_local():
                return LOCAL_CALLER, True
            raise Unauthorized(
                "Without TINYGEN_API_KEYS or TINYGEN_OPERATOR_KEYS only programs on this machine are"
                " answered, where they call localhost. Set one, and send a key of it as"
                " `Authorization: Bearer KEY`."
            )
        scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
        given = rest.strip().encode()
        # Every key is compared, so that the time does not tell which one is right.
        is_key = [hmac.compare_digest(key, given) for key in keys]
        is_operator = [hmac.compare_digest(key, given) for key in operators]
        if scheme.lower() != "bearer" or not any((*is_key, *is_operator)):
            raise Unauthorized(
                "Send one of TINYGEN_API_KEYS or TINYGEN_OPERATOR_KEYS as `Authorization: Bearer"
                " KEY`."
            )
        # Where there is one key, as `setup` writes it, it is the operator's.
        reads_all = any(is_operator) or len(keys) + len(operators) == 1
        return f"key {hashlib.sha256(given).hexdigest()[:12]}", reads_all


def _passed_over_bytes() -> int:
    """Reads the body without keeping it; its size."""
    size_bytes = 0
    while piece := request.stream.read(1 << 16):
        size_bytes += len(piece)
    return size_bytes


def _is_local() -> bool:
    """Whether the caller is a program on this machine: not somebody behind a proxy, and not a page
    in a browser, which sends an Origin, or a Host of its own if it uses DNS rebinding."""
    names = {name.lower() for name, _ in request.headers}
    if any(name.startswith("x-forwarded-") or name in PROXY_HEADERS for name in names):
        return False
    if "origin" in names or not _LOOPBACK_HOST.fullmatch(request.headers.get("Host", "")):
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:  # a Unix socket: the caller is a proxy
        return False


def _prefers_async() -> bool:
    """https://www.rfc-editor.org/rfc/rfc7240#section-4.1"""
    preferences = request.headers.get("Prefer", "").lower().replace(";", ",").split(",")
    return "respond-async" in (preference.strip() for preference in preferences)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
