"""The prompts for the model. What it reads about rejected edits is in `bot.change.edits.feedback`,
what checks found in `bot.change.checks`.

What stays the same comes first, so that servers can cache it. Text from the repository or the
thread is wrapped as material, in tags that nobody could foresee: it instructs the model only where
our own words outside say so. Our own words in a generation prompt never hold the verdict tokens, so a
reply to it cannot be mistaken for a verdict.
"""

from bot.change.prompts.change import (
    ANSWER_NOW,
    GO_ON,
    NO_MORE_REQUESTS,
    answer_prompt,
    choice_prompt,
    generation_prompt,
    more_words,
    repair_words,
)
from bot.change.prompts.parts import joined, tag_of
from bot.change.prompts.review import comparison_prompt, review_prompt
from bot.change.prompts.task import task_words

__all__ = [
    "ANSWER_NOW",
    "GO_ON",
    "NO_MORE_REQUESTS",
    "answer_prompt",
    "choice_prompt",
    "comparison_prompt",
    "generation_prompt",
    "joined",
    "more_words",
    "repair_words",
    "review_prompt",
    "tag_of",
    "task_words",
]
