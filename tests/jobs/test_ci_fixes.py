"""CI's say: what TinyGen does when a check of a pull request that it opened fails."""

from __future__ import annotations

import pytest

from tests.doubles.edit_blocks import block
from tests.doubles.github.state import Issue
from tests.doubles.model import server_error
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, FILES, LOUD_HELLO, Scene, draft, fences

FIX = draft(
    block("greet.py", LOUD_HELLO, LOUD_HELLO.replace("HELLO", "HELLO THERE")),
    title="Mend the greeting",
)
FIX_AGAIN = draft(
    block(
        "greet.py", LOUD_HELLO.replace("HELLO", "HELLO THERE"), LOUD_HELLO.replace("HELLO", "HEY")
    ),
    title="Again",
)
LOG = (
    "2026-11-22T10:00:00.0000000Z ##[group]Run make test\n"
    "2026-11-22T10:00:01.0000000Z test_greet.py:12: assert 'HELLO' == 'HELLO THERE'\n"
    "2026-11-22T10:00:02.0000000Z ##[error]Process completed with exit code 2.\n"
    "2026-11-22T10:00:03.0000000Z Post job cleanup.\n"
)
SAME_LATER = LOG.replace("10:00", "11:30").replace(":12:", ":14:")
OTHER = LOG.replace("assert", "SyntaxError")


@pytest.fixture
def scene(set_scene: SetScene) -> Scene:
    return set_scene(settings={"TINYGEN_CI_FIXES": "2"})


def opened(scene: Scene) -> Issue:
    """A pull request of TinyGen's, which it was asked for in an issue."""
    scene.tell("/tinygen --pr Greet louder.")
    (pull,) = scene.repo.pulls
    scene.model_says(FIX, CONFIDENT)
    return pull


def test_a_failed_check_gets_one_more_commit(scene: Scene) -> None:
    pull = opened(scene)
    before = scene.repo.head(pull)
    scene.fail_check(LOG, on=pull)
    after = scene.repo.head(pull)
    assert scene.repo.git.run("rev-list", f"{before}..{after}").decode().split() == [after]
    assert b"HELLO THERE" in (scene.repo.git.file(after, "greet.py") or b"")
    (answer,) = scene.bot_comments(pull.number)
    assert "attempt 1 of 2" in answer
    assert f"/commit/{after}" in answer


def test_the_model_sees_the_end_of_the_log_the_change_so_far_and_its_task(scene: Scene) -> None:
    scene.fail_check(LOG, on=opened(scene))
    asked = scene.asked[2]
    assert "test, Run make test:\n\n##[group]Run make test\ntest_greet.py:12: assert" in asked
    assert "Post job cleanup" not in asked
    assert '+    return "HELLO, "' in asked
    assert "1. Greet louder." in asked


def test_it_is_said_in_the_pull_request(scene: Scene) -> None:
    assert "at most 2 times" in (opened(scene).body or "")


def test_it_is_done_in_the_name_of_who_asked_for_the_pull_request(scene: Scene) -> None:
    job = scene.fail_check(LOG, on=opened(scene))
    row = scene.rows()[job]
    assert (row["actor"], row["state"], row["mode"]) == ("octocat", "done", "pr")


def test_the_same_error_is_not_worked_on_twice(scene: Scene) -> None:
    pull = opened(scene)
    scene.fail_check(LOG, on=pull)
    head = scene.repo.head(pull)
    scene.fail_check(SAME_LATER, on=pull)
    assert scene.repo.head(pull) == head
    assert len(scene.asked) == 4
    assert "the same error as before" in scene.bot_comments(pull.number)[-1]


def test_there_are_no_more_attempts_than_the_setting_says(scene: Scene) -> None:
    pull = opened(scene)
    scene.fail_check(LOG, on=pull)
    scene.model_says(FIX_AGAIN, CONFIDENT)
    scene.fail_check(OTHER, on=pull)
    head = scene.repo.head(pull)
    scene.fail_check(OTHER.replace("Error", "Warning"), on=pull)
    assert scene.repo.head(pull) == head
    assert len(scene.asked) == 6
    assert "fails after 2 attempts" in scene.bot_comments(pull.number)[-1]


def test_that_it_gave_up_is_said_once(scene: Scene) -> None:
    pull = opened(scene)
    for _ in range(4):
        scene.fail_check(LOG, on=pull)
    assert len(scene.bot_comments(pull.number)) == 2


