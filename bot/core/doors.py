"""The other doors to a job than a comment: a label on an issue, and its assignment to the App."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Doors:
    """The label's name and the assignee's login that ask for a job; "" where that door is shut."""

    label: str = ""
    assignee: str = ""

    def is_opened(self, action: str, *, label: str, assignee: str) -> bool:
        """Whether what was done to an issue asks for a job. GitHub's names are the same in any case."""
        said, wanted = {"labeled": (label, self.label), "assigned": (assignee, self.assignee)}.get(action, ("", ""))
        return bool(wanted) and said.casefold() == wanted.casefold()
