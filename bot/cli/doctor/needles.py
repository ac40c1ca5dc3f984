"""How much of a prompt a server really gives to its model: a text as long as the budget, with words to
find at 25, 50, 75 and 100 % of it.

Many servers cut a prompt that is too long for them and say nothing. Which words come back shows
where: of a prompt whose beginning was dropped, the later ones. Two more words stand at the text's
very beginning, which is lost first, and behind as much more text as a job's thread and reply need:
a context that the first request fills leaves no room for an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from bot.change.prompts import generation_prompt
from bot.change.tokens import estimate_tokens
from bot.types import Context, Message, Prompt, Task

LETTERS = "ABCDEF"
"""The names of the needles, in the order of the text."""
ROOM_TOKENS = 2_000
"""A thread's words and a reply with several edits, beside the repository's text."""
_MIN_SHARE = 0.125
"""Of the budget, what is tried next where hardly any needle came back."""
_VOCABULARY = """\
anchor basket candle desert engine forest garden hammer island jacket kettle ladder magnet needle orange pencil quarry
ribbon saddle temple urchin valley walnut yellow zephyr bridge copper dragon eagle falcon granite harbor iron jungle
kernel lantern marble nectar olive pebble quartz river silver timber umbrella velvet willow
"""
_WORDS = tuple(_VOCABULARY.split())
_QUESTION = """\
No change is wanted; send no edits and ask for nothing. The text holds six lines such as `# The word for A is
lemon-1234.`, for A, B, C, D, E and F. Which are the words? Answer with six lines such as `A: lemon-1234`, and with
`A: none` for one that you do not see.
"""


@dataclass(frozen=True, slots=True)
class Haystack:
    """`words` are the needles, `ends` how many tokens the text up to each of them has."""

    budget_tokens: int
    text: str
    words: tuple[str, ...]
    ends: tuple[int, ...]


def make_haystack(budget_tokens: int, random: Random) -> Haystack:
    """Code of made-up functions, which no model can have seen. It is `ROOM_TOKENS` longer than the
    budget."""
    quarters = [budget_tokens * number // 4 for number in range(5)]
    ends = (*quarters, budget_tokens + ROOM_TOKENS)
    parts, words, used_tokens = list[str](), list[str](), 0
    for letter, end in zip(LETTERS, ends, strict=True):
        word = f"{random.choice(_WORDS)}-{random.randrange(1000, 10_000)}"
        needle = f"# The word for {letter} is {word}.\n\n"
        needle_tokens = estimate_tokens(needle)
        while used_tokens + needle_tokens < end:
            part = _make_function(random)
            parts.append(part)
            used_tokens += estimate_tokens(part)
        parts.append(needle)
        used_tokens += needle_tokens
        words.append(word)
    return Haystack(budget_tokens, "".join(parts), tuple(words), ends)


def _make_function(random: Random) -> str:
    verb, noun, thing, field = random.sample(_WORDS, 4)
    number, other = random.randrange(1000), random.randrange(1000)
    return (
        f"def {verb}_{noun}({thing}: int) -> int:\n"
        f"    total_{field} = {thing} * {number}\n"
        f"    return total_{field} + {other}\n\n"
    )


def needle_prompt(haystack: Haystack) -> Prompt:
    """A job's own system message. The question stands before and after the text: either end may be
    cut off."""
    system = generation_prompt(Task("", ""), Context((), (), "", 0)).messages[0]
    text = f"{_QUESTION}\n<material>\n{haystack.text}</material>\n\n{_QUESTION}"
    return Prompt("generate", (system, Message("user", text)))


def find_words(haystack: Haystack, reply: str) -> tuple[bool, ...]:
    """Which of the words came back."""
    return tuple(word in reply for word in haystack.words)


def describe_loss(found: Sequence[bool]) -> str:
    """What part of the text was lost, if not all of the words came back."""
    if not any(found):
        return "all of it"
    if found[0] and found[-1]:
        return "its middle"
    if found[-1]:
        return "its beginning"
    return "its end" if found[0] else "both of its ends"


def next_budget(haystack: Haystack, found: Sequence[bool]) -> int:
    """A budget that should fit: what was certainly read of the text's beginning and end, less the
    room."""
    first_lost = found.index(False)
    last_lost = len(found) - 1 - found[::-1].index(False)
    head_tokens = haystack.ends[first_lost - 1] if first_lost else 0
    is_end_kept = last_lost < len(found) - 1
    tail_tokens = haystack.ends[-1] - haystack.ends[last_lost + 1] if is_end_kept else 0
    certain_tokens = head_tokens + tail_tokens - ROOM_TOKENS
    return max(certain_tokens, int(haystack.budget_tokens * _MIN_SHARE))
