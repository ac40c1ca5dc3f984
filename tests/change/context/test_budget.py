"""The budget, counted with real vocabularies: what a prompt holds of the repository never takes
more tokens than allowed."""

from __future__ import annotations

import base64
import json
import random
import subprocess
from dataclasses import dataclass

import pytest

from bot.change.context import choose_context
from bot.change.prompts import generation_prompt
from bot.types import Context, Task
from bot.types.snapshot import RepositoryView
from tests import ROOT
from tests.change.snapshots import view_of

BUDGETS = (1_000, 4_000, 16_000, 64_000)
TASKS = (
    "Wait as long as Retry-After says when the model answers 429",
    (
        "A diff whose file has no newline at its end cannot be applied:\n\n    error: patch failed:"
        " a.py:3"
    ),
    "Say more in the README, and in the words of the report about tokens",
)
_RANDOM = random.Random(7)


def _own_repository() -> RepositoryView:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    paths = [path for path in listed.split("\0") if (ROOT / path).is_file()]
    return view_of({path: (ROOT / path).read_bytes() for path in paths})


def _expensive_repository() -> RepositoryView:
    """Texts that cost more tokens for their length than code does, each in a file of its own."""
    texts = {
        "cjk.md": _random_lines("漢字仮名交文説明書第一章日本語한국어", 60),
        "emoji.py": _random_lines("😀🎉🚀🧪🤖👩‍💻", 30),
        "arabic.txt": _random_lines("ابتثجحخدذرزسشصضطظعغفقكلمنهوي ", 80),
        "data.py": "KEY = '" + base64.b64encode(_RANDOM.randbytes(6_000)).decode() + "'\n",
        "long.c": _random_lines("abcXYZ_019", 60),
        "min.js": _random_lines("abcdef(){};=>,.!&|?:[]'\"", 8_000),
        "numbers.csv": "\n".join(
            ",".join(str(_RANDOM.random()) for _ in range(8)) for _ in range(300)
        ),
        "signs.txt": _random_lines("†‡§¶•◊√∫≈≠≤≥÷×¬∞µ∂∑∏π", 50),
    }
    return view_of({f"src/{name}": text.encode() for name, text in texts.items()})


def _random_lines(letters: str, length: int) -> str:
    """About 20,000 letters at random."""
    return "".join(
        "".join(_RANDOM.choices(letters, k=length)) + "\n" for _ in range(20_000 // length)
    )


def _tokens(vocabulary: str, texts: list[str]) -> list[int]:
    counted = subprocess.run(
        ["node", ROOT / "tests" / "count_tokens.cjs", vocabulary],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    numbers: list[int] = json.loads(counted.stdout)
    return numbers


def _prompt(task: str, context: Context) -> str:
    return generation_prompt(Task("o/r", task), context).messages[1].text


@dataclass(frozen=True)
class Chosen:
    """A budget, and the prompt for one task with and without what was chosen for it."""

    name: str
    is_own: bool
    budget: int
    prompt: str
    bare_prompt: str


def _choose() -> list[Chosen]:
    """What is chosen of this repository, and of texts that cost more tokens than code does."""
    own, expensive = _own_repository(), _expensive_repository()
    naming_all = "Mend " + ", ".join(expensive.blobs)
    cases = [(own, task, budget) for task in TASKS for budget in BUDGETS]
    cases += [(expensive, naming_all, budget) for budget in BUDGETS]
    contents = expensive.read(expensive.blobs.values())
    for path, content in zip(expensive.blobs, contents, strict=True):
        cases.append((view_of({path: content}), naming_all, 4_000))
    return [
        Chosen(
            next(iter(base.blobs)),
            base is own,
            budget,
            _prompt(task, choose_context(base, task, budget_tokens=budget)),
            _prompt(task, Context((), (), "", 0)),
        )
        for base, task, budget in cases
    ]


@pytest.mark.npm
@pytest.mark.slow
def test_a_request_never_takes_more_of_a_real_vocabulary_than_its_budget() -> None:
    chosen = _choose()
    for vocabulary in ("cl100k_base", "o200k_base"):
        full = _tokens(vocabulary, [each.prompt for each in chosen])
        bare = _tokens(vocabulary, [each.bare_prompt for each in chosen])
        used = [
            (each, with_context - without)
            for each, with_context, without in zip(chosen, full, bare, strict=True)
        ]
        assert not [f"{each.name}: {tokens}" for each, tokens in used if tokens > each.budget]
        assert min(tokens for each, tokens in used if each.is_own) > min(BUDGETS) / 2
