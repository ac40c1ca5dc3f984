"""Edits laid on a snapshot, in order, each one whole or not at all.

What is decided here, beyond where a search stands (`match`):

- A delete or a move of what an earlier edit already took away holds; of what never was, it is refused.
- An empty search makes a file. On an existing file it holds where the file already reads so, and is refused otherwise.
- A write that leaves out what it stands for (`… rest unchanged …`), or that drops most of a large file, is refused
  unless the reply deletes that file first.
- An edit that was given before in the same reply, or whose outcome an earlier one already made, holds.
- Symlinks and submodules are never touched; binary files and Git LFS pointers may be deleted or moved, not written.
- A file keeps its mode; a new one is 100644. What comes to equal the base again is no change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from bot.change.edits import feedback as words
from bot.change.edits import files as whole
from bot.change.edits.blocks import other_splits
from bot.change.edits.files import MAX_FILE_BYTES, MAX_FILES, Files, Refused
from bot.change.edits.lines import Text, encode, exact, signs, split, unindented
from bot.change.edits.match import (
    LEAST_SIGNS,
    Match,
    NoMatch,
    find,
    find_within_lines,
    leaves_out,
    places,
)
from bot.change.edits.reindent import carry, fancy_only, foreign
from bot.types.reply import Applied, Edit, RejectedEdit
from bot.types.snapshot import Changes, RepositoryView

MAX_EDITS = 1_000
"""How many edits of one reply are looked at."""
_ODD = re.compile("[\udc80-\udcff]")
"""What surrogateescape makes of bytes that are no UTF-8."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def apply_edits(
    base: RepositoryView,
    current: Changes,
    edits: Sequence[Edit],
    *,
    max_files: int = MAX_FILES,
    max_file_bytes: int = MAX_FILE_BYTES,
    max_edits: int = MAX_EDITS,
) -> Applied:
    """What `base` with `current` becomes by the edits, and which of them held."""
    files = Files(base, current, max_files=max_files, max_file_bytes=max_file_bytes)
    files.fancy = fancy_only(edits[:max_edits])
    files.prefetch(edit.path for edit in edits[:max_edits])
    files.expect_gone(edit.path for edit in edits[:max_edits] if edit.action in ("delete", "move"))
    held: dict[Edit, None] = {}
    rejected: list[RejectedEdit] = []
    order: list[Edit] = []
    for number, edit in enumerate(edits):
        try:
            if number >= max_edits:
                raise Refused(
                    f"The reply has more than {max_edits} edits. Send this one in a later reply."
                )
            if edit not in held:
                _ACTIONS[edit.action](files, edit)
            held[edit] = None
            order.append(edit)
        except Refused as refusal:
            rejected.append(RejectedEdit(edit, str(refusal), refusal.is_final))
    return Applied(files.changes, tuple(order), tuple(rejected))


def _replace(files: Files, edit: Edit) -> None:
    path = files.checked(edit.path)
    exists = files.exists(path)
    if not edit.search.strip() and not (exists and files.content(path)):
        files.put(path, _made(path, edit.replace))
        return
    if not exists:
        raise _missing(files, path)
    if not edit.search.strip():
        if files.lines(path).bodies != split(edit.replace).bodies:
            raise Refused(words.exists_already(path))
        return
    _replace_in(files, path, edit)


def _replace_in(files: Files, path: str, edit: Edit) -> None:
    text = files.lines(path)
    source = files.text(path)
    if _was_made(files, path, text, edit):
        return
    found = _find(path, text, edit, trust_line=path not in files.misnumbered)
    if isinstance(found, NoMatch):
        _replace_part(files, path, source, text, edit, found)
        return
    if edit.line is not None and found.start + 1 != edit.line:
        files.misnumbered.add(path)
    carried = carry(text, found, foreign(text, files.fancy))
    if whole.leaves_out(found.replace, text):
        raise Refused(words.partial_edit(path))
    if carried is None:
        count = found.end - found.start if files.may_hint() else 0
        raise Refused(words.indentation_unclear(path, text, found.start, count))
    if leaves_out(split(edit.search).bodies) and whole.drops_most(text, carried):
        raise Refused(words.unsaid_loss(path))
    if edit.search == edit.replace and found.key is not exact:
        raise Refused(words.same_sides(path))
    text.pass_over(2)
    files.put(path, _encoded(carried.render(), source))


def _find(path: str, text: Text, edit: Edit, *, trust_line: bool) -> Match | NoMatch:
    """The place of the edit. Where a block may be divided at several lines, the longest search that
    stands in the file is the one that was meant: a shorter one is its beginning. Where two dividing
    lines follow each other that is no evidence, but sides that begin or end alike are."""
    first = find(text, edit, trust_line=trust_line)
    others = [find(text, other, trust_line=trust_line) for other in other_splits(edit)]
    found = [place for place in (first, *others) if isinstance(place, Match)]
    if len(found) > 1 and len(found[-1].search.bodies) == len(found[-2].search.bodies) + 1:
        found = [place for place in found[-2:] if _sides_meet(place)]
        if len(found) != 1:
            raise Refused(words.several_dividers(path))
    return found[-1] if found else first


