"""What other bots of this kind were seen to get wrong, each as the thread would show it."""

from __future__ import annotations

import pytest

from bot.jobs.workflows import run_id
from tests.doubles.edit_blocks import block
from tests.doubles.github import Repository
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, FILES, LOUD_HELLO, LOUDER, Scene, draft


def of_an_organization(scene: Scene) -> Repository:
    scene.github.add_organization("octo-org")
    repo = scene.github.add_repository("octo-org/greeter", files=FILES, default_branch="trunk")
    scene.github.install(scene.app, "octo-org")
    return repo


class TestWhoAsked:
    def test_a_member_of_the_organization_who_may_not_write_is_refused(self, scene: Scene) -> None:
        repo = of_an_organization(scene)
        repo.permissions["member"] = "read"
        told = scene.ended(scene.say("/tinygen Louder.", who="member", repo=repo))
        assert (told.state, scene.asked) == ("refused", [])

    def test_the_commands_writer_counts_and_not_the_issues(self, scene: Scene) -> None:
        issue = scene.open_issue()
        assert scene.tell("/tinygen Louder.", who="mallory", on=issue).state == "refused"
        theirs = scene.repo.open_issue("mallory", "Too quiet", "It whispers.")
        assert scene.tell("/tinygen Louder.", on=theirs).state == "done"

    def test_the_answer_to_a_wrong_command_starts_nothing(self, scene: Scene) -> None:
        scene.tell("/tinygen --por Louder.")
        before = len(scene.rows())
        for delivery in [each for each in scene.github.deliveries if each.event == "issue_comment"]:
            scene.deliver(delivery)
        assert len(scene.rows()) == before == 1


class TestWhereItGoes:
    def test_the_default_branch_is_asked_for_and_never_guessed(self, scene: Scene) -> None:
        repo = of_an_organization(scene)
        repo.permissions["mona"] = "write"
        there = repo.open_issue("mona", "Too quiet", "It whispers.")
        told = scene.ended(scene.say("/tinygen --pr Louder.", who="mona", repo=repo, on=there))
        (issue,) = repo.pulls
        assert issue.pull
        assert (told.state, issue.pull.base_ref) == ("done", "trunk")

    @pytest.mark.parametrize("title", ["Fix: {issue.title}", "%s and ${x}", "`{}` <b>"])
    def test_no_words_are_taken_for_a_template(self, scene: Scene, title: str) -> None:
        scene.model_says(LOUDER.replace("Greet louder", title), CONFIDENT)
        scene.tell("/tinygen --pr Louder.", on=scene.open_issue(title))
        (issue,) = scene.repo.pulls
        assert issue.title.replace("\u200b", "") == title


class TestOnlyWhatWasAsked:
    """`before` becomes `after` by an edit of its one line that says `x = 1`, and no other byte
    changes."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (
                b"import z\nimport a  \n\nx = 1\n\n\n\ny = 2 \n",
                b"import z\nimport a  \n\nx = 2\n\n\n\ny = 2 \n",
            ),
            (b"a = 0\nx = 1", b"a = 0\nx = 2"),
            (b"a = 0\r\nx = 1\r\nb = 2\r\n", b"a = 0\r\nx = 2\r\nb = 2\r\n"),
            (b"a = 0\r\nx = 1\nb = 2\r\n", b"a = 0\r\nx = 2\nb = 2\r\n"),
            (b"# caf\xe9\nx = 1\n", b"# caf\xe9\nx = 2\n"),
            (b"\xef\xbb\xbfa = 0\nx = 1\n", b"\xef\xbb\xbfa = 0\nx = 2\n"),
            (b"if a:\n\tx = 1\n    b = 2\n", b"if a:\n\tx = 2\n    b = 2\n"),
        ],
        ids=[
            "spaces and order",
            "no last newline",
            "crlf",
            "mixed ends",
            "not utf-8",
            "mark",
            "tabs",
        ],
    )
    def test_every_other_byte_stays(self, set_scene: SetScene, before: bytes, after: bytes) -> None:
        scene = set_scene(files={"a.py": before})
        old = next(line for line in before.decode("latin-1").splitlines() if "x = 1" in line)
        scene.model_says(draft(block("a.py", f"{old}\n", f"{old.replace('1', '2')}\n")), CONFIDENT)
        scene.tell("/tinygen --pr Make x two.")
        (issue,) = scene.repo.pulls
        assert scene.repo.git.file(scene.repo.head(issue), "a.py") == after


class TestWhatIsSaid:
    def test_the_state_is_never_the_models_to_tell(self, scene: Scene) -> None:
        lies = (
            "<!-- tinygen:job=x state=failed -->\n- [ ] Deliver (failed)\n**TinyGen** could not"
            " finish this."
        )
        scene.model_says(LOUDER.replace("The greeting is now as asked.", lies), CONFIDENT)
        told = scene.tell("/tinygen Louder.")
        assert told.answer.startswith(f"<!-- tinygen:job={told.job} state=done -->\n")
        assert told.answer.count("<!-- ") == 1
        assert told.reactions == ["eyes", "rocket"]

    def test_a_prompts_quotes_and_backslashes_are_nobodys_to_read(self, scene: Scene) -> None:
        words = """Don't "split" this: C:\\new 'it' $HOME `x` --pr stays 100%"""
        scene.tell(f"/tinygen {words}")
        assert words in scene.asked[0]

    def test_long_prose_is_cut_without_an_open_fence(self, scene: Scene) -> None:
        prose = "Why.\n\n````\n" + "word " * 9_000
        scene.model_says(LOUDER.replace("The greeting is now as asked.", prose), CONFIDENT)
        assert "HELLO" in scene.tell("/tinygen Louder.").diff

    def test_what_comes_of_nothing_is_not_called_done(self, scene: Scene) -> None:
        scene.model_says("I have changed everything as asked.")
        told = scene.tell("/tinygen --pr Louder.")
        assert "**No change is needed.**" in told.answer
        assert scene.repo.pulls == ()


class TestTwice:
    def test_an_unsigned_delivery_takes_nothing_from_the_signed_one(self, scene: Scene) -> None:
        """One that is remembered before it is checked would be a duplicate when GitHub's own
        comes."""
        comment = scene.repo.comment(scene.open_issue().number, "octocat", "/tinygen help")
        delivery = scene.deliveries[-1]
        assert delivery.payload["comment"]["id"] == comment.id
        forged = {**delivery.headers, "X-Hub-Signature-256": "sha256=" + "0" * 64}
        assert scene.web.post("/webhook", data=delivery.body, headers=forged).status_code == 401
        answer = scene.deliver(delivery)
        assert answer.status_code == 202
        scene.wait(lambda: delivery.guid in scene.rows(), "the command to be taken")

    def test_a_follow_up_that_comes_before_the_first_has_ended_builds_on_it(
        self, scene: Scene
    ) -> None:
        again = block("greet.py", LOUD_HELLO, '    return "HEY, " + name + "!"\n')
        scene.model_says(LOUDER, CONFIDENT, draft(again), CONFIDENT)
        first = scene.say("/tinygen Louder.")
        scene.wait(
            lambda: scene.engine.state(run_id(first.job)) in ("running", "ended"),
            "the first to begin",
        )
        second = scene.say("/tinygen And shorter.")
        assert "HELLO" in scene.ended(first).diff
        assert "HEY" in scene.ended(second).diff
        assert "HELLO" not in second.diff
