"""Words of a thread as material for the model: without what a reader of the page would not see."""

from __future__ import annotations

import re

_CODE_OR_COMMENT = re.compile(r"(^(```+|~~~+).*?^\2[^\n]*$|`[^`\n]+`)|<!--.*?(?:-->|\Z)", re.DOTALL | re.MULTILINE)
"""An HTML comment is hidden, but not inside code."""
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
"""Zero-width, direction-changing and tag characters: https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing"""


def clean_material(text: str, *, limit_chars: int = 60_000) -> str:
    """The visible words, cut to a bound."""
    visible = _INVISIBLE.sub("", _CODE_OR_COMMENT.sub(lambda found: found[1] or "", text.replace("\r\n", "\n")))
    return visible if len(visible) <= limit_chars else visible[:limit_chars] + "\n[cut here]"
