"""The patch from any tree to any other tree must make it, in a scratch index and in a real
checkout."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.adapters.git import LocalGit
from bot.types.snapshot import Change
from tests.adapters.git_repo import File, applied_in_a_checkout, changes_of, make_repo


def without_conflicts(files: Mapping[str, File]) -> dict[str, File]:
    """No path that is both a file and a directory."""
    return {path: file for path, file in files.items() if not is_directory(path, files)}


def is_directory(path: str, files: Mapping[str, File]) -> bool:
    return any(other.startswith(f"{path}/") for other in files)


NAMES = st.sampled_from(["a", "b", "c d", "\u00e9", "\udcff", "n\n", '"', "\\", "*"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
LINES = st.lists(
    st.sampled_from([b"1\n", b"2\n", b"3\n", b"\n", b"x \r\n", "\u4e2d\n".encode(), b"end"]),
    max_size=12,
)
CONTENTS = st.one_of(
    LINES.map(b"".join),
    st.sampled_from([b"", b"\0\1", b"\xff\xfe\n", b"same\n" * 20]),
    st.binary(max_size=40),
)
FILES = st.one_of(
    st.tuples(CONTENTS, st.sampled_from(["100644", "100755"])),
    st.tuples(st.sampled_from([b"a", b"b/c", b"../x", "\u00e9".encode()]), st.just("120000")),
)
TREES = st.dictionaries(PATHS, FILES, min_size=1, max_size=8).map(without_conflicts)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(before=TREES, after=TREES)
def test_any_change_of_any_tree_survives_being_a_patch(
    tmp_path_factory: pytest.TempPathFactory, before: dict[str, File], after: dict[str, File]
) -> None:
    # There `git apply` itself gives up: "beyond a symbolic link".
    assume(
        not any(
            mode == "120000" and is_directory(path, after) for path, (_, mode) in before.items()
        )
    )
    assume(
        not any(
            mode == "120000" and is_directory(path, before) for path, (_, mode) in after.items()
        )
    )
    directory = tmp_path_factory.mktemp("repo")
    sha = make_repo(directory, before)
    gone = [Change(path, None) for path in before.keys() - after.keys()]
    put = [Change(path, *after[path]) for path in after if before.get(path) != after[path]]
    local = LocalGit(directory)

    patch = local.diff("o/n", sha, changes_of(*put, *gone))

    assert applied_in_a_checkout(directory, patch.text) == after
    assert local.apply("o/n", patch)[0] == changes_of(*gone, *put)
