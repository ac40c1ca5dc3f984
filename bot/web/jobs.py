"""`/jobs` and `/jobs/<id>`, as JSON and as pages: one job, its diff, the list with what was spent, and
what stops and repeats a job."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlencode

from flask import Response, request
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, Field
from werkzeug.routing import BaseConverter

from bot.config import Config
from bot.errors import BadRequest
from bot.ports import (
    ALIVE_S,
    Conversations,
    Inbox,
    LastSeen,
    Listing,
    Outbox,
    Reports,
    Sessions,
    SetupRecords,
    Workers,
)
from bot.thread.page_links import PARAMETER, Scope, link_end, sign_link
from bot.thread.requests import cancellation, repetition, repetition_id
from bot.types import Job, Report, State
from bot.types.names import REPO_NAME
from bot.types.pages import GroupBy, JobFilter, JobList
from bot.types.quota import DAY_S
from bot.types.serialization import REPORT
from bot.version import version
from bot.web.answers import (
    Accepted,
    JobAnswer,
    JobRow,
    JobsAnswer,
    Overview,
    Spent,
    dead_deliveries,
    diff_bytes,
    job_answer,
    job_row,
    spending_rows,
)
from bot.web.callers import LOOK_AGAIN, Caller, Callers
from bot.web.calls import accept, now_text
from bot.web.pages import own_address, page, see_other, wants_html
from bot.web.pages.job_page import Actions, actions_for, job_values
from bot.web.problems import problem_error
from bot.web.reference.examples import EXAMPLE_DIFF, EXAMPLE_ID, example_job, example_list
from bot.web.reference.responses import JOBS, KEY_OR_LINK, problems, success, with_page
from bot.web.wait_limit import WaitLimit

MAX_ROWS = 100
SPENDING_DAYS = 30
DIFF_LINK_S = 3_600.0
"""How long the address in a page's `git apply` command is valid at least, twice that at most."""


@dataclass(frozen=True, slots=True)
class Stores:
    """What the web part reads and writes; all of it is the database."""

    inbox: Inbox
    reports: Reports
    workers: Workers
    listing: Listing
    conversations: Conversations
    sessions: Sessions
    last_seen: LastSeen
    outbox: Outbox
    setups: SetupRecords


class JobPath(BaseModel):
    job_id: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9-]{1,64}$",
            description="The job's id, as the answer that accepted it has it.",
            json_schema_extra={"example": EXAMPLE_ID},
        ),
    ]


class JobIdConverter(BaseConverter):
    """An id holds no dot, so that `/jobs/<id>` does not take the methods of `/jobs/<id>.diff`."""

    regex = r"[^/.]+"


class ListQuery(BaseModel):
    state: State | Literal[""] = Field(default="", description="Only jobs in this state.")
    repo: Annotated[str, Field(max_length=200)] = Field(
        default="", description="Only jobs of this repository, as owner/name."
    )
    limit: Annotated[int, Field(ge=1, le=MAX_ROWS)] = Field(
        default=25, description="How many jobs a page has at most."
    )
    after: Annotated[str, Field(max_length=200)] = Field(
        default="", description="Where a page begins: see `next` of the page before."
    )


_DIFF: dict[str, object] = {
    "description": "What `git apply` takes at the base commit; empty where no change is needed.",
    "content": {"text/x-diff": {"schema": {"type": "string"}, "example": EXAMPLE_DIFF}},
}
_ENDED = "The job has ended: done. There is nothing to cancel."


