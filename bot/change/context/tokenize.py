"""Splits text and source code into terms, in the same way for tasks and for files: words and
identifiers, the parts of an identifier, and their stems."""

from __future__ import annotations

import re
from functools import lru_cache

MAX_WORD_CHARS = 64
"""A longer word is data (base64, a hash): no task names it."""


def word_set(words: str) -> frozenset[str]:
    """The words of a list that is written as one string."""
    return frozenset(words.split())


_COMMON_WORDS = word_set(
    """a about above after again all also although am an and any anyway are as at be because been
    before being below between both but by can cannot could did do does doing done down during each
    etc few fine for from further get gets getting got had has have having he help her here hers him
    his how however i if in instead into is issue issues it its itself just know let like made make
    makes me more most my need needed needs no nor not now of off on once one only or other our out
    over own please possible problem probably quite rather really report same see seem seems she
    should since so some something still such than thank thanks that the their them then there these
    they thing things think this those though through thus to too tried try trying two under until
    up us use used uses using very via want was way we well were what when where whether which while
    who whom why will with within without would yes yet you your actually already appears behavior
    behaviour bug cause currently don doesn didn isn won aren wasn ve ll re fix fixed fixes hello hi
    e g ie eg"""
)
_PHRASE_WORDS = word_set("class from get in make no non not on set to up")
"""Words that mean something beside another one: `not null`, `set up`."""

_IDENTIFIER_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")


def _keep_word_byte(byte: int) -> int:
    """The byte if it belongs to a word ("_" and everything outside ASCII do), else a space."""
    is_word = byte >= 0x80 or byte == ord("_") or chr(byte).isalnum()
    return byte if is_word else ord(" ")


_WORD_BYTES = bytes(map(_keep_word_byte, range(256)))

_ENDINGS = {
    "s": (("ies", "y"), ("sses", "ss"), ("es", "e"), ("s", "")),
    "g": (("ing", ""),),
    "d": (("ed", ""),),
}
"""Endings and their replacements, by the ending's last letter; the first that fits is taken."""


def split_words(content: bytes) -> list[bytes]:
    """All identifiers and words of a file, unchanged and in order."""
    return content.translate(_WORD_BYTES).split()


def whole_word_term(word: str) -> str:
    """The term for a word as a whole, whatever its case and underscores at its ends."""
    return f"={word.lower().strip('_')}"


def split_terms(word: str) -> tuple[str, ...]:
    """The terms that a word is indexed under: the whole word as `=name`, and the stems of its
    parts."""
    return (whole_word_term(word), *split_stems(word))


@lru_cache(maxsize=1 << 16)
def split_stems(word: str) -> tuple[str, ...]:
    """The stems of an identifier's parts: `getHTTPUrls` gives get, http, url."""
    return tuple(stem(part.lower()) for part in _IDENTIFIER_PART.findall(word[:MAX_WORD_CHARS]))


def stem(word: str) -> str:
    """The word without its most common English ending: `queries` and `query`, `parsing` and `parse`
    have the same stem."""
    if len(word) < 4 or not word.isascii():
        return word
    word = _replace_ending(word)
    ends_in_double = word[-1] == word[-2] and word[-1] not in "lse"
    if len(word) > 4 and ends_in_double:
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def _replace_ending(word: str) -> str:
    if word.endswith(("ss", "us", "is")):
        return word
    for ending, replacement in _ENDINGS.get(word[-1], ()):
        begin = word[: len(word) - len(ending)]
        if word.endswith(ending) and len(begin) >= 3:
            return begin + replacement
    return word


def is_common(word: str) -> bool:
    """Whether the word says nothing about the subject of a task."""
    return len(word) < 2 or word in _COMMON_WORDS or word.isdigit()


def is_stop_word(word: str) -> bool:
    """Whether the word says nothing in a pair of words either."""
    return is_common(word) and word not in _PHRASE_WORDS


def is_identifier(word: str) -> bool:
    """Whether only code spells a word in this way: `snake_case`, `camelCase`, `utf8`."""
    if word.startswith("_"):
        return True
    inner = word.strip("_")
    return "_" in inner or bool(re.search(r"[a-z][A-Z]|[A-Z]{2}[a-z]|[a-zA-Z]\d", inner))
