"""A run's whole conversation with the model, to be read by people and replayed without a model.

YAML, for its block strings: a prompt stands in it as it was sent, unless it holds characters that
YAML would change. Of each request only what is new since the one before is written; what was sent
again is counted.
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

_replies = TypeAdapter(Reply)


_PLAIN = re.compile(
    "[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*"
)
"""What YAML gives back as it stands. Other characters that it takes for the end of a line (U+0085,
U+2028, U+2029) come back as a space or a newline, and the rest may not be written at all, but for
an escape in double quotes. https://yaml.org/spec/1.1/, section 5.4"""


class _Dumper(yaml.SafeDumper):
    def analyze_scalar(self, scalar: str) -> Any:
        """A block string may hold tabs, and spaces before a line's end, as diffs do, though PyYAML
        will not write one."""
        analysis = super().analyze_scalar(scalar)
        analysis.allow_block = bool(_PLAIN.fullmatch(scalar))
        return analysis


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = ("|" if "\n" in text else None) if _PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def render_transcript(calls: Sequence[tuple[Prompt, Reply]]) -> str:
    """The calls, in order."""
    written: list[dict[str, Any]] = []
    before: Sequence[object] = ()
    for prompt, reply in calls:
        same = 0
        while (
            same < min(len(before), len(prompt.messages)) and before[same] == prompt.messages[same]
        ):
            same += 1
        new = [_written(message) for message in prompt.messages[same:]]
        written.append(
            {"purpose": prompt.purpose, "sent before": same, "sent": new, "reply": asdict(reply)}
        )
        before = prompt.messages
    return yaml.dump(written, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)


def _written(message: Message) -> dict[str, Any]:
    """Of an image its digest: its bytes are nothing to read."""
    images = [
        f"{each.media_type}, {each.size_bytes} bytes, sha256 {each.sha256}"
        for each in message.images
    ]
    return {"role": message.role, "text": message.text, **({"images": images} if images else {})}


def read_transcript(text: str) -> tuple[Reply, ...]:
    """The replies of a transcript, in order. BadRequest where it is none."""
    try:
        return tuple(_replies.validate_python(call["reply"]) for call in yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, TypeError, KeyError, RecursionError):
        raise BadRequest(
            "The file is not a transcript.", next_step="Write one with `run --transcript FILE`."
        ) from None
