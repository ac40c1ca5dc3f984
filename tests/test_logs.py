"""No secret is ever written, in any form of the logs."""

from __future__ import annotations

import io
import json
import logging
from contextlib import redirect_stderr

import pytest
import structlog
from structlog.testing import capture_logs

from bot.logs import HIDDEN, RateLimitedLog, configure_logs, make_redactor
from tests.doubles.clock import ManualClock

PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA0123456789\nabcdefghijkl\n-----END RSA"
    " PRIVATE KEY-----\n"
)


pytestmark = pytest.mark.usefixtures("restored_logs")


def test_a_configured_secret_is_hidden_wherever_it_stands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("json", "info", make_redactor(["hunter2-secret", PEM]))
    log = structlog.get_logger()
    log.info(
        "it is hunter2-secret",
        value={"deep": ["hunter2-secret"]},
        key=PEM,
        url="https://x:hunter2-secret@h",
    )
    try:
        raise RuntimeError("hunter2-secret and MIIEowIBAAKCAQEA0123456789")
    except RuntimeError:
        log.exception("failed")
    logging.getLogger("some.library").warning("the key is %s", "hunter2-secret")
    written = capsys.readouterr().err
    assert len(written.splitlines()) == 3
    assert "hunter2" not in written
    assert "MIIEow" not in written
    assert HIDDEN in written


@pytest.mark.parametrize(
    "secret",
    [
        "ghs_16C7e42F292c6912E7710c838347Ae178B4a",
        "github_pat_11AAAAAAA0123456789abcdef",
        "sk-proj-0123456789abcdefghij",
        "sb_secret_0123456789",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NSJ9.c2lnbmF0dXJl",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NSJ9",
        "eyJhbGciOiJSUzI1NiJ9",
        PEM,
    ],
)
def test_what_looks_like_a_key_is_hidden_though_nobody_named_it(
    secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("text", "info", make_redactor([]))
    structlog.get_logger().info("sent", header=f"token {secret}")
    written = capsys.readouterr().err
    assert secret.splitlines()[0] not in written
    assert "sent" in written


def test_events_carry_what_is_bound(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info", make_redactor([]))
    with structlog.contextvars.bound_contextvars(job="j-1"):
        structlog.get_logger().info("step", step="ask", seconds=1.5)
    event = json.loads(capsys.readouterr().err)
    assert (event["job"], event["event"], event["step"], event["seconds"]) == (
        "j-1",
        "step",
        "ask",
        1.5,
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_columns_with_colours() -> None:
    with redirect_stderr(Terminal()) as terminal:
        configure_logs("text", "info", make_redactor([]))
        structlog.get_logger().info("ended", outcome="done", reason="two words")
        written = terminal.getvalue()
        assert "\x1b[" in written
        assert "event=" not in written
        assert "'two words'" in written


def test_no_colours_are_written_if_none_are_wanted() -> None:
    with redirect_stderr(Terminal()) as terminal:
        configure_logs("text", "info", make_redactor([]), colors=False)
        structlog.get_logger().info("ended", outcome="done")
        assert "\x1b" not in terminal.getvalue()
        assert "outcome=done" in terminal.getvalue()


def test_a_terminal_gets_json_if_it_was_asked_for() -> None:
    with redirect_stderr(Terminal()) as terminal:
        configure_logs("json", "info", make_redactor([]))
        structlog.get_logger().info("ended")
        assert json.loads(terminal.getvalue())["event"] == "ended"


def test_a_terminal_gets_no_secret_and_no_second_line_from_a_value() -> None:
    with redirect_stderr(Terminal()) as terminal:
        configure_logs("text", "info", make_redactor(["hunter2-secret"]), colors=False)
        log = structlog.get_logger()
        log.info("sent", header="hunter2-secret", words="one\n2026-01-01 [info] forged \x1b[31m")
        assert len(terminal.getvalue().splitlines()) == 1
        try:
            raise RuntimeError("hunter2-secret")
        except RuntimeError:
            log.exception("failed")
        assert "RuntimeError: [hidden]" in terminal.getvalue()
        assert "hunter2" not in terminal.getvalue()
        assert "\x1b" not in terminal.getvalue()


def test_without_a_terminal_text_is_key_and_value(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("text", "info", make_redactor([]))
    structlog.get_logger().info("ended", outcome="done")
    assert "event='ended' outcome='done'" in capsys.readouterr().err


def test_what_anybody_can_cause_is_written_a_few_times_and_then_counted() -> None:
    clock = ManualClock()
    limited = RateLimitedLog(2, 60.0, clock=clock)
    with capture_logs() as lines:
        for number in range(5):
            limited.write("warning", "wrong", number=number)
        clock.now_s = 60.0
        limited.write("warning", "wrong", number=5)
        limited.write("warning", "wrong", number=6)
    assert [(line["number"], line.get("left_out")) for line in lines] == [
        (0, None),
        (1, None),
        (5, 3),
        (6, None),
    ]
    assert {line["log_level"] for line in lines} == {"warning"}
