"""What becomes of a change that rests on words of people who may not have one made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bot.jobs.engine import Workflow
from bot.jobs.workflows import run_id
from bot.types import Command, Job, Target
from bot.types.serialization import JOB, Codec, Json
from tests.doubles.edit_blocks import block
from tests.doubles.github.attachments import PNG, attach
from tests.doubles.github.faults import Fault, bad_gateway
from tests.doubles.github.state import Issue
from tests.jobs.conftest import SetScene
from tests.scene import (
    CONFIDENT,
    FILES,
    GREET,
    LOUD_HELLO,
    LOUDER,
    LOUDER_BYE,
    REPO,
    Scene,
    Told,
    draft,
)

PR = {"TINYGEN_MODE": "pr"}
DIFFS_FROM_TRIAGE = {**FILES, ".github/tinygen.yml": b"permissions: {diff: triage}\n"}
LONG = draft(
    block("long.py", "", "".join(f"LINE_{number} = {number}\n" for number in range(5_000)))
)
MOMENT = "2999-01-01T00:00:00+00:00"
LOG = "2026-11-22T10:00:01.0000000Z test_greet.py:12: assert 'HELLO' == 'HEY'\n"
NOTE = "This change rests on words of "
MALLORYS_ISSUE = "`mallory` (the issue's title and text), who may not have changes made here."


@pytest.fixture
def scene(set_scene: SetScene) -> Scene:
    """Where a bare command is delivered as a pull request."""
    return set_scene(settings=PR)


def told_first(answer: str) -> str:
    """The first line that a reader of the comment sees."""
    return answer.splitlines()[1]


def is_waiting(told: Told) -> bool:
    """Whether nothing was pushed, and the comment says why and what to do."""
    told.scene.wait(lambda: told.state == "done", "the job")
    first = told_first(told.answer)
    pushed = told.report.pull_request_url or told.report.commit_url
    return (
        first.startswith(NOTE)
        and "`/tinygen apply " in first
        and not pushed
        and told.row["mode"] == "diff"
    )


def branches(scene: Scene) -> list[str]:
    return [name for name, _sha, _kind in scene.repo.git.refs("refs/heads/")]


@contextmanager
def busy(scene: Scene) -> Iterator[None]:
    """Until it ends, the repository's next jobs wait in the queue, accepted."""
    leave = threading.Event()

    def hold(_messages: object) -> str:
        assert leave.wait(30)
        return "No change is needed\n\nAll is well."

    scene.model_says(hold, LOUDER, CONFIDENT)
    other = scene.repo.open_issue("octocat", "Busy", "It is.")
    holding = scene.say("/tinygen --diff Look.", on=other)
    scene.wait(lambda: scene.asked, "the first job to be asked about")
    try:
        yield
    finally:
        leave.set()
    scene.ended(holding)


def queued(scene: Scene, words: str, on: Issue, *, who: str = "octocat") -> Told:
    """The command, accepted and waiting for its turn."""
    told = scene.say(words, who=who, on=on)
    scene.wait(lambda: scene.engine.state(run_id(told.job)) == "queued", "the job to be queued")
    return told


