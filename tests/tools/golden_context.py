"""Writes the golden files of the context anew: `python -m tests.tools.golden_context`.

Each holds one task for a small made repository: the ranking with its scores, the lines that are
shown, and two answers to requests for more. A person looks over what changed before it is kept.
"""

from __future__ import annotations

from pathlib import Path

from tests.tools.context_records import record_task
from tests.tools.made.repositories import make_repository
from tests.tools.made.tasks import make_tasks

GOLDEN = Path(__file__).parents[1] / "change" / "context" / "golden"
REPOSITORIES = 13
"""The smaller ones, up to 150 files. Two tasks of each are every kind of task at least once."""


def golden_tasks() -> list[tuple[int, int]]:
    """The number of the repository, and of its task."""
    return [(number, 2 * (number % 2) + n) for number in range(REPOSITORIES) for n in (0, 1)]


def golden_path(number: int, position: int) -> Path:
    """Where the task's golden file is."""
    return GOLDEN / f"repository_{number:02}_task_{position + 1}.txt"


def render_golden(number: int, position: int) -> str:
    """What the golden file has to hold."""
    made = make_repository(number)
    task = make_tasks(made, number)[position]
    return record_task(made, f"{number} {position + 1}", task, brief=True)


def main() -> None:
    """The command."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for path in GOLDEN.glob("*.txt"):
        path.unlink()
    for number, position in golden_tasks():
        golden_path(number, position).write_text(render_golden(number, position), encoding="utf-8")


if __name__ == "__main__":
    main()
