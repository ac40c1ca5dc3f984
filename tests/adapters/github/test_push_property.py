"""Any change, pushed: GitHub's tree is git's."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adapters.github.conftest import InstalledApp
from tests.adapters.github.pushing import Pushing, changed

NAMES = st.sampled_from(
    ["a", "b", "a/x", "a/y", "b/x/deep", "src", "src/app.py", "src/app.py/x", "README.md"]
)
CONTENTS = (
    st.none()
    | st.binary(max_size=40)
    | st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace"))
)


def can_be(files: Mapping[str, bytes | None], held: set[str]) -> bool:
    """Whether git could hold such files: none of them is a directory of another, and some are
    left."""
    after = {path for path in held if path not in files} | {
        path for path, content in files.items() if content is not None
    }
    gone = {path for path, content in files.items() if content is None}
    return (
        bool(after)
        and gone <= held
        and not any(other.startswith(f"{path}/") for path in after for other in after)
    )


@pytest.mark.slow
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    files=st.dictionaries(NAMES, CONTENTS, min_size=1, max_size=6),
    mode=st.sampled_from(["100644", "100755"]),
)
def test_the_tree_is_gits_for_any_change(
    installed: InstalledApp, files: dict[str, bytes | None], mode: str
) -> None:
    held = {"README.md", "src/app.py", "src/run.sh"}
    if not can_be(files, held):
        return
    change = Pushing(
        installed, changed(files, mode), branch=f"any/{installed.count('POST', '.*/git/refs')}"
    )
    base_tree = installed.repo.git.run("rev-parse", "main^{tree}").decode().strip()
    if change.tree != base_tree:
        assert change.landed(change.push())
