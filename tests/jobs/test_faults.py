"""What fails around a job, and what comes twice."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from bot.jobs.workflows import CANCEL, JobReference, cancel_id
from bot.types import Command, Job, Report, Target
from bot.types.github import Remote
from bot.types.serialization import log_row
from bot.types.snapshot import Changes, Patch, Snapshot
from tests.doubles.github.faults import (
    Fault,
    bad_gateway,
    dropped,
    secondary_limit,
    unauthorized,
    unavailable,
)
from tests.doubles.model import Messages, hang, server_error
from tests.fakes import RemoteLog
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, GREET, LOUDER, REPO, Scene

COLUMNS = list(log_row(Report(Job("", "run", Target(""), Command("solve")), "queued")))
AWAY = 99
"""Longer than any call is repeated."""


class TestGitHubAway:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", r"/permission$"),
            ("GET", r"/git/ref/heads/main$"),
            ("GET", r"/info/refs$"),
            ("POST", r"/git/trees$"),
            ("POST", r"/git/refs$"),
            ("POST", r"/pulls$"),
        ],
    )
    def test_at_one_stage_ends_in_a_finished_comment(
        self, scene: Scene, method: str, path: str
    ) -> None:
        scene.github.faults.add(bad_gateway(), method=method, path=path, times=AWAY)
        told = scene.tell("/tinygen --pr Louder.")
        assert told.state == "failed"
        assert f"state={told.state} -->" in told.answer
        assert "/tinygen retry" in told.answer
        assert told.reactions[-1] == "confused"
        assert told.row["state"] == "failed"

    @pytest.mark.parametrize("path", [r"/git/trees$", r"/git/refs$", r"/pulls$"])
    def test_while_it_delivers_leaves_the_diff_for_apply(self, scene: Scene, path: str) -> None:
        scene.github.faults.add(bad_gateway(), method="POST", path=path, times=AWAY)
        told = scene.tell("/tinygen --pr Louder.")
        assert "The change itself was made, and is kept:" in told.answer
        assert "HELLO" in told.diff
        paid = len(scene.asked)
        scene.github.faults.clear()
        assert scene.tell("/tinygen apply").state == "done"
        assert (len(scene.repo.pulls), len(scene.asked)) == (1, paid)

    def test_when_its_comment_is_posted_still_ends_in_one(self, scene: Scene) -> None:
        order = scene.github.faults.add(
            bad_gateway(), method="POST", path=r"/issues/1/comments$", times=AWAY
        )
        told = scene.say("/tinygen Louder.")
        scene.wait(lambda: order.met >= 4, "the comment to be tried")
        scene.github.faults.clear()
        scene.ended(told)
        scene.wait(lambda: told.answers, "the comment")
        assert f"state={told.state} -->" in told.answer

    def test_at_the_end_is_waited_for(self, scene: Scene) -> None:
        """The comment does not stay at `running` for ever."""
        is_away = threading.Event()

        def review(_messages: Messages) -> str:
            is_away.wait(30)
            return CONFIDENT

        scene.model_says(LOUDER, review)
        told = scene.say("/tinygen Louder.")
        scene.wait(lambda: len(scene.model.requests) == 2, "the reflection")
        order = scene.github.faults.add(
            bad_gateway(), method="PATCH", path=r"/issues/comments/", times=AWAY
        )
        is_away.set()
        scene.ended(told)
        scene.wait(lambda: order.met >= 4, "the last edit to be tried")
        scene.github.faults.clear()
        scene.wait(lambda: "state=done" in told.answer, "the comment to be finished")
        scene.wait(lambda: told.reactions == ["eyes", "rocket"], "the reaction")

    @pytest.mark.parametrize(
        "fault",
        [bad_gateway(), unavailable(retry_after_s=1), secondary_limit(), dropped(), unauthorized()],
    )
    def test_for_a_moment_is_nothing_that_anybody_sees(self, scene: Scene, fault: Fault) -> None:
        scene.github.faults.add(fault, path=r"^/repos/", times=1)
        scene.github.faults.add(fault, method="POST", path=r"/git/", times=1)
        scene.github.faults.add(fault, method="POST", path=r"/pulls$", times=1)
        assert scene.hurried(scene.say("/tinygen --pr Louder.")).state == "done"

    @pytest.mark.parametrize(
        "path", [r"/issues/1/comments$", r"/pulls$", r"/git/refs$", r"/git/commits$"]
    )
    def test_after_it_acted_makes_nothing_twice(self, scene: Scene, path: str) -> None:
        scene.github.faults.add(dropped(acts=True), method="POST", path=path)
        told = scene.tell("/tinygen --pr Louder.")
        assert (told.state, len(told.answers), len(scene.repo.pulls)) == ("done", 1, 1)
        assert len([name for name, _, _ in scene.repo.git.refs("refs/heads/tinygen/")]) == 1


def test_reactions_that_fail_stop_nothing(scene: Scene) -> None:
    scene.github.faults.add(
        Fault(403, b'{"message": "locked"}'), method="POST", path=r"/reactions$", times=AWAY
    )
    assert "HELLO" in scene.tell("/tinygen Louder.").diff


def test_a_comment_deleted_under_us_stops_nothing(scene: Scene) -> None:
    told = scene.say("/tinygen --pr Louder.")
    scene.wait(lambda: told.answers, "the comment")
    scene.repo.delete_comment(next(c for c in scene.repo.thread(1) if c.author is scene.app.bot))
    assert scene.ended(told).state == "done"
    assert len(scene.repo.pulls) == 1
    assert told.answers == []
    assert told.reactions == ["eyes", "rocket"]


def test_a_deleted_command_stops_nothing_else(scene: Scene) -> None:
    told = scene.say("/tinygen Louder.")
    scene.repo.delete_comment(told.comment)
    assert scene.ended(told).state == "done"


def test_an_app_that_was_uninstalled_ends_the_job_in_the_log(scene: Scene) -> None:
    scene.model_says(hang(60))
    told = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.asked, "the model to be asked")
    scene.github.uninstall(scene.installation)
    scene.engine.start(CANCEL, cancel_id(told.job), JobReference(told.job))
    assert scene.ended(told).state == "cancelled"
    assert told.row["state"] == "cancelled"


def test_a_branch_that_moves_meanwhile_is_never_overwritten(scene: Scene) -> None:
    pull = scene.open_pull()

    def move(_messages: object) -> str:
        scene.repo.git.commit({"new.py": b"NEW = 2\n"}, branch="topic")
        return CONFIDENT

    scene.model_says(LOUDER, move)
    told = scene.tell("/tinygen --pr Louder.", on=pull)
    assert told.state == "done"
    assert "moved on" in told.answer
    assert scene.repo.git.file("refs/heads/topic", "new.py") == b"NEW = 2\n"
    assert b"HELLO" in (scene.repo.git.file("refs/heads/topic", "greet.py") or b"")


def test_a_branch_whose_move_does_not_go_with_the_change_keeps_what_it_got(scene: Scene) -> None:
    pull = scene.open_pull()
    theirs = GREET.replace("Hello, ", "Good day, ").encode()

    def move(_messages: object) -> str:
        scene.repo.git.commit({"greet.py": theirs}, branch="topic")
        return CONFIDENT

    scene.model_says(LOUDER, move)
    told = scene.tell("/tinygen --pr Louder.", on=pull)
    assert "no longer goes with it in: greet.py" in told.answer
    assert "HELLO" in told.diff
    assert scene.repo.git.file("refs/heads/topic", "greet.py") == theirs


def test_a_second_delivery_with_the_same_id_starts_nothing(scene: Scene) -> None:
    told = scene.say("/tinygen --pr Louder.")
    delivery = told.delivery
    answers = [scene.deliver(delivery) for _ in range(5)]
    scene.ended(told)
    answers.append(scene.deliver(delivery))
    after = scene.tell("/tinygen help")
    assert [answer.status_code for answer in answers] == [202] * 6
    assert {answer.json["job"] for answer in answers if answer.json} == {told.job}
    assert (len(told.answers), len(scene.repo.pulls), len(scene.asked)) == (1, 1, 2)
    assert set(scene.rows()) == {told.job, after.job}


def test_the_same_delivery_many_times_at_once_starts_one_job(scene: Scene) -> None:
    scene.tell("/tinygen help")
    scene.repo.comment(1, "octocat", "/tinygen --pr Louder.")
    delivery = scene.deliveries[-1]
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda: codes.append(scene.deliver(delivery).status_code))
        for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    scene.wait(lambda: scene.rows().get(delivery.guid, {}).get("state") == "done", "the job")
    assert codes == [202] * 50
    assert (len(scene.bot_comments()), len(scene.repo.pulls), len(scene.asked)) == (2, 1, 2)
    assert [scene.deliver(delivery).status_code for _ in range(5)] == [202] * 5
    scene.tell("/tinygen help")
    assert (len(scene.repo.pulls), len(scene.asked)) == (1, 2)


def test_the_log_has_one_row_for_each_request_whatever_became_of_it(scene: Scene) -> None:
    done = scene.tell("/tinygen Louder.")
    scene.model_says(server_error(400))
    failed, refused = scene.tell("/tinygen Softer."), scene.tell("/tinygen No.", who="mallory")
    helped = scene.tell("/tinygen help")
    rows = scene.rows()
    assert {job: row["state"] for job, row in rows.items()} == {
        done.job: "done",
        failed.job: "failed",
        refused.job: "refused",
        helped.job: "done",
    }
    for row in rows.values():
        assert sorted(row) == sorted(COLUMNS)
        assert (row["source"], row["repo"], row["issue_number"]) == ("comment", REPO, 1)
        assert row["delivery_id"] == row["id"]
        assert row["installation_id"] == scene.installation.id
        assert row["created_at"] < row["finished_at"]
    row = rows[done.job]
    assert (row["actor"], row["prompt"], row["mode"]) == ("octocat", "Louder.", "diff")
    assert (row["diff"], row["base_sha"]) == (done.diff, scene.repo.git.branch("main"))
    assert (row["error"], row["pull_request_url"]) == (None, None)
    assert rows[failed.job]["error"]


def test_a_row_is_there_from_acceptance_on(scene: Scene) -> None:
    scene.model_says(hang(60))
    told = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.asked, "the model to be asked")
    assert told.row["state"] == "running"
    assert told.row["finished_at"] is None
    scene.tell("/tinygen cancel")
    scene.ended(told)


def test_the_log_elsewhere_is_written_too(set_scene: SetScene) -> None:
    log = RemoteLog()
    scene = set_scene(remote_log=log)
    told = scene.tell("/tinygen Louder.")
    scene.wait(lambda: log.written.get(told.job, [])[-1:] == ["done"], "the row")


def test_a_log_that_is_away_holds_up_no_job_and_gets_its_row_later(set_scene: SetScene) -> None:
    log = RemoteLog()
    log.is_away = True
    scene = set_scene(remote_log=log)
    told = scene.tell("/tinygen Louder.")
    assert told.state == "done"
    log.is_away = False
    scene.wait(lambda: log.written.get(told.job, [])[-1:] == ["done"], "the row")


def test_an_answer_that_github_never_gives_ends_the_job_in_words(scene: Scene) -> None:
    scene.github.faults.add(Fault(200, b'{"permission": 7}'), path=r"/permission$", times=AWAY)
    told = scene.tell("/tinygen Louder.")
    assert told.state == "failed"
    assert f"state={told.state} -->" in told.answer


class BrokenGit:
    """A Git whose `snapshot` raises an error that no caller expects."""

    def fetch(self, repo: str, remote: Remote, sha: str) -> None:
        return None

    def snapshot(self, repo: str, sha: str, remote: Callable[[], Remote] | None = None) -> Snapshot:
        raise ZeroDivisionError("division by zero")

    def diff(self, repo: str, base_sha: str, changes: Changes) -> Patch:
        raise NotImplementedError

    def apply(self, repo: str, patch: Patch) -> tuple[Changes, str]:
        raise NotImplementedError


def test_a_fault_of_our_own_ends_the_job_in_words(
    set_scene: SetScene, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = set_scene(git=BrokenGit())
    told = scene.tell("/tinygen Louder.")
    assert told.state == "failed"
    assert f"`{told.job}`" in told.answer
    assert "ZeroDivisionError" not in told.answer
    assert "/tinygen retry" in told.answer
    assert told.row["state"] == "failed"
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert scene.tell("/tinygen help").state == "done"
