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
    r"|^[ \t]*+(?:it|test)(?:\.(?:only|each|concurrent)\b[^\n('\"]{0,40}(?:\([^\n)]{0,200}\))?)?"
    r"\(\s*+(?P<js>['\"`][^'\"`\n]{1,100})"
    r"|^func (?P<go>(?:Test|Fuzz|Benchmark)\w*)"
    r"|^[ \t]*+#\[(?P<rs>(?:\w{1,20}::)?test)\]"
    r"|^[ \t]*+@(?P<java>Test|ParameterizedTest)\b"
    r"|^[ \t]*+(?P<rb>(?:it|specify|test) ['\"][^'\"\n]{1,100})"
    r"|function (?P<php>test\w+)"
    r"|^[ \t]*+\[(?P<cs>Fact|Theory|TestMethod|Test)\b"
    r"|^TEST(?:_[FP])?\((?P<cpp>\w+, ?\w+)",
    re.MULTILINE,
)
_SKIP = re.compile(
    r"pytest\.(?:mark\.)?(?:skip|skipif|xfail)\b|unittest\.skip|\bskipTest\(|\b(?:it|test|describe|suite)\.(?:skip|todo)\b"
    r"|\bx(?:it|test|describe)\(|\bt\.Skip(?:Now|f)?\(|#\[ignore\b|@(?:Ignore|Disabled)\b|\bmarkTestSkipped\("
    r"|\b(?:it|test|describe)\.only\b|\bcollect_ignore\b|\bpytest_(?:collection_modifyitems|ignore_collect)\b"
    r"|\b__test__ = False"
)
_ASSERTION = re.compile(
    r"\bassert\w*\b|\bexpect\(|\brequire\.\w+\(|\bt\.(?:Error|Fatal)f?\(|\.should\b|\bpytest\.(?:raises|warns|deprecated_call)\b"
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
    r"|(?:^|/)build\.rs$|(?:^|/)\.npmrc$|(?:^|/)\.yarnrc(?:\.yml)?$|(?:^|/)pip\.conf$|^\.github/scripts/|^\.husky/"
    r"|(?:^|/)lefthook\.ya?ml$|(?:^|/)Rakefile$|(?:^|/)(?:ci|\.ci)/[^/]+$|(?:^|/)ci\.sh$",
    re.IGNORECASE,
)
_REVIEWS = re.compile(
    r"^(?:\.github/|docs/)?CODEOWNERS$|^\.github/(?:dependabot|mergify|settings|tinygen)\.ya?ml$|^\.mergify\.yml$"
    r"|^\.github/(?:auto_assign|labeler|rulesets?)[^/]*",
    re.IGNORECASE,
)
_JSON_DEPENDENCIES = word_set(
    """dependencies devDependencies peerDependencies optionalDependencies overrides resolutions require
    require-dev"""
)
_JSON_CHECKS = word_set(
    "jest eslintConfig mocha nyc c8 vitest ava tap lint-staged prettier xo standard"
)
_DEPENDENCY_SECTION = re.compile(
    r"(?:.*[.-])?(?:dependencies|packages|dependency-groups)(?:\..+)?|project\.optional-dependencies"
)
_DEPENDENCY_LIST = re.compile(r"^(?:dependencies|requires|dev-dependencies)\s*=\s*\[")
_CHECK_SECTION = re.compile(
    r"tool\.(?:pytest|ruff|mypy|coverage|pylint|flake8|pyright|black|isort|tox)\b.*"
)
_SECTION = re.compile(r"^\[{1,2}([^\[\]\n]{1,200})\]{1,2}\s*(?:#.*)?$")
_TOML_NAME = re.compile(r"^([A-Za-z0-9][\w.-]*)\s*=\s*(?=[\"'{\[])")
_QUOTED = re.compile(
    r"[\"']([A-Za-z0-9][\w.-]{0,100}+)[ \t]{0,5}+(?:\[[^\]\n]{0,100}+\])?[ \t]{0,5}+(@[^\"'\n]{0,300}+)?"
    r"(?:[<>=!~;][^\"'\n]{0,300}+)?[\"']"
)
_LINES: dict[str, re.Pattern[str]] = {
    "go.mod": re.compile(
        r"^[ \t]*+(?:require[ \t]++)?+([\w.-]++(?:/[\w.~-]++)++)[ \t]++v\d"
        r"|=>[ \t]*+([\w.-]++(?:/[\w.~-]++)++)",
        re.MULTILINE,
    ),
    "Gemfile": re.compile(r"^[ \t]*+gem[ \t]++['\"]([\w.-]++)", re.MULTILINE),
}
_REQUIREMENT = re.compile(
    r"^([A-Za-z0-9][\w.-]*(?:\[[^\]\n]*\])?\s*(?:@[^\n]*)?)(?:[<>=!~;#\s\\]|$)"
    r"|^(--?(?:extra-)?index-url[ =]\S+|-i \S+)",
    re.MULTILINE,
)


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
    # Rust's tests stand beside the code.
    tests = [
        each for each in files if classify_path(each.path) == "test" or each.path.endswith(".rs")
    ]
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
    skipped_everywhere = sum(each.gains(_SKIP) for each in files)
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
        skipped = min(each.gains(_SKIP), skipped_everywhere)
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
    if silenced > 0 and classify_path(file.path) != "docs":
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
    elif _CHECK_CONFIG.search(file.path) or (
        _check_settings(file.path, file.old) != _check_settings(file.path, file.new)
    ):
        yield Sign("checks", file.path, f"{file.path} says what checks look for.")


