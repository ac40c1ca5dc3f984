"""The files that edits work on: which paths an edit may name, which files exist, and their
contents, loaded when they are needed.

A path must be inside the repository, never inside git's own directory, and mean the same file on
every system. Git refuses most disguises of `.git` (`core.protectNTFS`, `core.protectHFS`), but
GitHub's API and other people's machines read the change too: so all of them are refused here on
every system.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, islice

from bot.change.edits.lines import Text, compose, decode, split_lines
from bot.types.characters import find_look_alikes, find_unseen, name_character
from bot.types.names import close_names
from bot.types.snapshot import Blob, Change, Changes, RepositoryView
from bot.types.text import is_binary, is_lfs_pointer

MAX_FILES = 300
"""How many files one change may touch: nobody reviews a larger one."""
MAX_FILE_BYTES = 4_000_000
"""The size of a file that may be changed or created."""
MAX_WORK_NS = 10_000_000_000
"""What all edits of a reply may cost, as `Text` estimates it: an upper bound of the processor's
time, which is often half of that."""
MAX_HINTS = 20
"""How many rejections of a reply may search for the nearest lines or names."""

_NS_PER_CHAR = 100
_CHARS_PER_LINE = 5
"""What a line costs beside its characters. Both are what the slowest edits were measured to take."""
_MAX_CACHED_BYTES = 64_000_000
_MAX_CACHED_TEXTS = 8
_FILE_MODES = ("100644", "100755")
_LINK_MODES = ("120000", "160000")

_MAX_SIMILAR_PATHS = 3
_MAX_PATH_BYTES = 1000
_MAX_NAME_BYTES = 255
_INVISIBLE_SIGNS = dict.fromkeys(
    [
        *range(0x200C, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x206A, 0x2070),
        0xFEFF,
        0x200B,
        0x2060,
        0x00AD,
    ]
)
"""Those that macOS ignores in names (next_hfs_char of
https://github.com/git/git/blob/master/utf8.c), and three more."""
_GIT_SHORT_NAME = re.compile(r"\.?git~\d+")
_WINDOWS_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:[. ].*)?", re.IGNORECASE
)
"""https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file"""
_WINDOWS_FORBIDDEN = frozenset('<>:"|?*')