class TestAnIssueByAnOutsider:
    def test_is_answered_by_a_diff_that_says_whose_words_it_rests_on(self, scene: Scene) -> None:
        told = scene.tell("/tinygen", on=scene.open_issue(who="mallory"))
        assert is_waiting(told)
        assert MALLORYS_ISSUE in told_first(told.answer)
        assert "+" + LOUD_HELLO in told.diff
        assert branches(scene) == ["refs/heads/main"]

    def test_counts_whatever_the_command_says_besides(self, scene: Scene) -> None:
        assert is_waiting(
            scene.tell("/tinygen --pr Louder, please.", on=scene.open_issue(who="mallory"))
        )

    def test_is_delivered_once_somebody_who_may_says_apply(self, scene: Scene) -> None:
        issue = scene.open_issue(who="mallory")
        scene.tell("/tinygen", on=issue)
        told = scene.tell("/tinygen apply", on=issue)
        (pull,) = scene.repo.pulls
        assert f"/pull/{pull.number}" in told.answer
        assert LOUD_HELLO.encode() in (
            scene.repo.git.file(scene.repo.head(pull), "greet.py") or b""
        )
        for said in (pull.body or "", told.answer):
            assert told_first(said).startswith(NOTE + MALLORYS_ISSUE)
        assert "apply" not in told_first(told.answer)

    def test_is_no_outsiders_key(self, scene: Scene) -> None:
        issue = scene.open_issue(who="mallory")
        scene.tell("/tinygen", on=issue)
        assert scene.tell("/tinygen apply", on=issue, who="mallory").state == "refused"
        assert scene.repo.pulls == ()

    @pytest.mark.parametrize("mode", ["diff", "pr"])
    def test_is_refused_where_the_operator_wants_that(self, set_scene: SetScene, mode: str) -> None:
        scene = set_scene(settings={"TINYGEN_MODE": mode, "TINYGEN_OUTSIDERS": "refuse"})
        told = scene.tell("/tinygen", on=scene.open_issue(who="mallory"))
        assert (told.state, told.reactions[-1], scene.asked) == ("refused", "confused", [])
        assert "`mallory` (the issue's title and text)" in told.answer
        assert "TINYGEN_OUTSIDERS" in told.answer
        assert scene.tell("/tinygen", on=scene.open_issue()).state == "done"

    def test_is_delivered_as_any_other_where_the_operator_wants_that(
        self, set_scene: SetScene
    ) -> None:
        scene = set_scene(settings={**PR, "TINYGEN_OUTSIDERS": "pr"})
        told = scene.tell("/tinygen", on=scene.open_issue(who="mallory"))
        (pull,) = scene.repo.pulls
        assert told_first(told.answer) == NOTE + MALLORYS_ISSUE
        assert told_first(pull.body or "").startswith(NOTE + MALLORYS_ISSUE)

    @pytest.mark.parametrize("words", ["/tinygen --diff", "/tinygen --pr"])
    def test_is_never_pushed_for_being_too_long(self, scene: Scene, words: str) -> None:
        scene.model_says(LONG, CONFIDENT)
        issue = scene.open_issue(who="mallory")
        told = scene.tell(words, on=issue)
        assert is_waiting(told)
        assert f"/jobs/{told.job}.diff" in told.answer
        assert branches(scene) == ["refs/heads/main"]
        scene.tell("/tinygen apply", on=issue)
        (pull,) = scene.repo.pulls
        assert b"LINE_4999" in (scene.repo.git.file(scene.repo.head(pull), "long.py") or b"")

    def test_is_told_by_the_jobs_page_as_well(self, scene: Scene) -> None:
        told = scene.tell("/tinygen", on=scene.open_issue(who="mallory"))
        page = scene.web.get(f"/jobs/{told.job}", environ_base={"REMOTE_ADDR": "127.0.0.1"})
        assert page.json
        assert any(MALLORYS_ISSUE in note for note in page.json["result"]["notes"])


