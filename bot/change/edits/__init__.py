"""What the model says becomes changes: `read_reply` takes a reply apart, `apply_edits` lays its
edits on a snapshot."""

from __future__ import annotations

from bot.change.edits.apply import MAX_EDITS, apply_edits
from bot.change.edits.checks import SyntaxChecker, find_problems, no_syntax_checks
from bot.change.edits.file_names import check_path
from bot.change.edits.files import MAX_FILE_BYTES, MAX_FILES
from bot.change.edits.reply import MAX_REPLY_CHARS, read_reply

__all__ = [
    "MAX_EDITS",
    "MAX_FILES",
    "MAX_FILE_BYTES",
    "MAX_REPLY_CHARS",
    "SyntaxChecker",
    "apply_edits",
    "check_path",
    "find_problems",
    "no_syntax_checks",
    "read_reply",
]
