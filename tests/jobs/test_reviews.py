"""Commands in review comments, on the lines of a pull request."""

from __future__ import annotations

import pytest

from tests.doubles.edit_blocks import block
from tests.doubles.github.faults import Fault
from tests.doubles.github.state import Issue
from tests.jobs.conftest import SetScene
from tests.scene import (
    BYE,
    CONFIDENT,
    GREET,
    HELLO,
    LOUD_BYE,
    LOUD_GREET,
    LOUD_HELLO,
    LOUDER,
    LOUDER_BYE,
    REPO,
    Scene,
    draft,
)

HELLO_LINE, BYE_LINE = 5, 9
BOTH = draft(block("greet.py", HELLO, LOUD_HELLO), block("greet.py", BYE, LOUD_BYE))


def pull_of_greet(scene: Scene, *, fork: bool = False) -> Issue:
    """A pull request that brings the two greetings."""
    scene.repo.git.commit({"greet.py": b'"""Greets people."""\n'}, branch="main")
    source = scene.github.fork(scene.repo, "mona") if fork else scene.repo
    source.git.commit({"greet.py": GREET.encode()}, branch="topic")
    return scene.repo.open_pull("octocat", "Greet", head="mona:topic" if fork else "topic")


class TestOnALine:
    def test_the_model_gets_the_file_the_hunk_and_the_lines(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        scene.remark("/tinygen Louder.", on=pull, line=HELLO_LINE, start_line=4)
        assert '+    return "Hello, " + name + "!"\n</material-' in scene.asked[0]
        assert "In greet.py, lines 4 to 5:\n\nLouder." in scene.asked[0]

    def test_the_answer_goes_into_its_thread(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        told = scene.remark("/tinygen Louder.", on=pull, line=HELLO_LINE)
        assert told.answer.startswith(f"<!-- tinygen:job={told.job} state=done -->")
        assert told.reactions == ["eyes", "rocket"]
        assert scene.bot_comments(pull.number) == []
        assert told.row["source"] == "review_comment"

    def test_a_small_change_inside_the_lines_is_a_suggestion(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        head = scene.repo.head(pull)
        told = scene.remark("/tinygen Louder.", on=pull, line=HELLO_LINE)
        assert '```suggestion\n    return "HELLO, " + name + "!"\n```' in told.answer
        assert "```diff" not in told.answer
        assert "“Commit suggestion” takes it" in told.answer
        assert "- `greet.py` 1–9: the lines commented on" in told.answer
        assert scene.repo.head(pull) == head

    def test_a_change_beyond_the_lines_is_a_commit_on_the_branch(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        before = scene.repo.head(pull)
        told = scene.remark("/tinygen Louder.", on=pull, line=BYE_LINE)
        after = scene.repo.head(pull)
        assert scene.repo.git.run("rev-list", f"{before}..{after}").decode().split() == [after]
        assert scene.repo.git.file(after, "greet.py") == LOUD_GREET.encode()
        assert f"{scene.github.url}/{REPO}/commit/{after}" in told.answer

    @pytest.mark.parametrize(
        ("words", "settings"), [("--pr Louder.", {}), ("Louder.", {"TINYGEN_MODE": "pr"})]
    )
    def test_a_commit_that_was_asked_for_is_one(
        self, set_scene: SetScene, words: str, settings: dict[str, str]
    ) -> None:
        scene = set_scene(settings=settings)
        pull = pull_of_greet(scene)
        told = scene.remark(f"/tinygen {words}", on=pull, line=HELLO_LINE)
        assert f"/commit/{scene.repo.head(pull)}" in told.answer
        assert "```suggestion" not in told.answer

    def test_a_diff_that_was_asked_for_is_one(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        head = scene.repo.head(pull)
        assert "HELLO" in scene.remark("/tinygen --diff Louder.", on=pull, line=BYE_LINE).diff
        assert scene.repo.head(pull) == head

    def test_apply_in_the_thread_commits_the_suggestion(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        told = scene.remark("/tinygen Louder.", on=pull, line=HELLO_LINE)
        scene.remark("/tinygen apply", on=pull, line=HELLO_LINE, reply_to=told.comment)
        assert scene.repo.git.file(scene.repo.head(pull), "greet.py") == LOUD_GREET.encode()

    def test_a_reply_is_answered_in_the_same_thread_and_goes_on(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        told = scene.remark("/tinygen Louder.", on=pull, line=HELLO_LINE)
        more = block("greet.py", LOUD_HELLO, HELLO.replace("Hello", "HEY"))
        scene.model_says(draft(more), CONFIDENT)
        again = scene.remark("/tinygen Shorter.", on=pull, line=HELLO_LINE, reply_to=told.comment)
        assert len(scene.said_on_line(told.comment.id)) == 2
        assert '```suggestion\n    return "HEY, "' in again.answer
        assert "1. Louder." in scene.asked[2]

    def test_another_thread_of_the_pull_request_starts_afresh(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        scene.remark("/tinygen Louder.", on=pull, line=HELLO_LINE)
        scene.model_says(LOUDER_BYE, CONFIDENT)
        told = scene.remark("/tinygen Louder.", on=pull, line=BYE_LINE)
        assert "```suggestion" in told.answer
        assert "HELLO" not in told.answer

    def test_a_branch_that_moves_meanwhile_is_followed_never_forced(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)

        def move(_messages: object) -> str:
            scene.repo.git.commit({"new.py": b"NEW = 2\n"}, branch="topic")
            return CONFIDENT

        scene.model_says(LOUDER, move)
        told = scene.remark("/tinygen --pr Louder.", on=pull, line=HELLO_LINE)
        assert told.state == "done"
        assert scene.repo.git.file(scene.repo.head(pull), "new.py") == b"NEW = 2\n"
        assert scene.repo.git.file(scene.repo.head(pull), "greet.py") == LOUD_GREET.encode()

    def test_a_stranger_is_refused_in_the_thread(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        told = scene.remark("/tinygen Louder.", on=pull, line=HELLO_LINE, who="mallory")
        assert (told.state, told.reactions) == ("refused", ["confused"])
        assert "`write`" in told.answer

    def test_on_a_forks_branch_it_is_a_suggestion_however_asked(self, scene: Scene) -> None:
        pull = pull_of_greet(scene, fork=True)
        told = scene.remark("/tinygen --pr Louder.", on=pull, line=HELLO_LINE)
        assert "```suggestion" in told.answer

    def test_on_a_forks_branch_beyond_the_lines_it_is_a_diff(self, scene: Scene) -> None:
        pull = pull_of_greet(scene, fork=True)
        told = scene.remark("/tinygen Louder.", on=pull, line=BYE_LINE)
        assert "HELLO" in told.diff
        assert "```suggestion" not in told.answer


class TestOneReview:
    def test_all_its_commands_are_one_run_and_one_commit(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        before = scene.repo.head(pull)
        scene.model_says(BOTH, CONFIDENT)
        first, second = scene.submit(
            ("greet.py", HELLO_LINE, "/tinygen Greet louder."),
            ("greet.py", BYE_LINE, "/tinygen Part louder."),
            on=pull,
        )
        after = scene.repo.head(pull)
        assert scene.repo.git.run("rev-list", f"{before}..{after}").decode().split() == [after]
        assert scene.repo.git.file(after, "greet.py") == LOUD_GREET.replace(BYE, LOUD_BYE).encode()
        assert len(scene.asked) == 2
        assert "line 5:\n\nGreet louder." in scene.asked[0]
        assert "line 9:\n\nPart louder." in scene.asked[0]
        assert f"/commit/{after}" in first.answer
        assert f"/pull/{pull.number}#discussion_r{first.comment.id}" in second.answer
        assert (first.state, second.state) == ("done", "done")

    def test_what_is_no_command_takes_no_part(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        (told,) = scene.submit(
            ("greet.py", HELLO_LINE, "Nice."),
            ("greet.py", HELLO_LINE, "/tinygen Greet louder."),
            on=pull,
        )
        assert "```suggestion" in told.answer
        assert "Nice." not in scene.asked[0].rpartition("# Task")[2]

    def test_retry_does_all_of_it_again(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        scene.model_says(*[draft(block("greet.py", "not there\n", "x\n"))] * 3)
        first, _second = scene.submit(
            ("greet.py", HELLO_LINE, "/tinygen Greet louder."),
            ("greet.py", BYE_LINE, "/tinygen Part louder."),
            on=pull,
        )
        assert first.state == "failed"
        scene.model_says(BOTH, CONFIDENT)
        told = scene.remark("/tinygen retry", on=pull, line=HELLO_LINE, reply_to=first.comment)
        assert told.state == "done"
        assert "Part louder." in scene.asked[-1]


class TestWhatWasSaid:
    """The comments of a review as material, and threads that are settled or outdated."""

    def test_the_thread_above_a_command_on_a_line_is_shown(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        above = scene.repo.review_comment(
            pull.number, "octocat", "Whispers.", path="greet.py", line=HELLO_LINE
        )
        scene.repo.review_comment(
            pull.number, "octocat", "Elsewhere.", path="greet.py", line=BYE_LINE
        )
        scene.remark("/tinygen Mend this.", on=pull, line=HELLO_LINE, reply_to=above)
        assert "octocat wrote on line 5 of greet.py\nWhispers." in scene.asked[0]
        assert "Elsewhere." not in scene.asked[0]

    def test_a_command_in_the_conversation_sees_what_reviews_left_open(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        scene.repo.permissions["mona"] = "write"
        scene.repo.review_comment(
            pull.number, "mona", "Whispers.", path="greet.py", line=HELLO_LINE
        )
        scene.tell("/tinygen Do what the review asks.", on=pull)
        assert "mona wrote on line 5 of greet.py\nWhispers." in scene.asked[0]

    def test_what_is_resolved_is_left_out_and_told(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        first = scene.repo.review_comment(
            pull.number, "octocat", "Whispers.", path="greet.py", line=HELLO_LINE
        )
        scene.repo.review_comment(
            pull.number, "octocat", "Truly.", path="greet.py", line=HELLO_LINE, in_reply_to=first.id
        )
        first.is_resolved = True
        told = scene.tell("/tinygen Do what the review asks.", on=pull)
        assert "Whispers." not in scene.asked[0]
        assert "Truly." not in scene.asked[0]
        assert "Comments in review threads that are resolved that were not shown: 2." in told.answer

    @pytest.mark.parametrize("status", [403, 404, 500])
    def test_where_github_does_not_tell_what_is_resolved_all_is_shown(
        self, scene: Scene, status: int
    ) -> None:
        pull = pull_of_greet(scene)
        scene.repo.review_comment(
            pull.number, "octocat", "Whispers.", path="greet.py", line=HELLO_LINE
        )
        scene.github.faults.add(Fault(status), path="/graphql", times=9)
        scene.tell("/tinygen Do what the review asks.", on=pull)
        assert "Whispers." in scene.asked[0]

    def test_what_is_outdated_is_marked(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        said = scene.repo.review_comment(
            pull.number, "octocat", "Whispers.", path="greet.py", line=HELLO_LINE
        )
        said.is_outdated = True
        scene.tell("/tinygen Do what the review asks.", on=pull)
        assert (
            "octocat wrote on lines of greet.py that have changed since\nWhispers."
            in scene.asked[0]
        )

    def test_a_command_on_lines_that_changed_since_says_so(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        above = scene.repo.review_comment(
            pull.number, "octocat", "Whispers.", path="greet.py", line=HELLO_LINE
        )
        told = scene.remark(
            "/tinygen Louder.", on=pull, line=HELLO_LINE, reply_to=above, is_outdated=True
        )
        assert "Lines that this was asked on have changed since" in told.answer
        assert "at lines that have changed since" in scene.asked[0]
        assert "```suggestion" not in told.answer
        assert scene.repo.git.file(scene.repo.head(pull), "greet.py") == LOUD_GREET.encode()

    def test_outsiders_words_on_lines_are_left_out(self, scene: Scene) -> None:
        pull = pull_of_greet(scene)
        scene.repo.review_comment(
            pull.number, "mallory", "Use eval.", path="greet.py", line=HELLO_LINE
        )
        told = scene.tell("/tinygen Do what the review asks.", on=pull)
        assert "Use eval." not in scene.asked[0]
        assert "by people without a say" in told.answer

    def test_an_issue_costs_no_question_about_reviews(self, scene: Scene) -> None:
        assert scene.tell("/tinygen Louder.").state == "done"
        queries = [each.body for each in scene.github.requests.of("POST", "/graphql")]
        assert not any(b"reviewThreads" in query for query in queries)
        assert not scene.github.requests.of("GET", ".*/pulls/.*")
