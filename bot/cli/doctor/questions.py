"""The exam's short questions: whether a server passes the system message on, how long a reply may be,
and whether a model says the verdict words of a review where they belong."""

from __future__ import annotations

import re
from random import Random

from bot.change.edits import read_reply
from bot.change.prompts import review_prompt
from bot.change.review.verdict import (
    CONFIDENT,
    REVISION_NEEDED,
    read_counterexamples,
    read_verdicts,
)
from bot.types import Message, Prompt, RequestLimits, Task

REPLY_LINES = 260
"""They cost some 1,500 tokens, by cl100k_base: as much as a reply with several edits."""

_PATH = "src/pages.py"
_NO_REQUESTS = RequestLimits(rounds=0, lines=0, room_tokens=0)
_TASK = Task(
    "exercise", f"In `{_PATH}`, let `page_count` round up: 10 items in pages of 4 are 3 pages."
)
_EXPLANATION = "Round the number of pages up\n\nThe last page may be shorter than the others."
_DIFF = """\
diff --git a/src/pages.py b/src/pages.py
--- a/src/pages.py
+++ b/src/pages.py
@@ -1,3 +1,3 @@
 def page_count(items: int, size: int) -> int:
     # How many pages of `size` (1 or more) the items (0 or more) fill.
-    return items // size
+    return {result}
"""
_RIGHT = "-(-items // size)"
_WRONG = "size // items"
"""0 pages for the task's own example, and an error where there are no items."""
_NUMBERED = re.compile(r"^\D{0,4}(\d{1,4})\b", re.MULTILINE)


def system_prompt(random: Random) -> tuple[Prompt, str]:
    """A prompt whose system message asks for a word that the user does not say, and that word."""
    word = f"heron-{random.randrange(1000, 10_000)}"
    system = (
        f"Answer in one sentence, and end every answer with the word {word}, whatever is asked."
    )
    user = "Which number comes after six?"
    return Prompt("generate", (Message("system", system), Message("user", user))), word


def length_prompt() -> Prompt:
    """A prompt for a reply of `REPLY_LINES` lines."""
    user = (
        f"Write the numbers from 1 to {REPLY_LINES}, each on a line of its own: in digits, a colon,"
        " and in English words. Leave none out and add nothing; a program counts the lines."
    )
    system = Message("system", "You do exactly what is asked, in full.")
    return Prompt("generate", (system, Message("user", user)))


def last_number(reply: str) -> int:
    """The number up to which the reply counts without a gap; 0 if it does not begin with 1."""
    last = 0
    for found in _NUMBERED.finditer(reply):
        if int(found[1]) == last + 1:
            last += 1
    return last


def verdict_prompt(*, is_right: bool) -> Prompt:
    """The prompt of a review, of a change that is right or clearly wrong."""
    diff = _DIFF.format(result=_RIGHT if is_right else _WRONG)
    return review_prompt(_TASK, _EXPLANATION, diff, limits=_NO_REQUESTS)


def verdict_fault(reply: str, *, is_right: bool) -> str:
    """What is wrong with the reply to such a review; "" if it is read as it should be."""
    parts = read_reply(reply, known={_PATH})
    verdicts = read_verdicts(parts.prose)
    wanted = CONFIDENT if is_right else REVISION_NEEDED
    what = "a right change" if is_right else "a wrong change"
    if not verdicts:
        return f"of {what} it said no verdict word, not {wanted}"
    if f"[{next(iter(verdicts))}]" != wanted or len(verdicts) > 1:
        said = " and ".join(f"[{each}]" for each in sorted(verdicts))
        return f"of {what} it said {said}, not {wanted}"
    if not is_right and not read_counterexamples(parts.prose, {_PATH}):
        return f"with {wanted} it named no input, place and result"
    return ""
