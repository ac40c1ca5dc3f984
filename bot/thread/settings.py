"""A repository's own settings, `.github/tinygen.yml`, as its default branch has them.

They stand between the command's flags, which win over them, and the operator's defaults; the
operator's limits they never touch. The file is written by people: what is wrong in it is left out,
and said with its line and the way to mend it, while the rest holds.

YAML from strangers, read into plain values that remember their lines.

Only what a settings file needs: mappings with plain keys, lists, and scalars. Aliases, which can
make a small file huge, are refused; scalars of other kinds than YAML's plainest are text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, with_config

from bot.thread.commands import is_branch
from bot.thread.globs import any_glob, glob_fault
from bot.types import PERMISSIONS, Command, Mode, Permission
from bot.types.snapshot import RepositoryPolicy, Snapshot
from bot.types.text import close_names

_MAX_NODES = 2_000
_MAX_DEPTH = 20
"""The parser takes longer, and more of the stack, the deeper a file is nested."""
_TRUE = frozenset({"true", "yes", "on"})

Loc = tuple[int | str, ...]


class Unreadable(Exception):
    """`line` is 1-based, None where the whole file is meant."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class Located:
    """A file's value, from which faulty parts can be taken, and the line of each part by its
    place."""

    value: Any
    lines: dict[Loc, int] = field(default_factory=dict)

    def line(self, loc: Loc) -> int | None:
        """The line of the part, or of the nearest one around it."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc)

    def drop(self, loc: Loc) -> None:
        """Takes the part away; without a place, everything. Items of one list are dropped from its
        end."""
        if not loc:
            self.value = {}
            return
        inside = self.value
        for part in loc[:-1]:
            inside = inside[part]
        del inside[loc[-1]]


def read_yaml(content: bytes, *, max_bytes: int) -> Located:
    """The file's value; an empty file is an empty mapping."""
    if len(content) > max_bytes:
        raise Unreadable(f"The file is larger than {max_bytes} bytes; make it smaller.")
    try:
        node = yaml.compose(content.decode("utf-8-sig"), Loader=_Loader)
    except UnicodeDecodeError:
        raise Unreadable("The file is not UTF-8; save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(
            f"This is no YAML ({error.problem}); mend it.", mark.line + 1 if mark else None
        ) from None
    except yaml.YAMLError:
        raise Unreadable(
            "The file holds characters that YAML does not allow; take them out."
        ) from None
    located = Located({})
    if node is not None:
        value = _Reader(located.lines).read(node, ())
        located.value = {} if value is None else value
    return located


