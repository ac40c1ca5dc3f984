"""A repository's own settings: `.github/tinygen.yml` on its default branch.

Flags of a command win over them, and they win over the operator's defaults, but never over the
operator's limits. People write the file by hand: each mistake in it is left out and reported with
its line and what to do, and the rest of the file counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, with_config

from bot.thread.settings.located_yaml import InvalidYaml, Loc, LocatedValue, read_yaml
from bot.types import MAX_CI_FIXES, PERMISSIONS, Command, Mode, Permission, Verb
from bot.types.globs import compile_globs, glob_problem
from bot.types.names import close_names, is_branch_name
from bot.types.snapshot import RepositoryPolicy, Snapshot

SETTINGS_FILE = ".github/tinygen.yml"
ALWAYS_PROTECTED = (f"/{SETTINGS_FILE}", "/.github/tinygen.yaml")
"""Patterns of what TinyGen never changes: what it may do is for people to decide."""
_LIKE_SETTINGS_FILE = re.compile(r"(?:\.?github/|\.config/|docs/)?\.?tinygen\.ya?ml", re.IGNORECASE)
MAX_FILE_BYTES = 32_000
MAX_MISTAKES = 5
"""In a thread, further mistakes are not reported until these are fixed."""

Action = Literal["diff", "pr", "apply", "retry", "cancel", "status", "help"]
"""What a command does, for permissions; see `action_of`."""
ACTIONS: tuple[Action, ...] = get_args(Action)
_ACTION_OF: dict[Verb, Action] = {
    "ask": "diff",
    "apply": "apply",
    "undo": "pr",
    "retry": "retry",
    "cancel": "cancel",
    "status": "status",
    "help": "help",
    "mention": "diff",
    "withdraw": "cancel",
    "forget": "cancel",
}
"""Of each verb but `solve`, which is two."""
WRITES: frozenset[Action] = frozenset({"pr", "apply"})
Level = Literal["triage", "write", "maintain", "admin"]
Guard = Literal["context", "protected"]
"""The settings that keep files from being shown, or from being changed."""
GUARDS: tuple[Guard, ...] = ("context", "protected")
UNCLEAR_GUARDS: dict[Guard, str] = {
    "context": f"`{SETTINGS_FILE}` has a mistake where it says what the model may not be shown.",
    "protected": f"`{SETTINGS_FILE}` has a mistake, so what it protects is not clear.",
}
FIX_SETTINGS = f"Mend `{SETTINGS_FILE}` on the default branch, then ask again."
"""The next step for a person who meets an unclear guard."""


def _check_branch(name: str) -> str:
    if not is_branch_name(name):
        raise ValueError("must be the name of a branch")
    return name


def _check_glob(pattern: str) -> str:
    problem = glob_problem(pattern)
    if problem:
        raise ValueError(problem)
    return pattern


Glob = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_check_glob)]
Globs = Annotated[tuple[Glob, ...], Field(max_length=50)]
Label = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[^\x00-\x1f,]+$")]
Reviewer = Annotated[
    str, Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9._-]+)?$")
]
_strict = ConfigDict(extra="forbid")

# `render_schema` publishes the descriptions below, and names and docstrings of Shown, Permissions.


@with_config(_strict)
@dataclass(frozen=True, slots=True)
class Shown:
    """What of the repository the model may be shown: all that meets `include` (everything, where it
    is empty) and nothing that meets `exclude`."""

    include: Annotated[
        Globs, Field(description="Only files that meet one of these patterns are shown.")
    ] = ()
    exclude: Annotated[
        Globs, Field(description="Files that meet one of these patterns are not shown.")
    ] = ()


@with_config(_strict)
@dataclass(frozen=True, slots=True)
class Permissions:
    """The least repository permission for each command; None leaves it to the operator."""

    diff: Level | None = None
    pr: Level | None = None
    apply: Level | None = None
    retry: Level | None = None
    cancel: Level | None = None
    status: Level | None = None
    help: Level | None = None


@with_config(_strict)
@dataclass(frozen=True, slots=True)
class RepoSettings:
    """The settings; None or empty if the file does not set one."""

    mode: Annotated[Mode | None, Field(description="What a bare command delivers.")] = None
    base: Annotated[
        Annotated[str, Field(max_length=200), AfterValidator(_check_branch)] | None,
        Field(description="The branch that changes for issues start from and go to."),
    ] = None
    draft: Annotated[
        bool | None, Field(description="Whether pull requests are opened as drafts.")
    ] = None
    labels: Annotated[
        tuple[Label, ...], Field(max_length=20, description="Put on pull requests.")
    ] = ()
    reviewers: Annotated[
        tuple[Reviewer, ...],
        Field(max_length=15, description="Asked to review pull requests: LOGIN or ORG/TEAM."),
    ] = ()
    model: Annotated[
        Annotated[str, Field(max_length=200)] | None,
        Field(description="One of the models that the operator allows."),
    ] = None
    context: Annotated[Shown, Field(description="What the model may be shown.")] = field(
        default_factory=Shown
    )
    protected: Annotated[Globs, Field(description="Never changed; nor is this file itself.")] = ()
    instructions: Annotated[
        str,
        Field(max_length=8000, description="How code, tests and documentation are written here."),
    ] = ""
    language: Annotated[
        Annotated[str, Field(max_length=40, pattern=r"^[A-Za-z][A-Za-z -]*$")] | None,
        Field(description="The language of answers, such as German or pt-BR."),
    ] = None
    permissions: Annotated[
        Permissions,
        Field(
            description=(
                "Who may give which command. What writes never takes less than the operator"
                " demands."
            )
        ),
    ] = field(default_factory=Permissions)
    ci_fixes: Annotated[
        Annotated[int, Field(ge=0, le=MAX_CI_FIXES, strict=True)] | None,
        Field(description="How often a failed check of TinyGen's own pull request is worked on."),
    ] = None


_adapter = TypeAdapter(RepoSettings)


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, and the mistakes in the file as sentences for people."""

    settings: RepoSettings
    mistakes: tuple[str, ...] = ()
    unclear: tuple[Guard, ...] = ()
    """The guards that may be weaker than meant, because of the mistakes."""


