"""The repository before and after a change, with the names in the files of both that were read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from bot.change.checks.modules import ModuleFinder
from bot.change.edits.files import MAX_FILE_BYTES
from bot.change.repository import with_changes
from bot.types.snapshot import Blob, Changes, RepositoryView
from bot.types.source_names import Import, NameReader, SourceNames

MAX_PARSED_BYTES = 500_000
"""Larger files are generated, and parsing them takes seconds."""
MAX_CHANGED_FILES = 100
"""Of a change, so many files are parsed at most."""

_Key = tuple[str, str]
"""A path and the id of its content."""


class Versions:
    """Both sides of a change. A content that both have is parsed once."""

    def __init__(self, base: RepositoryView, changes: Changes, read_names: NameReader) -> None:
        self._read_names = read_names
        self._names: dict[_Key, SourceNames | None] = {}
        self.before = Version(base, self._names)
        self.after = Version(with_changes(base, changes), self._names)

    def read(self, paths: Iterable[str]) -> None:
        """Parses these files, before and after, in one go."""
        self._read((version, path) for path in paths for version in (self.before, self.after))

    def read_imported(self, paths: Iterable[str], most: int) -> None:
        """Parses what these files import from the repository."""
        wanted = {
            (version, target): None
            for path in paths
            for version in (self.before, self.after)
            for _each, found in version.targets(path)
            for target in found
        }
        self._read(list(wanted)[:most])

    def _read(self, wanted: Iterable[tuple[Version, str]]) -> None:
        files: list[tuple[str, bytes]] = []
        keys: list[_Key] = []
        paths_of: dict[Version, list[str]] = {self.before: [], self.after: []}
        for version, path in wanted:
            paths_of[version].append(path)
        for version, paths in paths_of.items():
            found = (version.view.blobs.get(path) for path in dict.fromkeys(paths))
            blobs = [blob for blob in found if blob is not None and self._is_to_be_read(blob, keys)]
            keys += ((blob.path, blob.oid) for blob in blobs)
            files += zip((blob.path for blob in blobs), version.view.read(blobs), strict=True)
        if files:
            self._names.update(zip(keys, self._read_names(files), strict=True))

    def _is_to_be_read(self, blob: Blob, keys: Collection[_Key]) -> bool:
        key = (blob.path, blob.oid)
        is_small = blob.mode.startswith("100") and blob.size_bytes <= MAX_PARSED_BYTES
        return is_small and key not in self._names and key not in keys


class Version:
    """One side of a change. `modules` finds the file that an import means."""

    def __init__(self, view: RepositoryView, names: Mapping[_Key, SourceNames | None]) -> None:
        self.view = view
        self.modules = ModuleFinder(view.blobs)
        self._names = names
        self._packages: dict[str, list[str]] = {}
        self._targets: dict[str, list[tuple[Import, list[str]]]] = {}

    def of(self, path: str) -> SourceNames | None:
        """None if the file was not read, does not parse, or is not there."""
        blob = self.view.blobs.get(path)
        return self._names.get((path, blob.oid)) if blob is not None else None

    def targets(self, path: str) -> Sequence[tuple[Import, list[str]]]:
        """The imports of a file from inside the repository, each with the files that may be meant;
        none if nothing is there."""
        names = self.of(path)
        if names is None:
            return ()
        if path not in self._targets:
            found = ((each, self.modules.find(path, each)) for each in names.imports)
            self._targets[path] = [(each, files) for each, files in found if files is not None]
        return self._targets[path]

    def package(self, path: str) -> list[str]:
        """The files of Go in the folder of a file."""
        if not self._packages:
            for each in self.view.blobs:
                if each.endswith(".go"):
                    self._packages.setdefault(each.rpartition("/")[0], []).append(each)
        return self._packages.get(path.rpartition("/")[0], [])


def read_base(base: RepositoryView, path: str) -> bytes | None:
    """The file's content in the base; None if it is new, not a regular file, or too large to be
    edited."""
    blob = base.blobs.get(path)
    if blob is None or blob.mode not in ("100644", "100755") or blob.size_bytes > MAX_FILE_BYTES:
        return None
    return next(iter(base.read([blob])))
