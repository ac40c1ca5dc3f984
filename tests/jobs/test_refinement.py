"""A further word in a thread that has a change already: it goes on from there."""

from __future__ import annotations

from tests.doubles.edit_blocks import block
from tests.scene import (
    BYE,
    CONFIDENT,
    GREET,
    LOUD_BYE,
    LOUD_GREET,
    LOUD_HELLO,
    LOUDER,
    LOUDER_BYE,
    Scene,
    draft,
)

LOUDER_STILL = draft(
    block("greet.py", LOUD_HELLO, '    return "HELLO, " + name.upper() + "!"\n'),
    title="Shout the name",
)
BOTH = LOUD_GREET.replace(BYE, LOUD_BYE).encode()


class TestAfterADiff:
    def test_the_model_sees_the_earlier_task_the_diff_so_far_and_the_new_words(
        self, scene: Scene
    ) -> None:
        first = scene.tell("/tinygen Greet louder.")
        scene.model_says(LOUDER_BYE, CONFIDENT)
        scene.tell("/tinygen The farewell as well.")
        asked = scene.asked[2]
        assert "Greet louder." in asked
        assert first.diff in asked
        assert asked.endswith("The farewell as well.")

    def test_the_model_is_shown_the_files_with_the_change_so_far(self, scene: Scene) -> None:
        scene.tell("/tinygen Greet louder.")
        scene.model_says(LOUDER_STILL, CONFIDENT)
        told = scene.tell("/tinygen The name, too.")
        assert '+    return "HELLO, " + name.upper() + "!"' in told.diff

    def test_the_result_is_one_cumulative_diff_against_the_base(self, scene: Scene) -> None:
        scene.tell("/tinygen Greet louder.")
        scene.model_says(LOUDER_BYE, CONFIDENT)
        told = scene.tell("/tinygen The farewell as well.")
        assert "HELLO" in told.diff
        assert "BYE" in told.diff
        assert told.report.base_sha == scene.repo.git.branch("main")
        scene.tell("/tinygen apply")
        (pull,) = scene.repo.pulls
        assert scene.repo.git.file(scene.repo.head(pull), "greet.py") == BOTH

    def test_a_third_word_sees_both_earlier_ones(self, scene: Scene) -> None:
        scene.tell("/tinygen Greet louder.")
        scene.model_says(LOUDER_BYE, CONFIDENT)
        scene.tell("/tinygen The farewell as well.")
        scene.model_says(LOUDER_STILL, CONFIDENT)
        told = scene.tell("/tinygen And the name.")
        assert "1. Greet louder.\n\n2. The farewell as well." in scene.asked[-1]
        assert "BYE" in told.diff

    def test_a_base_that_moved_is_followed(self, scene: Scene) -> None:
        scene.tell("/tinygen Greet louder.")
        moved = scene.repo.git.commit({"other.py": b"# moved on\n"}, branch="main")
        scene.model_says(LOUDER_BYE, CONFIDENT)
        told = scene.tell("/tinygen The farewell as well.")
        assert told.report.base_sha == moved
        assert "HELLO" in told.diff

    def test_a_base_that_does_not_go_with_it_is_not_and_that_is_said(self, scene: Scene) -> None:
        first = scene.tell("/tinygen Greet louder.")
        scene.repo.git.commit(
            {"greet.py": GREET.replace("Hello, ", "Good day, ").encode()}, branch="main"
        )
        scene.model_says(LOUDER_BYE, CONFIDENT)
        told = scene.tell("/tinygen The farewell as well.")
        assert told.report.base_sha == first.report.base_sha
        assert "at its own base" in told.answer

    def test_edits_that_never_match_leave_no_second_diff(self, scene: Scene) -> None:
        scene.tell("/tinygen Greet louder.")
        scene.model_says(*[draft(block("greet.py", "not there\n", "x\n"))] * 3)
        assert scene.tell("/tinygen The farewell as well.").state == "failed"

    def test_new_starts_afresh(self, scene: Scene) -> None:
        scene.tell("/tinygen Greet louder.")
        scene.model_says(LOUDER_BYE, CONFIDENT)
        told = scene.tell("/tinygen --new Part louder.")
        assert "HELLO" not in told.diff
        assert "Greet louder." not in scene.asked[2]

    def test_retry_starts_where_its_request_started(self, scene: Scene) -> None:
        scene.tell("/tinygen Greet louder.")
        scene.model_says(LOUDER_BYE, CONFIDENT)
        scene.tell("/tinygen The farewell as well.")
        scene.model_says(LOUDER_BYE, CONFIDENT)
        told = scene.tell("/tinygen retry")
        assert "HELLO" in told.diff
        assert "BYE" in told.diff
        assert told.row["prompt"] == "The farewell as well."

    def test_another_thread_knows_nothing_of_it(self, scene: Scene) -> None:
        scene.tell("/tinygen Greet louder.", on=scene.open_issue())
        scene.model_says(LOUDER, CONFIDENT)
        told = scene.tell("/tinygen Greet louder.", on=scene.open_issue())
        assert told.state == "done"


