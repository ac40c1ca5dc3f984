"""What a repository's own settings come to, before anybody gives a command: their mistakes, what the
model may be shown, what is never changed, what a bare command delivers, and who may give it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from bot.app import set_up_logs
from bot.change.repository import read_instructions
from bot.cli.output import print_json, print_line, print_note
from bot.cli.repository.source import open_source, tell_uncommitted
from bot.config import Config, find_shipped
from bot.thread.settings import (
    ACTIONS,
    SETTINGS_FILE,
    Action,
    Guard,
    RepoSettings,
    least_permission,
    read_settings_of,
    repository_policy,
)
from bot.types import Mode, Permission
from bot.types.globs import compile_globs
from bot.types.snapshot import Snapshot, view_repository

MAX_MISTAKES = 100
MAX_PATHS = 100
"""Of a list of files in the JSON."""
MAX_PRINTED = 10
_UNCLEAR: Mapping[Guard, str] = {
    "context": "Until that is mended, the model is shown nothing: commands are refused.",
    "protected": "Until that is mended, changes are delivered as diffs alone.",
}


@dataclass(frozen=True, slots=True)
class Files:
    """How many files meet each pattern and, in all, one of them; the first of these files."""

    patterns: Mapping[str, int]
    count: int
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a bare command delivers. `base` None is the default branch."""

    mode: Mode
    base: str | None
    draft: bool
    labels: tuple[str, ...]
    reviewers: tuple[str, ...]
    model: str
    language: str | None
    ci_fixes: int


@dataclass(frozen=True, slots=True)
class Checked:
    """The fields of the JSON."""

    file: str | None
    sha: str
    mistakes: tuple[str, ...]
    unclear: tuple[Guard, ...]
    files: int
    shown: int
    include: Files
    exclude: Files
    hidden: tuple[str, ...]
    protected: Files
    delivers: Delivery
    permissions: Mapping[Action, Permission]
    instructions: tuple[str, ...]


def check(config: Config, options: argparse.Namespace) -> int:
    """Prints what the settings say. Exit status 1 if there is a mistake in them."""
    set_up_logs(config)
    source = open_source(config, options)
    tell_uncommitted(source)
    found = find_out(config, source.snapshot())
    if options.json:
        print_json(asdict(found), indent=1)
    else:
        for line in _render(found):
            print_line(line)
    if not found.mistakes:
        return 0
    count = len(found.mistakes)
    mistakes = _count(count, "mistake")
    print_note(f"tinygen: The settings have {mistakes}. Mend and commit them, and check again.")
    return 1


def find_out(config: Config, snapshot: Snapshot) -> Checked:
    """What the settings file in the snapshot says, as a job would understand it from the default
    branch."""
    read = read_settings_of(snapshot, models=config.model_names(), max_mistakes=MAX_MISTAKES)
    settings = read.settings
    view = view_repository(snapshot, repository_policy(settings))
    paths = tuple(snapshot.blobs)
    own = ("settings",) if settings.instructions.strip() else ()
    return Checked(
        file=SETTINGS_FILE if SETTINGS_FILE in snapshot.blobs else None,
        sha=snapshot.sha,
        mistakes=read.mistakes,
        unclear=read.unclear,
        files=len(paths),
        shown=len(view.shown),
        include=_find_files(paths, settings.context.include),
        exclude=_find_files(paths, settings.context.exclude),
        hidden=tuple(path for path in paths if view.hides(path))[:MAX_PATHS],
        protected=_find_files(paths, settings.protected),
        delivers=_delivery(config, settings),
        permissions={
            action: least_permission(action, settings, config.min_permission) for action in ACTIONS
        },
        instructions=(*read_instructions(view).files, *own),
    )


def _find_files(paths: Sequence[str], patterns: Sequence[str]) -> Files:
    counts = {}
    found = set[str]()
    for pattern in dict.fromkeys(patterns):
        matches = compile_globs([pattern])
        met = [path for path in paths if matches(path)]
        counts[pattern] = len(met)
        found.update(met)
    return Files(counts, len(found), tuple(path for path in paths if path in found)[:MAX_PATHS])


def _delivery(config: Config, settings: RepoSettings) -> Delivery:
    return Delivery(
        mode=settings.mode or config.mode,
        base=settings.base,
        draft=config.draft if settings.draft is None else settings.draft,
        labels=settings.labels,
        reviewers=settings.reviewers,
        model=settings.model or config.openai_model,
        language=settings.language,
        ci_fixes=config.ci_fixes if settings.ci_fixes is None else settings.ci_fixes,
    )


def _render(found: Checked) -> Iterator[str]:
    yield from _render_head(found)
    yield ""
    for name, values in _rows(found):
        for number, value in enumerate(values or ["none"]):
            yield f"{'' if number else name:<13}{value}"


def _render_head(found: Checked) -> Iterator[str]:
    at = f"at {found.sha[:8]}" if found.sha else "in a repository without commits"
    if found.file:
        yield f"{found.file} {at}: {_count(len(found.mistakes), 'mistake')}"
    else:
        yield f"There is no {SETTINGS_FILE} {at}: the defaults hold."
    for mistake in found.mistakes:
        yield f"  {mistake}"
    for guard in found.unclear:
        yield f"  {_UNCLEAR[guard]}"
    if not found.file:
        schema = find_shipped("deploy/tinygen.schema.json")
        yield f"To change them, commit one; `mode: pr` alone is enough. All settings: {schema}"


def _rows(found: Checked) -> Iterator[tuple[str, list[str]]]:
    delivers = found.delivers
    yield "shown", [f"{found.shown} of {_count(found.files, 'file')}, at most"]
    if found.include.patterns:
        yield "include", _render_patterns(found.include)
    if found.exclude.patterns:
        yield "exclude", _render_patterns(found.exclude)
    if found.hidden:
        yield "hidden", _render_paths(found.hidden, found.files - found.shown)
    yield "protected", [*_render_patterns(found.protected), f"{SETTINGS_FILE}  (always)"]
    mode = "a pull request" if delivers.mode == "pr" else "a diff"
    yield "bare command", [f"delivers {mode}"]
    yield "base", [delivers.base or "the default branch"]
    yield "draft", ["yes" if delivers.draft else "no"]
    yield "labels", list(delivers.labels)
    yield "reviewers", list(delivers.reviewers)
    yield "model", [delivers.model]
    yield "language", [delivers.language or "the model's choice"]
    yield "CI fixes", [_count(delivers.ci_fixes, "attempt")]
    yield "permissions", list(_render_permissions(found.permissions))
    yield "instructions", list(found.instructions)


def _render_patterns(files: Files) -> list[str]:
    """A pattern that meets no file may be misspelt."""
    return [f"{pattern}  ({_count(count, 'file')})" for pattern, count in files.patterns.items()]


def _render_paths(paths: Sequence[str], count: int) -> list[str]:
    printed = list(paths[:MAX_PRINTED])
    if count > len(printed):
        printed.append(f"and {count - len(printed)} more (--json names {min(count, MAX_PATHS)})")
    return printed


def _render_permissions(permissions: Mapping[Action, Permission]) -> Iterator[str]:
    """One line for each level, with the commands that need it."""
    for level in dict.fromkeys(permissions.values()):
        needing = (action for action, needed in permissions.items() if needed == level)
        yield f"{level}: {', '.join(needing)}"


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