def _sides_meet(place: Match) -> bool:
    search, new = place.search.bodies, place.replace.bodies
    return bool(new) and (search[0] == new[0] or search[-1] == new[-1])


def _was_made(files: Files, path: str, text: Text, edit: Edit) -> bool:
    """Whether an earlier edit already put the whole replacement there, around what the search would
    find again."""
    if not files.is_changed(path) or len(edit.replace) <= len(edit.search):
        return False
    search, new = split(edit.search), split(edit.replace)
    inside = places(new, search.bodies, exact, most=1)
    made = places(text, new.bodies, exact) if inside else []
    if not made or places(files.base_lines(path), new.bodies, exact, most=1):
        return False
    return {place + inside[0] for place in made}.issuperset(places(text, search.bodies, exact))


def _replace_part(
    files: Files, path: str, source: str, text: Text, edit: Edit, miss: NoMatch
) -> None:
    """The last resorts where no run of whole lines is meant: the outcome stands there already, or
    part of a line."""
    if miss.reason == "ambiguous":
        raise Refused(
            words.ambiguous(path, text if files.may_hint() else None, edit.search, miss.lines)
        )
    if _stands(text, edit):
        return
    start = find_within_lines(source, edit.search)
    if start is None:
        raise Refused(words.not_found(path, text if files.may_hint() else None, edit.search))
    end = start + len(edit.search.removesuffix("\n"))
    files.put(
        path, _encoded(source[:start] + edit.replace.removesuffix("\n") + source[end:], source)
    )


def _stands(text: Text, edit: Edit) -> bool:
    """Whether the outcome of an edit whose search is gone is there: its new lines at one place, or,
    where it only takes lines away, the lines around them without those."""
    old, new = split(edit.search).bodies, split(edit.replace).bodies
    if leaves_out(old) or len(places(text, new, exact, most=2)) != 1:
        return False
    text.pass_over(2)
    fresh, gone = _without(new, old), _without(old, new)
    left = _without(gone, map(unindented, text.bodies))
    return max(signs(fresh), signs(left)) >= LEAST_SIGNS and (not gone or signs(left) > 0)


def _without(lines: Iterable[str], others: Iterable[str]) -> list[str]:
    known = set(map(unindented, others))
    return [line for line in map(unindented, lines) if line not in known]


def _write(files: Files, edit: Edit) -> None:
    path = files.checked(edit.path)
    if not (files.exists(path) and files.content(path)):
        files.put(path, _made(path, edit.replace))
        return
    old = files.lines(path)
    old.pass_over(4)
    fault = whole.fault(old, split(edit.replace))
    if fault:
        raise Refused(words.partial_file(path, fault))
    files.put(
        path, _encoded(whole.carry_whole(old, edit.replace, foreign(old, files.fancy)).render())
    )


def _made(path: str, content: str) -> bytes:
    fault = whole.fault(split(""), split(content))
    if fault:
        raise Refused(words.partial_file(path, fault))
    return _encoded(content)


def _delete(files: Files, edit: Edit) -> None:
    path = files.checked(edit.path)
    if files.exists(path):
        files.remove(path)
    elif not files.was_removed(path):
        raise _missing(files, path)


def _move(files: Files, edit: Edit) -> None:
    path, to = files.checked(edit.path), files.checked(edit.to)
    if not files.exists(path):
        if files.was_removed(path) and files.exists(to):
            return
        raise _missing(files, path)
    if path == to:
        raise Refused(f"The edit moves {path} to itself. Leave it out.")
    if files.exists(to):
        raise Refused(
            f"{path} cannot move to {to}: that file exists. Delete it first, or choose another"
            " path."
        )
    files.move(path, to)


def _missing(files: Files, path: str) -> Refused:
    if files.was_removed(path):
        return Refused(words.gone_file(path))
    return Refused(words.missing_file(path, files.paths() if files.may_hint() else ()))


def _encoded(text: str, before: str = "") -> bytes:
    """The file's bytes; what stands in another encoding than UTF-8 gets no UTF-8 beside it, and the
    reverse."""
    new = "" if text.isascii() else "".join(set(text).difference(before))
    if _ODD.search(before) and not new.isascii():
        raise Refused(
            "The file is not UTF-8, so only plain ASCII can be put into it. Send the edit again"
            " without others."
        )
    if _SURROGATE.search(new):
        raise Refused(
            "The edit holds characters that no file can hold (half of a surrogate pair). Send it"
            " again."
        )
    return encode(text)


_ACTIONS: dict[str, Callable[[Files, Edit], None]] = {
    "replace": _replace,
    "write": _write,
    "delete": _delete,
    "move": _move,
}
