"""The whole conversation of a run with the model, for people to read and for replays without a
model.

The format is YAML, for its block strings: a prompt stands in the file as it was sent, unless it
contains characters that YAML would change. Of each request only the messages that are new since the
request before are written; those that were sent again are counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import yaml
from pydantic import TypeAdapter

from bot.errors import BadRequest
from bot.types import Message, Prompt, Reply

_PLAIN = re.compile(
    "[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*"
)
"""Text that YAML gives back as it is. Other characters that YAML reads as the end of a line
(U+0085, U+2028, U+2029) come back as a space or a newline, and the rest may be written only as
escapes in double quotes. https://yaml.org/spec/1.1/, section 5.4"""
_MAX_LINE_CHARS = 1_000_000
"""So wide that PyYAML never folds a line."""

_replies = TypeAdapter(Reply)


def render_transcript(calls: Sequence[tuple[Prompt, Reply]]) -> str:
    """The calls, in order."""
    page: list[dict[str, Any]] = []
    before: Sequence[Message] = ()
    for prompt, reply in calls:
        sent_before = _count_common(before, prompt.messages)
        page.append(
            {
                "purpose": prompt.purpose,
                "sent before": sent_before,
                "sent": [_render_message(message) for message in prompt.messages[sent_before:]],
                "reply": asdict(reply),
            }
        )
        before = prompt.messages
    return yaml.dump(
        page, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_MAX_LINE_CHARS
    )


def read_transcript(text: str) -> tuple[Reply, ...]:
    """The replies of a transcript, in order. BadRequest if the text is not a transcript."""
    try:
        return tuple(_replies.validate_python(call["reply"]) for call in yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, TypeError, KeyError, RecursionError):
        raise BadRequest(
            "The file is not a transcript.", next_step="Write one with `run --transcript FILE`."
        ) from None


def _count_common(before: Sequence[Message], messages: Sequence[Message]) -> int:
    """How many of the first messages are the same."""
    count = 0
    for old, new in zip(before, messages, strict=False):
        if old != new:
            break
        count += 1
    return count


def _render_message(message: Message) -> dict[str, Any]:
    """An image is described by its digest, because its bytes cannot be read by people."""
    page: dict[str, Any] = {"role": message.role, "text": message.text}
    if message.images:
        page["images"] = [
            f"{image.media_type}, {image.size_bytes} bytes, sha256 {image.sha256}"
            for image in message.images
        ]
    return page


class _Dumper(yaml.SafeDumper):
    def analyze_scalar(self, scalar: str) -> Any:
        """Allows block strings with tabs, and with spaces before the end of a line, as diffs have
        them: YAML can hold them, but PyYAML refuses to write them."""
        analysis = super().analyze_scalar(scalar)
        analysis.allow_block = bool(_PLAIN.fullmatch(scalar))
        return analysis


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if not _PLAIN.fullmatch(text):
        style = '"'
    elif "\n" in text:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
