"""Parses a model's reply: its edits in any of the forms that models write, alone or mixed with
prose, and its requests to see more.

One pass over the lines. Search/replace blocks, envelopes and diffs are recognized by their own
markers; a fence by its content and by the path above it, in its info string, or in its first line.
What looks like an edit but cannot be read becomes a sentence for the model, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from bot.change.edits import diffs
from bot.change.edits.blocks import (
    BlockMarkers,
    BrokenBlock,
    Fence,
    Fences,
    find_reasoning_end,
    next_greater,
    read_leading_reasoning,
)
from bot.change.edits.diffs import DiffEdits
from bot.change.edits.file_names import (
    LABEL_REACH_LINES,
    FileNames,
    read_info,
    read_label,
    strip_list_mark,
    strip_quotes,
)
from bot.types.reply import Edit, ParsedReply, Request

MAX_REPLY_CHARS = 2_000_000
"""The largest output of today's models is about a quarter of this."""
MAX_REPLY_LINES = 100_000
_MAX_PROBLEMS = 50
_MAX_REQUEST_CHARS = 1000
_MAX_SEARCHED_CHARS = 2_000
"""Of each line, when a reply without edits is searched for unsupported ones."""

_HUNK_SIGNS = ("", " ", "+", "-", "@", "\\")
_DIFF_LANGUAGES = frozenset({"diff", "patch", "udiff", "unidiff", "git"})
_SHELL_LANGUAGES = frozenset(
    {"bash", "sh", "shell", "zsh", "console", "shell-session", "powershell", "cmd"}
)
_NOT_SHELL_FILE = re.compile(
    r".+\.(?:[cm]?[jt]sx?|py|pyi|go|rs|java|kts?|scala|rb|php|cs|c|cc|cpp|h|hpp|m|swift|html?|css"
    r"|json|ya?ml|toml|md|rst)"
)
_HERE_DOCUMENT = re.compile(r"[^<]{1,200}<<-?\s{0,4}['\"]?\w{1,40}['\"]?\s*")

_REQUEST = re.compile(r"(read|search|list)(?:\s*:\s*|\s+|$)(.*)", re.IGNORECASE | re.DOTALL)
_LINE_RANGE = re.compile(
    r"(?:[:#]|(?<!\s)\s)\s*+(?:lines?\s*+)?L?(\d{1,9})(?:\s*+(?:-|–|:|to|,)\s*+L?(\d{1,9}))?$",
    re.IGNORECASE,
)

_MARKERS = r"(?:diff --git |@@ -\d|\*{3} (?:Begin Patch|Update File|Add File)|<{5,12} ?SEARCH)"
_UNSUPPORTED_LINES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "a diff that does not say which file it changes",
        re.compile(r"@@ -\d|(?:`{3,}|~{3,})\s{0,4}(?:diff|patch)\b"),
    ),
    ("edits that are quoted or indented", re.compile(rf"[ \t>]{{1,24}}{_MARKERS}")),
    (
        "edits whose signs are escaped",
        re.compile(rf"(?:.{{0,400}}\\n{_MARKERS}|.{{0,40}}(?:&lt;){{5}})", re.IGNORECASE),
    ),
    ("a context diff", re.compile(r"\*{15}\s*")),
    (
        "tags in place of edits",
        re.compile(
            r"\s{0,12}</?"
            r"(?:file|edit|search|replace|old_str|new_str|invoke|write_to_file|apply_diff)\b"
        ),
    ),
    (
        "a shell command that writes a file",
        re.compile(r"\s{0,12}(?:cat|tee)\b[^<|]{0,200}<<-?\s*['\"]?\w{1,40}"),
    ),
)
"""What begins a line of an edit in a form that is not read."""
_JSON_PATH_KEY = re.compile(r'"(?:path|file|file_?path|file_?name)"\s*:')
_JSON_TEXT_KEY = re.compile(
    r'"(?:content|search|replace|old_str(?:ing)?|new_str(?:ing)?|diff|patch|edits|changes)"\s*:'
)
_JSON_CALL = re.compile(r'"(?:arguments|input|cmd|command)"\s*:.{0,400}\*{3} Begin Patch')


