"""How far set-up is: what was given so far, what checks said of it, and what was written.

Nothing is written before the App is there. Then everything is, at once, and TinyGen restarts. What was
given before that lives in memory alone.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

from bot.config import Config
from bot.errors import BadRequest, Conflict, TinyGenError
from bot.ports import SetupTools
from bot.types.setup import APP_SETTINGS, Address, AppKeys, ModelChoice, Outcome, Owner
from bot.web.setup.inputs import app_settings, model_settings, owner_settings, parse_owner

API_KEYS = "TINYGEN_API_KEYS"
"""Added if it is not set: without it, every user and program of this machine may call /run."""
_SERVER_URL, _API_URL = "GITHUB_SERVER_URL", "GITHUB_API_URL"
_MODEL = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL")
_WRITTEN = frozenset({*APP_SETTINGS, *_MODEL, _SERVER_URL, _API_URL, API_KEYS})


@dataclass(frozen=True, slots=True)
class Finished:
    """The App that was set up, the names that were written for it, and those that were set already."""

    install_url: str
    added: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ManifestForm:
    """Where the browser posts the manifest (JSON) to."""

    action: str
    manifest: str


class Flow:
    """Safe for use by several threads. `ended` is called once the App is written, or failed to be
    registered. `is_serving`: this process answers where TinyGen will, and restarts in the end."""

    def __init__(
        self,
        config: Config,
        tools: SetupTools,
        ended: Callable[[Finished | TinyGenError], None],
        *,
        is_serving: bool = True,
        address: Address | None = None,
        organization: str = "",
    ) -> None:
        self.is_serving = is_serving
        self.port, self.public_url = config.port, config.public_url
        self._tools, self._ended = tools, ended
        self._is_api_open = not config.api_keys
        self._lock = threading.Lock()
        self._state = ""
        self._probe_key = secrets.token_bytes(32)
        self.address = address
        self.owner = Owner(config.github_server_url, config.github_api_url, organization)
        self.model = ModelChoice(config.openai_base_url, config.openai_model)
        self.has_model = False
        self.address_outcome: Outcome | None = None
        self.model_outcome: Outcome | None = None
        self.app_outcome: Outcome | None = None
        self.app_notes: tuple[Outcome, ...] = ()
        self.finished: Finished | None = None
        self._unwritten: AppKeys | None = None

    @property
    def has_unwritten(self) -> bool:
        """Whether there is an App whose keys could not be written yet. GitHub gives them out once."""
        return self._unwritten is not None

    def write_again(self) -> None:
        if self._unwritten is None:
            raise BadRequest("There is nothing to write.", next_step="Go on at /setup.")
        self._finish(self._unwritten)

    def kept_names(self) -> frozenset[str]:
        """Of the settings that set-up writes, those that are set already and stay as they are."""
        return self._tools.set_names() & _WRITTEN

    def choose_owner(self, organization: str, server_url: str, api_url: str) -> Owner:
        """As given, but for what is set already. BadRequest if it cannot be."""
        kept = self.kept_names()
        server = self.owner.server_url if _SERVER_URL in kept else server_url
        api = self.owner.api_url if _API_URL in kept else api_url
        return parse_owner(organization, server, api)

    def answer_probe(self, probe: str) -> str:
        """What only this process can answer."""
        return hmac.new(self._probe_key, probe.encode(), "sha256").hexdigest()

    def give_address(self, address: Address) -> None:
        """Takes the address, and checks whether this process answers there, unless it cannot, or a
        relay answers by itself."""
        self.address, self.address_outcome = address, None
        if self.is_serving and not address.relay:
            probe = secrets.token_hex(16)
            answer = self.answer_probe(probe)
            self.address_outcome = self._tools.check_address(address.url, probe, answer)

    def give_model(self, choice: ModelChoice) -> None:
        """Tries the model, which is written in the end only if it answers."""
        self._check_open()
        self.model, self.model_outcome = choice, self._tools.try_model(choice)
        self.has_model = self.model_outcome.is_good

    def give_owner(self, owner: Owner) -> None:
        self._check_open()
        self.owner, self.app_outcome = owner, None

    def render_form(self, redirect_url: str) -> ManifestForm:
        """The form for GitHub. Each answer to it counts once."""
        if self.address is None:
            raise BadRequest("The address is not known yet.", next_step="Give it first.")
        with self._lock:
            self._state = self._state or secrets.token_urlsafe(32)
        action = f"{self.owner.new_app_url}?state={self._state}"
        return ManifestForm(action, self._tools.render_manifest(self.address, redirect_url))

    def register(self, code: str, state: str) -> None:
        """Exchanges GitHub's code for the App, and writes it."""
        with self._lock:
            is_ours = bool(self._state) and hmac.compare_digest(
                state.encode(), self._state.encode()
            )
            if not is_ours or not code:
                raise BadRequest(
                    "This is not the answer to the form that this set-up sent, or it came before.",
                    next_step="Go on at /setup.",
                )
            self._state = ""
        try:
            self._check_open()
            self._finish(self._tools.fetch_new_app(self.owner, code))
        except TinyGenError as error:
            self.app_outcome = Outcome(False, error.message, error.next_step)
            if not self.has_unwritten:
                self._ended(error)
            raise

    def import_app(self, owner: Owner, given: AppKeys) -> None:
        """Takes an App that exists, once GitHub has said that its id and key are right."""
        self._check_open()
        app, self.app_notes = self._tools.check_app(owner, given)
        self.owner = owner
        self._finish(app)

    def _finish(self, app: AppKeys) -> None:
        model = model_settings(self.model) if self.has_model else {}
        api_keys = {API_KEYS: secrets.token_hex(32)} if self._is_api_open else {}
        wanted = {**model, **owner_settings(self.owner), **app_settings(app), **api_keys}
        given = {name: value for name, value in wanted.items() if value}
        with self._lock:
            self._check_open()
            kept = tuple(sorted(self.kept_names()))
            self._unwritten = app
            self.finished = Finished(app.install_url, self._tools.write(given), kept)
            self._unwritten = None
        self._ended(self.finished)

    def _check_open(self) -> None:
        if self.finished:
            raise Conflict("The App is set up already.", next_step="Go on at /setup.")
