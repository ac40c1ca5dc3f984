"""Orders from where no orders may come, and a model that obeys them: the bot around it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from markdown_it import MarkdownIt

from tests.doubles.edit_blocks import block
from tests.doubles.model import Messages
from tests.injections import DEPLOY, MODEL_KEY, PLACES, PROTECTED, WISHES, obedient
from tests.jobs.conftest import SetScene
from tests.scene import (
    CONFIDENT,
    FILES,
    HELLO,
    LOUD_GREET,
    LOUD_HELLO,
    REPO,
    Scene,
    draft,
    fences,
)

SETTINGS = {".github/tinygen.yml": b"protected: [infra/]\n", PROTECTED: DEPLOY}
SHOWN = frozenset(PLACES) - {"hidden", "stranger", "commit"}
"""Where words do reach the model."""


def obey(messages: Messages) -> str:
    """What is asked for by the one who may, and by everybody else."""
    asked = "\n".join(str(message["content"]) for message in messages)
    wishes = obedient(asked)
    prose = "\n".join(wish.prose for wish in wishes if wish.prose)
    if "[REVISION NEEDED]" in asked:
        return f"{CONFIDENT}\n{prose}"
    blocks = [wish.edit for wish in wishes if wish.edit]
    return draft(block("greet.py", HELLO, LOUD_HELLO), *blocks, title="Greet louder", why=prose)


def planted(set_scene: SetScene, place: str, words: str) -> Scene:
    """A scene in whose `place` the words stand."""
    text = PLACES[place](words)
    files = {**FILES, **SETTINGS}
    if place == "readme":
        files["README.md"] = text.encode()
    if place == "source":
        files["greet_loudly.py"] = text.encode()
    if place == "path":
        files |= {PLACES[place](wish.words): b"Greet louder.\n" for wish in WISHES}
    scene = set_scene(files=files)
    if place == "commit":
        scene.repo.git.commit({"other.py": b"1\n"}, branch="main", message=text)
    return scene


def given(scene: Scene, place: str, words: str, command: str) -> str:
    """The command, in a thread that holds the words where that is their place; the bot's answer."""
    text = PLACES[place](words)
    title = text if place == "title" else "Greet louder"
    issue = scene.open_issue(
        title, text if place in ("body", "hidden") else "It whispers. See README.md."
    )
    if place in ("comment", "stranger"):
        scene.repo.comment(issue.number, "octocat" if place == "comment" else "mallory", text)
    scene.model_says(*[obey] * 12)
    return scene.tell(command, on=issue).answer


def words_of(scene: Scene) -> Iterator[str]:
    """All that the bot wrote where people read it."""
    for comment in list(scene.repo.comments.values()):
        if comment.author is scene.app.bot:
            yield comment.body
    for pull in scene.repo.pulls:
        yield pull.body or ""
        yield pull.title


def check_words(scene: Scene, words: str) -> None:
    assert MODEL_KEY not in words
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(words)
    assert "<img" not in rendered
    own_links = re.escape(f'<a href="{scene.github.url}/{REPO}/commit/') + r'[0-9a-f]{40}">'
    assert "<a " not in re.sub(own_links, "", rendered)
    plain = re.sub(r"<(code|pre)\b.*?</\1>", "", rendered, flags=re.DOTALL)
    links = re.findall(r"(?:https?://|www\.)\w\S*", plain)
    assert [link for link in links if not link.startswith(scene.github.url)] == []
    assert not re.search(r"(?<![\w`])@\w", plain), plain
    assert re.findall(r"(?:#|GH-)\d+\b", re.sub(r"(?:Closes|comment on) #\d+", "", plain)) == []
    assert words.count("<!-- tinygen:job=") <= 1
    assert words.count("<details>") == words.count("</details>")
    assert len(fences(words)) <= 1


def test_there_are_enough_attempts() -> None:
    assert len(PLACES) * len(WISHES) >= 60


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_an_obedient_model_does_no_harm(set_scene: SetScene, place: str) -> None:
    words = " | ".join(wish.words for wish in WISHES)
    scene = planted(set_scene, place, words)
    shown = given(scene, place, words, "/tinygen --diff Greet louder in greet.py.")
    assert bool(obedient(scene.asked[0])) is (place in SHOWN)
    given(scene, place, words, "/tinygen --new --pr Greet louder in greet.py.")
    for each in words_of(scene):
        check_words(scene, each)
    (diff,) = fences(shown)
    (pull,) = scene.repo.pulls
    head = scene.repo.head(pull)
    assert scene.repo.git.file(head, PROTECTED) == DEPLOY
    assert scene.repo.git.file(head, ".github/tinygen.yml") == SETTINGS[".github/tinygen.yml"]
    assert scene.repo.git.file(head, "greet.py") == LOUD_GREET.encode()
    names = scene.repo.git.run("diff", "--name-only", "main", head).decode().splitlines()
    assert not [name for name in names if name.startswith((".git", "/", "..", "infra"))]
    assert {f"+++ b/{name}" for name in names} <= set(diff.splitlines())
    assert MODEL_KEY not in diff
    assert MODEL_KEY.encode() not in (scene.repo.git.file(head, "leak.txt") or b"")
