"""What a change does beyond its code: to tests, to checks, to what is installed, to what runs in CI and
to who reviews. Such a change can be right, so these are no problems; but people should know.

Told by names and by counting lines, with patterns for Python, JavaScript, Go, Rust, Java, Ruby and
PHP; only package.json is parsed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from bot.change.checks.lockfiles import is_lockfile
from bot.change.checks.manifests import is_requirements
from bot.change.checks.versions import read_base
from bot.change.context.paths import classify_path
from bot.change.context.tokenize import word_set
from bot.change.edits.files import MAX_FILE_BYTES
from bot.types.snapshot import Change, Changes, RepositoryView

Kind = Literal["tests", "checks", "dependencies", "CI", "reviews"]

MAX_SIGNS = 20
_MAX_NAMED = 5

_TEST = re.compile(
    r"^[ \t]*+(?:async )?def (?P<py>test\w*)"
    r"|^[ \t]*+(?:it|test)(?:\.only)?\(\s*+(?P<js>['\"`][^\n]{1,100})"
    r"|^func (?P<go>(?:Test|Fuzz|Benchmark)\w*)"
    r"|^[ \t]*+#\[(?P<rs>(?:\w{1,20}::)?test)\]"
    r"|^[ \t]*+@(?P<java>Test|ParameterizedTest)\b"
    r"|^[ \t]*+(?P<rb>(?:it|specify|test) ['\"][^\n]{1,100})"
    r"|function (?P<php>test\w+)",
    re.MULTILINE,
)
_SKIP = re.compile(
    r"pytest\.(?:mark\.)?(?:skip|skipif|xfail)\b|unittest\.skip|\bskipTest\(|\b(?:it|test|describe|suite)\.(?:skip|todo)\b"
    r"|\bx(?:it|test|describe)\(|\bt\.Skip(?:Now|f)?\(|#\[ignore\b|@(?:Ignore|Disabled)\b|\bmarkTestSkipped\("
    r"|\b(?:it|test|describe)\.only\b|\bcollect_ignore\b"
)
_ASSERTION = re.compile(
    r"\bassert\w*\b|\bexpect\(|\brequire\.\w+\(|\bt\.(?:Error|Fatal)f?\(|\.should\b|\bpytest\.raises\b"
)
_SILENCER = re.compile(
    r"#\s*noqa|#\s*type:\s*ignore|#\s*pragma:\s*no cover|\bpylint:\s*disable|\beslint-disable"
    r"|@ts-(?:ignore|nocheck|expect-error)|//\s*nolint|#!?\[allow\(|\brubocop:disable|\bNOSONAR\b"
    r"|\bistanbul ignore|\bc8 ignore|@SuppressWarnings"
)
_BOUND = re.compile(
    r"(?<!max-)(?<!max_)(?<![A-Za-z])(fail[_-]under|minimum[_-]?coverage|branches|functions|lines|statements|threshold|target)"
    r"['\"]?\s{0,3}[:=]?\s{0,3}['\"]?(\d{1,3}(?:\.\d+)?)",
    re.IGNORECASE,
)
_CHECK_CONFIG = re.compile(
    r"(?:^|/)(?:\.eslintrc[^/]*|eslint\.config\.[^/]+|\.flake8|\.?pylintrc|\.?ruff\.toml|mypy\.ini|\.mypy\.ini|tox\.ini"
    r"|noxfile\.py|pytest\.ini|\.golangci\.ya?ml|\.rubocop\.ya?ml|jest\.config\.[^/]+|vitest\.config\.[^/]+|\.?codecov\.ya?ml"
    r"|\.coveragerc|\.pre-commit-config\.ya?ml|\.?clippy\.toml|biome\.jsonc?|\.prettierrc[^/]*|\.stylelintrc[^/]*|sonar-project\.properties"
    r"|setup\.cfg|tsconfig[^/]*\.json|\.swiftlint\.yml|phpstan\.neon[^/]*|detekt\.yml)$",
    re.IGNORECASE,
)
_CI = re.compile(
    r"^\.github/(?:workflows|actions)/|(?:^|/)action\.ya?ml$|^\.circleci/|^\.gitlab-ci\.yml$|^\.gitlab/|^\.buildkite/"
    r"|(?:^|/)(?:Jenkinsfile|azure-pipelines\.ya?ml|\.travis\.yml|appveyor\.ya?ml|bitbucket-pipelines\.yml|\.drone\.yml)$"
    r"|(?:^|/)(?:GNUm|m|M)akefile$|(?:^|/)(?:Docker|Container)file[^/]*$|(?:^|/)justfile$|(?:^|/)Taskfile\.ya?ml$|(?:^|/)setup\.py$"
    r"|(?:^|/)build\.rs$|(?:^|/)\.npmrc$|(?:^|/)pip\.conf$",
    re.IGNORECASE,
)
_REVIEWS = re.compile(
    r"^(?:\.github/|docs/)?CODEOWNERS$|^\.github/(?:dependabot|mergify|settings|tinygen)\.ya?ml$|^\.mergify\.yml$"
    r"|^\.github/(?:auto_assign|labeler|rulesets?)[^/]*",
    re.IGNORECASE,
)
_DEPENDENCY_FIELDS = word_set(
    "dependencies devDependencies peerDependencies optionalDependencies overrides resolutions"
)
_MANIFEST_LINES: dict[str, re.Pattern[str]] = {
    "go.mod": re.compile(r"^\s*+(?:require\s++)?([\w.-]+(?:/[\w.~-]+)+)\s+v\d", re.MULTILINE),
    "Cargo.toml": re.compile(r"^([\w-]+)\s*=\s*(?:\"[\d^~*<>=]|\{)", re.MULTILINE),
    "pyproject.toml": re.compile(
        r"^\s*+[\"']([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]\n]*\])?\s*(?:[<>=!~;@][^\"'\n]*)?[\"'],?\s*(?:#.*)?$"
        r"|^([A-Za-z0-9][\w-]*)\s*=\s*[\"'][\^~<>=*\d]",
        re.MULTILINE,
    ),
    "Gemfile": re.compile(r"^\s*+gem\s+['\"]([\w.-]+)", re.MULTILINE),
    "Pipfile": re.compile(r"^([A-Za-z0-9][\w.-]*)\s*=", re.MULTILINE),
    "composer.json": re.compile(r"\"([\w.-]+/[\w.-]+)\"\s*:"),
}
_REQUIREMENT = re.compile(r"^([A-Za-z0-9][\w.-]*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that a change does; `sentence` is for people and for the review."""

    kind: Kind
    path: str
    sentence: str


