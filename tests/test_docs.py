"""The pages for people are true: their commands run, their examples are read by what reads them in earnest, their links
lead somewhere.

A fenced block of `sh` is run, or carries `<!-- not run: reason -->` on the line above it. Where it is run, the
placeholders below stand for a served bot between the stand-ins, with the sample repository.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args
from unicodedata import category

import pytest

from bot.cli import build_parser
from bot.config import Config
from bot.thread.settings import Permissions, RepoSettings, Shown, read_settings
from bot.types import SILENT, Verb
from tests import ROOT
from tests.adapters.git_repo import git, make_repo
from tests.demo import BODY, COMMAND, ISSUE, REPO, sample_files, scripted
from tests.doubles.model import ModelDouble
from tests.stage import Stage

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "deploy/*.md", "deploy/*/*.md")
    for path in ROOT.glob(pattern)
)
HISTORY = ("CHANGELOG.md", "DECISIONS.md")
"""They speak of what was."""
GUIDES = [page for page in PAGES if page not in HISTORY]
LANGUAGES = {"", "sh", "json", "yaml", "ini"}
KEY = "your-key"
LEAST_RUN = 11
"""So many blocks are run at least: a rule that finds none would pass."""
MAX_PICTURE_BYTES = 250_000
_FENCE = re.compile(
    r"^(?P<indent> *)(?:<!-- not run: (?P<reason>[^\n]+) -->\n *)?```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_CODE = re.compile(r"`+([^`]+)`+")
_NAMED = re.compile(
    r"(?:^|[\s`|(])(?<!-u )(?:tinygen|\S*python -m bot) ([a-z]+(?:-[a-z]+)*)\b", re.MULTILINE
)
_MAKE = re.compile(r"(?:^|`|sudo )make (?:-C \S+ )?([a-z-]+)", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SETTING = re.compile(r"\b(?:TINYGEN|GITHUB|OPENAI|SUPABASE)_[A-Z_]+[A-Z]\b")


@dataclass(frozen=True)
class Block:
    """A fenced block. `reason` is why it is not run; "" if it is."""

    page: str
    line: int
    language: str
    text: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read(page: str) -> str:
    return (ROOT / page).read_text()


def blocks(*languages: str) -> list[Block]:
    found = []
    for page in GUIDES:
        text = read(page)
        for fence in _FENCE.finditer(text):
            line = text.count("\n", 0, fence.start("text"))
            body = textwrap.dedent(fence["text"])
            found.append(Block(page, line, fence["language"], body, fence["reason"] or ""))
    return [block for block in found if not languages or block.language in languages]


def commands_in(text: str) -> set[str]:
    return set(_NAMED.findall(text))


@dataclass(frozen=True)
class World:
    """`folder` is a clone of the sample repository; `names` are the placeholders' values."""

    folder: Path
    environment: dict[str, str]
    names: dict[str, str]

    def run(self, block: Block) -> str:
        """What is wrong with it; "" if nothing is."""
        script = block.text
        for name, value in self.names.items():
            script = script.replace(name, value)
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if ended.returncode == 0:
            return ""
        return f"{block}: exit status {ended.returncode}\n{script}{ended.stdout[-500:]}{ended.stderr[-1500:]}"


@contextmanager
def served_world(root: Path) -> Iterator[World]:
    bin_dir = root / "bin"
    bin_dir.mkdir()
    program = bin_dir / "tinygen"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bot "$@"\n')
    program.chmod(0o755)
    clone = root / "clone"
    make_repo(clone, sample_files())
    git(clone, "reset", "--hard", "--quiet")
    with (
        ModelDouble(scripted) as model,
        Stage(root / "stage", model.url, {"TINYGEN_API_KEYS": KEY}) as stage,
    ):
        repo = stage.github.add_repository(
            REPO, files=sample_files(), permissions={"octocat": "admin"}
        )
        stage.github.install(stage.app, "octocat")
        issue = repo.open_issue("octocat", ISSUE, BODY)
        repo.comment(issue.number, "octocat", COMMAND)
        report = stage.finished(REPO, issue.number)
        job_id = re.search(r"job=(\S+) state=done", report)
        assert job_id is not None, report
        environment = stage.environment
        environment["PATH"] = f"{bin_dir}:{environment['PATH']}"
        environment["PYTHONPATH"] = str(ROOT)
        names = {
            "http://127.0.0.1:8000": stage.url,
            "https://github.com": stage.github.url,
            "JOB_ID": job_id[1],
        }
        yield World(clone, environment, names)


