"""The files that edits work on: the base with the changes so far, read late, and guarded.

A file that was written whole: whether it really is the whole file, and its text in the old file's
style.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from bot.change.edits.file_names import Tree, new_path_fault, path_fault
from bot.change.edits.lines import Text, decode, exact, is_blank, split
from bot.change.edits.match import Match
from bot.change.edits.reindent import carry
from bot.types.snapshot import Blob, Change, Changes, RepositoryView
from bot.types.text import is_binary, is_lfs_pointer

MAX_FILES = 300
"""How many files one change may touch: more is no change that a person can look over."""
MAX_WORK_NS = 10_000_000_000
"""What all edits of a reply may cost, as `Text` tells it: at most as many nanoseconds of a
processor, often half."""
MAX_HINTS = 20
"""How many refusals of a reply look for what is nearest to what was said."""
MAX_FILE_BYTES = 4_000_000
"""The size of a file that may be edited or made."""

_MAX_KEPT_BYTES = 64_000_000
_MAX_KEPT_TEXTS = 8


class Refused(Exception):
    """An edit that is not applied; the message is for the model. `is_final`: no other form of it
    would be."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class Files:
    """`changes` is what differs from the base; a path that comes to equal the base again leaves
    it."""

    def __init__(
        self, base: RepositoryView, current: Changes, *, max_files: int, max_file_bytes: int
    ) -> None:
        self.changes: dict[str, Change] = dict(current)
        self.misnumbered: set[str] = set()
        """Files in which a hunk stood elsewhere than its header said: no header is followed there
        any more."""
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
        blobs = [
            blob for path in wanted if (blob := self._base.blobs.get(path)) and self._readable(blob)
        ]
        sizes = accumulate(blob.size_bytes for blob in blobs)
        kept = [
            blob
            for blob, size_bytes in zip(blobs, sizes, strict=True)
            if size_bytes <= _MAX_KEPT_BYTES
        ]
        self._contents = {
            blob.path: content for blob, content in zip(kept, self._base.read(kept), strict=True)
        }

    def expect_gone(self, paths: Iterable[str]) -> None:
        """Files that later edits take away are in nobody's way, whatever the order."""
        self._leaving = {path for path in map(self._tree.resolve, paths) if self._tree.has(path)}

    def checked(self, path: str) -> str:
        """The path that is meant, if edits may name it at all."""
        said, path = path, self._tree.resolve(path)
        if said == path and self._tree.is_doubtful(path):
            raise Refused(
                f"There is no directory {path[0]}/. "
                f"Send the path without that prefix, or as `./{path[:200]}` to make it."
            )
        fault = path_fault(path)
        if fault:
            raise Refused(f"The path {path[:200]!r} {fault}. Name a file inside the repository.")
        link = self._tree.link_above(path)
        if link:
            raise Refused(
                f"{path} is, or leads through, {link}: a symlink or a submodule, which edits may"
                " not touch."
            )
        if self._base.policy.is_protected(path):
            raise Refused(
                f"{path} is protected by the repository's settings and stays as it is.",
                is_final=True,
            )
        if self._base.hides(path):
            raise Refused(
                f"{path} is kept from the model by the repository's settings and stays as it is.",
                is_final=True,
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
        return (
            path for path in {**self._base.visible().blobs, **self.changes} if self._tree.has(path)
        )

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
            self._base_lines,
            path,
            lambda: self._split(decode(self._base_content(path)) if known else ""),
        )

    def _split(self, content: str) -> Text:
        text = split(content, self.spend)
        text.pass_over()
        return text

    @staticmethod
    def _kept(texts: dict[str, Text], path: str, make: Callable[[], Text]) -> Text:
        """The text that was made of the file before, as long as few others were: their lines take
        much memory."""
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
            raise Refused(
                f"{path} would be larger than {self._max_file_bytes} bytes. Make it smaller."
            )
        if is_binary(content):
            raise Refused(
                f"The edit of {path} holds a NUL character, which text files may not. Send it"
                " without."
            )
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
            raise Refused(
                f"The change would touch more than {self._max_files} files. Make it smaller."
            )
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
            raise Refused(
                f"{path} is larger than {self._max_file_bytes} bytes, which edits may not touch."
            )
        if path not in self._contents:
            if sum(map(len, self._contents.values())) + blob.size_bytes > _MAX_KEPT_BYTES:
                self._contents.clear()
            self._contents[path] = next(iter(self._base.read([blob])))
        return self._contents[path]

    def _readable(self, blob: Blob) -> bool:
        return blob.mode in ("100644", "100755") and blob.size_bytes <= self._max_file_bytes


