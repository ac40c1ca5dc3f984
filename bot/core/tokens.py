"""How many tokens a text will cost, without a tokenizer: their vocabularies are downloaded at run time, and differ
from model to model anyway.

Tokenizers cut a text into words and runs of signs first, so these are counted, and the characters that make them
longer. Counting runs at the speed of `bytes.translate`. Over 1,095 files of 24 projects in ten languages, against
cl100k_base, the real number by the estimated one:

    estimate                total    single files, 5th to 95th percentile
    bytes / 3.5             0.93     0.72 .. 1.28
    kinds of characters     0.94     0.77 .. 1.09
    this one                0.98     0.87 .. 1.12
"""

from __future__ import annotations

import math
import string

_LOWER = string.ascii_lowercase.encode()
_UPPER = string.ascii_uppercase.encode()
_DIGITS = string.digits.encode()
_BLANKS = b" \t\r"
_NOT_ASCII = bytes(range(0x80, 0x100))

_COST: tuple[tuple[bytes, float], ...] = (
    (_LOWER, 0.063),
    (_UPPER, 0.116),
    (_DIGITS, 0.75),
    (b"\n", 0.79),
    (_BLANKS, 0.082),
    (_NOT_ASCII, 0.13),
)
"""Fitted by least squares of the relative error, and made three in a hundred dearer: a budget is not to be exceeded."""
_COST_OF_A_SIGN = 0.077
_COST_OF_A_WORD = 0.71
_COST_OF_A_RUN_OF_SIGNS = 0.74
_SAFE = 1.25
"""Covers the files that the estimate finds too cheap, all but one in a hundred."""

_IN_WORDS = bytes(0x61 if byte in _LOWER + _UPPER + _NOT_ASCII else 0x20 for byte in range(256))
_IN_SIGNS = bytes(
    0x20 if byte in _LOWER + _UPPER + _DIGITS + _BLANKS + _NOT_ASCII + b"\n" else 0x61 for byte in range(256)
)


def estimate_tokens(text: str, *, safe: bool = False) -> int:
    """An estimate for `text`, rounded up. `safe` is for limits that must hold: it is hardly ever too low."""
    content = text.encode("utf-8", "surrogatepass")
    cost = _COST_OF_A_WORD * _runs(content, _IN_WORDS) + _COST_OF_A_RUN_OF_SIGNS * _runs(content, _IN_SIGNS)
    left = content
    for kind, each in _COST:
        rest = left.translate(None, kind)
        cost += (len(left) - len(rest)) * each
        left = rest
    cost += len(left) * _COST_OF_A_SIGN
    return math.ceil(cost * (_SAFE if safe else 1.0))


def _runs(content: bytes, table: bytes) -> int:
    """How many runs there are of what the table marks."""
    marked = content.translate(table)
    return marked.count(b" a") + marked.startswith(b"a")
