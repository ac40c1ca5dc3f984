"""The prompts for the model: all words that it reads of us, but those about rejected edits.

What stays the same comes first, so that servers can cache it; the task comes last. Only the task
instructs the model: all text from the repository or the thread is wrapped as material, in tags that
it cannot contain. Our own words in a generation prompt never hold the verdict tokens, so a reply to
it cannot be mistaken for a verdict.
"""

from bot.change.prompts.change import (
    NO_MORE_REQUESTS,
    choice_prompt,
    generation_prompt,
    more_words,
    repair_words,
)
from bot.change.prompts.parts import joined
from bot.change.prompts.review import comparison_prompt, review_prompt
from bot.change.prompts.task import task_words

__all__ = [
    "NO_MORE_REQUESTS",
    "choice_prompt",
    "comparison_prompt",
    "generation_prompt",
    "joined",
    "more_words",
    "repair_words",
    "review_prompt",
    "task_words",
]
