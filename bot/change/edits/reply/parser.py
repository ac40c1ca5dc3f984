"""Parses a model's reply: its edits in the asked-for forms, alone or mixed with prose, and its
requests to see more.

One pass over the lines. Search/replace blocks, envelopes and diffs are recognized by their own
markers; a fence by its content and by the path above it or in its info string. Code without a path
is a quote, which the repository's files decide about (`apply_edits`). What else looks like a change
becomes a sentence for the model, never a guess.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Container, Sequence

from bot.change.edits.reply import diffs, sentences
from bot.change.edits.reply.blocks import opens_block, read_block
from bot.change.edits.reply.diffs import DiffEdits
from bot.change.edits.reply.fences import Fence, Fences
from bot.change.edits.reply.file_names import LABEL_REACH_LINES, FileNames
from bot.change.edits.reply.reasoning import split_reasoning, strip_channels
from bot.change.edits.reply.requests import read_requests
from bot.change.edits.reply.unsupported import find_unsupported
from bot.types.reply import Edit, ParsedReply, Request

MAX_REPLY_CHARS = 2_000_000
"""The largest output of today's models is about a quarter of this."""
MAX_REPLY_LINES = 100_000
_MAX_PROBLEMS = 50
_MAX_QUOTES = 50
_MAX_FENCES_BELOW = 50
"""How many fences below a whole file are looked at."""

_DIFF_LANGUAGES = frozenset({"diff", "patch", "udiff", "unidiff", "git"})
_SHELL_LANGUAGES = frozenset(
    {"bash", "sh", "shell", "zsh", "console", "shell-session", "powershell", "cmd"}
)
_OUTPUT_LANGUAGES = _SHELL_LANGUAGES | {"text", "txt", "output", "plaintext", "log", "mermaid"}
"""Of fences that are no part of a program."""
_MAY_HOLD_PROSE = _OUTPUT_LANGUAGES | _DIFF_LANGUAGES | {"", "markdown", "md"}
"""Of fences in which prose may stand between edits."""
_NOT_SHELL_FILE = re.compile(
    r".+\.(?:[cm]?[jt]sx?|py|pyi|go|rs|java|kts?|scala|rb|php|cs|c|cc|cpp|h|hpp|m|swift|html?|css"
    r"|json|ya?ml|toml|md|rst)"
)
_MAY_HOLD_FENCES = re.compile(r".+\.(?:md|mdx|markdown|rst|txt|adoc)", re.IGNORECASE)
_HERE_DOCUMENT = re.compile(
    r"\s{0,4}(?:apply_patch|git apply|patch)\b[^<]{0,200}<<-?\s{0,4}['\"]?\w{1,40}['\"]?\s*"
)
NOTHING_SENT = (
    "The reply holds no edits. If nothing needs to change, say `[NO CHANGE]` and why; otherwise send"
    " each edit as the file's path on a line of its own and a search/replace block below it."
)


def read_reply(
    text: str, *, known: Container[str] = frozenset(), max_chars: int = MAX_REPLY_CHARS
) -> ParsedReply:
    """The parsed reply. `known` are the repository's paths: a line that is one of them names that
    file, whatever it looks like."""
    if len(text) > max_chars:
        return _too_long(f"{max_chars} characters")
    final, lost = strip_channels(text.removeprefix("\ufeff"))
    lines = _split_reply(final)
    if len(lines) > MAX_REPLY_LINES:
        return _too_long(f"{MAX_REPLY_LINES} lines")
    answer = split_reasoning(lines)
    parser = _Parser(answer.lines, known)
    parser.parse()
    problems = parser.problems
    if lost:
        problems.append(_unsupported_words(lost))
    if not answer.has_end:
        problems.append("The reply's thoughts have no end. Send the edits after them, not in them.")
    if not (parser.edits or parser.requests or problems or parser.declines()):
        is_draft = any(map(opens_block, answer.reasoning))
        draft = _unsupported_words("edits in your reasoning alone")
        problems.append(draft if is_draft else NOTHING_SENT)
    return ParsedReply(
        (*parser.edits, *parser.quotes[:_MAX_QUOTES]),
        tuple(parser.requests),
        "\n".join(parser.prose).strip(),
        _limit_problems(problems),
        "\n".join(answer.lines).strip() or "\n".join(lines),
    )


def _too_long(limit: str) -> ParsedReply:
    return ParsedReply((), (), "", (f"The reply is longer than {limit}. Send only the edits.",))