class EditRefused(Exception):
    """An edit that is not applied; the message is for the model. `is_final`: the settings forbid
    it in any form."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class Files:
    """The base with the changes so far. `changes` holds what differs from the base: a file that
    becomes equal to its base again is removed from it."""

    def __init__(
        self,
        base: RepositoryView,
        current: Changes,
        seen: Changes,
        *,
        max_files: int,
        max_file_bytes: int,
    ) -> None:
        self.changes: dict[str, Change] = dict(current)
        self.misnumbered_paths: set[str] = set()
        """Files in which a hunk was not where its header said, or that other edits changed: further
        line numbers of them are ignored."""
        self.edited_paths: dict[str, None] = {}
        """Those that edits of the reply name, in their order."""
        self.moved_paths: set[str] = set()
        """Those that edits of the reply moved files away from."""
        self._seen = seen
        self._base = base
        self._tree = _Tree(base.blobs, self.changes)
        self._removed_later: set[str] = set()
        self._work_ns = 0
        self._hints = 0
        self._max_files = max_files
        self._max_file_bytes = max_file_bytes
        self._base_contents: dict[str, bytes] = {}
        self._split = lru_cache(_MAX_CACHED_TEXTS)(lambda content: split_lines(decode(content)))

    def prefetch(self, paths: Iterable[str]) -> None:
        """Reads the base contents of the paths in one call, as many as may be cached."""
        wanted = dict.fromkeys(map(self._tree.resolve, paths))
        blobs = [self._base.blobs[path] for path in wanted if path in self._base.blobs]
        readable = [blob for blob in blobs if self._is_readable(blob)]
        sums_bytes = list(accumulate(blob.size_bytes for blob in readable))
        self._load(readable[: bisect_right(sums_bytes, _MAX_CACHED_BYTES)])

    def expect_removal(self, paths: Iterable[str]) -> None:
        """Tells which files later edits delete or move: a new file may take their place, whatever
        the order of the edits."""
        resolved = map(self._tree.resolve, paths)
        self._removed_later = {path for path in resolved if self._tree.has(path)}

    def resolve(self, path: str) -> str:
        """The path that is meant; raises EditRefused if edits may not name it."""
        path = self._tree.resolve(path)
        fault = path_fault(path)
        if fault:
            raise EditRefused(
                f"The path {path[:200]!r} {fault}. Name a file inside the repository."
            )
        link = self._tree.find_link(path)
        if link:
            raise EditRefused(
                f"{path} is, or leads through, {link}: a symlink or a submodule, which edits may"
                " not touch."
            )
        if self._base.policy.is_protected(path):
            raise EditRefused(
                f"{path} is protected by the repository's settings and stays as it is.",
                is_final=True,
            )
        if self._base.hides(path):
            raise EditRefused(
                f"{path} is kept from the model by the repository's settings and stays as it is.",
                is_final=True,
            )
        return path

    def charge(self, size_chars: int) -> None:
        """Adds what an edit of a text of this size may cost, looking at each character a few times;
        raises EditRefused if the reply's edits cost too much."""
        self._work_ns += _NS_PER_CHAR * size_chars
        if self._work_ns > MAX_WORK_NS:
            raise EditRefused(
                "The reply's edits take too much work. Send this one in a later reply."
            )

    def use_hint(self) -> bool:
        """Counts one more search for a hint; False if the reply's rejections had enough."""
        self._hints += 1
        return self._hints <= MAX_HINTS

    def exists(self, path: str) -> bool:
        return self._tree.has(path)

    def was_removed(self, path: str) -> bool:
        change = self.changes.get(path)
        return change is not None and change.content is None

    def find_meant_path(self, path: str) -> str | None:
        """The path that a new one may mean, if its first directory is not the repository's."""
        return self._tree.meant_path(path)

    def find_similar(self, path: str) -> list[str]:
        """Up to three existing paths, of those that the model may be shown, whose file has the same
        name or nearly so. Names that differ are compared for a few paths of a reply alone."""
        name = _file_name(path)
        names = [name] if name in self._visible_by_name else []
        if not names and self.use_hint():
            names = close_names(name, self._visible_by_name, most=2, least_likeness=0.8)
        found = (other for each in names for other in self._visible_by_name[each])
        return list(islice(filter(self._tree.has, found), _MAX_SIMILAR_PATHS))

    @cached_property
    def _visible_by_name(self) -> dict[str, list[str]]:
        by_name: dict[str, list[str]] = {}
        for path in self._base.visible().blobs:
            by_name.setdefault(_file_name(path), []).append(path)
        return by_name

    def read(self, path: str) -> bytes:
        change = self.changes.get(path)
        return (change.content or b"") if change else self._read_base(path)

    def read_lines(self, path: str) -> Text:
        """Raises EditRefused for files that are no text."""
        content = self.read(path)
        self.charge(len(content) + _CHARS_PER_LINE * content.count(b"\n"))
        if is_binary(content):
            raise EditRefused(f"{path} is a binary file, which edits may not touch.")
        if is_lfs_pointer(content):
            raise EditRefused(f"{path} is kept in Git LFS, which edits may not touch.")
        return self._split(content)

    def read_seen_lines(self, path: str) -> Text | None:
        """The lines that the file had when the model saw it; None if it has them still, or was not
        there."""
        seen = self._seen.get(path)
        if seen == self.changes.get(path) or not (seen or path in self._base.blobs):
            return None
        return self._split((seen.content or b"") if seen else self._read_base(path))

    def read_base_lines(self, path: str) -> Text | None:
        """The lines that the file has in the base; None if it has them still, or is new."""
        is_changed = path in self.changes and path in self._base.blobs
        return self._split(self._read_base(path)) if is_changed else None

    def write(self, path: str, content: bytes) -> None:
        """Creates or changes a file; an existing one keeps its mode."""
        if not self.exists(path):
            self._check_new(path)
        if len(content) > self._max_file_bytes:
            raise EditRefused(
                f"{path} would be larger than {self._max_file_bytes} bytes. Make it smaller."
            )
        if is_binary(content):
            raise EditRefused(
                f"The edit of {path} holds a NUL character, which text files may not. Send it"
                " without."
            )
        self._set(path, Change(path, content, self._mode(path)))

    def remove(self, path: str) -> None:
        self._set(path, Change(path, None, self._mode(path)))

    def move(self, path: str, to: str) -> None:
        content, mode = self.read(path), self._mode(path)
        self._check_new(to, path)
        self._set(path, Change(path, None, mode))
        self._set(to, Change(to, content, mode))
        self.moved_paths.add(path)

    def _check_new(self, path: str, *moved: str) -> None:
        """`moved` is the file that takes the path, if one does."""
        gone = self._removed_later.union(moved)
        fault = new_path_fault(path) or self._tree.new_file_fault(path, gone)
        if fault and path not in self._base.blobs:
            raise EditRefused(f"A new file {path} cannot be made: it {fault}. Choose another path.")

    def _set(self, path: str, change: Change) -> None:
        if path not in self.changes and len(self.changes) >= self._max_files:
            raise EditRefused(
                f"The change would touch more than {self._max_files} files. Make it smaller."
            )
        self._tree.note_change(path, exists=change.content is not None)
        if self._equals_base(path, change):
            self.changes.pop(path, None)
        else:
            self.changes[path] = change

    def _equals_base(self, path: str, change: Change) -> bool:
        blob = self._base.blobs.get(path)
        if blob is None or change.content is None:
            return blob is None and change.content is None
        return blob.mode == change.mode and change.content == self._read_base(path)

    def _mode(self, path: str) -> str:
        file = self.changes.get(path) or self._base.blobs.get(path)
        return file.mode if file else "100644"

    def _read_base(self, path: str) -> bytes:
        blob = self._base.blobs[path]
        if not self._is_readable(blob):
            raise EditRefused(
                f"{path} is larger than {self._max_file_bytes} bytes, which edits may not touch."
            )
        if path not in self._base_contents:
            self._load([blob])
        return self._base_contents[path]

    def _load(self, blobs: Sequence[Blob]) -> None:
        """Reads their contents in one call, and forgets others if they would be too large."""
        kept_bytes = sum(map(len, self._base_contents.values()))
        if kept_bytes + sum(blob.size_bytes for blob in blobs) > _MAX_CACHED_BYTES:
            self._base_contents.clear()
        contents = zip(blobs, self._base.read(blobs), strict=True)
        self._base_contents |= {blob.path: content for blob, content in contents}

    def _is_readable(self, blob: Blob) -> bool:
        return blob.mode in _FILE_MODES and blob.size_bytes <= self._max_file_bytes


