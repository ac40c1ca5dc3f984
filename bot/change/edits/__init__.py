"""Turns a model's reply into changes of a repository: `read_reply` parses the reply, `apply_edits`
applies its edits to a snapshot."""

from __future__ import annotations

from bot.change.edits.apply import apply_edits
from bot.change.edits.reply import NOTHING_SENT, read_reply

__all__ = ["NOTHING_SENT", "apply_edits", "read_reply"]