def test_what_a_person_pushed_meanwhile_is_left_alone(scene: Scene) -> None:
    pull = opened(scene)
    assert pull.pull
    scene.repo.git.commit({"new.py": b"NEW = 1\n"}, branch=pull.pull.head_ref)
    scene.fail_check(LOG, on=pull)
    assert scene.bot_comments(pull.number) == []
    assert len(scene.asked) == 2


def test_what_a_person_pushes_while_it_works_is_left_alone(scene: Scene) -> None:
    pull = opened(scene)
    assert pull.pull
    branch = pull.pull.head_ref

    def push(_messages: object) -> str:
        scene.repo.git.commit({"new.py": b"NEW = 1\n"}, branch=branch)
        return CONFIDENT

    scene.model_says(FIX, push)
    scene.fail_check(LOG, on=pull)
    assert scene.repo.git.file(f"refs/heads/{branch}", "greet.py") != b""
    assert b"HELLO THERE" not in (scene.repo.git.file(f"refs/heads/{branch}", "greet.py") or b"")
    assert "moved" in scene.bot_comments(pull.number)[-1]


def test_who_may_no_longer_ask_gets_no_fix(scene: Scene) -> None:
    scene.repo.permissions["mona"] = "write"
    scene.tell("/tinygen --pr Greet louder.", who="mona")
    scene.repo.permissions["mona"] = "read"
    scene.fail_check(LOG, on=scene.repo.pulls[0])
    assert len(scene.asked) == 2


def test_a_person_pull_requests_checks_are_their_own(scene: Scene) -> None:
    assert "not of a pull request that TinyGen opened" in scene.fail_check(
        LOG, on=scene.open_pull()
    )


def test_a_branch_that_only_bears_tinygens_name_is_left_alone(scene: Scene) -> None:
    scene.repo.git.commit({"new.py": b"NEW = 1\n"}, branch="tinygen/issue-1-0123abcd")
    pull = scene.repo.open_pull("octocat", "Mine", head="tinygen/issue-1-0123abcd")
    scene.fail_check(LOG, on=pull)
    assert (scene.asked, scene.bot_comments(pull.number)) == ([], [])


def test_it_is_off_unless_it_is_set(set_scene: SetScene) -> None:
    scene = set_scene()
    pull = opened(scene)
    job = scene.fail_check(LOG, on=pull)
    assert "check fails" not in (pull.body or "")
    assert job not in scene.rows()
    assert scene.bot_comments(pull.number) == []


def test_a_repository_may_set_it(set_scene: SetScene) -> None:
    files = {"greet.py": b"x = 1\n", ".github/tinygen.yml": b"ci_fixes: 0\n"}
    scene = set_scene(settings={"TINYGEN_CI_FIXES": "2"}, files=files)
    scene.model_says(draft(block("greet.py", "x = 1\n", "x = 2\n")), CONFIDENT)
    scene.tell("/tinygen --pr Two.")
    scene.fail_check(LOG, on=scene.repo.pulls[0])
    assert len(scene.asked) == 2


def test_a_log_that_is_gone_does_not_stop_it(scene: Scene) -> None:
    pull = opened(scene)
    assert pull.pull
    before = len(scene.deliveries)
    scene.repo.fail_check(pull.pull.head_ref, None)
    (delivery,) = scene.deliveries[before:]
    scene.deliver(delivery)
    scene.wait(lambda: scene.rows().get(delivery.guid, {}).get("state") == "done", "the fix")


def test_a_fix_that_failed_for_a_while_may_be_retried(scene: Scene) -> None:
    pull = opened(scene)
    scene.model_says(server_error(400))
    scene.fail_check(LOG, on=pull)
    assert "state=failed" in scene.bot_comments(pull.number)[-1]
    scene.model_says(FIX, CONFIDENT)
    told = scene.tell("/tinygen retry", on=pull)
    assert told.state == "done"
    assert b"HELLO THERE" in (scene.repo.git.file(scene.repo.head(pull), "greet.py") or b"")


def also(*edits: str) -> str:
    """The fix, with more than it may do."""
    greeting = block("greet.py", LOUD_HELLO, LOUD_HELLO.replace("HELLO", "HELLO THERE"))
    return draft(greeting, *edits, title="Mend the greeting")


