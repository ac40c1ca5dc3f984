"""What a change does to the files that say where packages come from: a host that they were not
fetched from before, and a version that is not fixed any more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from bot.change.checks.manifests import is_requirements
from bot.change.checks.versions import read_base
from bot.change.context.tokenize import word_set
from bot.change.edits.files import MAX_FILE_BYTES
from bot.types.snapshot import Changes, RepositoryView

_LOCKS = word_set(
    """package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock poetry.lock uv.lock
    pdm.lock Pipfile.lock Cargo.lock composer.lock Gemfile.lock mix.lock"""
)
_ADDRESS = re.compile(r"(?:https?|git|ssh)://([^\s/\"'#?\\]{1,300})", re.IGNORECASE)
_SOURCE = re.compile(r"\b(?:resolved|resolution|tarball|registry|remote|source|url|index)\b")
_ARCHIVE = re.compile(r"\.(?:git|zip|tgz|tar\.gz|whl|crate)\b|/(?:zipball|tarball|simple)\b")
_PINNED = re.compile(r"\s*([A-Za-z0-9][\w.-]{0,99})(?:\[[^\]]{0,200}\])?\s*(===?)?")
_REGISTRIES = word_set(
    """registry.npmjs.org registry.yarnpkg.com files.pythonhosted.org pypi.org pypi.python.org
    github.com index.crates.io static.crates.io rubygems.org repo.packagist.org api.github.com
    codeload.github.com opencollective.com hex.pm npm.pkg.github.com"""
)
"""Hosts that a new lock file may name without a word."""
_MAX_HOSTS = 5
_MOSTLY = 0.9
"""A file whose requirements are fixed in this share is one that fixes them."""


def is_lockfile(path: str) -> bool:
    return path.rpartition("/")[2] in _LOCKS or path.rpartition("/")[2] == "go.sum"


def find_lock_changes(base: RepositoryView, changes: Changes) -> Iterator[str]:
    """One sentence for each file."""
    for path, change in sorted(changes.items()):
        if change.content is None or len(change.content) > MAX_FILE_BYTES:
            continue
        is_lock = is_lockfile(path)
        if not (is_lock or is_requirements(path)):
            continue
        old = (read_base(base, path) or b"").decode("utf-8", "replace")
        new = change.content.decode("utf-8", "replace")
        if is_lock:
            yield from _new_hosts(path, old, new)
        else:
            yield from _unpinned(path, old, new)
            yield from _new_hosts(path, _options(old), _options(new))


def _new_hosts(path: str, old: str, new: str) -> Iterator[str]:
    before, after = _count_hosts(old), _count_hosts(new)
    known = set(before) or _REGISTRIES
    hosts = [host for host in after if host not in known][:_MAX_HOSTS]
    if hosts:
        named = ", ".join(f"{host} ({after[host]} of {after.total()})" for host in hosts)
        yield f"{path} now has entries from a host that it did not name before: {named}."


def _count_hosts(text: str) -> Counter[str]:
    """How many lines name each host as the source of a package. JSON's `"url"` is of other things
    too: it counts with the address of an archive."""
    counts: Counter[str] = Counter()
    for line in text.replace("\\/", "/").split("\n"):
        if not _SOURCE.search(line):
            continue
        hosts = {found.rpartition("@")[2].lower() for found in _ADDRESS.findall(line)}
        if '"url"' not in line or _ARCHIVE.search(line):
            counts.update(hosts)
    return counts


def _unpinned(path: str, old: str, new: str) -> Iterator[str]:
    before, after = _read_pins(old), _read_pins(new)
    if not before or sum(before.values()) < _MOSTLY * len(before):
        return
    loose = [name for name, is_pinned in after.items() if not is_pinned and before.get(name, True)]
    if loose:
        yield f"{path} does not fix the version of {', '.join(loose[:_MAX_HOSTS])}, as it does of others."


def _options(text: str) -> str:
    """The options, such as `--extra-index-url`, and the addresses of single packages."""
    return "\n".join(
        f"source {line}" for line in text.split("\n") if line.startswith("-") or "://" in line
    )


def _read_pins(text: str) -> dict[str, bool]:
    """Whether each requirement is fixed to a version or an address."""
    pins: dict[str, bool] = {}
    for line in text.split("\n"):
        match = _PINNED.match(line[:2_000])
        if match and not line.lstrip().startswith(("#", "-")) and "://" not in line:
            pins[match[1].lower()] = bool(match[2]) and "*" not in line
    return pins