def _file_name(path: str) -> str:
    return path.rpartition("/")[2].lower()


def path_fault(path: str) -> str | None:
    """Why no edit may name `path`, as the end of a sentence; None if edits may."""
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
    for part in path.split("/"):
        fault = _part_fault(part)
        if fault:
            return fault
    return None


def _part_fault(part: str) -> str | None:
    if not part:
        return "has an empty part"
    if part in (".", ".."):
        return f"has a part `{part}`"
    if len(part.encode("utf-8", "surrogateescape")) > _MAX_NAME_BYTES:
        return f"has a part longer than {_MAX_NAME_BYTES} bytes"
    name = unicodedata.normalize("NFKC", part.translate(_INVISIBLE_SIGNS)).casefold()
    name = re.split(r"[:\\]", name, maxsplit=1)[0].rstrip(". ")
    if name == ".git" or _GIT_SHORT_NAME.fullmatch(name):
        return "is inside git's own directory"
    return None


def new_path_fault(path: str) -> str | None:
    """Why no edit may create `path`, as the end of a sentence: names that Windows cannot hold, and
    characters that make a name look like another. A repository that has such a file may keep it."""
    for part in path.split("/"):
        if _WINDOWS_RESERVED.fullmatch(part):
            return f"has the name {part!r}, which Windows reserves"
        if part != part.rstrip(". ") or part != part.lstrip():
            return "has a part that begins with a space or ends in a dot or a space"
        if _WINDOWS_FORBIDDEN.intersection(part):
            return "has a character that Windows forbids in names"
    for _index, character in find_unseen(path):
        return f"has {name_character(character)}, which people do not see"
    for word in find_look_alikes(path):
        return f"has the word {word!r}, with letters that look like others"
    return None


