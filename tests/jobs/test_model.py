"""What becomes of a job when the model says odd things, or nothing."""

from __future__ import annotations

import pytest

from tests.doubles.edit_blocks import block
from tests.doubles.model import (
    Fault,
    Messages,
    bad_key,
    cut,
    dropped,
    empty,
    ended_by,
    error_in_200,
    hang,
    no_such_model,
    out_of_quota,
    rate_limited,
    server_error,
    too_long,
)
from tests.doubles.reviews import choice, fault
from tests.jobs.conftest import SetScene
from tests.scene import (
    BYE,
    CONFIDENT,
    FILES,
    GREET,
    HELLO,
    LOUD_BYE,
    LOUD_HELLO,
    LOUDER,
    Scene,
    draft,
    fences,
)

TOO_MANY = 6


class TestAModelThatFails:
    @pytest.mark.parametrize(
        ("fault", "said", "again"),
        [
            (server_error(), "500", True),
            (dropped(), "did not answer", True),
            (error_in_200(), "Provider returned error", True),
            (empty(), "answered nothing", True),
            (rate_limited(), "429", True),
            (out_of_quota(), "OPENAI_API_KEY", True),
            (bad_key(), "OPENAI_API_KEY", True),
            (no_such_model(), "OPENAI_MODEL", True),
            (ended_by("content_filter", ""), "filter", False),
        ],
    )
    def test_ends_the_job_with_the_reason(
        self, scene: Scene, fault: Fault, said: str, again: bool
    ) -> None:
        scene.model_says(*[fault] * TOO_MANY)
        told = scene.tell("/tinygen Louder.")
        assert told.state == "failed"
        assert said in told.answer
        assert ("/tinygen retry" in told.answer) == again
        assert told.reactions == ["eyes", "confused"]
        assert told.row["state"] == "failed"
        assert said in told.row["error"]

    @pytest.mark.parametrize(
        "fault", [server_error(503), dropped(), rate_limited(1), empty(), cut("Gr", drop=True)]
    )
    def test_for_a_moment_is_asked_again(self, scene: Scene, fault: Fault) -> None:
        scene.model_says(fault, LOUDER, fault, CONFIDENT)
        assert "HELLO" in scene.tell("/tinygen Louder.").diff

    def test_to_take_so_many_tokens_is_shown_less(self, scene: Scene) -> None:
        scene.model_says(too_long(), LOUDER, CONFIDENT)
        assert "HELLO" in scene.tell("/tinygen Louder.").diff

    def test_to_take_even_less_ends_the_job_with_the_reason(self, scene: Scene) -> None:
        scene.model_says(too_long(), too_long())
        told = scene.tell("/tinygen Louder.")
        assert (told.state, "TINYGEN_CONTEXT_TOKENS" in told.answer or "tokens" in told.answer) == (
            "failed",
            True,
        )

    def test_at_its_review_leaves_the_change_and_says_so(self, scene: Scene) -> None:
        scene.model_says(LOUDER, *[server_error()] * TOO_MANY)
        told = scene.tell("/tinygen Louder.")
        assert "HELLO" in told.diff
        assert "Reflection ended early" in told.answer

    def test_that_refuses_is_quoted_as_its_reason(self, scene: Scene) -> None:
        scene.model_says("I cannot help with this request.")
        told = scene.tell("/tinygen Louder.")
        assert "I cannot help with this request." in told.answer
        assert fences(told.answer) == []


class TestEditsThatDoNotMatch:
    WRONG = block("greet.py", '    return "Hi, " + name + "!"\n', LOUD_HELLO)

    def test_are_sent_back_with_the_nearest_lines(self, scene: Scene) -> None:
        scene.model_says(draft(self.WRONG), block("greet.py", HELLO, LOUD_HELLO), CONFIDENT)
        assert "HELLO" in scene.tell("/tinygen Louder.").diff
        assert HELLO.strip() in scene.asked[1].rpartition('"Hi, "')[2]

    def test_are_alone_asked_for_again(self, scene: Scene) -> None:
        good = block("greet.py", BYE, LOUD_BYE)
        scene.model_says(draft(self.WRONG, good), block("greet.py", HELLO, LOUD_HELLO), CONFIDENT)
        told = scene.tell("/tinygen Louder.")
        assert "BYE" in told.diff
        assert "HELLO" in told.diff
        assert "must not be sent again" in scene.asked[1]

    def test_end_the_job_where_they_never_do(self, scene: Scene) -> None:
        scene.model_says(*[draft(self.WRONG)] * 2)
        told = scene.tell("/tinygen Louder.")
        assert told.state == "failed"
        assert "did not match" in told.answer
        assert told.row["model_calls"] == 2

    def test_are_named_where_others_did(self, scene: Scene) -> None:
        other = block("more.py", "", "MORE = 1\n")
        scene.model_says(draft(self.WRONG, other), draft(self.WRONG), draft(self.WRONG), CONFIDENT)
        told = scene.tell("/tinygen Louder.")
        assert "MORE" in told.diff
        assert "did not match" in told.answer
        assert "`greet.py`" in told.answer