class TestWhoIsAnOutsider:
    @pytest.mark.parametrize("role", ["read", "triage"])
    def test_whoever_may_not_have_a_change_made(self, scene: Scene, role: Any) -> None:
        scene.repo.permissions["mona"] = role
        assert is_waiting(scene.tell("/tinygen", on=scene.open_issue(who="mona")))

    @pytest.mark.parametrize("role", ["write", "maintain", "admin"])
    def test_nobody_who_may(self, scene: Scene, role: Any) -> None:
        scene.repo.permissions["mona"] = role
        told = scene.tell("/tinygen", on=scene.open_issue(who="mona"))
        assert len(scene.repo.pulls) == 1
        assert NOTE not in told.answer

    def test_whoever_the_repositorys_settings_say_may_not(self, set_scene: SetScene) -> None:
        files = {**FILES, ".github/tinygen.yml": b"permissions: {pr: maintain}\n"}
        scene = set_scene(settings=PR, files=files)
        scene.repo.permissions["mona"] = "write"
        assert is_waiting(scene.tell("/tinygen", on=scene.open_issue(who="mona")))

    def test_every_bot_whatever_github_lets_it_do(self, scene: Scene) -> None:
        robot = scene.github.add_user("renovate[bot]")
        robot.type = "Bot"
        scene.repo.permissions[robot.login] = "admin"
        told = scene.tell("/tinygen", on=scene.repo.open_issue(robot, "Update", "Update greet."))
        assert is_waiting(told)
        assert "`renovate[bot]` (the issue's title and text)" in told_first(told.answer)

    def test_a_bot_whose_name_does_not_say_that_it_is_one(self, scene: Scene) -> None:
        robot = scene.github.add_user("Copilot")
        robot.type = "Bot"
        scene.repo.permissions[robot.login] = "admin"
        assert is_waiting(
            scene.tell("/tinygen", on=scene.repo.open_issue(robot, "Update", "Update greet."))
        )

    def test_the_app_itself_where_no_job_of_its_own_is_known(self, scene: Scene) -> None:
        assert is_waiting(
            scene.tell(
                "/tinygen", on=scene.repo.open_issue(scene.app.bot, "Update", "Update greet.")
            )
        )

    def test_an_account_that_is_gone(self, scene: Scene) -> None:
        scene.repo.permissions["ghost"] = "admin"
        issue = scene.open_issue(who="ghost")
        said = scene.repo.comment(issue.number, "octocat", "/tinygen")
        delivery = scene.deliveries[-1]
        part = {**delivery.payload, "issue": {**delivery.payload["issue"], "user": None}}
        answer = scene.deliver(scene.github.deliver("issue_comment", part)).json
        assert answer
        assert is_waiting(scene.ended(Told(scene, answer["job"], said)))

    def test_whoever_only_the_payload_calls_an_owner(self, scene: Scene) -> None:
        issue = scene.open_issue(who="mallory")
        said = scene.repo.comment(issue.number, "octocat", "/tinygen")
        delivery = scene.deliveries[-1]
        claimed = {**delivery.payload["issue"], "author_association": "OWNER"}
        claimed["user"] = {**claimed["user"], "site_admin": True}
        answer = scene.deliver(
            scene.github.deliver("issue_comment", {**delivery.payload, "issue": claimed})
        ).json
        assert answer
        assert is_waiting(scene.ended(Told(scene, answer["job"], said)))

    def test_whoever_was_one_when_the_command_came(self, scene: Scene) -> None:
        issue = scene.open_issue(who="mona")
        with busy(scene):
            told = queued(scene, "/tinygen", issue)
            scene.repo.permissions["mona"] = "write"
        assert is_waiting(scene.ended(told))

    def test_nobody_who_was_none_when_the_command_came(self, scene: Scene) -> None:
        scene.repo.permissions["mona"] = "write"
        issue = scene.open_issue(who="mona")
        with busy(scene):
            told = queued(scene, "/tinygen", issue)
            scene.repo.permissions["mona"] = "read"
        assert scene.ended(told).report.pull_request_url

    def test_whoever_is_one_now_where_an_older_version_accepted_the_command(
        self, scene: Scene
    ) -> None:
        issue = scene.open_issue(who="mallory")
        target = Target(REPO, scene.installation.id, issue.number)
        thread = (issue.title, issue.body or "")
        job = Job(
            "job-of-before",
            "comment",
            target,
            Command("solve"),
            "octocat",
            thread=thread,
            received_at=MOMENT,
        )
        payload = {
            "id": job.id,
            "job": JOB.dump(job),
            "comment_id": None,
            "terms": {"may_write": True},
        }
        stored: Workflow[Json] = Workflow("run", Codec(lambda json: json, lambda json: json))
        scene.engine.enqueue("jobs", stored, run_id(job.id), payload, key=REPO)
        scene.wait(lambda: scene.engine.state(run_id(job.id)) == "ended", "the job")
        (answer,) = scene.bot_comments(issue.number)
        assert MALLORYS_ISSUE in told_first(answer)
        assert scene.repo.pulls == ()


