"""Applies edits to a snapshot in order, each one completely or not at all.

The rules beside where a search text is found (see match.py):

- An edit means a place in the file as the model saw it. Once an earlier edit changed that file, the
  place must be the only one there too; if the edit's result is at it already, the edit was said
  twice and counts as applied.
- Deleting or moving a file that an earlier edit removed counts as applied; if it never existed, the
  edit is rejected.
- An empty search creates a file. If the file exists, the edit counts as applied if the file has
  that content already, and is rejected otherwise.
- New text that is not the full file by every sign is rejected unless the reply deletes that file
  first (see full_file.py).
- A quote is rejected if it reads like a change of a file that the reply names.
- Symlinks and submodules are never touched. Binary files and Git LFS pointers may be deleted or
  moved, but not written.
- A file keeps its mode; a new one has 100644. A file that becomes equal to its base is no change.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bot.change.edits import feedback
from bot.change.edits.files import MAX_FILE_BYTES, MAX_FILES, EditRefused, Files
from bot.change.edits.full_file import (
    MIN_KEPT_SHARE,
    find_placeholder,
    full_file_fault,
    has_line_numbers,
    strip_line_numbers,
)
from bot.change.edits.lines import (
    Text,
    count_alphanumerics,
    encode,
    exact,
    is_blank,
    split_lines,
    text_of,
    unindented,
)
from bot.change.edits.locate import locate, was_made
from bot.change.edits.match import Match, find_lines
from bot.change.edits.reindent import replace_all, replace_match
from bot.change.edits.reply.reasoning import holds_reasoning
from bot.types import SyntaxChecker, no_syntax_checks
from bot.types.reply import Edit, EditResult, RejectedEdit
from bot.types.snapshot import Changes, RepositoryView

MAX_EDITS = 1_000
"""How many edits of one reply are looked at."""
_MIN_TELLING_ALPHANUMERICS = 5
"""The fewest letters and digits of a line of several words by which it is recognized."""
_MIN_SHARED_LINES = 3

_DEFINITION = re.compile(
    r"^\s{0,20}(?:export |public |async |pub |static ){0,3}(?:def|class|func|function|fn|interface)\s\w",
    re.MULTILINE,
)
_UNDECODABLE = re.compile("[\udc80-\udcff]")
"""What `surrogateescape` makes of bytes that are not UTF-8."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def apply_edits(
    base: RepositoryView,
    current: Changes,
    edits: Sequence[Edit],
    *,
    seen: Changes | None = None,
    check_syntax: SyntaxChecker = no_syntax_checks,
    max_files: int = MAX_FILES,
    max_file_bytes: int = MAX_FILE_BYTES,
    max_edits: int = MAX_EDITS,
) -> EditResult:
    """The changes of `base` after `current` and the edits. `seen` are the changes that the model was
    shown, if others were made since."""
    shown = current if seen is None else seen
    files = Files(base, current, shown, max_files=max_files, max_file_bytes=max_file_bytes)
    considered = edits[:max_edits]
    files.prefetch(edit.path for edit in considered if edit.path)
    files.expect_removal(edit.path for edit in considered if edit.action in ("delete", "move"))
    applier = _Applier(files, check_syntax)
    applied: list[Edit] = []
    replaced: set[Edit] = set()
    rejected: list[RejectedEdit] = []
    for number, edit in enumerate(edits):
        try:
            if number >= max_edits:
                raise EditRefused(
                    f"The reply has more than {max_edits} edits. Send this one in a later reply."
                )
            # The same words again mean the same place, wherever else they would fit by now.
            if edit.action != "replace" or edit not in replaced:
                applier.apply(_without_copied_signs(edit))
                replaced.add(edit)
            applied.append(edit)
        except EditRefused as refusal:
            rejected.append(RejectedEdit(edit, str(refusal), refusal.is_final))
    done = tuple(edit for edit in applied if edit.action != "quote")
    return EditResult(files.changes, done, tuple(rejected))


