"""The settings, and the files that speak of them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from bot.config import (
    Config,
    UnknownSetting,
    load_config,
    load_own_config,
    read_pem,
    render_env_example,
    unknown_settings,
)
from bot.errors import SetupError
from tests import ROOT
from tests.doubles.github.apps import make_key
from tests.tools.settings_page import SECTIONS, render_settings_page


@pytest.fixture(scope="session")
def pem() -> str:
    return make_key()


def test_the_example_file_is_the_settings() -> None:
    assert (ROOT / ".env.example").read_text() == render_env_example(), (
        "run `python -m bot.config > .env.example`"
    )


def test_the_page_of_the_settings_is_the_settings() -> None:
    page = render_settings_page()
    assert (ROOT / "docs" / "settings.md").read_text() == page, (
        "run `python -m tests.tools.settings_page > docs/settings.md`"
    )
    assert page.count("\n## ") == len(SECTIONS), "a section begins with a setting that is gone"


def test_the_contracts_defaults_hold() -> None:
    config = load_config({}, None)
    assert (config.host, config.port, config.mode, config.min_permission) == (
        "127.0.0.1",
        8000,
        "diff",
        "write",
    )
    assert (config.max_revisions, config.context_tokens, config.data_dir) == (
        2,
        24000,
        Path("data"),
    )
    assert (config.github_api_url, config.github_server_url) == (
        "https://api.github.com",
        "https://github.com",
    )


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('TINYGEN_PORT=1\nTINYGEN_MODE=pr\nOPENAI_MODEL="a $b"\n')
    config = load_config({"TINYGEN_PORT": "2"}, tmp_path / ".env")
    assert (config.port, config.mode, config.openai_model) == (2, "pr", "a $b")


def test_an_empty_value_is_not_set() -> None:
    assert load_config({"TINYGEN_PORT": "", "GITHUB_TOKEN": ""}, None) == load_config({}, None)


def test_all_odd_settings_are_named_at_once_and_no_value_is_repeated() -> None:
    odd = {
        "TINYGEN_PORT": "hunter2",
        "TINYGEN_MODE": "hunter2",
        "TINYGEN_MIN_PERMISSION": "none",
        "GITHUB_PRIVATE_KEY": "hunter2",
        "SUPABASE_URL": "hunter2",
        "TINYGEN_DATABASE_URL": "mysql://hunter2",
    }
    with pytest.raises(SetupError) as error:
        load_config(odd, None)
    assert all(name in str(error.value) for name in odd)
    assert "hunter2" not in str(error.value)


def test_supabase_needs_both_of_its_settings() -> None:
    with pytest.raises(SetupError, match="go together"):
        load_config({"SUPABASE_URL": "https://x.supabase.co"}, None)


def test_a_private_key_may_have_any_of_its_forms(pem: str, tmp_path: Path) -> None:
    path = tmp_path / "app.pem"
    path.write_text(pem)
    forms = [pem, pem.replace("\n", "\\n"), base64.b64encode(pem.encode()).decode(), f"\n{pem}\n"]
    configs = [load_config({"GITHUB_PRIVATE_KEY": form}, None) for form in forms]
    configs.append(load_config({"GITHUB_PRIVATE_KEY_PATH": str(path)}, None))
    assert {_key(config) for config in configs} == {read_pem(pem)}


def test_a_key_file_that_is_not_there_is_a_setup_error() -> None:
    with pytest.raises(SetupError, match="GITHUB_PRIVATE_KEY_PATH"):
        load_config({"GITHUB_PRIVATE_KEY_PATH": "/nowhere.pem"}, None)


def test_every_secret_is_known_as_one(pem: str) -> None:
    given = {
        "OPENAI_API_KEY": "sk-1",
        "GITHUB_PRIVATE_KEY": pem,
        "GITHUB_WEBHOOK_SECRET": "w",
        "GITHUB_TOKEN": "t",
        "SUPABASE_URL": "https://x",
        "SUPABASE_KEY": "s",
        "TINYGEN_DATABASE_URL": "postgresql://u:p@h/d",
        "TINYGEN_API_KEYS": "a, b",
    }
    config = load_config(given, None)
    assert set(config.secrets()) == {
        "sk-1",
        read_pem(pem),
        "w",
        "t",
        "s",
        "postgresql://u:p@h/d",
        "a",
        "b",
    }
    assert "sk-1" not in repr(config)


@pytest.mark.parametrize("permission", ["none", "read"])
def test_what_lets_everybody_command_public_repositories_is_refused(permission: str) -> None:
    with pytest.raises(SetupError, match=r"everybody.* use triage, write, maintain or admin"):
        load_config({"TINYGEN_MIN_PERMISSION": permission}, None)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    code = tmp_path / "tinygen"
    code.mkdir()
    (code / "app.yml").touch()
    return code


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a stranger's."""
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / ".env").write_text("OPENAI_BASE_URL=http://evil.test\nTINYGEN_DATA_DIR=evil\n")
    monkeypatch.chdir(clone)
    return clone


