"""What becomes of a job when the model's server fails: each ends in its own way, and none is paid
twice."""

from __future__ import annotations

import pytest

from tests.doubles.model import (
    Fault,
    bad_key,
    cut,
    dropped,
    empty,
    ended_by,
    error_in_200,
    html,
    no_such_model,
    not_json,
    out_of_quota,
    rate_limited,
    server_error,
    too_long,
    unfinished,
)
from tests.scene import CONFIDENT, LOUDER, Scene

TOO_MANY = 6


class TestWhatWillNotPass:
    ONCE = (
        ("quota", out_of_quota(), "no credit left"),
        ("key", bad_key(), "does not accept the API key"),
        ("model", no_such_model(), "knows no model"),
        ("web page", html(), "web page"),
        ("filter", ended_by("content_filter", ""), "content filter"),
    )

    @pytest.mark.parametrize(
        ("fault", "said"), [case[1:] for case in ONCE], ids=[case[0] for case in ONCE]
    )
    def test_is_asked_once_and_told(self, scene: Scene, fault: Fault, said: str) -> None:
        scene.model_says(fault)
        told = scene.tell("/tinygen Louder.")
        assert (told.state, len(scene.asked)) == ("failed", 1)
        assert said in told.answer
        assert said in told.row["error"]

    def test_no_two_failures_end_alike(self, scene: Scene) -> None:
        endings = set()
        faults = (*[case[1] for case in self.ONCE], server_error(), empty(), too_long())
        for fault in faults:
            scene.model_says(*[fault] * TOO_MANY)
            endings.add(scene.tell("/tinygen Louder.").row["error"])
        assert len(endings) == len(faults)


class TestWhatMayPass:
    @pytest.mark.parametrize(
        "fault",
        [rate_limited(2), server_error(502), dropped(), error_in_200(), not_json(), empty()],
    )
    def test_is_asked_again_and_nobody_sees_it(self, scene: Scene, fault: Fault) -> None:
        scene.model_says(fault, LOUDER, CONFIDENT)
        told = scene.tell("/tinygen Louder.")
        assert "HELLO" in told.diff
        assert (told.row["model_calls"], len(scene.asked)) == (2, 3)

    def test_but_only_after_minutes_puts_the_job_off(self, scene: Scene) -> None:
        scene.model_says(rate_limited(600), LOUDER, CONFIDENT)
        told = scene.say("/tinygen Louder.")
        scene.wait(scene.hurry, "the job to be put off")
        assert scene.ended(told).state == "done"
        assert len(scene.asked) == 3

    def test_but_not_within_the_job_ends_it_with_the_next_step(self, scene: Scene) -> None:
        scene.model_says(rate_limited(7200))
        told = scene.tell("/tinygen Louder.")
        assert (told.state, len(scene.asked)) == ("failed", 1)
        assert "/tinygen retry" in told.answer


class TestAReplyThatIsCut:
    @pytest.mark.parametrize(
        "fault",
        [cut(LOUDER, after=4), cut(LOUDER, after=4, drop=True), ended_by("length", LOUDER[:60])],
    )
    def test_is_said_to_be_and_goes_on(self, scene: Scene, fault: Fault) -> None:
        scene.model_says(fault, LOUDER, CONFIDENT)
        told = scene.tell("/tinygen Louder.")
        assert "cut off" in scene.asked[1]
        assert told.diff.count("HELLO") == 1

    def test_at_its_very_end_loses_nothing(self, scene: Scene) -> None:
        scene.model_says(unfinished(LOUDER), LOUDER, CONFIDENT)
        assert scene.tell("/tinygen Louder.").diff.count("HELLO") == 1

    def test_time_and_again_ends_the_job_in_words(self, scene: Scene) -> None:
        scene.model_says(*[ended_by("length", LOUDER[:60])] * TOO_MANY)
        told = scene.tell("/tinygen Louder.")
        assert told.state == "failed"
        assert len(scene.asked) == 3


class TestTooLong:
    def test_is_shown_less_once(self, scene: Scene) -> None:
        scene.repo.git.commit(
            {f"f{n}.py": b"def greet_louder():\n    pass\n" * 400 for n in range(9)}, branch="main"
        )
        scene.model_says(too_long(), LOUDER, CONFIDENT)
        assert "HELLO" in scene.tell("/tinygen Louder greet.").diff
        assert len(scene.asked[1]) < 0.8 * len(scene.asked[0])

    def test_twice_ends_with_what_to_do(self, scene: Scene) -> None:
        scene.model_says(too_long(), too_long())
        told = scene.tell("/tinygen Louder.")
        assert told.state == "failed"
        assert "TINYGEN_CONTEXT_TOKENS" in told.answer

    def test_at_the_review_leaves_the_change(self, scene: Scene) -> None:
        scene.model_says(LOUDER, too_long())
        told = scene.tell("/tinygen Louder.")
        assert "HELLO" in told.diff
        assert "Reflection ended early" in told.answer
