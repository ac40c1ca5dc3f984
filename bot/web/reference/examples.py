"""The examples of the API's description. Those of answers are made as the answers are."""

from __future__ import annotations

from typing import get_args

from bot.thread.render import STEPS
from bot.types import Command, Job, Report, ShownFile, State, Step, Target, Usage
from bot.types.snapshot import FileStat, Patch
from bot.web.answers import (
    JobAnswer,
    JobsAnswer,
    Overview,
    SpendingRow,
    Spent,
    job_answer,
    job_row,
)

EXAMPLE_ID = "0b4c9e1f7a3d4c5b8e6f2a1d0c9b8a7f"
EXAMPLE_REQUEST = {
    "repoUrl": "https://github.com/octocat/greeter",
    "prompt": "Greet in capital letters.",
}
EXAMPLE_DIFF = """\
diff --git a/greet.py b/greet.py
--- a/greet.py
+++ b/greet.py
@@ -1 +1 @@
-print("hello")
+print("HELLO")
"""
EXAMPLE_METRICS = """\
# HELP tinygen_jobs Jobs kept, by state.
# TYPE tinygen_jobs gauge
tinygen_jobs{state="queued"} 0.0
"""
_SERVER = "https://github.com"


def example_job() -> JobAnswer:
    return job_answer(_report(), _SERVER)


def example_list() -> JobsAnswer:
    job = job_row(_report(), _SERVER)
    used = SpendingRow(
        name="2026-03-02",
        requests=1,
        calls=2,
        prompt_tokens=2_310,
        completion_tokens=148,
        cost_usd=0.0058,
    )
    overview = Overview(
        states=dict.fromkeys(get_args(State), 0) | {"done": 1},
        workers=1,
        paused=None,
        log_rows_waiting=0,
        dead_deliveries=(),
        deliveries_read_at="2026-03-02T09:05:00+00:00",
        spent=Spent(
            since="2026-02-01T00:00:00+00:00",
            day=(used,),
            repo=(used.model_copy(update={"name": job.repo}),),
            person=(used.model_copy(update={"name": ""}),),
            model=(used.model_copy(update={"name": "gpt-4.1"}),),
        ),
    )
    return JobsAnswer(
        jobs=(job,), next=f"/jobs?after=1772442477.412+{EXAMPLE_ID}", overview=overview
    )


def _report() -> Report:
    """Of a direct call that has ended."""
    job = Job(
        EXAMPLE_ID,
        "run",
        Target("octocat/greeter"),
        Command("solve", EXAMPLE_REQUEST["prompt"], mode="diff"),
        actor="key 5e884898da28",
        received_at="2026-03-02T09:07:57.412+00:00",
        trigger="call",
    )
    return Report(
        job,
        "done",
        steps=tuple(
            Step(title, "done", f"2026-03-02T09:08:{5 * place:02}.000+00:00")
            for place, title in enumerate(STEPS.values())
        ),
        patch=Patch("3f2c9a1d" * 5, EXAMPLE_DIFF, (FileStat("greet.py", 1, 1, "modified"),)),
        summary="Greet in capital letters",
        reflections=("**Confident.** The greeting is printed in capital letters.",),
        shown=(ShownFile("greet.py", 1, 1, "its name and words are those of the task"),),
        model="gpt-4.1",
        usage=Usage(2, 2_310, 148, 0, 0.0058, 9.412),
        finished_at="2026-03-02T09:08:18.034+00:00",
    )
