"""Whether changed files still parse. Only a fault that the base did not have is the change's doing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

MAX_CHECKED_BYTES = 1_000_000
"""Larger files are not parsed: it would take long, and they are generated."""
_WITH_COMMENTS = re.compile(
    r"(?:^|/)(?:[jt]sconfig[^/]*\.json|\.(?:vscode|devcontainer)/.*|\.?[a-z]*rc\.json|.*\.code-.*)$"
)

Judge = Callable[[Sequence[tuple[str, bytes]]], Sequence[str | None]]
"""Of files, each with its path: where and why it does not parse, None where it does or nothing is known."""


def unjudged(files: Sequence[tuple[str, bytes]]) -> Sequence[str | None]:
    """A judge that knows no language."""
    return [None] * len(files)


def find_faults(
    files: Mapping[str, bytes], before: Callable[[str], bytes | None], judge: Judge
) -> Iterator[tuple[str, str]]:
    """(path, sentence) of each file that does not parse and, where it is old, did before. `before` is asked for what a
    file was, None where it is new. `judge` is asked once, and once more where there are faults."""
    new = dict(_faults([*files.items()], judge))
    olds = {path: content for path in new if (content := before(path)) is not None}
    faulty = dict(_faults([*olds.items()], judge))
    for path in new.keys() - faulty.keys():
        was = ", though it did before" if path in olds else ""
        yield path, f"{path} does not parse as {_LANGUAGES[_suffix(path)]}{was}: {new[path]}."


def _faults(files: Sequence[tuple[str, bytes]], judge: Judge) -> Iterator[tuple[str, str]]:
    judged = [(path, content) for path, content in files if _is_judged(path, content)]
    if judged:
        yield from ((path, fault) for (path, _), fault in zip(judged, judge(judged), strict=True) if fault)


def _is_judged(path: str, content: bytes) -> bool:
    suffix = _suffix(path)
    may_be_told = suffix != "json" or not _WITH_COMMENTS.search(path)
    return suffix in _LANGUAGES and len(content) <= MAX_CHECKED_BYTES and may_be_told


def _suffix(path: str) -> str:
    return path.rpartition(".")[2].lower()


_LANGUAGES = {
    "py": "Python", "pyi": "Python", "json": "JSON", "toml": "TOML", "yaml": "YAML", "yml": "YAML",
    "xml": "XML", "svg": "XML", "xsd": "XML", "csproj": "XML",
    "js": "JavaScript", "jsx": "JavaScript", "mjs": "JavaScript", "cjs": "JavaScript",
    "ts": "TypeScript", "mts": "TypeScript", "cts": "TypeScript", "tsx": "TypeScript",
    "go": "Go", "rs": "Rust", "java": "Java", "rb": "Ruby", "php": "PHP", "sh": "shell", "bash": "shell",
}  # fmt: skip
