"""What a model's reply asks for, read from any of the forms that models write, alone or mixed with
prose.

One pass over the lines. A search/replace block, an envelope and a diff are known by their own
markers; a fence is known by what it holds and by the path that stands above it, in its info string,
or in its first line. What looked like an edit and could not be read becomes a sentence for the
model, never a guess.

What looks like an edit in a form that is not read here: passed over in silence, it would be taken
for a reply that needs no change.

The wishes in a fence named `request`: `read PATH[:START-END]`, `search REGEX`, `list DIR`, one a
line.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from bot.change.edits import diffs
from bot.change.edits import fences as thoughts
from bot.change.edits.blocks import Block, Fault, Markers
from bot.change.edits.diffs import Parts
from bot.change.edits.fences import Fence, Fences, after
from bot.change.edits.file_names import REACH, Naming, read_info, read_label
from bot.types.reply import Edit, ParsedReply, Request

_MAX_LINE_CHARS = 2_000
_REACH = 12
"""How many lines above a fence its path may stand."""

_MARKS = r"(?:diff --git |@@ -\d|\*{3} (?:Begin Patch|Update File|Add File)|<{5,12} ?SEARCH)"
_LINES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "a diff that does not say which file it changes",
        re.compile(r"@@ -\d|(?:`{3,}|~{3,})\s{0,4}(?:diff|patch)\b"),
    ),
    ("edits that are quoted or indented", re.compile(rf"[ \t>]{{1,24}}{_MARKS}")),
    (
        "edits whose signs are escaped",
        re.compile(rf"(?:.{{0,400}}\\n{_MARKS}|.{{0,40}}(?:&lt;){{5}})", re.IGNORECASE),
    ),
    ("a context diff", re.compile(r"\*{15}\s*")),
    (
        "tags in place of edits",
        re.compile(
            r"\s{0,12}</?(?:file|edit|search|replace|old_str|new_str|invoke|write_to_file|apply_diff)\b"
        ),
    ),
    (
        "a shell command that writes a file",
        re.compile(r"\s{0,12}(?:cat|tee)\b[^<|]{0,200}<<-?\s*['\"]?\w{1,40}"),
    ),
)
_PATH_KEY = re.compile(r'"(?:path|file|file_?path|file_?name)"\s*:')
_TEXT_KEY = re.compile(
    r'"(?:content|search|replace|old_str(?:ing)?|new_str(?:ing)?|diff|patch|edits|changes)"\s*:'
)
_CALL = re.compile(r'"(?:arguments|input|cmd|command)"\s*:.{0,400}\*{3} Begin Patch')


def unread_form(lines: Sequence[str]) -> str | None:
    """What of a reply without edits looks like some, as the object of a sentence; None where
    nothing does."""
    labelled_to = -1
    for number, line in enumerate(lines):
        found = next((what for what, sign in _LINES if sign.match(line[:_MAX_LINE_CHARS])), None)
        if found:
            return found
        if not line.lstrip().startswith(("```", "~~~")):
            labelled_to = number + _REACH if read_label(line) else labelled_to
        elif number <= labelled_to:
            return "code below a file's path, though not right below it"
    return "JSON in place of edits" if _is_json_edit(lines) else None


def _is_json_edit(lines: Sequence[str]) -> bool:
    short = [line[:_MAX_LINE_CHARS] for line in lines]
    if any(map(_CALL.search, short)):
        return True
    return any(map(_PATH_KEY.search, short)) and any(map(_TEXT_KEY.search, short))


_LIST_MARK = re.compile(r"(?:[-*+>]|\d{1,3}[.)])\s+")
_LINE = re.compile(r"(read|search|list)(?:\s*:\s*|\s+|$)(.*)", re.IGNORECASE | re.DOTALL)
_RANGE = re.compile(
    r"(?:[:#]|(?<!\s)\s)\s*+(?:lines?\s*+)?L?(\d{1,9})(?:\s*+(?:-|–|:|to|,)\s*+L?(\d{1,9}))?$",
    re.IGNORECASE,
)
_MAX_CHARS = 1000


def read_requests(lines: Sequence[str]) -> tuple[list[Request], list[str]]:
    """The wishes, and a sentence for each line that is none. Without DIR, `list` is about the
    root."""
    requests, problems = [], []
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        wish = _read(text) if len(text) <= _MAX_CHARS else None
        if wish:
            requests.append(wish)
        else:
            problems.append(
                f"The request line {text[:80]!r} is not understood. "
                "Write `read PATH:START-END`, `search REGEX` or `list DIR`."
            )
    return requests, problems


def _read(text: str) -> Request | None:
    mark = _LIST_MARK.match(text)
    match = _LINE.fullmatch(_unquoted(text[mark.end() :] if mark else text))
    if match is None:
        return None
    kind, argument = match[1].lower(), match[2].strip()
    if kind == "search":
        return Request("search", _unquoted(argument)) if argument else None
    if kind == "list":
        path = _unquoted(argument).removeprefix("./").rstrip("/")
        return Request("list", "" if path == "." else path)
    return _read_file(argument)


def _read_file(argument: str) -> Request | None:
    start = end = None
    bounds = _RANGE.search(argument)
    if bounds:
        argument = argument[: bounds.start()]
        start = int(bounds[1])
        end = int(bounds[2]) if bounds[2] else start
        start, end = max(1, min(start, end)), max(start, end, 1)
    path = _unquoted(argument.strip()).removeprefix("./")
    return Request("read", path, start, end) if path else None


def _unquoted(text: str) -> str:
    for quote in ("`", '"', "'"):
        if len(text) > 2 and text.startswith(quote) and text.endswith(quote):
            return text[1:-1]
    return text


MAX_REPLY_CHARS = 2_000_000
MAX_REPLY_LINES = 100_000
"""Longer replies are not read: the largest output of today's models is about a quarter of this."""
_MOST_PROBLEMS = 50
"""How many are told one by one."""
_HUNK_SIGNS = ("", " ", "+", "-", "@", "\\")
_DIFF_INFO = frozenset({"diff", "patch", "udiff", "unidiff", "git"})
_SHELL_INFO = frozenset(
    {"bash", "sh", "shell", "zsh", "console", "shell-session", "powershell", "cmd"}
)
_CODE = re.compile(
    r".+\.(?:[cm]?[jt]sx?|py|pyi|go|rs|java|kts?|scala|rb|php|cs|c|cc|cpp|h|hpp|m|swift|html?|css|json|ya?ml|toml|md|rst)"
)
"""Files that are never written in a shell's language."""
_HERE_DOCUMENT = re.compile(r"[^<]{1,200}<<-?\s{0,4}['\"]?\w{1,40}['\"]?\s*")