TEST_FILE = "def test_hello():\n    assert greet('a') == 'HELLO THERE, a!'\n"


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (block("tests/test_greet.py", TEST_FILE, ""), "1 test removed"),
        (
            block(
                "tests/test_greet.py", "    assert greet('a') == 'HELLO THERE, a!'\n", "    pass\n"
            ),
            "fewer",
        ),
        (
            block(
                "tests/test_greet.py",
                "def test_hello():\n",
                "@pytest.mark.skip\ndef test_hello():\n",
            ),
            "skipped",
        ),
        (block("requirements.txt", "", "evil==1\n"), "a new dependency (evil)"),
        (block("Makefile", "", "test:\n\ttrue\n"), "Makefile runs in CI"),
        (block(".github/CODEOWNERS", "", "* @mallory\n"), "decides reviews"),
        (block("other.py", "", "X = 1\n"), "`other.py`"),
    ],
)
def test_a_fix_that_does_more_than_it_may_is_only_shown_and_a_person_is_called(
    set_scene: SetScene, edit: str, told: str
) -> None:
    files = {**FILES, "tests/test_greet.py": TEST_FILE.encode()}
    scene = set_scene(files=files, settings={"TINYGEN_CI_FIXES": "2"})
    scene.tell("/tinygen --pr Greet louder.")
    (pull,) = scene.repo.pulls
    before = scene.repo.head(pull)
    scene.model_says(also(edit), CONFIDENT)
    scene.fail_check(LOG.replace("test_greet.py:12", "tests/test_greet.py:2"), on=pull)
    assert scene.repo.head(pull) == before
    (answer,) = scene.bot_comments(pull.number)
    assert told in answer
    assert "HELLO THERE" in fences(answer)[0]
    assert "`octocat`, who asked for it, was asked to look at it." in answer
    assert pull.reviewers == ["octocat"]


def test_an_ordinary_change_of_the_same_kind_is_only_told(set_scene: SetScene) -> None:
    files = {**FILES, "tests/test_greet.py": TEST_FILE.encode()}
    scene = set_scene(files=files)
    scene.model_says(draft(block("tests/test_greet.py", TEST_FILE, "")), CONFIDENT)
    told = scene.tell("/tinygen --pr Remove the test.")
    assert len(scene.repo.pulls) == 1
    assert "tests/test_greet.py: 1 test removed (test_hello)." in told.answer
    assert "1 test removed" in scene.asked[1]


@pytest.mark.parametrize(
    "line",
    [
        "npm error code ENOTFOUND registry.npmjs.org",
        "fatal: unable to access 'https://github.com/o/r/': Could not resolve host: github.com",
        "write /tmp/x: no space left on device",
        "The runner has received a shutdown signal.",
    ],
)
def test_a_check_that_failed_for_the_network_or_its_runner_is_left(scene: Scene, line: str) -> None:
    pull = opened(scene)
    before, paid = scene.repo.head(pull), len(scene.asked)
    scene.fail_check(f"##[group]Run make test\n{line}\n##[error]Process completed.\n", on=pull)
    assert (scene.repo.head(pull), len(scene.asked)) == (before, paid)
    (answer,) = scene.bot_comments(pull.number)
    assert "not for the change" in answer
    assert pull.reviewers == ["octocat"]


def test_a_test_that_speaks_of_connections_is_worked_on(scene: Scene) -> None:
    pull = opened(scene)
    before = scene.repo.head(pull)
    log = "FAILED test_greet.py::test_net - AssertionError: ECONNREFUSED\n##[error]exit code 1\n"
    scene.fail_check(log, on=pull)
    assert scene.repo.head(pull) != before


def test_at_the_end_of_its_attempts_a_person_is_called(set_scene: SetScene) -> None:
    scene = set_scene(settings={"TINYGEN_CI_FIXES": "1"})
    pull = opened(scene)
    scene.fail_check(LOG, on=pull)
    scene.fail_check(OTHER, on=pull)
    assert pull.reviewers == ["octocat"]
    assert (
        "`octocat`, who asked for it, was asked to look at it."
        in scene.bot_comments(pull.number)[-1]
    )


def test_a_check_that_passed_on_the_same_commit_is_left(scene: Scene) -> None:
    pull = opened(scene)
    before, paid = scene.repo.head(pull), len(scene.asked)
    scene.fail_check(LOG, on=pull, passed_before=1)
    assert (scene.repo.head(pull), len(scene.asked)) == (before, paid)
    assert "it passed on the same commit" in scene.bot_comments(pull.number)[0]
