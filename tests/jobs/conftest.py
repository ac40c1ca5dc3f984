"""A scene for each test: the plain one, or one with other settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.scene import Scene


class SetScene(Protocol):
    def __call__(self, **given: Any) -> Scene:
        """A running scene; what is given are fields of `Scene`."""


@pytest.fixture
def set_scene(tmp_path: Path) -> Iterator[SetScene]:
    with ExitStack() as stack:
        yield lambda **given: stack.enter_context(Scene(tmp_path / "scene", **given))


@pytest.fixture
def scene(set_scene: SetScene) -> Scene:
    return set_scene()