def read_reply(
    text: str, *, known: Container[str] = frozenset(), max_chars: int = MAX_REPLY_CHARS
) -> ParsedReply:
    """The reply's edits and requests in order, its prose, and a sentence for each thing that could
    not be read. `known` are the repository's paths: a line that is one of them names it, whatever
    it looks like."""
    if len(text) > max_chars:
        return ParsedReply(
            (), (), "", (f"The reply is longer than {max_chars} characters. Send only the edits.",)
        )
    lines = _lines(text)
    if len(lines) > MAX_REPLY_LINES:
        return ParsedReply(
            (), (), "", (f"The reply is longer than {MAX_REPLY_LINES} lines. Send only the edits.",)
        )
    reader = _Reader(lines, known)
    reader.read()
    prose = "\n".join(reader.prose).strip()
    return ParsedReply(
        tuple(reader.edits), tuple(reader.requests), prose, _first_problems(reader.problems)
    )


def _first_problems(problems: list[str]) -> tuple[str, ...]:
    further = len(problems) - _MOST_PROBLEMS
    if further <= 0:
        return tuple(problems)
    return (
        *problems[:_MOST_PROBLEMS],
        f"{further} more things in the reply could not be read. Send less at once.",
    )


def _lines(text: str) -> list[str]:
    """A reply sent with CRLF throughout says nothing about the files' own line ends."""
    text = text.removeprefix("\ufeff")
    if text.count("\r\n") == text.count("\n"):
        text = text.replace("\r\n", "\n")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return text.split("\n")


