"""The pages for people: server-rendered, readable without script, nothing loaded from elsewhere."""

from __future__ import annotations

from typing import Any

from flask import Response, render_template, request

from bot.config import Config
from bot.ports import LastSeen
from bot.types.characters import escape_unseen
from bot.version import version

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def wants_html() -> bool:
    """Whether the caller prefers a page to JSON, as browsers do."""
    offered = ["application/json", "application/problem+json", "text/html"]
    return request.accept_mimetypes.best_match(offered, "application/json") == "text/html"


def page(template: str, status: int = 200, /, **values: Any) -> Response:
    html = render_template(template, version=version(), **values)
    # A path that is not UTF-8 holds surrogates.
    return Response(html.encode("utf-8", "replace"), status, mimetype="text/html")


def add_security_headers(response: Response) -> Response:
    """For every answer. A job's page may be kept by the browser alone, and is asked for again."""
    headers = response.headers
    if not request.path.startswith("/static/"):
        headers["Vary"] = "Accept, Cookie, Authorization"
    headers["X-Content-Type-Options"] = "nosniff"
    # Not `no-referrer`: with it, browsers send forms with `Origin: null`.
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    if request.path.startswith("/jobs"):  # a link in a public comment is found by search engines
        headers["X-Robots-Tag"] = "noindex"
    headers.setdefault("Cache-Control", "private, no-cache")
    return response


def seen(text: str | None) -> str:
    """The text with what a reader would not see escaped."""
    return escape_unseen(text or "")


def clock_time(moment: str | None) -> str:
    """The time of a moment (ISO 8601) in UTC, with its date."""
    return moment[:19].replace("T", " ") + " UTC" if moment else ""


def see_other(path: str) -> Response:
    """Sends a browser on to another page."""
    return Response(status=303, headers={"Location": path})


def own_address(config: Config, last_seen: LastSeen) -> str:
    """This bot's address as people reach it: as it is set, as the App's webhook has it, or as this
    caller reached it."""
    app = last_seen.app()
    known = config.public_url or (app.address if app else "")
    return known or request.host_url.rstrip("/")


def github_url(url: str | None, server_url: str) -> str:
    """The URL if it leads to GitHub; "" otherwise."""
    return url if url and url.startswith(f"{server_url}/") else ""
