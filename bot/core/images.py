"""The images of a thread, for models that can see.

Only what people attached at GitHub is ever fetched: whoever writes in an issue must not choose where TinyGen connects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.core.material import prose_parts

MAX_IMAGES = 4
MAX_IMAGE_BYTES = 5_000_000

_SHOWN = re.compile(
    r"!\[[^\]\n]{0,2000}+\]\(\s*+<?(?P<markdown>[^\s)>]{1,2000})"
    r"|<img\b[^<>]{0,4000}?\ssrc\s*=\s*(?P<quote>[\"']?)(?P<tag>[^\s\"'<>]{1,2000})(?P=quote)",
    re.IGNORECASE,
)
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_ON_SITE = rf"/(?:user-attachments/assets|[\w.-]+/[\w.-]+/assets/\d+|storage/user/\d+/files)/{_UUID}"
_ON_MEDIA = rf"/user/\d+/files/{_UUID}(?:\?[\w.=&%-]*)?"
_OF_GITHUB_COM = r"https://(?:private-)?user-images\.githubusercontent\.com/[\w./%-]+(?:\?jwt=[\w.-]+)?"

_MAGIC = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """The addresses of the images in a thread's words, each once, in their order."""

    attached: tuple[str, ...]
    elsewhere: tuple[str, ...]
    """Those that are not kept by this GitHub server, which nobody fetches."""


def find_images(texts: Iterable[str], server_url: str) -> Found:
    """The images that a reader of the texts would see. `server_url` is the GitHub server's."""
    shown = (image for text in texts for part in prose_parts(text) for image in _SHOWN.finditer(part))
    urls = tuple(dict.fromkeys(image["markdown"] or image["tag"] for image in shown))
    kept_here = _addresses(server_url)
    attached = tuple(url for url in urls if kept_here.fullmatch(url))
    return Found(attached, tuple(url for url in urls if url not in attached))


def media_type(content: bytes) -> str | None:
    """What kind of image the bytes are, whatever they were called; None for one that models do not take."""
    return next((kind for magic, kind in _MAGIC if magic.match(content)), None)


def _addresses(server_url: str) -> re.Pattern[str]:
    """Where a GitHub server keeps what people attach: on its own site, on its media host (Enterprise Server), or, of
    github.com, on hosts of their own."""
    url = urlsplit(server_url)
    kept = [re.escape(server_url) + _ON_SITE, re.escape(f"{url.scheme}://media.{url.netloc}") + _ON_MEDIA]
    return re.compile("|".join([*kept, _OF_GITHUB_COM] if server_url == "https://github.com" else kept))
