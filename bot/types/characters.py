"""Characters that deceive a reader: those without a shape or that turn text around, and letters that
look like others.

The sets are Unicode's, without what writing needs: https://www.unicode.org/reports/tr36/ and
https://www.unicode.org/reports/tr39/ (attacks), https://www.unicode.org/reports/tr51/ (emoji).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    r"|\r(?!\n)"
)
"""Controls, line ends that git does not count, zero-width, direction-changing, tag and variation
characters, and letters without a shape."""
_CONTROLS = {"\b": "backspace", "\r": "carriage return", "\x1b": "escape", "\x85": "next line"}
"""Unicode has no names for these."""
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_JOINERS = frozenset("\u200c\u200d")
_DIRECTION_MARKS = frozenset("\u061c\u200e\u200f")
_VARIATIONS = frozenset({*map(chr, range(0xFE00, 0xFE10)), *map(chr, range(0xE0100, 0xE01F0))})
_MONGOLIAN_VARIATIONS = frozenset("\u180b\u180c\u180d\u180f")
_FLAGS = tuple(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in name) + "\U000e007f"
    for name in ("gbeng", "gbsct", "gbwls")
)
"""The flags of England, Scotland and Wales, which are written with tag characters."""
_MAX_FLAG_CHARS = len(_FLAGS[0])
_MAX_BLANKS = 100
"""How far from the patterns of a picture in braille its blanks may be."""
_JOINING = re.compile(
    "[\u0620-\u08ff\u0900-\u0dff\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1800-\u18af\u1a20-\u1aaf]"
)
"""Letters of scripts in which a joiner between two letters changes their shapes: Arabic, the scripts
of India, of South-East Asia, and Mongolian."""
_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_IDEOGRAPH = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")

_TWINS = dict(
    zip(
        "асеорхуіјѕһԁԛԝӏАВЕЅІЈКМНОРСТУХԚԜ" + "οΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "օսհոցԼՕՍ" + "ɑɡꓐꓑꓓꓖꓝꓡꓢ",
        "aceopxyijshdqwlABESIJKMHOPCTYXQW" + "oABEZHIKMNOPTYX" + "ouhngLOU" + "agBPDGFLS",
        strict=True,
    )
)
"""Letters of other scripts (Cyrillic, Greek, Armenian, and some rare ones) that most fonts draw like
this letter of ours: a part of https://www.unicode.org/Public/security/latest/confusables.txt"""
_TO_TWINS = str.maketrans(_TWINS)
_WORD = re.compile(r"\w{1,100}+")
_STYLED = re.compile("[\uff21-\uff5a\U0001d400-\U0001d7ff]")
_ASCII_LETTER = re.compile("[A-Za-z]")


def find_unseen(text: str) -> Iterator[tuple[int, str]]:
    """(index, character) of each character that a reader does not see or that turns the text around
    it. Not those that writing needs: in an emoji, beside letters of a script that is written with
    them, a byte-order mark at the beginning, a carriage return before a line feed."""
    for found in _UNSEEN.finditer(text):
        if not _is_in_place(text, found.start()):
            yield found.start(), found[0]


def remove_unseen(text: str) -> str:
    """The text without the characters that `find_unseen` finds."""
    return _replace_unseen(text, lambda _character: "")


def escape_unseen(text: str) -> str:
    """The text with each such character as `\\u200b`."""
    return _replace_unseen(
        text, lambda character: character.encode("unicode_escape").decode("ascii")
    )


def name_character(character: str) -> str:
    """Its code point and name, for people: "U+200B (zero width space)"."""
    name = unicodedata.name(character, "").lower() or _CONTROLS.get(character, "control character")
    return f"U+{ord(character):04X} ({name})"


def turns_direction(character: str) -> bool:
    """Whether it makes a reader see text in another order than a program reads it:
    https://trojansource.codes"""
    return character in _DIRECTION


def find_look_alikes(text: str, known: Collection[str] = ()) -> Iterator[str]:
    """The words that look like others: those that mix ASCII letters with letters that look like
    some, and those that look like one of the `known` words. Letters of another width or of a
    mathematical font (`𝐬elf`) count as well: to a compiler they can be the same, to a search not.
    """
    if text.isascii():
        return
    for found in _WORD.finditer(text):
        word = found[0]
        if word.isascii():
            continue
        twin = _STYLED.sub(lambda letter: unicodedata.normalize("NFKC", letter[0]), word)
        twin = twin.translate(_TO_TWINS)
        is_alike = twin != word and twin.isascii()
        # A word of one letter is in every language one of its own.
        if is_alike and (_ASCII_LETTER.search(word) or (len(word) > 1 and twin in known)):
            yield word


def _replace_unseen(text: str, replace: Callable[[str], str]) -> str:
    parts: list[str] = []
    done = 0
    for index, character in find_unseen(text):
        parts += (text[done:index], replace(character))
        done = index + 1
    return "".join((*parts, text[done:]))


def _is_in_place(text: str, index: int) -> bool:
    """Whether writing needs the character here: because of what is seen beside it, never of another
    such character."""
    character = text[index]
    before, after = _seen(text[max(0, index - 1) : index]), _seen(text[index + 1 : index + 2])
    if character in _DIRECTION_MARKS:
        near = (*text[max(0, index - 3) : index], after)
        return any(_is_right_to_left(_seen(each)) for each in near)
    if character == "\u200b":  # between words that are written without spaces
        return bool(_WITHOUT_SPACES.match(before) and _WITHOUT_SPACES.match(after))
    if character == "\u2800":  # the empty one of the braille patterns
        left = text[max(0, index - _MAX_BLANKS) : index].rstrip(character)
        right = text[index + 1 : index + 1 + _MAX_BLANKS].lstrip(character)
        return any("\u2800" < side <= "\u28ff" for side in (left[-1:], right[:1]))
    if character in _VARIATIONS:
        return _takes_variation(before)
    if character in _MONGOLIAN_VARIATIONS:
        return "\u1800" <= before <= "\u18af"
    if character in _JOINERS:
        return _joins(text[max(0, index - 2) : index], character, after)
    if "\U000e0000" <= character <= "\U000e007f":
        start = text.rfind("\U0001f3f4", max(0, index - _MAX_FLAG_CHARS), index)
        return start >= 0 and text.startswith(_FLAGS, start)
    return character == "\ufeff" and index == 0


def _seen(character: str) -> str:
    return "" if _UNSEEN.match(character) else character


def _is_right_to_left(character: str) -> bool:
    return bool(character) and unicodedata.bidirectional(character) in ("R", "AL", "AN")


def _takes_variation(base: str) -> bool:
    """Whether a variation selector after this character changes its shape: of symbols (emoji), the
    digits of keycaps, and ideographs."""
    if not base:
        return False
    is_symbol = unicodedata.category(base) in ("So", "Sm", "Sk", "Po", "Pd") and ord(base) > 0x7F
    return is_symbol or base in "#*0123456789\u2139" or bool(_IDEOGRAPH.match(base))


def _joins(before: str, joiner: str, after: str) -> bool:
    """Whether a joiner stands between two letters whose shapes it changes, or two emoji."""
    last = before[-1:]
    is_skin_tone = "\U0001f3fb" <= last <= "\U0001f3ff"
    if is_skin_tone or last in _VARIATIONS or last in _MONGOLIAN_VARIATIONS:
        last = before[0]
    last = _seen(last)
    if _JOINING.match(last):
        return True  # also at the end of a word: the form of its last letter
    if not last or not after:
        return False
    is_emoji = unicodedata.category(last) == "So" and unicodedata.category(after) == "So"
    return joiner == "\u200d" and is_emoji
