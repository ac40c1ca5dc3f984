"""Errors as RFC 9457 describes them: every answer that is no success has a title, a status, and a
detail that says what to do next."""

from __future__ import annotations

import math
from http import HTTPStatus

import structlog
from flask import Flask, Response, current_app, request
from gunicorn.http.errors import NoMoreData, ParseException
from pydantic import BaseModel, Field, ValidationError
from werkzeug.exceptions import HTTPException

from bot.errors import LimitReached, TinyGenError
from bot.logs import RateLimitedLog
from bot.types import Failure
from bot.web.pages import page, wants_html

STATUS_OF = {
    "BadRequest": 400,
    "NotFound": 404,
    "NotPermitted": 404,
    "LimitReached": 429,
    "Unworkable": 422,
    "DatabaseFailed": 503,
    "OutsideError": 502,
    "TimedOut": 504,
}
"""The status for an error, by the name of its class. A failure of another class is 502 if it may be
retried, else 422."""

DETAILS = {
    404: "There is nothing at this address; /docs/ lists what is.",
    405: "This address does not take that method; the Allow header says which it takes.",
    413: "The body is larger than 25 MB. Send less.",
    415: "Send the body as application/json.",
    500: "TinyGen met a fault of its own. Its operator finds the cause in the log.",
}
"""What to do, by the status."""

MAX_DISCARDED_BYTES = 50 * 1024 * 1024

_log = structlog.get_logger()
_unreadable = RateLimitedLog(5, 60.0)


class Problem(BaseModel):
    """An error (RFC 9457)."""

    title: str = Field(description="The status in words.")
    status: int = Field(description="The status of the answer.")
    detail: str = Field(description="What happened, and what to do.")


class Unauthorized(HTTPException):
    code = 401


class NoSuchJob(HTTPException):
    code = 404


def register(app: Flask) -> None:
    """Turns every error of the application into a problem."""
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(ParseException, _unreadable_problem)
    app.register_error_handler(NoMoreData, _unreadable_problem)
    app.register_error_handler(TinyGenError, _tinygen_problem)
    app.register_error_handler(Exception, _unexpected_problem)


def problem_error(status: int, detail: str) -> HTTPException:
    """An exception that Flask turns into this problem."""
    return HTTPException(response=_problem(status, detail))


def failure_error(failure: Failure) -> HTTPException:
    """An exception that Flask turns into the problem of a failed job."""
    status = STATUS_OF.get(failure.kind, 502 if failure.retryable else 422)
    return problem_error(status, f"{failure.message} {failure.next_step}".strip())


def problem_of(error: ValidationError | TinyGenError) -> Problem:
    """The problem of a form that cannot be taken."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        # Behind the field's name pydantic names the member of a union, which is no name of ours.
        field = str(first["loc"][0]) if first["loc"] else "the body"
        status, detail = 422, f"{field}: {first['msg']}. Mend that field."
    else:
        status, detail = STATUS_OF.get(type(error).__name__, 422), str(error)
    return Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)


def invalid(error: ValidationError) -> Response:
    """The answer to a body, a query or a path that does not match its model."""
    first = error.errors(include_url=False, include_input=False)[0]
    if request.url_rule and request.url_rule.rule.startswith("/jobs/"):
        return _problem(404, "There is no such job. Its id is in the answer that accepted it.")
    if not first["loc"]:
        return _problem(
            400,
            'The body is not a JSON object. Send {"repoUrl": ..., "prompt": ...} as'
            " application/json.",
        )
    return _problem(422, problem_of(error).detail)


def _problem(status: int, detail: str) -> Response:
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    if wants_html():
        response = page("problem.html", status, problem=problem, path=request.full_path)
    else:
        response = current_app.response_class(
            problem.model_dump_json(), status, content_type="application/problem+json"
        )
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status in (429, 503):
        response.headers["Retry-After"] = "5"
    return response


def _http_problem(error: HTTPException) -> Response | HTTPException:
    if isinstance(error.response, Response):
        return error.response
    code = error.code or 500
    if code < 400:  # werkzeug raises redirects, too
        return error
    if code == 413:
        _discard_body()
    detail = error.description
    if not isinstance(error, Unauthorized | NoSuchJob):
        detail = DETAILS.get(code, detail)
    response = _problem(code, detail or HTTPStatus(code).description)
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response


def _discard_body() -> None:
    """Reads the rest of a body, up to a limit: a caller that is still sending would see a closed
    connection instead of the answer."""
    left_bytes = MAX_DISCARDED_BYTES
    while left_bytes > 0:
        chunk = request.environ["wsgi.input"].read(min(left_bytes, 1 << 16))
        if not chunk:
            return
        left_bytes -= len(chunk)


def _unreadable_problem(error: Exception) -> Response:
    """The body's chunks are malformed, which gunicorn notices only when they are read."""
    _unreadable.write("info", "a body could not be read", error=type(error).__name__)
    response = _problem(400, "The body's chunks are malformed. Send it with a Content-Length.")
    response.headers["Connection"] = "close"
    return response


def _tinygen_problem(error: TinyGenError) -> Response:
    response = _problem(STATUS_OF.get(type(error).__name__, 422), str(error))
    if isinstance(error, LimitReached) and error.retry_in_s is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_in_s))
    return response


def _unexpected_problem(error: Exception) -> Response:
    route = request.url_rule.rule if request.url_rule else "unknown"
    _log.error("a request met a fault of TinyGen's own", path=route, exc_info=error)
    return _problem(500, DETAILS[500])