class _Loader(yaml.SafeLoader):
    """Goes no deeper than a settings file does."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self._depth >= _MAX_DEPTH:
            raise Unreadable("The file is nested too deeply; make it flat.")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Reader:
    def __init__(self, lines: dict[Loc, int]) -> None:
        self._lines = lines
        self._seen: set[int] = set()

    def read(self, node: yaml.Node, loc: Loc) -> Any:
        line = node.start_mark.line + 1
        if id(node) in self._seen:
            raise Unreadable("Aliases (`*name`) are not read here; write the value again.", line)
        self._seen.add(id(node))
        if len(self._seen) > _MAX_NODES:
            raise Unreadable(
                f"The file holds more than {_MAX_NODES} values; make it smaller.", line
            )
        self._lines.setdefault(loc, line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*loc, at)) for at, item in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise Unreadable("A name must be plain text.", line)
            if key.value in read:
                raise Unreadable(f"`{key.value[:40]}` is there twice; keep one.", line)
            self._lines[(*loc, key.value)] = line
            read[key.value] = self.read(value, (*loc, key.value))
        return {name: value for name, value in read.items() if value is not None}


def _scalar(node: yaml.Node) -> Any:
    kind, text = node.tag.rpartition(":")[2], str(node.value)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in _TRUE
    if kind == "int" and text.isdecimal() and len(text) < 10:
        return int(text)
    return text


SETTINGS_FILE = ".github/tinygen.yml"
MAX_FILE_BYTES = 32_000
MAX_MISTAKES = 5
"""How many are told at once."""

Action = Literal["diff", "pr", "apply", "retry", "cancel", "status", "help"]
WRITES: frozenset[Action] = frozenset({"pr", "apply"})
Level = Literal["triage", "write", "maintain", "admin"]
Guard = Literal["context", "protected"]
"""The settings that keep something from being shown, or changed."""
GUARDS: tuple[Guard, ...] = ("context", "protected")


def _branch(name: str) -> str:
    if not is_branch(name):
        raise ValueError("must be the name of a branch")
    return name


def _glob(pattern: str) -> str:
    if fault := glob_fault(pattern):
        raise ValueError(fault)
    return pattern


Glob = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_glob)]
Globs = Annotated[tuple[Glob, ...], Field(max_length=50)]
Label = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[^\x00-\x1f,]+$")]
Reviewer = Annotated[
    str, Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9._-]+)?$")
]
_strict = ConfigDict(extra="forbid")


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
    """None, or empty, where the file does not say."""

    mode: Annotated[Mode | None, Field(description="What a bare command delivers.")] = None
    base: Annotated[
        Annotated[str, Field(max_length=200), AfterValidator(_branch)] | None,
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
    protected: Annotated[
        Globs, Field(description="Never changed. Where anything is, neither is this file.")
    ] = ()
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
        Annotated[int, Field(ge=0, le=2, strict=True)] | None,
        Field(description="How often a failed check of TinyGen's own pull request is worked on."),
    ] = None


@dataclass(frozen=True, slots=True)
class Read:
    """The settings, and what is wrong with the file as sentences for people."""

    settings: RepoSettings
    mistakes: tuple[str, ...] = ()
    unclear: tuple[Guard, ...] = ()
    """What the mistakes may have taken something out of: less is guarded than was meant."""


UNCLEAR: dict[Guard, str] = {
    "context": f"`{SETTINGS_FILE}` has a mistake where it says what the model may not be shown.",
    "protected": f"`{SETTINGS_FILE}` has a mistake, so what it protects is not clear.",
}
MEND = f"Mend `{SETTINGS_FILE}` on the default branch, then ask again."


_adapter = TypeAdapter(RepoSettings)


def read_settings(content: bytes | None, *, models: Sequence[str] = ()) -> Read:
    """What the file says. `models` are those that the operator allows."""
    if content is None:
        return Read(RepoSettings())
    try:
        located = read_yaml(content, max_bytes=MAX_FILE_BYTES)
    except Unreadable as error:
        told = _sentence(error.line, f"{error} None of it counts until then.")
        return Read(RepoSettings(), (told,), _guards_in(content))
    settings, mistakes, faulty = _checked(located)
    if settings.model is not None and settings.model not in models:
        allowed = ", ".join(f"`{name}`" for name in models) or "none"
        line = located.line(("model",))
        mistakes.append(
            (
                line or 0,
                _sentence(line, f"`model` is not one that the operator allows ({allowed})."),
            )
        )
        settings = replace(settings, model=None)
    unclear = _guards_in(content) if () in faulty else _guards_of(faulty)
    return Read(settings, tuple(words for _line, words in sorted(mistakes)[:MAX_MISTAKES]), unclear)


def read_settings_of(snapshot: Snapshot, *, models: Sequence[str] = ()) -> Read:
    """What the snapshot's own file says."""
    blob = snapshot.blobs.get(SETTINGS_FILE)
    if blob is None:
        return Read(RepoSettings())
    if not blob.mode.startswith("100") or blob.size_bytes > MAX_FILE_BYTES:
        told = (
            f"`{SETTINGS_FILE}` is no file of at most {MAX_FILE_BYTES} bytes. None of it counts"
            " until then."
        )
        return Read(RepoSettings(), (told,), GUARDS)
    return read_settings(next(iter(snapshot.read([blob]))), models=models)


def dump_settings(settings: RepoSettings) -> dict[str, Any]:
    dumped: dict[str, Any] = _adapter.dump_python(settings, mode="json")
    return dumped


def load_settings(dumped: Mapping[str, Any]) -> RepoSettings:
    return _adapter.validate_python(dumped)


def render_schema() -> str:
    """The file's JSON Schema, as it is published under deploy/."""
    schema = _adapter.json_schema()
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"TinyGen's settings for a repository ({SETTINGS_FILE})",
        **{name: value for name, value in schema.items() if name not in ("title", "description")},
    }
    _unwrap_descriptions(described)
    return json.dumps(described, indent=2) + "\n"


def _unwrap_descriptions(schema: dict[str, Any]) -> None:
    """Puts each description, which is a docstring, on one line."""
    if isinstance(schema.get("description"), str):
        schema["description"] = " ".join(schema["description"].split())
    for part in schema.values():
        if isinstance(part, dict):
            _unwrap_descriptions(part)


