"""`POST /run`, and `/try`, the form over it."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

from flask import Response, g, request
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, Field, ValidationError

from bot.config import Config
from bot.errors import BadRequest, NotPermitted, TimedOut, TinyGenError
from bot.job_lines import log_accepted
from bot.ports import Inbox, Reports
from bot.thread.requests import direct_call
from bot.types import FINAL_STATES, Command, Job, Report
from bot.types.names import is_branch_name, is_denied, read_repo_url
from bot.types.quota import check_quota
from bot.web.answers import Accepted, RunAnswer, diff_answer
from bot.web.callers import Caller, Callers
from bot.web.pages import page, see_other
from bot.web.problems import problem_of
from bot.web.reference.examples import EXAMPLE_DIFF, EXAMPLE_ID
from bot.web.reference.responses import CHANGES, Answers, located, problems, success
from bot.web.wait_limit import WaitLimit

MAX_PROMPT_CHARS = 100_000
WAIT_OTHERWISE = "Call with `Prefer: respond-async`, or again in a few seconds."
POLL_S = 0.05
"""The interval at which a waiting /run looks for its report."""


class RunRequest(BaseModel):
    """What to change, and where."""

    repo_url: Annotated[
        str,
        Field(
            alias="repoUrl",
            max_length=2_000,
            description="On the GitHub server that TinyGen is set up for; `/tree/BRANCH` may follow.",
        ),
    ]
    prompt: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_PROMPT_CHARS,
            pattern=r"\S",
            description="What to change.",
        ),
    ]
    ref: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description="Branch or commit; the default branch without it.",
        ),
    ] = None


class Calls:
    def __init__(self, config: Config, inbox: Inbox, reports: Reports, waits: WaitLimit) -> None:
        self._config, self._inbox, self._reports = config, inbox, reports
        self._waits = waits
        self.server_url = config.github_server_url

    def new_job(self, asked: RunRequest, caller: Caller) -> Job:
        """The job for a request, not yet accepted. An error of `bot.errors` if it may not be."""
        repo, url_ref = read_repo_url(asked.repo_url, self._config.github_server_url)
        ref = asked.ref or url_ref
        if ref is not None and not is_branch_name(ref):
            raise BadRequest(
                "The ref is no name that a branch can have.",
                next_step="Name a branch or a full sha.",
            )
        if "\0" in asked.prompt:
            raise BadRequest("The prompt holds a NUL character.", next_step="Leave it out.")
        command = Command("solve", asked.prompt, mode="diff", base=ref)
        job = direct_call(command, repo, caller, job_id=uuid.uuid4().hex, received_at=now_text())
        if is_denied(job, self._config.deny):
            raise NotPermitted(
                "The operator of this TinyGen takes no requests for this repository.",
                next_step="Ask the operator.",
            )
        limit = check_quota(self._config.quota(), job, self._reports, time.time())
        if limit:
            raise limit
        return job

    def accept(self, job: Job) -> None:
        accept(self._inbox, job)

    def accept_and_wait(self, job: Job) -> Report:
        """The job's last report. LimitReached if too many wait; TimedOut if it takes too long."""
        with self._waits.place("Too many callers wait for a diff.", next_step=WAIT_OTHERWISE):
            accept(self._inbox, job)
            return self._wait(job.id)

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


def add_run(app: OpenAPI, calls: Calls, callers: Callers) -> None:
    answers: Answers = {
        "200": success(RunAnswer, "The diff.", {"diff": EXAMPLE_DIFF}, "Location"),
        "202": success(
            Accepted,
            "The job was accepted: ask for it at `Location`.",
            {"job": EXAMPLE_ID},
            "Location",
            "Preference-Applied",
        ),
        **problems(400, 401, 413),
        **located(problems(404, 409, 422, 429, 502, 503, 504)),
    }

    @app.before_request
    def check_caller() -> None:
        """Before the body is read."""
        if request.path == "/run":
            callers.require_runner()
            callers.check_form()

    @app.post(
        "/run",
        tags=[CHANGES],
        operation_id="run",
        summary="The diff for a prompt",
        description=(
            "WaitLimit for the diff, which takes a minute or so. With `Prefer: respond-async` it does"
            " not wait: the answer names the job to ask for. Nothing is pushed."
        ),
        responses=answers,
    )
    def run(body: RunRequest) -> Any:
        job = calls.new_job(body, callers.require_runner())
        if _prefers_async():
            calls.accept(job)
            return {"job": job.id}, 202, {"Preference-Applied": "respond-async"}
        return diff_answer(calls.accept_and_wait(job))

    @app.after_request
    def add_location(response: Response) -> Response:
        """Where the job was accepted; also to the problem that it ended with, as its page says
        more."""
        if request.path == "/run" and "job" in g:
            response.headers["Location"] = f"/jobs/{g.job}"
        return response


def add_try(app: OpenAPI, calls: Calls, callers: Callers) -> None:
    @app.get("/try", doc_ui=False)
    def show_form() -> Response:
        callers.require_runner()
        return page(
            "try.html",
            given={},
            form_token=callers.form_token(),
            server_url=calls.server_url,
        )

    @app.post("/try", doc_ui=False)
    def take_form() -> Response:
        caller = callers.require_runner()
        callers.check_form()
        given = {name: request.form.get(name, "").strip() for name in ("repoUrl", "prompt", "ref")}
        try:
            asked = RunRequest.model_validate({**given, "ref": given["ref"] or None})
            job = calls.new_job(asked, caller)
            calls.accept(job)
        except (ValidationError, TinyGenError) as error:
            problem = problem_of(error)
            return page(
                "try.html",
                problem.status,
                given=given,
                form_token=callers.form_token(),
                server_url=calls.server_url,
                detail=problem.detail,
            )
        return see_other(f"/jobs/{job.id}")


def accept(inbox: Inbox, job: Job) -> None:
    """Stores the job, and writes its line if it is new. The answer may name it as `g.job`."""
    if inbox.accept(job):
        log_accepted(job)
    g.job = job.id


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _prefers_async() -> bool:
    """https://www.rfc-editor.org/rfc/rfc7240#section-4.1"""
    preferences = request.headers.get("Prefer", "").lower().replace(";", ",").split(",")
    return "respond-async" in (preference.strip() for preference in preferences)
