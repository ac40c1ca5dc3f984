"""Which definitions a change touches: those that are gone, those whose first line is another, and
those of which only the body changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.change.context.paths import classify_path, language_of
from bot.change.context.source import Extent, Source, find_extents, read_source
from bot.types.snapshot import Changes, RepositoryView

Kind = Literal["removed", "head", "body"]
MAX_FILE_BYTES = 1_000_000
_CONSTRUCTORS = frozenset({"__init__", "__new__", "constructor", "initialize"})


@dataclass(frozen=True, slots=True)
class TouchedDefinition:
    """`name` is its own, or that of the class of a constructor; `old` and `new` are its first line
    before and after, "" where there is none."""

    path: str
    name: str
    kind: Kind
    old: str
    new: str


def find_touched(base: RepositoryView, changes: Changes) -> list[TouchedDefinition]:
    """Those outside of tests, the most consequential first. New definitions are none."""
    found = [
        touched
        for path, change in sorted(changes.items())
        if language_of(path) and classify_path(path) != "test"
        for touched in _touched_in(path, _read_base(base, path), change.content or b"")
    ]
    order: tuple[Kind, ...] = ("removed", "head", "body")
    return sorted(found, key=lambda each: order.index(each.kind))


def _read_base(base: RepositoryView, path: str) -> bytes:
    """b"" if the file is new or too large."""
    blob = base.blobs.get(path)
    if blob is None or blob.size_bytes > MAX_FILE_BYTES or not blob.mode.startswith("100"):
        return b""
    return next(iter(base.read([blob])))


def _touched_in(path: str, before: bytes, after: bytes) -> Iterator[TouchedDefinition]:
    if not before or len(after) > MAX_FILE_BYTES:
        return
    old, new = read_source(path, before), read_source(path, after)
    if old is None or new is None:
        return
    now = _by_name(new)
    for key, (extent, text) in _by_name(old).items():
        name = _name_of(extent)
        head = extent.definition.signature
        if key not in now:
            yield TouchedDefinition(path, name, "removed", head, "")
            continue
        extent_now, text_now = now[key]
        if text_now == text:
            continue
        head_now = extent_now.definition.signature
        kind: Kind = "body" if head == head_now else "head"
        yield TouchedDefinition(path, name, kind, head, head_now)


def _by_name(source: Source) -> Mapping[tuple[str, int], tuple[Extent, str]]:
    """Each definition with its own text, without that of those inside it; the second of two of the
    same name has 1 as its number."""
    extents = find_extents(source)
    inside: dict[int, list[Extent]] = {}
    """By the line of the definition around: an extent's hash is that of all around it."""
    for extent in extents:
        if extent.parent is not None:
            inside.setdefault(extent.parent.definition.line, []).append(extent)
    found: dict[tuple[str, int], tuple[Extent, str]] = {}
    counts: dict[str, int] = {}
    for extent in extents:
        number = counts.get(extent.name, 0)
        counts[extent.name] = number + 1
        found[extent.name, number] = (
            extent,
            _own_text(source, extent, inside.get(extent.definition.line, ())),
        )
    return found


def _own_text(source: Source, extent: Extent, inside: Sequence[Extent]) -> str:
    text, line = "", extent.start
    for each in inside:
        text += source.text(line, each.start - 1)
        line = each.end + 1
    return "".join((text + source.text(line, extent.end)).split())


def _name_of(extent: Extent) -> str:
    own = extent.definition.name
    is_constructor = own in _CONSTRUCTORS and extent.parent is not None
    return extent.parent.definition.name if is_constructor and extent.parent else own