class _Reader:
    def __init__(self, lines: list[str], known: Container[str]) -> None:
        self.lines = lines
        self.edits: list[Edit] = []
        self.requests: list[Request] = []
        self.prose: list[str] = []
        self.problems: list[str] = []
        self._fences = Fences(lines)
        self._markers = Markers(lines)
        self._naming = Naming(lines, self._fences, known)
        self._unsigned = [
            number for number, line in enumerate(lines) if line[:1] not in _HUNK_SIGNS
        ]
        """The lines that are in no hunk."""
        self._changing = [number for number, line in enumerate(lines) if line[:1] in ("+", "-")]
        self._open: Fence | None = None
        """The fence around what is being read, where that is more than one edit's own."""

    def read(self) -> None:
        number = 0
        while number < len(self.lines):
            number = self._step(number)
        unread = None if self.edits or self.requests or self.problems else unread_form(self.prose)
        if unread:
            self.problems.append(
                f"The reply holds {unread}, which is not read as an edit. Send each edit as the"
                " file's path on a line of its own and a search/replace block below it; if nothing"
                " needs to change, say so in words alone."
            )

    def _step(self, number: int) -> int:
        """Reads what begins at this line; gives the line to go on with."""
        if self._markers.opens_at(number):
            return self._block(number)
        if diffs.starts_envelope(self.lines, number):
            end = self._end_of_open()
            parts = diffs.read_envelope(self.lines, number, end or len(self.lines), cut=end is None)
            return self._take(parts, number)
        if diffs.starts_unified_diff(self.lines, number):
            end = self._end_of_open() or self._end_of_bare_diff(number)
            parts = diffs.read_unified(
                self.lines, number, end or len(self.lines), label=None, cut=end is None
            )
            return self._take(parts, number)
        fence = self._fences.at(number)
        if fence:
            return self._fence(fence)
        return self._prose(number)

    def _prose(self, number: int) -> int:
        line = self.lines[number]
        start = thoughts.read_start(line)
        if start is None:
            self.prose.append(line)
            return number + 1
        if start.ends_earlier:
            self.edits, self.requests, self.prose, self.problems = [], [], [], []
            self._open = self._naming.last = None
        end = (
            (number, start.rest)
            if start.rest is not None
            else thoughts.end_of(self.lines, number + 1)
        )
        if end is None:
            self.problems.append(
                "The reply's thoughts have no end. Send the edits after them, not in them."
            )
            return len(self.lines)
        self._naming.region, self.lines[end[0]] = end
        return self._naming.region

    def _block(self, number: int) -> int:
        block = self._markers.read(number)
        path = self._naming.of_block(number, block.named if isinstance(block, Block) else "")
        if isinstance(block, Fault):
            self.problems.append(
                f"A search/replace block{f' of {path}' if path else ''} {block.reason}. Send it"
                " again, whole."
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
        self._naming.last = path
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
        label = self._naming.of_block(fence.line + 1, "")
        close = self._fences.close_of_hunks(fence)
        end = len(self.lines) if close is None else close
        parts = diffs.read_unified(self.lines, fence.line + 1, end, label=label, cut=close is None)
        parts.end = end + 1
        if not (parts.edits or parts.problems):
            self.prose.extend(self.lines[fence.line : end + 1])
        return self._take(parts, fence.line)

    def _file_or_prose(self, fence: Fence, close: int | None) -> int:
        number = fence.line
        path = self._naming.right_above(number) or read_info(fence.info)
        named_inside = None if path else self._naming.by_comment(number + 1)
        if (path or named_inside) and not _is_command(fence, path or ""):
            return self._file(fence, path or str(named_inside), skip=1 if named_inside else 0)
        end = number + 1 if close is None else close + 1
        self.prose.extend(self.lines[number:end])
        self._naming.region = end
        return end

    def _file(self, fence: Fence, path: str, *, skip: int) -> int:
        close = self._fences.close_around(fence)
        if close is None:
            self.problems.append(
                f"The fence of {path} is not closed, or holds fences as long as itself. "
                "Send the file again, in a longer fence."
            )
            return self._consumed(len(self.lines), fence.line)
        lines = [
            _dedented(line, fence.indent) for line in self.lines[fence.line + 1 + skip : close]
        ]
        self.edits.append(Edit("write", path, replace="".join(line + "\n" for line in lines)))
        self._naming.last = path
        return self._consumed(close + 1, fence.line)

    def _holds_edits(self, number: int, end: int) -> bool:
        """Whether the fence at `number` is only the wrapping of blocks or an envelope."""
        first = self._first_line(number + 1, end)
        if first is not None and (
            self._naming.label(self.lines[first]) or _HERE_DOCUMENT.fullmatch(self.lines[first])
        ):
            first = self._first_line(first + 1, end)
        if first is None:
            return False
        if self._markers.opens_at(first) or diffs.starts_envelope(self.lines, first):
            return True
        return self._markers.opens_between(number, end) and not self._naming.right_above(number)

    def _is_diff(self, word: str, number: int, end: int) -> bool:
        """Whether the fence holds a diff. Under a path it may be that file itself, unless the diff
        is of that path."""
        label = self._naming.right_above(number)
        first = self._first_line(number + 1, end)
        if first is not None and _HERE_DOCUMENT.fullmatch(self.lines[first]):
            first = self._first_line(first + 1, end)
        if first is None or (label and label.endswith((".diff", ".patch"))):
            return False
        if word in _DIFF_INFO:
            return True
        if diffs.starts_unified_diff(self.lines, first):
            return label is None or label in self.lines[first]
        ends = after(self._unsigned, first)
        changes = after(self._changing, first)
        has_hunk = self.lines[first].startswith("@@ ") and changes is not None and changes < end
        return has_hunk and (ends is None or ends >= end)

    def _first_line(self, start: int, end: int) -> int | None:
        for number in range(start, min(end, start + REACH)):
            if self.lines[number].strip():
                return number
        return None

    def _take(self, parts: Parts, start: int) -> int:
        self.edits.extend(parts.edits)
        self.problems.extend(parts.problems)
        self._naming.last = next(
            (edit.to or edit.path for edit in reversed(parts.edits)), self._naming.last
        )
        return self._consumed(parts.end, start)

    def _consumed(self, end: int, start: int) -> int:
        self._drop_label()
        self._naming.region = end
        return max(end, start + 1)

    def _drop_label(self) -> None:
        """The path line right above an edit is no prose."""
        while self.prose and (not self.prose[-1].strip() or self._naming.label(self.prose[-1])):
            self.prose.pop()

    def _end_of_open(self) -> int | None:
        return self._fences.close_of_hunks(self._open) if self._open else None

    def _end_of_bare_diff(self, number: int) -> int | None:
        ends = (self._fences.next_after(number), self._markers.next_after(number))
        return min((end for end in ends if end is not None), default=None)


def _is_command(fence: Fence, path: str) -> bool:
    """Whether the fence says what to type into a shell, and is not the file under whose path it
    stands."""
    word = fence.info.split()[0].lower() if fence.info else ""
    return word in _SHELL_INFO and _CODE.fullmatch(path) is not None


def _dedented(line: str, indent: int) -> str:
    blank = len(line) - len(line.lstrip(" \t"))
    return line[min(indent, blank) :]
