"""What the words around code say of it: whether it is meant as a change. English alone, and only where a
missed sense would pass over a change or apply an example: what else words say is the review's matter.
"""

from __future__ import annotations

import re

_INSTRUCTION = re.compile(
    r"\s{0,8}(?:[-*\d.)]{1,4}\s+)?(?:(?:also|then|next|finally|and|please|now|lastly|additionally"
    r"|you (?:should|must|need to|have to)|remember to|(?:in|and in) \S{1,200}),?\s+){0,3}"
    r"(?:rename|move|delete|remove|replace|change|insert|append|add|create|update|edit)\b.*",
    re.IGNORECASE,
)
_CHANGE_INTRODUCTION = re.compile(
    r"\b(?:put|replace|change|add|insert|append|remove|delete|set)\b[^:]{0,200}:\s{0,4}$"
    r"|^\W{0,8}(?:after|new|to|with|into|becomes?|replacement|updated)(?: this| code)?\W{0,4}:\W{0,8}$",
    re.IGNORECASE,
)
_NO_CHANGE_NOTE = re.compile(
    r"\([^()]{0,60}\b(?:unchanged|no changes?|for reference)\b[^()]{0,60}\)", re.IGNORECASE
)
_OPTION_INTRODUCTION = re.compile(
    r"\s*+(?:if (?:you|on)|optional|alternativ|another (?:way|option)|you (?:may|might|could)"
    r"|I would|(?:for|as an) (?:example|instance)|example of).*:\s*"
    r"|(?=.{0,400}(?:\(optional\)|\bdo not (?:apply|create)|\bnot in this repo|\bfor (?:example|instance)"
    r"|\ban? (?:example|sketch)\b|\bwould (?:then|do)\b|\bmight look\b|\bcould work\b)).*:\s*",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(
    r"\W{0,8}(?:option|alternative|variant|approach|version)\s+(?:[A-D]|\d)\b", re.IGNORECASE
)
_NO_CHANGE = re.compile(
    r"\bno (?:code )?(?:changes?|edits?) (?:is |are |was |were )?(?:needed|necessary|required|made)"
    r"|\bnothing (?:needs|has|is|to) (?:to |be )*chang|\[\s*(?:NO CHANGE|CONFIDENT|REVISION\s+NEEDED)\s*\]",
    re.IGNORECASE,
)


def asks_for_change(line: str) -> bool:
    """Whether the line asks for a change, as in "Also rename `a.py` to `b.py`."."""
    return _INSTRUCTION.fullmatch(line) is not None


def introduces_change(line: str) -> bool:
    """Whether the line means the code below it as a change, as in "For mul, put this:"."""
    return _CHANGE_INTRODUCTION.search(line) is not None


def introduces_option(line: str) -> bool:
    """Whether the edit below the line may not be meant, as in "You might want a test as well:"."""
    return _OPTION_INTRODUCTION.fullmatch(line) is not None


def notes_no_change(line: str) -> bool:
    """Whether a path's note says that the file below it is only shown, as in "a.py (unchanged)"."""
    return _NO_CHANGE_NOTE.search(line) is not None


def begins_alternative(line: str) -> bool:
    """Whether the line is a heading of one of several ways, as in "## Option A"."""
    return _ALTERNATIVE.match(line) is not None


def declines(line: str) -> bool:
    """Whether the line says that nothing needs to change, or gives a verdict."""
    return _NO_CHANGE.search(line) is not None