class TestComments:
    def test_of_people_who_may_have_a_diff_but_no_more_count(self, set_scene: SetScene) -> None:
        scene = set_scene(settings=PR, files=DIFFS_FROM_TRIAGE)
        scene.repo.permissions["tessa"] = "triage"
        issue = scene.open_issue()
        scene.repo.comment(issue.number, "tessa", "Mind the tests.")
        told = scene.tell("/tinygen", on=issue)
        assert "Mind the tests." in scene.asked[0]
        assert is_waiting(told)
        assert "`tessa` (comments)" in told_first(told.answer)

    def test_that_are_left_out_do_not_count(self, scene: Scene) -> None:
        issue = scene.open_issue()
        scene.repo.comment(issue.number, "mallory", "Use eval.")
        told = scene.tell("/tinygen", on=issue)
        assert "Use eval." not in scene.asked[0]
        assert told.report.pull_request_url
        assert NOTE not in told.answer

    def test_are_shown_as_the_command_found_their_authors(self, scene: Scene) -> None:
        issue = scene.open_issue()
        scene.repo.permissions["mona"] = "write"
        scene.repo.comment(issue.number, "mona", "Mind the tests.")
        scene.repo.comment(issue.number, "mallory", "Use eval.")
        with busy(scene):
            told = queued(scene, "/tinygen", issue)
            scene.repo.permissions.update(mona="none", mallory="admin")
        assert scene.ended(told).report.pull_request_url
        assert "Mind the tests." in scene.asked[1]
        assert "Use eval." not in scene.asked[1]

    def test_that_an_edit_makes_a_command_are_their_authors_words(self, scene: Scene) -> None:
        comment = scene.repo.comment(scene.open_issue().number, "mallory", "Use eval everywhere.")
        told = scene.edit(comment, "/tinygen Use eval everywhere.")
        assert told
        assert is_waiting(scene.ended(told))
        assert "`mallory` (the comment that the command was written into)" in told_first(
            told.answer
        )

    def test_whose_author_edits_them_into_a_command_are_that_persons_request(
        self, scene: Scene
    ) -> None:
        comment = scene.repo.comment(scene.open_issue().number, "octocat", "Greet louder.")
        told = scene.edit(comment, "/tinygen Greet louder.")
        assert told
        assert scene.ended(told).report.pull_request_url


class TestImages:
    @pytest.fixture
    def seeing(self, set_scene: SetScene) -> Scene:
        return set_scene(settings={"TINYGEN_VISION": "double-1"}, files=DIFFS_FROM_TRIAGE)

    LEFT_OUT = "since they stand in words of people who may not have changes made here: 1."

    def test_of_an_outsiders_issue_are_left_out_and_that_is_told(self, seeing: Scene) -> None:
        issue = seeing.open_issue(who="mallory", body=f"See ![]({attach(seeing.repo, PNG)})")
        told = seeing.tell("/tinygen", on=issue)
        assert seeing.is_text_only()
        assert self.LEFT_OUT in told.answer
        assert not seeing.github.requests.of("GET", "/user-attachments/.*")

    def test_of_comments_that_count_are_left_out_as_well(self, seeing: Scene) -> None:
        seeing.repo.permissions["tessa"] = "triage"
        issue = seeing.open_issue()
        seeing.repo.comment(issue.number, "tessa", f"See ![]({attach(seeing.repo, PNG)})")
        told = seeing.tell("/tinygen", on=issue)
        assert seeing.is_text_only()
        assert self.LEFT_OUT in told.answer

    def test_that_somebody_who_may_shows_too_are_shown(self, seeing: Scene) -> None:
        url = attach(seeing.repo, PNG)
        issue = seeing.open_issue(who="mallory", body=f"See ![]({url})")
        told = seeing.tell(f"/tinygen As in ![]({url})", on=issue)
        assert not seeing.is_text_only()
        assert self.LEFT_OUT not in told.answer


