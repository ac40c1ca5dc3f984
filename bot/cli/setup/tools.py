"""What set-up does in the world outside: asks the address, the model's server and GitHub, and writes
`.env`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bot.cli.doctor.app import check_app, check_key
from bot.cli.doctor.arrival import fetch_health
from bot.cli.doctor.finding import Checkup, Finding, Services
from bot.cli.doctor.model import check_model
from bot.cli.setup.env_file import MUST_BE_ABSENT, add_settings, check_env_file, set_names
from bot.cli.setup.manifest import Manifest, fetch_new_app
from bot.config import Config, load_config
from bot.errors import SetupError, TinyGenError
from bot.logs import make_redactor
from bot.types.setup import Address, AppKeys, ModelChoice, Outcome, Owner
from bot.web.setup.inputs import app_settings, owner_settings

_EXPECTED = frozenset({"installations"})
"""What a new App is expected to lack: it is installed in the next step."""


class LocalTools:
    """SetupTools of `bot.ports`. `environment` wins over the file, as everywhere."""

    def __init__(
        self, config: Config, manifest: Manifest, environment: Mapping[str, str], env_file: Path
    ) -> None:
        self._config, self._manifest = config, manifest
        self._environment, self._env_file = environment, env_file

    def check_address(self, address: str, probe: str, answer: str) -> Outcome:
        found = fetch_health(address, probe)
        if isinstance(found, Finding):
            step = (
                f"See that the tunnel or the proxy runs, and leads to {self._config.local_url()}. Some"
                " machines cannot reach their own public address: then try it from elsewhere, and go"
                " on."
            )
            return Outcome(False, found.message, step)
        status, said = found
        if status == 200 and said.get("setup") == answer:
            return Outcome(True, f"{address} leads to this TinyGen.")
        if 300 <= status < 400:
            step = "Give the address that it leads to: GitHub does not follow."
            return Outcome(False, f"{address} sends callers elsewhere ({status}).", step)
        if status in (502, 503, 504):
            step = f"See that the tunnel or the proxy leads to {self._config.local_url()}."
            return Outcome(
                False, f"A proxy answers at {address}, and nothing behind it ({status}).", step
            )
        step = "See that the name is right, and that it leads to this machine."
        return Outcome(False, f"What answers at {address} is not this TinyGen ({status}).", step)

    def try_model(self, choice: ModelChoice) -> Outcome:
        config, names = self._config, self.set_names()
        known_key = config.openai_api_key.get_secret_value() if config.openai_api_key else ""
        of_each = {
            "OPENAI_API_KEY": (known_key, choice.key),
            "OPENAI_BASE_URL": (config.openai_base_url, choice.base_url),
            "OPENAI_MODEL": (config.openai_model, choice.name),
        }
        goes_elsewhere = "OPENAI_BASE_URL" not in names and choice.base_url not in (
            "",
            config.openai_base_url,
        )
        if known_key and "OPENAI_API_KEY" in names and goes_elsewhere:
            return Outcome(
                False,
                f"The key that is set is sent to {config.openai_base_url} alone.",
                "Set OPENAI_BASE_URL beside it, or unset it and give a key here.",
            )
        chosen = {name: known if name in names else new for name, (known, new) in of_each.items()}
        redact = make_redactor(key for key in (known_key, choice.key) if key)
        try:
            tried = load_config(chosen, env_file=None)
            finding = next(check_model(Checkup(tried, Services())))
        except TinyGenError as error:
            step = error.next_step.replace("in .env", "here")
            return Outcome(False, redact(error.message), redact(step))
        return Outcome(bool(finding.good), redact(finding.message), redact(finding.next_step))

    def render_manifest(self, address: Address, redirect_url: str) -> str:
        return json.dumps(self._manifest.to_post(address, redirect_url))

    def fetch_new_app(self, owner: Owner, code: str) -> AppKeys:
        check_env_file(self._env_file, MUST_BE_ABSENT)  # GitHub gives the keys out only once
        return fetch_new_app(owner.api_url, code)

    def check_app(self, owner: Owner, app: AppKeys) -> tuple[AppKeys, tuple[Outcome, ...]]:
        checkup = Checkup(_config_of(owner, app), Services(), is_thorough=False)
        list(check_key(checkup))
        faults = [each for each in check_app(checkup) if each.good is False]
        with checkup.services.github(checkup.config) as github:
            page_url = github.fetch_registration().page_url
        notes = (
            Outcome(False, f"{each.subject}: {each.message}", each.next_step)
            for each in faults
            if each.subject not in _EXPECTED
        )
        return replace(app, page_url=page_url), tuple(notes)

    def set_names(self) -> frozenset[str]:
        known = {str(field.alias) for field in Config.model_fields.values()}
        in_environment = {name for name, value in self._environment.items() if value}
        return frozenset(known & (in_environment | set_names(self._env_file)))

    def write(self, settings: Mapping[str, str]) -> tuple[str, ...]:
        check_env_file(self._env_file, MUST_BE_ABSENT)
        present = self.set_names()
        added = {name: value for name, value in settings.items() if name not in present}
        add_settings(self._env_file, added)
        return tuple(added)


def _config_of(owner: Owner, app: AppKeys) -> Config:
    given = {**owner_settings(owner), **app_settings(app)}
    try:
        return load_config(given, env_file=None)
    except SetupError as error:
        raise SetupError(error.message, next_step="Mend that here.") from None
