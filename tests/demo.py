"""`make demo`: the main job, offline. The bot is the real one; GitHub is the tests' double on a
real git repository. The model's replies are scripted, unless OPENAI_API_KEY is set: then that model
is asked."""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import ROOT
from tests.doubles.model import Messages, ModelDouble
from tests.doubles.reviews import choice
from tests.stage import Stage, state_of

REPO = "octocat/greeter"
ISSUE = "Double names are not greeted properly"
BODY = """\
`greet("ada lovelace")` says `Hello, Ada lovelace!`. It should say `Hello, Ada Lovelace!`, and a name that is empty
should be refused with a `ValueError`.
"""
COMMAND = "/tinygen Please fix this in `greet`, and leave `farewell` alone."

DRAFT = '''\
Greet every part of a name

Each part of the name is now capitalized, and an empty name raises `ValueError`.

greeter/greet.py
```python
<<<<<<< SEARCH
    """A greeting for `name`."""
    return "Hello, " + name.capitalize() + "!"
=======
    """A greeting for `name`; ValueError where it is empty."""
    if not name:
        raise ValueError("a name is needed")
    return "Hello, " + " ".join(part.capitalize() for part in name.split()) + "!"
>>>>>>> REPLACE
```
'''
REVISION = """\
[REVISION NEEDED] A name of spaces alone is empty too, and nothing tests either case.

Input: greet(" ")
Place: greeter/greet.py:6
Result: it returns "Hello, !" where it should raise ValueError

greeter/greet.py
```python
<<<<<<< SEARCH
    if not name:
=======
    if not name.strip():
>>>>>>> REPLACE
```

tests/test_greet.py
```python
<<<<<<< SEARCH
from greeter import farewell, greet


def test_a_greeting_names_the_person() -> None:
    assert greet("ada") == "Hello, Ada!"
=======
import pytest

from greeter import farewell, greet


def test_a_greeting_names_the_person() -> None:
    assert greet("ada") == "Hello, Ada!"


def test_every_part_of_a_name_is_capitalized() -> None:
    assert greet("ada lovelace") == "Hello, Ada Lovelace!"


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(ValueError, match="a name is needed"):
        greet(" ")
>>>>>>> REPLACE
```
"""
COMPARISON = "Traced it: only the other version lets a name of spaces through."
VERDICT = "[CONFIDENT] Both cases of the issue are handled and tested; `farewell` is as it was."


def scripted(messages: Messages) -> str:
    """The reply to a request, by what it asks."""
    asked = "\n".join(str(message["content"]) for message in messages)
    if "[A]" in asked:
        return choice(asked, "    if not name.strip():", COMPARISON)
    if "[REVISION NEEDED]" not in asked:
        return DRAFT
    return VERDICT if "test_an_empty_name_is_refused" in asked else REVISION


def main() -> int:
    """Plays the demo; 0 where all of it was seen."""
    with (
        tempfile.TemporaryDirectory(prefix="tinygen-demo-") as folder,
        _model() as (model_url, settings),
        Stage(Path(folder), model_url, settings) as stage,
    ):
        _play(stage)
    print(
        "\nThe bot, the stand-ins and their files are gone again. Your own bot: see docs/install.md."
    )
    return 0


def _play(stage: Stage) -> None:
    repo = stage.github.add_repository(REPO, files=sample_files(), permissions={"octocat": "admin"})
    stage.github.install(stage.app, "octocat")
    issue = repo.open_issue("octocat", ISSUE, BODY)

    _say(f"octocat comments on {REPO}#{issue.number}, “{ISSUE}”", COMMAND)
    repo.comment(issue.number, "octocat", COMMAND)
    shown = stage.finished(REPO, issue.number, 1, within_s=600)
    _say("TinyGen answers in one comment, edited as it went", shown)
    if state_of(shown) != "done" or "```diff" not in shown:
        print(stage.log.read_text()[-6000:], file=sys.stderr)
        raise SystemExit(
            "The demo ended without a diff; the comment above says why, and the bot's log."
        )

    _say("octocat likes the diff", "/tinygen apply")
    repo.comment(issue.number, "octocat", "/tinygen apply")
    opened = stage.finished(REPO, issue.number, 2)
    _say("TinyGen opens the pull request", opened)
    pull = repo.pulls[0]
    files = (
        repo.git.run("diff", "--name-only", repo.default_branch, repo.head(pull)).decode().split()
    )
    _say(
        "The pull request",
        f"{stage.github.url}/{REPO}/pull/{pull.number}  {pull.title}\n" + "\n".join(files),
    )


@contextmanager
def _model() -> Iterator[tuple[str, dict[str, str]]]:
    """(base URL, settings) of the model: the caller's own, or a scripted one."""
    key = os.environ.get("OPENAI_API_KEY")
    if key:
        base_url = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")
        own = {
            name: os.environ[name]
            for name in ("OPENAI_API_KEY", "OPENAI_MODEL")
            if name in os.environ
        }
        print(f"The model is a real one, at {base_url}. GitHub is a stand-in on this machine.")
        yield base_url, {"OPENAI_MODEL": "gpt-5.4", **own}
        return
    print(
        "GitHub is a stand-in on this machine, and the model's replies are SCRIPTED: no account, no"
        " key, no network."
    )
    print(
        "With OPENAI_API_KEY (and OPENAI_BASE_URL, OPENAI_MODEL) set, the same demo asks that model"
        " instead."
    )
    with ModelDouble(scripted) as double:
        yield double.url, {}


def sample_files() -> dict[str, bytes]:
    """The sample repository."""
    folder = ROOT / "tests" / "samples" / "greeter"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _say(heading: str, text: str) -> None:
    print(f"\n━━ {heading}\n\n{textwrap.indent(text.rstrip(), '   ')}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
