"""How many tokens a text will cost, without a tokenizer: their vocabularies are downloaded at run
time, and differ from model to model anyway.

Tokenizers cut a text into words, numbers, blanks and runs of signs first, so these are counted, and
the characters that make them longer. Counting runs at the speed of `bytes.translate`. Over 1,297
files of 27 projects in ten languages, the real number (cl100k_base) by the estimated one:

    estimate       a project's sources together    single files, 5th to 95th percentile
    bytes / 3.5    0.74 .. 1.35                    0.72 .. 1.26
    this one       0.90 .. 1.01                    0.86 .. 1.09
"""

from __future__ import annotations

import math
import re
import string

_LETTERS = string.ascii_letters.encode()
_DIGITS = string.digits.encode()
_BLANKS = b" \t\r"
_SIGNS = bytes({*range(0x80)} - {*_LETTERS, *_DIGITS, *_BLANKS, *b"\n"})

_COSTS = (
    (_LETTERS, 0.42, 0.067),
    (_DIGITS, 0.95, 0.3),
    (_SIGNS, 0.77, 0.137),
    (_BLANKS, 0.34, 0.033),
    (b"\n", 0.92, 0.01),
)
"""Of a run of such characters, and of each in it. Fitted by least squares of the relative error,
and made five in a hundred dearer: a budget is not to be exceeded."""
_FIRST_BYTES = (
    (bytes({*range(0xC2, 0xE0)} - {0xCC, 0xCD}), 1.1),
    (b"\xcc\xcd", 2.0),
    (bytes(range(0xE0, 0xF0)), 2.4),
    (bytes(range(0xF0, 0xF8)), 3.0),
)
"""Of a character outside ASCII, by its first byte in UTF-8: what the dearest alphabets of each
length cost."""
_DATA = re.compile(rb"\b(?!(?:_*[a-z]{1,20}_+)++[a-z]*+\b)[0-9A-Za-z+/_]{40,}")
_COST_OF_DATA = 0.62
"""Of each character more, where hardly anything but data (base64, hashes) is that long without a
blank or another sign. Names of tests are: small letters, and a `_` after each word."""
_SAFE = 1.25
"""Covers the files that the estimate finds too cheap, all but one in a hundred."""


def _marking(kind: bytes) -> bytes:
    """A table for `bytes.translate` that leaves the letter `a` where such a byte is, and a blank
    elsewhere."""
    return bytes(0x61 if byte in kind else 0x20 for byte in range(256))


_RUNS = [(_marking(kind), of_run, of_each) for kind, of_run, of_each in _COSTS]
_CHARACTERS = [(_marking(kind), of_each) for kind, of_each in _FIRST_BYTES]


def estimate_tokens(text: str, *, safe: bool = False) -> int:
    """An estimate for `text`, rounded up. `safe` is for limits that must hold: it is hardly ever
    too low."""
    content = text.encode("utf-8", "surrogatepass")
    cost = _COST_OF_DATA * sum(map(len, _DATA.findall(content)))
    for table, of_run, of_each in _RUNS:
        marked = content.translate(table)
        cost += of_run * (marked.count(b" a") + marked.startswith(b"a")) + of_each * marked.count(
            b"a"
        )
    if len(content) > len(text):
        cost += sum(
            of_each * content.translate(table).count(b"a") for table, of_each in _CHARACTERS
        )
    return math.ceil(cost * (_SAFE if safe else 1.0))
