"""`python -m bot upgrade --check` and `migrate`, as an operator calls them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.adapters.database.schema import MIGRATIONS
from bot.thread.webhooks import EVENTS
from bot.version import version
from tests.adapters.conftest import postgres_server, supabase  # noqa: F401 - fixtures
from tests.cli.shell import run_isolated
from tests.doubles.github import GitHubDouble
from tests.doubles.github.apps import DEFAULT_PERMISSIONS
from tests.doubles.supabase import Supabase, run_sql


def app_settings(github: GitHubDouble, **changed: object) -> dict[str, str]:
    made = {"permissions": DEFAULT_PERMISSIONS, "events": list(EVENTS), **changed}
    app = github.add_app(webhook_url="http://127.0.0.1:9/webhook", **made)  # type: ignore[arg-type]  # a dict of keywords
    return {
        "GITHUB_APP_ID": str(app.id),
        "GITHUB_PRIVATE_KEY": app.private_key or "",
        "GITHUB_WEBHOOK_SECRET": "0123456789abcdef0123",
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.url,
    }


def test_nothing_to_do_is_said_and_nothing_is_made(tmp_path: Path, github: GitHubDouble) -> None:
    said = run_isolated(tmp_path, "upgrade", "--check", **app_settings(github))
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith(f"To TinyGen {version()}:\n")
    assert "There is none yet" in said.stdout
    assert said.stdout.endswith("Nothing to do by hand.\n")
    assert not (tmp_path / "data" / "tinygen.sqlite").exists()


def test_changes_of_tables_are_counted_and_not_made(tmp_path: Path, github: GitHubDouble) -> None:
    settings = app_settings(github)
    assert run_isolated(tmp_path, "migrate", **settings).returncode == 0
    assert (
        "Its tables stay as they are."
        in run_isolated(tmp_path, "upgrade", "--check", **settings).stdout
    )
    with closing(sqlite3.connect(tmp_path / "data" / "tinygen.sqlite")) as connection, connection:
        connection.execute(
            "delete from tinygen_migrations where version > ?", (len(MIGRATIONS) - 2,)
        )
    for _ in range(2):
        said = run_isolated(tmp_path, "upgrade", "--check", **settings)
        assert said.returncode == 0
        assert "2 changes of tables at the start" in said.stdout


def test_what_the_app_lacks_and_misspelt_settings_are_for_the_operator(
    tmp_path: Path, github: GitHubDouble
) -> None:
    less = {name: level for name, level in DEFAULT_PERMISSIONS.items() if name != "actions"}
    settings = app_settings(github, permissions=less, events=[])
    said = run_isolated(tmp_path, "upgrade", "--check", **settings, TINYGEN_MODUS="pr")
    assert said.returncode == 1
    for part in ("✗ permissions: Missing: actions: read.", "✗ events: Missing: ", "TINYGEN_MODUS"):
        assert part in said.stdout
    assert said.stdout.endswith("3 to do by hand, before or after.\n")


def test_a_setting_that_cannot_be_used_is_a_wrong_configuration(tmp_path: Path) -> None:
    said = run_isolated(tmp_path, "upgrade", "--check", TINYGEN_MODE="both")
    assert (said.returncode, "TINYGEN_MODE" in said.stderr) == (2, True)


def test_without_check_it_says_how_to_upgrade(tmp_path: Path) -> None:
    said = run_isolated(tmp_path, "upgrade")
    assert (said.returncode, "--check" in said.stderr) == (2, True)


@pytest.mark.postgres
def test_supabases_migrations_are_told_and_made(
    tmp_path: Path,
    github: GitHubDouble,
    supabase: Supabase,  # noqa: F811 - the fixture
) -> None:
    run_sql(supabase.database_url, "drop table public.tinygen_requests")
    settings = {
        **app_settings(github),
        "SUPABASE_URL": supabase.url,
        "SUPABASE_KEY": supabase.secret_key,
        "TINYGEN_SUPABASE_DATABASE_URL": supabase.database_url,
    }
    said = run_isolated(tmp_path, "upgrade", "--check", **settings)
    assert said.returncode == 1
    assert "✗ Supabase: To run there: 20261122000000_tinygen_requests.sql, " in said.stdout
    made = run_isolated(tmp_path, "migrate", **settings)
    assert (made.returncode, made.stderr) == (0, "")
    assert "Supabase: 20261122000000_tinygen_requests.sql, " in made.stdout
    assert "Supabase: nothing to run." in run_isolated(tmp_path, "migrate", **settings).stdout
    assert run_isolated(tmp_path, "upgrade", "--check", **settings).returncode == 0
    with closing(supabase.store()) as store:
        store.check()