class JobLists:
    def __init__(self, config: Config, stores: Stores) -> None:
        self._config, self._stores = config, stores

    def page(self, query: ListQuery, caller: Caller) -> JobList:
        """The jobs that the caller may list: all for an operator, else those that they asked for.
        BadRequest if the query names what cannot be."""
        if query.repo and not REPO_NAME.fullmatch(query.repo):
            raise BadRequest(
                "That is not a repository's name.", next_step="Write it as owner/name."
            )
        asker_key = None if caller.is_operator else caller.key
        wanted = JobFilter(query.state or None, query.repo, asker_key, query.after)
        try:
            return self._stores.listing.list_jobs(wanted, query.limit)
        except ValueError:
            raise BadRequest(
                "`after` is not the mark of a page.",
                next_step="Use the `next` of the page before as it is, or leave it out.",
            ) from None

    def answer(self, query: ListQuery, caller: Caller) -> JobsAnswer:
        found = self.page(query, caller)
        is_overview_due = caller.is_operator and not query.after
        return JobsAnswer(
            jobs=tuple(self._row(each, caller) for each in found.reports),
            next=next_page_url(query, found) or None,
            overview=self._overview() if is_overview_due else None,
        )

    def _row(self, report: Report, caller: Caller) -> JobRow:
        """A person may have lost the repository since: of an error, which may quote it, the job's
        page tells."""
        row = job_row(report, self._config.github_server_url)
        return row if caller.is_trusted else row.model_copy(update={"error": None})

    def _overview(self) -> Overview:
        stores, app = self._stores, self._stores.last_seen.app()
        return Overview(
            states=dict(stores.listing.counts()),
            workers=len(stores.workers.alive(ALIVE_S)),
            paused=stores.reports.paused(),
            log_rows_waiting=len(stores.outbox),
            dead_deliveries=dead_deliveries(app),
            deliveries_read_at=app.read_at if app else None,
            spent=self._spent(days_ago(SPENDING_DAYS)),
        )

    def _spent(self, since: str) -> Spent:
        rows = {
            by: spending_rows(self._stores.listing.spending(by, since)) for by in get_args(GroupBy)
        }
        return Spent(since=since, **rows)


class JobPages:
    """Renders the pages of jobs. A large one takes a tenth of a second of a processor, so a few are
    rendered at once, and what comes on top of them is sent away at no cost."""

    def __init__(
        self,
        config: Config,
        stores: Stores,
        callers: Callers,
        signing_key: Callable[[], bytes],
    ) -> None:
        self._config, self._stores, self._callers = config, stores, callers
        self._signing_key = signing_key
        self._limit = WaitLimit(config.web_threads // 4)

    def show(self, report: Report) -> Response:
        """The page; 304 if the browser has it as it is."""
        job_id, callers = report.job.id, self._callers
        may_change, form_token = callers.may_change(report), callers.form_token()
        turn_count = self._stores.conversations.count(job_id)
        signature = self._diff_signature(job_id)
        shown = [REPORT.dump(report), turn_count, may_change, form_token, signature, version()]
        tag = hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:32]
        if request.if_none_match.contains_weak(tag):
            response = Response(status=304)
        else:
            actions = actions_for(report, may_change=may_change, form_token=form_token)
            with self._limit.place("Too many pages are being made.", next_step=LOOK_AGAIN):
                response = self._render(report, actions, signature)
        response.set_etag(tag, weak=True)
        return response

    def _diff_signature(self, job_id: str) -> str:
        """Of the address in the command that applies the diff. Whoever came by a link gets none that
        opens more than it, or for longer."""
        until = (int(time.time() / DIFF_LINK_S) + 2) * DIFF_LINK_S
        if self._callers.has_link(job_id, "page"):
            until = min(until, link_end(request.args[PARAMETER]))
        return sign_link(self._signing_key(), job_id, until, "diff")

    def _render(self, report: Report, actions: Actions, signature: str) -> Response:
        values = job_values(
            report,
            self._stores.conversations.of(report.job.id),
            actions,
            server_url=self._config.github_server_url,
            address=own_address(self._config, self._stores.last_seen),
            signature=signature,
            conversations_kept=self._config.keep_conversations,
        )
        return page("job.html", 200, **values)


def add_job_list(app: OpenAPI, lists: JobLists, callers: Callers) -> None:
    @app.get(
        "/jobs",
        tags=[JOBS],
        operation_id="listJobs",
        summary="The newest jobs",
        description="The jobs that the key asked for, the newest first; an operator's key sees all.",
        responses={
            "200": with_page(
                success(JobsAnswer, "A page of the list.", example_list().model_dump())
            ),
            **problems(
                400,
                401,
                422,
                429,
                502,
                503,
                504,
                details={
                    400: "That is not a repository's name. Write it as owner/name.",
                    422: "limit: Input should be less than or equal to 100. Mend that field.",
                },
            ),
        },
    )
    def job_list(query: ListQuery) -> Any:
        answer = lists.answer(query, callers.require())
        if not wants_html():
            return answer.model_dump()
        return page("jobs.html", found=answer, query=query, states=get_args(State))


