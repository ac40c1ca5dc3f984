"""`/setup`: the web part while no App is set. It answers the guided set-up, `/` and `/healthz`, and
everything else by 503."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from flask import Flask, Response, request

from bot.errors import BadRequest, TinyGenError
from bot.types.setup import Outcome, Owner
from bot.web import call_log, problems
from bot.web.callers import LOOPBACK_HOST
from bot.web.pages import (
    CONTENT_SECURITY_POLICY,
    add_security_headers,
    clock_time,
    page,
    see_other,
    seen,
)
from bot.web.setup.flow import Flow
from bot.web.setup.guard import PATH, TOKEN_PARAMETER, Guard
from bot.web.setup.inputs import api_url_of, parse_address, parse_app, parse_model
from bot.web.webhook import MAX_BODY_BYTES

CREATED = f"{PATH}/created"
"""Where GitHub sends the browser back to, with the code for the App's keys."""
PROBE_PARAMETER = "probe"
MAX_FORM_BYTES = 256 * 1024
_MAX_PROBE_CHARS = 100
_WAITS = (
    "TinyGen is not set up yet. Whoever started it finds the link to set it up in the output of the"
    " process."
)
_PATHS = re.compile(
    r"/|/healthz|/setup(/(address|model|owner|app|write|created))?|/static/[\w.]+", re.ASCII
)
Form = Mapping[str, str]


def create_setup_app(flow: Flow, guard: Guard) -> Flask:
    """The WSGI application."""
    app = Flask(
        "bot",
        template_folder="web/pages/templates",
        static_folder="web/pages/static",
        static_url_path="/static",
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_FORM_BYTES
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.add_template_filter(seen)
    app.add_template_filter(clock_time)
    app.context_processor(lambda: {"is_setup": True})
    app.before_request(_refuse_the_rest)
    app.after_request(add_security_headers)
    problems.register(app)
    call_log.register(app)

    @app.get("/")
    def home() -> Response:
        return page("setup_home.html")

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        probe = request.args.get(PROBE_PARAMETER, "")
        answer = {"setup": flow.answer_probe(probe)} if 0 < len(probe) <= _MAX_PROBE_CHARS else {}
        return {"status": "ok", **answer}

    pages = _Pages(flow, guard)
    app.get(PATH)(pages.setup)
    app.get(CREATED)(pages.created)
    app.post(f"{PATH}/address")(pages.take_address)
    app.post(f"{PATH}/model")(pages.take_model)
    app.post(f"{PATH}/owner")(pages.take_owner)
    app.post(f"{PATH}/app")(pages.take_app)
    app.post(f"{PATH}/write")(pages.write_again)
    return app


def _refuse_the_rest() -> None:
    if not _PATHS.fullmatch(request.path):
        request.max_content_length = MAX_BODY_BYTES
        while request.stream.read(1 << 16):
            pass  # whoever is still sending would see a closed connection instead of the answer
        raise problems.problem_error(503, _WAITS)


class _Pages:
    def __init__(self, flow: Flow, guard: Guard) -> None:
        self._flow, self._guard = flow, guard

    def setup(self) -> Response:
        token = request.args.get(TOKEN_PARAMETER)
        if token is not None and request.method == "GET":  # HEAD begins no session
            return self._guard.exchange(token)
        self._guard.check()
        return self._show()

    def created(self) -> Response:
        """The browser comes back from GitHub."""
        self._guard.check()
        try:
            self._flow.register(request.args.get("code", ""), request.args.get("state", ""))
        except BadRequest:
            raise
        except TinyGenError as error:
            return self._show(problems.problem_of(error).status)
        return self._go_on()

    def take_address(self) -> Response:
        def act(form: Form) -> None:
            self._flow.give_address(parse_address(form.get("url", ""), form.get("relay", "")))

        return self._take("address", act)

    def take_model(self) -> Response:
        def act(form: Form) -> None:
            given = (form.get(name, "") for name in ("api_key", "base_url", "model"))
            self._flow.give_model(parse_model(*given))

        return self._take("model", act)

    def take_owner(self) -> Response:
        def act(form: Form) -> None:
            self._flow.give_owner(self._owner(form))

        return self._take("github", act)

    def take_app(self) -> Response:
        def act(form: Form) -> None:
            self._flow.import_app(self._owner(form), parse_app(form))

        return self._take("import", act)

    def write_again(self) -> Response:
        return self._take("github", lambda _form: self._flow.write_again())

    def _owner(self, form: Form) -> Owner:
        given = (form.get(name, "") for name in ("organization", "server_url", "api_url"))
        return self._flow.choose_owner(*given)

    def _take(self, step: str, act: Callable[[Form], None]) -> Response:
        """Does what a form asks for, and shows the page again at that step."""
        self._guard.check_form()
        try:
            act(request.form)
        except TinyGenError as error:
            status = problems.problem_of(error).status
            return self._show(status, {step: Outcome(False, error.message, error.next_step)})
        return self._go_on(f"#{step}")

    def _go_on(self, step: str = "") -> Response:
        if self._flow.finished and not self._flow.is_serving:  # nothing answers here any more
            return see_other(self._flow.finished.install_url)
        return see_other(f"{PATH}{step}")

    def _show(self, status: int = 200, errors: Mapping[str, Outcome] | None = None) -> Response:
        """The page with all steps. `errors`: what is wrong with a form that was just sent, by its
        step; what was typed into it is shown again, but for secrets (see the template)."""
        flow, guard = self._flow, self._guard
        if flow.finished:
            return _not_stored(
                page(
                    "setup_after.html",
                    status,
                    install_url=flow.finished.install_url,
                    finished=flow.finished,
                    notes=flow.app_notes,
                )
            )
        own_url = guard.own_url()
        is_local = bool(LOOPBACK_HOST.fullmatch(urlsplit(own_url).netloc))
        response = page(
            "setup.html",
            status,
            flow=flow,
            errors=errors or {},
            typed=request.form,
            kept=flow.kept_names(),
            api_url=""
            if flow.owner.api_url == api_url_of(flow.owner.server_url)
            else flow.owner.api_url,
            form_token=guard.form_token,
            port=flow.port,
            suggested_url=flow.public_url or ("" if is_local else own_url),
            github=flow.render_form(f"{own_url}{CREATED}") if flow.address else None,
        )
        server = urlsplit(flow.owner.server_url)
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.replace(
            "form-action 'self'", f"form-action 'self' {server.scheme}://{server.netloc}"
        )
        return _not_stored(response)


def _not_stored(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
