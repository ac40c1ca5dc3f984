"""The calls that the recorders make into a checkout of this project, and under which names they are
found there.

The names change over time; the tables below hold every one of them, the oldest first. A recorder
that is run on an older or newer checkout takes the first name that exists there, so a renamed
module or attribute is one entry more here.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

IMPORTS: dict[str, tuple[str, ...]] = {
    "rank_files": (
        "bot.core.context.choose:rank_files",
        "bot.change.context.choose:rank_files",
        "bot.change.context.ranking:rank_files",
    ),
    "choose_context": (
        "bot.core.context:choose_context",
        "bot.change.context.choose:choose_context",
    ),
    "answer_requests": (
        "bot.core.context:answer_requests",
        "bot.change.context.answers:answer_requests",
    ),
    "read_reply": ("bot.core.edits:read_reply", "bot.change.edits.reply:read_reply"),
    "apply_edits": ("bot.core.edits:apply_edits", "bot.change.edits.apply:apply_edits"),
    "find_problems": ("bot.core.edits:find_problems", "bot.change.checks:find_problems"),
    "Request": ("bot.core.reply:Request", "bot.types.reply:Request"),
    "Blob": ("bot.core.tree:Blob", "bot.types.snapshot:Blob"),
    "Change": ("bot.core.tree:Change", "bot.types.snapshot:Change"),
    "PastCommit": ("bot.core.tree:PastCommit", "bot.types.snapshot:PastCommit"),
    "Snapshot": ("bot.core.tree:Snapshot", "bot.types.snapshot:Snapshot"),
    "RepositoryPolicy": ("bot.types.snapshot:RepositoryPolicy",),
    "view_repository": ("bot.types.snapshot:view_repository",),
    "FORMS": ("tests.benchmarks.edits_replies:FORMS",),
    "FileChange": ("tests.benchmarks.edits_replies:FileChange",),
    "make_reply": ("tests.benchmarks.edits_replies:reply",),
    "CLEAN": ("tests.benchmarks.edits_dirt:CLEAN",),
    "DIRTS": ("tests.benchmarks.edits_dirt:DIRTS",),
}
"""`module:name` by what it is called in the recorders. Values are made with positional arguments
only."""

FIELDS: dict[str, tuple[str, ...]] = {"chance": ("chance", "score"), "map": ("map", "outline")}
"""Names of an attribute, where it has had more than its own."""


def use_checkout(root: Path) -> None:
    """Makes `bot` the one of that checkout. To be called before anything of it is loaded."""
    loaded = [name for name in sys.modules if name == "bot" or name.startswith("bot.")]
    if loaded:
        raise RuntimeError(
            f"{loaded[0]} is loaded already: start the recorder as a program of its own."
        )
    if not (root / "bot").is_dir():
        raise SystemExit(f"{root} is no checkout of the project: it has no folder `bot`.")
    sys.path.insert(0, str(root.resolve()))


@cache
def load(name: str) -> Any:
    """What the checkout has under one of the names that the table holds."""
    found = load_if_there(name)
    if found is None:
        places = " or ".join(IMPORTS[name])
        raise SystemExit(f"{name} is not found as {places}: add its new name to IMPORTS.")
    return found


def load_if_there(name: str) -> Any | None:
    """The same; None where the checkout is from before it was there."""
    for place in IMPORTS[name]:
        module_name, _, attribute = place.partition(":")
        try:
            return getattr(import_module(module_name), attribute)
        except (ModuleNotFoundError, AttributeError):
            continue
    return None


def field(value: Any, name: str) -> Any:
    """An attribute by one of its names."""
    for known in FIELDS.get(name, (name,)):
        if hasattr(value, known):
            return getattr(value, known)
    raise SystemExit(f"{type(value).__name__} has no attribute {name}: add its new name to FIELDS.")


def make_snapshot(
    files: Mapping[str, bytes],
    modes: Mapping[str, str] | None = None,
    history: Iterable[tuple[str, Sequence[str]]] = (),
) -> Any:
    """A repository held in memory, as the calls take it. `modes` overrides 100644 by path;
    `history` is messages and paths, newest first."""
    modes = modes or {}
    contents: dict[str, bytes] = {}
    blobs: dict[str, Any] = {}
    for path in sorted(files, key=lambda path: path.encode("utf-8", "surrogateescape")):
        mode = modes.get(path, "100644")
        content = b"" if mode == "160000" else files[path]
        blob_id = hash_blob(content)
        blobs[path] = load("Blob")(path, mode, blob_id, len(content))
        contents[blob_id] = content

    def read(wanted: Iterable[Any]) -> Iterator[bytes]:
        return (contents[blob.oid] for blob in wanted)

    commits = tuple(load("PastCommit")(message, tuple(paths)) for message, paths in history)
    snapshot = load("Snapshot")("0" * 40, blobs, read, lambda: commits)
    view = load_if_there("view_repository")
    return snapshot if view is None else view(snapshot, load("RepositoryPolicy")())


def hash_blob(content: bytes) -> str:
    """The id that git gives to a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def hash_tree(files: Mapping[str, tuple[str, bytes]]) -> str:
    """One hash over modes, paths and contents."""
    lines = (
        f"{mode} {hash_blob(content)}\t{path}\0" for path, (mode, content) in sorted(files.items())
    )
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()[:40]
