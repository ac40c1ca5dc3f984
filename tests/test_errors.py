"""Errors cross the durable engine as JSON: each comes back as what it was, or as the documented
kind above it."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bot
from bot import errors
from bot.adapters.git.process import DiskFull
from bot.errors import AskerError, Cancelled, LimitReached, OutsideError, SetupError, TinyGenError
from bot.jobs.engine.outcome import dump_outcome, load_outcome, outcome_of
from bot.types.serialization import Json
from tests import ROOT


def kinds() -> list[type[TinyGenError]]:
    """All of them, wherever in bot/ they are."""
    for module in pkgutil.walk_packages(bot.__path__, "bot."):
        importlib.import_module(module.name)
    found = [kind for kind in below(TinyGenError) if kind.__module__.startswith("bot.")]
    assert DiskFull in found, "the errors of the adapters are not found"
    return found


def below(above: type[TinyGenError]) -> Iterator[type[TinyGenError]]:
    for kind in above.__subclasses__():
        yield kind
        yield from below(kind)


def made(kind: type[TinyGenError]) -> TinyGenError:
    """One of that kind, with all that it can be given."""
    given: dict[str, Any] = {name: f"Its {name}." for name in inspect.signature(kind).parameters}
    return kind(**(given | {"retry_in_s": 31.0} if "retry_in_s" in given else given))


def dumped(error: Exception) -> Json:
    def fail() -> Json:
        raise error

    return dump_outcome(outcome_of(fail))["error"]


def load_error(stored: Json, step: int | None) -> Exception:
    error = load_outcome({"error": stored}, step=step).error
    assert error is not None
    return error


def test_every_error_comes_back_from_a_step_with_all_that_its_documented_kind_holds() -> None:
    for kind in kinds():
        error = made(kind)
        loaded = load_error(dumped(error), 7)
        assert type(loaded) is next(
            above for above in kind.__mro__ if above.__module__ == "bot.errors"
        )
        assert {name: value for name, value in vars(loaded).items() if name != "step"} == {
            name: value for name, value in vars(error).items() if name in vars(loaded)
        }
        assert {"message", "next_step"} <= set(vars(loaded))
        assert getattr(loaded, "step", 7) == 7


def test_every_error_is_of_one_of_the_three_families() -> None:
    for kind in kinds():
        assert (
            sum(issubclass(kind, family) for family in (AskerError, OutsideError, SetupError)) == 1
        )


def test_the_docstring_of_the_errors_draws_all_of_them() -> None:
    drawn = set((errors.__doc__ or "").replace("├── ", " ").replace("└── ", " ").split())
    assert {kind.__name__ for kind in kinds() if kind.__module__ == "bot.errors"} <= drawn


def texts_of(path: Path) -> Iterator[str]:
    """The strings of a module, without its docstrings."""
    tree = ast.parse(path.read_text())
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def test_only_the_words_of_a_thread_tell_somebody_to_write_a_comment() -> None:
    """All other words may reach a caller of the API. A setting's description and what a shell is told
    are the operator's."""
    commanding = re.compile(r"(?<!refs)/tinygen(?![\w./])|\bComment (?:on|in|under)\b")
    named = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "bot").rglob("*.py")
        if any(commanding.search(text) for text in texts_of(path))
    }
    assert "bot/thread/render/replies.py" in named
    others = {path for path in named if not path.startswith(("bot/thread/", "bot/cli/"))}
    assert others == {"bot/config.py"}


def test_a_full_disk_is_told_as_what_it_is() -> None:
    loaded = load_error(dumped(DiskFull()), 1)
    assert isinstance(loaded, OutsideError)
    assert str(loaded) == "The bot's disk is full. The operator must free space on it."


@pytest.mark.parametrize("family", [AskerError, OutsideError, SetupError])
def test_an_error_that_this_version_does_not_know_comes_back_as_its_family(
    family: type[TinyGenError],
) -> None:
    known = dumped(made(family))
    assert type(load_error({**known, "type": "LaterKind", "later_field": 1}, 1)) is family


@pytest.mark.parametrize(
    "name", ["GitFailed", "annotations", "TinyGenError", "Exception", "__doc__", ""]
)
def test_an_unknown_error_without_a_family_is_one_of_the_outside(name: str) -> None:
    error = load_error({"type": name, "message": "m", "next_step": "n", "retry_in_s": 31.0}, 1)
    assert isinstance(error, OutsideError)
    assert (error.message, error.next_step, error.retry_in_s, error.step) == ("m", "n", 31.0, 1)


def test_errors_that_were_recorded_before_they_named_their_family_come_back() -> None:
    limit = load_error({"type": "LimitReached", "message": "m", "next_step": "n"}, 1)
    assert isinstance(limit, LimitReached)
    assert limit.retry_in_s is None


def test_a_cancelled_step_comes_back_as_cancelled() -> None:
    assert isinstance(load_error(dumped(Cancelled()), 1), Cancelled)
