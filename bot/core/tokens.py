"""How many tokens a text will cost, without a tokenizer: their vocabularies are downloaded at run time, and differ
from model to model anyway.

Tokenizers spend their tokens by kind of character, not by bytes: five letters cost about one, a digit nearly one, a
line break with the indentation after it two at most, blanks nothing. Counting kinds runs at the speed of
`bytes.translate`. Over 600 files of ten projects in eight languages, against cl100k_base:

    estimate        total    single files, 5th to 95th percentile
    bytes / 3.5     +12 %    -16 % .. +38 %
    this one         +7 %     -7 % .. +27 %
"""

from __future__ import annotations

import math
import string

_LETTERS = string.ascii_lowercase.encode()
_CAPITALS = string.ascii_uppercase.encode()
_DIGITS = string.digits.encode()
_BLANKS = b" \t\r"
_NOT_ASCII = bytes(range(0x80, 0x100))

_COST: tuple[tuple[bytes, float], ...] = (
    (_LETTERS, 0.21),
    (_CAPITALS, 0.3),
    (_DIGITS, 1.0),
    (b"\n", 2.0),
    (_BLANKS, 0.03),
    (_NOT_ASCII, 0.35),
)
_COST_OF_A_SIGN = 0.41
_SAFE = 1.25
"""Covers the files that the estimate finds too cheap, all but one in a hundred."""


def estimate_tokens(text: str, *, safe: bool = False) -> int:
    """An estimate for `text`, rounded up. `safe` is for limits that must hold: it is hardly ever too low."""
    left = text.encode("utf-8", "surrogatepass")
    cost = 0.0
    for kind, each in _COST:
        rest = left.translate(None, kind)
        cost += (len(left) - len(rest)) * each
        left = rest
    cost += len(left) * _COST_OF_A_SIGN
    return math.ceil(cost * (_SAFE if safe else 1.0))