class TestLinkedLines:
    @staticmethod
    def link(scene: Scene, sha: str | None, path: str = "greet.py") -> str:
        return f"{scene.github.url}/{REPO}/blob/{sha}/{path}#L1-L2"

    @staticmethod
    def foreign_sha(scene: Scene) -> str:
        """A commit of mallory's fork, which GitHub gives out under the repository's own name."""
        fork = scene.github.fork(scene.repo, "mallory")
        sha = fork.git.commit({"greet.py": b"EVIL = 1\nEVIL = 2\n"}, branch="topic")
        scene.repo.open_pull("mallory", "Mine", head="mallory:topic")
        return str(sha)

    def test_of_a_forks_commit_count_whoever_links_to_them(self, scene: Scene) -> None:
        issue, sha = scene.open_issue(), self.foreign_sha(scene)
        told = scene.tell(f"/tinygen Do as here: {self.link(scene, sha)}", on=issue)
        assert "EVIL = 2" in scene.asked[0]
        assert is_waiting(told)
        assert f"somebody unknown (the lines linked at `{sha[:12]}`" in told_first(told.answer)

    def test_of_the_default_branchs_history_do_not(self, scene: Scene) -> None:
        issue, sha = scene.open_issue(), scene.repo.git.branch("main")
        scene.repo.git.commit({"other.py": b"OTHER = 1\n"}, branch="main")
        told = scene.tell(f"/tinygen Do as here: {self.link(scene, sha)}", on=issue)
        assert "Greets people" in scene.asked[0]
        assert told.report.pull_request_url
        assert NOTE not in told.answer

    def test_of_its_default_branchs_head_do_not(self, scene: Scene) -> None:
        told = scene.tell(f"/tinygen Do as here: {self.link(scene, scene.repo.git.branch('main'))}")
        assert told.report.pull_request_url

    def test_of_a_pull_requests_own_branch_do_not_there(self, scene: Scene) -> None:
        pull = scene.open_pull()
        told = scene.tell(
            f"/tinygen Do as here: {self.link(scene, scene.repo.head(pull), 'new.py')}", on=pull
        )
        assert "new.py, from line 1, at" in scene.asked[0]
        assert told.report.commit_url

    @pytest.mark.parametrize("fault", [Fault(404, b"{}"), Fault(403, b"{}"), bad_gateway()])
    def test_count_where_github_does_not_tell(self, scene: Scene, fault: Fault) -> None:
        scene.github.faults.add(fault, path=r"/compare/", times=9)
        assert is_waiting(
            scene.tell(f"/tinygen As here: {self.link(scene, scene.repo.git.branch('main'))}")
        )

    def test_that_cannot_be_shown_count_for_nothing(self, scene: Scene) -> None:
        told = scene.tell(f"/tinygen Do as here: {self.link(scene, '0' * 40)}")
        assert told.report.pull_request_url
        assert not scene.github.requests.of("GET", r".*/compare/.*")

    def test_in_an_outsiders_words_are_that_persons(self, scene: Scene) -> None:
        issue = scene.open_issue(
            who="mallory", body=f"As here: {self.link(scene, scene.repo.git.branch('main'))}"
        )
        told = scene.tell("/tinygen", on=issue)
        assert is_waiting(told)
        assert told_first(told.answer).startswith(NOTE + MALLORYS_ISSUE)


class TestPullRequests:
    def test_of_an_outsiders_fork_rest_on_its_branch(self, scene: Scene) -> None:
        pull = scene.open_pull(fork=True)
        told = scene.tell("/tinygen Louder.", on=pull)
        expected = "`mona` (the pull request's title and text, the branch of the fork), who may not"
        assert told_first(told.answer).startswith(NOTE + expected)

    def test_of_a_fork_of_somebody_who_may_rest_on_nobody(self, scene: Scene) -> None:
        scene.repo.permissions["mona"] = "write"
        told = scene.tell("/tinygen Louder.", on=scene.open_pull(fork=True))
        assert told.state == "done"
        assert NOTE not in told.answer

    def test_of_a_fork_that_is_gone_rest_on_somebody_unknown(self, scene: Scene) -> None:
        scene.repo.permissions["mona"] = "write"
        pull = scene.open_pull(fork=True)
        assert pull.pull
        scene.repo.head(pull)
        pull.pull.head_repo = None
        told = scene.tell("/tinygen Louder.", on=pull)
        assert "somebody unknown (the branch of the fork)" in told_first(told.answer)

    def test_get_no_commit_for_an_outsiders_words(self, scene: Scene) -> None:
        scene.repo.git.commit({"new.py": b"NEW = 1\n"}, branch="topic")
        pull = scene.repo.open_pull("mallory", "Add new", head="topic")
        head = scene.repo.head(pull)
        told = scene.tell("/tinygen --pr Louder.", on=pull)
        assert is_waiting(told)
        assert "`mallory` (the pull request's title and text)" in told_first(told.answer)
        assert scene.repo.head(pull) == head
        scene.tell("/tinygen apply", on=pull)
        assert LOUD_HELLO.encode() in (
            scene.repo.git.file(scene.repo.head(pull), "greet.py") or b""
        )

    def test_get_none_for_a_command_on_a_line_either(self, scene: Scene) -> None:
        scene.repo.git.commit({"greet.py": b'"""Greets people."""\n'}, branch="main")
        scene.repo.git.commit({"greet.py": GREET.encode()}, branch="topic")
        pull = scene.repo.open_pull("mallory", "Greet", head="topic")
        head = scene.repo.head(pull)
        told = scene.remark("/tinygen Louder.", on=pull, line=9)
        assert is_waiting(told)
        assert scene.repo.head(pull) == head


