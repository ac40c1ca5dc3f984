"""Replies that are kept for the operator's own evidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.adapters.model import kept_replies
from bot.adapters.model.kept_replies import KeptReplies
from bot.app import build_model
from bot.config import load_config
from bot.types import Prompt, Reply
from tests.adapters.model.exchange import KEY, PROMPT
from tests.doubles.model import ModelDouble


class Model:
    """Answers with the next text."""

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)

    def ask(self, prompt: Prompt, **_more: object) -> Reply:
        return Reply(self._texts.pop(0), "stop", "org/m 1:x", 1, 1, 0.1)


def ask(model: KeptReplies) -> str:
    return model.ask(PROMPT, stop=lambda: False, deadline_s=10).text


def test_a_reply_is_kept_without_secrets_and_comes_back_as_it_was(tmp_path: Path) -> None:
    model = KeptReplies(
        Model("the key is s3cret \ud800"), tmp_path / "r", lambda t: t.replace("s3cret", "***")
    )
    assert ask(model) == "the key is s3cret \ud800"
    (file,) = (tmp_path / "r").iterdir()
    assert file.read_bytes() == b"the key is *** \\ud800"
    assert file.name.endswith("-org-m-1-x-generate.md")
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_only_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_replies, "MAX_KEPT", 2)
    model = KeptReplies(Model("1", "2", "3"), tmp_path, str)
    for _ in range(3):
        ask(model)
    assert sorted(file.read_text() for file in tmp_path.iterdir()) == ["2", "3"]


def test_a_folder_that_cannot_be_written_costs_no_reply(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert ask(KeptReplies(Model("a"), tmp_path / "file", str)) == "a"


@pytest.mark.parametrize("setting", ["", "on"])
def test_they_are_kept_only_where_the_operator_says_so(tmp_path: Path, setting: str) -> None:
    with ModelDouble([f"It says {KEY}."]) as double:
        environment = {
            "OPENAI_BASE_URL": double.url, "OPENAI_API_KEY": KEY, "TINYGEN_DATA_DIR": str(tmp_path),
            "TINYGEN_KEEP_REPLIES": setting,
        }  # fmt: skip
        build_model(load_config(environment)).ask(PROMPT, stop=lambda: False, deadline_s=20)
    kept = [file.read_text() for file in (tmp_path / "replies").glob("*")]
    assert len(kept) == bool(setting)
    assert not any(KEY in text for text in kept)