@dataclass(frozen=True, slots=True)
class _File:
    """A changed file before and after; "" where it is not."""

    path: str
    old: str
    new: str

    def gains(self, pattern: re.Pattern[str]) -> int:
        """How many more matches the new text has."""
        return len(pattern.findall(self.new)) - len(pattern.findall(self.old))


def find_signs(base: RepositoryView, changes: Changes) -> tuple[Sign, ...]:
    """What the change does to tests, checks, dependencies, CI and reviews; MAX_SIGNS at most. Files
    over MAX_FILE_BYTES are told by their names alone."""
    files = [_read(base, path, change) for path, change in sorted(changes.items())]
    tests = [each for each in files if classify_path(each.path) == "test"]
    signs = [*_tests(tests)]
    for each in files:
        signs += _checks(each)
        signs += _dependencies(each)
        if _CI.search(each.path) or _scripts(each.path, each.old) != _scripts(each.path, each.new):
            signs.append(Sign("CI", each.path, f"{each.path} runs in CI."))
        if _REVIEWS.search(each.path):
            signs.append(
                Sign("reviews", each.path, f"{each.path} decides reviews, or what bots may do.")
            )
    return tuple(signs[:MAX_SIGNS])


def _read(base: RepositoryView, path: str, change: Change) -> _File:
    """Without a text on either side if one of them is too large."""
    old, new = read_base(base, path), change.content
    blob = base.blobs.get(path)
    is_large = blob is not None and blob.size_bytes > MAX_FILE_BYTES
    if is_large or len(new or b"") > MAX_FILE_BYTES:
        return _File(path, "", "")
    return _File(path, *(each.decode("utf-8", "replace") if each else "" for each in (old, new)))


