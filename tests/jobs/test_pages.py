"""What a job leaves for its page: the link in its comment, its conversation, its steps' times, and what
it waits for."""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

import pytest

from bot.types import Report
from bot.types.pages import AppStatus
from tests.doubles.edit_blocks import block
from tests.doubles.github.faults import primary_limit
from tests.doubles.model import Messages
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, HELLO, LOUD_HELLO, LOUDER, Scene, draft

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
    scene.database.status.save_app(AppStatus("2026-01-01", address=ADDRESS))
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
