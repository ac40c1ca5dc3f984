"""Words of a thread as material for the model: without what a reader of the page would not see.

Hidden text is how others' orders get into a prompt that a person looked over before giving a
command.

The images of a thread, for models that can see.

Only what people attached at GitHub is ever fetched: whoever writes in an issue must not choose
where TinyGen connects.

Links to lines of code in a thread: what GitHub shows as a snippet under them, the model is shown as
well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from bot.types.text import read_text

_CODE_OR_COMMENT = re.compile(
    r"(^(`{3,16}+|~{3,16}+).*?^\2[^\n]*$|`[^`\n]+`)|<!--.*?(?:-->|\Z)", re.DOTALL | re.MULTILINE
)
"""An HTML comment is hidden, but not inside code."""
_CODE = re.compile(
    r"(^(?:`{3,}+|~{3,}+).*?^(?:```|~~~)[^\n]*$|`[^`\n]+`)", re.DOTALL | re.MULTILINE
)
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2028\u2029\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Controls, zero-width, direction-changing, tag and variation characters, and letters without a
shape: https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing,
https://www.unicode.org/reports/tr39/"""
_IMAGE = re.compile(r"!\[[^\]\n]{0,2000}+\](?:\([^)\n]{0,2000}+\)|\[[^\]\n]{0,200}+\])?")
_LINK = re.compile(
    r"(\[[^\]\n]{1,500}+\]\(\s*+(?:<?[^\s)>]{0,2000}+>?(?=\s))?)\s*+(?<=\s)"
    r"(?:\"[^\"\n]*+\"|'[^'\n]*+'|\((?:[^()\\\n]|\\.)*+\))\s*+\)"
)
_DEFINITION = re.compile(r"^ {0,3}\[[^\]\n]{1,500}+\]:[^\n]*$", re.MULTILINE)
"""Shown nowhere on the page: `[//]: # (words)` is the usual way to hide some."""
_TAG = re.compile(
    r"</?(?:a|abbr|area|audio|b|br|center|cite|del|details|dfn|div|em|embed|font|h[1-6]|hr|i|iframe|input|ins|kbd|li|map|"
    r"mark|math|object|ol|p|path|picture|q|s|small|source|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|"
    r"th|thead|tr|track|tt|u|ul|var|video|wbr)(?:\s[^<>]{0,4000}+)?/?>",
    re.IGNORECASE,
)
"""Their attributes (`title`, `alt`, `aria-label`) hide words; other tags may be meant, as in
`List<String>`."""
_IMG = re.compile(r"<img\b[^<>]{0,4000}+>", re.IGNORECASE)


def clean_material(text: str, *, limit_chars: int = 60_000) -> str:
    """The visible words, cut to a bound."""
    visible = "".join(
        part if at % 2 else _prose(part) for at, part in enumerate(_prose_and_code(text))
    )
    return visible if len(visible) <= limit_chars else visible[:limit_chars] + "\n[cut here]"


def prose_parts(text: str) -> list[str]:
    """What is neither hidden nor code, as it was written."""
    return _prose_and_code(text)[::2]


def has_hidden_text(text: str) -> bool:
    """Whether the text holds anything that a reader of the page would not see."""
    return clean_material(text, limit_chars=len(text)) != text.replace("\r\n", "\n")


def _prose_and_code(text: str) -> list[str]:
    """The text without what is hidden as a whole: prose and code in turn."""
    shown = _CODE_OR_COMMENT.sub(lambda found: found[1] or "", text.replace("\r\n", "\n"))
    return _CODE.split(_INVISIBLE.sub("", shown))


def _prose(text: str) -> str:
    text = _IMAGE.sub("[image]", _IMG.sub("[image]", text))
    text = _LINK.sub(r"\1)", _DEFINITION.sub("", text))
    return _TAG.sub("", text)


MAX_IMAGES = 4
MAX_IMAGE_BYTES = 5_000_000

