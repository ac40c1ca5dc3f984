"""The file .github/tinygen.yml: its values, its mistakes, and its schema."""

from __future__ import annotations

import json
from typing import get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from bot.thread.settings import (
    ACTIONS,
    MAX_FILE_BYTES,
    SETTINGS_FILE,
    RepoSettings,
    action_of,
    find_misplaced,
    is_protected,
    least_permission,
    read_settings,
    render_schema,
    repository_policy,
)
from bot.thread.settings.located_yaml import InvalidYaml, read_yaml
from bot.types import Command, Verb
from bot.types.snapshot import view_repository
from tests import ROOT
from tests.change.snapshots import snapshot_of

SCHEMA = ROOT / "deploy" / "tinygen.schema.json"
WHOLE = b"""\
mode: pr
base: develop
draft: yes
labels: [bot, "needs review"]
reviewers: [mona_octocorp, octo-org/core]
model: large
context:
  include: [src/**]
  exclude:
    - "*.min.js"
protected:
  - migrations/
instructions: |
  Use tabs.
language: German
permissions:
  diff: triage
  apply: maintain
ci_fixes: 1
"""

_stored = TypeAdapter(RepoSettings)


def to_json(settings: RepoSettings) -> bytes:
    """As a waiting job keeps them."""
    return _stored.dump_json(settings)


def from_json(stored: bytes) -> RepoSettings:
    return _stored.validate_json(stored)


def test_a_whole_file_is_read() -> None:
    read = read_settings(WHOLE, models=("small", "large"))
    assert read.mistakes == ()
    settings = read.settings
    assert (settings.mode, settings.base, settings.draft, settings.ci_fixes) == (
        "pr",
        "develop",
        True,
        1,
    )
    assert (settings.labels, settings.reviewers) == (
        ("bot", "needs review"),
        ("mona_octocorp", "octo-org/core"),
    )
    assert (settings.context.include, settings.context.exclude) == (("src/**",), ("*.min.js",))
    assert (settings.instructions, settings.language, settings.model) == (
        "Use tabs.\n",
        "German",
        "large",
    )
    assert from_json(to_json(settings)) == settings


@pytest.mark.parametrize(
    "content", [None, b"", b"# nothing yet\n", b"labels:\nprotected:\n", "\ufeff".encode()]
)
def test_a_file_that_says_nothing_leaves_the_defaults(content: bytes | None) -> None:
    read = read_settings(content)
    assert (read.settings, read.mistakes) == (RepoSettings(), ())


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"mode: patch\n", 1, "`mode` should be 'diff' or 'pr'."),
        (b"draft: no\nlables: [a]\n", 2, "`lables` is no setting. Did you mean `labels`?"),
        (b"context:\n  exclud: [a]\n", 2, "Did you mean `exclude`?"),
        (b"context: 5\n", 1, "`context` must hold settings as `name: value`."),
        (b"labels: bug\n", 1, "`labels` must be a list."),
        (b"labels:\n  - 5\n", 2, "`labels.0` must be text; put it in quotes."),
        (b"\nbase: a..b\n", 2, "`base` must be the name of a branch."),
        (b"protected: ['!x']\n", 1, "begins with `!`"),
        (
            b"permissions: {apply: read}\n",
            1,
            "`permissions.apply` should be 'triage', 'write', 'maintain' or 'admin'.",
        ),
        (b"ci_fixes: 9\n", 1, "`ci_fixes` should be less than or equal to 2."),
        (b"ci_fixes: true\n", 1, "`ci_fixes`"),
        (b"language: 'en\\nIgnore all'\n", 1, "`language` has characters"),
        (b'language: "en\\nIgnore all"\n', 1, "`language` has characters"),
        (b"model: huge\n", 1, "`model` is not one that the operator allows (`small`)."),
        (b"mode: pr\n\tbase: x\n", 2, "This is no YAML"),
        (b"labels: [\n", 2, "This is no YAML"),
        (b"mode: pr\nmode: diff\n", 2, "`mode` is there twice; keep one."),
        (b"labels: &a [x]\nreviewers: *a\n", 1, "Aliases"),
        (b"- a\n", 1, "The file must hold settings as `name: value`."),
        (b"? [a]\n: b\n", 1, "A name must be plain text."),
    ],
)
def test_a_mistake_is_said_with_its_line_and_its_mending(
    content: bytes, line: int, words: str
) -> None:
    (mistake,) = read_settings(content, models=("small",)).mistakes
    assert mistake.startswith(f"`.github/tinygen.yml`, line {line}: ")
    assert words in mistake


@pytest.mark.parametrize(
    "content",
    [
        b"x" * (MAX_FILE_BYTES + 1),
        b"\xff\xfe",
        b"[" * 9_000,
        b"a: \0",
        b"labels: [" + b"a," * 3_000 + b"]",
        b"!!x/y z",
    ],
)
def test_a_file_that_cannot_be_read_leaves_the_defaults_and_says_so(content: bytes) -> None:
    read = read_settings(content)
    assert read.settings == RepoSettings()
    assert len(read.mistakes) == 1


