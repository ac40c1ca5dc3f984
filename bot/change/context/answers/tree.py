"""The repository as the model may ask for it: regular files that may be shown, with the edits so
far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from bot.change.context.paths import FILE_KINDS, classify_paths, is_regular
from bot.change.context.ranking.retrieval import MAX_FILE_BYTES, is_readable
from bot.change.context.source import Source, read_source
from bot.change.repository import with_changes
from bot.types.names import close_names
from bot.types.snapshot import Changes, RepositoryView
from bot.types.text import read_text

_MAX_COMPARED_PATHS = 2_000
_MAX_SUGGESTED_PATHS = 5


class WorkingTree:
    """The base with the changes."""

    def __init__(self, base: RepositoryView, changes: Changes) -> None:
        self.view = with_changes(base, changes).visible()
        self._changed = changes
        self._blobs = {path: blob for path, blob in self.view.blobs.items() if is_regular(blob)}

    def find_path(self, argument: str) -> str | None:
        """The path itself, or the only one that ends with it."""
        wanted = argument.strip().strip("`'\"").removeprefix("./").lstrip("/")
        if wanted in self._blobs:
            return wanted
        found = [path for path in self._blobs if path.endswith(f"/{wanted}")]
        return found[0] if len(found) == 1 else None

    def suggest_paths(self, argument: str) -> list[str]:
        """Paths that are similar to one that does not exist, the most similar first."""
        name = argument.rpartition("/")[2].lower()[:60]
        stem = name.partition(".")[0]
        if not stem:
            return []
        paths = [path for path in self._blobs if stem in path.lower()]
        return close_names(
            argument, paths[:_MAX_COMPARED_PATHS], most=_MAX_SUGGESTED_PATHS, least_likeness=0.3
        )

    def read(self, path: str) -> Source | None:
        """The file at one of the paths; None if it is not text, or too large."""
        blob = self._blobs[path]
        if blob.size_bytes > MAX_FILE_BYTES:
            return None
        (content,) = self.view.read([blob])
        return read_source(path, content)

    def count_files(self, is_wanted: Callable[[str], bool]) -> int:
        return sum(map(is_wanted, self._blobs))

    def read_texts(self, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
        """Path and text of every wanted text file: changed ones first, then source before the
        rest."""
        blobs = [b for b in self._blobs.values() if is_readable(b) and is_wanted(b.path)]
        kinds = classify_paths(blob.path for blob in blobs)
        blobs.sort(key=lambda b: (b.path not in self._changed, FILE_KINDS.index(kinds[b.path])))
        for blob, content in zip(blobs, self.view.read(blobs), strict=True):
            text = read_text(content)
            if text is not None:
                yield blob.path, text

    def list_directory(self, directory: str) -> list[str]:
        """The names in a directory; subdirectories first, with the number of files below them."""
        prefix = f"{directory}/" if directory else ""
        counts: Counter[str] = Counter()
        for path in self._blobs:
            if path.startswith(prefix):
                name, slash, _ = path[len(prefix) :].partition("/")
                counts[name + slash] += 1
        names = sorted(counts, key=lambda name: (not name.endswith("/"), name))
        return [f"{name} ({counts[name]} files)" if name.endswith("/") else name for name in names]
