"""Whether what parsed before the change still does."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.change.checks.versions import read_base
from bot.types import SyntaxChecker
from bot.types.snapshot import RepositoryView

MAX_CHECKED_BYTES = 1_000_000
"""Larger files are not parsed: that would take long, and they are generated."""

_LANGUAGES = {
    "py": "Python", "pyi": "Python", "json": "JSON", "toml": "TOML", "yaml": "YAML", "yml": "YAML",
    "xml": "XML", "svg": "XML", "xsd": "XML", "csproj": "XML",
    "js": "JavaScript", "jsx": "JavaScript", "mjs": "JavaScript", "cjs": "JavaScript",
    "ts": "TypeScript", "mts": "TypeScript", "cts": "TypeScript", "tsx": "TypeScript",
    "go": "Go", "rs": "Rust", "java": "Java", "rb": "Ruby", "php": "PHP",
    "sh": "shell", "bash": "shell",
}  # fmt: skip
"""By file extension."""
_JSON_WITH_COMMENTS = re.compile(
    r"(?:^|/)(?:[jt]sconfig[^/]*\.json|\.(?:vscode|devcontainer)/.*|\.?[a-z]*rc\.json|.*\.code-.*)$"
)


def find_syntax_errors(
    base: RepositoryView, files: Mapping[str, bytes], check_syntax: SyntaxChecker
) -> dict[str, str]:
    """A sentence for each file that does not parse, unless it did not parse in the base either. The
    base is checked only for files with errors."""
    errors = _check(files, check_syntax)
    old_files = {}
    for path in errors:
        content = read_base(base, path)
        if content is not None:
            old_files[path] = content
    old_errors = _check(old_files, check_syntax)
    sentences = {}
    for path in errors.keys() - old_errors.keys():
        language = _LANGUAGES[_extension(path)]
        before = ", though it did before" if path in old_files else ""
        sentences[path] = f"{path} does not parse as {language}{before}: {errors[path]}."
    return sentences


def _check(files: Mapping[str, bytes], check_syntax: SyntaxChecker) -> dict[str, str]:
    """The syntax errors by path, of those files whose language is checked."""
    checked = [(path, content) for path, content in files.items() if _is_checked(path, content)]
    if not checked:
        return {}
    errors = zip(checked, check_syntax(checked), strict=True)
    return {path: error for (path, _), error in errors if error}


def _is_checked(path: str, content: bytes) -> bool:
    extension = _extension(path)
    if extension == "json" and _JSON_WITH_COMMENTS.search(path):
        return False
    return extension in _LANGUAGES and len(content) <= MAX_CHECKED_BYTES


def _extension(path: str) -> str:
    return path.rpartition(".")[2].lower()
