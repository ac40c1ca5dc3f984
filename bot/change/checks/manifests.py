"""Whether what a change imports from outside is declared: a package that no manifest and no other
file of the repository names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from bot.change.checks.modules import ModuleFinder
from bot.change.checks.versions import MAX_CHANGED_FILES, Versions
from bot.change.context.index import BODY
from bot.change.context.paths import classify_path, extension_of
from bot.change.context.ranking.retrieval import index_repository
from bot.change.context.tokenize import whole_word_term, word_set
from bot.types.snapshot import Changes, RepositoryView
from bot.types.source_names import Import

_MANIFESTS = {
    "py": word_set("pyproject.toml setup.py setup.cfg Pipfile tox.ini environment.yml"),
    "js": word_set("package.json deno.json deno.jsonc jsr.json import_map.json"),
    "go": word_set("go.mod"),
    "rs": word_set("Cargo.toml"),
}
_LANGUAGE = {
    "py": "py", "js": "js", "jsx": "js", "mjs": "js", "cjs": "js", "ts": "js", "tsx": "js",
    "mts": "js", "cts": "js", "go": "go", "rs": "rs",
}  # fmt: skip
_MAX_MANIFEST_BYTES = 2_000_000
"""Of all manifests; of more, nothing is said."""
_MAX_PACKAGE_CHARS = 200
_MAX_IMPORTS = 40
_NODE = word_set(
    """assert async_hooks buffer child_process cluster console constants crypto dgram
    diagnostics_channel dns domain events fs http http2 https inspector module net os path
    perf_hooks process punycode querystring readline repl stream string_decoder sys test timers
    tls trace_events tty url util v8 vm wasi worker_threads zlib"""
)
"""https://nodejs.org/api/modules.html#built-in-modules"""
_INSTALLERS = word_set("pip pkg_resources setuptools")
_DISTRIBUTIONS = {
    "PIL": "pillow", "cv2": "opencv", "bs4": "beautifulsoup4", "sklearn": "scikit-learn",
    "skimage": "scikit-image", "attr": "attrs", "jwt": "pyjwt", "git": "gitpython",
    "serial": "pyserial", "Crypto": "pycryptodome", "MySQLdb": "mysqlclient", "yaml": "pyyaml",
    "rest_framework": "djangorestframework", "win32api": "pywin32", "win32con": "pywin32",
    "OpenSSL": "pyopenssl", "fitz": "pymupdf", "md5": "md-5",
}  # fmt: skip
"""Packages that are published under another name than they are imported by."""
_RUST = word_set("std core alloc crate self super proc_macro test Self")
_NAME = re.compile(r"@?[\w][\w./-]*")
_SEPARATOR = re.compile(r"[-_.]+")
_PACKAGE = re.compile(r"(@[\w.-]+/[\w.-]+|[A-Za-z][\w.-]*)(?:/.*)?")


def find_undeclared(versions: Versions, changes: Changes) -> Iterator[str]:
    """One sentence for each package that a changed file now imports, though no manifest and no
    other file names it. A change of the manifests themselves is trusted."""
    after = versions.after.view
    files = [
        (path, language)
        for path, change in sorted(changes.items())
        if change.content is not None
        and (language := _LANGUAGE.get(extension_of(path)))
        and classify_path(path) == "source"
    ]
    for language in dict.fromkeys(language for _path, language in files):
        manifests = [
            path
            for path, blob in after.blobs.items()
            if blob.mode.startswith("100") and _is_manifest(path, language)
        ]
        if not manifests or any(path in changes for path in manifests):
            continue
        if sum(after.blobs[path].size_bytes for path in manifests) > _MAX_MANIFEST_BYTES:
            continue
        declared = _read_names(after, manifests, language)
        own = [path for path, of in files if of == language]
        versions.read(sorted(changes)[:MAX_CHANGED_FILES])
        had = _imported_before(versions, changes)
        imported = [
            (path, each, package)
            for path, each, package in islice(_new_imports(versions, own), _MAX_IMPORTS)
            if package not in had and not _is_declared(language, package, declared)
        ]
        said = _find_said(after, {package for _path, _each, package in imported}, changes)
        for path, each, package in imported:
            if package not in said:
                yield f"{path}:{each.line} imports `{package}`, which no manifest names."


