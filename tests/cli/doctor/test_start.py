"""The checks at the start of `serve`: they are logged, and hold nothing up."""

from __future__ import annotations

import signal
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.app import build_database
from bot.cli.doctor import Services
from bot.cli.doctor.model import check_model
from bot.cli.doctor.start import READY_WAIT_S, log_checks
from tests.cli.doctor.conftest import SERVICES, Add, checkup
from tests.cli.shell import bot_call
from tests.doubles.github import GitHubDouble
from tests.doubles.model import ModelDouble
from tests.doubles.server import free_port
from tests.polling import poll


def test_where_all_is_well_two_lines_say_so(add_app: Add) -> None:
    settings = add_app()
    with ModelDouble(["ready"]) as model, capture_logs() as logs:
        log_checks(
            checkup({**settings, "OPENAI_BASE_URL": model.url}, Services(), is_thorough=False),
            is_ready=lambda: True,
        )
    assert [(line["log_level"], line["event"]) for line in logs] == [
        ("info", "serving"),
        ("info", "all is well"),
    ]
    assert logs[0]["address"] == settings["TINYGEN_PUBLIC_URL"]
    assert model.requests == []  # each start would cost something


def test_behind_a_proxy_the_models_server_is_not_connected_to(
    add_app: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    asked = checkup({**add_app(), "OPENAI_BASE_URL": "https://m.test/v1"}, is_thorough=False)
    assert list(check_model(asked)) == []


def test_each_fault_is_a_warning_with_its_next_step_and_is_stored(add_app: Add) -> None:
    asked = checkup({**add_app(), "TINYGEN_MAX_CALLS": "1"}, is_thorough=False)
    with capture_logs() as logs:
        log_checks(asked, is_ready=lambda: True)
    warnings = [line for line in logs if line["log_level"] == "warning"]
    assert [line["subject"] for line in warnings] == ["limits", "model"]
    assert all(line["message"] and line["next_step"] for line in warnings)
    with closing(build_database(asked.config)) as database:
        check = database.shared.check()
    assert check is not None
    assert [fault.subject for fault in check.faults] == ["limits", "model"]


def test_the_checks_begin_when_tinygen_is_ready(add_app: Add) -> None:
    """Before that the address would be a fault, and the checks would hold up what starts."""
    waits: list[float] = []
    services = replace(SERVICES, wait=waits.append)
    with capture_logs() as logs:
        log_checks(checkup(add_app(), services), is_ready=lambda: len(waits) == 3)
    assert waits[:3] == [1.0, 1.0, 1.0]
    assert logs[0]["event"] == "serving"


def test_a_bot_that_does_not_get_ready_is_a_fault_and_is_checked_all_the_same(
    add_app: Add,
) -> None:
    waits: list[float] = []
    services = replace(SERVICES, wait=waits.append)
    with capture_logs() as logs:
        log_checks(checkup(add_app(), services), is_ready=lambda: False)
    assert len(waits) == READY_WAIT_S
    assert [line["subject"] for line in logs] == ["start", "model"]


def test_serve_logs_its_checks_and_ends_quietly(
    add_app: Add, github: GitHubDouble, tmp_path: Path
) -> None:
    port = free_port()
    settings = {
        **add_app(webhook_url=f"http://127.0.0.1:{port}/webhook"),
        "TINYGEN_PUBLIC_URL": "",
        "TINYGEN_PORT": str(port),
        "TINYGEN_MODDE": "pr",
    }
    log = tmp_path / "log"
    with ModelDouble(["ready"]) as model, log.open("wb") as output:
        call = bot_call(tmp_path, "serve", **{**settings, "OPENAI_BASE_URL": model.url})
        del call["timeout"]
        process = subprocess.Popen(**call, stdout=output, stderr=output)
        try:
            assert poll(lambda: "did you mean" in log.read_text(), within_s=60, pause_s=0.1)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    said = log.read_text()
    assert process.returncode == 0
    assert said.count("a check found a fault") == 1
    assert "serving" in said
    assert "Traceback" not in said
