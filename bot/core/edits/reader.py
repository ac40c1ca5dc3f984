"""What a model's reply asks for, read from any of the forms that models write, alone or mixed with prose.

One pass over the lines. A search/replace block, an envelope and a diff are known by their own markers; a fence is
known by what it holds and by the path that stands above it, in its info string, or in its first line. What looked
like an edit and could not be read becomes a sentence for the model, never a guess.
"""

from __future__ import annotations

import re

from bot.core.edits import envelope, unified
from bot.core.edits.blocks import Block, Fault, Markers
from bot.core.edits.envelope import Parts
from bot.core.edits.fences import Fence, Fences
from bot.core.edits.labels import read_comment, read_info, read_label, read_mention
from bot.core.edits.requests import read_requests
from bot.core.reply import Edit, ReplyParts, Request

MAX_REPLY_CHARS = 4_000_000
"""Longer replies are not read: the largest output of today's models is well under a tenth of this."""
_LABEL_REACH = 12
"""How many lines above a block its path may stand, prose between."""
_END_OF_THOUGHTS = re.compile(r"</think(?:ing)?>")
_HUNK_SIGNS = ("", " ", "+", "-", "@", "\\")
_DIFF_INFO = frozenset({"diff", "patch", "udiff", "unidiff", "git"})


def read_reply(text: str, *, max_chars: int = MAX_REPLY_CHARS) -> ReplyParts:
    """The reply's edits and requests in order, its prose, and a sentence for each thing that could not be read."""
    if len(text) > max_chars:
        return ReplyParts((), (), "", (f"The reply is longer than {max_chars} characters. Send only the edits.",))
    reader = _Reader(_lines(text))
    reader.read()
    prose = "\n".join(reader.prose).strip()
    return ReplyParts(tuple(reader.edits), tuple(reader.requests), prose, tuple(reader.problems))


def _lines(text: str) -> list[str]:
    """A reply sent with CRLF throughout says nothing about the files' own line ends."""
    text = _without_thoughts(text.removeprefix("\ufeff"))
    if text.count("\r\n") == text.count("\n"):
        text = text.replace("\r\n", "\n")
    return text.split("\n")


