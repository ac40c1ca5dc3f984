"""Classifies files by their paths alone: the language, and whether a file is source or something
that a task seldom changes (tests, documentation, generated files)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, get_args

from bot.change.context.tokenize import word_set
from bot.types.snapshot import Blob

FileKind = Literal["source", "config", "test", "docs", "example", "other", "generated"]
FILE_KINDS: tuple[FileKind, ...] = get_args(FileKind)
"""In the order in which they are read if there is too much to read all."""

_EXTENSIONS = {
    "python": "py pyi pyx pxd pxi",
    "javascript": "js jsx mjs cjs",
    "typescript": "ts tsx mts cts vue svelte",
    "java": "java kt kts scala groovy",
    "csharp": "cs fs",
    "go": "go",
    "rust": "rs",
    "ruby": "rb rake",
    "php": "php",
    "c": "c h cc cpp cxx hpp hh hxx ino m mm cu",
    "swift": "swift",
    "dart": "dart",
    "shell": "sh bash zsh fish ps1 bat",
    "lua": "lua",
    "perl": "pl pm",
    "elixir": "ex exs",
    "erlang": "erl hrl",
    "haskell": "hs",
    "other": """
        clj cljs coffee cr d el elm f f90 gd jl lisp ml mli nim pas r rkt scm sol sql tcl v vb vhd
        zig css scss sass less html htm j2 jinja jinja2 erb ejs hbs liquid mustache tmpl tpl twig
        proto graphql jq y l ll asm s tf cmake bzl""",
}
LANGUAGE_OF: dict[str, str] = {
    extension: language
    for language, extensions in _EXTENSIONS.items()
    for extension in extensions.split()
}
"""By extension, without its dot."""

_DOCS_EXTENSIONS = word_set(
    "md markdown mdx rst txt adoc asciidoc org rdoc pod tex 1 2 3 4 5 6 7 8"  # man pages: 1 to 8
)
_CONFIG_EXTENSIONS = word_set(
    "toml cfg ini yml yaml json json5 xml gradle properties conf env mk in am ac gemspec nix"
)
_BINARY_EXTENSIONS = word_set(
    """png jpg jpeg gif ico bmp webp tif tiff psd pdf zip gz tgz bz2 xz 7z jar war class pyc so o a
    dll dylib exe bin dat mo ttf otf woff woff2 eot mp3 mp4 mov avi wav ogg sqlite db pickle pkl npy
    npz parquet wasm asc sig"""
)

_CONFIG_NAMES = word_set("makefile dockerfile rakefile gemfile justfile procfile cmakelists.txt")
_LOCK_NAMES = word_set(
    "package-lock.json npm-shrinkwrap.json pnpm-lock.yaml go.sum cargo.lock uv.lock bun.lockb"
    " gradle.lockfile"
)
_GENERATED_NAME = re.compile(
    r"\.min\.(js|css)$|[-.]bundle\.js$|\.map$|_pb2(_grpc)?\.pyi?$|\.pb\.(go|cc|h)$|\.g\.dart$"
    r"|\.generated\.|\.snap$|\.lock$|\.po$|\.pot$|\.xlf$|\.svg$"
)
_TEST_NAME = re.compile(
    r"^(test_.*|tests|.*_tests?|conftest)\.(py|pyx)$|[._-](test|tests|spec)\.[a-z]+$"
    r"|_(test|spec)\.(go|rb|exs|dart|cc|cpp|c)$"
    r"|^(Test[A-Z].*|.*(Test|Tests|TestCase|IT|Spec))\.(java|kt|scala|cs|groovy|php|swift)$"
    r"|\.feature$"
)
_DOCS_NAME = re.compile(
    r"^(readme|changelog|changes|history|news|authors|contributing|license|copying|todo)\b", re.I
)

_GENERATED_DIRECTORIES = word_set(
    """vendor vendored _vendor node_modules bower_components third_party thirdparty 3rdparty
    externals godeps locale locales translations"""
)
_TEST_DIRECTORIES = word_set(
    """tests test spec specs __tests__ __mocks__ e2e fixtures testdata test-data features cypress
    bench benches benchmark benchmarks asv_bench"""
)
_EXAMPLE_DIRECTORIES = word_set("example examples sample samples demo demos tutorial tutorials")
_DOCS_DIRECTORIES = word_set(
    "doc docs documentation website site man changelog changelogs changes news .changeset"
)
_JAVA_PACKAGE = re.compile(r"(^|/)(com|org|net|io)/example(/|$)")
"""A package name by Java's convention, and no directory of examples."""


