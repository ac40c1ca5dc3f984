"""The commands beside a plain prompt: apply, retry, cancel, status, help, and what is none of
them."""

from __future__ import annotations

import re
import time

from bot.jobs.workflows import run_id
from bot.types.names import short_id
from tests.doubles.edit_blocks import block
from tests.doubles.github.faults import bad_gateway
from tests.doubles.model import hang, server_error
from tests.scene import CONFIDENT, GREET, HELLO, LOUD_GREET, LOUDER, REPO, Scene, draft


def softer() -> str:
    new = '    return "hello, " + name + "."\n'
    return draft(block("greet.py", HELLO, new), title="Greet softer")


def test_alone_the_issues_own_text_is_the_prompt(scene: Scene) -> None:
    issue = scene.open_issue("Too quiet", "Make the greeting LOUD, please.")
    told = scene.tell("/tinygen", on=issue)
    assert "Make the greeting LOUD, please." in scene.asked[0]
    assert "HELLO" in told.diff


def test_the_prompt_reaches_the_model_as_it_was_written(scene: Scene) -> None:
    words = "Greet *louder*, with `name.upper()`.\n\n    indented\n\nAnd \"quotes\" 'too' \\ $HOME"
    scene.tell(f"/tinygen {words}")
    assert words in scene.asked[0]
    assert words in scene.asked[1]


def test_apply_delivers_exactly_the_shown_diff_and_asks_no_model(scene: Scene) -> None:
    shown = scene.tell("/tinygen Louder.")
    told = scene.tell("/tinygen apply")
    (pull,) = scene.repo.pulls
    head, base = scene.repo.head(pull), shown.report.base_sha or ""
    assert scene.repo.git.run("diff", "--full-index", base, head).decode() == shown.diff
    assert f"/pull/{pull.number}" in told.answer
    assert len(scene.asked) == 2
    assert told.reactions == ["eyes", "rocket"]