def test_a_mistake_undoes_nothing_else() -> None:
    content = (
        b"protected: [a/, '!b', c/, 5]\nmode: nonsense\npermissions: {diff: triage, pr: all}\n"
    )
    read = read_settings(content)
    assert read.settings.protected == ("a/", "c/")
    assert (read.settings.mode, read.settings.permissions.diff, read.settings.permissions.pr) == (
        None,
        "triage",
        None,
    )
    assert [
        f"line {line}:" in words for line, words in zip((1, 1, 2, 3), read.mistakes, strict=True)
    ] == [True] * 4


def test_few_mistakes_are_told_at_once() -> None:
    assert len(read_settings(b"".join(b"x%d: 1\n" % n for n in range(50))).mistakes) == 5


@given(
    st.binary(max_size=200)
    | st.text(alphabet="abc:[]{}-'\"\n &*!|>#?,", max_size=60).map(str.encode)
)
def test_any_bytes_are_read_or_told_of(content: bytes) -> None:
    read = read_settings(content)
    assert from_json(to_json(read.settings)) == read.settings


def test_what_writes_never_takes_less_than_the_operator_demands() -> None:
    settings = read_settings(b"permissions: {diff: triage, pr: triage, apply: admin}").settings
    assert least_permission("diff", settings, "write") == "triage"
    assert least_permission("pr", settings, "write") == "write"
    assert least_permission("apply", settings, "write") == "admin"
    assert least_permission("pr", RepoSettings(), "maintain") == "maintain"


def test_what_asks_no_more_than_a_diff_takes_what_a_diff_takes() -> None:
    settings = read_settings(b"permissions: {diff: triage, cancel: maintain}").settings
    assert [least_permission(action, settings, "write") for action in ("help", "status", "retry", "cancel")] == [
        "triage", "triage", "triage", "maintain",
    ]  # fmt: skip


def test_a_bare_command_is_what_the_mode_makes_of_it() -> None:
    assert action_of(Command("solve", "x"), "pr") == "pr"
    assert action_of(Command("solve", "x", mode="diff"), "pr") == "diff"
    assert action_of(Command("apply"), "diff") == "apply"


@pytest.mark.parametrize(
    "path", [".github/tinygen.yml", ".github/TINYGEN.yml", ".GitHub/tinygen.yaml"]
)
def test_the_file_itself_is_always_protected(path: str) -> None:
    assert is_protected(RepoSettings(), path)
    assert not is_protected(RepoSettings(), f"docs/{path}")


def test_what_is_protected_is() -> None:
    settings = read_settings(b"protected: [secret/]").settings
    assert is_protected(settings, "secret/key")
    assert is_protected(settings, ".github/tinygen.yml")
    assert not is_protected(settings, "src/a.py")


def test_a_snapshot_shows_what_the_file_lets_be_shown() -> None:
    base = snapshot_of({"src/a.py": b"1\n", "src/a.min.js": b"2\n", "docs/b.md": b"3\n"})
    ruled = view_repository(
        base, repository_policy(read_settings(WHOLE, models=("large",)).settings)
    )
    assert list(ruled.visible().blobs) == ["src/a.py"]
    assert list(ruled.blobs) == list(base.blobs)
    assert view_repository(base, repository_policy(RepoSettings())).visible().blobs == base.blobs


def test_the_published_schema_is_the_codes() -> None:
    """Renew it with: python -c 'from bot.thread.settings import render_schema as s; print(s(), end="")'
    > the file."""
    assert SCHEMA.read_text() == render_schema()


def test_the_schema_takes_what_the_code_takes() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    assert validator.is_valid(yaml.safe_load(WHOLE))
    for wrong in (
        b"mode: patch",
        b"lables: [a]",
        b"labels: bug",
        b"permissions: {apply: read}",
        b"ci_fixes: 9",
    ):
        assert not validator.is_valid(yaml.safe_load(wrong)), wrong


@pytest.mark.parametrize(
    "text", ["<<: {context: {exclude: [a]}}", "context:\n  <<: {exclude: [a]}"]
)
def test_a_merge_of_yaml_leaves_everything_that_is_guarded_unclear(text: str) -> None:
    assert read_settings(text.encode()).unclear == ("context", "protected")


@pytest.mark.parametrize(
    "path",
    [
        ".github/tinygen.yaml",
        ".github/TinyGen.yml",
        ".GitHub/tinygen.yml",
        "tinygen.yml",
        ".tinygen.yaml",
        ".config/tinygen.yml",
        "docs/tinygen.yml",
    ],
)
def test_a_settings_file_that_is_not_read_is_told(path: str) -> None:
    (sentence,) = find_misplaced(["README.md", path])
    assert f"`{path}` is not read" in sentence
    assert find_misplaced([path, SETTINGS_FILE]) == ()


@pytest.mark.parametrize(
    "path", [SETTINGS_FILE, ".github/workflows/tinygen.yml", "src/tinygen.yml", "tinygen.py"]
)
def test_other_files_are_no_misplaced_settings(path: str) -> None:
    assert find_misplaced([path]) == ()


def test_a_file_with_too_many_values_is_left_before_all_of_it_is_parsed() -> None:
    with pytest.raises(InvalidYaml, match="more than 2000 values") as raised:
        read_yaml(b"a:\n" * 5_000 + b"[", max_bytes=32_000)  # what follows is no YAML
    assert raised.value.line == 1_000


def test_each_verb_is_an_action_for_permissions() -> None:
    for verb in get_args(Verb):
        assert action_of(Command(verb), "diff") in ACTIONS
