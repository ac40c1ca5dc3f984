"""What the operations of the API answer, for its description."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from bot.web.callers import SEND_KEY
from bot.web.problems import DETAILS, Problem
from bot.web.reference.examples import EXAMPLE_ID

Answers = dict[str | int | HTTPStatus, type[BaseModel] | dict[Any, Any] | None]
SCHEMAS = "#/components/schemas/"

CHANGES = Tag(name="Changes", description="A repository and a prompt become a diff.")
JOBS = Tag(name="Jobs", description="What was asked for, how far it is, and what came of it.")
NO_KEY: list[dict[str, list[Any]]] = [{}]
KEY_OR_LINK: list[dict[str, list[Any]]] = [{"bearerKey": []}, {"signedLink": []}]
HEALTH = Tag(name="Health", description="For load balancers and monitoring.")

_LOCATION = "Location"
_HEADERS: dict[str, dict[str, object]] = {
    _LOCATION: {
        "description": "The job's address, where also the reason of an empty diff stands.",
        "schema": {"type": "string", "pattern": "^/jobs/[A-Za-z0-9-]{1,64}$"},
        "example": f"/jobs/{EXAMPLE_ID}",
    },
    "Preference-Applied": {
        "description": "That the preference was taken (RFC 7240).",
        "schema": {"type": "string", "const": "respond-async"},
        "example": "respond-async",
    },
    "Retry-After": {
        "description": "Seconds to wait before the next try.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 5,
    },
    "WWW-Authenticate": {
        "description": "How to authorize (RFC 6750).",
        "schema": {"type": "string", "const": "Bearer"},
        "example": "Bearer",
    },
}
_PROBLEM_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
_EXAMPLES = {
    **DETAILS,
    400: "The repository must be on github.com. Give its address as https://github.com/OWNER/NAME.",
    401: SEND_KEY,
    404: f"There is no job {EXAMPLE_ID}, or no longer, or not for you. Its id is in the answer that"
    " accepted it.",
    409: "The job was cancelled. Send the request again.",
    422: "prompt: Field required. Mend that field.",
    429: "Too many callers wait for a diff. Call with `Prefer: respond-async`, or again in a few"
    " seconds.",
    502: "The model's server api.openai.com did not answer (ConnectTimeout). Try again in a few"
    " minutes.",
    503: "The database failed (disk I/O error). Try again; if it lasts, the operator should look at"
    " the database and its disk.",
    504: f"The diff is not ready yet. The job goes on: ask /jobs/{EXAMPLE_ID} for it.",
}
"""The detail of a problem, by its status."""


def success(model: type[BaseModel], words: str, example: object, *headers: str) -> dict[str, Any]:
    """An answer as JSON, with the headers of these names."""
    content = {
        "application/json": {"schema": {"$ref": SCHEMAS + model.__name__}, "example": example}
    }
    return {"description": words, "headers": _headers(*headers), "content": content}


def with_page(answer: dict[str, Any]) -> dict[str, Any]:
    """The same answer, which is a page for whoever accepts text/html before JSON."""
    html = {"schema": {"type": "string"}, "example": "<!doctype html>"}
    return {**answer, "content": {**answer["content"], "text/html": html}}


def problems(*statuses: int, details: Mapping[int, str] | None = None) -> Answers:
    """The problems of these statuses, and 500. `details` are the operation's own examples."""
    examples = _EXAMPLES | dict(details or {})
    return {str(status): _problem(status, examples[status]) for status in (*statuses, 500)}


def located(answers: Answers) -> Answers:
    """The same answers, each of which may name the job that was accepted."""
    return {
        status: {**answer, "headers": {**answer["headers"], **_headers(_LOCATION)}}
        for status, answer in answers.items()
        if isinstance(answer, dict)
    }


def _problem(status: int, detail: str) -> dict[str, Any]:
    phrase = HTTPStatus(status).phrase
    name = _PROBLEM_HEADERS.get(status)
    example = Problem(title=phrase, status=status, detail=detail).model_dump()
    content = {"schema": {"$ref": f"{SCHEMAS}Problem"}, "example": example}
    return {
        "description": phrase,
        "headers": _headers(name) if name else {},
        "content": {"application/problem+json": content},
    }


def _headers(*names: str) -> dict[str, dict[str, object]]:
    return {name: _HEADERS[name] for name in names}
