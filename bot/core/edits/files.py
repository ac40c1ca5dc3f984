"""The files that edits work on: the base with the changes so far, read late, and guarded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from bot.core.edits.lines import Text, decode, split
from bot.core.edits.paths import Tree, new_path_fault, path_fault
from bot.core.text import is_binary, is_lfs_pointer
from bot.core.tree import Blob, Change, Changes, Snapshot

MAX_FILES = 300
"""How many files one change may touch: more is no change that a person can look over."""
MAX_WORK_NS = 10_000_000_000
"""What all edits of a reply may cost, as `Text` tells it: at most as many nanoseconds of a processor, often half."""
MAX_HINTS = 20
"""How many refusals of a reply look for what is nearest to what was said."""
MAX_FILE_BYTES = 4_000_000
"""The size of a file that may be edited or made."""

_MAX_KEPT_BYTES = 64_000_000
_MAX_KEPT_TEXTS = 8


class Refused(Exception):
    """An edit that is not applied; the message is for the model. `is_final`: no other form of it would be."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class Files:
    """`changes` is what differs from the base; a path that comes to equal the base again leaves it."""

    def __init__(self, base: Snapshot, current: Changes, *, max_files: int, max_file_bytes: int) -> None:
        self.changes: dict[str, Change] = dict(current)
        self.misnumbered: set[str] = set()
        """Files in which a hunk stood elsewhere than its header said: no header is followed there any more."""
        self.fancy = ""
        """Typographic signs that the reply uses in place of plain ones."""
        self._base = base
        self._tree = Tree(base.blobs, self.changes)
        self._leaving: set[str] = set()
        self._work_ns = 0
        self._hints = 0
        self._max_files = max_files
        self._max_file_bytes = max_file_bytes
        self._contents: dict[str, bytes] = {}
        self._lines: dict[str, Text] = {}
        self._base_lines: dict[str, Text] = {}

    def prefetch(self, paths: Iterable[str]) -> None:
        """Reads in one go what the edits will need of the base, as far as it may be kept."""
        wanted = dict.fromkeys(map(self._tree.resolve, paths))
        blobs = [blob for path in wanted if (blob := self._base.blobs.get(path)) and self._readable(blob)]
        sizes = accumulate(blob.size_bytes for blob in blobs)
        kept = [blob for blob, size_bytes in zip(blobs, sizes, strict=True) if size_bytes <= _MAX_KEPT_BYTES]
        self._contents = {blob.path: content for blob, content in zip(kept, self._base.read(kept), strict=True)}

    def expect_gone(self, paths: Iterable[str]) -> None:
        """Files that later edits take away are in nobody's way, whatever the order."""
        self._leaving = {path for path in map(self._tree.resolve, paths) if self._tree.has(path)}

    def checked(self, path: str) -> str:
        """The path that is meant, if edits may name it at all."""
        said, path = path, self._tree.resolve(path)
        if said == path and self._tree.is_doubtful(path):
            raise Refused(
                f"There is no directory {path[0]}/. Send the path without that prefix, or as "
                f"`./{path[:200]}` to make it."
            )
        fault = path_fault(path)
        if fault:
            raise Refused(f"The path {path[:200]!r} {fault}. Name a file inside the repository.")
        link = self._tree.link_above(path)
        if link:
            raise Refused(f"{path} is, or leads through, {link}: a symlink or a submodule, which edits may not touch.")
        if self._base.is_protected(path):
            raise Refused(f"{path} is protected by the repository's settings and stays as it is.", is_final=True)
        if self._base.hides(path):
            raise Refused(
                f"{path} is kept from the model by the repository's settings and stays as it is.", is_final=True
            )
        return path

    def exists(self, path: str) -> bool:
        return self._tree.has(path)

    def spend(self, work_ns: int) -> None:
        self._work_ns += work_ns
        if self._work_ns > MAX_WORK_NS:
            raise Refused("The reply's edits take too much work. Send this one in a later reply.")

    def may_hint(self) -> bool:
        self._hints += 1
        return self._hints <= MAX_HINTS

    def paths(self) -> Iterator[str]:
        return (path for path in {**self._base.visible().blobs, **self.changes} if self._tree.has(path))

    def was_removed(self, path: str) -> bool:
        change = self.changes.get(path)
        return change is not None and change.content is None

    def is_changed(self, path: str) -> bool:
        return path in self.changes

    def content(self, path: str) -> bytes:
        change = self.changes.get(path)
        if change:
            return change.content or b""
        return self._base_content(path)

    def text(self, path: str) -> str:
        content = self.content(path)
        self.spend(len(content))
        if is_binary(content):
            raise Refused(f"{path} is a binary file, which edits may not touch.")
        if is_lfs_pointer(content):
            raise Refused(f"{path} is kept in Git LFS, which edits may not touch.")
        return decode(content)

    def lines(self, path: str) -> Text:
        return self._kept(self._lines, path, lambda: self._split(self.text(path)))

    def base_lines(self, path: str) -> Text:
        known = path in self._base.blobs
        return self._kept(
            self._base_lines, path, lambda: self._split(decode(self._base_content(path)) if known else "")
        )

    def _split(self, content: str) -> Text:
        text = split(content, self.spend)
        text.pass_over()
        return text

    @staticmethod
    def _kept(texts: dict[str, Text], path: str, make: Callable[[], Text]) -> Text:
        """The text that was made of the file before, as long as few others were: their lines take much memory."""
        if path not in texts:
            if len(texts) >= _MAX_KEPT_TEXTS:
                texts.clear()
            texts[path] = make()
        return texts[path]

    def put(self, path: str, content: bytes) -> None:
        """Makes or changes a file; an existing one keeps its mode."""
        if self.exists(path):
            self.text(path)
        else:
            self._check_new(path)
        if len(content) > self._max_file_bytes:
            raise Refused(f"{path} would be larger than {self._max_file_bytes} bytes. Make it smaller.")
        if is_binary(content):
            raise Refused(f"The edit of {path} holds a NUL character, which text files may not. Send it without.")
        self._set(path, Change(path, content, self._mode(path)))

    def remove(self, path: str) -> None:
        self._set(path, Change(path, None, self._mode(path)))

    def move(self, path: str, to: str) -> None:
        content, mode = self.content(path), self._mode(path)
        self._tree.note(path, exists=False)
        try:
            self._check_new(to)
        finally:
            self._tree.note(path, exists=True)
        self._set(path, Change(path, None, mode))
        self._set(to, Change(to, content, mode))

    def _check_new(self, path: str) -> None:
        fault = new_path_fault(path) or self._tree.place_fault(path, self._leaving)
        if fault and path not in self._base.blobs:
            raise Refused(f"A new file {path} cannot be made: it {fault}. Choose another path.")

    def _set(self, path: str, change: Change) -> None:
        is_new = path not in self.changes
        if is_new and len(self.changes) >= self._max_files:
            raise Refused(f"The change would touch more than {self._max_files} files. Make it smaller.")
        self._tree.note(path, exists=change.content is not None)
        self._lines.pop(path, None)
        if self._is_base(path, change):
            self.changes.pop(path, None)
        else:
            self.changes[path] = change

    def _is_base(self, path: str, change: Change) -> bool:
        blob = self._base.blobs.get(path)
        if blob is None or change.content is None:
            return blob is None and change.content is None
        return blob.mode == change.mode and change.content == self._base_content(path)

    def _mode(self, path: str) -> str:
        change = self.changes.get(path)
        if change:
            return change.mode
        blob = self._base.blobs.get(path)
        return blob.mode if blob else "100644"

    def _base_content(self, path: str) -> bytes:
        blob = self._base.blobs[path]
        if not self._readable(blob):
            raise Refused(f"{path} is larger than {self._max_file_bytes} bytes, which edits may not touch.")
        if path not in self._contents:
            if sum(map(len, self._contents.values())) + blob.size_bytes > _MAX_KEPT_BYTES:
                self._contents.clear()
            self._contents[path] = next(iter(self._base.read([blob])))
        return self._contents[path]

    def _readable(self, blob: Blob) -> bool:
        return blob.mode in ("100644", "100755") and blob.size_bytes <= self._max_file_bytes
