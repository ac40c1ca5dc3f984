"""Where what was learnt of a repository's contents is kept between requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Shelf(Protocol):
    """Layers of named bytes. It can all be learnt again: any of it may be gone the next time, and nothing is raised
    where it cannot be kept."""

    def layers(self, names: Sequence[str], /) -> Sequence[Mapping[str, bytes]]:
        """Those that have any of the names, oldest first, each with those that it has."""

    def add(self, layer: Mapping[str, bytes], /) -> None: ...

    def clear(self) -> None: ...


class _NoShelf:
    def layers(self, _names: Sequence[str], /) -> Sequence[Mapping[str, bytes]]:
        return ()

    def add(self, _layer: Mapping[str, bytes], /) -> None: ...

    def clear(self) -> None: ...


NO_SHELF: Shelf = _NoShelf()
"""Keeps nothing."""
