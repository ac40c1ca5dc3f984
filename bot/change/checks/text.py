"""What is wrong with the text of changed files, line by line: conflict markers, secrets, mixed line
ends, lost encodings, characters that deceive a reader."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice

from bot.change.checks.versions import read_base
from bot.change.edits.lines import Text, decode, split_lines
from bot.types.characters import (
    find_look_alikes,
    find_unseen,
    name_character,
    turns_direction,
)
from bot.types.snapshot import Changes, RepositoryView
from bot.types.text import is_binary

MAX_WORK_BYTES = 40_000_000
"""How much of the changed files, before and after, is searched line by line: a few seconds of
work."""

_MAX_LISTED_FILES = 3
_COST_OF_LINE_BYTES = 40
"""What a line costs, however short it is."""
_MAX_CONFLICT_MARKER_CHARS = 300
_CONFLICT_MARKER = re.compile(r"(?:<{7}|>{7}|\|{7})(?: .{0,200})?")
_ASCII_WORD = re.compile(r"[A-Za-z_]\w{0,99}", re.ASCII)
_UNSEEN = "which a reader does not see"
_TURNS = "which turns the direction of text: what is read there is not what runs"
_MAX_DECEPTIVE = 5
"""Of the kinds of deceptive characters and words in a file, so many are named."""

_MAX_SCANNED_CHARS = 4000
"""Of a line: longer ones are generated."""
_SECRETS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY-----")),
    (
        "a GitHub token",
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})\b"),
    ),
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a Slack token", re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10,250}")),
    ("a Google API key", re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b")),
    ("a Stripe key", re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20,250}\b")),
    ("an API key", re.compile(r"\bsk-(?:[a-z]{2,10}-)?[A-Za-z0-9_-]{32,250}\b")),
    (
        "a signed web token",
        re.compile(
            r"\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}\b"
        ),
    ),
    (
        "a package registry token",
        re.compile(r"\b(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,250})\b"),
    ),
)
"""The forms that the issuers of secrets give them."""
_ASSIGNED_SECRET = re.compile(
    r"(?i:secret|token|passw(?:or)?d|api_?key|private_?key)[A-Za-z0-9_]{0,20}[\"']?"
    r"\s{0,4}[:=]\s{0,4}[\"']([A-Za-z0-9+/=_.-]{24,200})[\"']"
)
_MIN_DIGITS = 4
_MIN_DIFFERENT_SIGNS = 12


def scan_texts(
    base: RepositoryView, changes: Changes, files: Mapping[str, bytes]
) -> Iterator[tuple[str, str]]:
    """(path, sentence) for each new fault of the changed files; the path is "" for what could not
    be searched."""
    scanner = _Scanner(base, changes)
    for path, content in files.items():
        yield from ((path, problem) for problem in scanner.scan(path, content))
    yield from (("", problem) for problem in scanner.describe_skipped())


class _Scanner:
    """Searches changed files line by line, with one limit of work for all of them."""

    def __init__(self, base: RepositoryView, changes: Changes) -> None:
        self._base = base
        self._changes = changes
        self._left_bytes = MAX_WORK_BYTES
        self._skipped: list[str] = []

    def scan(self, path: str, content: bytes) -> Iterator[str]:
        before = read_base(self._base, path) or b""
        if not (self._spend(before) and self._spend(content)):
            self._skipped.append(path)
            return
        old = split_lines("" if is_binary(before) else decode(before))
        new = split_lines(decode(content))
        yield from _find_conflict_markers(path, old, new)
        yield from self._find_secrets(path, old, new)
        if _count_line_ends(old) == 1 and _count_line_ends(new) > 1:
            yield f"{path} now mixes line ends, which it did not before."
        if old.bodies and _is_utf8(before) and not _is_utf8(content):
            yield f"{path} is no longer UTF-8."
        yield from _find_deceptive(path, old, new)

    def describe_skipped(self) -> Iterator[str]:
        if self._skipped:
            more = ", …" if len(self._skipped) > _MAX_LISTED_FILES else ""
            yield (
                f"{len(self._skipped)} of the changed files are too large together to be looked"
                " over for secrets and conflict markers:"
                f" {', '.join(self._skipped[:_MAX_LISTED_FILES])}{more}."
            )

    def _spend(self, content: bytes) -> bool:
        """Takes the cost of the content off what is left; False if that is not enough."""
        cost_bytes = len(content) + _COST_OF_LINE_BYTES * content.count(b"\n")
        if cost_bytes > self._left_bytes:
            return False
        self._left_bytes -= cost_bytes
        return True

    def _find_secrets(self, path: str, old: Text, new: Text) -> Iterator[str]:
        old_lines = set(old.bodies)
        for number, line in enumerate(new.bodies, start=1):
            if line in old_lines:
                continue
            for kind, secret in _scan_for_secrets(line):
                if secret not in self._old_secrets:
                    yield (
                        f"{path}:{number} holds what looks like {kind}. Secrets do not belong in a"
                        " repository."
                    )

    @cached_property
    def _old_secrets(self) -> set[str]:
        """The secrets in the old contents of all changed files: a moved line is no new secret. Read
        when the first secret is found, which few changes have."""
        found: set[str] = set()
        for path in self._changes:
            content = read_base(self._base, path) or b""
            if is_binary(content) or not self._spend(content):
                continue
            for line in split_lines(decode(content)).bodies:
                found.update(secret for _, secret in _scan_for_secrets(line))
        return found


def _scan_for_secrets(line: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of each string that looks like a secret."""
    line = line[:_MAX_SCANNED_CHARS]
    for kind, pattern in _SECRETS:
        for match in pattern.finditer(line):
            yield kind, match[0]
    for match in _ASSIGNED_SECRET.finditer(line):
        if _is_random(match[1]):
            yield "a password or key", match[1]


