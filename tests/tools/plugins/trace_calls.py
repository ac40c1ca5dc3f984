"""A pytest plugin: which functions under bot/ run from a webhook to the end of the test that sends it.

It looks at all threads of the test's own process, at the test's own thread only while the bot's web part
answers in it. `TRACE_ROOT` is the checkout, `TRACE_TEST` the test's name (its first case with `--pr` is taken), and
`TRACE_OUT` the file that is written: `file:function`, a line each.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import flask
import pytest

ROOT = Path(os.environ["TRACE_ROOT"]).resolve()
IN_PLACE = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<module>")
"""Code objects that are no functions of their own."""
SEEN: set[CodeType] = set()
IS_ON = threading.Event()


def look(frame: FrameType, event: str, _argument: object) -> None:
    if event == "call" and IS_ON.is_set():
        SEEN.add(frame.f_code)


def pytest_configure() -> None:
    """Threads are looked at from their start, since the worker's begin before the webhook comes."""
    threading.setprofile(look)
    answer = flask.Flask.__call__

    def call(app: flask.Flask, environ: Any, start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] != "POST":
            return answer(app, environ, start_response)
        IS_ON.set()
        sys.setprofile(look)
        try:
            return answer(app, environ, start_response)
        finally:
            sys.setprofile(None)

    flask.Flask.__call__ = call  # type: ignore[method-assign, assignment]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    named = [item for item in items if item.name.split("[")[0] == os.environ["TRACE_TEST"]]
    items[:] = [item for item in named if "--pr" in item.name][:1] or named[:1]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    try:
        return (yield)
    finally:
        IS_ON.clear()


def pytest_sessionfinish() -> None:
    ours = sorted({f"{path}:{code.co_qualname}" for code in SEEN if (path := own_path(code))})
    Path(os.environ["TRACE_OUT"]).write_text("".join(f"{name}\n" for name in ours))


def own_path(code: CodeType) -> str:
    """The file of the bot that a function stands in; empty where it is none of the bot's."""
    path = Path(code.co_filename)
    is_ours = path.is_relative_to(ROOT / "bot") and code.co_name not in IN_PLACE
    return path.relative_to(ROOT).as_posix() if is_ours else ""
