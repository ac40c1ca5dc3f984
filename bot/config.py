"""The settings: read once, from the environment and an env file, into one frozen value. Nothing
else reads the environment.

In a checkout the service reads `.env` of the folder that its operator starts it in. The commands on a
repository may run in a stranger's clone, so they read only TinyGen's own file. An installed TinyGen has
one file, in the user's folder.

A field's alias is the name of the setting, its description the comment in `.env.example`, which
`python -m bot.config` prints. An empty value counts as not set.
"""

from __future__ import annotations

import base64
import difflib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from bot.errors import SetupError
from bot.types import MAX_CI_FIXES, Mode, Outsiders, Permission, Triggers
from bot.types.names import DENY_ENTRY
from bot.types.quota import Quota

Count = Annotated[int, Field(ge=1)]
Limit = Annotated[int, Field(ge=0)]
Port = Annotated[int, Field(ge=1, le=65535)]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+[^\s?#]*$")]
_PACKAGE_DIR = Path(__file__).resolve().parent
CODE_DIR = _PACKAGE_DIR.parent
"""The folder that holds this package: TinyGen's checkout, or where it is installed."""
MIN_KEY_CHARS = 16
"""A shorter value of a header is taken for a name, which may well stand in texts."""
_PATH_SETTINGS = ("TINYGEN_DATA_DIR", "GITHUB_PRIVATE_KEY_PATH")
_SHARED_PREFIXES = ("GITHUB_", "OPENAI_", "SUPABASE_")
_OWN_SIMILARITY = 0.8
_SHARED_SIMILARITY = 0.93
"""Of names, as difflib counts it: one letter more, less or other in GITHUB_TOKEN is 0.92 to 0.96.
Below the second are names that other programs read, such as OPENAI_API_BASE and GITHUB_API_URI."""
_OFFERED_MODEL = re.compile(
    r"(?P<name>[^=\s]+)(?:\s*=\s*(?P<prices>\d+(?:\.\d+)?(?:/\d+(?:\.\d+)?){1,2}))?"
)


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """One of TINYGEN_MODELS. `prices` are US dollars for a million tokens in, out and, if given, in
    from the server's cache; () if none are given."""

    name: str
    prices: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class UnknownSetting:
    """A name that no setting has. `meant` is the setting with a similar name; "" if there is none."""

    name: str
    meant: str = ""


def _setting(name: str, default: Any, meaning: str) -> Any:
    return Field(default=default, alias=name, description=meaning)


class Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    openai_api_key: SecretStr | None = _setting("OPENAI_API_KEY", None, "The model server's key.")
    openai_base_url: HttpUrl = _setting(
        "OPENAI_BASE_URL",
        "https://api.openai.com/v1",
        "Any server that speaks OpenAI chat completions.",
    )
    openai_model: str = _setting("OPENAI_MODEL", "gpt-5.4", "The model's name at that server.")
    models: tuple[OfferedModel, ...] = _setting(
        "TINYGEN_MODELS",
        (),
        "Comma-separated models that a repository's .github/tinygen.yml may choose instead; prices"
        " may follow, as in NAME=IN/OUT or NAME=IN/OUT/CACHED (see TINYGEN_PRICE_INPUT).",
    )
    scout_model: OfferedModel | None = _setting(
        "TINYGEN_SCOUT_MODEL",
        None,
        "A cheaper model that chooses, from a map, what the first request shows; prices may follow"
        " as above. Without it the job's own model chooses.",
    )
    vision: tuple[str, ...] = _setting(
        "TINYGEN_VISION",
        (),
        "Those of these models, comma-separated, that can see, and are shown a thread's images.",
    )

    github_app_id: int | None = _setting(
        "GITHUB_APP_ID", None, "The GitHub App. `python -m bot setup` makes one."
    )
    github_private_key: SecretStr | None = _setting(
        "GITHUB_PRIVATE_KEY",
        None,
        "The App's key: PEM, with real or \\n newlines, or base64 of it.",
    )
    github_private_key_path: Path | None = _setting(
        "GITHUB_PRIVATE_KEY_PATH", None, "Or the file that holds it."
    )
    github_webhook_secret: SecretStr | None = _setting(
        "GITHUB_WEBHOOK_SECRET",
        None,
        "The App's webhook secret. The receiver does not start without it.",
    )
    github_webhook_secret_old: SecretStr | None = _setting(
        "GITHUB_WEBHOOK_SECRET_OLD",
        None,
        "The secret before this one, while the App's page still has it: both are taken.",
    )
    github_client_id: str | None = _setting(
        "GITHUB_CLIENT_ID",
        None,
        "The App's client id, for people to sign in to the pages; `setup` writes both.",
    )
    github_client_secret: SecretStr | None = _setting(
        "GITHUB_CLIENT_SECRET", None, "The App's client secret."
    )
    github_token: SecretStr | None = _setting(
        "GITHUB_TOKEN",
        None,
        "For /run and the command line, on repositories without an installation.",
    )
    github_api_url: HttpUrl = _setting(
        "GITHUB_API_URL", "https://api.github.com", "GitHub Enterprise Server: https://HOST/api/v3."
    )
    github_server_url: HttpUrl = _setting(
        "GITHUB_SERVER_URL", "https://github.com", "Where repositories are fetched."
    )

    supabase_url: HttpUrl | None = _setting(
        "SUPABASE_URL", None, "The request log. Without it the log stays in the embedded database."
    )
    supabase_key: SecretStr | None = _setting(
        "SUPABASE_KEY", None, "The secret (service role) key."
    )
    supabase_database_url: SecretStr | None = _setting(
        "TINYGEN_SUPABASE_DATABASE_URL",
        None,
        "The project's own postgresql://... as its page Connect has it: `migrate` then runs the SQL of"
        " deploy/supabase there. Nothing else uses it.",
    )

    # GitHub may send a delivery again for some days, and its stored id keeps it from running twice.
    keep_days: Annotated[int, Field(ge=7)] = _setting(
        "TINYGEN_KEEP_DAYS",
        30,
        "How long ended jobs are remembered: their pages, and that they ran.",
    )
    log_days: Limit = _setting(
        "TINYGEN_LOG_DAYS",
        0,
        "How long the embedded request log keeps its rows; 0: until you delete them.",
    )
    keep_conversations: bool = _setting(
        "TINYGEN_KEEP_CONVERSATIONS",
        True,
        "Whether a job's page shows its conversation with the model, which is kept as long as the"
        " job.",
    )
    keep_replies: bool = _setting(
        "TINYGEN_KEEP_REPLIES",
        False,
        "Whether the models' newest 1,000 replies are kept in the data directory, without secrets.",
    )
    data_dir: Path = _setting(
        "TINYGEN_DATA_DIR", Path("./data"), "Embedded database and repository cache."
    )
    cache_mb: Limit = _setting(
        "TINYGEN_CACHE_MB",
        10_000,
        "Room for cached repositories; over it, those used longest ago go. 0: no limit.",
    )
    database_url: SecretStr | None = _setting(
        "TINYGEN_DATABASE_URL",
        None,
        "postgresql://... for many machines; SQLite in the data directory without it.",
    )
    host: str = _setting("TINYGEN_HOST", "127.0.0.1", "Where the web part listens.")
    port: Port = _setting("TINYGEN_PORT", 8000, "Where the web part listens.")
    public_url: HttpUrl | None = _setting(
        "TINYGEN_PUBLIC_URL",
        None,
        "This bot's address as people reach it, for links to its pages; without it, the address that"
        " the App's webhook has.",
    )
    start_check: bool = _setting(
        "TINYGEN_START_CHECK",
        True,
        "Whether `serve` checks the installation at its start, as `doctor` does, and logs each fault."
        " It asks no model.",
    )
    web_processes: Count = _setting("TINYGEN_WEB_PROCESSES", 2, "Processes of the web part.")
    web_threads: Count = _setting("TINYGEN_WEB_THREADS", 8, "Threads in each of them.")
    api_keys: tuple[SecretStr, ...] = _setting(
        "TINYGEN_API_KEYS",
        (),
        "Comma-separated bearer keys for /run and the job pages. Without any, only callers on"
        " loopback are answered.",
    )
    operator_keys: tuple[SecretStr, ...] = _setting(
        "TINYGEN_OPERATOR_KEYS",
        (),
        "Comma-separated bearer keys that read all jobs. Of several keys above, each reads those that"
        " it asked for; one that is the only key reads all.",
    )
    operators: tuple[str, ...] = _setting(
        "TINYGEN_OPERATORS",
        (),
        "Comma-separated people who, signed in by GitHub, see, stop and repeat all jobs, and call /run: by the id that"
        " GitHub gives a person or, less safely, by LOGIN, which may pass to another.",
    )
    run_wait_s: Count = _setting(
        "TINYGEN_RUN_WAIT_SECONDS", 600, "How long /run waits for its diff before it answers 504."
    )

    mode: Mode = _setting("TINYGEN_MODE", "diff", "What a bare command delivers: diff or pr.")
    label: str = _setting(
        "TINYGEN_LABEL",
        "tinygen",
        "The label that asks for an issue's own text to be done; off for none.",
    )
    on_assignment: str = _setting(
        "TINYGEN_ON_ASSIGNMENT",
        "off",
        "The App's login, such as tinygen[bot], to do issues assigned to it; or off.",
    )
    draft: bool = _setting("TINYGEN_DRAFT", False, "Whether pull requests are opened as drafts.")
    min_permission: Permission = _setting(
        "TINYGEN_MIN_PERMISSION",
        "write",
        "The least repository permission: triage, write, maintain or admin.",
    )
    outsiders: Outsiders = _setting(
        "TINYGEN_OUTSIDERS",
        "diff",
        "What becomes of a change that rests on words of people who may not have changes made: diff"
        " (shown, waits for `/tinygen apply`), refuse, or pr (delivered as any other).",
    )
    ci_fixes: Annotated[int, Field(ge=0, le=MAX_CI_FIXES)] = _setting(
        "TINYGEN_CI_FIXES",
        0,
        "How often a failed check of TinyGen's own pull request is worked on: 0, 1 or 2.",
    )
    max_revisions: Annotated[int, Field(ge=0, le=10)] = _setting(
        "TINYGEN_MAX_REVISIONS",
        2,
        "Revisions of a change after reviews; each is reviewed too. 0: the review only reports.",
    )
    context_tokens: Annotated[int, Field(ge=1000)] = _setting(
        "TINYGEN_CONTEXT_TOKENS", 24000, "Budget for repository text in the first request."
    )
    max_reply_tokens: Count | None = _setting(
        "TINYGEN_MAX_REPLY_TOKENS",
        None,
        "The longest reply to ask a model for; without it the server decides.",
    )
    max_calls: Count = _setting("TINYGEN_MAX_CALLS", 12, "Model calls that one job may make.")
    max_tokens: Count = _setting(
        "TINYGEN_MAX_TOKENS", 400_000, "Tokens, in and out, that one job may use."
    )
    ask_above_usd: Annotated[float, Field(ge=0)] | None = _setting(
        "TINYGEN_ASK_ABOVE_USD",
        None,
        "In a thread, ask before a request that will probably cost more US dollars than this; needs"
        " TINYGEN_PRICE_INPUT and TINYGEN_PRICE_OUTPUT.",
    )
    actor_hourly: Limit = _setting(
        "TINYGEN_ACTOR_HOURLY",
        200,
        "Requests that one person may make in an hour; 0 is no limit, here and below.",
    )
    repo_hourly: Limit = _setting(
        "TINYGEN_REPO_HOURLY", 500, "Requests that one repository may have in an hour."
    )
    run_hourly: Limit = _setting(
        "TINYGEN_RUN_HOURLY", 500, "Calls of /run that one key may make in an hour."
    )
    daily_tokens: Limit = _setting(
        "TINYGEN_DAILY_TOKENS",
        50_000_000,
        "Tokens, in and out, that all jobs may use in a day of UTC.",
    )
    repo_daily_tokens: Limit = _setting(
        "TINYGEN_REPO_DAILY_TOKENS", 0, "The same for each repository."
    )
    actor_daily_tokens: Limit = _setting(
        "TINYGEN_ACTOR_DAILY_TOKENS", 0, "The same for each person, and each key of /run."
    )
    deny: tuple[str, ...] = _setting(
        "TINYGEN_DENY",
        (),
        "Comma-separated: who may command nothing here, as LOGIN, as the id that GitHub gives a"
        " person, or as OWNER/NAME or OWNER/* for repositories.",
    )
    call_s: Count = _setting("TINYGEN_CALL_SECONDS", 300, "How long one model call may take.")
    job_s: Count = _setting("TINYGEN_JOB_SECONDS", 1800, "How long one job may take.")
    drain_s: Annotated[int, Field(ge=0)] = _setting(
        "TINYGEN_DRAIN_SECONDS", 30, "How long a worker that is told to stop lets its jobs go on."
    )
    concurrency: Count = _setting("TINYGEN_CONCURRENCY", 8, "Jobs that one worker runs at once.")
    installation_concurrency: Limit = _setting(
        "TINYGEN_INSTALLATION_CONCURRENCY",
        6,
        "Jobs of one installation that run at once, in all workers together, so that a place stays"
        " free for others; 0: no limit.",
    )
    price_input: Annotated[float, Field(ge=0)] | None = _setting(
        "TINYGEN_PRICE_INPUT", None, "US dollars for a million tokens in, to show what a job cost."
    )
    price_cached: Annotated[float, Field(ge=0)] | None = _setting(
        "TINYGEN_PRICE_CACHED",
        None,
        "US dollars for a million tokens in that the server had in its cache.",
    )
    price_output: Annotated[float, Field(ge=0)] | None = _setting(
        "TINYGEN_PRICE_OUTPUT", None, "US dollars for a million tokens out."
    )

    log_format: Literal["text", "json"] = _setting(
        "TINYGEN_LOG_FORMAT",
        "text",
        "text (columns with colours on a terminal, else key=value) or json.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "TINYGEN_LOG_LEVEL", "info", "debug (each step of a job), info, warning or error."
    )
    no_color: str | None = _setting(
        "NO_COLOR", None, "Anything: no colours on a terminal. https://no-color.org"
    )

    # OpenTelemetry's own names; what is not listed here, its SDK reads from the environment alone.
    # https://opentelemetry.io/docs/specs/otel/protocol/exporter/
    otel_endpoint: str | None = _setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        None,
        "Where workers send traces (OTLP over HTTP, to /v1/traces below it). Without it or the next,"
        " there are none.",
    )
    otel_traces_endpoint: str | None = _setting(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", None, "Or the whole address for traces."
    )
    otel_headers: SecretStr | None = _setting(
        "OTEL_EXPORTER_OTLP_HEADERS",
        None,
        "Comma-separated NAME=VALUE of headers that are sent with them, such as a key.",
    )
    otel_traces_headers: SecretStr | None = _setting(
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS", None, "The same, for traces alone."
    )
    otel_service_name: str = _setting(
        "OTEL_SERVICE_NAME", "tinygen", "This installation's name in traces."
    )
    otel_disabled: str | None = _setting("OTEL_SDK_DISABLED", None, "true: no traces.")
    otel_traces_exporter: str = _setting("OTEL_TRACES_EXPORTER", "otlp", "none: no traces.")

    @field_validator(
        "openai_base_url", "github_api_url", "github_server_url", "supabase_url", "public_url"
    )
    @classmethod
    def _strip_slash(cls, url: str | None) -> str | None:
        return url.rstrip("/") if url else url

    @field_validator("min_permission")
    @classmethod
    def _check_permission(cls, permission: Permission) -> Permission:
        """Everybody may read a public repository."""
        if permission in ("none", "read"):
            raise ValueError(
                "would let everybody command public repositories; use triage, write, maintain or"
                " admin"
            )
        return permission

    @field_validator("api_keys", "operator_keys", "operators", "deny", "vision", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _split_commas(value) if isinstance(value, str) else value

    @field_validator("models", mode="before")
    @classmethod
    def _parse_models(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(_parse_model(text) for text in _split_commas(value))

    @field_validator("scout_model", mode="before")
    @classmethod
    def _parse_scout_model(cls, value: object) -> object:
        return _parse_model(value.strip()) if isinstance(value, str) else value

    @field_validator("deny")
    @classmethod
    def _check_denied(cls, denied: tuple[str, ...]) -> tuple[str, ...]:
        for each in denied:
            if not DENY_ENTRY.fullmatch(each):
                raise ValueError(f"{each!r} is neither LOGIN, an id, OWNER/NAME nor OWNER/*")
        return tuple(each.lower() for each in denied)

    @field_validator("github_private_key")
    @classmethod
    def _read_key(cls, key: SecretStr | None) -> SecretStr | None:
        return SecretStr(read_pem(key.get_secret_value())) if key else None

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, url: SecretStr | None) -> SecretStr | None:
        schemes = ("postgresql://", "postgres://", "sqlite:///")
        if url and not url.get_secret_value().startswith(schemes):
            raise ValueError("must begin with postgresql://")
        return url

    @field_validator("supabase_database_url")
    @classmethod
    def _check_supabase_database(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://")
        return url

    @model_validator(mode="after")
    def _check_together(self) -> Config:
        if (self.supabase_url is None) != (self.supabase_key is None):
            raise ValueError("SUPABASE_URL and SUPABASE_KEY go together")
        if self.github_private_key and self.github_private_key_path:
            raise ValueError("GITHUB_PRIVATE_KEY and GITHUB_PRIVATE_KEY_PATH: give one of them")
        if (self.github_client_id is None) != (self.github_client_secret is None):
            raise ValueError("GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET go together")
        if self.ask_above_usd is not None:
            self._check_prices()
        if not set(self.vision).issubset(self.model_names()):
            raise ValueError(
                "TINYGEN_VISION names a model that is neither OPENAI_MODEL nor one of"
                " TINYGEN_MODELS"
            )
        return self

    def waits_for_setup(self) -> bool:
        """Whether nothing of an App is set, not even the secret alone that direct calls need."""
        return not (self.github_app_id or self.github_private_key or self.github_webhook_secret)

    def local_url(self) -> str:
        """Where this machine reaches the web part; all addresses (0.0.0.0, ::) include loopback."""
        loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not listened on
        host = loopback.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def _check_prices(self) -> None:
        """A model without a price would never be asked about."""
        if None in (self.price_input, self.price_output):
            raise ValueError(
                "TINYGEN_ASK_ABOVE_USD needs TINYGEN_PRICE_INPUT and TINYGEN_PRICE_OUTPUT"
            )
        unpriced = set(self.model_names()) - {self.openai_model, *self.model_prices()}
        if unpriced:
            raise ValueError(
                f"TINYGEN_ASK_ABOVE_USD needs a price of {min(unpriced)}, as in TINYGEN_MODELS=NAME=IN/OUT"
            )

    def secrets(self) -> tuple[str, ...]:
        """All secret values, to be kept out of logs and of all that is sent."""
        single = [value.get_secret_value() for _, value in self if isinstance(value, SecretStr)]
        keys = (*self.api_keys, *self.operator_keys)
        sent = [value for value in self.traces_headers().values() if len(value) >= MIN_KEY_CHARS]
        return (*single, *(key.get_secret_value() for key in keys), *sent)

    def traces_endpoint(self) -> str | None:
        """The address that traces are sent to; None if there are to be none."""
        is_disabled = (self.otel_disabled or "").strip().lower() == "true"
        if is_disabled or self.otel_traces_exporter.strip().lower() == "none":
            return None
        if self.otel_traces_endpoint or self.otel_endpoint is None:
            return self.otel_traces_endpoint
        return f"{self.otel_endpoint.rstrip('/')}/v1/traces"

    def traces_headers(self) -> dict[str, str]:
        """The headers that traces are sent with, by name."""
        given = self.otel_traces_headers or self.otel_headers
        return _parse_headers(given.get_secret_value()) if given else {}

    def model_names(self) -> tuple[str, ...]:
        """The models that a repository may choose from, the operator's own first."""
        return (self.openai_model, *(model.name for model in self.models))

    def model_prices(self) -> dict[str, tuple[float, ...]]:
        """The prices of those of TINYGEN_MODELS and TINYGEN_SCOUT_MODEL that have some, by name."""
        named = (*self.models, *((self.scout_model,) if self.scout_model else ()))
        return {model.name: model.prices for model in named if model.prices}

    def triggers(self) -> Triggers:
        label = "" if self.label == "off" else self.label
        assignee = "" if self.on_assignment == "off" else self.on_assignment
        return Triggers(label, assignee)

    def quota(self) -> Quota:
        return Quota(
            actor_hourly=self.actor_hourly,
            repo_hourly=self.repo_hourly,
            run_hourly=self.run_hourly,
            daily_tokens=self.daily_tokens,
            repo_daily_tokens=self.repo_daily_tokens,
            actor_daily_tokens=self.actor_daily_tokens,
        )


def _split_commas(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _parse_headers(text: str) -> dict[str, str]:
    """The values in `NAME=VALUE,NAME=VALUE`, which are percent-encoded, by name."""
    pairs = (header.partition("=") for header in _split_commas(text))
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


def _parse_model(text: str) -> OfferedModel:
    found = _OFFERED_MODEL.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is neither NAME nor NAME=IN/OUT nor NAME=IN/OUT/CACHED")
    prices = found["prices"].split("/") if found["prices"] else ()
    return OfferedModel(found["name"], tuple(float(price) for price in prices))


def read_pem(text: str) -> str:
    """A private key as PEM, from any form that people put into a setting. ValueError if it is none
    of them."""
    text = text.replace("\\n", "\n").strip()
    if "-----BEGIN" not in text:
        try:
            text = base64.b64decode("".join(text.split()), validate=True).decode("ascii").strip()
        except ValueError:
            text = ""
    if "PRIVATE KEY-----" not in text:
        raise ValueError("is not a private key as PEM, PEM with \\n, or base64 of PEM")
    return text + "\n"


def load_config(environment: Mapping[str, str], env_file: Path | None = Path(".env")) -> Config:
    """The settings; the environment wins over the file. One SetupError lists all invalid ones."""
    return _load(environment, env_file, defaults={})


def unknown_settings(
    environment: Mapping[str, str], env_file: Path | None = Path(".env")
) -> tuple[UnknownSetting, ...]:
    """The names in the environment and the file that look like settings and are none, by name. All
    of TINYGEN_'s are told; of the prefixes that other programs use too (GITHUB_ACTIONS), only those
    that are a misspelt setting."""
    known = [str(field.alias) for field in Config.model_fields.values()]
    from_file = _read_env_file(env_file) if env_file else {}
    found = []
    for name in sorted({*environment, *from_file} - set(known)):
        is_ours = name.startswith("TINYGEN_")
        if not is_ours and not name.startswith(_SHARED_PREFIXES):
            continue
        similarity = _OWN_SIMILARITY if is_ours else _SHARED_SIMILARITY
        near = difflib.get_close_matches(name, known, n=1, cutoff=similarity)
        if is_ours or near:
            found.append(UnknownSetting(name, *near))
    return tuple(found)


def is_checkout(code_dir: Path = CODE_DIR) -> bool:
    """Whether `code_dir`, which holds the package `bot`, is a checkout; else TinyGen is installed."""
    return (code_dir / "app.yml").is_file()


def find_shipped(name: str) -> Path:
    """A file that a checkout has beside the package; the wheel has it inside (pyproject.toml)."""
    return (CODE_DIR if is_checkout() else _PACKAGE_DIR / "shipped") / name


def service_env_file(environment: Mapping[str, str], code_dir: Path = CODE_DIR) -> Path:
    """The settings' file of the processes and of the operator's commands."""
    return Path(".env") if is_checkout(code_dir) else own_env_file(environment, code_dir)


def own_env_file(environment: Mapping[str, str], code_dir: Path = CODE_DIR) -> Path:
    """TinyGen's own settings' file, wherever it is called."""
    if is_checkout(code_dir):
        return code_dir / ".env"
    return _base_dir(environment, "XDG_CONFIG_HOME", ".config") / "tinygen" / "env"


def load_service_config(environment: Mapping[str, str], code_dir: Path = CODE_DIR) -> Config:
    """The settings for the processes and the operator's commands."""
    if is_checkout(code_dir):
        return load_config(environment)
    return load_own_config(environment, code_dir)


def load_own_config(environment: Mapping[str, str], code_dir: Path = CODE_DIR) -> Config:
    """The settings for the commands on a repository. Nothing is read from the current folder unless
    the environment names it.

    A checkout has `.env` and `data/` in its own folder. An installed TinyGen has them in the user's
    folders: https://specifications.freedesktop.org/basedir-spec/latest/
    """
    env_file = own_env_file(environment, code_dir)
    if is_checkout(code_dir):
        data_dir = code_dir / "data"
    else:
        data_dir = _base_dir(environment, "XDG_DATA_HOME", ".local/share") / "tinygen"
    return _load(environment, env_file, defaults={"TINYGEN_DATA_DIR": str(data_dir)})


def _base_dir(environment: Mapping[str, str], name: str, default: str) -> Path:
    """The folder that the variable names, else `default` in the home directory. The specification
    says to ignore a relative path."""
    given = Path(environment.get(name, ""))
    if given.is_absolute():
        return given
    try:
        home = Path(environment["HOME"]) if "HOME" in environment else Path.home()
    except RuntimeError:
        home = Path()
    if not home.is_absolute():
        raise SetupError(
            "This user has no home directory, or HOME does not name it from the root.",
            next_step=f"Set {name} to a directory of its own.",
        )
    return home / default


def _load(
    environment: Mapping[str, str], env_file: Path | None, *, defaults: Mapping[str, str]
) -> Config:
    from_file = _read_env_file(env_file) if env_file else {}
    given = {name: value for name, value in {**from_file, **environment}.items() if value}
    try:
        config = Config.model_validate({**defaults, **given})
    except ValidationError as error:
        invalid = []
        for detail in error.errors(include_url=False, include_input=False):
            name = detail["loc"][0] if detail["loc"] else "settings"
            invalid.append(f"{name}: {detail['msg'].removeprefix('Value error, ')}")
        raise SetupError(
            f"Settings that cannot be used: {'; '.join(invalid)}.",
            next_step=f"Mend them in {env_file or '.env'}; {find_shipped('.env.example')} has all settings.",
        ) from None
    return _with_key_file(config)


def _mend_file() -> str:
    return f"Mend it; {find_shipped('.env.example')} has all settings."


def _read_env_file(path: Path) -> Mapping[str, str | None]:
    """The values in the file; {} if there is none. Its paths are relative to its own folder."""
    # Reading a pipe may wait forever, and a device may have no end.
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise SetupError(f"{path} cannot be read: it is no regular file.", next_step=_mend_file())
    try:
        values = dotenv_values(stream=StringIO(path.read_text(encoding="utf-8")), interpolate=False)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SetupError(f"{path} cannot be read: {reason}.", next_step=_mend_file()) from None
    return {
        name: str(path.parent / value) if name in _PATH_SETTINGS and value else value
        for name, value in values.items()
    }


def _with_key_file(config: Config) -> Config:
    path = config.github_private_key_path
    if path is None:
        return config
    try:
        key = SecretStr(read_pem(path.read_text()))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SetupError(
            f"GITHUB_PRIVATE_KEY_PATH cannot be used: {reason}.",
            next_step="Name the .pem file that GitHub gave you, readable by TinyGen's user.",
        ) from None
    return config.model_copy(update={"github_private_key": key})


def render_env_example() -> str:
    """`.env.example`: every setting with its meaning and default, commented out."""
    lines = [
        "# TinyGen's settings. Copy to .env and fill in what you need; all have a default or are"
        " optional."
    ]
    for field in Config.model_fields.values():
        default = field.default
        if default in (None, ()):
            default = ""
        elif isinstance(default, bool):
            default = str(default).lower()
        lines += ["", f"# {field.description}", f"#{field.alias}={default}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render_env_example())
