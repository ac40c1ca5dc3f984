"""The repository as it stands now: its base, and over it what the edits so far have made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bot.core.context.paths import READ_ORDER, is_shown, kinds_of
from bot.core.context.scan import MAX_FILE_BYTES, is_readable
from bot.core.context.segments import Source, read_source
from bot.core.text import read_text
from bot.core.tree import Blob, Changes, Snapshot

_MAX_NEAR = 2_000


class Current:
    """Files that may be shown: regular, with a printable path."""

    def __init__(self, snapshot: Snapshot, changes: Changes) -> None:
        self._snapshot = snapshot
        self._changed = {
            path: change.content
            for path, change in changes.items()
            if change.content is not None and change.mode.startswith("100") and path.isprintable()
        }
        self._base = {path: blob for path, blob in snapshot.blobs.items() if path not in changes and is_shown(blob)}

    def find(self, argument: str) -> str | None:
        """The path that is meant: itself, or the only one that ends so."""
        wanted = argument.strip().strip("`'\"").removeprefix("./").lstrip("/")
        paths = self._paths()
        if wanted in paths:
            return wanted
        ends = [path for path in paths if path.endswith(f"/{wanted}")]
        return ends[0] if len(ends) == 1 else None

    def near(self, argument: str) -> list[str]:
        """Paths with a file name alike, to suggest."""
        name = argument.rpartition("/")[2].lower()[:60]
        stem = name.partition(".")[0]
        return [path for path in self._paths() if stem and stem in path.lower()][:_MAX_NEAR]

    def source(self, path: str) -> Source | None:
        content = self._changed.get(path)
        if content is None:
            blob = self._base[path]
            if blob.size_bytes > MAX_FILE_BYTES:
                return None
            (content,) = self._snapshot.read([blob])
        return read_source(path, content)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every text file and its path, changed ones first, then source before the rest."""
        for path, content in self._changed.items():
            if (text := read_text(content)) is not None:
                yield path, text
        blobs = self._readable()
        for blob, content in zip(blobs, self._snapshot.read(blobs), strict=True):
            if (text := read_text(content)) is not None:
                yield blob.path, text

    def entries(self, directory: str) -> list[str]:
        """The names in a directory, directories first and with the number of files in them."""
        prefix = f"{directory}/" if directory else ""
        counts: Counter[str] = Counter()
        for path in self._paths():
            if path.startswith(prefix):
                name, slash, _ = path[len(prefix) :].partition("/")
                counts[name + slash] += 1
        names = sorted(counts, key=lambda name: (not name.endswith("/"), name))
        return [f"{name} ({counts[name]} files)" if name.endswith("/") else name for name in names]

    def _paths(self) -> dict[str, object]:
        return {**self._base, **self._changed}

    def _readable(self) -> list[Blob]:
        kinds = kinds_of(self._base)
        blobs = [blob for blob in self._base.values() if is_readable(blob)]
        return sorted(blobs, key=lambda blob: READ_ORDER.index(kinds[blob.path]))
