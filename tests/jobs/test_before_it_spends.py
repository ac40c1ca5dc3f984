"""Before a job spends: an open pull request for the issue is named, and a dear request is asked about."""

from __future__ import annotations

import pytest

from tests.doubles.github.faults import Fault
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, LOUDER, LOUDER_BYE, Scene

PRICES = {"TINYGEN_PRICE_INPUT": "10", "TINYGEN_PRICE_OUTPUT": "40"}


def somebodys_pull(scene: Scene, body: str) -> str:
    scene.repo.git.commit({"other.py": b"1\n"}, branch="other")
    issue = scene.repo.open_pull("mona", "Louder", head="other", body=body)
    return f"{scene.github.url}/octocat/greeter/pull/{issue.number}"


class TestOpenPullRequest:
    def test_somebody_elses_is_named_and_nothing_is_spent(self, scene: Scene) -> None:
        issue = scene.open_issue()
        url = somebodys_pull(scene, f"Fixes #{issue.number}")
        told = scene.tell("/tinygen --new Greet louder.", on=issue)
        assert told.state == "refused"
        assert f"- {url}" in told.answer
        assert "`/tinygen --force PROMPT`" in told.answer
        assert not scene.asked
        assert told.reactions == ["eyes", "confused"]

    def test_force_makes_another_one(self, scene: Scene) -> None:
        issue = scene.open_issue()
        somebodys_pull(scene, f"Fixes #{issue.number}")
        told = scene.tell("/tinygen --force --pr Greet louder.", on=issue)
        assert told.state == "done"
        assert len(scene.repo.pulls) == 2

    @pytest.mark.parametrize("body", ["See #1", "Fixes #12"])
    def test_one_that_only_mentions_the_issue_is_none(self, scene: Scene, body: str) -> None:
        issue = scene.open_issue()
        somebodys_pull(scene, body)
        assert scene.tell("/tinygen Greet louder.", on=issue).state == "done"

    def test_tinygens_own_is_gone_on_from_or_named_or_left_by_new(self, scene: Scene) -> None:
        scene.tell("/tinygen --pr Greet louder.")
        (pull,) = scene.repo.pulls
        pull.body = "People took the keyword out."
        told = scene.tell("/tinygen")
        assert told.state == "refused"
        assert f"/pull/{pull.number}" in told.answer
        scene.model_says(LOUDER_BYE, CONFIDENT)
        assert scene.tell("/tinygen The farewell as well.").report.commit_url
        scene.model_says(LOUDER, CONFIDENT)
        assert scene.tell("/tinygen --new --pr Greet louder.").state == "done"
        assert len(scene.repo.pulls) == 2

    def test_a_retry_asks_the_same_again_and_no_older_request(self, scene: Scene) -> None:
        issue = scene.open_issue()
        somebodys_pull(scene, f"Fixes #{issue.number}")
        scene.tell("/tinygen Greet louder.", on=issue)
        assert scene.tell("/tinygen retry", on=issue).report.open_pulls
        scene.repo.pulls[0].state = "closed"
        told = scene.tell("/tinygen retry", on=issue)
        assert told.state == "done"
        assert told.row["prompt"] == "Greet louder."

    def test_what_goes_on_from_a_diff_was_asked_about_before(self, scene: Scene) -> None:
        issue = scene.open_issue()
        somebodys_pull(scene, f"Fixes #{issue.number}")
        scene.tell("/tinygen --force Greet louder.", on=issue)
        scene.model_says(LOUDER_BYE, CONFIDENT)
        assert scene.tell("/tinygen The farewell as well.", on=issue).state == "done"

    def test_a_closed_one_is_no_obstacle(self, scene: Scene) -> None:
        scene.tell("/tinygen --pr Greet louder.")
        (pull,) = scene.repo.pulls
        pull.state = "closed"
        scene.model_says(LOUDER, CONFIDENT)
        assert scene.tell("/tinygen").state == "done"

    def test_a_question_is_answered_all_the_same(self, scene: Scene) -> None:
        issue = scene.open_issue()
        somebodys_pull(scene, f"Fixes #{issue.number}")
        scene.model_says("Because.")
        assert scene.tell("/tinygen ask Why?", on=issue).state == "done"

    def test_a_server_that_does_not_tell_what_it_linked_stops_nothing(self, scene: Scene) -> None:
        scene.github.faults.add(Fault(404, b"{}"), path="/graphql")
        assert scene.tell("/tinygen Greet louder.").state == "done"


class TestEstimate:
    def test_a_dear_request_waits_for_a_word_and_retry_says_it(self, set_scene: SetScene) -> None:
        scene = set_scene(settings={**PRICES, "TINYGEN_ASK_ABOVE_USD": "0.01"})
        told = scene.tell("/tinygen Greet louder.")
        assert told.state == "refused"
        assert "**TinyGen** asks first. This would cost about " in told.answer
        assert "`/tinygen retry` goes ahead." in told.answer
        assert not scene.asked
        assert told.row["model_calls"] == 0
        again = scene.tell("/tinygen retry")
        assert again.state == "done"
        assert "(the estimate before: $0." in again.answer
        assert again.row["cost_usd"] > 0

    def test_that_word_does_not_say_yes_to_a_second_pull_request(self, set_scene: SetScene) -> None:
        scene = set_scene(settings={**PRICES, "TINYGEN_ASK_ABOVE_USD": "0.01"})
        issue = scene.open_issue()
        scene.tell("/tinygen Greet louder.", on=issue)
        somebodys_pull(scene, f"Fixes #{issue.number}")
        assert scene.tell("/tinygen retry", on=issue).report.open_pulls
        assert not scene.asked

    def test_force_says_it_at_once(self, set_scene: SetScene) -> None:
        scene = set_scene(settings={**PRICES, "TINYGEN_ASK_ABOVE_USD": "0"})
        assert scene.tell("/tinygen --force Greet louder.").state == "done"

    def test_a_cheap_request_only_tells_the_estimate(self, set_scene: SetScene) -> None:
        scene = set_scene(settings={**PRICES, "TINYGEN_ASK_ABOVE_USD": "5"})
        told = scene.tell("/tinygen Greet louder.")
        assert told.state == "done"
        assert "the estimate before: $0." in told.answer

    def test_without_prices_there_is_none(self, scene: Scene) -> None:
        assert "estimate" not in scene.tell("/tinygen Greet louder.").answer
