"""The budget against real vocabularies: what a request holds of the repository never takes more
tokens than allowed."""

from __future__ import annotations

import base64
import json
import random
import subprocess
from pathlib import Path

import pytest

from bot.change.context import choose_context
from bot.change.prompts import generation_prompt
from bot.types import Context, Task
from bot.types.snapshot import RepositoryView
from tests.change.snapshots import view_of

ROOT = Path(__file__).parents[3]
BUDGETS = (1_000, 4_000, 16_000, 64_000)
TASKS = (
    "Wait as long as Retry-After says when the model answers 429",
    (
        "A diff whose file has no newline at its end cannot be applied:\n\n    error: patch failed:"
        " a.py:3"
    ),
    "Say more in the README, and in the words of the report about tokens",
)
_CHOICE = random.Random(7)


def _own() -> RepositoryView:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    paths = [path for path in listed.split("\0") if (ROOT / path).is_file()]
    return view_of({path: (ROOT / path).read_bytes() for path in paths})


def _hostile() -> RepositoryView:
    """Texts that cost more for their length than code does, each in a file named by the task."""
    texts = {
        "cjk.md": _lines("漢字仮名交文説明書第一章日本語한국어", 60),
        "emoji.py": _lines("😀🎉🚀🧪🤖👩‍💻", 30),
        "arabic.txt": _lines("ابتثجحخدذرزسشصضطظعغفقكلمنهوي ", 80),
        "data.py": "KEY = '" + base64.b64encode(_CHOICE.randbytes(6_000)).decode() + "'\n",
        "long.c": _lines("abcXYZ_019", 60),
        "min.js": _lines("abcdef(){};=>,.!&|?:[]'\"", 8_000),
        "numbers.csv": "\n".join(
            ",".join(str(_CHOICE.random()) for _ in range(8)) for _ in range(300)
        ),
        "signs.txt": _lines("†‡§¶•◊√∫≈≠≤≥÷×¬∞µ∂∑∏π", 50),
    }
    return view_of({f"src/{name}": text.encode() for name, text in texts.items()})


def _lines(letters: str, length: int) -> str:
    """Some 20,000 letters at random."""
    return "".join(
        "".join(_CHOICE.choices(letters, k=length)) + "\n" for _ in range(20_000 // length)
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


def _asked(task: str, context: Context) -> str:
    return generation_prompt(Task("o/r", task), context).messages[1].text


@pytest.mark.npm
@pytest.mark.slow
@pytest.mark.parametrize("vocabulary", ["cl100k_base", "o200k_base"])
def test_a_request_never_takes_more_of_a_real_vocabulary_than_its_budget(vocabulary: str) -> None:
    own, hostile = _own(), _hostile()
    named = "Mend " + ", ".join(hostile.blobs)
    wanted = [(own, task, budget) for task in TASKS for budget in BUDGETS]
    wanted += [(hostile, named, budget) for budget in BUDGETS]
    wanted += [(view_of({path: content}), named, 4_000) for path, content in _contents(hostile)]
    asked = [
        _asked(task, choose_context(base, task, budget_tokens=budget))
        for base, task, budget in wanted
    ]
    bare = _tokens(
        vocabulary, [_asked(task, Context((), (), "", 0)) for _base, task, _budget in wanted]
    )
    real = [
        full - own_words for full, own_words in zip(_tokens(vocabulary, asked), bare, strict=True)
    ]
    over = [
        f"{next(iter(base.blobs))}: {tokens} of {budget}"
        for (base, _task, budget), tokens in zip(wanted, real, strict=True)
        if tokens > budget
    ]
    assert not over
    assert (
        min(
            tokens / budget
            for (base, _task, budget), tokens in zip(wanted, real, strict=True)
            if base is own
        )
        > 0.5
    )


def _contents(snapshot: RepositoryView) -> list[tuple[str, bytes]]:
    return list(zip(snapshot.blobs, snapshot.read(snapshot.blobs.values()), strict=True))
