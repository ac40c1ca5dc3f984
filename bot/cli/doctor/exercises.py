"""Ten small changes, each in a file of its own, that a model must be able to ask for in the form that
jobs use. The prompt and the reader of the reply are those of a job."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.change.edits import apply_edits, read_reply
from bot.change.prompts import generation_prompt
from bot.change.tokens import estimate_tokens
from bot.types import Context, Excerpt, Prompt, Task
from bot.types.snapshot import Blob, RepositoryPolicy, RepositoryView, Snapshot, view_repository


@dataclass(frozen=True, slots=True)
class Exercise:
    """`before` and `after` are the contents of `path`; None: there is no such file. Ours is to change
    exactly what `task` says."""

    name: str
    path: str
    before: bytes | None
    after: bytes | None
    task: str


_CONFIG = b'''"""Limits of the client."""

RETRIES = 3
TIMEOUT_S = 30
BACKOFF_S = (1.0, 2.0, 4.0)
MAX_BODY_BYTES = 65_536
USER_AGENT = "client/1"
'''
_PRICES = b'''"""Prices with tax."""

CURRENCY = "EUR"
TAX = 0.19


def net(gross: float) -> float:
    return gross / (1 + TAX)


def gross(net: float) -> float:
    return net * (1 + TAX)


def show(amount: float) -> str:
    return f"{amount:.2f} {CURRENCY}"
'''
_WALK = b'''"""Looks for a name in a tree."""


def first(tree, name):
    for node in tree:
        if node.name == name:
            return node
        else:
            if node.children:
                return None


def last(tree, name):
    for node in reversed(tree):
        if node.name == name:
            return node
        else:
            if node.children:
                return None
'''
_STORE = b'''"""Keeps values by key."""


class Store:
    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def put(self, key: str, value: str) -> None:
        print("put", key, value)
        self._values[key] = value

    def get(self, key: str) -> str | None:
        return self._values.get(key)
'''
_GREETING = (
    "# Grüße aus Köln – ¡hola!\n\nWir öffnen täglich um 9 Uhr. 日本語の案内もあります。\n".encode()
)
_LEGACY = b"[server]\r\nname=old\r\nmode=slow\r\nport=8080\r\n\r\n[client]\r\nmode=fast\r\n"
_MAKEFILE = b"""\
.PHONY: build test

build:
\tgo build ./...

test: build
\tgo vet ./...
\tgo test ./...
"""
_USAGE = b"""\
# Usage

Install it once:

```sh
npm install
```

Then start it:

```sh
npm start
```

It listens on port 3000.
"""
_SCALES = b"""\
{
    "small": 1,
    "medium": 2,
    "huge": 8
}
"""
_OLD = b"Nobody reads this file any more.\nIt may go.\n"

EXERCISES = (
    Exercise(
        "one line",
        "src/config.py",
        _CONFIG,
        _CONFIG.replace(b"TIMEOUT_S = 30", b"TIMEOUT_S = 45"),
        "In `src/config.py`, set TIMEOUT_S to 45.",
    ),
    Exercise(
        "two places in one file",
        "src/prices.py",
        _PRICES,
        _PRICES.replace(b"TAX = 0.19", b"TAX = 0.21").replace(b"{amount:.2f}", b"{amount:.3f}"),
        "In `src/prices.py`, set TAX to 0.21, and let `show` print three digits after the point"
        " (`.3f`).",
    ),
    Exercise(
        "the second of two equal places",
        "src/walk.py",
        _WALK,
        b"return []".join(_WALK.rsplit(b"return None", 1)),
        "In `src/walk.py`, let the function `last` alone return [] in place of None.",
    ),
    Exercise(
        "a line removed",
        "src/store.py",
        _STORE,
        _STORE.replace(b'        print("put", key, value)\n', b""),
        "In `src/store.py`, remove the line that prints.",
    ),
    Exercise(
        "letters beyond ASCII",
        "docs/greeting.md",
        _GREETING,
        _GREETING.replace("Köln".encode(), "Zürich".encode()),
        "In `docs/greeting.md`, write Zürich in place of Köln.",
    ),
    Exercise(
        "a file with CRLF line ends",
        "legacy.ini",
        _LEGACY,
        _LEGACY.replace(b"mode=slow", b"mode=quick"),
        "In `legacy.ini`, set the server's mode to quick.",
    ),
    Exercise(
        "tabs",
        "Makefile",
        _MAKEFILE,
        _MAKEFILE.replace(b"\tgo test ./...", b"\tgo test -race ./..."),
        "In `Makefile`, let the tests run with `-race`, as `go test -race ./...`.",
    ),
    Exercise(
        "a file that has fences",
        "docs/usage.md",
        _USAGE,
        _USAGE.replace(b"npm start", b"npm run serve"),
        "In `docs/usage.md`, write `npm run serve` in place of `npm start`.",
    ),
    Exercise(
        "a new file",
        "src/version.py",
        None,
        b'VERSION = "2.1.0"\n',
        'Make the file `src/version.py` with exactly one line: `VERSION = "2.1.0"`',
    ),
    Exercise(
        "a file deleted",
        "old/notes.txt",
        _OLD,
        None,
        "Delete the file `old/notes.txt`.",
    ),
)
_OTHERS = {"src/scales.json": _SCALES}
"""Files that no exercise is about."""
_FILES: Mapping[str, bytes] = {
    **{each.path: each.before for each in EXERCISES if each.before is not None},
    **_OTHERS,
}
_ASK = """\
This repository is an exercise. Do each of the following, exactly as it says, and nothing else: no tests, no
documentation, no changelog, no other file. You see all files whole, so ask for nothing.
"""


def exercise_prompt(exercises: Sequence[Exercise]) -> Prompt:
    """A job's first request. All files are shown whichever exercises are asked for, so that the
    prompts begin with the same text."""
    shown = tuple(_show(path, content.decode()) for path, content in sorted(_FILES.items()))
    asked = "\n".join(f"{number}. {each.task}" for number, each in enumerate(exercises, 1))
    task = Task("exercise", f"{_ASK}\n{asked}")
    return generation_prompt(task, Context((), shown, "", 0))


def _show(path: str, text: str) -> Excerpt:
    count = text.count("\n")
    return Excerpt(path, 1, count, text, estimate_tokens(text), "", count)


def judge_exercises(exercises: Sequence[Exercise], reply: str) -> dict[str, str]:
    """Why an exercise was not done, by its name; those that were done are left out."""
    view = _view_files()
    parts = read_reply(reply, known=view.blobs)
    result = apply_edits(view, {}, parts.edits)
    refused = {each.edit.path: each.message for each in result.rejected}
    wrong = {}
    for exercise in exercises:
        change = result.changes.get(exercise.path)
        if change is not None and change.content == exercise.after:
            continue
        if change is not None:
            wrong[exercise.name] = "the file is not as it was asked for"
        elif exercise.path in refused:
            wrong[exercise.name] = refused[exercise.path].partition("\n")[0].rstrip(".")
        else:
            wrong[exercise.name] = "no edit of it could be read"
    return wrong


def _view_files() -> RepositoryView:
    def read(wanted: Iterable[Blob]) -> Iterator[bytes]:
        return (_FILES[blob.path] for blob in wanted)

    blobs = {path: _describe(path, content) for path, content in sorted(_FILES.items())}
    return view_repository(Snapshot("0" * 40, blobs, read), RepositoryPolicy())


def _describe(path: str, content: bytes) -> Blob:
    """With git's own id of the content."""
    header = b"blob %d\0" % len(content)
    oid = hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
    return Blob(path, "100644", oid, len(content))
