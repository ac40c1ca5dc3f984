"""Each fault is one line with its next step, and hides none of the others."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot.adapters.database import Database
from bot.adapters.model import OpenAIModel
from bot.adapters.supabase import SupabaseStore
from bot.app import build_database, build_impatient_model
from bot.cli.doctor import Checkup, Finding, Services, find_all, save_outcome
from bot.config import Config, UnknownSetting
from bot.thread.webhooks import EVENTS
from bot.types import Command, Job, Target
from tests.cli.doctor.conftest import (
    SECRET,
    SERVICES,
    Add,
    checkup,
    faults,
    found,
    impatient_github,
)
from tests.cli.shell import run_bot
from tests.doubles.github import GitHubDouble
from tests.doubles.github.apps import DEFAULT_PERMISSIONS
from tests.doubles.github.faults import Fault, unauthorized
from tests.doubles.model import Fault as ModelFault
from tests.doubles.model import ModelDouble, bad_key, no_such_model, server_error

SUBJECTS = (
    "settings, limits, webhook secret, App key, clock, App, permissions, events, "
    "webhook, installations, deliveries, address, model, Supabase, data directory, database, file modes, git"
)


def test_where_all_is_well_no_line_is_a_fault(add_app: Add) -> None:
    with ModelDouble(["ready"]) as model:
        findings = found({**add_app(), "OPENAI_BASE_URL": model.url}, Services())
    assert ", ".join(findings) == SUBJECTS
    assert {subject: finding.good for subject, finding in findings.items() if not finding.good} == {
        "deliveries": None,
        "Supabase": None,
    }


def test_with_nothing_set_every_check_is_still_made(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.touch()
    settings = {"TINYGEN_DATA_DIR": str(occupied / "data"), "GITHUB_API_URL": "http://127.0.0.1:9"}
    findings = found(settings)
    faulty = [subject for subject in findings if findings[subject].good is False]
    assert faulty == ["webhook secret", "App key", "clock", "model", "data directory", "database"]
    assert findings["git"].good


def test_a_finding_is_one_line() -> None:
    assert (
        str(Finding("clock", False, "It is\nwrong.", "Set it."))
        == "✗ clock: It is wrong. → Set it."
    )
    assert str(Finding("clock", True, "0 s.")) == "✓ clock: 0 s."
    assert str(Finding("Supabase", None, "Not set up.")) == "– Supabase: Not set up."


def test_a_short_webhook_secret_is_worth_a_word(add_app: Add) -> None:
    assert found({**add_app(), "GITHUB_WEBHOOK_SECRET": "secret"})["webhook secret"].good is None


def test_half_an_app_is_named(add_app: Add) -> None:
    settings = add_app()
    del settings["GITHUB_PRIVATE_KEY"]
    assert faults(settings)["App key"].message == "GITHUB_PRIVATE_KEY is not set."


def test_a_key_that_is_not_rsa_is_a_fault(add_app: Add) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert set(faults({**add_app(), "GITHUB_PRIVATE_KEY": pem.decode()})) == {"App key", "App"}


def test_a_key_that_github_does_not_take_names_what_to_compare(
    add_app: Add, github: GitHubDouble
) -> None:
    settings = add_app()
    github.faults.add(unauthorized(), path="/app", times=2)
    assert "GITHUB_APP_ID" in faults(settings)["App"].next_step


def test_what_the_app_may_not_do_is_named(add_app: Add) -> None:
    faulty = faults(add_app(permissions={**DEFAULT_PERMISSIONS, "contents": "read"}, events=[]))
    assert faulty["permissions"].message == "Missing: contents: write."
    assert faulty["events"].message == f"Missing: {', '.join(EVENTS)}."


def test_a_permission_that_nothing_uses_is_worth_a_word(add_app: Add) -> None:
    permissions = found(add_app(permissions={**DEFAULT_PERMISSIONS, "administration": "write"}))[
        "permissions"
    ]
    assert (permissions.good, permissions.message) == (
        None,
        "More than TinyGen uses: administration: write.",
    )


def test_workflows_and_more_events_are_the_operators_choice(add_app: Add) -> None:
    settings = add_app(
        permissions={**DEFAULT_PERMISSIONS, "workflows": "write"}, events=[*EVENTS, "push"]
    )
    assert faults(settings) == {}


def test_an_app_that_is_installed_nowhere_is_a_fault(add_app: Add) -> None:
    assert set(faults(add_app(installed=False))) == {"installations"}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (b'{"url": "", "content_type": "json", "insecure_ssl": "0"}', "no URL"),
        (
            b'{"url": "https://a.test/webhook", "content_type": "form", "insecure_ssl": "0"}',
            "application/json",
        ),
        (
            b'{"url": "https://a.test/webhook", "content_type": "json", "insecure_ssl": "1"}',
            "certificate",
        ),
        (
            b'{"url": "http://a.test/webhook", "content_type": "json", "insecure_ssl": 0}',
            "unencrypted",
        ),
    ],
)
def test_a_webhook_that_cannot_be_trusted_is_a_fault(
    add_app: Add, github: GitHubDouble, config: bytes, words: str
) -> None:
    settings = add_app()
    github.faults.add(Fault(200, config), path="/app/hook/config")
    faulty = faults(settings)
    assert set(faulty) == {"webhook"}
    assert words in faulty["webhook"].message


def test_a_webhook_at_another_path_is_worth_a_word(add_app: Add) -> None:
    hook = found(add_app(webhook_url="https://channel.test/abc"))["webhook"]
    assert (hook.good, hook.message) == (
        None,
        "channel.test gets it at /abc, TinyGen answers at /webhook.",
    )


@pytest.mark.parametrize(
    ("ahead_s", "words"), [(95.0, "s ahead of GitHub's."), (-95.0, "s behind GitHub's.")]
)
def test_a_clock_that_is_off_is_a_fault(add_app: Add, ahead_s: float, words: str) -> None:
    faulty = faults(add_app(), replace(SERVICES, github=partial(impatient_github, ahead_s=ahead_s)))
    assert faulty["clock"].message.endswith(words)


def test_a_github_that_is_not_reached_is_told_for_each_check(add_app: Add) -> None:
    faulty = faults({**add_app(), "GITHUB_API_URL": "http://127.0.0.1:9"})
    assert set(faulty) == {"clock", "App"}


@pytest.mark.parametrize(
    "url", ["http://[x", "http://a:99999999/", "http://\x01", "https://exa mple.test"]
)
def test_an_odd_address_of_github_is_no_traceback(add_app: Add, url: str) -> None:
    config = Config.model_validate(add_app()).model_copy(update={"github_api_url": url})
    findings = {finding.subject: finding for finding in find_all(Checkup(config, SERVICES))}
    assert (findings["clock"].good, findings["App"].good) == (False, False)
    assert findings["git"].good


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (bad_key(), "OPENAI_API_KEY"),
        (no_such_model(), "OPENAI_MODEL"),
        (server_error(), "few minutes"),
    ],
)
def test_what_is_wrong_with_the_model_is_told_with_its_setting(
    add_app: Add, fault: ModelFault, words: str
) -> None:
    with ModelDouble(lambda _messages: fault) as model:
        finding = found({**add_app(), "OPENAI_BASE_URL": model.url})["model"]
    assert finding.good is False
    assert words in finding.next_step


def test_openai_is_not_asked_without_a_key(add_app: Add) -> None:
    settings = add_app()
    del settings["OPENAI_BASE_URL"]
    assert found(settings)["model"].message == "OPENAI_API_KEY is not set."


def test_a_supabase_that_is_not_reached_is_a_fault(add_app: Add) -> None:
    absent = SupabaseStore("http://127.0.0.1:9", "sb_secret_0123456789", timeout_s=1.0)
    assert set(faults(add_app(), replace(SERVICES, supabase=lambda _config: absent))) == {
        "Supabase"
    }


def test_a_data_directory_that_cannot_be_made_is_a_fault(add_app: Add, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    faulty = faults({**add_app(), "TINYGEN_DATA_DIR": str(tmp_path / "file" / "data")})
    assert set(faulty) == {"data directory", "database"}
    assert "TINYGEN_DATA_DIR" in faulty["data directory"].next_step


def test_a_broken_database_is_a_fault(add_app: Add, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tinygen.sqlite").write_bytes(b"not a database" * 1000)
    assert set(faults(add_app())) == {"database"}


def test_nothing_is_made_in_another_users_directory(add_app: Add, tmp_path: Path) -> None:
    theirs = Path("/usr")
    if os.geteuid() == 0:
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        os.chown(theirs, 12345, 12345)
    assert found({**add_app(), "TINYGEN_DATA_DIR": str(theirs)})["database"].good is None
    assert not (theirs / "tinygen.sqlite").exists()


def test_a_job_that_no_worker_takes_is_a_fault(add_app: Add, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/jobs.sqlite", clock=iter([0.0, 600.0]).__next__)
    database.create()
    database.accept(Job("j", "run", Target("o/r"), Command("solve", "p")))
    services = replace(SERVICES, database=lambda _config: database)
    assert faults(add_app(), services)["database"].message == "A job has waited 600 s for a worker."


def test_at_the_start_jobs_may_have_waited_for_it(add_app: Add, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/jobs.sqlite", clock=iter([0.0, 600.0]).__next__)
    database.create()
    database.accept(Job("j", "run", Target("o/r"), Command("solve", "p")))
    services = replace(SERVICES, database=lambda _config: database)
    assert found(add_app(), services, is_thorough=False)["database"].good


class FakeStore:
    """Remembers what was called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def check(self) -> None:
        self.calls.append("check")

    def try_row(self, _row_id: str) -> None:
        self.calls.append("try a row")

    def close(self) -> None:
        self.calls.append("close")


