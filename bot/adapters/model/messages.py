"""A prompt as it is sent.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from bot.core.types import Message, Prompt

Messages = Any
"""As they are sent; the library's own type for them is a union of dozens."""


def messages_of(prompt: Prompt, images: Mapping[str, bytes]) -> Messages:
    """`images` by their digests."""
    return [{"role": each.role, "content": _content(each, images)} for each in prompt.messages]


def text_of(prompt: Prompt) -> str:
    return "\n".join(message.text for message in prompt.messages)


def _content(message: Message, images: Mapping[str, bytes]) -> str | list[dict[str, Any]]:
    """A message without images stays plain text, which every server takes.
    https://platform.openai.com/docs/guides/images-vision"""
    text = _encodable(message.text)
    urls = [
        f"data:{image.media_type};base64,{base64.b64encode(images[image.sha256]).decode()}"
        for image in message.images
        if image.sha256 in images
    ]
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"type": "text", "text": text}, *shown] if shown else text


def _encodable(text: str) -> str:
    """Paths that are not UTF-8 hold surrogates, which no request can."""
    return text.encode("utf-8", "replace").decode()