def read_reply(
    text: str, *, known: Container[str] = frozenset(), max_chars: int = MAX_REPLY_CHARS
) -> ParsedReply:
    """The parsed reply. `known` are the repository's paths: a line that is one of them names that
    file, whatever it looks like."""
    if len(text) > max_chars:
        return _too_long(f"{max_chars} characters")
    lines = _split_reply(text)
    if len(lines) > MAX_REPLY_LINES:
        return _too_long(f"{MAX_REPLY_LINES} lines")
    parser = _Parser(lines, known)
    parser.parse()
    return ParsedReply(
        tuple(parser.edits),
        tuple(parser.requests),
        "\n".join(parser.prose).strip(),
        _limit_problems(parser.problems),
    )


def read_requests(lines: Sequence[str]) -> tuple[list[Request], list[str]]:
    """The requests `read PATH[:START-END]`, `search REGEX` and `list [DIR]`, one a line, and a
    sentence for each line that is none."""
    requests, problems = [], []
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        request = _read_request(text) if len(text) <= _MAX_REQUEST_CHARS else None
        if request:
            requests.append(request)
        else:
            problems.append(
                f"The request line {text[:80]!r} is not understood. "
                "Write `read PATH:START-END`, `search REGEX` or `list DIR`."
            )
    return requests, problems


def _too_long(limit: str) -> ParsedReply:
    return ParsedReply((), (), "", (f"The reply is longer than {limit}. Send only the edits.",))


def _split_reply(text: str) -> list[str]:
    """The reply's lines. CRLF is kept only if the reply mixes it with LF: a reply that uses it
    throughout does not say anything about the files' line endings."""
    text = text.removeprefix("\ufeff")
    if text.count("\r\n") == text.count("\n"):
        text = text.replace("\r\n", "\n")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return text.split("\n")


def _limit_problems(problems: list[str]) -> tuple[str, ...]:
    more_count = len(problems) - _MAX_PROBLEMS
    if more_count <= 0:
        return tuple(problems)
    return (
        *problems[:_MAX_PROBLEMS],
        f"{more_count} more things in the reply could not be read. Send less at once.",
    )


