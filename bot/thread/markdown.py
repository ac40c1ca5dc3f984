"""Markdown of strangers: read without what a page does not show, and quoted so that it has no
effect in our own comments.

Hidden text can carry orders into a prompt that a person looked over before giving a command.
"""

from __future__ import annotations

import re

MAX_QUOTED_CHARS = 4_000

_CODE_OR_COMMENT = re.compile(
    r"(^(`{3,16}+|~{3,16}+).*?^\2[^\n]*$|`[^`\n]+`)|<!--.*?(?:-->|\Z)", re.DOTALL | re.MULTILINE
)
"""Code is group 1. An HTML comment inside code is visible."""
_CODE = re.compile(
    r"(^(?:`{3,}+|~{3,}+).*?^(?:```|~~~)[^\n]*$|`[^`\n]+`)", re.DOTALL | re.MULTILINE
)
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2028\u2029\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Controls, zero-width, direction-changing, tag and variation characters, and letters without a
shape: https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing,
https://www.unicode.org/reports/tr39/"""
IMAGE_ALT = r"!\[(?:[^\[\]\n]++|\[[^\[\]\n]*+\])*+\]"
"""The beginning of an image. Its alternative text may hold brackets, in pairs; a page does not show
it, however long it is."""
_IMAGE = re.compile(IMAGE_ALT + r"(?:\([^)\n]{0,2000}+\)|\[[^\]\n]{0,200}+\])?")
_LINK_WITH_TITLE = re.compile(
    r"(\[[^\]\n]{1,500}+\]\(\s*+(?:<?[^\s)>]{0,1000}+>?(?=\s))?)\s*+(?<=\s)"
    r"(?:\"[^\"\n]*+\"|'[^'\n]*+'|\((?:[^()\\\n]|\\.)*+\))\s*+\)"
)
_LINK_DEFINITION = re.compile(r"^ {0,3}\[[^\]\n]{1,500}+\]:[^\n]*$", re.MULTILINE)
"""A page never shows one: `[//]: # (words)` is the usual way to hide words."""
_TAG = re.compile(
    r"</?(?:"
    r"a|abbr|area|audio|b|br|center|cite|del|details|dfn|div|em|embed|font|h[1-6]|hr|i|"
    r"iframe|input|ins|kbd|li|map|mark|math|object|ol|p|path|picture|q|s|small|source|span|"
    r"strike|strong|style|sub|summary|sup|svg|table|tbody|td|th|thead|tr|track|tt|u|ul|var|"
    r"video|wbr"
    r")(?:\s[^<>]{0,4000}+)?/?>",
    re.IGNORECASE,
)
"""Tags of HTML, whose attributes (`title`, `alt`, `aria-label`) can hide words. Others stay, since
they may be code such as `List<String>`."""
_IMAGE_TAG = re.compile(r"<img\b[^<>]{0,4000}+>", re.IGNORECASE)

_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_INVISIBLE_BREAK = "\u200b"
_ACTIVE = re.compile(
    r"(?P<mention>@)(?=\w)"
    r"|(?P<number>#|\bGH-|/(?:issues|pull|discussions|commit)/)(?=\w)"
    r"|(?P<tag><)(?=[A-Za-z/!?])"
    r"|(?P<link>!?\[|\](?=[(:\[]))"
    r"|(?P<url>\b(?:https?|ftp):(?=//)|\bwww(?=\.))"
    r"|(?P<fence>`(?=``)|~(?=~~))",
    re.IGNORECASE,
)
"""What GitHub would make a mention, a reference, a tag, a link, an image or a block of code."""


def visible_text(text: str, *, limit_chars: int = 60_000) -> str:
    """The text that a reader of the page sees, cut at `limit_chars`. Code is kept as it is."""
    parts = _prose_and_code(text)
    parts[::2] = [_visible_prose(prose) for prose in parts[::2]]
    visible = "".join(parts)
    if len(visible) > limit_chars:
        return visible[:limit_chars] + "\n[cut here]"
    return visible


def has_hidden_text(text: str) -> bool:
    """Whether the text holds anything that a reader of the page does not see."""
    return visible_text(text, limit_chars=len(text)) != text.replace("\r\n", "\n")


def prose_parts(text: str) -> list[str]:
    """The parts of the text that are neither hidden nor code, with their Markdown."""
    return _prose_and_code(text)[::2]


def _prose_and_code(text: str) -> list[str]:
    """The text without comments and invisible characters: prose and code in turn, prose first."""
    text = _CODE_OR_COMMENT.sub(lambda found: found[1] or "", text.replace("\r\n", "\n"))
    return _CODE.split(_INVISIBLE.sub("", text))


def _visible_prose(prose: str) -> str:
    prose = _IMAGE_TAG.sub("[image]", prose)
    prose = _IMAGE.sub("[image]", prose)
    prose = _LINK_DEFINITION.sub("", prose)
    prose = _LINK_WITH_TITLE.sub(r"\1)", prose)
    return _TAG.sub("", prose)


def neutralize(text: str) -> str:
    """The text, cut to a limit, with an invisible break wherever GitHub would act on it, and U+FFFD
    for control characters and lone surrogates: git refuses a commit message that holds NUL."""
    text = shorten(_NO_TEXT.sub("\ufffd", text.replace("\r", "")), MAX_QUOTED_CHARS)
    return _ACTIVE.sub(lambda found: found[0] + _INVISIBLE_BREAK, text)


def fence(text: str, language: str) -> str:
    """The text as a block of code, in a fence longer than any run of backticks in it.
    https://spec.commonmark.org/0.31.2/#fenced-code-blocks"""
    ticks = "`" * max(3, 1 + _longest_backticks(text))
    line_end = "" if text.endswith("\n") else "\n"
    return f"{ticks}{language}\n{text}{line_end}{ticks}"


def code_span(text: str | None) -> str:
    """The text as code within a line; line ends become spaces."""
    line = re.sub(r"[\x00-\x1f\x7f]+", " ", text or "").encode("utf-8", "backslashreplace").decode()
    ticks = "`" * (1 + _longest_backticks(line))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def _longest_backticks(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def shorten(text: str, limit_chars: int) -> str:
    """The text, with "…" at its end if it was cut to `limit_chars`."""
    return text if len(text) <= limit_chars else text[: limit_chars - 1].rstrip() + "…"
