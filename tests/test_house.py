"""The house plan: who may import whom. `make check` fails where a room reaches past its doors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

BOT = Path(__file__).parent.parent / "bot"

PURE = {
    "__future__", "array", "base64", "bisect", "collections", "dataclasses", "difflib", "enum", "fnmatch", "functools",
    "hashlib", "heapq", "hmac", "html", "itertools", "json", "math", "operator", "posixpath", "re", "string",
    "textwrap", "types", "typing", "unicodedata", "urllib.parse",
}  # fmt: skip
"""What of the standard library has no way to the world, and cannot be held up by what it reads:
parsers of files (`ast`, `tomllib`, `xml`) run in `adapters/bounded`."""

DOORS: dict[str, set[str]] = {
    "errors": set(),
    "core": {"bot.errors", "markdown_it", "pydantic", "re2", "yaml"},
    "ports": {"bot.core", "bot.errors"},
    "watch": {"bot.types"},
    "config": {
        "bot.types", "bot.config", "bot.types.quota", "bot.errors",
        "dotenv", "pydantic",
    },
    "logs": {"structlog"},
    "measures": {"bot.types", "bot.errors", "bot.ports"},
    "metrics": {"bot.types", "bot.ports", "prometheus_client"},
    "adapters": {"bot.core", "bot.errors", "bot.ports"},
    "job": {"bot", "bot.core", "bot.errors", "bot.ports", "pydantic", "structlog", "dbos"},
    "web": {
        "bot", "bot.core", "bot.errors", "bot.ports", "bot.config",
        "flask", "flask_openapi3", "pydantic", "structlog", "werkzeug",
    },
}  # fmt: skip
"""What a room may import besides itself and the standard library. The command line and the wiring
may import all."""

CLIENTS = {
    "http": {"httpcore", "httpx"},
    "bounded": {"structlog", "tree_sitter", "yaml"},
    "database": {"sqlalchemy"},
    "git": {"structlog"},
    "github": {"githubkit", "httpx", "pydantic", "cryptography"},
    "model": {"openai", "httpx", "httpx2", "pydantic"},
    "supabase": {"supabase", "postgrest", "httpx"},
}
"""The one client library of each adapter, with what its calls take."""

SHARED = "bot.adapters.http"
"""What every adapter that speaks HTTP needs in the same way; it knows no server."""


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""


def is_within(module: str, rooms: set[str]) -> bool:
    return any(
        module == room or (module.startswith(f"{room}.") and room != "bot") for room in rooms
    )


def files(room: str) -> list[Path]:
    single = BOT / f"{room}.py"
    return [single] if single.exists() else sorted((BOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", DOORS)
def test_a_room_imports_only_through_its_doors(room: str) -> None:
    for path in files(room):
        for module in imports(path):
            ours = module.startswith("bot") or module.split(".")[0] not in _standard()
            allowed = DOORS[room] | {f"bot.{room}"} | _clients(path)
            assert not ours or is_within(module, allowed), (
                f"{path.relative_to(BOT)} imports {module}"
            )


def test_the_core_has_no_way_to_the_world() -> None:
    for path in files("core"):
        for module in imports(path):
            if module.split(".")[0] in _standard():
                assert is_within(module, PURE), f"{path.relative_to(BOT)} imports {module}"


def test_adapters_do_not_know_each_other() -> None:
    for path in files("adapters"):
        own = f"bot.adapters.{_adapter(path)}"
        for module in imports(path):
            assert not module.startswith("bot.adapters") or is_within(module, {own, SHARED}), (
                f"{path} imports {module}"
            )


def test_one_file_knows_the_engine() -> None:
    knowing = {
        path.relative_to(BOT).as_posix()
        for path in BOT.rglob("*.py")
        if "dbos" in {m.split(".")[0] for m in imports(path)}
    }
    assert knowing == {"job/engine.py"}


def test_the_web_part_stays_light() -> None:
    heavy = {"dbos", "githubkit", "openai", "supabase"}
    for path in [
        *files("web"),
        *files("core"),
        *files("metrics"),
        *sorted((BOT / "adapters/database").glob("*.py")),
    ]:
        assert not heavy & {module.split(".")[0] for module in imports(path)}, path


def _adapter(path: Path) -> str:
    return path.relative_to(BOT / "adapters").parts[0].removesuffix(".py")


def _clients(path: Path) -> set[str]:
    return CLIENTS.get(_adapter(path), set()) if path.is_relative_to(BOT / "adapters") else set()


def _standard() -> frozenset[str]:
    import sys

    return sys.stdlib_module_names
