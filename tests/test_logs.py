"""No secret is ever written."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from bot.logs import HIDDEN, configure_logs, make_redactor

PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA0123456789\nabcdefghijkl\n-----END RSA"
    " PRIVATE KEY-----\n"
)


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], _ = before
    root.setLevel(before[1])
    structlog.reset_defaults()


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