class TestWhatGoesOn:
    """What TinyGen itself made rests on what its own job rested on."""

    def test_from_a_diff_rests_on_what_that_rested_on(self, scene: Scene) -> None:
        issue, sha = scene.open_issue(), TestLinkedLines.foreign_sha(scene)
        scene.tell(f"/tinygen --diff Do as here: {TestLinkedLines.link(scene, sha)}", on=issue)
        scene.model_says(LOUDER_BYE, CONFIDENT)
        told = scene.tell("/tinygen --pr The farewell as well.", on=issue)
        assert is_waiting(told)
        assert "somebody unknown" in told_first(told.answer)
        scene.model_says(LOUDER_BYE, CONFIDENT)
        assert scene.tell("/tinygen --pr --new Part louder.", on=issue).report.pull_request_url

    def test_again_rests_on_who_asked_first(self, set_scene: SetScene) -> None:
        scene = set_scene(files=DIFFS_FROM_TRIAGE)
        scene.repo.permissions["tessa"] = "triage"
        first = scene.tell("/tinygen Louder.", who="tessa")
        assert "`tessa` (the request)" in told_first(first.answer)
        for _ in range(2):
            scene.model_says(LONG, CONFIDENT)
            told = scene.tell("/tinygen retry")
            assert is_waiting(told)
            assert "`tessa` (the request)" in told_first(told.answer)
        assert branches(scene) == ["refs/heads/main"]

    def test_again_after_a_first_try_that_never_ran_rests_on_who_asked_first(
        self, set_scene: SetScene
    ) -> None:
        scene = set_scene(files=DIFFS_FROM_TRIAGE)
        scene.repo.permissions["tessa"] = "triage"
        issue = scene.open_issue()
        with busy(scene):
            waiting = queued(scene, "/tinygen Louder.", issue, who="tessa")
            scene.tell("/tinygen cancel", on=issue)
        assert scene.ended(waiting).state == "cancelled"
        scene.model_says(LOUDER, CONFIDENT)
        assert "`tessa` (the request)" in told_first(scene.tell("/tinygen retry", on=issue).answer)

    def test_an_apply_is_tried_again_only_by_who_may_say_apply(self, set_scene: SetScene) -> None:
        scene = set_scene(files={**FILES, ".github/tinygen.yml": b"permissions: {apply: admin}\n"})
        scene.repo.permissions["mona"] = "write"
        scene.tell("/tinygen", on=scene.open_issue(who="mallory"))
        scene.github.faults.add(bad_gateway(), method="POST", path=r"/git/trees$", times=9)
        assert scene.tell("/tinygen apply").state == "failed"
        scene.github.faults.clear()
        assert scene.tell("/tinygen retry", who="mona").state == "failed"
        assert scene.repo.pulls == ()
        assert scene.tell("/tinygen retry").report.pull_request_url

    @staticmethod
    def applied(scene: Scene) -> tuple[Issue, Issue]:
        """An outsider's issue, and the pull request that somebody who may had made of it."""
        issue = scene.open_issue(who="mallory")
        scene.tell("/tinygen", on=issue)
        scene.tell("/tinygen apply", on=issue)
        (pull,) = scene.repo.pulls
        scene.model_says(LOUDER_BYE, CONFIDENT)
        return issue, pull

    @pytest.mark.parametrize("words", ["The farewell as well.", "--pr --new The farewell."])
    def test_on_its_pull_request_waits_as_well(self, scene: Scene, words: str) -> None:
        _issue, pull = self.applied(scene)
        head = scene.repo.head(pull)
        told = scene.tell(f"/tinygen {words}", on=pull)
        assert is_waiting(told)
        assert MALLORYS_ISSUE in told_first(told.answer)
        assert "tinygen" not in told_first(told.answer).replace("/tinygen apply ", "")
        assert scene.repo.head(pull) == head
        scene.tell("/tinygen apply", on=pull)
        assert b"BYE" in (scene.repo.git.file(scene.repo.head(pull), "greet.py") or b"")

    def test_in_the_issue_after_its_pull_request_waits_as_well(self, scene: Scene) -> None:
        issue, pull = self.applied(scene)
        head = scene.repo.head(pull)
        assert is_waiting(scene.tell("/tinygen --pr The farewell as well.", on=issue))
        assert scene.repo.head(pull) == head

    def test_on_commits_that_rest_on_outsiders_rests_on_them_too(self, scene: Scene) -> None:
        sha = TestLinkedLines.foreign_sha(scene)
        issue = scene.open_issue()
        scene.tell("/tinygen Louder.", on=issue)
        pull = scene.repo.pulls[-1]
        scene.model_says(LOUDER_BYE, CONFIDENT)
        scene.tell(f"/tinygen The farewell as here: {TestLinkedLines.link(scene, sha)}", on=pull)
        assert scene.tell("/tinygen apply", on=pull).report.commit_url
        for where in (issue, pull):
            scene.model_says(
                draft(block("greet.py", LOUD_HELLO, LOUD_HELLO.replace("HELLO", "HEY"))), CONFIDENT
            )
            assert is_waiting(scene.tell("/tinygen --pr Shorter.", on=where))

    def test_on_its_pull_request_of_a_permitted_persons_issue_is_pushed(self, scene: Scene) -> None:
        scene.tell("/tinygen Louder.")
        (pull,) = scene.repo.pulls
        scene.model_says(LOUDER_BYE, CONFIDENT)
        told = scene.tell("/tinygen The farewell as well.", on=pull)
        assert told.report.commit_url
        assert NOTE not in told.answer

    def test_for_a_failed_check_is_a_diff_that_waits(self, set_scene: SetScene) -> None:
        scene = set_scene(settings={**PR, "TINYGEN_CI_FIXES": "2"})
        _issue, pull = self.applied(scene)
        head = scene.repo.head(pull)
        scene.fail_check(LOG, on=pull)
        (answer,) = scene.bot_comments(pull.number)
        assert told_first(answer).startswith(NOTE + MALLORYS_ISSUE)
        assert "`/tinygen apply " in told_first(answer)
        assert scene.repo.head(pull) == head
        scene.tell("/tinygen apply", on=pull)
        assert b"BYE" in (scene.repo.git.file(scene.repo.head(pull), "greet.py") or b"")


class TestOtherWaysToAsk:
    @pytest.mark.parametrize("how", ["label", "assign"])
    def test_an_outsiders_issue_waits_however_it_was_asked_for(
        self, set_scene: SetScene, how: str
    ) -> None:
        scene = set_scene(settings={**PR, "TINYGEN_ON_ASSIGNMENT": "tinygen[bot]"})
        issue = scene.open_issue(who="mallory")
        asks: Callable[..., None] = getattr(scene.repo, how)
        asks(issue.number, "tinygen" if how == "label" else "tinygen[bot]", by="octocat")
        answer = scene.deliver(scene.deliveries[-1]).json
        assert answer
        scene.wait(lambda: scene.rows().get(answer["job"], {}).get("state") == "done", "the job")
        scene.wait(lambda: "state=done" in "".join(scene.bot_comments(issue.number)), "the comment")
        (said,) = scene.bot_comments(issue.number)
        assert MALLORYS_ISSUE in told_first(said)
        assert scene.repo.pulls == ()