@pytest.mark.parametrize(
    ("is_thorough", "calls"),
    [(True, ["check", "try a row", "close"]), (False, ["check", "close"])],
)
def test_a_row_is_tried_at_supabase_but_not_at_the_start(
    add_app: Add, *, is_thorough: bool, calls: list[str]
) -> None:
    store = FakeStore()
    services = replace(SERVICES, supabase=lambda _config: cast(SupabaseStore, store))
    assert found(add_app(), services, is_thorough=is_thorough)["Supabase"].good
    assert store.calls == calls


def test_at_the_start_installations_are_not_asked_for_their_repositories(
    add_app: Add, github: GitHubDouble
) -> None:
    assert found(add_app(), is_thorough=False)["installations"].message == "1."
    assert not github.requests.of("GET", "/app/installations")


def test_if_the_model_does_not_answer_the_others_of_its_server_are_not_asked(add_app: Add) -> None:
    settings = add_app() | {"TINYGEN_MODELS": "large,small", "TINYGEN_SCOUT_MODEL": "scout"}
    with ModelDouble(lambda _messages: server_error()) as model:
        found({**settings, "OPENAI_BASE_URL": model.url}, Services())
        assert len(model.requests) == 1


@pytest.mark.parametrize(
    "said", ["echo git version 2.30.9", "echo git version 1.8.3.1", "echo nonsense", "exit 1"]
)
def test_a_git_that_is_old_or_broken_is_a_fault(
    add_app: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    (tmp_path / "git").write_text(f"#!/bin/sh\n{said}\n")
    (tmp_path / "git").chmod(0o755)
    settings = add_app()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "2.38" in faults(settings)["git"].next_step


@pytest.mark.slow
def test_faults_are_exit_status_1_and_no_secret_is_shown(add_app: Add, tmp_path: Path) -> None:
    """The model's server echoes the key, and the output is not even in UTF-8."""
    key = "sk-a-key-that-nobody-may-see-0123"
    echo = ModelFault(400, b'{"error": {"message": "what is %s doing here?"}}' % key.encode())
    with ModelDouble([echo]) as model:
        settings = {
            **add_app(),
            "OPENAI_BASE_URL": model.url,
            "OPENAI_API_KEY": key,
            "GITHUB_TOKEN": "ghp_" + "0" * 36,
        }
        ended = run_bot(tmp_path, "doctor", PYTHONIOENCODING="ascii", **settings)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.endswith("1 to mend.\n")
    config = Config.model_validate(settings)
    assert not any(
        line in ended.stdout for secret in config.secrets() for line in secret.splitlines()
    )


@pytest.mark.parametrize("name", [".env", "key.pem"])
def test_a_file_with_secrets_that_others_may_read_is_a_fault(
    add_app: Add, tmp_path: Path, name: str
) -> None:
    settings = add_app()
    path = tmp_path / name
    path.write_text(settings["GITHUB_PRIVATE_KEY"])
    config = Config.model_validate(settings).model_copy(
        update={"github_private_key_path": tmp_path / "key.pem"}
    )
    for mode, is_fault in ((0o644, True), (0o640, False)):
        path.chmod(mode)
        asked = Checkup(config, SERVICES, env_file=tmp_path / ".env")
        modes = [each for each in find_all(asked) if each.subject == "file modes"]
        assert [each.good for each in modes] == [not is_fault]
        assert str(tmp_path) not in str(modes[0])


def test_a_misspelt_setting_is_a_fault_that_names_the_one_that_was_meant(add_app: Add) -> None:
    unknown = (UnknownSetting("TINYGEN_MODDE", "TINYGEN_MODE"), UnknownSetting("TINYGEN_LLAMAS"))
    asked = checkup(add_app(), unknown=unknown)
    messages = [each.message for each in find_all(asked) if each.subject == "settings"]
    assert messages == [
        "TINYGEN_MODDE: did you mean TINYGEN_MODE?",
        "TINYGEN_LLAMAS is no setting.",
    ]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("TINYGEN_MAX_TOKENS", "40000"),
        ("TINYGEN_MAX_CALLS", "1"),
        ("TINYGEN_MAX_REPLY_TOKENS", "200"),
        ("TINYGEN_CALL_SECONDS", "5000"),
        ("TINYGEN_DAILY_TOKENS", "100000"),
    ],
)
def test_a_limit_that_no_job_can_keep_is_a_fault(add_app: Add, setting: str, value: str) -> None:
    limits = faults({**add_app(), setting: value})["limits"]
    assert f"{setting}={value}" in limits.message