def read_settings_of(
    snapshot: Snapshot, *, models: Sequence[str] = (), max_mistakes: int = MAX_MISTAKES
) -> LoadedSettings:
    """The settings in the snapshot's own file; see `read_settings`."""
    blob = snapshot.blobs.get(SETTINGS_FILE)
    if blob is None:
        return LoadedSettings(RepoSettings(), find_misplaced(snapshot.blobs))
    if not blob.mode.startswith("100") or blob.size_bytes > MAX_FILE_BYTES:
        mistake = (
            f"`{SETTINGS_FILE}` is no file of at most {MAX_FILE_BYTES} bytes. None of it counts"
            " until then."
        )
        return LoadedSettings(RepoSettings(), (mistake,), GUARDS)
    content = next(iter(snapshot.read([blob])))
    return read_settings(content, models=models, max_mistakes=max_mistakes)


def find_misplaced(paths: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each of the paths that reads like the settings file, but is not read: it has
    another extension, case or place."""
    misplaced = [path for path in paths if _LIKE_SETTINGS_FILE.fullmatch(path)]
    if SETTINGS_FILE in misplaced:
        return ()
    return tuple(
        f"`{path}` is not read: settings are in `{SETTINGS_FILE}`."
        for path in misplaced[:MAX_MISTAKES]
    )


def read_settings(
    content: bytes | None, *, models: Sequence[str] = (), max_mistakes: int = MAX_MISTAKES
) -> LoadedSettings:
    """The settings in the file; None is no file. `models` are those that the operator allows. Of the
    mistakes the first are reported."""
    if content is None:
        return LoadedSettings(RepoSettings())
    try:
        located = read_yaml(content, max_bytes=MAX_FILE_BYTES)
    except InvalidYaml as error:
        mistake = _sentence(error.line, f"{error} None of it counts until then.")
        return LoadedSettings(RepoSettings(), (mistake,), _guards_in_text(content))
    settings, mistakes, faulty = _validate(located)
    if settings.model is not None and settings.model not in models:
        allowed = ", ".join(f"`{name}`" for name in models) or "none"
        line = located.line(("model",))
        mistake = _sentence(line, f"`model` is not one that the operator allows ({allowed}).")
        mistakes.append((line or 0, mistake))
        settings = replace(settings, model=None)
    unclear = _guards_in_text(content) if () in faulty else _guards_at(faulty)
    first_mistakes = sorted(mistakes)[:max_mistakes]
    return LoadedSettings(settings, tuple(mistake for _line, mistake in first_mistakes), unclear)


def _validate(located: LocatedValue) -> tuple[RepoSettings, list[tuple[int, str]], set[Loc]]:
    """(settings, mistakes with their lines, places of the mistakes). Each mistake is removed from
    `located` by itself, so that one wrong pattern in a list does not remove the others."""
    mistakes: list[tuple[int, str]] = []
    faulty: set[Loc] = set()
    while True:
        try:
            return _adapter.validate_python(located.value), mistakes, faulty
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False, include_context=False)
        for detail in reversed(details):  # from the end of a list, since `drop` moves later items
            loc = detail["loc"]
            line = located.line(loc)
            faulty.add(loc)
            mistakes.append(
                (line or 0, _sentence(line, _explain(loc, detail["type"], detail["msg"])))
            )
            located.drop(loc)


_EXPLANATIONS = {
    "dataclass_type": "must hold settings as `name: value`",
    "tuple_type": "must be a list",
    "string_type": "must be text; put it in quotes",
    "string_pattern_mismatch": "has characters that it may not have",
}
"""For mistakes that pydantic explains with words of Python."""


def _explain(loc: Loc, kind: str, message: str) -> str:
    name = f"`{'.'.join(str(part) for part in loc)[:80]}`" if loc else "The file"
    if kind == "unexpected_keyword_argument":
        near = _nearest_setting(str(loc[-1]))
        hint = f" Did you mean `{near}`?" if near else ""
        return f"{name} is no setting.{hint} It is left out."
    reason = _EXPLANATIONS.get(kind)
    if reason is None:
        reason = message.removeprefix("Value error, ").removeprefix("Input ")
    return f"{name} {reason}. It is left out."


def _sentence(line: int | None, words: str) -> str:
    where = f", line {line}" if line else ""
    return f"`{SETTINGS_FILE}`{where}: {words}"


def _nearest_setting(name: str) -> str:
    """The setting with the most similar name; "" if none is similar."""
    known = [each.name for owner in (RepoSettings, Shown, Permissions) for each in fields(owner)]
    near = close_names(name, known, most=1, least_likeness=0.6)
    return near[0] if near else ""


def _guards_at(faulty: Iterable[Loc]) -> tuple[Guard, ...]:
    """The guards with a mistake inside them or in their name."""
    found = set()
    for loc in faulty:
        if "<<" in loc:  # a merge of YAML is not read, and may have meant any guard
            return GUARDS
        name = _nearest_setting(str(loc[0]))
        found.add("context" if name in ("include", "exclude") else name)
    return tuple(guard for guard in GUARDS if guard in found)


def _guards_in_text(content: bytes) -> tuple[Guard, ...]:
    """The guards that a file which cannot be read may have: "context" only if one of its names is
    there, in any encoding."""
    letters = content.replace(b"\0", b"").lower()
    if any(name in letters for name in (b"context", b"include", b"exclude")):
        return GUARDS
    return ("protected",)


def repository_policy(settings: RepoSettings) -> RepositoryPolicy:
    """What the settings say about the repository's files."""
    protected = (*settings.protected, *ALWAYS_PROTECTED)
    instructions = settings.instructions.strip()
    return RepositoryPolicy(
        may_show=_shown_filter(settings.context),
        is_protected=compile_globs(protected),
        instructions=f"{SETTINGS_FILE}:\n{instructions}" if instructions else "",
        language=settings.language or "",
    )


def _shown_filter(context: Shown) -> Callable[[str], bool] | None:
    if not context.include and not context.exclude:
        return None
    is_included = compile_globs(context.include or ("**",))
    is_excluded = compile_globs(context.exclude)
    return lambda path: is_included(path) and not is_excluded(path)


def is_protected(settings: RepoSettings, path: str) -> bool:
    """Whether the path may not be changed."""
    return repository_policy(settings).is_protected(path)


def may_show(settings: RepoSettings, path: str) -> bool:
    """Whether the model may be shown the path."""
    policy = repository_policy(settings)
    return policy.may_show is None or policy.may_show(path)


def action_of(command: Command, mode: Mode) -> Action:
    """The action of a command; `mode` is for a command that gives none."""
    if command.verb == "solve":
        return command.mode or mode
    return _ACTION_OF[command.verb]


def least_permission(action: Action, settings: RepoSettings, floor: Permission) -> Permission:
    """The permission that an action needs. `floor` is the operator's: an action that writes never
    needs less. Another action without a setting of its own needs what a diff needs."""
    own: Permission | None = getattr(settings.permissions, action)
    if own is None and action not in WRITES:
        own = settings.permissions.diff
    if own is None:
        return floor
    if action in WRITES and PERMISSIONS.index(own) < PERMISSIONS.index(floor):
        return floor
    return own


def allowed_actions(
    permission: Permission, settings: RepoSettings, floor: Permission
) -> frozenset[Action]:
    """What a person with that permission may ask for; see `least_permission`."""
    level = PERMISSIONS.index(permission)
    return frozenset(
        action
        for action in ACTIONS
        if level >= PERMISSIONS.index(least_permission(action, settings, floor))
    )


def render_schema() -> str:
    """The JSON Schema of the file, as deploy/ publishes it."""
    schema = _adapter.json_schema()
    published = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"TinyGen's settings for a repository ({SETTINGS_FILE})",
        **{name: value for name, value in schema.items() if name not in ("title", "description")},
    }
    _unwrap_descriptions(published)
    return json.dumps(published, indent=2) + "\n"


def _unwrap_descriptions(schema: dict[str, Any]) -> None:
    """Puts each description on one line: some are docstrings."""
    if isinstance(schema.get("description"), str):
        schema["description"] = " ".join(schema["description"].split())
    for part in schema.values():
        if isinstance(part, dict):
            _unwrap_descriptions(part)