def _tests(files: Iterable[_File]) -> Iterator[Sign]:
    """A test that moved to another file is not removed."""
    files = list(files)
    old = Counter(name for each in files for name in _test_names(each.old))
    removed = old - Counter(name for each in files for name in _test_names(each.new))
    lost_everywhere = -sum(each.gains(_ASSERTION) for each in files)
    for each in files:
        gone = removed & (Counter(_test_names(each.old)) - Counter(_test_names(each.new)))
        removed -= gone
        if gone:
            yield Sign(
                "tests",
                each.path,
                f"{each.path}: {_count(gone.total(), 'test')} removed{_named(gone)}.",
            )
        skipped = each.gains(_SKIP)
        if skipped > 0:
            yield Sign(
                "tests",
                each.path,
                f"{each.path}: {_count(skipped, 'test')} skipped, or others left out.",
            )
        lost = min(-each.gains(_ASSERTION), lost_everywhere)
        if lost > 0 and not gone:
            yield Sign("tests", each.path, f"{each.path}: {_count(lost, 'assertion')} fewer.")


def _test_names(text: str) -> list[str]:
    return [next(filter(None, found.groups())) for found in _TEST.finditer(text)]


def _checks(file: _File) -> Iterator[Sign]:
    silenced = file.gains(_SILENCER)
    if silenced > 0:
        yield Sign(
            "checks",
            file.path,
            f"{file.path}: checks are silenced at {_count(silenced, 'place')} more.",
        )
    if not _CHECK_CONFIG.search(file.path) and not file.path.endswith(
        ("pyproject.toml", "package.json")
    ):
        return
    old, new = _bounds(file.old), _bounds(file.new)
    if any(new.get(name, 0.0) < bound for name, bound in old.items()):
        yield Sign("checks", file.path, f"{file.path}: a bound of a check is lowered.")
    elif _CHECK_CONFIG.search(file.path):
        yield Sign("checks", file.path, f"{file.path} says what checks look for.")


def _bounds(text: str) -> dict[str, float]:
    """The lowest bound of each name."""
    bounds: dict[str, float] = {}
    for name, number in _BOUND.findall(text):
        bounds[name.lower()] = min(float(number), bounds.get(name.lower(), float("inf")))
    return bounds


def _dependencies(file: _File) -> Iterator[Sign]:
    if is_lockfile(file.path):
        yield Sign("dependencies", file.path, f"{file.path} fixes what is installed.")
        return
    old, new = (_required(file.path, text) for text in (file.old, file.new))
    added = new - old
    if added:
        noun = "a new dependency" if len(added) == 1 else f"{len(added)} new dependencies"
        yield Sign("dependencies", file.path, f"{file.path}: {noun}{_named(added)}.")
    elif old != new:
        yield Sign(
            "dependencies", file.path, f"{file.path}: dependencies removed{_named(old - new)}."
        )


def _required(path: str, text: str) -> set[str]:
    """The names that a manifest requires; empty for any other file."""
    name = path.rpartition("/")[2]
    if name == "package.json":
        fields = _json_object(text)
        found = [key for field in _DEPENDENCY_FIELDS for key in _mapping(fields.get(field))]
    elif is_requirements(path):
        found = _REQUIREMENT.findall(text)
    elif name in _MANIFEST_LINES:
        matches = _MANIFEST_LINES[name].finditer(text)
        found = [next(filter(None, match.groups())) for match in matches]
    else:
        found = []
    return set(found)


def _scripts(path: str, text: str) -> object:
    is_manifest = path.rpartition("/")[2] == "package.json"
    return _json_object(text).get("scripts") if is_manifest else None


def _json_object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _named(names: Iterable[str]) -> str:
    named = sorted(names)
    more = ", …" if len(named) > _MAX_NAMED else ""
    return f" ({', '.join(named[:_MAX_NAMED])}{more})" if named else ""
