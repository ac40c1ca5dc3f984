"""One exchange with a model's server: what is asked, and what the server answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bot.adapters.model import OpenAIModel
from bot.types import Message, Prompt, Reply
from tests.doubles.model import Fault, ModelDouble

KEY = "sk-proj-0123456789abcdefghij"
PROMPT = Prompt(
    "generate", (Message("system", "You edit code."), Message("user", "Fix the parser."))
)
DONE = b"data: [DONE]\n\n"


class Pauses:
    """Stands in for sleep: remembers, and returns at once."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def ask(
    url: str,
    *,
    key: str | None = KEY,
    prompt: Prompt = PROMPT,
    stop: Callable[[], bool] = lambda: False,
    deadline_s: float = 120,
    pauses: Pauses | None = None,
    **settings: Any,
) -> Reply:
    model = OpenAIModel(url, key, "m-1", sleep=pauses or Pauses(), **settings)
    return model.ask(prompt, stop=stop, deadline_s=deadline_s)


def reply_to(answer: Fault, **settings: Any) -> Reply:
    """The reply if the server answers so."""
    with ModelDouble([answer]) as double:
        return ask(double.url, **settings)


def event(**fields: Any) -> bytes:
    """One event of a stream."""
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def piece(
    content: object, finish: object = None, delta: dict[str, Any] | None = None, **fields: Any
) -> bytes:
    """The event with a piece of the reply. `delta` and `fields` are more of its own fields."""
    choice = {"delta": {"content": content, **(delta or {})}, "finish_reason": finish}
    return event(choices=[choice], **fields)


def stream(*events: bytes) -> Fault:
    return Fault(200, b"".join(events), {"Content-Type": "text/event-stream"})


def error_answer(status: int, message: str = "No.", **fields: Any) -> Fault:
    return Fault(status, json.dumps({"error": {"message": message, **fields}}).encode())