@pytest.mark.usefixtures("clone")
def test_a_checkout_has_its_own_settings_and_data(checkout: Path) -> None:
    config = load_own_config({}, checkout)
    assert (config.openai_base_url, config.data_dir) == (
        "https://api.openai.com/v1",
        checkout / "data",
    )
    (checkout / ".env").write_text("OPENAI_MODEL=mine\nTINYGEN_DATA_DIR=./kept\n")
    config = load_own_config({}, checkout)
    assert (config.openai_model, config.data_dir) == ("mine", checkout / "kept")


@pytest.mark.usefixtures("clone")
def test_what_is_installed_has_them_in_the_users_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    kept = tmp_path / "me" / ".config" / "tinygen"
    kept.mkdir(parents=True)
    (kept / "env").write_text("OPENAI_MODEL=mine\n")
    config = load_own_config({}, tmp_path)
    assert (config.openai_model, config.data_dir) == (
        "mine",
        tmp_path / "me" / ".local" / "share" / "tinygen",
    )
    elsewhere = {"XDG_CONFIG_HOME": str(tmp_path / "c"), "XDG_DATA_HOME": str(tmp_path / "d")}
    config = load_own_config(elsewhere, tmp_path)
    assert (config.openai_model, config.data_dir) == ("gpt-5.4", tmp_path / "d" / "tinygen")
    relative = {"XDG_CONFIG_HOME": "c", "XDG_DATA_HOME": "."}
    assert load_own_config(relative, tmp_path) == load_own_config({}, tmp_path)


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize("home", ["", ".", "me"])
def test_a_home_that_depends_on_the_folder_is_none(tmp_path: Path, home: str) -> None:
    with pytest.raises(SetupError, match="XDG_CONFIG_HOME"):
        load_own_config({"HOME": home}, tmp_path)
    own = {"HOME": home, "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    assert load_own_config(own, tmp_path).data_dir == tmp_path / "tinygen"


@pytest.mark.usefixtures("clone")
def test_the_environment_wins_there_too_and_an_empty_value_names_no_folder(checkout: Path) -> None:
    assert load_own_config({"TINYGEN_DATA_DIR": "/elsewhere"}, checkout).data_dir == Path(
        "/elsewhere"
    )
    (checkout / ".env").write_text("TINYGEN_DATA_DIR=/kept\n")
    assert load_own_config({"TINYGEN_DATA_DIR": ""}, checkout).data_dir == checkout / "data"


@pytest.mark.usefixtures("clone")
def test_paths_in_the_file_are_relative_to_its_folder(
    checkout: Path, clone: Path, pem: str
) -> None:
    (clone / "app.pem").write_text("a stranger's")
    (checkout / "app.pem").write_text(pem)
    (checkout / ".env").write_text("GITHUB_PRIVATE_KEY_PATH=app.pem\n")
    assert _key(load_own_config({}, checkout)) == read_pem(pem)


def _key(config: Config) -> str:
    return config.github_private_key.get_secret_value() if config.github_private_key else ""


def test_models_may_have_prices() -> None:
    config = load_config({"TINYGEN_MODELS": "small, large = 2.5/10/0.25"}, None)
    assert config.model_names() == (config.openai_model, "small", "large")
    assert config.model_prices() == {"large": (2.5, 10.0, 0.25)}


def test_a_price_that_cannot_be_read_is_told() -> None:
    with pytest.raises(SetupError, match="'large=cheap' is neither"):
        load_config({"TINYGEN_MODELS": "small, large=cheap"}, None)


def test_who_can_see_is_one_of_the_models() -> None:
    config = load_config({"TINYGEN_MODELS": "small, large=1/2", "TINYGEN_VISION": "large"}, None)
    assert config.vision == ("large",)
    with pytest.raises(SetupError, match="TINYGEN_VISION names a model that is neither"):
        load_config({"TINYGEN_MODELS": "small", "TINYGEN_VISION": "larg"}, None)


def test_the_model_that_chooses_may_have_prices_of_its_own() -> None:
    config = load_config({"TINYGEN_SCOUT_MODEL": "small = 0.1/0.4"}, None)
    assert config.model_prices() == {"small": (0.1, 0.4)}
    assert config.model_names() == (config.openai_model,)


def test_a_misspelt_setting_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("TINYGEN_MODDE=pr\nOPENAI_BASEURL=x\n")
    assert unknown_settings({"GITHUB_WEBHOK_SECRET": "s"}, env_file) == (
        UnknownSetting("GITHUB_WEBHOK_SECRET", "GITHUB_WEBHOOK_SECRET"),
        UnknownSetting("OPENAI_BASEURL", "OPENAI_BASE_URL"),
        UnknownSetting("TINYGEN_MODDE", "TINYGEN_MODE"),
    )


def test_a_name_of_ours_that_is_like_no_setting_is_told_too() -> None:
    assert unknown_settings({"TINYGEN_LLAMAS": "7"}, None) == (UnknownSetting("TINYGEN_LLAMAS"),)


OTHERS_NAMES = """\
GITHUB_ACTION GITHUB_ACTIONS GITHUB_ACTION_PATH GITHUB_ACTOR GITHUB_ACTOR_ID GITHUB_API_URI
GITHUB_BASE_REF GITHUB_ENV GITHUB_EVENT_NAME GITHUB_EVENT_PATH GITHUB_GRAPHQL_URL GITHUB_HEAD_REF
GITHUB_JOB GITHUB_OUTPUT GITHUB_PATH GITHUB_PAT GITHUB_REF GITHUB_REPOSITORY GITHUB_REPOSITORY_ID
GITHUB_RUN_ID GITHUB_SHA GITHUB_STEP_SUMMARY GITHUB_TOKEN GITHUB_USER GITHUB_WORKFLOW
GITHUB_WORKSPACE GITHUB_ENTERPRISE_TOKEN GITHUB_OAUTH_TOKEN OPENAI_API_BASE OPENAI_API_TYPE
OPENAI_API_VERSION OPENAI_ORGANIZATION OPENAI_ORG_ID OPENAI_PROJECT_ID OPENAI_PROXY OPENAI_LOG
OPENAI_WEBHOOK_SECRET SUPABASE_ACCESS_TOKEN SUPABASE_ANON_KEY SUPABASE_DB_PASSWORD SUPABASE_DB_URL
SUPABASE_PROJECT_ID SUPABASE_SERVICE_ROLE_KEY PATH HOME TINYGEN
"""
"""What GitHub Actions, OpenAI's libraries and Supabase's tools set or read."""


@pytest.mark.parametrize("name", OTHERS_NAMES.split())
def test_a_name_of_another_program_is_no_misspelt_setting(name: str) -> None:
    assert unknown_settings({name: "x"}, None) == ()


def test_settings_that_are_known_are_not_told() -> None:
    names = {str(field.alias): "x" for field in Config.model_fields.values()}
    assert unknown_settings(names, None) == ()