_SHORT_LINES, _LONG_LINES = 10, 100
_LEAST_SHARE = 0.2
_STRANGE_SHARE = 0.3
_EXCERPT_LINES = 4
_EXCERPT_SHARE = 0.6
_KNOWN_SHARE = 0.6
"""Of 20,200 files that real commits changed, 25 were changed in a way that these numbers take for a
mistake: at a price of one question each, against a file that is lost."""
_MARKER = re.compile(r"\W{0,12}(?:<{5,12}|(?:&lt;){5,12})\s{0,4}\w{0,40}\W{0,12}", re.IGNORECASE)
"""What opens a conflict, or a search/replace block whose signs were bolded or escaped."""
_LEFT_OUT = re.compile(
    r"\s*+(?:#|//|/\*|<!--|--|;|%|\{/\*|\(\*)?\s*+(?:\.{3}|…)\s*+\(?\s*+(?:the\s++)?"
    r"(?:rest|remaining|remainder|existing|unchanged|same|previous|other|more|omitted|keep)\b.{0,80}",
    re.IGNORECASE,
)


def fault(old: Text, new: Text) -> str | None:
    """Why the new text is not a whole file, as the end of a sentence."""
    if leaves_out(new, old):
        return "leaves lines out"
    if is_edit(new, old):
        return "reads like an edit, not like a file"
    before, after = _lines(old), _lines(new)
    known = (Counter(before) & Counter(after)).total()
    if drops_most(old, new) and (
        len(before) >= _LONG_LINES or known <= len(after) * _STRANGE_SHARE
    ):
        return f"would drop most of its {len(before)} lines"
    is_part = _begins_inside(old, new) or (
        _is_excerpt(before, after) and known >= len(after) * _KNOWN_SHARE
    )
    return "reads like a part of it alone" if is_part else None


def drops_most(old: Text, new: Text) -> bool:
    before, after = len(_lines(old)), len(_lines(new))
    return before >= _SHORT_LINES and after < before * _LEAST_SHARE


def _is_excerpt(before: list[str], after: list[str]) -> bool:
    """Whether much is gone, and what is left begins with a line from inside."""
    if len(before) < _EXCERPT_LINES or not 0 < len(after) < len(before) * _EXCERPT_SHARE:
        return False
    return after[0] != before[0] and after[0] in before


def _begins_inside(old: Text, new: Text) -> bool:
    """Whether the first line is an indented one of the old file, whose own first line is not: so
    began none of 20,200 files that real commits changed."""
    first, was = (
        next((body for body in text.bodies if not is_blank(body)), "") for text in (new, old)
    )
    return first[:1] in (" ", "\t") and was[:1] not in (" ", "\t") and first in old.bodies


def is_edit(new: Text, old: Text) -> bool:
    """Whether the file would begin with the marker of an edit or a conflict that the old one has
    not."""
    first = next((body for body in new.bodies if not is_blank(body)), "")
    return len(first) < 200 and _MARKER.fullmatch(first) is not None and first not in old.bodies


def leaves_out(new: Text, old: Text) -> bool:
    """Whether a line stands for others, such as `# ... rest of the file unchanged ...`, that the
    old file has not."""
    marks = {line for line in new.bodies if len(line) < 200 and _LEFT_OUT.fullmatch(line)}
    return bool(marks.difference(old.bodies)) if marks else False


def carry_whole(old: Text, content: str, strange: str) -> Text:
    """The new text as it is said, with the old file's byte-order mark, line ends and final
    newline."""
    new = split(content)
    bom = old.bom or new.bom
    if "\r\n" in new.ends or not new.bodies:
        return Text(bom, new.bodies, new.ends)
    said = Text("", old.bodies, ["\n"] * len(old.bodies))
    carried = carry(old, Match(0, len(old.bodies), said, new, exact), strange)
    return Text(bom, carried.bodies, carried.ends) if carried else new


def _lines(text: Text) -> list[str]:
    return [body.strip() for body in text.bodies if not is_blank(body)]
