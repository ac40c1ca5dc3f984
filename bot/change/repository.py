"""What a task needs of its repository: the repository's instructions for contributors, and a view
with changes that are not committed yet.

Instructions are read from the default branch alone: whoever can write there may ask TinyGen for
changes anyway, while a pull request's author may be anybody. Files that the model may not be shown
are not read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bot.types import Task
from bot.types.snapshot import Blob, Change, Changes, RepositoryView
from bot.types.text import read_text

AGENT_FILES = ("AGENTS.md", ".github/copilot-instructions.md")
"""https://agents.md,
https://docs.github.com/en/copilot/customizing-copilot/adding-repository-custom-instructions-for-github-copilot"""
CONTRIBUTOR_FILES = ("CONTRIBUTING.md", ".github/CONTRIBUTING.md", "CONTRIBUTING.rst")
"""Written for people, and mostly not about code: only the sections that are."""
MAX_AGENT_CHARS = 8_000
MAX_CONTRIBUTOR_CHARS = 2_000
MAX_NESTED_CHARS = 4_000
MAX_NESTED_FILES = 30
MAX_BLOB_BYTES = 256_000
_ABOUT_CODE = re.compile(
    r"\b(?:tests?|testing|cod(?:e|ing)|style|conventions?|lint(?:ing|ers?)?|format(?:ting)?"
    r"|change[- ]?logs?|changes|news|commits?)\b(?! of conduct)",
    re.IGNORECASE,
)
_HEADING = re.compile(r"#{1,6}\s+(.*)")
_UNDERLINE = re.compile(r"([=~^\"'*+#-])\1{2,}\s*$")


@dataclass(frozen=True, slots=True)
class Instructions:
    """`general` is for the whole repository. `nested` are directories, with the text for what lies
    in them: https://agents.md says that the nearest one counts."""

    general: str = ""
    nested: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()
    """The files that have some."""


def prepare_task(
    task: Task, view: RepositoryView, *, instructions: Instructions | None = None
) -> Task:
    """The task with the repository's instructions and language. `instructions` are the texts of its
    instruction files; None reads them from the view."""
    policy = view.policy
    found = read_instructions(view) if instructions is None else instructions
    asked = "\n\n".join(part for part in (found.general, policy.instructions) if part)
    return replace(
        task, instructions=asked, nested_instructions=found.nested, language=policy.language
    )


def read_instructions(view: RepositoryView) -> Instructions:
    """The instruction files, each under its name and cut to a limit."""
    visible = view.visible()
    nested = [path for path in visible.blobs if path.endswith("/AGENTS.md")][:MAX_NESTED_FILES]
    texts = _read_texts(visible, [*AGENT_FILES, *CONTRIBUTOR_FILES, *nested])
    parts = {path: _under_name(path, texts.get(path, ""), MAX_AGENT_CHARS) for path in AGENT_FILES}
    for path in CONTRIBUTOR_FILES:
        about_code = _sections_about_code(texts.get(path, ""))
        parts[path] = _under_name(path, about_code, MAX_CONTRIBUTOR_CHARS)
    general = {path: part for path, part in parts.items() if part}
    inner = {path: _under_name(path, texts.get(path, ""), MAX_NESTED_CHARS) for path in nested}
    inner = {path: part for path, part in inner.items() if part}
    return Instructions(
        "\n\n".join(general.values()),
        tuple((path.removesuffix("/AGENTS.md"), part) for path, part in inner.items()),
        (*general, *inner),
    )


def _read_texts(view: RepositoryView, paths: Sequence[str]) -> dict[str, str]:
    blobs = [blob for path in paths if (blob := view.blobs.get(path)) and _is_readable(blob)]
    return {
        blob.path: (read_text(content) or "").strip()
        for blob, content in zip(blobs, view.read(blobs), strict=True)
    }


def _under_name(path: str, text: str, max_chars: int) -> str:
    """The text under its file's name, cut at the end of a line; "" if there is none."""
    if len(text) > max_chars:
        end = max(text.rfind("\n", 0, max_chars), 0) or max_chars
        text = f"{text[:end]}\n[cut here]"
    return f"{path}:\n{text}" if text else ""


def _sections_about_code(text: str) -> str:
    """The sections whose heading speaks of code, tests or changelogs, in Markdown or
    reStructuredText."""
    lines = text.split("\n")
    kept: list[str] = []
    is_kept = False
    for number, line in enumerate(lines):
        heading = _HEADING.match(line)
        is_underlined = (
            number + 1 < len(lines)
            and bool(line.strip())
            and _UNDERLINE.match(lines[number + 1]) is not None
        )
        if heading or is_underlined:
            is_kept = _ABOUT_CODE.search(line) is not None
        if is_kept:
            kept.append(line)
    return "\n".join(kept).strip()


def _is_readable(blob: Blob) -> bool:
    return blob.mode.startswith("100") and blob.size_bytes <= MAX_BLOB_BYTES


def with_changes(base: RepositoryView, changes: Changes) -> RepositoryView:
    """The view with the changes made. Its `sha` stays the base's, since the changes are in no
    commit."""
    if not changes:
        return base
    blobs = {path: blob for path, blob in base.blobs.items() if path not in changes}
    contents: dict[str, bytes] = {}
    for change in changes.values():
        if change.content is not None:
            blob = _blob(change, change.content)
            blobs[blob.path], contents[blob.oid] = blob, change.content

    def read(wanted: Iterable[Blob]) -> Iterator[bytes]:
        asked = list(wanted)
        others = base.read([blob for blob in asked if blob.oid not in contents])
        for blob in asked:
            yield contents[blob.oid] if blob.oid in contents else next(iter(others))

    in_order = sorted(blobs.items(), key=lambda item: item[0].encode("utf-8", "surrogateescape"))
    after = dict(in_order)
    if base.shown is base.blobs:
        shown = after
    else:
        shown = {
            path: blob for path, blob in after.items() if path in base.shown or path in changes
        }
    return replace(base, blobs=after, shown=shown, read=read)


def _blob(change: Change, content: bytes) -> Blob:
    """https://git-scm.com/book/en/v2/Git-Internals-Git-Objects"""
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return Blob(change.path, change.mode, oid, len(content))
