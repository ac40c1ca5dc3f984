"""Words of a thread as material for the model: without what a reader of the page would not see.

Hidden text is how others' orders get into a prompt that a person looked over before giving a command.
"""

from __future__ import annotations

import re

_CODE_OR_COMMENT = re.compile(
    r"(^(`{3,16}+|~{3,16}+).*?^\2[^\n]*$|`[^`\n]+`)|<!--.*?(?:-->|\Z)", re.DOTALL | re.MULTILINE
)
"""An HTML comment is hidden, but not inside code."""
_CODE = re.compile(r"(^(?:`{3,}+|~{3,}+).*?^(?:```|~~~)[^\n]*$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2028\u2029\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Controls, zero-width, direction-changing, tag and variation characters, and letters without a shape:
https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing, https://www.unicode.org/reports/tr39/"""
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
"""Their attributes (`title`, `alt`, `aria-label`) hide words; other tags may be meant, as in `List<String>`."""
_IMG = re.compile(r"<img\b[^<>]{0,4000}+>", re.IGNORECASE)


def clean_material(text: str, *, limit_chars: int = 60_000) -> str:
    """The visible words, cut to a bound."""
    visible = "".join(part if at % 2 else _prose(part) for at, part in enumerate(_prose_and_code(text)))
    return visible if len(visible) <= limit_chars else visible[:limit_chars] + "\n[cut here]"


def prose_parts(text: str) -> list[str]:
    """What is neither hidden nor code, as it was written."""
    return _prose_and_code(text)[::2]


def hides(text: str) -> bool:
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
