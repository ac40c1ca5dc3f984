"""Applies edits to a snapshot in order, each one completely or not at all.

The rules beside where a search text is found (see match.py):

- Deleting or moving a file that an earlier edit removed counts as applied; if it never existed, the
  edit is rejected.
- An empty search creates a file. If the file exists, the edit counts as applied if the file has
  that content already, and is rejected otherwise.
- New text that is not the full file (`… rest unchanged …`, an excerpt), or that drops most of a
  large file, is rejected unless the reply deletes that file first.
- An edit that occurred before in the same reply, or whose result an earlier one already made,
  counts as applied.
- Symlinks and submodules are never touched. Binary files and Git LFS pointers may be deleted or
  moved, but not written.
- A file keeps its mode; a new one has 100644. A file that becomes equal to its base is no change.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from bot.change.edits import feedback
from bot.change.edits.blocks import other_splits
from bot.change.edits.files import MAX_FILE_BYTES, MAX_FILES, EditRefused, Files
from bot.change.edits.lines import (
    Text,
    count_alphanumerics,
    encode,
    exact,
    is_blank,
    split_lines,
    unindented,
)
from bot.change.edits.match import (
    MIN_ALPHANUMERICS,
    Match,
    NoMatch,
    find_lines,
    find_match,
    find_within_lines,
    has_elision,
)
from bot.change.edits.reindent import (
    find_typography,
    replace_all,
    replace_match,
    unused_typography,
)
from bot.types.reply import Edit, EditResult, RejectedEdit
from bot.types.snapshot import Changes, RepositoryView

MAX_EDITS = 1_000
"""How many edits of one reply are looked at."""

_UNDECODABLE = re.compile("[\udc80-\udcff]")
"""What `surrogateescape` makes of bytes that are not UTF-8."""
_SURROGATE = re.compile("[\ud800-\udfff]")

# Whether new text is the full file. Of 20,200 files that real commits changed, these limits take 25
# for a mistake: each costs one question to the model, against the loss of a file.
_MIN_LINES_FOR_LOSS = 10
_MANY_LINES = 100
"""A file with as many lines may not lose most of them, whatever the new text looks like."""
_MIN_SHARE_OF_LINES = 0.2
_MAX_KNOWN_SHARE_OF_REWRITE = 0.3
_MIN_LINES_FOR_EXCERPT = 4
_MAX_EXCERPT_SHARE = 0.6
_MIN_KNOWN_SHARE_OF_EXCERPT = 0.6
_MAX_MARKER_CHARS = 200
_INDENTATION = (" ", "\t")
_EDIT_MARKER = re.compile(
    r"\W{0,12}(?:<{5,12}|(?:&lt;){5,12})\s{0,4}\w{0,40}\W{0,12}", re.IGNORECASE
)
"""What opens a conflict, or a search/replace block whose marker is bold or escaped."""
_OMISSION = re.compile(
    r"\s*+(?:#|//|/\*|<!--|--|;|%|\{/\*|\(\*)?\s*+(?:\.{3}|…)\s*+\(?\s*+(?:the\s++)?"
    r"(?:rest|remaining|remainder|existing|unchanged|same|previous|other|more|omitted|keep)\b"
    r".{0,80}",
    re.IGNORECASE,
)


def apply_edits(
    base: RepositoryView,
    current: Changes,
    edits: Sequence[Edit],
    *,
    max_files: int = MAX_FILES,
    max_file_bytes: int = MAX_FILE_BYTES,
    max_edits: int = MAX_EDITS,
) -> EditResult:
    """The changes of `base` after `current` and the edits."""
    files = Files(base, current, max_files=max_files, max_file_bytes=max_file_bytes)
    considered = edits[:max_edits]
    files.typography = find_typography(considered)
    files.prefetch(edit.path for edit in considered)
    files.expect_removal(edit.path for edit in considered if edit.action in ("delete", "move"))
    applied: list[Edit] = []
    known: set[Edit] = set()
    rejected: list[RejectedEdit] = []
    for number, edit in enumerate(edits):
        try:
            if number >= max_edits:
                raise EditRefused(
                    f"The reply has more than {max_edits} edits. Send this one in a later reply."
                )
            if edit not in known:
                _ACTIONS[edit.action](files, edit)
            known.add(edit)
            applied.append(edit)
        except EditRefused as refusal:
            rejected.append(RejectedEdit(edit, str(refusal), refusal.is_final))
    return EditResult(files.changes, tuple(applied), tuple(rejected))


def _replace(files: Files, edit: Edit) -> None:
    path = files.resolve(edit.path)
    exists = files.exists(path)
    if edit.search.strip():
        if not exists:
            raise _no_such_file(files, path)
        _replace_in_file(files, path, edit)
    elif not exists or not files.read(path):
        files.write(path, _new_content(path, edit.replace))
    elif files.read_lines(path).bodies != split_lines(edit.replace).bodies:
        raise EditRefused(feedback.exists_already(path))


def _replace_in_file(files: Files, path: str, edit: Edit) -> None:
    text = files.read_lines(path)
    source = files.read_text(path)
    if _was_applied(files, path, text, edit):
        return
    match = _find_match(path, text, edit, trust_line=path not in files.misnumbered_paths)
    if isinstance(match, NoMatch):
        _replace_without_match(files, path, source, edit, match)
        return
    if edit.line is not None and match.start + 1 != edit.line:
        files.misnumbered_paths.add(path)
    new = replace_match(text, match, unused_typography(text, files.typography))
    if _omits_lines(text, match.replace):
        raise EditRefused(feedback.partial_edit(path))
    if new is None:
        count = match.end - match.start if files.use_hint() else 0
        raise EditRefused(feedback.indentation_unclear(path, text, match.start, count))
    if has_elision(split_lines(edit.search).bodies) and _drops_most(text, new):
        raise EditRefused(feedback.unsaid_loss(path))
    if edit.search == edit.replace and match.key is not exact:
        raise EditRefused(feedback.same_sides(path))
    text.spend_scan(2)
    files.write(path, _encode(new.render(), source))


def _find_match(path: str, text: Text, edit: Edit, *, trust_line: bool) -> Match | NoMatch:
    """The match of the edit. If a block may be divided at several lines, the longest search that
    is in the file is meant: a shorter one is its beginning. If the last two searches found differ
    by the dividing line alone, that is no evidence: then the split is meant whose sides share a
    first or last line."""
    first = find_match(text, edit, trust_line=trust_line)
    others = [find_match(text, other, trust_line=trust_line) for other in other_splits(edit)]
    matches = [match for match in (first, *others) if isinstance(match, Match)]
    if not matches:
        return first
    sizes = [len(match.search.bodies) for match in matches[-2:]]
    if len(sizes) == 2 and sizes[1] == sizes[0] + 1:
        matches = [match for match in matches[-2:] if _share_an_end(match)]
        if len(matches) != 1:
            raise EditRefused(feedback.several_dividers(path))
    return matches[-1]


def _share_an_end(match: Match) -> bool:
    """Whether both sides have the same first or last line."""
    search = match.search.bodies
    new = match.replace.bodies
    if not new:
        return False
    return search[0] == new[0] or search[-1] == new[-1]


def _was_applied(files: Files, path: str, text: Text, edit: Edit) -> bool:
    """Whether an earlier edit already put the whole replacement at every place where the search
    would be found again."""
    if not files.is_changed(path) or len(edit.replace) <= len(edit.search):
        return False
    search, new = split_lines(edit.search).bodies, split_lines(edit.replace)
    offsets = find_lines(new, search, exact, most=1)
    if not offsets:
        return False
    places = find_lines(text, new.bodies, exact)
    if not places or find_lines(files.read_base_lines(path), new.bodies, exact, most=1):
        return False
    expected = {place + offsets[0] for place in places}
    return expected.issuperset(find_lines(text, search, exact))


def _replace_without_match(
    files: Files, path: str, source: str, edit: Edit, no_match: NoMatch
) -> None:
    """Handles a search that is not found as whole lines: the file may have the result already, or
    the search may be part of a line."""
    text = files.read_lines(path)
    if no_match.reason == "ambiguous":
        shown = text if files.use_hint() else None
        raise EditRefused(feedback.ambiguous(path, shown, edit.search, no_match.lines))
    if _has_result(text, edit):
        return
    start = find_within_lines(source, edit.search)
    if start is None:
        shown = text if files.use_hint() else None
        raise EditRefused(feedback.not_found(path, shown, edit.search))
    end = start + len(edit.search.removesuffix("\n"))
    new = source[:start] + edit.replace.removesuffix("\n") + source[end:]
    files.write(path, _encode(new, source))


def _has_result(text: Text, edit: Edit) -> bool:
    """Whether the result of an edit is in the file: its new lines at one place or, if it only
    removes lines, the lines around them without those."""
    old, new = split_lines(edit.search).bodies, split_lines(edit.replace).bodies
    if has_elision(old) or len(find_lines(text, new, exact, most=2)) != 1:
        return False
    text.spend_scan(2)
    added, removed = _without(new, old), _without(old, new)
    removed_signs = count_alphanumerics(_without(removed, text.bodies))
    is_recognized = max(count_alphanumerics(added), removed_signs) >= MIN_ALPHANUMERICS
    return is_recognized and (not removed or removed_signs > 0)


def _without(lines: Iterable[str], others: Iterable[str]) -> list[str]:
    """The lines that are not among the others, without regard to indentation."""
    known = set(map(unindented, others))
    return [line for line in map(unindented, lines) if line not in known]


def _write(files: Files, edit: Edit) -> None:
    path = files.resolve(edit.path)
    if not files.exists(path) or not files.read(path):
        files.write(path, _new_content(path, edit.replace))
        return
    old = files.read_lines(path)
    old.spend_scan(4)
    fault = _full_file_fault(old, split_lines(edit.replace))
    if fault:
        raise EditRefused(feedback.partial_file(path, fault))
    new = replace_all(old, edit.replace, unused_typography(old, files.typography))
    files.write(path, _encode(new.render()))


def _delete(files: Files, edit: Edit) -> None:
    path = files.resolve(edit.path)
    if files.exists(path):
        files.remove(path)
    elif not files.was_removed(path):
        raise _no_such_file(files, path)


def _move(files: Files, edit: Edit) -> None:
    path, to = files.resolve(edit.path), files.resolve(edit.to)
    if not files.exists(path):
        if files.was_removed(path) and files.exists(to):
            return
        raise _no_such_file(files, path)
    if path == to:
        raise EditRefused(f"The edit moves {path} to itself. Leave it out.")
    if files.exists(to):
        raise EditRefused(
            f"{path} cannot move to {to}: that file exists. Delete it first, or choose another"
            " path."
        )
    files.move(path, to)


_ACTIONS: dict[str, Callable[[Files, Edit], None]] = {
    "replace": _replace,
    "write": _write,
    "delete": _delete,
    "move": _move,
}


def _no_such_file(files: Files, path: str) -> EditRefused:
    if files.was_removed(path):
        return EditRefused(feedback.removed_file(path))
    paths = files.visible_paths() if files.use_hint() else ()
    return EditRefused(feedback.missing_file(path, paths))


def _new_content(path: str, content: str) -> bytes:
    """The bytes of a new file."""
    fault = _full_file_fault(split_lines(""), split_lines(content))
    if fault:
        raise EditRefused(feedback.partial_file(path, fault))
    return _encode(content)


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


def _full_file_fault(old: Text, new: Text) -> str | None:
    """Why the new text is not the full file, as the end of a sentence; None if it may be. `old` is
    empty for a new file."""
    if _omits_lines(old, new):
        return "leaves lines out"
    if _begins_with_edit_marker(old, new):
        return "reads like an edit, not like a file"
    before, after = _stripped_lines(old), _stripped_lines(new)
    known_count = (Counter(before) & Counter(after)).total()
    if _drops_most(old, new):
        is_rewrite = known_count <= len(after) * _MAX_KNOWN_SHARE_OF_REWRITE
        if is_rewrite or len(before) >= _MANY_LINES:
            return f"would drop most of its {len(before)} lines"
    is_mostly_known = known_count >= len(after) * _MIN_KNOWN_SHARE_OF_EXCERPT
    if _begins_inside(old, new) or (is_mostly_known and _is_excerpt(before, after)):
        return "reads like a part of it alone"
    return None


def _omits_lines(old: Text, new: Text) -> bool:
    """Whether a line of the new text stands for others, such as `# ... rest of the file
    unchanged ...`, and the old file does not have that line."""
    omissions = {
        body for body in new.bodies if len(body) < _MAX_MARKER_CHARS and _OMISSION.fullmatch(body)
    }
    return bool(omissions) and not omissions.issubset(old.bodies)


def _drops_most(old: Text, new: Text) -> bool:
    before, after = len(_stripped_lines(old)), len(_stripped_lines(new))
    return before >= _MIN_LINES_FOR_LOSS and after < before * _MIN_SHARE_OF_LINES


def _begins_with_edit_marker(old: Text, new: Text) -> bool:
    """Whether the new file would begin with the marker of an edit or a conflict that the old one
    does not have."""
    first = _first_line(new)
    is_marker = len(first) < _MAX_MARKER_CHARS and _EDIT_MARKER.fullmatch(first) is not None
    return is_marker and first not in old.bodies


def _begins_inside(old: Text, new: Text) -> bool:
    """Whether the new text begins with an indented line of the old file, which does not begin so
    itself. None of the 20,200 files did."""
    first = _first_line(new)
    if not first.startswith(_INDENTATION) or _first_line(old).startswith(_INDENTATION):
        return False
    return first in old.bodies


def _is_excerpt(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether much is gone, and the new text begins with a line from inside the old one."""
    if len(before) < _MIN_LINES_FOR_EXCERPT:
        return False
    if not 0 < len(after) < len(before) * _MAX_EXCERPT_SHARE:
        return False
    return after[0] != before[0] and after[0] in before


def _first_line(text: Text) -> str:
    """The first line that is not blank, or ""."""
    for body in text.bodies:
        if not is_blank(body):
            return body
    return ""


def _stripped_lines(text: Text) -> list[str]:
    """Without the blank ones."""
    return [body.strip() for body in text.bodies if not is_blank(body)]
