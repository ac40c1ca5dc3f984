"""app.yml asks GitHub for what the code uses: no less, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.adapters.github import auth
from bot.cli.setup.manifest import MANIFEST, read_manifest
from bot.errors import SetupError
from bot.thread.webhooks import EVENTS
from bot.types.setup import Address

LEVELS = ("read", "write")
LONGEST_NAME = 34


def used_permissions() -> dict[str, str]:
    """The highest level of each permission that any token of TinyGen asks for."""
    constants = [name for name, kind in auth.__annotations__.items() if kind == "Permissions"]
    assert constants
    used: dict[str, str] = {}
    for name in constants:
        for permission, level in getattr(auth, name):
            used[permission] = max(level, used.get(permission, "read"), key=LEVELS.index)
    return used


def test_the_permissions_are_those_that_tokens_are_asked_for() -> None:
    used = used_permissions()
    assert used.pop("workflows") == "write"
    assert read_manifest().default_permissions == used


def test_workflows_is_named_as_a_choice() -> None:
    assert "\n  # workflows: write\n" in MANIFEST.read_text()


def test_the_events_are_those_that_are_read() -> None:
    assert read_manifest().default_events == EVENTS


def test_the_app_is_private_and_has_a_name_that_github_takes() -> None:
    manifest = read_manifest()
    assert not manifest.public
    assert 0 < len(manifest.name) <= LONGEST_NAME


def test_what_is_posted_names_the_bots_own_address() -> None:
    posted = read_manifest().to_post(
        Address("https://tinygen.acme.test"), "http://127.0.0.1:9/created"
    )
    assert posted["url"] == "https://tinygen.acme.test"
    assert posted["hook_attributes"] == {"url": "https://tinygen.acme.test/webhook", "active": True}
    assert posted["redirect_url"] == "http://127.0.0.1:9/created"
    assert "bot.example.com" not in str(posted)


@pytest.mark.parametrize(
    "text", ["", "- a list", "name: TinyGen", "name: [", "\x00", "{surprise: 1}"]
)
def test_a_file_that_is_no_manifest_is_an_error_of_the_setup(tmp_path: Path, text: str) -> None:
    (tmp_path / "app.yml").write_text(text)
    with pytest.raises(SetupError, match=r"app\.yml"):
        read_manifest(tmp_path / "app.yml")


def test_an_absent_file_is_an_error_of_the_setup(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"app\.yml"):
        read_manifest(tmp_path / "app.yml")
