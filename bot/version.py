"""Which version of TinyGen this is. pyproject.toml asks here as well when the wheel is built, so that a
checkout and what is built from it name the same."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import Distribution

ROOT = Path(__file__).parents[1]
"""The checkout, the unpacked sdist, or the folder where the wheel is installed."""
UNKNOWN = "0+unknown"
"""Of a tree without git, metadata or the marks of `git archive`."""
BUILD_SETTING = "TINYGEN_BUILD_VERSION"
"""Says the version where a build has no `.git`, such as the build of an image."""
TAGS = "v[0-9]*"
_COMMIT_CHARS = 12
_DESCRIPTION = re.compile(
    r"(?:v(?P<tag>[0-9][^-]*))?(?:-(?P<distance>[0-9]+)-g)?(?P<commit>[0-9a-f]{7,40})?(?P<dirty>-dirty)?"
)
_GIT_TIMEOUT_S = 10


@cache
def version() -> str:
    """Of the code that runs. In a checkout git is asked, once, at the first use."""
    return find_version(ROOT)


def build_version() -> str:
    """What a wheel or an sdist that is built here is called."""
    return os.environ.get(BUILD_SETTING) or version()


def find_version(root: Path) -> str:
    """By PEP 440: `1.2.3` at the tag v1.2.3, and `1.2.4.dev5+g0123456789ab` five commits later."""
    metadata = _metadata(root)
    if metadata:
        return metadata.version
    return version_of(_ask_git(root) or _read_archive(root))


def version_of(description: str) -> str:
    """The version for what `git describe` says, such as `v1.2.3-5-g0123456789ab-dirty`, or the commit
    alone where there is no tag."""
    match = _DESCRIPTION.fullmatch(description)
    if not description or not match:
        return UNKNOWN
    tag, distance, commit = match["tag"], int(match["distance"] or 0), match["commit"]
    if tag and not distance and not match["dirty"]:
        return tag
    local = ".".join(
        filter(None, (commit and f"g{commit[:_COMMIT_CHARS]}", match["dirty"] and "dirty"))
    )
    return f"{_next(tag) if tag else '0'}.dev{distance}+{local}"


def _next(tag: str) -> str:
    """`1.2.4` after 1.2.3, and `1.3.0rc2` after 1.3.0rc1: versions between two tags sort between them."""
    return re.sub(r"[0-9]+$", lambda last: str(int(last[0]) + 1), tag)


def _metadata(root: Path) -> Distribution | None:
    """What the wheel's installation or the sdist wrote into `root` itself: another TinyGen may be
    installed elsewhere on the path."""
    from importlib.metadata import PathDistribution, distributions

    if (root / "PKG-INFO").is_file():
        return PathDistribution(root)
    return next(iter(distributions(name="tinygen", path=[str(root)])), None)


def _ask_git(root: Path) -> str:
    """Empty without git, or if `root` is no checkout (it may lie in one of something else)."""
    if not (root / ".git").exists():
        return ""
    import subprocess

    # `safe.directory`: the service's user may not own the checkout. Who owns it owns this code anyway.
    command = ["git", "--no-optional-locks", "-c", "safe.directory=*", "-C", str(root), "describe"]
    options = [
        "--tags",
        "--long",
        "--always",
        "--dirty",
        f"--abbrev={_COMMIT_CHARS}",
        f"--match={TAGS}",
    ]
    # Within a hook, git's variables name another repository.
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    try:
        answer = subprocess.run(
            command + options,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def _read_archive(root: Path) -> str:
    """`git archive`, and with it GitHub's "Source code", writes tag and commit into the file."""
    try:
        lines = (root / ".git_archival.txt").read_text(encoding="utf-8").split("\n")
    except OSError:
        return ""
    return next((line for line in lines if _DESCRIPTION.fullmatch(line) and line), "")
