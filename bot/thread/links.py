"""What a thread links to and the model is shown as well: attached images, and lines of code.

Only files attached at GitHub are fetched, never any other URL: the author of an issue must not
choose where TinyGen connects to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from bot.thread.markdown.page import Page
from bot.types.names import is_plain_path
from bot.types.text import read_text, split_keeping_ends

MAX_IMAGES = 4
MAX_IMAGE_BYTES = 5_000_000
MAX_CODE_LINKS = 5
MAX_LINES = 80
MAX_LINES_CHARS = 4_000

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_ATTACHMENT_PATH = (
    rf"/(?:user-attachments/assets|[\w.-]+/[\w.-]+/assets/\d+|storage/user/\d+/files)/{_UUID}"
)
_MEDIA_PATH = rf"/user/\d+/files/{_UUID}(?:\?[\w.=&%-]*)?"
_GITHUB_COM_URL = (
    r"https://(?:private-)?user-images\.githubusercontent\.com/[\w./%-]+(?:\?jwt=[\w.-]+)?"
)
_FILE_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
)

_PERMALINK = re.compile(
    r"(?P<server>https?://[^\s/]{1,200})/(?P<repo>[\w.-]{1,100}/[\w.-]{1,100})"
    r"/blob/(?P<sha>[0-9a-f]{40})/(?P<path>[^\s#?)\]>]{1,1000})(?:\?[^\s#]{0,100})?"
    r"#L(?P<first>\d{1,7})(?:C\d+)?(?:-L(?P<last>\d{1,7}))?"
)
"""https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/creating-a-permanent-link-to-a-code-snippet"""


@dataclass(frozen=True, slots=True)
class ImageUrls:
    """The URLs of a thread's images, without repeats, in their order."""

    attached: tuple[str, ...]
    elsewhere: tuple[str, ...]
    """Images that this GitHub server does not store. They are never fetched."""


@dataclass(frozen=True, slots=True)
class Permalink:
    """Lines of a file at a commit. `first` and `last` are 1-based and inclusive."""

    sha: str
    path: str
    first: int
    last: int


def find_images(pages: Iterable[Page], server_url: str) -> ImageUrls:
    """The images that a reader of the pages sees. `server_url` is the GitHub server's."""
    urls = dict.fromkeys(url for page in pages for url in page.images)
    is_attached = _attachment_pattern(server_url).fullmatch
    attached = tuple(url for url in urls if is_attached(url))
    return ImageUrls(attached, tuple(url for url in urls if url not in attached))


def _attachment_pattern(server_url: str) -> re.Pattern[str]:
    """The URLs of files that people attach: on the server itself, on the media host of Enterprise
    Server, or on the separate hosts of github.com."""
    url = urlsplit(server_url)
    patterns = [
        re.escape(server_url) + _ATTACHMENT_PATH,
        re.escape(f"{url.scheme}://media.{url.netloc}") + _MEDIA_PATH,
    ]
    if server_url == "https://github.com":
        patterns.append(_GITHUB_COM_URL)
    return re.compile("|".join(patterns))


def media_type(content: bytes) -> str | None:
    """The media type of an image by its first bytes; None if models do not accept that type."""
    for signature, name in _FILE_SIGNATURES:
        if signature.match(content):
            return name
    return None


def find_permalinks(pages: Iterable[Page], server_url: str, repo: str) -> tuple[Permalink, ...]:
    """The first few different links to lines of this repository. One whose path is not that of a
    file as git names it leads elsewhere, and is none."""
    links: dict[Permalink, None] = {}
    for page in pages:
        for found in _PERMALINK.finditer("\n".join((page.text, *page.links))):
            path = unquote(found["path"])
            is_here = found["server"] == server_url and found["repo"].lower() == repo.lower()
            if not is_here or not is_plain_path(path):
                continue
            first = max(1, int(found["first"]))
            last = max(first, int(found["last"] or first))
            last = min(last, first + MAX_LINES - 1)
            links[Permalink(found["sha"], path, first, last)] = None
    return tuple(links)[:MAX_CODE_LINKS]


def render_lines(link: Permalink, content: bytes) -> str:
    """The lines under a heading; "" if the file is no text or has no such lines."""
    lines = split_keeping_ends(read_text(content) or "")[link.first - 1 : link.last]
    shown = "".join(lines)[:MAX_LINES_CHARS].rstrip("\r\n")
    if not shown.strip():
        return ""
    return f"{link.path}, from line {link.first}, at {link.sha[:12]}:\n{shown}"
