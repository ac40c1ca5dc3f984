"""Words, as tasks and source files share them: identifiers, the parts they are made of, and their
stems."""

from __future__ import annotations

import re
from functools import lru_cache


def word_set(words: str) -> frozenset[str]:
    """The words of a list that is written as one string."""
    return frozenset(words.split())


_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_WORD_BYTES = bytes(
    (
        byte if byte >= 0x80 or byte == 0x5F or chr(byte).isalnum() else 0x20
    )  # "_", and all that is not ASCII
    for byte in range(256)
)
LONGEST_WORD = 64
"""Longer ones are data (base64, hashes): nobody asks for them by name."""

_COMMON = word_set(
    """a about above after again all also although am an and any anyway are as at be because been before being below
    between both but by can cannot could did do does doing done down during each etc few fine for from further get gets
    getting got had has have having he help her here hers him his how however i if in instead into is issue issues it
    its itself just know let like made make makes me more most my need needed needs no nor not now of off on once one
    only or other our out over own please possible problem probably quite rather really report same see seem seems she
    should since so some something still such than thank thanks that the their them then there these they thing things
    think this those though through thus to too tried try trying two under until up us use used uses using very via
    want was way we well were what when where whether which while who whom why will with within without would yes yet
    you your actually already appears behavior behaviour bug cause currently don doesn didn isn won aren wasn ve ll re
    fix fixed fixes hello hi e g ie eg"""
)


_PARTICLES = word_set("class from get in make no non not on set to up")


def split_words(content: bytes) -> list[bytes]:
    """All identifiers and words of a file, as they stand there, in order."""
    return content.translate(_WORD_BYTES).split()


_ENDINGS = {
    "s": (("ies", "y"), ("sses", "ss"), ("es", "e"), ("s", "")),
    "g": (("ing", ""),),
    "d": (("ed", ""),),
}
"""By their last letter; and what takes their place."""


@lru_cache(maxsize=1 << 16)
def parts_of(word: str) -> tuple[str, ...]:
    """The stems of the parts of an identifier: `getHTTPUrls` gives get, http, url."""
    return tuple(stem(part.lower()) for part in _PART.findall(word[:LONGEST_WORD]))


def stem(word: str) -> str:
    """The word without its commonest English endings, so that `queries` meets `query` and `parsing`
    meets `parse`."""
    if len(word) < 4 or not word.isascii():
        return word
    for ending, replacement in _ENDINGS.get(word[-1], ()):
        if (
            word.endswith(ending)
            and len(word) - len(ending) >= 3
            and not word.endswith(("ss", "us", "is"))
        ):
            word = word[: len(word) - len(ending)] + replacement
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "lse":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def is_common(word: str) -> bool:
    """Whether the word says nothing of what a task is about."""
    return len(word) < 2 or word in _COMMON or word.isdigit()


def is_stop_word(word: str) -> bool:
    """Whether the word says nothing beside another one either: `not null` and `set up` mean more
    than their parts."""
    return is_common(word) and word not in _PARTICLES


def is_identifier(word: str) -> bool:
    """Whether the word is spelt as only code spells: `snake_case`, `camelCase`, `utf8`."""
    inner = word.strip("_")
    return (
        "_" in inner
        or word.startswith("_")
        or bool(re.search(r"[a-z][A-Z]|[A-Z]{2}[a-z]|[a-zA-Z]\d", inner))
    )
