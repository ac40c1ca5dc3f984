"""What the model says becomes changes: `read_reply` takes a reply apart, `apply_edits` lays its edits on a snapshot."""

from bot.core.edits.apply import MAX_EDITS, apply_edits
from bot.core.edits.checks import find_problems
from bot.core.edits.files import MAX_FILE_BYTES, MAX_FILES
from bot.core.edits.paths import check_path
from bot.core.edits.reader import MAX_REPLY_CHARS, read_reply
from bot.core.edits.syntax import Judge, unjudged

__all__ = [
    "MAX_EDITS",
    "MAX_FILES",
    "MAX_FILE_BYTES",
    "MAX_REPLY_CHARS",
    "Judge",
    "apply_edits",
    "check_path",
    "find_problems",
    "read_reply",
    "unjudged",
]
