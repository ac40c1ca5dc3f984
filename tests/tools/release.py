"""The files of a release, and what its notes say:

python -m tests.tools.release dist FOLDER       wheel, sdist, SBOM and SHA256SUMS of the commit
python -m tests.tools.release notes 1.2.3       the section of CHANGELOG.md
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests import ROOT

SUMS = "SHA256SUMS"


class ReleaseError(Exception):
    """The release cannot be made; says why."""


def build(folder: Path, root: Path = ROOT) -> None:
    """Writes wheel and sdist of the commit at `root`: the same bytes each time."""
    changed = _git(root, "status", "--porcelain")
    if changed:
        # The build would take these along under the commit's name.
        raise ReleaseError(f"Commit or remove these files first:\n{changed}")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": commit_time(root)}
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder.absolute())]
    subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)


def commit_time(root: Path) -> str:
    """In seconds since 1970."""
    return _git(root, "log", "-1", "--format=%ct")


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def write_sbom(wheel: Path, to: Path, root: Path = ROOT) -> None:
    """The SBOM in CycloneDX of a fresh installation of `wheel` on this Python: every package with its
    version, licence and dependencies. Needs the network."""
    with tempfile.TemporaryDirectory() as at:
        venv.create(at, with_pip=False, symlinks=True)
        _pip(at, "--require-hashes", "-r", str(root / "requirements.txt"))
        _pip(at, "--no-deps", "--no-index", str(wheel))
        made = subprocess.run(
            [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", at],
            env={**os.environ, "SOURCE_DATE_EPOCH": commit_time(root)},
            capture_output=True,
            text=True,
            check=True,
        )
    to.write_text(name_subject(made.stdout))


def _pip(at: str, *arguments: str) -> None:
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--python",
        f"{at}/bin/python",
    ]
    subprocess.run([*pip, "install", "--quiet", *arguments], check=True)


def name_subject(made: str) -> str:
    """The SBOM `made` of an environment as the SBOM of the TinyGen in it: cyclonedx-py would take the
    subject from pyproject.toml, which has neither its version nor its dependencies."""
    sbom: dict[str, Any] = json.loads(made)
    (subject,) = [each for each in sbom["components"] if each["name"] == "tinygen"]
    sbom["components"].remove(subject)
    (wheel,) = subject.pop("externalReferences")  # its address is a path of this machine
    sbom["metadata"]["component"] = {**subject, "type": "application", "hashes": wheel["hashes"]}
    text = json.dumps(sbom, indent=2, ensure_ascii=False) + "\n"
    _validate(text)
    return text


def _validate(sbom: str) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(sbom)
    if wrong:
        raise ReleaseError(f"The SBOM breaks the schema of CycloneDX: {wrong!r}")


def write_sums(folder: Path) -> None:
    """For `sha256sum --check SHA256SUMS`."""
    files = sorted(path for path in folder.iterdir() if path.name != SUMS)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / SUMS).write_text("".join(lines))


def make_dist(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise ReleaseError(f"{folder} is not empty.")
    build(folder)
    (wheel,) = folder.glob("*.whl")
    write_sbom(wheel, folder / f"{wheel.name.removesuffix('-py3-none-any.whl')}.cdx.json")
    write_sums(folder)


def notes(changelog: str, version: str) -> str:
    """The section of `version`, whose heading is `## 1.2.3` or `## 1.2.3 (2026-12-24)`."""
    heading = rf"^## {re.escape(version)}(?: \(\d{{4}}-\d\d-\d\d\))?$"
    parts = re.split(heading, changelog, flags=re.MULTILINE)
    section = re.split(r"^## ", parts[-1], maxsplit=1, flags=re.MULTILINE)[0].strip()
    if len(parts) != 2 or not section:
        raise ReleaseError(f"CHANGELOG.md needs one section `## {version}`, with text.")
    return section + "\n"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.release", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("dist").add_argument("folder", type=Path)
    commands.add_parser("notes").add_argument("version")
    options = parser.parse_args(arguments)
    try:
        if options.command == "dist":
            make_dist(options.folder)
        else:
            print(notes((ROOT / "CHANGELOG.md").read_text(), options.version), end="")
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
