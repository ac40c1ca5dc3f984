"""Hosts that are new in lock files, and requirements that are not fixed any more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.change.checks.lockfiles import find_lock_changes
from bot.change.checks.versions import Versions
from bot.types.snapshot import Changes
from tests.change.checks.names import found


def _find_in(versions: Versions, changes: Changes) -> Iterator[str]:
    return find_lock_changes(versions.before.view, changes)


def changed(path: str, old: str | None, new: str) -> list[str]:
    return found(_find_in, {} if old is None else {path: old}, {path: new})


def npm(*hosts: str) -> str:
    return "".join(f'  "resolved": "https://{host}/x/-/x-1.tgz",\n' for host in hosts)


def test_a_host_that_was_not_named_before_is_found_and_counted() -> None:
    (sentence,) = changed(
        "web/package-lock.json",
        npm("registry.npmjs.org"),
        npm("registry.npmjs.org", "registry.npmjs.org", "evil.example"),
    )
    assert sentence == (
        "web/package-lock.json now has entries from a host that it did not name before:"
        " evil.example (1 of 3)."
    )


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("yarn.lock", '  resolved "https://evil.example/x.tgz#1"\n'),
        ("Cargo.lock", 'source = "git+https://evil.example/x#1"\n'),
        ("Cargo.lock", 'source = "git+ssh://git@evil.example/x#1"\n'),
        ("poetry.lock", 'url = "https://user:pw@evil.example/simple"\n'),
        ("uv.lock", '    { url = "https://EVIL.example/x.whl", hash = "sha256:1" },\n'),
        ("Gemfile.lock", "  remote: http://evil.example/\n"),
        ("composer.lock", '  "url": "https:\\/\\/evil.example\\/zipball\\/1",\n'),
        ("Pipfile.lock", '  "url": "https://evil.example/simple",\n'),
        ("package-lock.json", '  "resolved": "HTTPS://evil.example/funding/x.tgz",\n'),
    ],
)
def test_of_every_kind_of_lock_file_also_a_new_one(path: str, line: str) -> None:
    known = line.lower().replace("evil.example", "github.com")
    for old in (None, known):
        (sentence,) = changed(path, old, known + line)
        assert "evil.example (1 of 2)" in sentence
    assert changed(path, known + line, known + line * 2) == []


def test_a_new_lock_file_from_the_registries_is_nothing_to_say() -> None:
    assert changed("package-lock.json", None, npm("registry.npmjs.org") * 3) == []
    funding = '      "url": "https://evil.example/donate"\n'
    assert changed("package-lock.json", npm("registry.npmjs.org"), funding) == []
    about = '  "deprecated": "See https://v8.dev/blog",\n  "homepage": "https://x.example",\n'
    assert changed("package-lock.json", npm("registry.npmjs.org"), about) == []
    empty = '{"packages": {}}\n'
    assert changed("package-lock.json", empty, empty + npm("registry.npmjs.org")) == []
    assert changed("README.md", "https://a.example", "https://b.example") == []


@pytest.mark.parametrize("loose", ["flask", "flask>=1", "flask[async] ~=1.0", "new-one"])
def test_a_requirement_that_is_not_fixed_is_found_where_the_others_are(loose: str) -> None:
    old = "# hi\nflask==1.0\n\n-r other.txt\nrequests[socks]==2\n"
    (sentence,) = changed("requirements.txt", old, old.replace("flask==1.0", loose))
    name = loose.partition("[")[0].partition(">")[0]
    assert sentence == f"requirements.txt does not fix the version of {name}, as it does of others."


def test_a_new_index_of_requirements_is_a_host() -> None:
    old = "--index-url https://pypi.org/simple\nflask==1\n"
    (sentence,) = changed(
        "requirements.txt", old, f"{old}--extra-index-url https://evil.example/s\n"
    )
    assert "evil.example (1 of 2)" in sentence
    for new in ("flask @ https://evil.example/f.whl\n", "-f https://evil.example/\n"):
        assert "evil.example" in changed("requirements.txt", None, new)[0]


def test_where_requirements_are_not_fixed_anyway_nothing_is_said() -> None:
    assert changed("requirements.txt", "flask\nrequests==2\n", "flask\nrequests\n") == []
    address = "flask @ https://github.com/f.whl\n"
    assert changed("requirements.txt", "flask==1\n", address) == []
    assert changed("requirements.txt", None, "flask\n") == []