def language_of(path: str) -> str | None:
    """The language family that the extension names, or None if the file is no code."""
    return LANGUAGE_OF.get(extension_of(path))


def extension_of(path: str) -> str:
    """The extension in lower case, without its dot; "" if there is none."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name[1:] else ""


def is_known_extension(path: str) -> bool:
    """Whether the path ends with the extension of a text format."""
    extension = extension_of(path)
    return extension in LANGUAGE_OF or extension in _DOCS_EXTENSIONS | _CONFIG_EXTENSIONS


def may_be_text(path: str) -> bool:
    """Whether the extension is not that of a binary format."""
    return extension_of(path) not in _BINARY_EXTENSIONS


def is_regular(blob: Blob) -> bool:
    """Whether a model may be told of the entry: a regular file whose path is printable UTF-8."""
    return blob.mode.startswith("100") and blob.path.isprintable()


def classify_paths(paths: Iterable[str]) -> dict[str, FileKind]:
    """The kind of each path, with regard to the files beside it."""
    known = list(paths)
    return {path: classify_path(path) for path in known} | find_framework_sources(known)


def find_framework_sources(paths: Iterable[str]) -> dict[str, FileKind]:
    """The files that are no tests although their path says so, with their kinds: a directory `test`
    that is a Python package without test modules holds a framework's source."""
    names_by_directory: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        directory, _, name = path.rpartition("/")
        if directory.endswith("/test"):
            names_by_directory[directory].append(name)
    kinds: dict[str, FileKind] = {}
    for directory, names in names_by_directory.items():
        has_tests = any(map(_TEST_NAME.search, names))
        if "__init__.py" in names and not has_tests:
            for name in names:
                path = f"{directory}/{name}"
                kinds[path] = classify_path(path, may_be_test=False)
    return kinds


def classify_path(path: str, *, may_be_test: bool = True) -> FileKind:
    """The kind of a path, without regard to the files beside it."""
    directory, _, name = path.rpartition("/")
    folders = _split_directory(directory)
    extension = extension_of(path)
    if _is_generated(name, folders):
        return "generated"
    if may_be_test and _is_test(directory, name, folders):
        return "test"
    if folders & _DOCS_DIRECTORIES or extension in _DOCS_EXTENSIONS or _DOCS_NAME.search(name):
        return "docs"
    if folders & _EXAMPLE_DIRECTORIES and not _JAVA_PACKAGE.search(directory):
        return "example"
    if extension in LANGUAGE_OF:
        return "source"
    return "config" if _is_config(name, extension) else "other"


@lru_cache(maxsize=1 << 15)
def _split_directory(directory: str) -> frozenset[str]:
    return frozenset(directory.lower().split("/"))


def _is_generated(name: str, folders: frozenset[str]) -> bool:
    if folders & _GENERATED_DIRECTORIES or name.lower() in _LOCK_NAMES:
        return True
    return _GENERATED_NAME.search(name) is not None


def _is_config(name: str, extension: str) -> bool:
    is_hidden = name.startswith(".")
    return is_hidden or extension in _CONFIG_EXTENSIONS or name.lower() in _CONFIG_NAMES


def _is_test(directory: str, name: str, folders: frozenset[str]) -> bool:
    if folders & _TEST_DIRECTORIES or directory.startswith("testing"):
        return True
    return _TEST_NAME.search(name) is not None