def action_of(command: Command, mode: Mode) -> Action:
    """What the command comes to, delivered in that mode."""
    if command.verb == "solve":
        return command.mode or mode
    return "cancel" if command.verb == "withdraw" else command.verb


def least_permission(action: Action, settings: RepoSettings, floor: Permission) -> Permission:
    """What the action takes. `floor` is the operator's, under which nothing that writes ever goes;
    what else does not write takes what a diff takes."""
    own: Permission | None = getattr(settings.permissions, action)
    if own is None and action not in WRITES:
        own = settings.permissions.diff
    if own is None or (action in WRITES and PERMISSIONS.index(own) < PERMISSIONS.index(floor)):
        return floor
    return own


def protects(settings: RepoSettings, path: str) -> bool:
    """Whether the path may not be changed."""
    return bool(settings.protected) and any_glob((*settings.protected, SETTINGS_FILE))(path)


def may_show(settings: RepoSettings, path: str) -> bool:
    """Whether the model may be shown the path."""
    return _shows(settings)(path)


def _shows(settings: RepoSettings) -> Callable[[str], bool]:
    included, excluded = (
        any_glob(settings.context.include or ("**",)),
        any_glob(settings.context.exclude),
    )
    return lambda path: included(path) and not excluded(path)


def repository_policy(settings: RepoSettings) -> RepositoryPolicy:
    """What the settings say of the repository's files."""
    is_limited = settings.context.include or settings.context.exclude
    protected = (*settings.protected, SETTINGS_FILE) if settings.protected else ()
    instructions = settings.instructions.strip()
    return RepositoryPolicy(
        may_show=_shows(settings) if is_limited else None,
        is_protected=any_glob(protected),
        instructions=f"{SETTINGS_FILE}:\n{instructions}" if instructions else "",
        language=settings.language or "",
    )


def _checked(located: Located) -> tuple[RepoSettings, list[tuple[int, str]], set[Loc]]:
    """What is right of the file, its mistakes with their lines, and their places. Each is taken out
    where it stands, so that one bad pattern undoes no other."""
    mistakes: list[tuple[int, str]] = []
    faulty: set[Loc] = set()
    while True:
        try:
            return _adapter.validate_python(located.value), mistakes, faulty
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            for fault in reversed(faults):  # the items of a list from its end, so that none moves
                line = located.line(fault["loc"])
                faulty.add(fault["loc"])
                mistakes.append(
                    (line or 0, _sentence(line, _words(fault["loc"], fault["type"], fault["msg"])))
                )
                located.drop(fault["loc"])


def _guards_of(faulty: Iterable[Loc]) -> tuple[Guard, ...]:
    """The guards in whose place, or under whose misspelt name, something was taken out."""
    places = list(faulty)
    if any(
        "<<" in loc for loc in places
    ):  # YAML's merge, which is not read: anything may have been meant in it
        return GUARDS
    named = {_nearest(str(loc[0])) for loc in places}
    found = {"context" if name in ("include", "exclude") else name for name in named}
    return tuple(guard for guard in GUARDS if guard in found)


def _guards_in(content: bytes) -> tuple[Guard, ...]:
    """Those that a file which cannot be read may have: what hides leaves its name, in whatever
    encoding."""
    letters = content.replace(b"\0", b"").lower()
    hides = any(word in letters for word in (b"context", b"include", b"exclude"))
    return GUARDS if hides else ("protected",)


def _nearest(name: str) -> str:
    """The setting that is meant by a name; "" where none is near."""
    known = [each.name for owner in (RepoSettings, Shown, Permissions) for each in fields(owner)]
    return next(iter(close_names(name, known, most=1, least_likeness=0.6)), "")


_FAULTS = {
    "dataclass_type": "must hold settings as `name: value`",
    "tuple_type": "must be a list",
    "string_type": "must be text; put it in quotes",
    "string_pattern_mismatch": "has characters that it may not have",
}
"""What pydantic says in words of Python."""


def _words(loc: Loc, kind: str, message: str) -> str:
    name = f"`{'.'.join(str(part) for part in loc)[:80]}`" if loc else "The file"
    if kind == "unexpected_keyword_argument":
        near = _nearest(str(loc[-1]))
        return f"{name} is no setting.{f' Did you mean `{near}`?' if near else ''} It is left out."
    reason = _FAULTS.get(kind) or message.removeprefix("Value error, ").removeprefix("Input ")
    return f"{name} {reason}. It is left out."


def _sentence(line: int | None, words: str) -> str:
    return f"`{SETTINGS_FILE}`{f', line {line}' if line else ''}: {words}"