def test_a_reply_that_was_cut_off_goes_on(scene: Scene) -> None:
    scene.model_says(
        ended_by(
            "length",
            draft(block("greet.py", HELLO, LOUD_HELLO), "more.py\n<<<<<<< SEARCH\n=======\nMO"),
        ),
        block("more.py", "", "MORE = 1\n"),
        CONFIDENT,
    )
    told = scene.tell("/tinygen Louder, and more.")
    assert "cut off" in scene.asked[1]
    assert "+MORE = 1" in told.diff
    assert "HELLO" in told.diff


def test_a_request_for_more_is_answered(scene: Scene) -> None:
    scene.model_says(
        "```request\nread greet.py:1-5\nsearch def \\w+\nlist .\n```\n", LOUDER, CONFIDENT
    )
    told = scene.tell("/tinygen Louder.")
    answered = scene.asked[1].rpartition("```request")[2]
    assert '"""Greets people."""' in answered
    assert "def farewell" in answered
    assert "README.md" in answered
    assert "HELLO" in told.diff


def test_the_log_of_a_file_is_fetched_and_shown(scene: Scene) -> None:
    scene.repo.git.commit({"notes.txt": b"one\n"}, branch="main")
    scene.repo.git.commit({"notes.txt": b"one\ntwo\n"}, branch="main")
    scene.model_says("```request\nlog notes.txt:2\nlog greet.py\n```\n", LOUDER, CONFIDENT)
    told = scene.tell("/tinygen Louder.")
    answered = scene.asked[1].rpartition("```request")[2]
    assert "log notes.txt:2-2: 1 of the last 20 commits of the file" in answered
    assert "@@ -1,0 +2 @@" in answered
    assert "+two" in answered
    assert "HELLO" in told.diff


def test_requests_come_to_an_end(scene: Scene) -> None:
    scene.model_says(*["```request\nread greet.py\n```\n"] * 10)
    told = scene.tell("/tinygen Louder.")
    assert len(scene.asked) < 10
    assert told.state == "failed"
    assert "ever more" in told.answer


@pytest.mark.parametrize(
    "path",
    [
        "../outside.py",
        "/etc/passwd",
        ".git/config",
        "src/.git/hooks/post-commit",
        ".GIT/config",
        "a/../../b.py",
        "C:\\x",
    ],
)
def test_an_unsafe_path_is_refused(scene: Scene, path: str) -> None:
    scene.model_says(*[draft(block(path, "", "x\n"))] * 3)
    told = scene.tell("/tinygen --pr Louder.")
    assert told.state == "failed"
    assert not scene.repo.pulls


def test_an_edit_through_a_symlink_is_refused(scene: Scene) -> None:
    scene.repo.git.commit(
        {"link": b"/etc", "here.py": b"greet.py"},
        branch="main",
        modes={"link": "120000", "here.py": "120000"},
    )
    scene.model_says(
        draft(block("link/passwd", "", "x\n"), block("here.py", HELLO, LOUD_HELLO)), *[draft()] * 2
    )
    told = scene.tell("/tinygen Louder.")
    assert fences(told.answer) == []
    for path, link in (("link/passwd", "link"), ("here.py", "here.py")):
        assert f"{path} is, or leads through, {link}: a symlink" in scene.asked[1]


