"""Calls in a child process, whatever happens to it."""

from __future__ import annotations

import os
import select
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.adapters.syntax import Bounded, Limits
from tests.adapters.syntax.bounded_calls import do, repeat, wait, wait_with_a_child


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def exists(pid: int) -> bool:
    """Whether the process runs, is stopped, or was not waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_each_call_has_its_answer_in_order() -> None:
    calls = [(f"{number}\udc80\n", bytes([65 + number]) * number) for number in range(20)]
    assert Bounded(repeat)(calls) == [label + content.decode() for label, content in calls]
    assert Bounded(repeat)([]) == []


@pytest.mark.parametrize("what", ["crash", "fail", "grow"])
def test_a_call_that_does_not_return_leaves_the_other_answers(what: str, tmp_path: Path) -> None:
    with capture_logs() as logs:
        assert Bounded(do)([("a", b""), (what, b""), ("b", b""), (what, b""), ("c", b"")]) == [
            "a",
            None,
            "b",
            None,
            "c",
        ]
    assert [(event["event"], event["calls"]) for event in logs] == [
        ("bounded calls did not come back", 2)
    ]


def test_the_number_of_children_is_limited() -> None:
    calls = [("crash", b""), ("crash", b""), ("a", b"")]
    assert Bounded(do, Limits(children=2))(calls) == [None, None, None]


def test_the_processor_time_of_a_child_is_limited() -> None:
    assert Bounded(do, Limits(cpu_s=1, children=1))([("a", b""), ("loop", b"")]) == ["a", None]


def test_the_wall_time_is_limited() -> None:
    assert Bounded(do, Limits(wall_s=1.0))([("a", b""), ("sleep", b""), ("b", b"")]) == [
        "a",
        None,
        None,
    ]


def test_the_output_of_a_child_is_limited() -> None:
    assert Bounded(do, Limits(output_bytes=1_000, children=1))([("a", b""), ("shout", b"")]) == [
        "a",
        None,
    ]


def test_the_input_of_a_child_is_limited() -> None:
    calls = [("a", b"1"), ("b", b"2" * 2_000), ("c", b"3")]
    assert Bounded(repeat, Limits(input_bytes=1_000, children=1))(calls) == ["a1", None, None]


def test_a_child_writes_no_file_and_has_nothing_of_the_environment(tmp_path: Path) -> None:
    assert Bounded(do)([("look", b""), ("write", str(tmp_path / "a").encode())]) == [
        "nothing",
        None,
    ]


def test_if_no_child_can_start_every_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with capture_logs() as logs:
        assert Bounded(repeat)([("a", b"")]) == [None]
    assert logs[0]["event"] == "no child could be started"


def test_a_stopped_child_delays_no_other_call(fifo: Path) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(Bounded(wait, Limits(wall_s=60, children=1)), [(str(fifo), b"")])
        stopped = int(fifo.read_text())
        os.kill(stopped, signal.SIGSTOP)
        assert Bounded(repeat)([("a", b"b")]) == ["ab"]
        assert not waiting.done()
        os.kill(stopped, signal.SIGKILL)
        assert waiting.result() == [None]


def test_a_stopped_child_is_killed_at_the_deadline(fifo: Path) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(Bounded(wait, Limits(wall_s=1.0)), [(str(fifo), b"")])
        stopped = int(fifo.read_text())
        os.kill(stopped, signal.SIGSTOP)
        assert waiting.result() == [None]
    assert not exists(stopped)


def test_what_a_child_started_ends_with_it(fifo: Path) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(Bounded(wait_with_a_child, Limits(wall_s=1.0)), [(str(fifo), b"")])
        inner = os.pidfd_open(int(fifo.read_text()))
        assert waiting.result() == ["left"]
    ended, _, _ = select.select([inner], [], [], 10)
    assert ended
    os.close(inner)