def _is_random(text: str) -> bool:
    """Whether letters and digits are mixed as in a generated string, not as in words and paths."""
    digits = sum(map(str.isdigit, text))
    has_letters = any(map(str.isalpha, text))
    return has_letters and digits >= _MIN_DIGITS and len(set(text)) >= _MIN_DIFFERENT_SIGNS


def _find_conflict_markers(path: str, old: Text, new: Text) -> Iterator[str]:
    added = _conflict_markers(new) - _conflict_markers(old)
    if added:
        yield f"{path} has conflict markers that were not there before ({added.total()} lines)."


def _conflict_markers(text: Text) -> Counter[str]:
    return Counter(
        line
        for line in text.bodies
        if line[:1] in ("<", ">", "|")
        and len(line) < _MAX_CONFLICT_MARKER_CHARS
        and _CONFLICT_MARKER.fullmatch(line)
    )


def _count_line_ends(text: Text) -> int:
    """How many different line endings the file has."""
    return len(set(text.ends) - {""})


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _find_deceptive(path: str, old: Text, new: Text) -> Iterator[str]:
    """What the added lines hold that a reader does not see, or takes for something else."""
    if "\r" in new.ends and "\r" not in old.ends:
        yield f"{path} now has lone carriage returns, which git does not count as line ends."
    known = set(old.bodies)
    added = [(number, line) for number, line in enumerate(new.bodies, 1) if line not in known]
    places: dict[str, list[int]] = {}
    for number, what in (*_unseen(added), *_look_alikes(old, new, added)):
        places.setdefault(what, []).append(number)
    for what, numbers in islice(places.items(), _MAX_DECEPTIVE):
        more = f" (and {len(numbers) - 1} more)" if len(numbers) > 1 else ""
        yield f"{path}:{numbers[0]}{more} now has {what}."
    if len(places) > _MAX_DECEPTIVE:
        yield f"{path} has {len(places) - _MAX_DECEPTIVE} more kinds of such characters and words."


def _unseen(added: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    for number, line in added:
        for _index, character in find_unseen(line):
            why = _TURNS if turns_direction(character) else _UNSEEN
            yield number, f"{name_character(character)}, {why}"


def _look_alikes(
    old: Text, new: Text, added: Sequence[tuple[int, str]]
) -> Iterator[tuple[int, str]]:
    if all(line.isascii() for _number, line in added):
        return
    words = {word for text in (old, new) for line in text.bodies for word in _words(line)}
    before = {word for line in old.bodies for word in find_look_alikes(line, words)}
    for number, line in added:
        for word in dict.fromkeys(find_look_alikes(line, words)):
            if word not in before:
                yield number, f"{word}, a word with letters that look like others"


def _words(line: str) -> list[str]:
    return _ASCII_WORD.findall(line)