@pytest.mark.slow
def test_every_command_runs_that_is_not_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = blocks("sh")
    to_run = [block for block in commands if not block.reason]
    with served_world(tmp_path) as world:
        wrong = [problem for problem in map(world.run, to_run) if problem]
    with capsys.disabled():
        print(f"\n{len(to_run)} of {len(commands)} blocks of commands in the pages were run.")
    assert not wrong, "\n\n".join(wrong)
    assert len(to_run) >= LEAST_RUN


def test_every_block_says_what_it_is() -> None:
    assert {block.language for block in blocks()} <= LANGUAGES
    assert not [str(block) for block in blocks() if block.reason and block.language != "sh"]
    assert len(blocks()) == sum(len(re.findall(r"^ *```", read(page), re.M)) for page in GUIDES) / 2


def test_every_example_is_read_by_what_reads_it_in_earnest() -> None:
    for block in blocks("json"):
        json.loads(block.text)
    mistakes = [
        f"{block}: {read_settings(block.text.encode(), models=('gpt-5.4-mini',)).mistakes}"
        for block in blocks("yaml")
        if read_settings(block.text.encode(), models=("gpt-5.4-mini",)).mistakes
    ]
    assert not mistakes


def test_every_key_of_a_repositorys_file_is_explained() -> None:
    page = read("docs/repository.md")
    keys = {each.name for owner in (RepoSettings, Shown, Permissions) for each in fields(owner)}
    assert not {key for key in keys if f"`{key}`" not in page}


def shell_commands() -> set[str]:
    (names,) = (set(each.choices) for each in build_parser()._actions if each.choices)
    return names


def code_of(page: str) -> str:
    """The page's code, a span or a block after the other."""
    text = read(page)
    spans = [f"`{span}`" for span in _CODE.findall(text)]
    return "\n".join([*spans, *(fence["text"] for fence in _FENCE.finditer(text))])


def test_every_command_is_explained() -> None:
    code = code_of("docs/commands.md")
    assert shell_commands() <= commands_in(code)
    verbs = {verb for verb in get_args(Verb) if verb != "solve" and verb not in SILENT}
    assert verbs <= set(re.findall(r"/tinygen (\w+)", code))


def test_the_commands_and_settings_that_pages_name_exist() -> None:
    commands = shell_commands()
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    settings = {str(field.alias) for field in Config.model_fields.values()}
    for page in GUIDES:
        code = code_of(page)
        assert commands_in(code) <= commands, page
        assert set(_MAKE.findall(code)) <= targets, page
        assert set(_SETTING.findall(read(page))) <= settings, page


def anchors(page: str) -> set[str]:
    """The fragments of the page's headings, as GitHub makes them."""
    text = _FENCE.sub("", read(page))
    found = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        kept = (each for each in heading.lower() if each in " -_" or category(each)[0] in "LN")
        found.add("".join(kept).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_somewhere(page: str) -> None:
    text = read(page)
    for link in _LINK.findall(_FENCE.sub("", text)):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, fragment = link.partition("#")
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert target.exists(), link
        if fragment:
            assert fragment in anchors(target.relative_to(ROOT).as_posix()), link
    if page in GUIDES:
        for path in re.findall(r"`(tests/[\w/.]+)`", text):
            assert (ROOT / path).exists(), path


def test_readme_is_a_page_and_shows_the_product() -> None:
    text = read("README.md")
    assert len(text.splitlines()) <= 150
    for name in ("docs/thread.png", "docs/run.png"):
        assert f'src="{name}"' in text
        picture = (ROOT / name).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < MAX_PICTURE_BYTES, "make it again by `make pictures`"
