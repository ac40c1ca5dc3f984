"""Which file an import means, if it means one of the repository."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Sequence

from bot.types.source_names import Import

_SCRIPTS = (
    "", ".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts", ".d.ts", ".json", ".vue",
    ".svelte", ".d.mts", ".d.cts", ".css", ".node", ".wasm", ".svg", ".png",
)  # fmt: skip
_GENERATED = frozenset(("version", "pb2", "generated", "build", "dist", "about", "gen"))
"""Parts of the names of files that a build makes: they are in no commit."""


class ModuleFinder:
    def __init__(self, paths: Collection[str]) -> None:
        self._paths = paths
        self._folders = set(_parents(paths))
        self._stems: dict[str, list[str]] = {}
        """Paths without extension, for Python's modules of any kind (`.py`, `.pyx`, `.so`)."""
        for path in paths:
            folder, _, name = path.rpartition("/")
            stem = f"{folder}/{name.partition('.')[0]}".lstrip("/")
            self._stems.setdefault(stem, []).append(path)
        self._names: frozenset[str] | None = None

    def find(self, path: str, each: Import) -> list[str] | None:
        """The files that may be meant; empty if the repository should have one and has none; None
        if that is not sure, or the import is of something else."""
        if path.endswith((".py", ".pyi")):
            found = self._find_python(path, each)
        elif path.endswith(".rs"):
            found = self._find_rust(path, each)
        elif path.endswith(".go"):
            found = None
        else:
            found = self._find_script(path, each)
        words = re.split(r"[._/ -]+", f"{each.module} {each.name}".lower())
        is_made = "$" in each.module or not _GENERATED.isdisjoint(words)
        return None if is_made and not found else found

    def has_submodule(self, files: Sequence[str], name: str) -> bool:
        """Whether `from package import name` may mean a module of the package."""
        folders = [path.rpartition("/")[0] for path in files if "/__init__." in f"/{path}"]
        return any(
            f"{folder}/{name}".lstrip("/") in self._stems
            or f"{folder}/{name}".lstrip("/") in self._folders
            for folder in folders
        )

    def has_name(self, name: str) -> bool:
        """Whether any file or folder is called so."""
        if self._names is None:
            words = (part.partition(".")[0] for path in self._paths for part in path.split("/"))
            self._names = frozenset(words)
        return name.partition(".")[0] in self._names

    def name_of(self, path: str) -> str:
        """The word that an import of the file says."""
        folder, _, name = path.rpartition("/")
        stem = name.partition(".")[0]
        return folder.rpartition("/")[2] if stem in ("__init__", "index", "mod") else stem

    def _find_python(self, path: str, each: Import) -> list[str] | None:
        folder = path.rpartition("/")[0]
        if each.level:
            parts = folder.split("/") if folder else []
            if each.level - 1 > len(parts):
                return None
            parts = parts[: len(parts) - each.level + 1]
            module = [part for part in each.module.split(".") if part]
            inside = "/".join([*parts, *module])
            # A package without `__init__` has a folder alone, a compiled module a name like `_core`.
            is_unknown = inside in self._folders or inside in self._paths or each.is_optional
            is_unknown = is_unknown or (module[-1:] or [""])[0].startswith("_")
            return self._python_files(inside) or (None if is_unknown else [])
        module = each.module.split(".")
        roots = list(self._python_roots(path, module[0]))
        if not roots or each.is_optional:
            return None
        found = [
            file
            for root in roots
            for file in self._python_files("/".join([*([root] if root else []), *module])) or ()
        ]
        if found:
            return found
        # A namespace package has folders alone.
        tail = "/".join(module)
        if any(f"{root}/{tail}".lstrip("/") in self._folders for root in roots):
            return None
        return []

    def _python_roots(self, path: str, top: str) -> Iterator[str]:
        """The folders that have the top package or module: the one that the file's own package is
        in, the repository's, and `src`; only packages with an `__init__`, since others may be
        anything."""
        folder = path.rpartition("/")[0]
        while folder and self._is_package(folder):
            folder = folder.rpartition("/")[0]
        for root in dict.fromkeys((folder, "", "src", "lib", "python")):
            inside = f"{root}/{top}".lstrip("/")
            if self._is_package(inside) or f"{inside}.py" in self._paths:
                yield root

    def _is_package(self, folder: str) -> bool:
        return f"{folder}/__init__.py" in self._paths

    def _python_files(self, stem: str) -> list[str] | None:
        files = [
            *self._stems.get(f"{stem}/__init__", ()),
            *self._stems.get(stem, ()),
        ]
        if files:
            return files
        return None

    def _find_script(self, path: str, each: Import) -> list[str] | None:
        is_relative = each.module.startswith(("./", "../")) and not each.is_optional
        is_declaration = ".d." in posixpath.basename(path)
        if not is_relative or is_declaration or any(sign in each.module for sign in "?!*"):
            return None
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), each.module))
        target = "" if target == "." else target
        if target.startswith("..") or f"{target}/package.json".lstrip("/") in self._paths:
            # Outside, or a package whose manifest says what is meant.
            return None
        # TypeScript names what a file is compiled to.
        stems = [target, re.sub(r"\.[mc]?jsx?$", "", target)]
        tried = [f"{stem}{end}" for stem in stems for end in _SCRIPTS]
        tried += [f"{target}/index{end}".lstrip("/") for end in _SCRIPTS]
        found = [each for each in tried if each in self._paths]
        if found:
            # Declarations beside a script say what it exports.
            return [each for each in found if ".d." in each] or found[:1]
        is_made = posixpath.dirname(target) not in self._folders
        # `b.ios.ts` for `./b`, and languages that are compiled to scripts.
        is_special = any(stem in self._stems for stem in stems)
        return None if is_made or is_special or target in self._folders else []

    def _find_rust(self, path: str, each: Import) -> list[str] | None:
        if not each.module.startswith("mod ") or each.is_optional:
            return None
        folder, _, name = path.rpartition("/")
        stem = name.removesuffix(".rs")
        inside = folder if stem in ("mod", "lib", "main") else f"{folder}/{stem}"
        own = each.module.removeprefix("mod ").removeprefix("r#")
        tried = [f"{base}/{own}{end}" for base in (inside, folder) for end in (".rs", "/mod.rs")]
        return [found for found in (each.lstrip("/") for each in tried) if found in self._paths]


def _parents(paths: Collection[str]) -> Iterator[str]:
    for path in paths:
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            yield folder
