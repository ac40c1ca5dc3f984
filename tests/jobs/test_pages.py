"""What a job leaves for its page: the link in its comment, its conversation, its steps' times, and what
it waits for."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from bot.thread.requests import Asker, cancellation, repetition
from bot.types import FINAL_STATES, Command, Failure, Report, Target
from bot.types.pages import AppStatus
from tests.doubles.edit_blocks import block
from tests.doubles.github.faults import primary_limit
from tests.doubles.model import Messages, too_long
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, HELLO, LOUD_HELLO, LOUDER, LOUDER_BYE, Scene, draft

ADDRESS = "https://bot.example.com"
HTML = {"Accept": "text/html", "X-Forwarded-For": "203.0.113.9"}


@pytest.fixture
def public(set_scene: SetScene) -> Scene:
    return set_scene(settings={"TINYGEN_PUBLIC_URL": ADDRESS, "TINYGEN_API_KEYS": "k" * 32})


def link(answer: str, words: str) -> str:
    found = re.search(rf"\[{words}\]\((\S+)\)", answer)
    assert found is not None, answer
    url = urlsplit(found[1])
    assert f"{url.scheme}://{url.netloc}" == ADDRESS
    return f"{url.path}?{url.query}"


def open_report(scene: Scene, job: str) -> Report:
    report = scene.database.load(job)
    assert report is not None
    return report


def test_a_finished_jobs_comment_leads_to_its_page(public: Scene) -> None:
    told = public.tell("/tinygen Greet louder.")
    path = link(told.answer, "How this came about, step by step")
    page = public.web.get(path, headers=HTML)
    assert page.status_code == 200
    for words in ("Greet louder.", "Greet louder", "HELLO, ", "[CONFIDENT]", "greet.py", "octocat"):
        assert words in page.text
    assert public.web.get(path.partition("?")[0], headers=HTML).status_code == 401


def test_a_running_jobs_comment_leads_to_its_page(public: Scene) -> None:
    seen = []

    def reply(_messages: Messages) -> str:
        (comment,) = public.bot_comments(1)
        page = public.web.get(link(comment, "Follow it live"), headers=HTML)
        seen.append(page.text)
        return LOUDER

    public.model_says(reply, CONFIDENT)
    told = public.tell("/tinygen Greet louder.")
    assert 'data-final="no"' in seen[0]
    assert "The model was not asked yet." in seen[0]
    assert "Follow it live" not in told.answer


def test_the_apps_own_address_is_the_links(set_scene: SetScene) -> None:
    scene = set_scene()
    scene.database.shared.save_app(AppStatus("2026-01-01", address=ADDRESS))
    told = scene.tell("/tinygen Greet louder.")
    assert link(told.answer, "How this came about, step by step").startswith("/jobs/")


def test_without_an_address_no_comment_has_a_link(scene: Scene) -> None:
    assert "/jobs/" not in scene.tell("/tinygen Greet louder.").answer


def test_a_refusal_and_a_quick_command_have_none(public: Scene) -> None:
    assert "/jobs/" not in public.tell("/tinygen help").answer
    assert not any("/jobs/" in body for body in public.tell("/tinygen x", who="stranger").answers)


def test_the_conversation_is_kept_each_message_once(public: Scene) -> None:
    wrong = draft(block("greet.py", "no such line\n", LOUD_HELLO))
    public.model_says(wrong, draft(block("greet.py", HELLO, LOUD_HELLO)), CONFIDENT)
    told = public.tell("/tinygen Greet louder.")
    turns = public.database.turns.of(told.job)
    assert [turn.purpose for turn in turns] == ["generate", "repair", "reflect"]
    assert [turn.number for turn in turns] == [1, 2, 3]
    assert turns[1].repeated == len(turns[0].messages)
    assert [message.role for message in turns[1].messages] == ["assistant", "user"]
    sent = [message["content"] for message in public.model.requests[1].messages]
    kept = [message.text for turn in turns[:2] for message in turn.messages]
    assert kept == sent
    assert turns[2].reply.text == CONFIDENT


def test_a_conversation_is_not_kept_where_the_operator_does_not_want_it(
    set_scene: SetScene,
) -> None:
    scene = set_scene(settings={"TINYGEN_KEEP_CONVERSATIONS": "false"})
    told = scene.tell("/tinygen Greet louder.")
    assert (told.state, scene.database.turns.count(told.job)) == ("done", 0)


def test_no_secret_is_in_a_conversation(set_scene: SetScene) -> None:
    secret = "a-secret-of-the-installation"
    scene = set_scene(settings={"OPENAI_API_KEY": secret})
    scene.model_says(LOUDER + f"\n{secret}\n", CONFIDENT)
    told = scene.tell(f"/tinygen Greet louder. {secret}")
    assert secret not in repr(scene.database.turns.of(told.job))


def test_steps_keep_the_times_at_which_they_began(scene: Scene) -> None:
    seen: list[tuple[str, ...]] = []

    def times() -> tuple[str, ...]:
        (report,) = scene.database.latest(str(scene.repo.id), 1)
        return tuple(step.began_at for step in report.steps)

    def reply(_messages: Messages) -> str:
        seen.append(times())
        return CONFIDENT

    scene.model_says(LOUDER, reply)
    scene.tell("/tinygen Greet louder.")
    (at_review,), at_end = seen, times()
    assert all(at_review[:3])
    assert at_end[:3] == at_review[:3] == tuple(sorted(at_review[:3]))


def test_a_postponed_job_says_what_it_waits_for_and_then_no_more(scene: Scene) -> None:
    limit = primary_limit(reset_at_s=time.time() + 600)
    scene.github.faults.add(limit, method="POST", path=r"/git/trees$")
    told = scene.say("/tinygen --pr Greet louder.")
    waits = scene.wait(lambda: open_report(scene, told.job).waits_for, "the job to wait")
    assert "limit" in waits
    assert "It goes on at" in waits
    listed = scene.web.get("/jobs?limit=1").json
    assert listed is not None
    assert listed["jobs"][0]["waits_for"] == waits
    scene.hurried(told)
    assert told.report.waits_for == ""


MALLORYS = "permissions:\n  diff: triage\n  cancel: admin\n"


def press(scene: Scene, job: str, who: str, verb: str) -> str:
    """A person presses a button of a job's page; the id of the job that this makes."""
    report = open_report(scene, job)
    person = scene.github.add_user(who)
    make = cancellation if verb == "cancel" else repetition
    new = {"job_id": uuid.uuid4().hex, "received_at": datetime.now(UTC).isoformat()}
    made = make(report, Asker(who, person.id), **new)
    scene.database.accept(made)
    scene.wait(
        lambda: (found := scene.database.load(made.id)) and found.state in FINAL_STATES,
        f"{verb} by {who} to end",
    )
    return made.id


