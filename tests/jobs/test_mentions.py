"""A comment that only names TinyGen: how to ask is told, once in a thread."""

from __future__ import annotations

from tests.scene import Scene


def hints(scene: Scene) -> list[str]:
    return [body for body in scene.bot_comments() if "`/tinygen help`" in body]


def mention(scene: Scene, words: str, *, who: str = "octocat") -> None:
    told = scene.say(words, who=who)
    scene.wait(lambda: scene.engine.state(told.job) == "ended", "the mention to be looked at")


def test_a_permitted_person_is_told_once_in_a_thread(scene: Scene) -> None:
    mention(scene, "Hey @tinygen-acme, can you fix this?")
    mention(scene, "@TinyGen please")
    (hint,) = hints(scene)
    assert "`/tinygen PROMPT`" in hint
    assert len([line for line in hint.splitlines() if line and not line.startswith("<!--")]) == 1
    assert not scene.rows()
    assert not scene.asked


def test_nobody_else_is_answered(scene: Scene) -> None:
    mention(scene, "@tinygen fix this", who="mallory")
    assert not scene.bot_comments()
