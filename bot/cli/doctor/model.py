"""The checks of the model: that each one that may be asked answers, and that the limits of a job fit
together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from bot.cli.doctor.finding import Checkup, Finding
from bot.config import Config
from bot.errors import SetupError, TinyGenError
from bot.types import Message, Prompt

MODEL_TIMEOUT_S = 60.0
"""For a reply of one word: a server may have to load the model first."""
MIN_REPLY_TOKENS = 1_000
"""An explanation and a few edits; a reply that thinks first takes more."""
PROMPT_TOKENS = 2_000
"""TinyGen's own words and the task, beside the repository's text."""


def check_model(checkup: Checkup) -> Iterator[Finding]:
    """Asks each model for one word. If the first does not answer, the others are not asked: they
    are behind the same server. If the checkup is not thorough, nothing is asked, since each request
    may cost something: only whether the server takes a connection is looked at."""
    config = checkup.config
    openai_url = Config.model_fields["openai_base_url"].default
    if config.openai_api_key is None and config.openai_base_url == openai_url:
        step = "Set it in .env, or set OPENAI_BASE_URL to a server that wants no key."
        raise SetupError("OPENAI_API_KEY is not set.", next_step=step)
    if not checkup.is_thorough:
        yield from _check_reachable(checkup)
        return
    first = _ask(checkup, "generate", "model")
    yield first
    if not first.good:
        return
    if config.scout_model is not None:
        yield _ask(checkup, "choose", "scout model")
    for offered in config.models:
        if offered.name != config.openai_model:
            yield _ask(checkup, "generate", f"model {offered.name}", offered.name)


def _check_reachable(checkup: Checkup) -> Iterator[Finding]:
    url = urlsplit(checkup.config.openai_base_url)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    if url.scheme in getproxies() and not proxy_bypass(host):
        return  # the connection would be the proxy's
    try:
        checkup.services.connect(host, port)
    except OSError as error:
        message = f"{host}:{port} takes no connection ({error.strerror or type(error).__name__})."
        step = "See OPENAI_BASE_URL, and that the server runs."
        yield Finding("model", False, message, step, "Its server takes no connection.")
    else:
        yield Finding("model", True, f"{host}:{port} takes connections.")


def _ask(
    checkup: Checkup,
    purpose: Literal["generate", "choose"],
    subject: str,
    name: str | None = None,
) -> Finding:
    messages = (Message("system", "Answer with one word."), Message("user", "Say ready."))
    prompt = Prompt(purpose, messages)
    model = checkup.services.model(checkup.config)
    try:
        reply = model.ask(prompt, stop=lambda: False, deadline_s=MODEL_TIMEOUT_S, model=name)
    except TinyGenError as error:
        # The message names the server, and may quote its answer.
        return Finding(subject, False, error.message, error.next_step, "It does not answer.")
    return Finding(subject, True, f"{reply.model} answered in {reply.seconds:.1f} s.")


def check_limits(checkup: Checkup) -> Iterator[Finding]:
    """Each limit that no job, or no change with its review, can keep."""
    faults = list(_find_limit_faults(checkup.config))
    for message, step in faults:
        yield Finding("limits", False, message, step)
    if not faults:
        config = checkup.config
        message = f"{config.max_tokens:,} tokens and {config.max_calls} calls for one job."
        yield Finding("limits", True, message)


def _find_limit_faults(config: Config) -> Iterator[tuple[str, str]]:
    reply_tokens = config.max_reply_tokens or MIN_REPLY_TOKENS
    least = 2 * (config.context_tokens + PROMPT_TOKENS + reply_tokens)
    if config.max_tokens < least:
        yield (
            f"TINYGEN_MAX_TOKENS={config.max_tokens} does not pay for a change and its review with"
            f" TINYGEN_CONTEXT_TOKENS={config.context_tokens}.",
            f"Raise the first to {least} or more, or lower the second.",
        )
    if config.max_calls < 2:
        yield "TINYGEN_MAX_CALLS=1 leaves no call for the review.", "Raise it to 2 or more."
    if reply_tokens < MIN_REPLY_TOKENS:
        yield (
            f"TINYGEN_MAX_REPLY_TOKENS={reply_tokens} cuts most replies off.",
            f"Raise it to {MIN_REPLY_TOKENS} or more, or remove it.",
        )
    if config.call_s > config.job_s:
        yield (
            f"TINYGEN_CALL_SECONDS={config.call_s} is longer than a whole job may take.",
            f"Lower it below TINYGEN_JOB_SECONDS={config.job_s}.",
        )
    if 0 < config.daily_tokens < config.max_tokens:
        yield (
            f"TINYGEN_DAILY_TOKENS={config.daily_tokens} is less than one job may use.",
            f"Raise it above TINYGEN_MAX_TOKENS={config.max_tokens}, or lower that.",
        )
