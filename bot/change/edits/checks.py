"""What can be told about a change without running anything, as sentences for reflection and for the
report.

Only what is new counts: a file that did not parse before, markers and keys that stood there
already, are not the change's doing.

Whether changed files still parse. Only a fault that the base did not have is the change's doing.

Strings that look like secrets, by the shapes that their makers give them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

from bot.change.edits.files import MAX_FILE_BYTES
from bot.change.edits.lines import Text, decode, split
from bot.types.snapshot import Changes, RepositoryView
from bot.types.text import is_binary

MAX_CHECKED_BYTES = 1_000_000
"""Larger files are not parsed: it would take long, and they are generated."""
_WITH_COMMENTS = re.compile(
    r"(?:^|/)(?:[jt]sconfig[^/]*\.json|\.(?:vscode|devcontainer)/.*|\.?[a-z]*rc\.json|.*\.code-.*)$"
)

SyntaxChecker = Callable[[Sequence[tuple[str, bytes]]], Sequence[str | None]]
"""Of files, each with its path: where and why it does not parse, None where it does or nothing is
known."""


def no_syntax_checks(files: Sequence[tuple[str, bytes]]) -> Sequence[str | None]:
    """A judge that knows no language."""
    return [None] * len(files)


def find_faults(
    files: Mapping[str, bytes], before: Callable[[str], bytes | None], judge: SyntaxChecker
) -> Iterator[tuple[str, str]]:
    """(path, sentence) of each file that does not parse and, where it is old, did before. `before`
    is asked for what a file was, None where it is new. `judge` is asked once, and once more where
    there are faults."""
    new = dict(_faults([*files.items()], judge))
    olds = {path: content for path in new if (content := before(path)) is not None}
    faulty = dict(_faults([*olds.items()], judge))
    for path in new.keys() - faulty.keys():
        was = ", though it did before" if path in olds else ""
        yield path, f"{path} does not parse as {_LANGUAGES[_suffix(path)]}{was}: {new[path]}."


def _faults(files: Sequence[tuple[str, bytes]], judge: SyntaxChecker) -> Iterator[tuple[str, str]]:
    judged = [(path, content) for path, content in files if _is_judged(path, content)]
    if judged:
        yield from (
            (path, fault) for (path, _), fault in zip(judged, judge(judged), strict=True) if fault
        )


def _is_judged(path: str, content: bytes) -> bool:
    suffix = _suffix(path)
    may_be_told = suffix != "json" or not _WITH_COMMENTS.search(path)
    return suffix in _LANGUAGES and len(content) <= MAX_CHECKED_BYTES and may_be_told


def _suffix(path: str) -> str:
    return path.rpartition(".")[2].lower()


_LANGUAGES = {
    "py": "Python", "pyi": "Python", "json": "JSON", "toml": "TOML", "yaml": "YAML", "yml": "YAML",
    "xml": "XML", "svg": "XML", "xsd": "XML", "csproj": "XML",
    "js": "JavaScript", "jsx": "JavaScript", "mjs": "JavaScript", "cjs": "JavaScript",
    "ts": "TypeScript", "mts": "TypeScript", "cts": "TypeScript", "tsx": "TypeScript",
    "go": "Go", "rs": "Rust", "java": "Java", "rb": "Ruby", "php": "PHP", "sh": "shell", "bash": "shell",
}  # fmt: skip


_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
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
_ASSIGNED = re.compile(
    r"(?i:secret|token|passw(?:or)?d|api_?key|private_?key)[A-Za-z0-9_]{0,20}[\"']?\s{0,4}[:=]\s{0,4}[\"']([A-Za-z0-9+/=_.-]{24,200})[\"']"
)
_MOST_CHARS = 4000
"""Of a line that is looked at: longer ones are generated."""


def secrets_in(line: str) -> Iterator[tuple[str, str]]:
    """Each secret-looking string of the line, with what it looks like."""
    line = line[:_MOST_CHARS]
    for kind, shape in _SHAPES:
        yield from ((kind, match[0]) for match in shape.finditer(line))
    for match in _ASSIGNED.finditer(line):
        if _is_random(match[1]):
            yield "a password or key", match[1]


def _is_random(text: str) -> bool:
    """Whether letters and digits are as mixed as in a generated string; words and paths are not."""
    digits = sum(map(str.isdigit, text))
    return digits >= 4 and any(map(str.isalpha, text)) and len(set(text)) >= 12


_MARKER = re.compile(r"(?:<{7}|>{7}|\|{7})(?: .{0,200})?")
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_MOST_PROBLEMS = 50
MAX_WORK_BYTES = 40_000_000
"""How much of the changed files, before and after, is looked over line by line: a few seconds of
work."""
_BYTES_OF_A_LINE = 40
"""What a line costs, however short it is."""


def find_problems(
    base: RepositoryView, changes: Changes, judge: SyntaxChecker = no_syntax_checks
) -> tuple[str, ...]:
    """One sentence for each thing wrong with the changed files that the base did not have; fifty at
    most."""
    files = {
        path: change.content
        for path, change in sorted(changes.items())
        if change.content is not None and not is_binary(change.content)
    }
    faults = dict(find_faults(files, lambda path: _before(base, path), judge))
    found = _Findings(base, changes)
    problems: list[str] = []
    for path, content in files.items():
        problems += [faults[path]] if path in faults else []
        problems += found.in_file(path, content)
        if len(problems) >= _MOST_PROBLEMS:
            return tuple(problems[:_MOST_PROBLEMS])
    return (*problems, *found.left_out())


def _before(base: RepositoryView, path: str) -> bytes | None:
    """What the file was; None where it is new, is none, or is too large to be edited."""
    blob = base.blobs.get(path)
    if blob is None or blob.mode not in ("100644", "100755") or blob.size_bytes > MAX_FILE_BYTES:
        return None
    return next(iter(base.read([blob])))


class _Findings:
    """What is new in files, within one share of work for all of them."""

    def __init__(self, base: RepositoryView, changes: Changes) -> None:
        self._base = base
        self._changes = changes
        self._left_bytes = MAX_WORK_BYTES
        self._unseen: list[str] = []

    def in_file(self, path: str, content: bytes) -> Iterator[str]:
        before = _before(self._base, path) or b""
        if not (self._may_look_at(before) and self._may_look_at(content)):
            self._unseen.append(path)
            return
        was, now = split(decode(b"" if is_binary(before) else before)), split(decode(content))
        yield from _markers(path, was, now)
        yield from self._secrets(path, was, now)
        yield from _encoding(path, was, now)
        if was.bodies and _is_utf8(before) and not _is_utf8(content):
            yield f"{path} is no longer UTF-8."
        yield from _direction(path, decode(before), decode(content))

    def left_out(self) -> Iterator[str]:
        if self._unseen:
            yield (
                f"{len(self._unseen)} of the changed files are too large together to be looked over"
                " for secrets and conflict markers:"
                f" {', '.join(self._unseen[:3])}{', …' if len(self._unseen) > 3 else ''}."
            )

    def _may_look_at(self, content: bytes) -> bool:
        cost_bytes = len(content) + _BYTES_OF_A_LINE * content.count(b"\n")
        if cost_bytes <= self._left_bytes:
            self._left_bytes -= cost_bytes
            return True
        return False

    def _secrets(self, path: str, was: Text, now: Text) -> Iterator[str]:
        known = set(was.bodies)
        for number, line in enumerate(now.bodies, start=1):
            for kind, secret in secrets_in(line) if line not in known else ():
                if secret not in self._known_secrets:
                    yield (
                        f"{path}:{number} holds what looks like {kind}. Secrets do not belong in a"
                        " repository."
                    )

    @cached_property
    def _known_secrets(self) -> set[str]:
        """Those of the changed files' old contents: a moved line is no new secret. Few changes
        bring anything that looks like one, so these are read late."""
        contents = (_before(self._base, path) or b"" for path in self._changes)
        return {
            secret
            for content in contents
            if not is_binary(content) and self._may_look_at(content)
            for line in split(decode(content)).bodies
            for _, secret in secrets_in(line)
        }


def _markers(path: str, was: Text, now: Text) -> Iterator[str]:
    new = _conflict_lines(now) - _conflict_lines(was)
    if new:
        yield f"{path} has conflict markers that were not there before ({sum(new.values())} lines)."


def _conflict_lines(text: Text) -> Counter[str]:
    return Counter(
        line
        for line in text.bodies
        if line[:1] in ("<", ">", "|") and len(line) < 300 and _MARKER.fullmatch(line)
    )


def _encoding(path: str, was: Text, now: Text) -> Iterator[str]:
    if len(set(was.ends) - {""}) == 1 and len(set(now.ends) - {""}) > 1:
        yield f"{path} now mixes line ends, which it did not before."


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _direction(path: str, was: str, now: str) -> Iterator[str]:
    """Signs that let a reader see other code than the one that runs: https://trojansource.codes"""
    new = Counter(_TURNS.findall(now)) - Counter(_TURNS.findall(was))
    if new:
        signs = ", ".join(sorted(f"U+{ord(sign):04X}" for sign in new))
        yield (
            f"{path} now has signs that turn the direction of text ({signs}): what is read there is"
            " not what runs."
        )
