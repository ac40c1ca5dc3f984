"""The web part: receives webhooks and calls, stores their jobs, and shows what is stored.

It does no work of a job: a worker does. It imports neither the durable engine nor githubkit, so
that a delivery costs a signature, a small parse and one committed row.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from flask import Response, request
from flask.json.provider import DefaultJSONProvider
from flask_openapi3.openapi import OpenAPI

from bot.config import Config
from bot.errors import SetupError
from bot.ports import ALIVE_S, SignIn
from bot.web import call_log, problems
from bot.web.callers import Callers
from bot.web.calls import Calls, add_run, add_try
from bot.web.health import add_health
from bot.web.jobs import (
    JobIdConverter,
    JobLists,
    JobPages,
    Stores,
    add_changes,
    add_job_list,
    add_jobs,
)
from bot.web.pages import add_security_headers, clock_time, github_url, own_address, page, seen
from bot.web.reference.routes import add_reference
from bot.web.sessions import Cookies
from bot.web.setup.progress import FirstDelivery, add_setup_progress
from bot.web.sign_in import SignInRoutes, add_sign_in
from bot.web.wait_limit import WaitLimit
from bot.web.webhook import MAX_BODY_BYTES, add_webhook


def create_app(
    config: Config,
    stores: Stores,
    metrics: Callable[[], bytes],
    sign_in: SignIn | None = None,
) -> OpenAPI:
    """The WSGI application. SetupError if there is no webhook secret: an unsigned delivery must
    never be accepted. Without `sign_in` nobody signs in by GitHub."""
    if config.github_webhook_secret is None:
        raise SetupError(
            "GITHUB_WEBHOOK_SECRET is not set.",
            next_step="Run `python -m bot setup`, or copy it from the App's page into .env.",
        )
    app = OpenAPI(
        "bot",
        doc_ui=False,
        template_folder="web/pages/templates",
        static_folder="web/pages/static",
        static_url_path="/static",
        validation_error_callback=problems.invalid,
    )
    app.json = _JsonProvider(app)
    app.url_map.converters["job"] = JobIdConverter
    # A body without a Content-Length is cut off here; one byte more shows that it was too long.
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES + 1
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.add_template_filter(seen)
    app.add_template_filter(clock_time)
    app.after_request(add_security_headers)
    problems.register(app)
    call_log.register(app)
    # The key never changes, so the database need not be asked again.
    cookies = Cookies(cache(stores.sessions.signing_key), config.public_url)
    # Of the threads half may wait for a diff and a quarter for GitHub: the rest takes webhooks.
    lookups = WaitLimit(config.web_threads // 4)
    callers = Callers(config, cookies, stores.sessions, sign_in, lookups)
    calls = Calls(config, stores.inbox, stores.reports, WaitLimit(config.web_threads // 2))
    job_pages = JobPages(config, stores, callers, cookies.key)
    app.context_processor(lambda: _page_values(callers, has_github=sign_in is not None))
    add_webhook(app, config, stores.inbox, FirstDelivery(stores.setups).note)
    add_run(app, calls, callers)
    add_try(app, calls, callers)
    add_job_list(app, JobLists(config, stores), callers)
    add_jobs(app, stores, callers, job_pages, config.github_server_url)
    add_changes(app, stores, callers)
    add_sign_in(app, SignInRoutes(config, callers, cookies, stores.last_seen, sign_in, lookups))
    _add_home(app, config, stores)
    add_setup_progress(app, stores.setups)
    add_health(app, stores.workers, callers, metrics)
    add_reference(app, lambda: own_address(config, stores.last_seen))
    return app


def _add_home(app: OpenAPI, config: Config, stores: Stores) -> None:
    @app.get("/", doc_ui=False)
    def home() -> Response:
        seen_app = stores.last_seen.app()
        page_url = github_url(seen_app.page_url if seen_app else "", config.github_server_url)
        return page(
            "home.html",
            worker_count=len(stores.workers.alive(ALIVE_S)),
            paused=stores.reports.paused(),
            check=stores.last_seen.check(),
            install_url=f"{page_url}/installations/new" if page_url else "",
            app=seen_app,
            has_app=config.github_app_id is not None,
            mode=config.mode,
        )


def _page_values(callers: Callers, *, has_github: bool) -> dict[str, object]:
    """What every page shows: who is signed in, and how one can be."""
    caller = callers.identify_or_none()
    is_in_session = caller is not None and caller.is_in_session
    return {
        "caller": caller,
        "here": request.path if request.path.startswith(("/jobs", "/docs", "/try")) else "",
        "may_run": caller is not None and caller.is_trusted,
        "logout_token": callers.form_token() if is_in_session else "",
        "has_github": has_github,
    }


class _JsonProvider(DefaultJSONProvider):
    sort_keys = False

    def loads(self, s: str | bytes, **options: Any) -> Any:
        """ValueError, as for other malformed JSON, also if it is nested too deeply for Python."""
        try:
            return super().loads(s, **options)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
