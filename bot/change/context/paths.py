"""What a path alone says of a file: whether it is source or something that a task seldom changes.

Searching with a pattern that a model wrote, in time linear in the text.

Python's `re` backtracks: a pattern such as `(a+)+$` can keep it busy for ever, and nothing can stop
it. RE2 does not, and knows neither look-around nor back-references:
https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal, get_args

import re2

from bot.change.context.tokenize import word_set
from bot.types.snapshot import Blob

Kind = Literal["source", "config", "test", "docs", "example", "other", "generated"]
READ_ORDER: tuple[Kind, ...] = get_args(Kind)

_LANGUAGES = """
    python:py pyi pyx pxd pxi  javascript:js jsx mjs cjs  typescript:ts tsx mts cts vue svelte
    java:java kt kts scala groovy  csharp:cs fs  go:go  rust:rs  ruby:rb rake  php:php
    c:c h cc cpp cxx hpp hh hxx ino m mm cu  swift:swift  dart:dart
    shell:sh bash zsh fish ps1 bat  lua:lua  perl:pl pm  elixir:ex exs  erlang:erl hrl  haskell:hs
    other:clj cljs coffee cr d el elm f f90 gd jl lisp ml mli nim pas r rkt scm sol sql tcl v vb vhd zig
    other:css scss sass less html htm j2 jinja jinja2 erb ejs hbs liquid mustache tmpl tpl twig proto graphql
    other:jq y l ll asm s tf cmake bzl