def add_jobs(
    app: OpenAPI, stores: Stores, callers: Callers, pages: JobPages, server_url: str
) -> None:
    """`server_url` is GitHub's."""

    def find(job_id: str, *scopes: Scope) -> Report:
        return callers.check_may_read(stores.reports.load(job_id), job_id, *scopes)

    @app.get(
        "/jobs/<job:job_id>",
        tags=[JOBS],
        operation_id="getJob",
        summary="A job as it stands",
        description="Ask again until `state` is `done`, `failed`, `cancelled` or `refused`.",
        security=KEY_OR_LINK,
        responses={
            "200": with_page(success(JobAnswer, "The job.", example_job().model_dump())),
            **problems(401, 404, 429, 502, 503, 504),
        },
    )
    def job(path: JobPath) -> Any:
        report = find(path.job_id, "page")
        if not wants_html():
            return job_answer(report, server_url).model_dump()
        return pages.show(report)

    @app.get(
        "/jobs/<job:job_id>.diff",
        tags=[JOBS],
        operation_id="getDiff",
        summary="A job's diff as text",
        description="As bytes that `git apply` takes; 404 while there is none.",
        security=KEY_OR_LINK,
        responses={"200": _DIFF, **problems(401, 404, 429, 502, 503, 504)},
    )
    def job_diff(path: JobPath) -> Response:
        report = find(path.job_id, "page", "diff")
        return Response(diff_bytes(report), content_type="text/x-diff; charset=utf-8")


def add_changes(app: OpenAPI, stores: Stores, callers: Callers) -> None:
    """What stops and repeats jobs."""

    def find_to_change(job_id: str) -> Report:
        callers.check_form()
        report = callers.check_may_read(stores.reports.load(job_id), job_id)
        if not callers.may_change(report):
            raise problem_error(
                404, "There is no such job that you may stop or repeat. Ask whoever asked for it."
            )
        return report

    @app.delete(
        "/jobs/<job:job_id>",
        tags=[JOBS],
        operation_id="cancelJob",
        summary="Stops a job",
        description="The job ends as `cancelled` after its present step.",
        responses={
            "202": success(Accepted, "It will be stopped.", {"job": EXAMPLE_ID}, "Location"),
            **problems(400, 401, 404, 429, 502, 503, 504, details={400: _ENDED}),
        },
    )
    def delete_job(path: JobPath) -> tuple[dict[str, str], int, dict[str, str]]:
        report = find_to_change(path.job_id)
        accept(stores.inbox, _stop(report, callers.require()))
        return {"job": report.job.id}, 202, {"Location": f"/jobs/{report.job.id}"}

    @app.post("/jobs/<job:job_id>/cancel", doc_ui=False)
    def cancel_job(path: JobPath) -> Response:
        report = find_to_change(path.job_id)
        accept(stores.inbox, _stop(report, callers.require()))
        return see_other(f"/jobs/{report.job.id}")

    @app.post("/jobs/<job:job_id>/retry", doc_ui=False)
    def retry_job(path: JobPath) -> Response:
        report = find_to_change(path.job_id)
        asker = callers.require()
        job_id = repetition_id(report, asker)
        again = repetition(report, asker, job_id=job_id, received_at=now_text())
        accept(stores.inbox, again)
        return see_other(f"/jobs/{again.id}")


def _stop(report: Report, caller: Caller) -> Job:
    return cancellation(report, caller, job_id=uuid.uuid4().hex, received_at=now_text())


def next_page_url(query: ListQuery, page: JobList) -> str:
    """The address of the page after this one; "" if it is the last."""
    if not page.next:
        return ""
    given = query.model_dump(exclude_defaults=True) | {"after": page.next}
    return f"/jobs?{urlencode(given)}"


def days_ago(days: int) -> str:
    """That many days before now, ISO 8601, UTC."""
    return datetime.fromtimestamp(time.time() - days * DAY_S, UTC).isoformat()