@dataclass(frozen=True, slots=True)
class _Applier:
    files: Files
    check_syntax: SyntaxChecker

    def apply(self, edit: Edit) -> None:
        """Raises EditRefused, with nothing changed, if the edit cannot be applied."""
        actions: dict[str, Callable[[Edit], None]] = {
            "replace": self._replace,
            "repeat": self._check_repeat,
            "write": self._write,
            "delete": self._delete,
            "move": self._move,
            "quote": self._check_quote,
        }
        self.files.charge(len(edit.search) + len(edit.replace))
        actions[edit.action](edit)

    def _replace(self, edit: Edit) -> None:
        path = self._resolve(edit.path)
        exists = self.files.exists(path)
        if edit.search.strip():
            if not exists:
                raise self._no_such_file(path)
            self._replace_in_file(path, edit)
        elif not exists or not self.files.read(path):
            self._create(path, edit)
        elif self.files.read_lines(path).bodies != split_lines(edit.replace).bodies:
            raise EditRefused(feedback.exists_already(path))

    def _replace_in_file(self, path: str, edit: Edit) -> None:
        if edit.search == edit.replace:
            raise EditRefused(feedback.same_sides(path))
        text = self.files.read_lines(path)
        match = self._locate(path, text, edit)
        if match is None:
            return
        if edit.line is None or match.start + 1 != edit.line:
            self.files.misnumbered_paths.add(path)
        omitted = find_placeholder(
            match.search.bodies,
            match.replace.bodies,
            elsewhere=text.bodies,
            is_signed=edit.line is not None,
        )
        is_numbered = strip_line_numbers(edit.replace) != edit.replace
        if omitted or is_numbered or holds_reasoning(match.replace.bodies, text.bodies):
            raise EditRefused(feedback.partial_edit(path))
        new = replace_match(text, match)
        if new is None:
            count = match.end - match.start if self.files.use_hint() else 0
            raise EditRefused(feedback.indentation_unclear(path, text, match.start, count))
        seen = self.files.read_seen_lines(path)
        if seen and seen.bodies == new.bodies:
            raise EditRefused(feedback.undoes_earlier(path))
        self.files.write(path, _encode(new.render(), text.render()))

    def _locate(self, path: str, text: Text, edit: Edit) -> Match | None:
        """The place of the edit; None if its result is there already."""
        base = self.files.read_base_lines(path)
        if base and was_made(base, text, edit):
            return None
        return locate(
            path,
            text,
            self.files.read_seen_lines(path),
            edit,
            trust_line=path not in self.files.misnumbered_paths,
            use_hint=self.files.use_hint,
        )

    def _write(self, edit: Edit) -> None:
        path = self.files.resolve(edit.path)
        was_edited = path in self.files.edited_paths
        self.files.edited_paths[path] = None
        if path in self.files.moved_paths:
            raise self._no_such_file(path)
        if not self.files.exists(path) or not self.files.read(path):
            self._create(path, edit)
            return
        old, content = self.files.read_lines(path), edit.replace
        if strip_line_numbers(old.render()) == old.render():
            content = strip_line_numbers(content)
        new = split_lines(content)
        if old.bodies == new.bodies:
            return
        fault = full_file_fault(old, new) or self._undoes_earlier(path, old, new)
        content = replace_all(old, new).render()
        fault = fault or self._syntax_fault(path, old.render(), content)
        seen = self.files.read_seen_lines(path)
        is_old = seen is not None and seen.bodies == new.bodies
        if fault and was_edited and not is_old and self._is_quoted([path], edit.replace):
            return
        if fault or was_edited:
            fault = fault or "differs from what your other edits of it make"
            raise EditRefused(feedback.partial_file(path, fault))
        self.files.misnumbered_paths.add(path)
        self.files.write(path, _encode(content))

    def _undoes_earlier(self, path: str, old: Text, new: Text) -> str | None:
        """Whether lines are missing that earlier edits put into the file."""
        seen = self.files.read_seen_lines(path)
        if seen is None:
            return None
        came = Counter(old.bodies) - Counter(seen.bodies)
        return "lacks what your other edits of it do" if came - Counter(new.bodies) else None

    def _syntax_fault(self, path: str, old: str, new: str) -> str | None:
        (error,) = self.check_syntax([(path, encode(new))])
        if error is None or self.check_syntax([(path, encode(old))])[0]:
            return None
        return f"does not parse, though the file did before ({error})"

    def _create(self, path: str, edit: Edit) -> None:
        """Makes a new file. A path that begins with `./` is meant as it is."""
        content = edit.replace
        fault = full_file_fault(split_lines(""), split_lines(content))
        if strip_line_numbers(content) != content:
            fault = "begins each line with its number"
        if fault:
            raise EditRefused(feedback.partial_file(path, fault))
        meant = self.files.find_meant_path(path)
        if edit.action == "write":
            meant = meant or self._find_similar(path, content)
        if meant and not edit.path.startswith("./"):
            raise EditRefused(feedback.may_be_other_file(path, meant))
        self.files.misnumbered_paths.add(path)
        self.files.write(path, _encode(content))

    def _find_similar(self, path: str, content: str) -> str | None:
        """A file with that name or a similar one, if the new one shares most of its lines."""
        lines = [line.strip() for line in content.split("\n") if not is_blank(line)]
        if len(lines) < _MIN_SHARED_LINES:
            return None
        for other in self.files.find_similar(path):
            text = self.files.read_lines(other)
            shared = (Counter(lines) & Counter(map(unindented, text.bodies))).total()
            if shared >= len(lines) * MIN_KEPT_SHARE:
                return other
        return None

    def _delete(self, edit: Edit) -> None:
        path = self._resolve(edit.path)
        if self.files.exists(path):
            text = self.files.read_lines(path) if edit.search else None
            if text and text.bodies != split_lines(edit.search).bodies:
                raise EditRefused(feedback.other_content(path))
            self.files.remove(path)
        elif not self.files.was_removed(path):
            raise self._no_such_file(path)

    def _move(self, edit: Edit) -> None:
        path, to = self._resolve(edit.path), self._resolve(edit.to)
        if not self.files.exists(path):
            if self.files.was_removed(path) and self.files.exists(to):
                return
            raise self._no_such_file(path)
        if path == to:
            raise EditRefused(f"The edit moves {path} to itself. Leave it out.")
        if self.files.exists(to):
            raise EditRefused(
                f"{path} cannot move to {to}: that file exists. Delete it first, or choose another"
                " path."
            )
        self.files.move(path, to)

    def _check_repeat(self, edit: Edit) -> None:
        """Raises EditRefused unless the file has the edit's result at its place already."""
        path = self._resolve(edit.path)
        if not self.files.exists(path):
            raise self._no_such_file(path)
        if self._locate(path, self.files.read_lines(path), edit):
            raise EditRefused(feedback.no_file_named(edit.search))

    def _check_quote(self, edit: Edit) -> None:
        """Raises EditRefused if the quote is in none of the files that the reply names, before or
        after the edits, but shares lines with one or is said to be of one."""
        named = [self.files.resolve(edit.path)] if edit.path else []
        paths = dict.fromkeys([*named, *self.files.edited_paths])
        if not edit.replace.strip() or self._is_quoted(paths, edit.replace):
            return
        self.files.edited_paths |= dict.fromkeys(named)
        if not edit.path and _DEFINITION.search(edit.replace):
            raise EditRefused(feedback.no_file_named(edit.replace))
        quoted = set(filter(_is_telling, map(unindented, edit.replace.split("\n"))))
        for path in paths:
            is_shared = any(
                not quoted.isdisjoint(map(unindented, text.bodies)) for text in self._texts_of(path)
            )
            if is_shared or path in named:
                raise EditRefused(feedback.unclear_quote(path, edit.replace))

    def _is_quoted(self, paths: Iterable[str], code: str) -> bool:
        """Whether one of the files has these lines now, or had them when the model saw it, without
        regard to indentation and blank lines."""
        quoted = [line for line in map(unindented, code.split("\n")) if line]
        for path in paths if quoted else ():
            for text in self._texts_of(path):
                lines = text_of([line for line in map(unindented, text.bodies) if line])
                if find_lines(lines, quoted, exact, most=1):
                    return True
        return False

    def _texts_of(self, path: str) -> list[Text]:
        now = [self.files.read_lines(path)] if self.files.exists(path) else []
        seen = self.files.read_seen_lines(path)
        return [*now, seen] if seen else now

    def _resolve(self, path: str) -> str:
        resolved = self.files.resolve(path)
        self.files.edited_paths[resolved] = None
        return resolved

    def _no_such_file(self, path: str) -> EditRefused:
        if self.files.was_removed(path):
            return EditRefused(feedback.removed_file(path))
        return EditRefused(feedback.missing_file(path, self.files.find_similar(path)))


def _without_copied_signs(edit: Edit) -> Edit:
    """The edit without the line numbers of what the model was shown. New text may hold such numbers
    itself, unless the search has them too."""
    search, new = strip_line_numbers(edit.search), edit.replace
    if search != edit.search or edit.action == "quote":
        new = strip_line_numbers(new)
        if has_line_numbers(new) and edit.action != "quote":
            return edit
    return replace(edit, search=search, replace=new)


def _is_telling(line: str) -> bool:
    is_long = count_alphanumerics([line]) >= _MIN_TELLING_ALPHANUMERICS
    return is_long and not line.isalnum()


def _encode(text: str, before: str = "") -> bytes:
    """The file's bytes. A file in another encoding gets only ASCII, and a UTF-8 file only UTF-8."""
    new = "" if text.isascii() else "".join(set(text).difference(before))
    if _UNDECODABLE.search(before) and not new.isascii():
        raise EditRefused(
            "The file is not UTF-8, so only plain ASCII can be put into it. Send the edit again"
            " without others."
        )
    if _SURROGATE.search(new):
        raise EditRefused(
            "The edit holds characters that no file can hold (half of a surrogate pair). Send it"
            " again."
        )
    return encode(text)
