"""The traces of jobs: a span for each step and each call of the model, in one trace, without words."""

from __future__ import annotations

import json

import pytest

from bot.jobs.workflows import run_id
from bot.traces import JobTraces, trace_id_of
from tests.doubles.github.faults import secondary_limit
from tests.doubles.model import server_error
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, LOUDER, Scene
from tests.test_traces import Spans


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture
def scene(set_scene: SetScene, spans: Spans) -> Scene:
    return set_scene(open_tracer=lambda: JobTraces(spans, "tinygen"))


def test_a_job_is_one_trace(scene: Scene, spans: Spans) -> None:
    told = scene.tell("/tinygen --pr Louder.")
    assert {span.context.trace_id for span in spans.ended if span.context} == {
        trace_id_of(told.job)
    }
    roots = {span.name: span for span in spans.ended if span.parent is None}
    assert set(roots) == {"accept", "run"}
    asked, call = spans.named("ask generate"), spans.ended[_at(spans, "chat double-1")]
    assert asked.parent == roots["run"].context
    assert call.parent == asked.context
    assert (call.attributes or {})["gen_ai.usage.input_tokens"]
    assert {"permission", "comment"} <= {
        span.name for span in spans.ended if span.parent == roots["accept"].context
    }


def _at(spans: Spans, name: str) -> int:
    return [span.name for span in spans.ended].index(name)


def test_steps_after_a_restart_are_in_the_same_trace(scene: Scene, spans: Spans) -> None:
    scene.github.faults.add(secondary_limit(retry_after_s=600), path=r"/git/ref/heads/main$")
    told = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.engine.state(run_id(told.job)) == "ended", "the job to be put off")
    scene.stop()
    before = len(spans.ended)
    scene.start()
    assert scene.hurried(told).state == "done"
    later = spans.ended[before:]
    assert {"go on", "run", "tell done"} <= {span.name for span in later}
    assert {span.context.trace_id for span in spans.ended if span.context} == {
        trace_id_of(told.job)
    }


def test_no_words_are_in_a_trace(scene: Scene, spans: Spans) -> None:
    issue = scene.open_issue("A swordfish", "Of swordfish.")
    scene.model_says(LOUDER.replace("asked", "a swordfish asked"), CONFIDENT + " Swordfish.")
    scene.tell("/tinygen --pr Say swordfish.", on=issue)
    scene.model_says(server_error(400))
    scene.tell("/tinygen --swordfish", on=issue)
    scene.tell("/tinygen Say swordfish again.", on=issue)
    sent = json.dumps([json.loads(span.to_json()) for span in spans.ended]).lower()
    assert len(spans.ended) > 20
    for words in ("swordfish", "octocat", "greet.py", "hello", str(scene.root)):
        assert words not in sent


def test_a_failed_call_and_its_step_name_the_class_of_the_error(scene: Scene, spans: Spans) -> None:
    scene.model_says(server_error(401))
    scene.tell("/tinygen Louder.")
    call, asked = spans.named("chat double-1"), spans.named("ask generate")
    assert (call.attributes or {})["error.type"] == (asked.attributes or {})["error.type"]
    assert (asked.attributes or {})["tinygen.outcome"] == "failed"