_SHOWN = re.compile(
    r"!\[[^\]\n]{0,2000}+\]\(\s*+<?(?P<markdown>[^\s)>]{1,2000})"
    r"|<img\b[^<>]{0,4000}?\ssrc\s*=\s*(?P<quote>[\"']?)(?P<tag>[^\s\"'<>]{1,2000})(?P=quote)",
    re.IGNORECASE,
)
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_ON_SITE = (
    rf"/(?:user-attachments/assets|[\w.-]+/[\w.-]+/assets/\d+|storage/user/\d+/files)/{_UUID}"
)
_ON_MEDIA = rf"/user/\d+/files/{_UUID}(?:\?[\w.=&%-]*)?"
_OF_GITHUB_COM = (
    r"https://(?:private-)?user-images\.githubusercontent\.com/[\w./%-]+(?:\?jwt=[\w.-]+)?"
)

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
    shown = (
        image for text in texts for part in prose_parts(text) for image in _SHOWN.finditer(part)
    )
    urls = tuple(dict.fromkeys(image["markdown"] or image["tag"] for image in shown))
    kept_here = _addresses(server_url)
    attached = tuple(url for url in urls if kept_here.fullmatch(url))
    return Found(attached, tuple(url for url in urls if url not in attached))


def media_type(content: bytes) -> str | None:
    """What kind of image the bytes are, whatever they were called; None for one that models do not
    take."""
    return next((kind for magic, kind in _MAGIC if magic.match(content)), None)


def _addresses(server_url: str) -> re.Pattern[str]:
    """Where a GitHub server keeps what people attach: on its own site, on its media host
    (Enterprise Server), or, of github.com, on hosts of their own."""
    url = urlsplit(server_url)
    kept = [
        re.escape(server_url) + _ON_SITE,
        re.escape(f"{url.scheme}://media.{url.netloc}") + _ON_MEDIA,
    ]
    return re.compile(
        "|".join([*kept, _OF_GITHUB_COM] if server_url == "https://github.com" else kept)
    )


MAX_LINKS = 5
MAX_LINES = 80
MAX_CHARS = 4_000

_PERMALINK = re.compile(
    r"(?P<server>https?://[^\s/]{1,200})/(?P<repo>[\w.-]{1,100}/[\w.-]{1,100})/blob/(?P<sha>[0-9a-f]{40})/"
    r"(?P<path>[^\s#?)\]>]{1,1000})(?:\?[^\s#]{0,100})?#L(?P<first>\d{1,7})(?:C\d+)?(?:-L(?P<last>\d{1,7}))?"
)
"""https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/creating-a-permanent-link-to-a-code-snippet"""


@dataclass(frozen=True, slots=True)
class Permalink:
    """1-based, inclusive lines of a file at a commit."""

    sha: str
    path: str
    first: int
    last: int


def find_permalinks(texts: Iterable[str], server_url: str, repo: str) -> tuple[Permalink, ...]:
    """The first few different links to lines of this repository."""
    found: dict[Permalink, None] = {}
    for link in (link for text in texts for link in _PERMALINK.finditer(text)):
        if link["server"] == server_url and link["repo"].lower() == repo.lower():
            first = max(1, int(link["first"]))
            last = min(max(first, int(link["last"] or first)), first + MAX_LINES - 1)
            found[Permalink(link["sha"], unquote(link["path"]), first, last)] = None
    return tuple(found)[:MAX_LINKS]


def render_lines(link: Permalink, content: bytes) -> str:
    """The lines under a heading; "" where the file is no text or has no such lines."""
    lines = (read_text(content) or "").splitlines()[link.first - 1 : link.last]
    shown = "\n".join(lines)[:MAX_CHARS]
    return (
        f"{link.path}, from line {link.first}, at {link.sha[:12]}:\n{shown}"
        if shown.strip()
        else ""
    )