def is_requirements(path: str) -> bool:
    """Whether it is one of the files that pip's `-r` reads, by its name."""
    folder, _, name = path.rpartition("/")
    is_named = "requirements" in name or folder.rpartition("/")[2] == "requirements"
    return is_named and name.endswith((".txt", ".in"))


def _is_manifest(path: str, language: str) -> bool:
    is_named = path.rpartition("/")[2] in _MANIFESTS[language]
    return is_named or (language == "py" and is_requirements(path))


def _read_names(view: RepositoryView, paths: Sequence[str], language: str) -> str:
    """All words that may be names of packages, a line each; of Python and Rust in the spelling of
    `_spell`. As one text, in which a name is looked for faster than in each word."""
    blobs = [view.blobs[path] for path in paths]
    names = {
        name
        for content in view.read(blobs)
        for name in _NAME.findall(content.decode("utf-8", "replace"))
    }
    spelled = map(_spell, names) if language in ("py", "rs") else names
    return "\n".join(("", *spelled, ""))


def _spell(name: str) -> str:
    """With `-` around each part, in which registries do not tell `-`, `_`, `.` and case apart:
    https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return f"-{_SEPARATOR.sub('-', name.lower())}-"


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


def _imported_before(versions: Versions, paths: Iterable[str]) -> set[str]:
    """By any of the changed files: what they import may move from one to another."""
    found = ((path, versions.before.of(path)) for path in paths)
    return {_package(path, each) for path, names in found if names for each in names.imports}


def _package(path: str, each: Import) -> str:
    """The package that the import is from; "" if it is of the standard library or a path."""
    if len(each.module) > _MAX_PACKAGE_CHARS:
        return ""
    suffix = extension_of(path)
    if suffix == "py":
        top = each.module.partition(".")[0]
        return "" if each.level or top in _INSTALLERS else top
    if suffix == "go":
        return each.module if "." in each.module.partition("/")[0] else ""
    if suffix == "rs":
        is_type = not each.module.islower() or each.module.startswith("mod ")
        return "" if is_type or each.module in _RUST else each.module
    match = _PACKAGE.fullmatch(each.module)
    return match[1] if match and match[1] not in _NODE and ":" not in each.module else ""


def _is_inside(modules: ModuleFinder, path: str, each: Import, package: str) -> bool:
    """Whether the repository itself may have a module of this name, wherever it stands."""
    parts = package.removeprefix("@").split("/")
    return modules.find(path, each) is not None or any(map(modules.has_name, parts[:2]))


def _is_declared(language: str, package: str, names: str) -> bool:
    """Whether one of the names in the manifests may be meant. Of Python and Rust a name may have
    further parts: `dateutil` is in `python-dateutil`."""
    if language == "go":
        parts = package.split("/")
        return any(f"\n{'/'.join(parts[:n])}\n" in names for n in range(2, len(parts) + 1))
    if language == "js":
        return f"\n{package}\n" in names
    return _spell(package) in names or _spell(_DISTRIBUTIONS.get(package, package)) in names


def _find_said(view: RepositoryView, packages: Collection[str], changes: Changes) -> set[str]:
    """Those of the packages whose name a file says that is not changed."""
    terms = {package: whole_word_term(_last_word(package)) for package in packages}
    index = index_repository(view, sorted(set(terms.values())))
    ids = {number for path, number in index.content_ids.items() if path not in changes}
    return {
        package
        for package, term in terms.items()
        if not ids.isdisjoint(index.contents.frequencies(BODY, term))
    }


def _last_word(package: str) -> str:
    """Without a version, as Go's paths end with."""
    words = [word for word in re.split(r"\W+", package) if not re.fullmatch(r"v\d+|", word)]
    return words[-1] if words else package