def _bounds(text: str) -> dict[str, float]:
    """The lowest bound of each name."""
    bounds: dict[str, float] = {}
    for name, number in _BOUND.findall(text):
        bounds[name.lower()] = min(float(number), bounds.get(name.lower(), float("inf")))
    return bounds


def _dependencies(file: _File) -> Iterator[Sign]:
    if is_lockfile(file.path):
        yield Sign("dependencies", file.path, f"{file.path} says which versions are installed.")
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
    """The names that a manifest requires, with the address of one that comes from elsewhere; empty
    for any other file."""
    name = path.rpartition("/")[2]
    if name in ("package.json", "composer.json"):
        fields = _json_object(text)
        found = [
            f"{key} {value}" if "://" in str(value) or str(value).startswith("git") else key
            for field in _JSON_DEPENDENCIES
            for key, value in _mapping(fields.get(field)).items()
        ]
    elif is_requirements(path):
        found = [" ".join(filter(None, each)).strip() for each in _REQUIREMENT.findall(text)]
    elif name in _LINES:
        found = [next(filter(None, each.groups())) for each in _LINES[name].finditer(text)]
    elif name in ("pyproject.toml", "Cargo.toml", "Pipfile"):
        found = list(_toml_dependencies(text))
    else:
        found = []
    return set(found)


def _toml_dependencies(text: str) -> Iterator[str]:
    """Of the sections and lists that hold dependencies, line by line."""
    section, is_in_list = "", False
    for line in (each[:1_000].strip() for each in text.split("\n")):
        heading = _SECTION.match(line)
        if heading:
            section, is_in_list = heading[1].strip(), False
            if _DEPENDENCY_SECTION.fullmatch(section) and section.rpartition(".")[0].endswith(
                "dependencies"
            ):
                yield section.rpartition(".")[2]
            continue
        is_of_dependencies = bool(_DEPENDENCY_SECTION.fullmatch(section))
        named = _TOML_NAME.match(line)
        if is_of_dependencies and named and "[" not in line[named.end() : named.end() + 1]:
            yield named[1] + (f" {line[named.end() :]}" if "git" in line or "url" in line else "")
        is_in_list = (
            is_in_list
            or bool(_DEPENDENCY_LIST.match(line))
            or bool(is_of_dependencies and line.endswith("["))
        )
        if is_in_list or (is_of_dependencies and "= [" in line):
            yield from (f"{each[0]} {each[1]}".strip() for each in _QUOTED.findall(line))
        is_in_list = is_in_list and not line.endswith("]")


def _check_settings(path: str, text: str) -> object:
    """What a manifest says of checks."""
    name = path.rpartition("/")[2]
    if name == "package.json":
        fields = _json_object(text)
        return {key: fields[key] for key in fields if key in _JSON_CHECKS}
    if name != "pyproject.toml":
        return None
    lines: list[str] = []
    section = ""
    for line in text.split("\n"):
        heading = _SECTION.match(line[:1_000].strip())
        section = heading[1].strip() if heading else section
        if _CHECK_SECTION.fullmatch(section) and line.strip():
            lines.append(line.strip())
    return lines


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