def _unsupported_words(form: str) -> str:
    return (
        f"The reply holds {form}, which is not read as an edit. Send each edit as the file's path on"
        " a line of its own and a search/replace block below it; if it is none, or nothing needs to"
        " change, say so in words alone."
    )


def _split_reply(text: str) -> list[str]:
    """The reply's lines. CRLF is kept only if the reply mixes it with LF: a reply that uses it
    throughout does not say anything about the files' line endings."""
    if text.count("\r\n") == text.count("\n"):
        text = text.replace("\r\n", "\n")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return text.split("\n")


def _limit_problems(problems: list[str]) -> tuple[str, ...]:
    different = list(dict.fromkeys(problems))
    more_count = len(different) - _MAX_PROBLEMS
    if more_count <= 0:
        return tuple(different)
    return (
        *different[:_MAX_PROBLEMS],
        f"{more_count} more things in the reply could not be read. Send less at once.",
    )


class _Parser:
    """Each method that reads a part takes its first line and returns the line after it."""

    def __init__(self, lines: list[str], known: Container[str]) -> None:
        self.edits: list[Edit] = []
        self.requests: list[Request] = []
        self.prose: list[str] = []
        self.problems: list[str] = []
        self.quotes: list[Edit] = []
        self._shown: list[str] = []
        """The lines of fences that hold no edits, and of prose."""
        self._lines = lines
        self._known = known
        self._fences = Fences(lines)
        self._file_names = FileNames(lines, self._fences, known)
        self._openings = [number for number, line in enumerate(lines) if opens_block(line)]
        self._prose_before = 0
        """How much of the prose comes before the end of the last part."""
        self._edits_before = 0
        self._wrapper: Fence | None = None
        """The open fence that holds edits in forms of their own, if there is one."""

    def parse(self) -> None:
        number = 0
        while number < len(self._lines):
            number = self._read_part(number)
        self.problems += map(_unsupported_words, find_unsupported(self._shown))
        if self.edits and len(list(filter(sentences.begins_alternative, self.prose))) > 1:
            self.problems.append(_unsupported_words("several alternatives"))
            self.edits = []
        if self.edits and any(map(self._is_instruction, self.prose[self._prose_before :])):
            self.problems.append(_unsupported_words("a change that it describes in words"))

    def declines(self) -> bool:
        """Whether the prose says that nothing needs to change, or gives a verdict."""
        return any(map(sentences.declines, self.prose))

    def _read_part(self, number: int) -> int:
        if opens_block(self._lines[number]):
            return self._read_block(number)
        if diffs.starts_envelope(self._lines[number]):
            return self._read_envelope(number)
        if diffs.starts_unified_diff(self._lines, number):
            return self._read_bare_diff(number)
        fence = self._fences.at(number)
        return self._read_fence(fence) if fence else self._read_prose(number)

    def _read_prose(self, number: int) -> int:
        line = self._lines[number]
        self._check_wrapped(line)
        self.prose.append(line)
        self._shown.append(line)
        return number + 1

    def _check_wrapped(self, line: str) -> None:
        """A line of a program that stands in a fence with blocks, and in none of them, may be meant."""
        wrapper = self._wrapper
        if wrapper is None or wrapper.language in _MAY_HOLD_PROSE:
            return
        is_head = self._is_head(line) or self._file_names.mentions_file(line)
        if line.strip() and not is_head and not line.strip().isalnum():
            self.problems.append(_unsupported_words("lines in a fence that belong to no block"))

    def _read_block(self, number: int) -> int:
        block = read_block(self._lines, number)
        path = self._file_names.of_block(number, block.label)
        if block.fault:
            of_path = f" of {path}" if path else ""
            self.problems.append(
                f"A search/replace block{of_path} {block.fault}. Send it again, whole; if the file"
                " itself holds such lines, with markers of nine signs: `<<<<<<<<< SEARCH`,"
                " `=========`, `>>>>>>>>> REPLACE`."
            )
        elif path is None:
            self.problems.append(
                "A search/replace block names no file. Send it again with the file's path on the"
                " line above."
            )
        else:
            self.edits.append(
                Edit("replace", path, block.search, block.replace, divider=block.divider)
            )
        self._file_names.last_path = path
        return self._finish_part(number, block.end)

    def _read_envelope(self, number: int) -> int:
        end = self._end_of_wrapper()
        result = diffs.read_envelope(self._lines, number, end or len(self._lines), cut=end is None)
        return self._take_result(number, result)

    def _read_bare_diff(self, number: int) -> int:
        end = self._end_of_wrapper() or self._next_part(number)
        result = diffs.read_unified_diff(
            self._lines,
            number,
            len(self._lines) if end is None else end,
            cut=end is None,
            is_fenced=self._wrapper is not None,
        )
        return self._take_result(number, result)

    def _next_part(self, number: int) -> int | None:
        """The next fence at the margin."""
        fence = self._fences.next_after(number)
        while fence and fence.depth:
            fence = self._fences.next_after(fence.line)
        return fence.line if fence else None

    def _read_fence(self, fence: Fence) -> int:
        wrapper = self._wrapper
        if wrapper and not fence.info and fence.length >= wrapper.length:
            self._wrapper = None
            return fence.line + 1
        close = self._fences.close(fence)
        end = len(self._lines) if close is None else close
        if fence.language in ("request", "requests"):
            return self._read_requests(fence, end)
        if self._holds_edits(fence.line, end):
            self._wrapper = fence
            self._dedent(fence, end)
            return fence.line + 1
        if self._holds_diff(fence, end):
            return self._read_fenced_diff(fence)
        return self._read_code(fence, close)

    def _dedent(self, fence: Fence, end: int) -> None:
        """Takes the fence's own indentation, as in a list, off the lines in it."""
        if fence.indent:
            for number in range(fence.line + 1, end):
                self._lines[number] = _dedent(self._lines[number], fence.indent)

    def _read_requests(self, fence: Fence, end: int) -> int:
        self.requests += read_requests(self._lines[fence.line + 1 : end])
        return self._finish_part(fence.line, end + 1)

    def _read_fenced_diff(self, fence: Fence) -> int:
        named = self._file_names.named_above(fence.line + 1)
        close = self._fences.close_of_hunks(fence)
        end = len(self._lines) if close is None else close
        self._dedent(fence, end)
        result = diffs.read_unified_diff(
            self._lines,
            fence.line + 1,
            end,
            label=named,
            last_path=self._file_names.last_path,
            cut=close is None,
            is_fenced=True,
        )
        result.end = end + 1
        if not result.edits and not result.problems:
            result.problems.append(_unsupported_words("a diff without any hunk"))
        return self._take_result(fence.line, result)

    def _read_code(self, fence: Fence, close: int | None) -> int:
        """Reads a whole file below its path, or code that the reply only shows."""
        path = self._file_names.right_above(fence.line) or self._file_names.read_info(fence)
        if path and not _is_command(fence, path):
            return self._read_full_file(fence, path, fence.line + 1)
        first = self._lines[fence.line + 1] if fence.line + 1 < len(self._lines) else ""
        if not path and first in self._known:
            return self._read_full_file(fence, first, fence.line + 2)
        end = len(self._lines) if close is None else close
        code = [_dedent(line, fence.indent) for line in self._lines[fence.line + 1 : end]]
        self._shown += code
        self.prose += self._lines[fence.line : end + 1]
        above = self._file_names.text_above(fence.line)
        named = None if above is None else self._file_names.read_sentence(above)
        path = self._file_names.in_comment(fence.line + 1) or named or ""
        if fence.language == "suggestion":
            self.problems.append(_unsupported_words("a suggestion block"))
        elif above is not None and not path and sentences.introduces_change(self._lines[above]):
            self.problems.append(_unsupported_words("code that is meant as a change of some file"))
        elif fence.language not in (_SHELL_LANGUAGES if path else _OUTPUT_LANGUAGES):
            self.quotes.append(Edit("quote", path, replace=_join(code)))
        self._file_names.first_line = end + 1
        return end + 1

    def _read_full_file(self, fence: Fence, path: str, start: int) -> int:
        close = self._fences.close_around(fence)
        if close is None:
            self.problems.append(
                f"The fence of {path} is not closed, or holds fences as long as itself. "
                "Send the file again, in a longer fence."
            )
            return self._finish_part(fence.line, len(self._lines))
        if self._may_close_later(fence, path, close):
            self.problems.append(
                f"The file {path} holds fences as long as its own, so its end is not certain. "
                "Send it again in a longer fence, or as search/replace blocks."
            )
            return self._finish_part(fence.line, len(self._lines))
        lines = [_dedent(line, fence.indent) for line in self._lines[start:close]]
        above = self._file_names.text_above(fence.line)
        is_quote = above is not None and sentences.notes_no_change(self._lines[above])
        self.edits.append(Edit("quote" if is_quote else "write", path, replace=_join(lines)))
        self._file_names.last_path = path
        return self._finish_part(fence.line, close + 1)

    def _may_close_later(self, fence: Fence, path: str, close: int) -> bool:
        """Whether the fence may go on below the line that closes it: a fence without a language
        follows, in a kind of file that holds fences, or with text right below this one."""
        below = self._lines[close + 1] if close + 1 < len(self._lines) else ""
        if not (_MAY_HOLD_FENCES.fullmatch(path) or below.strip()):
            return False
        inner = self._fences.next_after(close)
        for _ in range(_MAX_FENCES_BELOW):
            is_like = inner is not None and inner.sign == fence.sign
            if inner is None or (is_like and not inner.info and inner.length >= fence.length):
                break
            end = self._fences.close(inner)
            inner = None if end is None else self._fences.next_after(end)
        return inner is not None

    def _holds_edits(self, number: int, end: int) -> bool:
        """Whether the fence at `number` only wraps search/replace blocks or an envelope."""
        first = self._first_line(number + 1, end)
        if first is not None and self._is_head(self._lines[first]):
            first = self._first_line(first + 1, end)
        if first is None:
            return False
        if opens_block(self._lines[first]) or diffs.starts_envelope(self._lines[first]):
            return True
        if self._file_names.right_above(number):
            return False
        return _has_between(self._openings, number, end)

    def _is_head(self, line: str) -> bool:
        """Whether the line may stand above the edits in a fence."""
        return bool(self._file_names.read_label(line) or _HERE_DOCUMENT.fullmatch(line))

    def _holds_diff(self, fence: Fence, end: int) -> bool:
        """Whether the fence holds a diff to apply. Below a path it may be the content of that file,
        unless the diff is of that path."""
        path = self._file_names.right_above(fence.line)
        first = self._first_line(fence.line + 1, end)
        if first is not None and _HERE_DOCUMENT.fullmatch(self._lines[first]):
            first = self._first_line(first + 1, end)
        if first is None or (path and path.endswith((".diff", ".patch"))):
            return False
        if fence.language in _DIFF_LANGUAGES:
            return True
        if diffs.starts_unified_diff(self._lines, first):
            return path is None or path in self._lines[first]
        lines = self._lines[first:end]
        signs = {line[:1] for line in lines if line and not line.startswith("@@")}
        telling = "+-" if self._lines[first].startswith("@@ ") else "-" * (path in self._known)
        return not signs.isdisjoint(telling) and signs.issubset(" +-\\")

    def _first_line(self, start: int, end: int) -> int | None:
        """The first of the next twelve lines that is not blank."""
        for number in range(start, min(end, start + LABEL_REACH_LINES)):
            if self._lines[number].strip():
                return number
        return None

    def _take_result(self, start: int, result: DiffEdits) -> int:
        self.edits += result.edits
        self.problems += result.problems
        if result.edits:
            last = result.edits[-1]
            self._file_names.last_path = last.to or last.path
        return self._finish_part(start, result.end)

    def _finish_part(self, start: int, end: int) -> int:
        """Removes the path above the part from the prose."""
        while self.prose:
            line = self.prose[-1]
            if line.strip() and not self._file_names.read_label(line):
                break
            self.prose.pop()
            if self._shown and self._shown[-1] == line:
                self._shown.pop()
        if self.prose and sentences.introduces_option(self.prose[-1]):
            del self.edits[self._edits_before :]
            self.problems.append(_unsupported_words("an edit that may be optional"))
        self._prose_before, self._edits_before = len(self.prose), len(self.edits)
        self._file_names.first_line = end
        return max(end, start + 1)

    def _is_instruction(self, line: str) -> bool:
        """Whether the line asks for a change of a file that it names."""
        return sentences.asks_for_change(line) and self._file_names.mentions_file(line)

    def _end_of_wrapper(self) -> int | None:
        return self._fences.close_of_hunks(self._wrapper) if self._wrapper else None


def _has_between(numbers: Sequence[int], start: int, end: int) -> bool:
    """Whether one of the ascending numbers is between the two."""
    index = bisect_right(numbers, start)
    return index < len(numbers) and numbers[index] < end


def _join(lines: Sequence[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _is_command(fence: Fence, path: str) -> bool:
    """Whether the fence says what to type into a shell, and is not the file whose path is above
    it."""
    if fence.language not in _SHELL_LANGUAGES:
        return False
    return _NOT_SHELL_FILE.fullmatch(path) is not None


def _dedent(line: str, indent: int) -> str:
    """The line without up to `indent` blank characters at its start."""
    blank_count = len(line) - len(line.lstrip(" \t"))
    return line[min(indent, blank_count) :]