"""
LANGUAGE_OF: dict[str, str] = {
    extension: language
    for language, extensions in re.findall(r"(\w+):((?: ?\b\w+\b(?!:))+)", _LANGUAGES)
    for extension in extensions.split()
}
"""By the extension, without its dot."""

_PROSE = word_set("md markdown mdx rst txt adoc asciidoc org rdoc pod tex 1 2 3 4 5 6 7 8")
_CONFIG = word_set(
    "toml cfg ini yml yaml json json5 xml gradle properties conf env mk in am ac gemspec nix"
)
_CONFIG_NAMES = word_set("makefile dockerfile rakefile gemfile justfile procfile cmakelists.txt")
_LOCK_NAMES = word_set(
    "package-lock.json npm-shrinkwrap.json pnpm-lock.yaml go.sum cargo.lock uv.lock bun.lockb"
    " gradle.lockfile"
)
_VENDORED = word_set(
    "vendor vendored _vendor node_modules bower_components third_party thirdparty 3rdparty"
    " externals godeps"
)
_TRANSLATED = word_set("locale locales translations")
_TESTS = word_set(
    "tests test spec specs __tests__ __mocks__ e2e fixtures testdata test-data features cypress"
)
_BENCHES = word_set("bench benches benchmark benchmarks asv_bench")
_EXAMPLES = word_set("example examples sample samples demo demos tutorial tutorials")
_DOCS = word_set(
    "doc docs documentation website site man changelog changelogs changes news .changeset"
)

_NOT_TEXT = word_set(
    """png jpg jpeg gif ico bmp webp tif tiff psd pdf zip gz tgz bz2 xz 7z jar war class pyc so o a dll dylib exe bin
    dat mo ttf otf woff woff2 eot mp3 mp4 mov avi wav ogg sqlite db pickle pkl npy npz parquet wasm asc sig"""
)
_GENERATED_NAME = re.compile(
    r"\.min\.(js|css)$|[-.]bundle\.js$|\.map$|_pb2(_grpc)?\.pyi?$|\.pb\.(go|cc|h)$|\.g\.dart$|\.generated\.|\.snap$"
    r"|\.lock$|\.po$|\.pot$|\.xlf$|\.svg$"
)
_TEST_NAME = re.compile(
    r"^(test_.*|tests|.*_tests?|conftest)\.(py|pyx)$|[._-](test|tests|spec)\.[a-z]+$|_(test|spec)\.(go|rb|exs|dart|cc|cpp|c)$"
    r"|^(Test[A-Z].*|.*(Test|Tests|TestCase|IT|Spec))\.(java|kt|scala|cs|groovy|php|swift)$|\.feature$"
)
_JAVA_PACKAGE = re.compile(r"(^|/)(com|org|net|io)/example(/|$)")
_DOC_NAME = re.compile(
    r"^(readme|changelog|changes|history|news|authors|contributing|license|copying|todo)\b", re.I
)


def language_of(path: str) -> str | None:
    """The language family that the extension names, or None where the file is no code."""
    return LANGUAGE_OF.get(extension_of(path))


def extension_of(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name[1:] else ""


def has_text(path: str) -> bool:
    """Whether the name is not that of a binary format."""
    return extension_of(path) not in _NOT_TEXT


def is_shown(blob: Blob) -> bool:
    """Whether the entry may be named to a model: a regular file, its path printable UTF-8."""
    return blob.mode.startswith("100") and blob.path.isprintable()


def kinds_of(paths: Iterable[str]) -> dict[str, Kind]:
    """The kind of each path. Directories called `test` or `testing` are read beside what lies in
    them: frameworks keep source there."""
    known = list(paths)
    return {path: kind_of(path) for path in known} | framework_sources(known)


def is_framework_test(path: str, kind: Kind) -> bool:
    """Whether the file is source that serves tests."""
    return kind == "source" and "/test/" in f"/{path}"


def framework_sources(paths: Iterable[str]) -> dict[str, Kind]:
    """The files that are no tests though their path says so, and their kinds: those in the
    directories called `test` that lie in a Python package and hold modules, but no test modules."""
    inside: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        if "/test/" in path:
            directory, _, name = path.rpartition("/")
            inside[directory].append(name)
    return {
        f"{directory}/{name}": kind_of(f"{directory}/{name}", may_be_test=False)
        for directory, names in inside.items()
        if directory.endswith("/test")
        and "__init__.py" in names
        and not any(map(_TEST_NAME.search, names))
        for name in names
    }


def kind_of(path: str, *, may_be_test: bool = True) -> Kind:
    directory, _, name = path.rpartition("/")
    folders = _folders(directory)
    if (
        folders & _VENDORED
        or folders & _TRANSLATED
        or name.lower() in _LOCK_NAMES
        or _GENERATED_NAME.search(name)
    ):
        return "generated"
    if may_be_test and _is_test(directory, name, folders):
        return "test"
    if folders & _DOCS or extension_of(path) in _PROSE or _DOC_NAME.search(name):
        return "docs"
    if folders & _EXAMPLES and not _JAVA_PACKAGE.search(directory):
        return "example"
    return _kind_of_code(path, name)


@lru_cache(maxsize=1 << 15)
def _folders(directory: str) -> frozenset[str]:
    return frozenset(directory.lower().split("/"))


def _is_test(directory: str, name: str, folders: frozenset[str]) -> bool:
    return (
        bool(folders & (_TESTS | _BENCHES))
        or directory.startswith("testing")
        or bool(_TEST_NAME.search(name))
    )


def _kind_of_code(path: str, name: str) -> Kind:
    extension = extension_of(path)
    if extension in LANGUAGE_OF:
        return "source"
    if extension in _CONFIG or name.lower() in _CONFIG_NAMES or name.startswith("."):
        return "config"
    return "other"


MAX_PATTERN_CHARS = 500
_MAX_MEMORY_BYTES = 1 << 18
"""For the pattern's program and its remembered states, so that no program has over some 3,000
instructions."""


class BadPattern(ValueError):
    """The pattern cannot be searched in linear time, or is none."""


class Pattern:
    """`size` is what each character may cost in the worst case, in instructions."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_PATTERN_CHARS:
            raise BadPattern(f"is longer than {MAX_PATTERN_CHARS} characters")
        self._anywhere = _compiled(f"(?m){text}")
        self._line = _compiled(f"(?m)^.*(?:{text})")
        self.size: int = self._line.programsize

    def lines(self, text: str) -> Iterator[tuple[int, str]]:
        """The lines that hold a match, each once, with their 1-based numbers and without their
        ends."""
        text = text.replace("\r\n", "\n")
        if not self._anywhere.search(text):
            return
        number, last = 1, -1
        for found in self._line.finditer(text):
            start = found.start()
            if start == last:  # as an empty match at the end is found twice
                continue
            number, last = number + text.count("\n", max(last, 0), start), start
            end = text.find("\n", start)
            yield number, text[start : end if end >= 0 else None]


def literal(text: str) -> Pattern:
    """What finds the text itself, cut to what a pattern may hold."""
    return Pattern(re2.escape(_encodable(text[: MAX_PATTERN_CHARS // 2])))


def _encodable(text: str) -> str:
    """Half of a surrogate pair becomes the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _compiled(text: str) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = _MAX_MEMORY_BYTES
    options.never_nl = True
    options.log_errors = False
    try:
        return re2.compile(_encodable(text), options)
    except re2.error as error:
        reason = error.args[0]
        raise BadPattern(f"is not understood: {reason.decode(errors='replace')}") from None
