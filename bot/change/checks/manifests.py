"""Whether what a change imports from outside is declared: a package that no manifest and no other
file of the repository names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bot.change.checks.modules import ModuleFinder
from bot.change.checks.versions import Versions
from bot.change.context.index import BODY
from bot.change.context.paths import classify_path
from bot.change.context.ranking.retrieval import index_repository
from bot.change.edits.files import MAX_FILE_BYTES
from bot.types.snapshot import Changes, RepositoryView
from bot.types.source_names import Import

_MANIFESTS = {
    "py": re.compile(
        r"(?:^|/)(?:[\w.-]*requirements[\w.-]*\.(?:txt|in)|requirements/[^/]+|pyproject\.toml"
        r"|setup\.(?:py|cfg)|Pipfile|environment[\w.-]*\.ya?ml|tox\.ini)$"
    ),
    "js": re.compile(r"(?:^|/)(?:package\.json|deno\.jsonc?|jsr\.json|import_map\.json)$"),
    "go": re.compile(r"(?:^|/)go\.mod$"),
    "rs": re.compile(r"(?:^|/)Cargo\.toml$"),
}
_LANGUAGE = {
    "py": "py", "js": "js", "jsx": "js", "mjs": "js", "cjs": "js", "ts": "js", "tsx": "js",
    "mts": "js", "cts": "js", "go": "go", "rs": "rs",
}  # fmt: skip
_MAX_MANIFESTS = 60
_MAX_IMPORTS = 40
_NODE = frozenset(
    [
        "assert",
        "async_hooks",
        "buffer",
        "child_process",
        "cluster",
        "console",
        "constants",
        "crypto",
        "dgram",
        "diagnostics_channel",
        "dns",
        "domain",
        "events",
        "fs",
        "http",
        "http2",
        "https",
        "inspector",
        "module",
        "net",
        "os",
        "path",
        "perf_hooks",
        "process",
        "punycode",
        "querystring",
        "readline",
        "repl",
        "stream",
        "string_decoder",
        "sys",
        "test",
        "timers",
        "tls",
        "trace_events",
        "tty",
        "url",
        "util",
        "v8",
        "vm",
        "wasi",
        "worker_threads",
        "zlib",
    ]
)
"""https://nodejs.org/api/modules.html#built-in-modules"""
_RUST = frozenset(["std", "core", "alloc", "crate", "self", "super", "proc_macro", "test", "Self"])
_PACKAGE = re.compile(r"(@[\w.-]+/[\w.-]+|[A-Za-z][\w.-]*)(?:/.*)?")


def find_undeclared(versions: Versions, changes: Changes) -> Iterator[str]:
    """One sentence for each package that a changed file now imports, though no manifest and no
    other file names it. A change of the manifests themselves is trusted."""
    after = versions.after.view
    files = [
        (path, language)
        for path, change in sorted(changes.items())
        if change.content is not None
        and (language := _LANGUAGE.get(path.rpartition(".")[2].lower()))
        and classify_path(path) == "source"
    ]
    for language in dict.fromkeys(language for _path, language in files):
        manifests = [path for path in after.blobs if _MANIFESTS[language].search(path)]
        if not manifests or any(path in changes for path in manifests):
            continue
        texts = _read_texts(after, manifests[:_MAX_MANIFESTS])
        own = [path for path, of in files if of == language]
        imported = list(_new_imports(versions, own))[:_MAX_IMPORTS]
        for path, each, package in imported:
            if not _is_declared(language, package, texts) and not _is_said(after, package, own):
                yield f"{path}:{each.line} imports `{package}`, which no manifest names."


def _read_texts(view: RepositoryView, paths: Sequence[str]) -> str:
    blobs = [view.blobs[path] for path in paths if view.blobs[path].size_bytes <= MAX_FILE_BYTES]
    return "\n".join(content.decode("utf-8", "replace") for content in view.read(blobs))


def _new_imports(versions: Versions, paths: Sequence[str]) -> Iterator[tuple[str, Import, str]]:
    """(path, import, package) for what is imported from outside and was not before."""
    versions.read(paths)
    before, after = versions.before, versions.after
    for path in paths:
        old, new = before.of(path), after.of(path)
        if new is None or (old is None and path in before.view.blobs):
            continue
        seen = {_package(path, each) for each in old.imports} if old else set()
        for each in new.imports:
            package = _package(path, each)
            if package and package not in seen and not each.is_optional:
                seen.add(package)
                if not _is_inside(after.modules, path, each, package):
                    yield path, each, package


def _package(path: str, each: Import) -> str:
    """The package that the import is from; "" if it is of the standard library or a path."""
    suffix = path.rpartition(".")[2].lower()
    if suffix == "py":
        top = each.module.partition(".")[0]
        return "" if each.level else top
    if suffix == "go":
        return each.module if "." in each.module.partition("/")[0] else ""
    if suffix == "rs":
        is_type = not each.module.islower() or each.module.startswith("mod ")
        return "" if is_type or each.module in _RUST else each.module
    match = _PACKAGE.fullmatch(each.module)
    return match[1] if match and match[1] not in _NODE and ":" not in each.module else ""


def _is_inside(modules: ModuleFinder, path: str, each: Import, package: str) -> bool:
    """Whether the repository itself may have a module of this name, wherever it stands."""
    return modules.find(path, each) is not None or modules.has_name(package)


def _is_declared(language: str, package: str, texts: str) -> bool:
    if language == "go":
        parts = package.split("/")
        return any(
            re.search(rf"(?<![\w./-]){re.escape('/'.join(parts[:count]))}(?![\w./-])", texts)
            for count in range(2, len(parts) + 1)
        )
    spelled = re.escape(package).replace("_", "[-_.]").replace(r"\-", "[-_.]")
    return re.search(rf"(?<![\w@/-]){spelled}(?![\w/-])", texts, re.IGNORECASE) is not None


def _is_said(view: RepositoryView, package: str, own: Sequence[str]) -> bool:
    """Whether another file says the package's name."""
    words = [word for word in re.split(r"\W+", package) if not re.fullmatch(r"v\d+|", word)]
    word = words[-1] if words else package
    term = f"={word.lower().strip('_')}"
    index = index_repository(view, [term])
    said = index.contents.frequencies(BODY, term)
    return any(number in said for path, number in index.content_ids.items() if path not in own)
