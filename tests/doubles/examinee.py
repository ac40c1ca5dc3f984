"""A model that passes the doctor's exam, and servers that keep it from doing so: each is what
ModelDouble takes as its replies.

    with ModelDouble(serve(cut(8192, "front"))) as model: ...
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from bot.change.tokens import estimate_tokens
from bot.cli.doctor.exercises import EXERCISES, Exercise
from tests.doubles.edit_blocks import block
from tests.doubles.model import Fault, Messages
from tests.doubles.reviews import fault

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
)
_TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the model sees of a request. `tokens` is what its server counts."""

    system: str
    user: str
    tokens: int


Sight = Callable[[Seen], Seen]
Speech = Callable[[str], Fault]


def serve(
    sight: Sight = lambda seen: seen,
    answer: Callable[[Seen], str] | None = None,
    speech: Speech = lambda text: Fault(text=text),
) -> Callable[[Messages], Fault]:
    """A server: what it lets the model see, how the model answers, and what it lets it say."""
    choose = answer or answer_rightly

    def reply(messages: Messages) -> Fault:
        system, user = (str(message["content"]) for message in messages)
        seen = sight(Seen(system, user, estimate_tokens(system + user)))
        return replace(speech(choose(seen)), prompt_tokens=seen.tokens)

    return reply


def cut(tokens: int, lost: Literal["front", "middle", "end"]) -> Sight:
    """A server with a context of so many tokens that says nothing when it cuts a prompt."""

    def see(seen: Seen) -> Seen:
        if seen.tokens <= tokens:
            return seen
        whole = seen.system + seen.user
        kept_chars = len(whole) * tokens // seen.tokens
        head_chars = {"front": 0, "middle": kept_chars // 2, "end": kept_chars}[lost]
        tail_chars = kept_chars - head_chars
        kept = whole[:head_chars] + (whole[-tail_chars:] if tail_chars else "")
        return Seen("", kept, tokens)

    return see


def drop_system(seen: Seen) -> Seen:
    return replace(seen, system="")


def cap(tokens: int, finish: str) -> Speech:
    """A server that ends each reply after so many tokens."""
    return lambda text: Fault(
        text=text[: tokens * 4], finish=finish if len(text) > tokens * 4 else "stop"
    )


def answer_rightly(seen: Seen) -> str:
    """The whole exam, as far as the model sees it."""
    both = f"{seen.system}\n{seen.user}"
    if wanted := re.search(r"end every answer with the word (\S+),", seen.system):
        return f"Seven comes after six. {wanted[1]}"
    if counted := re.search(r"Write the numbers from 1 to (\d+)", seen.user):
        return "\n".join(f"{n}: {in_words(n)}" for n in range(1, int(counted[1]) + 1))
    if "Answer with [CONFIDENT] or" in seen.user:
        if "+    return -(-items // size)" in seen.user:
            return "I traced 10 items in pages of 4, and none. [CONFIDENT]"
        return "[REVISION NEEDED]\n\n" + fault("page_count(10, 4)", "src/pages.py:3", "0, not 3.")
    if "This repository is an exercise" in seen.user:
        asked = [each for each in EXERCISES if each.task in seen.user]
        return "Do the exercises\n\n" + "\n".join(solve(each) for each in asked)
    if "Which are the words?" in both:
        words = dict(re.findall(r"# The word for ([A-F]) is (\w+-\d+)\.", both))
        return "\n".join(f"{letter}: {words.get(letter, 'none')}" for letter in "ABCDEF")
    return "How can I help you today?"


def solve(exercise: Exercise) -> str:
    """The edit that does it, in the asked form."""
    if exercise.after is None:
        return f"*** Begin Patch\n*** Delete File: {exercise.path}\n*** End Patch\n"
    before = (exercise.before or b"").decode().replace("\r\n", "\n")
    after = exercise.after.decode().replace("\r\n", "\n")
    path, _, rest = block(exercise.path, before, after).partition("\n")
    return f"{path}\n`````\n{rest}`````\n"


def in_words(number: int) -> str:
    ones, tens = _ONES.split(), _TENS.split()
    if number < 20:
        return ones[number]
    if number < 100:
        return tens[number // 10] + (f"-{ones[number % 10]}" if number % 10 else "")
    rest = f" {in_words(number % 100)}" if number % 100 else ""
    return f"{ones[number // 100]} hundred{rest}"
