"""Keeps a model's replies as files, for the operator's own evidence of what models write. Off by
default: replies hold parts of the repositories."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import structlog

from bot.ports import NO_IMAGES, Model
from bot.types import Prompt, Reply

MAX_KEPT = 1_000
"""Of the newest replies."""
_MAX_KEPT_CHARS = 1_000_000
_NO_NAME = re.compile(r"[^A-Za-z0-9.-]+")

_log = structlog.get_logger(__name__)


class KeptReplies:
    """A model (`bot.ports.Model`) whose replies are written into `folder`, one file each, named by
    time, model and purpose. `clean` removes secrets. A reply that cannot be written is logged."""

    def __init__(self, model: Model, folder: Path, clean: Callable[[str], str]) -> None:
        self._model = model
        self._folder = folder
        self._clean = clean

    def ask(
        self,
        prompt: Prompt,
        *,
        stop: Callable[[], bool],
        deadline_s: float,
        model: str | None = None,
        images: Mapping[str, bytes] = NO_IMAGES,
    ) -> Reply:
        reply = self._model.ask(
            prompt, stop=stop, deadline_s=deadline_s, model=model, images=images
        )
        try:
            self._write(prompt.purpose, reply)
        except OSError as error:
            _log.warning("a reply could not be kept", error=str(error))
        return reply

    def _write(self, purpose: str, reply: Reply) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        name = f"{now}-{_NO_NAME.sub('-', reply.model)[:60]}-{purpose}.md"
        text = self._clean(reply.text[:_MAX_KEPT_CHARS])
        content = text.encode("utf-8", "backslashreplace")
        file = self._folder / name
        file.touch(mode=0o600)
        file.write_bytes(content)
        for old in sorted(self._folder.glob("*.md"))[:-MAX_KEPT]:
            old.unlink(missing_ok=True)