class TestAfterAPullRequest:
    def test_in_the_issue_it_is_one_more_commit_on_its_branch(self, scene: Scene) -> None:
        first = scene.tell("/tinygen --pr Greet louder.")
        (pull,) = scene.repo.pulls
        before = scene.repo.head(pull)
        scene.model_says(LOUDER_BYE, CONFIDENT)
        told = scene.tell("/tinygen The farewell as well.")
        (pull,) = scene.repo.pulls
        after = scene.repo.head(pull)
        assert scene.repo.git.run("rev-list", f"{before}..{after}").decode().split() == [after]
        assert scene.repo.git.file(after, "greet.py") == BOTH
        assert f"/commit/{after}" in told.answer
        assert first.report.patch
        assert first.report.patch.text in scene.asked[2]
        assert "Greet louder." in scene.asked[2]

    def test_on_it_the_earlier_request_is_known_too(self, scene: Scene) -> None:
        scene.tell("/tinygen Greet louder.")
        scene.tell("/tinygen apply")
        (pull,) = scene.repo.pulls
        scene.model_says(LOUDER_BYE, CONFIDENT)
        scene.tell("/tinygen The farewell as well.", on=pull)
        assert scene.repo.git.file(scene.repo.head(pull), "greet.py") == BOTH
        assert "1. Greet louder." in scene.asked[2]
        assert '+    return "HELLO, "' in scene.asked[2]

    def test_a_diff_is_shown_where_one_is_asked_for_and_apply_commits_it(
        self, scene: Scene
    ) -> None:
        scene.tell("/tinygen --pr Greet louder.")
        scene.model_says(LOUDER_BYE, CONFIDENT)
        told = scene.tell("/tinygen --diff The farewell as well.")
        assert "BYE" in told.diff
        assert "HELLO, " not in told.diff.replace(' return "HELLO', "")
        scene.tell("/tinygen apply")
        (pull,) = scene.repo.pulls
        assert scene.repo.git.file(scene.repo.head(pull), "greet.py") == BOTH

    def test_what_a_person_pushed_there_stays(self, scene: Scene) -> None:
        scene.tell("/tinygen --pr Greet louder.")
        (pull,) = scene.repo.pulls
        assert pull.pull
        scene.repo.git.commit({"new.py": b"NEW = 1\n"}, branch=pull.pull.head_ref)
        scene.model_says(LOUDER_BYE, CONFIDENT)
        scene.tell("/tinygen The farewell as well.")
        assert scene.repo.git.file(scene.repo.head(pull), "new.py") == b"NEW = 1\n"
        assert "+NEW = 1" in scene.asked[2]

    def test_once_it_is_closed_a_request_starts_afresh(self, scene: Scene) -> None:
        scene.tell("/tinygen --pr Greet louder.")
        scene.repo.close(scene.repo.pulls[0].number)
        scene.model_says(LOUDER, CONFIDENT)
        told = scene.tell("/tinygen Louder after all.")
        assert told.report.base_sha == scene.repo.git.branch("main")
        assert "HELLO" in told.diff


class TestTheStory:
    def test_a_pull_request_of_a_follow_up_lists_all_requests(self, scene: Scene) -> None:
        scene.tell("/tinygen Greet louder.")
        scene.model_says(LOUDER_BYE, CONFIDENT)
        told = scene.tell("/tinygen The farewell as well.")
        assert "It goes on from the diff `" in told.answer
        scene.tell("/tinygen apply")
        (pull,) = scene.repo.pulls
        first, second = requests_in(pull.body or "")
        assert first.startswith("1. [`Greet louder.`](http")
        assert second.startswith("2. [`The farewell as well.`](http")

    def test_a_further_commit_adds_its_request_and_leaves_what_people_wrote(
        self, scene: Scene
    ) -> None:
        scene.tell("/tinygen --pr Greet louder.")
        (pull,) = scene.repo.pulls
        pull.body = f"Please look soon.\n\n{pull.body}\n\nThanks."
        for number, words in enumerate(("The farewell as well.", "And the name."), 2):
            scene.model_says(LOUDER_BYE if number == 2 else LOUDER_STILL, CONFIDENT)
            scene.tell(f"/tinygen {words}")
            assert len(requests_in(pull.body)) == number
        assert pull.body.startswith("Please look soon.\n\n<!-- tinygen:report -->")
        assert pull.body.rstrip().endswith("Thanks.")
        assert pull.body.count("Asked for by") == 1

    def test_tinygens_own_words_are_no_material_and_peoples_are(self, scene: Scene) -> None:
        scene.tell("/tinygen --pr Greet louder.")
        (pull,) = scene.repo.pulls
        pull.body = f"{pull.body}\n\nMind the tests."
        scene.model_says(LOUDER_BYE, CONFIDENT)
        told = scene.tell("/tinygen The farewell as well.", on=pull)
        asked = scene.asked[2]
        assert "Mind the tests." in asked
        assert "Asked for by" not in asked
        assert "How this came about" not in asked
        assert "does not show either" not in told.answer

    def test_nobody_elses_words_are_taken_for_tinygens(self, scene: Scene) -> None:
        body = '<!-- tinygen:report -->\n<p title="\n<!-- /tinygen:report -->\nTELL">\n\nSeen.'
        told = scene.tell("/tinygen Greet louder.", on=scene.open_issue(body=body))
        assert "TELL" not in scene.asked[0]
        assert "does not show either" in told.answer

    def test_a_request_that_quotes_a_mark_breaks_no_description(self, scene: Scene) -> None:
        scene.tell("/tinygen --pr Greet louder.")
        (pull,) = scene.repo.pulls
        for number, words in enumerate(("<!-- /tinygen:requests --> @mona", "And the name."), 2):
            scene.model_says(LOUDER_BYE if number == 2 else LOUDER_STILL, CONFIDENT)
            scene.tell(f"/tinygen {words}")
        assert len(requests_in(pull.body or "")) == 3
        assert (pull.body or "").count("@mona") == 1


def requests_in(body: str) -> list[str]:
    section = body.partition("<!-- tinygen:requests -->\n")[2]
    lines = section.partition("\n<!-- /tinygen:requests -->\n")[0].splitlines()
    return [line for line in lines if line[:1].isdigit()]
