"""Parses a model's reply: its edits in the asked-for forms, and its requests to see more."""

from __future__ import annotations

from bot.change.edits.reply.parser import NOTHING_SENT, read_reply

__all__ = ["NOTHING_SENT", "read_reply"]
