"""`docs/settings.md`, made from the settings' own metadata:

python -m tests.tools.settings_page > docs/settings.md
"""

from __future__ import annotations

import sys

from pydantic.fields import FieldInfo

from bot.config import Config

INTRODUCTION = """\
# Settings

Every setting of TinyGen itself, with its default. A repository has [a file of its own](repository.md), whose values
win over `TINYGEN_MODE` and its like, but never over a limit.

- Settings are read once, at the start: restart TinyGen after a change.
- The environment wins over the file. In a checkout that is `.env`: the operator's commands (`serve`, `doctor`, `jobs`
  and the like) read the one of the folder where they start. The commands on a repository (`run`, `context`, `apply`,
  `check`) read the checkout's own, since the folder where they start may be a stranger's clone.
- Where TinyGen is installed, all commands read `~/.config/tinygen/env`, and data is in `~/.local/share/tinygen`.
- An empty value counts as not set. A relative path in the file starts at the file's folder.
- One error lists all values that cannot be used, and TinyGen ends with exit status 2. `doctor` tells of a misspelt
  name, and so does the log when `serve` starts.
- Keep the file private (`chmod 600 .env`). `doctor` says so if everybody on the machine may read it.

This page is made from `bot/config.py`, as [`.env.example`](../.env.example) is, which is the file to copy.
"""
SECTIONS = {
    "OPENAI_API_KEY": "The model",
    "GITHUB_APP_ID": "GitHub",
    "SUPABASE_URL": "The request log at Supabase",
    "TINYGEN_KEEP_DAYS": "What is kept, and where",
    "TINYGEN_HOST": "The web part, and who may see and call what",
    "TINYGEN_MODE": "What a command does, and who may give one",
    "TINYGEN_MAX_REVISIONS": "How a change is made",
    "TINYGEN_ACTOR_HOURLY": "Limits",
    "TINYGEN_PRICE_INPUT": "Prices",
    "TINYGEN_LOG_FORMAT": "The log",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "Traces",
}
"""Titles of the page, by the setting that each begins with."""


def render_settings_page() -> str:
    lines = [INTRODUCTION]
    for field in Config.model_fields.values():
        title = SECTIONS.get(str(field.alias))
        if title:
            lines += [f"\n## {title}\n", "| setting | default | meaning |", "| --- | --- | --- |"]
        lines.append(_row(field))
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _row(field: FieldInfo) -> str:
    meaning = str(field.description).replace("|", "\\|")  # it would end the cell
    return f"| `{field.alias}` | {_render_default(field.default)} | {meaning} |"


def _render_default(default: object) -> str:
    if default in (None, ()):
        return "-"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`"


if __name__ == "__main__":
    sys.stdout.write(render_settings_page())