class TestLimits:
    def test_of_calls_leave_what_there_is(self, set_scene: SetScene) -> None:
        scene = set_scene(settings={"TINYGEN_MAX_CALLS": "1"})
        told = scene.tell("/tinygen Louder.")
        assert "HELLO" in told.diff
        assert "Reflection ended early" in told.answer
        assert "1 model calls" in told.answer or "limit" in told.answer

    def test_of_calls_end_a_job_that_has_nothing(self, set_scene: SetScene) -> None:
        scene = set_scene(settings={"TINYGEN_MAX_CALLS": "1"})
        scene.model_says(draft(TestEditsThatDoNotMatch.WRONG))
        told = scene.tell("/tinygen Louder.")
        assert told.state == "failed"
        assert "TINYGEN_MAX_CALLS" in told.answer

    def test_of_tokens_leave_what_there_is(self, set_scene: SetScene) -> None:
        scene = set_scene(settings={"TINYGEN_MAX_TOKENS": "10"})
        told = scene.tell("/tinygen Louder.")
        assert "HELLO" in told.diff
        assert "Reflection ended early" in told.answer

    def test_of_seconds_for_a_call_end_the_job(self, set_scene: SetScene) -> None:
        scene = set_scene(settings={"TINYGEN_CALL_SECONDS": "1"})
        scene.model_says(hang(60))
        told = scene.tell("/tinygen Louder.")
        assert told.state == "failed"
        assert "did not answer within 1 seconds" in told.answer

    def test_of_seconds_for_a_job_end_it(self, set_scene: SetScene) -> None:
        scene = set_scene(settings={"TINYGEN_JOB_SECONDS": "1"})
        scene.model_says(hang(60))
        assert scene.tell("/tinygen Louder.").state == "failed"

    @pytest.mark.parametrize("limit", [0, 1])
    def test_of_revisions_end_with_a_review_that_only_reports(
        self, set_scene: SetScene, limit: int
    ) -> None:
        scene = set_scene(settings={"TINYGEN_MAX_REVISIONS": str(limit)})
        found = fault("greet()", "greet.py:5", "it is too long")
        shorter = LOUD_HELLO.replace("HELLO", "HEY")
        longer = LOUD_HELLO.replace("HELLO", "HEYHEY")

        def choose(messages: Messages) -> str:
            return choice(str(messages[-1]["content"]), shorter)

        first = f"[REVISION NEEDED]\n{found}\n{block('greet.py', LOUD_HELLO, shorter)}"
        second = f"[REVISION NEEDED]\n{found}\n{block('greet.py', shorter, longer)}"
        if limit:
            scene.model_says(LOUDER, first, choose, second)
        else:
            scene.model_says(LOUDER, first)
        told = scene.tell("/tinygen Louder.")
        assert f'+    return "{"HEY" if limit else "HELLO"}, "' in told.diff
        assert "still there, at greet.py:5: it is too long" in told.answer
        assert "TINYGEN_MAX_REVISIONS" in told.answer


def test_calls_tokens_and_model_are_in_the_row(scene: Scene) -> None:
    row = scene.tell("/tinygen Louder.").row
    assert (row["model"], row["model_calls"]) == ("double-1", 2)
    assert row["prompt_tokens"] > row["completion_tokens"] > 0


def test_the_generation_request_holds_no_verdict_and_the_reflection_both(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    generation, reflection = scene.asked
    for token in ("[CONFIDENT]", "[REVISION NEEDED]"):
        assert token not in generation
        assert token in reflection
    assert "Louder." in reflection
    assert '+    return "HELLO, "' in reflection
    assert [request.messages[0]["role"] for request in scene.model.requests] == ["system", "system"]
    assert GREET.splitlines()[4] in reflection


MUCH = {
    f"parts/part_{number}.py": "".join(
        f"def part_{number}_{each}(name: str) -> str:\n" + "    name = name.strip()\n" * 30 + "\n\n"
        for each in range(10)
    ).encode()
    for number in range(12)
}


class TestAChoiceFromMuchCode:
    def test_is_asked_of_a_model_of_its_own_and_told(self, set_scene: SetScene) -> None:
        scene = set_scene(files={**FILES, **MUCH}, settings={"TINYGEN_SCOUT_MODEL": "small"})
        scene.model_says("```request\nread greet.py def greet\n```", LOUDER, CONFIDENT)
        told = scene.tell("/tinygen Greet louder, whatever the name of the part.")
        models = [request.body["model"] for request in scene.model.requests]
        assert models[0] == "small"
        assert "small" not in models[1:]
        assert "HELLO" in told.diff
        assert "`greet.py` 1–7: the model asked for it" in told.answer
        assert told.report.usage.calls == 3

    def test_that_cannot_be_made_is_done_without(self, set_scene: SetScene) -> None:
        scene = set_scene(files={**FILES, **MUCH}, settings={"TINYGEN_SCOUT_MODEL": "small"})
        scene.model_says(no_such_model(), LOUDER, CONFIDENT)
        told = scene.tell("/tinygen Greet louder, whatever the name of the part.")
        assert "HELLO" in told.diff
        assert "did not choose what it was shown" in told.answer