def test_what_a_page_repeats_for_another_waits_for_apply_as_a_retry_does(scene: Scene) -> None:
    scene.repo.git.commit({".github/tinygen.yml": MALLORYS.encode()}, branch="main")
    scene.repo.permissions["mallory"] = "triage"
    pull = scene.open_pull()
    wrong = draft(block("greet.py", "no such line\n", LOUD_HELLO))
    scene.model_says(wrong, wrong)
    told = scene.tell("/tinygen Greet louder.", who="mallory", on=pull)
    assert told.state == "failed"
    head = scene.repo.git.branch("topic")
    scene.model_says(LOUDER, CONFIDENT)
    again = open_report(scene, press(scene, told.job, "octocat", "retry"))
    assert (again.state, again.job.actor, again.job.command.prompt) == (
        "done",
        "octocat",
        "Greet louder.",
    )
    assert any(each.login == "mallory" for each in again.rests_on)
    assert scene.repo.git.branch("topic") == head


def test_a_page_cancels_by_the_repositorys_own_settings(scene: Scene) -> None:
    scene.repo.git.commit({".github/tinygen.yml": MALLORYS.encode()}, branch="main")
    scene.repo.permissions["writer"] = "write"
    states: list[str] = []

    def reply(_messages: Messages) -> str:
        refused = press(scene, told.job, "writer", "cancel")
        states.append(open_report(scene, refused).state)
        return LOUDER

    scene.model_says(reply, CONFIDENT)
    told = scene.say("/tinygen Greet louder.")
    scene.ended(told)
    assert (states, told.state) == (["refused"], "done")


def test_an_operator_cancels_also_what_is_denied_by_now(set_scene: SetScene) -> None:
    scene = set_scene(settings={"TINYGEN_DENY": "elsewhere/*"})

    def reply(_messages: Messages) -> str:
        operator = Asker("the operator", is_operator=True)
        new = {"job_id": uuid.uuid4().hex, "received_at": datetime.now(UTC).isoformat()}
        stop = cancellation(open_report(scene, told.job), operator, **new)
        scene.database.accept(replace(stop, target=Target("elsewhere/gone")))
        scene.wait(lambda: scene.engine.state(f"{told.job}-cancel") != "unknown", "the order")
        return LOUDER

    scene.model_says(reply, CONFIDENT)
    told = scene.say("/tinygen Greet louder.")
    scene.ended(told)
    assert told.state == "cancelled"


def test_a_quoted_link_is_not_shown_to_the_model(public: Scene) -> None:
    signature = f"key=1893456000-{'0123456789abcdef' * 4}"
    public.tell(f"/tinygen Greet louder, as in {ADDRESS}/jobs/x?{signature}")
    assert signature not in "".join(public.asked)
    assert "key=[hidden]" in "".join(public.asked)


def test_a_turn_after_a_prompt_that_was_too_long_holds_all_of_its_messages(scene: Scene) -> None:
    scene.model_says(too_long(), LOUDER, CONFIDENT)
    told = scene.tell("/tinygen Greet louder.")
    first, *_ = scene.database.turns.of(told.job)
    assert first.repeated == 0
    assert [message.role for message in first.messages] == ["system", "user"]


def test_a_page_repeats_what_its_job_was_to_repeat_and_nothing_else(scene: Scene) -> None:
    scene.repo.permissions["mallory"] = "write"
    wrong = draft(block("greet.py", "no such line\n", LOUD_HELLO))
    scene.model_says(wrong, wrong)
    failed = scene.tell("/tinygen Greet louder.")
    scene.model_says(LOUDER_BYE, CONFIDENT)
    scene.tell("/tinygen Something else.", who="mallory")
    report = open_report(scene, failed.job)
    never_began = replace(
        report,
        job=replace(report.job, id="never-began", command=Command("retry", failed.job)),
        state="refused",
        failure=Failure("A limit.", "Wait.", retryable=True),
    )
    scene.database.save(never_began)
    scene.model_says(LOUDER, CONFIDENT)
    again = open_report(scene, press(scene, "never-began", "octocat", "retry"))
    assert again.job.command.prompt == "Greet louder."
    gone = replace(never_began, job=replace(never_began.job, id="x", command=Command("retry", "y")))
    scene.database.save(gone)
    ended = open_report(scene, press(scene, "x", "octocat", "retry"))
    assert ended.state == "failed"