def _without_thoughts(text: str) -> str:
    """The reply after the thoughts that some models begin it with."""
    if not text.lstrip().startswith(("<think>", "<thinking>")):
        return text
    end = _END_OF_THOUGHTS.search(text)
    return text[end.end() :] if end else text


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.edits: list[Edit] = []
        self.requests: list[Request] = []
        self.prose: list[str] = []
        self.problems: list[str] = []
        self._fences = Fences(lines)
        self._markers = Markers(lines)
        self._region = 0
        """The line after the last thing that was read: a path above it belongs to that."""
        self._open: Fence | None = None
        """The fence around what is being read, where that is more than one edit's own."""

    def read(self) -> None:
        number = 0
        while number < len(self.lines):
            number = self._step(number)

    def _step(self, number: int) -> int:
        """Reads what begins at this line; gives the line to go on with."""
        if self._markers.opens_at(number):
            return self._block(number)
        if envelope.opens_at(self.lines, number):
            end = self._end_of_open()
            parts = envelope.read_envelope(self.lines, number, end or len(self.lines), cut=end is None)
            return self._take(parts, number)
        if unified.opens_at(self.lines, number):
            end = self._end_of_open() or self._end_of_bare_diff(number)
            parts = unified.read_unified(self.lines, number, end or len(self.lines), label=None, cut=end is None)
            return self._take(parts, number)
        fence = self._fences.at(number)
        if fence:
            return self._fence(fence)
        self.prose.append(self.lines[number])
        return number + 1

    # ---- one form each

    def _block(self, number: int) -> int:
        block = self._markers.read(number)
        path = self._label_above(number, block.named if isinstance(block, Block) else "")
        if isinstance(block, Fault):
            self.problems.append(
                f"A search/replace block{f' of {path}' if path else ''} {block.reason}. Send it again, whole."
            )
        elif path is None:
            self.problems.append(
                "A search/replace block names no file. Send it again with the file's path on the line above."
            )
        else:
            self.edits.append(Edit("replace", path, block.search, block.replace, divider=block.divider))
        return self._consumed(block.end, number)

    def _fence(self, fence: Fence) -> int:
        number, close = fence.line, self._fences.close(fence)
        if self._open and not fence.info and fence.length >= self._open.length:
            self._open = None
            return number + 1
        end = len(self.lines) if close is None else close
        word = fence.info.split()[0].lower() if fence.info else ""
        if word in ("request", "requests"):
            return self._wishes(number, close)
        if self._holds_edits(number, end):
            self._open = fence
            return number + 1
        if self._is_diff(word, number, end):
            return self._diff(fence)
        return self._file_or_prose(fence, close)

    def _wishes(self, number: int, close: int | None) -> int:
        end = len(self.lines) if close is None else close
        requests, problems = read_requests(self.lines[number + 1 : end])
        self.requests.extend(requests)
        self.problems.extend(problems)
        return self._consumed(end + 1, number)

    def _diff(self, fence: Fence) -> int:
        label = self._label_above(fence.line + 1, "")
        close = self._fences.close_of_hunks(fence)
        end = len(self.lines) if close is None else close
        parts = unified.read_unified(self.lines, fence.line + 1, end, label=label, cut=close is None)
        parts.end = end + 1
        return self._take(parts, fence.line)

    def _file_or_prose(self, fence: Fence, close: int | None) -> int:
        number = fence.line
        path = self._label_right_above(number) or read_info(fence.info)
        named_inside = None if path else self._first_comment(number)
        if path or named_inside:
            return self._file(fence, path or str(named_inside), skip=1 if named_inside else 0)
        end = number + 1 if close is None else close + 1
        self.prose.extend(self.lines[number:end])
        self._region = end
        return end

    def _file(self, fence: Fence, path: str, *, skip: int) -> int:
        close = self._fences.close_around(fence)
        if close is None:
            self.problems.append(
                f"The fence of {path} is not closed, or holds fences as long as itself. "
                "Send the file again, in a longer fence."
            )
            return self._consumed(len(self.lines), fence.line)
        lines = [_dedented(line, fence.indent) for line in self.lines[fence.line + 1 + skip : close]]
        self.edits.append(Edit("write", path, replace="".join(line + "\n" for line in lines)))
        return self._consumed(close + 1, fence.line)

    # ---- what a fence holds

    def _holds_edits(self, number: int, end: int) -> bool:
        """Whether the fence at `number` is only the wrapping of blocks or an envelope."""
        first = self._first_line(number + 1, end)
        if first is not None and read_label(self.lines[first]):
            first = self._first_line(first + 1, end)
        if first is None:
            return False
        if self._markers.opens_at(first) or envelope.opens_at(self.lines, first):
            return True
        return self._markers.opens_between(number, end) and not self._label_right_above(number)

    def _is_diff(self, word: str, number: int, end: int) -> bool:
        """Whether the fence holds a diff. Under a path it may be that file itself, unless the diff is of that path."""
        label = self._label_right_above(number)
        first = self._first_line(number + 1, end)
        if first is None or (label and label.endswith((".diff", ".patch"))):
            return False
        if word in _DIFF_INFO:
            return True
        if unified.opens_at(self.lines, first):
            return label is None or label in self.lines[first]
        hunk = self.lines[first + 1 : end] if self.lines[first].startswith("@@ ") else []
        return all(line[:1] in _HUNK_SIGNS for line in hunk) and any(line[:1] in ("+", "-") for line in hunk)

    def _first_line(self, start: int, end: int) -> int | None:
        for number in range(start, min(end, start + _LABEL_REACH)):
            if self.lines[number].strip():
                return number
        return None

    # ---- which file is meant

    def _label_above(self, number: int, named: str) -> str | None:
        """The file of the block at `number`: named by its own first line, by the nearest line above it that is a path,
        by a sentence above it that names one, or by the block before it."""
        own = read_label(named) if named else None
        if own:
            return own
        above = range(number - 1, max(self._region, number - _LABEL_REACH) - 1, -1)
        for reads in (self._label_of_line, self._mention_of_line):
            found = next((path for line in above if (path := reads(line))), None)
            if found:
                return found
        return self.edits[-1].to or self.edits[-1].path if self.edits else None

    def _label_of_line(self, number: int) -> str | None:
        fence = self._fences.at(number)
        return read_info(fence.info) if fence else read_label(self.lines[number])

    def _mention_of_line(self, number: int) -> str | None:
        return None if self._fences.at(number) else read_mention(self.lines[number])

    def _label_right_above(self, number: int) -> str | None:
        for line in range(number - 1, max(self._region, number - 3) - 1, -1):
            if self.lines[line].strip():
                return None if self._fences.at(line) else read_label(self.lines[line])
        return None

    def _first_comment(self, number: int) -> str | None:
        return read_comment(self.lines[number + 1]) if number + 1 < len(self.lines) else None

    # ---- going on

    def _take(self, parts: Parts, start: int) -> int:
        self.edits.extend(parts.edits)
        self.problems.extend(parts.problems)
        return self._consumed(parts.end, start)

    def _consumed(self, end: int, start: int) -> int:
        self._drop_label()
        self._region = end
        return max(end, start + 1)

    def _drop_label(self) -> None:
        """The path line right above an edit is no prose."""
        while self.prose and (not self.prose[-1].strip() or read_label(self.prose[-1])):
            self.prose.pop()

    def _end_of_open(self) -> int | None:
        return self._fences.close_of_hunks(self._open) if self._open else None

    def _end_of_bare_diff(self, number: int) -> int | None:
        ends = (self._fences.next_after(number), self._markers.next_after(number))
        return min((end for end in ends if end is not None), default=None)


def _dedented(line: str, indent: int) -> str:
    blank = len(line) - len(line.lstrip(" \t"))
    return line[min(indent, blank) :]
