"""What an installed TinyGen depends on: exactly the versions of requirements.txt, which the tests ran
with. hatchling calls this when it builds the wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class PinnedDependencies(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        """A pin is `name==version \\` or `name==version ; marker \\`; comments and the hashes, which a
        package's metadata cannot hold, stand on lines of their own."""
        lines = Path(self.root, "requirements.txt").read_text(encoding="utf-8").splitlines()
        metadata["dependencies"] = [line.rstrip(" \\") for line in lines if line[:1].isalnum()]
