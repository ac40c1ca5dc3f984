"""Which paths an edit may name: inside the repository, never git's own directory, and the same file everywhere.

Git refuses most disguises of `.git` itself (`core.protectNTFS`, `core.protectHFS`); GitHub's API and other people's
machines are behind it, so all are refused here on every system.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from bot.core.edits.lines import composed
from bot.core.tree import Blob, Changes
from bot.errors import BadRequest

_MAX_PATH_BYTES = 1000
_MAX_NAME_BYTES = 255
_IGNORED_BY_HFS = dict.fromkeys(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF, 0x200B, 0x2060, 0x00AD]
)
"""https://github.com/git/git/blob/master/utf8.c (next_hfs_char), and further signs that cannot be seen."""
_SHORT_GIT = re.compile(r"\.?git~\d+")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:[. ].*)?", re.IGNORECASE)
"""https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file"""
_UNPORTABLE = frozenset('<>:"|?*')


def check_path(path: str) -> None:
    """Raises BadRequest where no file of this path may be made in any repository."""
    fault = path_fault(path) or new_path_fault(path)
    if fault:
        raise BadRequest(f"The path {path[:200]!r} {fault}.", next_step="Name a file inside the repository.")


def path_fault(path: str) -> str | None:
    """What forbids any edit of `path`, as the end of a sentence; None where nothing does."""
    if path.startswith(("/", "~/")) or re.match(r"[A-Za-z]:", path):
        return "is not relative to the repository's root"
    if "\\" in path:
        return "has a backslash; use `/`"
    if any(unicodedata.category(sign) == "Cc" for sign in path):
        return "has control characters"
    try:
        size_bytes = len(path.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return "has characters that no path can hold"
    if size_bytes > _MAX_PATH_BYTES:
        return f"is longer than {_MAX_PATH_BYTES} bytes"
    return next((fault for part in path.split("/") if (fault := _part_fault(part))), None)


def new_path_fault(path: str) -> str | None:
    """What forbids making `path` anew, though a repository that already has it may keep it: names that Windows cannot
    hold, and signs that make a name look like another."""
    for part in path.split("/"):
        if _RESERVED.fullmatch(part):
            return f"has the name {part!r}, which Windows reserves"
        if part != part.rstrip(". ") or part != part.lstrip():
            return "has a part that begins with a space or ends in a dot or a space"
        if _UNPORTABLE.intersection(part):
            return "has a character that Windows forbids in names"
        if part != part.translate(_IGNORED_BY_HFS):
            return "has invisible characters"
    return None


def _part_fault(part: str) -> str | None:
    if not part:
        return "has an empty part"
    if part in (".", ".."):
        return f"has a part `{part}`"
    if len(part.encode("utf-8", "surrogateescape")) > _MAX_NAME_BYTES:
        return f"has a part longer than {_MAX_NAME_BYTES} bytes"
    name = unicodedata.normalize("NFKC", part.translate(_IGNORED_BY_HFS)).casefold()
    name = re.split(r"[:\\]", name, maxsplit=1)[0].rstrip(". ")
    if name == ".git" or _SHORT_GIT.fullmatch(name):
        return "is inside git's own directory"
    return None


class Tree:
    """Which paths exist: the base's, with the changes so far."""

    def __init__(self, blobs: Mapping[str, Blob], changes: Changes) -> None:
        self._blobs = blobs
        self._changes = changes
        self._names: _Names | None = None
        self._prefixes: set[str] = set()

    def has(self, path: str) -> bool:
        change = self._changes.get(path)
        return change.content is not None if change else path in self._blobs

    def resolve(self, path: str) -> str:
        """The path that is meant by `./x`, or by `a/x` and `b/x` where a diff's prefix was left on it: such a file is
        there without the prefix, or its directory is, or another path of the reply showed that prefixes were left."""
        if path.startswith("./"):
            return path[2:]
        prefix, short = path[:2], path[2:]
        if not self.is_doubtful(path):
            return path if self.has(path) else self.names.spelling(path)
        if self.has(short):
            self._prefixes.add(prefix)
        return short if prefix in self._prefixes or self.is_dir(short.partition("/")[0]) else path

    def is_doubtful(self, path: str) -> bool:
        """Whether a diff's prefix may have been left on the path: nothing is known of a directory of that name."""
        known = self.has(path) or path[:1] in self._blobs or self.is_dir(path[:1])
        return path[:2] in ("a/", "b/") and len(path) > 2 and not known

    def is_dir(self, path: str) -> bool:
        return self.names.dirs[path] > 0

    @property
    def names(self) -> _Names:
        if self._names is None:
            gone = {path for path, change in self._changes.items() if change.content is None}
            self._names = _Names(path for path in {**self._blobs, **self._changes} if path not in gone)
        return self._names

    def note(self, path: str, *, exists: bool) -> None:
        """Tells of a change before it is made."""
        if self._names is not None and self.has(path) != exists:
            self._names.note(path, 1 if exists else -1)

    def link_above(self, path: str) -> str | None:
        """The symlink or submodule that the path leads through or is."""
        for part in (*_parents(path), path):
            blob = self._blobs.get(part)
            if blob and blob.mode in ("120000", "160000"):
                return part
        return None

    def place_fault(self, path: str, leaving: Collection[str] = ()) -> str | None:
        """What is in the way of a new file at `path`, as the end of a sentence; `leaving` are files that will go."""
        above = next((part for part in _parents(path) if self.has(part) and part not in leaving), None)
        if above:
            return f"needs a directory where `{above}` is a file"
        going = {other for other in leaving if self.has(other)}
        if self.names.stays_dir(path, going):
            return "is a directory"
        twins = (self.names.twin(part, going) for part in (*_parents(path), path))
        twin = next((twin for twin in twins if twin), None)
        return f"differs from `{twin}` only in case, which many systems cannot keep apart" if twin else None


class _Names:
    """Counts of the files under each directory, and all names without regard to case."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.dirs: Counter[str] = Counter()
        self._files: Counter[str] = Counter()
        self._twins: dict[str, set[str]] = {}
        for path in paths:
            self.note(path, 1)

    def note(self, path: str, step: int) -> None:
        self._files[path] += step
        self._twins.setdefault(_fold(path), set()).add(path)
        for part in _parents(path):
            if part not in self.dirs:
                self._twins.setdefault(_fold(part), set()).add(part)
            self.dirs[part] += step

    def spelling(self, path: str) -> str:
        """The path as an existing file spells it in other code points: macOS decomposes what others compose."""
        same = composed(path)
        others = () if path.isascii() else self._twins.get(_fold(path), ())
        found = [other for other in others if self._files[other] > 0 and composed(other) == same]
        return found[0] if len(found) == 1 else path

    def stays_dir(self, path: str, going: Collection[str]) -> bool:
        count = self.dirs[path]
        return count > 0 and count > sum(other.startswith(f"{path}/") for other in going)

    def twin(self, path: str, going: Collection[str]) -> str | None:
        """Another name that only case tells from `path`, and that is there once `going` is gone."""
        twins = self._twins.get(_fold(path), ())
        others = sorted(other for other in twins if other != path and other not in going)
        return next((other for other in others if self._files[other] > 0 or self.stays_dir(other, going)), None)


def _parents(path: str) -> Iterator[str]:
    slash = path.find("/")
    while slash >= 0:
        yield path[:slash]
        slash = path.find("/", slash + 1)


def _fold(path: str) -> str:
    return path.lower() if path.isascii() else composed(path).casefold()
