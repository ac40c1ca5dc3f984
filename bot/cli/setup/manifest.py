"""The App as `app.yml` describes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.errors import SetupError

MANIFEST = Path(__file__).parents[3] / "app.yml"


class Hook(BaseModel):
    url: str
    active: bool = True


class Manifest(BaseModel):
    """Field names are GitHub's:
    https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest"""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str = ""
    public: bool = False
    url: str
    hook_attributes: Hook
    default_permissions: dict[str, str]
    default_events: tuple[str, ...]

    def to_post(self, url: str, redirect_url: str) -> dict[str, Any]:
        """What GitHub takes, for a bot that is reached at `url`."""
        hook = {"url": f"{url}/webhook", "active": True}
        return {**self.model_dump(mode="json"), "url": url, "hook_attributes": hook, "redirect_url": redirect_url}


def read_manifest(path: Path = MANIFEST) -> Manifest:
    """SetupError where the file is not there, or is no manifest."""
    import yaml

    try:
        return Manifest.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as odd:
        raise SetupError(
            f"app.yml cannot be used ({type(odd).__name__}).", next_step="Restore the file that came with TinyGen."
        ) from odd