def test_apply_carries_the_diff_over_to_a_base_that_moved_and_says_so(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    moved = scene.repo.git.commit({"greet.py": b"# Moved on.\n" + GREET.encode()}, branch="main")
    told = scene.tell("/tinygen apply")
    (pull,) = scene.repo.pulls
    head = scene.repo.head(pull)
    assert scene.repo.git.run("rev-list", "--parents", "-1", head).decode().split() == [head, moved]
    assert scene.repo.git.file(head, "greet.py") == b"# Moved on.\n" + LOUD_GREET.encode()
    assert "`main` had moved on" in told.answer.replace("\u200b", "")
    assert told.report.base_sha == moved


def test_apply_onto_a_base_that_does_not_go_with_it_names_the_files_and_offers_retry(
    scene: Scene,
) -> None:
    scene.tell("/tinygen Louder.")
    scene.repo.git.commit(
        {"greet.py": GREET.replace("Hello, ", "Good day, ").encode()}, branch="main"
    )
    told = scene.tell("/tinygen apply")
    assert told.state == "failed"
    assert "no longer goes with it in: greet.py" in told.answer
    assert "\n<<<<<<< the branch now\n" in told.answer
    assert "/tinygen retry" in told.answer
    assert not scene.repo.pulls
    theirs = '    return "Good day, " + name + "!"\n'
    scene.model_says(
        draft(block("greet.py", theirs, theirs.replace("Good day", "GOOD DAY"))), CONFIDENT
    )
    again = scene.tell("/tinygen retry")
    assert '+    return "GOOD DAY, "' in again.diff
    assert again.row["prompt"] == "Louder."


def test_apply_of_what_the_base_holds_already_says_so(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    scene.repo.git.commit({"greet.py": LOUD_GREET.encode()}, branch="main")
    told = scene.tell("/tinygen apply")
    assert (told.state, scene.repo.pulls) == ("done", ())
    assert "holds this change already" in told.answer


def test_apply_takes_the_diff_that_was_shown_last(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    scene.model_says(softer(), CONFIDENT)
    scene.tell("/tinygen --new Softer.")
    scene.tell("/tinygen apply")
    (pull,) = scene.repo.pulls
    assert b'"hello, "' in (scene.repo.git.file(scene.repo.head(pull), "greet.py") or b"")


def test_apply_again_finds_the_same_pull_request(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    first, again = scene.tell("/tinygen apply"), scene.tell("/tinygen apply")
    (pull,) = scene.repo.pulls
    assert (first.state, again.state) == ("done", "done")
    for told in (first, again):
        assert f"{scene.github.url}/{REPO}/pull/{pull.number}" in told.answer
    assert again.report.pull_request_url == first.report.pull_request_url


def test_apply_after_a_pull_request_names_it(scene: Scene) -> None:
    scene.tell("/tinygen --pr Louder.")
    told = scene.tell("/tinygen apply")
    (pull,) = scene.repo.pulls
    assert (told.state, f"/pull/{pull.number}" in told.answer) == ("done", True)


def test_apply_without_a_diff_says_how_to_get_one(scene: Scene) -> None:
    told = scene.tell("/tinygen apply")
    assert told.state == "failed"
    assert "No diff was shown in this thread yet." in told.answer
    assert "/tinygen" in told.answer.split("-->")[1]
    assert told.reactions == ["eyes", "confused"]


def test_apply_takes_no_diff_of_another_thread(scene: Scene) -> None:
    scene.tell("/tinygen Louder.", on=scene.open_issue())
    told = scene.tell("/tinygen apply", on=scene.open_issue())
    assert told.state == "failed"
    assert not scene.repo.pulls


def test_two_applies_at_once_open_one_pull_request(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    both = scene.say("/tinygen apply"), scene.say("/tinygen apply")
    assert [scene.ended(told).state for told in both] == ["done", "done"]
    assert len(scene.repo.pulls) == 1


def test_retry_runs_the_last_request_again(scene: Scene) -> None:
    scene.model_says(*[draft(block("greet.py", "not there\n", "x\n"))] * 3)
    failed = scene.tell("/tinygen --pr Louder, by all means.")
    assert failed.state == "failed"
    scene.model_says(LOUDER, CONFIDENT)
    told = scene.tell("/tinygen retry")
    assert told.state == "done"
    assert "Louder, by all means." in scene.asked[-1]
    assert len(scene.repo.pulls) == 1
    assert (told.row["prompt"], told.row["mode"]) == ("Louder, by all means.", "pr")


def test_retry_keeps_the_earlier_attempt_readable(scene: Scene) -> None:
    first = scene.tell("/tinygen Louder.")
    earlier = first.diff
    scene.model_says(softer(), CONFIDENT)
    again = scene.tell("/tinygen retry")
    assert first.diff == earlier
    assert "hello, " in again.diff
    assert "HELLO" not in again.diff


def test_retry_with_nothing_before_it_says_so(scene: Scene) -> None:
    told = scene.tell("/tinygen retry")
    assert told.state == "failed"
    assert "no earlier request" in told.answer


def test_retry_never_runs_what_was_refused(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    scene.tell("/tinygen Delete everything.", who="mallory")
    scene.model_says(LOUDER, CONFIDENT)
    told = scene.tell("/tinygen retry")
    assert told.row["prompt"] == "Louder."
    assert not any("Delete everything" in asked for asked in scene.asked)


def test_retry_of_a_failed_apply_applies(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    scene.github.faults.add(bad_gateway(), method="POST", path=r"/git/trees$", times=9)
    failed = scene.tell("/tinygen apply")
    assert (failed.state, "/tinygen retry" in failed.answer) == ("failed", True)
    scene.github.faults.clear()
    told = scene.tell("/tinygen retry")
    assert told.state == "done"
    assert len(scene.repo.pulls) == 1
    assert len(scene.asked) == 2


def test_retry_of_a_retry_runs_the_request(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    for _ in range(2):
        scene.model_says(LOUDER, CONFIDENT)
        assert scene.tell("/tinygen retry").row["prompt"] == "Louder."


def test_a_running_job_stops_within_two_seconds(scene: Scene) -> None:
    scene.model_says(hang(60))
    told = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.model.requests, "the model to be asked")
    began = time.monotonic()
    cancel = scene.tell("/tinygen cancel")
    scene.ended(told)
    assert time.monotonic() - began < 2 + 2  # the machine may be busy
    assert (told.state, cancel.state) == ("cancelled", "done")
    assert "state=cancelled" in told.answer
    assert "cancelled" in told.answer.split("-->")[1]
    assert told.row["state"] == "cancelled"
    assert told.row["finished_at"]
    assert told.reactions == ["eyes", "confused"]
    assert cancel.reactions == ["eyes", "rocket"]


def test_a_queued_job_is_cancelled_before_it_runs(scene: Scene) -> None:
    scene.model_says(hang(60))
    first, second = scene.open_issue(), scene.open_issue()
    running = scene.say("/tinygen Louder.", on=first)
    scene.wait(lambda: scene.model.requests, "the model to be asked")
    waiting = scene.say("/tinygen Softer.", on=second)
    scene.wait(lambda: waiting.answers, "the second job to be acknowledged")
    assert "It waits for its turn behind [this request](" in waiting.answer
    assert f"/issues/{first.number}#issuecomment-{running.comment.id})." in waiting.answer
    scene.tell("/tinygen cancel", on=second)
    scene.ended(waiting)
    assert (waiting.state, running.state) == ("cancelled", "running")
    assert "state=cancelled" in waiting.answer
    assert waiting.row["state"] == "cancelled"
    scene.tell("/tinygen cancel", on=first)
    assert scene.ended(running).state == "cancelled"
    assert len(scene.asked) == 1


def test_a_job_that_was_dropped_but_never_told_is_told(scene: Scene) -> None:
    """As where the worker dies in the middle of a cancellation."""
    scene.model_says(hang(60))
    running = scene.say("/tinygen Louder.", on=scene.open_issue())
    scene.wait(lambda: scene.model.requests, "the model to be asked")
    there = scene.open_issue()
    waiting = scene.say("/tinygen Softer.", on=there)
    scene.wait(lambda: waiting.answers, "the second job to be acknowledged")
    scene.engine.drop(run_id(waiting.job))
    scene.tell("/tinygen cancel", on=there)
    assert "state=cancelled" in scene.ended(waiting).answer
    scene.tell("/tinygen cancel", on=scene.repo.issues[1])
    scene.ended(running)


def test_what_was_cancelled_can_be_retried(scene: Scene) -> None:
    scene.model_says(hang(60))
    told = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.model.requests, "the model to be asked")
    scene.tell("/tinygen cancel")
    scene.ended(told)
    scene.model_says(LOUDER, CONFIDENT)
    assert "HELLO" in scene.tell("/tinygen retry").diff


def test_cancel_where_nothing_runs_says_so(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    assert "Nothing runs in this thread." in scene.tell("/tinygen cancel").answer


def test_status_says_what_was_asked_here_and_how_it_stands(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    scene.model_says(server_error(400))
    scene.tell("/tinygen Softer.")
    answer = scene.tell("/tinygen status").answer
    assert re.search(
        r"\[`Softer.`\]\(http://\S+#issuecomment-\d+\): failed after \d+ s; asked", answer
    )
    assert re.search(
        r"\[`Louder.`\]\(http://\S+#issuecomment-\d+\): done after \d+ s; asked", answer
    )


def test_status_links_to_what_came_of_a_request(scene: Scene) -> None:
    scene.tell("/tinygen --pr Louder.")
    (pull,) = scene.repo.pulls
    assert (
        f", [the pull request]({scene.github.url}/octocat/greeter/pull/{pull.number})"
        in scene.tell("/tinygen status").answer
    )


def test_status_tells_of_a_job_that_runs(scene: Scene) -> None:
    scene.model_says(hang(60))
    told = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.model.requests, "the model to be asked")
    assert "): running (Write the change) for " in scene.tell("/tinygen status").answer
    scene.tell("/tinygen cancel")
    scene.ended(told)


def test_status_again_edits_the_comment_that_told_it_before(scene: Scene) -> None:
    first = scene.tell("/tinygen status")
    assert "Nothing was asked" in first.answer
    scene.tell("/tinygen Louder.")
    second = scene.tell("/tinygen status")
    assert "[`Louder.`](" in second.answer
    assert first.answers == []
    assert second.reactions == ["eyes", "rocket"]
    assert len([body for body in scene.bot_comments() if "Louder." in body]) == 1


def test_status_of_a_stranger_leaves_the_comment_that_told_it_alone(scene: Scene) -> None:
    first = scene.tell("/tinygen status")
    assert scene.tell("/tinygen status", who="mallory").state == "refused"
    assert "Nothing was asked" in first.answer


def test_help_lists_what_this_person_may_do_here(scene: Scene) -> None:
    answer = scene.tell("/TinyGen HELP").answer
    for word in (
        "`octocat`",
        "`admin`",
        "apply",
        "retry",
        "cancel",
        "status",
        "help",
        "--pr",
        "--base",
    ):
        assert word in answer
    assert not scene.asked


def test_help_on_a_pull_request_tells_of_its_branch(scene: Scene) -> None:
    answer = scene.tell("/tinygen help", on=scene.open_pull()).answer
    assert "adds a commit to this pull request" in answer
    assert "--base" not in answer


def test_help_on_a_forks_pull_request_offers_no_push(scene: Scene) -> None:
    answer = scene.tell("/tinygen help", on=scene.open_pull(fork=True)).answer
    assert "fork" in answer
    assert "--pr" not in answer
    assert "/tinygen apply" not in answer


def test_words_after_a_lone_command_make_it_a_prompt(scene: Scene) -> None:
    scene.tell("/tinygen help me greet louder")
    assert "help me greet louder" in scene.asked[0]


def test_an_unknown_flag_is_answered_with_the_nearest_one(scene: Scene) -> None:
    told = scene.tell("/tinygen --prr Louder.")
    assert told.state == "failed"
    assert "Did you mean `--pr`?" in told.answer
    assert told.reactions == ["eyes", "confused"]
    assert not scene.asked


def test_a_word_that_is_almost_a_command_is_answered_with_the_nearest_one(scene: Scene) -> None:
    told = scene.tell("/tinygen aply")
    assert told.state == "failed"
    assert "Did you mean `/tinygen apply`?" in told.answer
    assert not scene.asked


def test_an_edit_that_makes_a_command_runs_it(scene: Scene) -> None:
    comment = scene.repo.comment(scene.open_issue().number, "octocat", "It whispers.")
    told = scene.edit(comment, "It whispers.\n\n/tinygen Louder.")
    assert told
    assert "HELLO" in scene.ended(told).diff
    assert told.reactions == ["eyes", "rocket"]


def test_an_edit_around_a_command_runs_nothing(scene: Scene) -> None:
    told = scene.tell("/tinygen help")
    assert scene.edit(told.comment, "Please:\n\n/tinygen  help") is None
    assert len(scene.bot_comments()) == 1


def test_an_edit_that_changes_the_command_runs_the_new_one(scene: Scene) -> None:
    told = scene.tell("/tinygen aply")
    again = scene.edit(told.comment, "/tinygen status")
    assert again
    assert scene.ended(again).state == "done"


def test_an_edit_is_its_editors_command(scene: Scene) -> None:
    """Whoever may edit a comment commands in their own name, not in its author's."""
    scene.repo.permissions["mona"] = "triage"
    comment = scene.repo.comment(scene.open_issue().number, "octocat", "It whispers.")
    told = scene.edit(comment, "/tinygen Louder.", who="mona")
    assert told
    assert (scene.ended(told).state, told.row["actor"]) == ("refused", "mona")


def test_tinygens_own_comments_start_nothing(scene: Scene) -> None:
    scene.tell("/tinygen help")
    own = [
        delivery
        for delivery in scene.github.deliveries
        if delivery.payload["sender"]["type"] == "Bot"
    ]
    assert own
    for delivery in own:
        answer = scene.deliver(delivery)
        assert answer.status_code == 200, answer.text
        assert answer.json
        assert answer.json["ignored"]
    assert len(scene.bot_comments()) == 1


def test_apply_names_whose_diff_it_is(scene: Scene) -> None:
    scene.repo.permissions["mona"] = "write"
    shown = scene.tell("/tinygen Louder.", who="mona")
    name = short_id(shown.job)
    told = scene.tell(f"/tinygen apply {name}", on=scene.repo.issues[1])
    (pull,) = scene.repo.pulls
    said = f"The diff {name} was asked for by `mona`."
    assert said in told.answer
    assert said in (pull.body or "")
    message = scene.repo.git.run("show", "-s", "--format=%B", scene.repo.head(pull)).decode()
    assert [line.split()[1] for line in message.splitlines() if line.startswith("Co-auth")] == [
        "mona",
        "octocat",
    ]
