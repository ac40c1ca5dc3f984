"""Which files the task names outright: by path, by stack frame, by dotted module name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.core.context.paths import extension_of, language_of
from bot.core.context.task import Mention, Task

MAX_SAME = 8
"""A mention that fits more files than this names none of them."""


@dataclass(frozen=True, slots=True)
class Named:
    """A file that the task names. `weight` is 1 for a full path; `line` where the task gives one."""

    path: str
    weight: float
    why: str
    line: int | None = None


def find_named(task: Task, paths: Iterable[str]) -> tuple[Named, ...]:
    """Every match, in the order of the text; a file may come several times."""
    known = _Paths(paths)
    by_path = [named for mention in task.paths for named in known.by_path(mention)]
    by_name = [named for mention in task.dotted for named in known.by_dotted(mention)]
    return (*by_path, *by_name)


class _Paths:
    def __init__(self, paths: Iterable[str]) -> None:
        self._by_name: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        self._by_stem: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for path in paths:
            parts = tuple(path.split("/"))
            self._by_name[parts[-1].lower()].append(parts)
            if language_of(path):
                stem = parts[-1][: -len(extension_of(path)) - 1]
                module = parts[:-1] if stem in ("__init__", "index", "mod") and len(parts) > 1 else (*parts[:-1], stem)
                self._by_stem[module[-1]].append((*module, parts[-1], path))

    def by_path(self, mention: Mention) -> Iterator[Named]:
        """The files whose path ends as the mention does, as far back as any file's does."""
        same = self._by_name.get(mention.parts[-1].lower(), [])
        depth, best = _longest_ends(mention.parts, same)
        if not best or len(best) > MAX_SAME:
            return
        whole = depth == len(mention.parts)
        for parts in best:
            at_root = len(parts) == depth
            weight = _path_weight(depth, whole=whole, at_root=at_root, same=len(best))
            if mention.frame is not None:
                yield Named("/".join(parts), weight / (1 + 0.5 * mention.frame), "in the stack trace", mention.line)
            else:
                yield Named("/".join(parts), weight, "named in the request", mention.line)

    def by_dotted(self, mention: Mention) -> Iterator[Named]:
        """The modules that the longest possible beginning of the name stands for."""
        for length in range(len(mention.parts), 1, -1):
            wanted = mention.parts[:length]
            best = [entry for entry in self._by_stem.get(wanted[-1], []) if entry[:-2][-length:] == wanted]
            if best and len(best) <= MAX_SAME:
                rest = mention.parts[length:]
                weight = (0.5 if rest else 0.6) * (1 if length > 2 else 0.6) / len(best)
                yield from (Named(entry[-1], weight, "its module is named in the request") for entry in best)
                return


def _longest_ends(wanted: tuple[str, ...], paths: list[tuple[str, ...]]) -> tuple[int, list[tuple[str, ...]]]:
    best: list[tuple[str, ...]] = []
    best_depth = 0
    for parts in paths:
        depth = 0
        while depth < min(len(parts), len(wanted)) and parts[-1 - depth].lower() == wanted[-1 - depth].lower():
            depth += 1
        if depth > best_depth:
            best, best_depth = [], depth
        if depth == best_depth and depth:
            best.append(parts)
    return best_depth, best


def _path_weight(depth: int, *, whole: bool, at_root: bool, same: int) -> float:
    """Full path: 1. Only the name of a file, where the text gave a longer path: probably the asker's own file."""
    if at_root and depth > 1:
        return 1.0 / same
    if depth > 1:
        return 0.8 / same
    return (0.7 if whole else 0.15) / same