class _Parser:
    """Each method that reads a part takes its first line and returns the line after it."""

    def __init__(self, lines: list[str], known: Container[str]) -> None:
        self.edits: list[Edit] = []
        self.requests: list[Request] = []
        self.prose: list[str] = []
        self.problems: list[str] = []
        self._lines = lines
        self._fences = Fences(lines)
        self._markers = BlockMarkers(lines)
        self._file_names = FileNames(lines, self._fences, known)
        self._not_in_hunk: list[int] = []
        """The lines that cannot be part of a hunk."""
        self._added_or_removed: list[int] = []
        for number, line in enumerate(lines):
            if line[:1] not in _HUNK_SIGNS:
                self._not_in_hunk.append(number)
            if line[:1] in ("+", "-"):
                self._added_or_removed.append(number)
        self._wrapper: Fence | None = None
        """The open fence that holds edits in forms of their own, if there is one."""

    def parse(self) -> None:
        number = 0
        while number < len(self._lines):
            number = self._read_part(number)
        if self.edits or self.requests or self.problems:
            return
        unsupported = _find_unsupported_form(self.prose)
        if unsupported:
            self.problems.append(
                f"The reply holds {unsupported}, which is not read as an edit. Send each edit as"
                " the file's path on a line of its own and a search/replace block below it; if"
                " nothing needs to change, say so in words alone."
            )

    def _read_part(self, number: int) -> int:
        if self._markers.opens_at(number):
            return self._read_block(number)
        if diffs.starts_envelope(self._lines, number):
            return self._read_envelope(number)
        if diffs.starts_unified_diff(self._lines, number):
            return self._read_bare_diff(number)
        fence = self._fences.at(number)
        return self._read_fence(fence) if fence else self._read_prose(number)

    def _read_prose(self, number: int) -> int:
        line = self._lines[number]
        reasoning = read_leading_reasoning(line)
        if reasoning is None:
            self.prose.append(line)
            return number + 1
        if reasoning.closes_earlier:
            self.edits, self.requests, self.prose, self.problems = [], [], [], []
            self._wrapper = self._file_names.last_path = None
        if reasoning.rest is not None:
            end, rest = number, reasoning.rest
        else:
            found = find_reasoning_end(self._lines, number + 1)
            if found is None:
                self.problems.append(
                    "The reply's thoughts have no end. Send the edits after them, not in them."
                )
                return len(self._lines)
            end, rest = found
        self._lines[end] = rest
        self._file_names.first_line = end
        return end

    def _read_block(self, number: int) -> int:
        block = self._markers.read(number)
        label = "" if isinstance(block, BrokenBlock) else block.label
        path = self._file_names.of_block(number, label)
        if isinstance(block, BrokenBlock):
            of_path = f" of {path}" if path else ""
            self.problems.append(
                f"A search/replace block{of_path} {block.reason}. Send it again, whole."
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
        end = self._end_of_wrapper()
        if not end:
            next_parts = (self._fences.next_after(number), self._markers.next_opening(number))
            end = min((line for line in next_parts if line is not None), default=None)
        result = diffs.read_unified_diff(
            self._lines, number, end or len(self._lines), label=None, cut=end is None
        )
        return self._take_result(number, result)

    def _read_fence(self, fence: Fence) -> int:
        wrapper = self._wrapper
        if wrapper and not fence.info and fence.length >= wrapper.length:
            self._wrapper = None
            return fence.line + 1
        close = self._fences.close(fence)
        end = len(self._lines) if close is None else close
        language = _language_of(fence)
        if language in ("request", "requests"):
            return self._read_requests(fence, end)
        if self._holds_edits(fence.line, end):
            self._wrapper = fence
            return fence.line + 1
        if self._holds_diff(language, fence.line, end):
            return self._read_fenced_diff(fence)
        return self._read_file_or_prose(fence, close)

    def _read_requests(self, fence: Fence, end: int) -> int:
        requests, problems = read_requests(self._lines[fence.line + 1 : end])
        self.requests += requests
        self.problems += problems
        return self._finish_part(fence.line, end + 1)

    def _read_fenced_diff(self, fence: Fence) -> int:
        label = self._file_names.of_block(fence.line + 1, "")
        close = self._fences.close_of_hunks(fence)
        end = len(self._lines) if close is None else close
        result = diffs.read_unified_diff(
            self._lines, fence.line + 1, end, label=label, cut=close is None
        )
        result.end = end + 1
        if not result.edits and not result.problems:
            self.prose += self._lines[fence.line : end + 1]
        return self._take_result(fence.line, result)

    def _read_file_or_prose(self, fence: Fence, close: int | None) -> int:
        path = self._file_names.right_above(fence.line) or read_info(fence.info)
        if path and not _is_command(fence, path):
            return self._read_full_file(fence, path, fence.line + 1)
        path_in_comment = None if path else self._file_names.in_comment(fence.line + 1)
        if path_in_comment:
            return self._read_full_file(fence, path_in_comment, fence.line + 2)
        end = fence.line + 1 if close is None else close + 1
        self.prose += self._lines[fence.line : end]
        self._file_names.first_line = end
        return end

    def _read_full_file(self, fence: Fence, path: str, content_start: int) -> int:
        close = self._fences.close_around(fence)
        if close is None:
            self.problems.append(
                f"The fence of {path} is not closed, or holds fences as long as itself. "
                "Send the file again, in a longer fence."
            )
            return self._finish_part(fence.line, len(self._lines))
        lines = [_dedent(line, fence.indent) for line in self._lines[content_start:close]]
        self.edits.append(Edit("write", path, replace="".join(line + "\n" for line in lines)))
        self._file_names.last_path = path
        return self._finish_part(fence.line, close + 1)

    def _holds_edits(self, number: int, end: int) -> bool:
        """Whether the fence at `number` only wraps search/replace blocks or an envelope."""
        first = self._first_line(number + 1, end)
        if first is None:
            return False
        line = self._lines[first]
        if self._file_names.read_label(line) or _HERE_DOCUMENT.fullmatch(line):
            first = self._first_line(first + 1, end)
            if first is None:
                return False
        if self._markers.opens_at(first) or diffs.starts_envelope(self._lines, first):
            return True
        has_blocks = self._markers.opens_between(number, end)
        return has_blocks and not self._file_names.right_above(number)

    def _holds_diff(self, language: str, number: int, end: int) -> bool:
        """Whether the fence at `number` holds a diff to apply. Below a path it may be the content
        of that file, unless the diff is of that path."""
        path = self._file_names.right_above(number)
        first = self._first_line(number + 1, end)
        if first is not None and _HERE_DOCUMENT.fullmatch(self._lines[first]):
            first = self._first_line(first + 1, end)
        if first is None or (path and path.endswith((".diff", ".patch"))):
            return False
        if language in _DIFF_LANGUAGES:
            return True
        if diffs.starts_unified_diff(self._lines, first):
            return path is None or path in self._lines[first]
        return self._lines[first].startswith("@@ ") and self._is_one_hunk(first, end)

    def _is_one_hunk(self, first: int, end: int) -> bool:
        """Whether lines are added or removed below `first`, and all lines may be a hunk's."""
        changed = next_greater(self._added_or_removed, first)
        other = next_greater(self._not_in_hunk, first)
        return changed is not None and changed < end and (other is None or other >= end)

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
        self._file_names.first_line = end
        return max(end, start + 1)

    def _end_of_wrapper(self) -> int | None:
        return self._fences.close_of_hunks(self._wrapper) if self._wrapper else None


def _language_of(fence: Fence) -> str:
    """The first word of the info string, in lower case."""
    words = fence.info.split()
    return words[0].lower() if words else ""


def _is_command(fence: Fence, path: str) -> bool:
    """Whether the fence says what to type into a shell, and is not the file whose path is above
    it."""
    if _language_of(fence) not in _SHELL_LANGUAGES:
        return False
    return _NOT_SHELL_FILE.fullmatch(path) is not None


def _dedent(line: str, indent: int) -> str:
    """The line without up to `indent` blank characters at its start."""
    blank_count = len(line) - len(line.lstrip(" \t"))
    return line[min(indent, blank_count) :]


def _read_request(text: str) -> Request | None:
    match = _REQUEST.fullmatch(strip_quotes(strip_list_mark(text)))
    if match is None:
        return None
    kind, argument = match[1].lower(), match[2].strip()
    if kind == "search":
        return Request("search", strip_quotes(argument)) if argument else None
    if kind == "list":
        path = strip_quotes(argument).removeprefix("./").rstrip("/")
        return Request("list", "" if path == "." else path)
    return _read_file_request(argument)


def _read_file_request(argument: str) -> Request | None:
    start = end = None
    bounds = _LINE_RANGE.search(argument)
    if bounds:
        argument = argument[: bounds.start()]
        start = int(bounds[1])
        end = int(bounds[2]) if bounds[2] else start
        start, end = max(1, min(start, end)), max(start, end, 1)
    path = strip_quotes(argument.strip()).removeprefix("./")
    return Request("read", path, start, end) if path else None


def _find_unsupported_form(lines: Sequence[str]) -> str | None:
    """What in a reply without edits looks like one, as the object of a sentence; None if nothing
    does. Without this, such a reply would be taken for one that needs no change."""
    label_reach = -1
    for number, line in enumerate(lines):
        beginning = line[:_MAX_SEARCHED_CHARS]
        for form, pattern in _UNSUPPORTED_LINES:
            if pattern.match(beginning):
                return form
        if line.lstrip().startswith(("```", "~~~")):
            if number <= label_reach:
                return "code below a file's path, though not right below it"
        elif read_label(line):
            label_reach = number + LABEL_REACH_LINES
    return "JSON in place of edits" if _holds_json_edits(lines) else None


def _holds_json_edits(lines: Sequence[str]) -> bool:
    beginnings = [line[:_MAX_SEARCHED_CHARS] for line in lines]
    if any(map(_JSON_CALL.search, beginnings)):
        return True
    has_path = any(map(_JSON_PATH_KEY.search, beginnings))
    return has_path and any(map(_JSON_TEXT_KEY.search, beginnings))
