"""Whether the names of a change still lead somewhere: undefined names, imports inside the
repository, functions that are gone or called with other arguments than they take.

Nothing is run, and a name is judged only where its meaning is sure; only what is new is reported.
Parsers read the changed files, those that they import from, and those that import from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from bot.change.checks.versions import MAX_CHANGED_FILES, Version, Versions
from bot.change.context.index import BODY
from bot.change.context.paths import language_of
from bot.change.context.ranking.retrieval import index_repository
from bot.change.context.tokenize import whole_word_term, word_set
from bot.types.snapshot import Changes
from bot.types.source_names import Call, Import, Parameters, SourceNames

LANGUAGES = frozenset({"python", "javascript", "typescript", "go", "rust"})
_MAX_IMPORTED_FILES = 60
_MAX_USERS = 40
"""Files that say a name that is gone or takes other arguments."""
_MAX_NAMES = 20
_MAX_LOST = 5
_MAX_PACKAGE_FILES = 60
_BUILT_IN = word_set(
    """append cap clear close complex copy delete imag len make max min new panic print println real
    recover drop fetch structuredClone parseInt parseFloat isNaN setTimeout clearTimeout setInterval
    clearInterval queueMicrotask atob btoa alert confirm prompt require"""
)
"""Of Go, Rust and JavaScript: what is meant where a function of that name is gone."""


def find_broken_references(versions: Versions, changes: Changes) -> Iterator[str]:
    """One sentence for each."""
    before, after = versions.before, versions.after
    paths = [path for path in sorted(changes) if language_of(path) in LANGUAGES][:MAX_CHANGED_FILES]
    if not paths:
        return
    versions.read(paths)
    yield from _find_undefined(before, after, paths)
    users = _find_users(before, after, paths)
    packages = [
        file
        for path in paths
        if path.endswith(".go")
        for file in after.package(path)[:_MAX_PACKAGE_FILES]
    ]
    versions.read((*users, *packages))
    versions.read_imported((*paths, *users), _MAX_IMPORTED_FILES)
    yield from _find_lost_imports(before, after, (*paths, *users))
    # Of a file that may not be shown, nothing is told either.
    told = [path for path in (*paths, *users, *packages) if path in after.view.shown]
    yield from _find_misfits(before, after, dict.fromkeys(told))


def _find_undefined(before: Version, after: Version, paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        new, old = after.of(path), before.of(path)
        known = {name for name, _line in old.undefined} if old else set()
        if new is None or (old is None and path in before.view.blobs):
            continue
        for name, line in dict.fromkeys(new.undefined):
            if name not in known:
                known.add(name)
                yield f"{path}:{line} uses `{name}`, which is not defined."


def _find_lost_imports(before: Version, after: Version, paths: Iterable[str]) -> Iterator[str]:
    """New imports of what is not there, and imports elsewhere of what is there no more."""
    for path in paths:
        known = {(each.module, each.name, each.level) for each in _lost(before, path)}
        names: dict[tuple[str, int], list[str]] = {}
        for each in _lost(after, path):
            if (each.module, each.name, each.level) not in known:
                at = ("." * each.level + each.module, each.line)
                names.setdefault(at, []).append(each.name)
        yield from (
            _describe_lost(f"{path}:{line}", module, sorted(set(missing)))
            for (module, line), missing in names.items()
        )


def _describe_lost(place: str, module: str, names: Sequence[str]) -> str:
    """`names` are those that the module does not have; of a module that is not there, some are
    "", or all are."""
    if "" in names:
        return f"{place} imports `{module}`, which is not in the repository."
    named = ", ".join(f"`{name}`" for name in names[:_MAX_LOST])
    more = f" and {len(names) - _MAX_LOST} more" if len(names) > _MAX_LOST else ""
    return f"{place} imports {named}{more} from `{module}`, which does not have that."


def _lost(version: Version, path: str) -> Iterator[Import]:
    """The imports of a file whose module is not there, or does not have the name."""
    for each, found in version.targets(path):
        if not found:
            yield replace(each, name="")
            continue
        if not each.name or each.name in ("*", "default") or each.name.startswith("__"):
            continue
        if each.is_optional or version.modules.has_submodule(found, each.name):
            continue
        exports = [names.exports if (names := version.of(target)) else None for target in found]
        if all(known is not None and each.name not in known for known in exports):
            yield each


def _find_users(before: Version, after: Version, paths: Sequence[str]) -> list[str]:
    """Unchanged files that may use what is gone from the changed ones, or takes other
    arguments."""
    names: list[str] = []
    for path in paths:
        old, new = before.of(path), after.of(path)
        if old is None:
            continue
        if path not in after.view.blobs:
            names.append(before.modules.name_of(path))
        if new is None:
            continue
        if old.exports is not None and new.exports is not None:
            names += sorted(old.exports - new.exports)
        names += [
            name
            for name, parameters in old.functions.items()
            if "." not in name and name in new.functions and parameters != new.functions[name]
        ]
    wanted = [name for name in dict.fromkeys(names) if len(name) > 1][:_MAX_NAMES]
    if not wanted:
        return []
    view = after.view.visible()
    terms = sorted(set(map(whole_word_term, wanted)))
    index = index_repository(view, terms)
    said = {number for term in terms for number in index.contents.frequencies(BODY, term)}
    changed = set(paths)
    found = [
        path
        for path, number in index.content_ids.items()
        if number in said and path not in changed and language_of(path) in LANGUAGES
    ]
    return found[:_MAX_USERS]


def _find_misfits(before: Version, after: Version, paths: Iterable[str]) -> Iterator[str]:
    """Calls with arguments that the function does not take, and of functions that are gone."""
    for path in paths:
        known = {(call.name, misfit) for call, misfit in _misfits(before, path)}
        for call, misfit in _misfits(after, path):
            if (call.name, misfit) not in known:
                known.add((call.name, misfit))
                name = call.name.rpartition(".")[2]
                yield f"{path}:{call.line} calls `{name}` {misfit}."
        for call in _gone(before, after, path):
            yield f"{path}:{call.line} calls `{call.name}`, which is not defined any more."


def _misfits(version: Version, path: str) -> Iterator[tuple[Call, str]]:
    names = version.of(path)
    if names is None:
        return
    functions = _known_functions(version, path, names)
    for call in names.calls:
        parameters = functions.get(call.name)
        misfit = _describe_misfit(call, parameters) if parameters else ""
        if misfit:
            yield call, misfit


def _known_functions(
    version: Version, path: str, names: SourceNames
) -> Mapping[str, Parameters | None]:
    """What the bare names of a file's calls mean, where that is sure: each is declared once, and
    the file says it in no other way."""
    if path.endswith((".py", ".pyi")):
        return _known_in_python(version, path, names)
    if path.endswith(".rs"):
        return {name: each for name, each in names.functions.items() if name not in names.others}
    if not path.endswith(".go") or names.exports is None:
        return {}
    package = [version.of(each) for each in version.package(path)]
    found = [each for each in package if each and each.exports == names.exports]
    counts = Counter(name for each in found for name in each.functions)
    return {
        name: parameters
        for each in found
        for name, parameters in each.functions.items()
        if counts[name] == 1 and name not in names.others
    }


def _known_in_python(
    version: Version, path: str, names: SourceNames
) -> Mapping[str, Parameters | None]:
    imported = Counter(each.name for each in names.imports if each.name)
    known = {name: each for name, each in names.functions.items() if name not in imported}
    for each, targets in version.targets(path):
        target = version.of(targets[0]) if len(targets) == 1 else None
        is_one = imported[each.name] == 1 and each.name not in names.functions
        if target is not None and is_one and each.name not in target.others:
            known[each.name] = target.functions.get(each.name)
    return known


def _describe_misfit(call: Call, takes: Parameters) -> str:
    """What does not fit, or ""."""
    if call.is_open:
        return ""
    most = len(takes.positional)
    if call.given > most and not takes.takes_more:
        return f"with {call.given} arguments, but it takes {most}"
    allowed = {*takes.positional, *takes.keywords}
    unknown = [name for name in call.keywords if name not in allowed]
    if unknown and not takes.takes_keywords:
        return f"with `{unknown[0]}`, which it does not take"
    needed = [*takes.positional[call.given : takes.needed], *takes.needed_keywords]
    missing = [name for name in needed if name not in call.keywords]
    if missing:
        name = "" if missing[0].isdigit() else f" `{missing[0]}`"
        return (
            f"without its argument{name}" if name else f"with {call.given} of its {most} arguments"
        )
    return ""


def _gone(before: Version, after: Version, path: str) -> Iterator[Call]:
    """Calls of functions of the same file (in Go, of the same package) that the change removed,
    where the file says the name in no other way."""
    names = after.of(path)
    if names is None or path.endswith((".py", ".pyi")) or names.exports is None:
        return
    is_go = path.endswith(".go")
    files = after.package(path) if is_go else [path]
    now = [after.of(each) for each in files]
    if None in now or len(files) > _MAX_PACKAGE_FILES:
        return
    declared = {name for found in now if found for name in (*found.functions, *found.others)}
    old = before.package(path) if is_go else [path]
    was = {name for each in old if (found := before.of(each)) for name in found.functions}
    removed = was - declared - _BUILT_IN
    yield from {call.name: call for call in names.calls if call.name in removed}.values()