class _Tree:
    """Which paths exist: those of the base, with the changes so far."""

    def __init__(self, blobs: Mapping[str, Blob], changes: Changes) -> None:
        self._blobs = blobs
        self._changes = changes
        self._counts: dict[str, Counter[str]] = {}
        """How many files each name, of a file or a directory, has at or under it, by the name
        without regard to case. Made at first use: most replies change existing files only."""

    def has(self, path: str) -> bool:
        change = self._changes.get(path)
        return change.content is not None if change else path in self._blobs

    def resolve(self, path: str) -> str:
        """The path without `./`, with slashes, and without a diff's `a/` or `b/` if that leads to a
        file. A path that begins with `./` is meant as it is."""
        if path.startswith("./"):
            return path[2:]
        slashed = path.replace("\\", "/")
        if self.has(slashed) or self._is_directory(slashed.rpartition("/")[0]):
            path = slashed
        is_prefixed = path.startswith(("a/", "b/")) and not self.has(path)
        return path[2:] if is_prefixed and self.has(path[2:]) else path

    def meant_path(self, path: str) -> str | None:
        """What is left of a new path without its first directory, if that does not exist, and is a
        diff's prefix or leads into one that does: the repository's own name may stand there."""
        first, _, rest = path.partition("/")
        if first in self._blobs or self._is_directory(first):
            return None
        is_meant = first in ("a", "b") or self._is_directory(rest.rpartition("/")[0])
        return rest if is_meant and rest else None

    def note_change(self, path: str, *, exists: bool) -> None:
        """To be called before `changes` says so."""
        if self._counts and self.has(path) != exists:
            self._count(path, 1 if exists else -1)

    def find_link(self, path: str) -> str | None:
        """The symlink or submodule that the path is or leads through."""
        for part in _with_parents(path):
            blob = self._blobs.get(part)
            if blob and blob.mode in _LINK_MODES:
                return part
        return None

    def new_file_fault(self, path: str, gone: Collection[str]) -> str | None:
        """What prevents a new file at `path` once the files `gone` are, as the end of a sentence."""
        removed = [other for other in gone if self.has(other)]
        for name in _with_parents(path):
            for other, count in self._names_like(name).items():
                if count <= sum(_is_at_or_under(each, other) for each in removed):
                    continue
                if other != name:
                    return (
                        f"differs from `{other}` only in case, which many systems cannot keep apart"
                    )
                if name == path:
                    return "is a directory"
                if self.has(name):
                    return f"needs a directory where `{name}` is a file"
        return None

    def _is_directory(self, path: str) -> bool:
        return self._names_like(path)[path] > self.has(path)

    def _names_like(self, name: str) -> Counter[str]:
        """The counts of all names that differ from this one only in case."""
        if not self._counts:
            for path in {**self._blobs, **self._changes}:
                if self.has(path):
                    self._count(path, 1)
        return self._counts.get(_fold_case(name), Counter())

    def _count(self, path: str, number: int) -> None:
        for name in _with_parents(path):
            self._counts.setdefault(_fold_case(name), Counter())[name] += number


def _with_parents(path: str) -> Iterator[str]:
    """The directories above, outermost first, and the path."""
    return accumulate(path.split("/"), "{}/{}".format)


def _is_at_or_under(path: str, name: str) -> bool:
    return path == name or path.startswith(f"{name}/")


def _fold_case(path: str) -> str:
    return path.lower() if path.isascii() else compose(path).casefold()
