"""Work that is asked for here and not on GitHub: `POST /run`, the form over it, and stopping and
repeating jobs from their pages."""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from flask import Response, g, request
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, Field, ValidationError

from bot.config import Config
from bot.errors import BadRequest, NotPermitted, TimedOut, TinyGenError
from bot.ports import Inbox, Reports
from bot.types import FINAL_STATES, Command, Job, Report, Target
from bot.types.names import is_branch_name, is_denied, read_repo_url
from bot.types.quota import check_quota
from bot.web import call_log
from bot.web.answers import Accepted, RunAnswer, diff_answer
from bot.web.callers import Caller, Callers
from bot.web.pages import page
from bot.web.problems import problem_of
from bot.web.reference.examples import EXAMPLE_DIFF, EXAMPLE_ID
from bot.web.reference.responses import CHANGES, Answers, located, problems, success
from bot.web.waits import Waits

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
    def __init__(self, config: Config, inbox: Inbox, reports: Reports, waits: Waits) -> None:
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
        job = _call(command, repo, caller)
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
        call_log.accept(self._inbox, job)

    def accept_and_wait(self, job: Job) -> Report:
        """The job's last report. LimitReached if too many wait; TimedOut if it takes too long."""
        with self._waits.one("Too many callers wait for a diff.", next_step=WAIT_OTHERWISE):
            call_log.accept(self._inbox, job)
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
            "Waits for the diff, which takes a minute or so. With `Prefer: respond-async` it does"
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


def cancellation(report: Report, caller: Caller) -> Job:
    """The job that asks the workers to stop this one; BadRequest if it has ended. For a person who
    is neither its asker nor an operator, the repository's own settings decide, as for `/tinygen
    cancel`."""
    if report.state in FINAL_STATES:
        raise BadRequest(
            f"The job has ended: {report.state}.", next_step="There is nothing to cancel."
        )
    job = report.job
    stop = _call(Command("cancel", job.id), job.target.repo, caller)
    if caller.is_trusted or job.asker_key == caller.key:
        return stop
    # Not the thread itself: nothing is to be written there.
    where = Target(
        job.target.repo, job.target.installation_id, repository_id=job.target.repository_id
    )
    return replace(stop, target=where, trigger="page")


def is_repeatable(report: Report) -> bool:
    """Whether the job failed or was stopped, or was refused for the moment only."""
    if report.state == "refused":
        return report.failure is not None and report.failure.retryable
    return report.state in ("failed", "cancelled")


def repetition(report: Report, caller: Caller, job_id: str = "") -> Job:
    """The same job again, as a new one; BadRequest if it cannot be repeated. In a thread it gets a
    comment of its own.

    For an operator or a key it is its asker's as before. For any other person it is what `/tinygen
    retry` is: the person's own command, about words that may be another's.
    """
    if not is_repeatable(report):
        raise BadRequest(
            f"The job is {report.state}.",
            next_step="What failed or was stopped can be tried again.",
        )
    again = replace(
        report.job,
        id=job_id or uuid.uuid4().hex,
        delivery_id=None,
        event_key="",
        received_at=now_text(),
    )
    if caller.is_trusted:
        return again
    return replace(
        again,
        command=Command("retry", report.job.id),
        actor=caller.name,
        actor_id=caller.user_id,
        actor_is_bot=False,
        trigger="page",
        remarks=(),
        check=None,
        edited_of=None,
    )


def repetition_id(report: Report, caller: Caller) -> str:
    """The id of the job that this caller's repetition is: the same at the second press of a
    button."""
    text = f"{report.job.id} again for {caller.key}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _call(command: Command, repo: str, caller: Caller) -> Job:
    return Job(
        uuid.uuid4().hex,
        "run",
        Target(repo),
        command,
        actor=caller.name,
        actor_id=caller.user_id,
        received_at=now_text(),
        trigger="call",
    )


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def see_other(path: str) -> Response:
    """Sends a browser on to another page."""
    return Response(status=303, headers={"Location": path})


def _prefers_async() -> bool:
    """https://www.rfc-editor.org/rfc/rfc7240#section-4.1"""
    preferences = request.headers.get("Prefer", "").lower().replace(";", ",").split(",")
    return "respond-async" in (preference.strip() for preference in preferences)