def test_installations_are_counted_with_their_repositories(
    add_app: Add, github: GitHubDouble
) -> None:
    settings = add_app()
    github.add_repository("mona/a")
    github.install(github.world.apps[12345], "mona")
    assert found(settings)["installations"].message == "2, with 2 repositories."


def test_a_suspended_installation_is_a_fault(add_app: Add, github: GitHubDouble) -> None:
    settings = add_app()
    installation = github.install(github.world.apps[12345], "mona")
    installation.suspended = True
    suspended = faults(settings)["suspended installation"]
    assert f"/settings/installations/{installation.id}" in suspended.next_step
    assert found(settings)["installations"].message == "2, with 1 repository."


def test_an_installation_without_repositories_is_a_fault(
    add_app: Add, github: GitHubDouble
) -> None:
    settings = add_app(installed=False)
    github.install(github.world.apps[12345], "mona")
    assert "no repository" in faults(settings)["installations"].message


def test_a_dead_address_of_the_model_is_told_at_its_first_refusal(add_app: Add) -> None:
    """Not sent again: that took 16 seconds."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    def model(config: Config) -> OpenAIModel:
        return OpenAIModel(config.openai_base_url, None, "m", sleep=pause, retries=0)

    finding = found(add_app(), replace(SERVICES, model=model))["model"]
    assert finding.good is False
    assert "OPENAI_BASE_URL" in finding.next_step
    assert pauses == []


def test_every_model_that_may_be_asked_is_asked(add_app: Add) -> None:
    settings = add_app() | {"TINYGEN_MODELS": "large,small", "TINYGEN_SCOUT_MODEL": "scout"}
    with ModelDouble(lambda _messages: "ready") as model:
        findings = found({**settings, "OPENAI_BASE_URL": model.url}, Services())
        asked = [each.body["model"] for each in model.requests]
    assert asked == ["gpt-5.4", "scout", "large", "small"]
    assert all(
        findings[each].good for each in ("model", "scout model", "model large", "model small")
    )


def test_the_faults_are_stored_without_paths_servers_and_secrets(
    add_app: Add, tmp_path: Path
) -> None:
    settings = add_app()
    asked = checkup(settings, replace(SERVICES, model=build_impatient_model))
    findings = [
        *find_all(asked),
        Finding("test", False, f"{tmp_path} is wrong.", "Mend it.", "It is wrong."),
        Finding("secret", False, f"{SECRET} is wrong.", f"Do not say {SECRET}."),
    ]
    save_outcome(asked, findings)
    with closing(build_database(asked.config)) as database:
        check = database.shared.check()
    assert check is not None
    assert [(fault.subject, fault.message) for fault in check.faults] == [
        ("model", "It does not answer."),
        ("test", "It is wrong."),
        ("secret", "[hidden] is wrong."),
    ]
    assert check.faults[-1].next_step == "Do not say [hidden]."


def test_nothing_is_stored_in_another_users_directory(add_app: Add, tmp_path: Path) -> None:
    asked = checkup(add_app())
    save_outcome(asked, [Finding("database", None, "Not opened.")])
    assert not (tmp_path / "data").exists()
