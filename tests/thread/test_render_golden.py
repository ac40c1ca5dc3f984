"""Each ending as the thread sees it, kept as a file that a person looks over: `python -m
tests.thread.test_render_golden` writes them anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.thread.render import (
    MAX_OPEN_LINES,
    render_comment,
    render_help,
    render_pull_body,
    render_reflection,
)
from bot.types import (
    Command,
    Counterexample,
    Failure,
    Job,
    Reference,
    Report,
    ShownFile,
    Step,
    Target,
    Usage,
    Verdict,
)
from bot.types.snapshot import FileStat, Patch

GOLDEN = Path(__file__).parent / "golden"
BASE = "5d2c1f0e" * 5
ONE = """\
diff --git a/greet.py b/greet.py
index 3b18e51..a7f2c88 100644
--- a/greet.py
+++ b/greet.py
@@ -4,2 +4,2 @@
 def greet(name: str) -> str:
-    return "Hello, " + name + "!"
+    return "HELLO, " + name + "!"
"""
CI = """\
diff --git a/.github/workflows/ci.yml b/.github/workflows/ci.yml
new file mode 100644
--- /dev/null
+++ b/.github/workflows/ci.yml
@@ -0,0 +1 @@
+on: push
"""
LONG = ONE + "".join(f"+line {n}\n" for n in range(MAX_OPEN_LINES))
STATS = (FileStat("greet.py", 1, 1, "modified"), FileStat("docs/a|b.md", 12, 0, "added"))
JOB = Job(
    "7f3a",
    "comment",
    Target("octocat/greeter", 9, 3, comment_id=7),
    Command("solve", "Louder."),
    "mona",
    5,
)
DONE = Report(
    JOB,
    "done",
    base_ref="main",
    base_sha=BASE,
    patch=Patch(BASE, ONE, STATS[:1]),
    summary="Greet louder\n\nThe greeting is in capitals now. Ask @mona; fixes #1.",
    reflections=(
        "**Revised.** The test was left behind.",
        "**Confident.** All callers were checked.",
    ),
    notes=("`.github/tinygen.yml`, line 3: `mode` should be 'diff' or 'pr'. It is left out.",),
    shown=(
        ShownFile("greet.py", 1, 9, "named in the request"),
        ShownFile("tests/test_greet.py", 1, 20, "its test"),
    ),
    left_out=("Comments by people without a say in this repository that were not shown: 3.",),
    push="new",
    repository_url="https://github.com/octocat/greeter",
    model="gpt-5.4",
    usage=Usage(3, 12_345, 678, 9_000, 0.0421, 17.4),
)
STEPS = (
    Step("Read the task and the repository", "done"),
    Step("Write the change", "running"),
    Step("Deliver"),
)
BROKEN = Failure(
    "The model did not answer within 300 seconds.", "Try again.", retryable=True, kind="TimedOut"
)
HERE = "https://github.com/octocat/greeter"
PULL = f"{HERE}/pull/4"
HELP = Report(replace(JOB, command=Command("help")), "done")
FAULT = Counterexample("greet('ada')", "greet.py:5", 'it says "HEY", not "HELLO"')
TAKEN = Verdict(
    confident=False,
    reason='Input: greet(\'ada\')\nPlace: greet.py:5\nResult: it says "HEY", not "HELLO"',
    counterexamples=(FAULT,),
    decision="taken",
    why="A comparison of both versions chose it.",
    comparison="Only one of them says HELLO.",
)
KEPT = Verdict(
    confident=False,
    reason="I would whisper.\n\n- and\n- shout",
    decision="kept",
    why="Its edits were not used: it named no input, place and wrong result.",
)
ENDINGS = {
    "queued": replace(
        DONE, state="queued", steps=STEPS, usage=Usage(), notes=(), behind=(PULL, PULL, PULL)
    ),
    "running": replace(DONE, state="running", steps=STEPS, reflections=(), notes=()),
    "diff": DONE,
    "revised": replace(
        DONE,
        reflections=tuple(
            map(render_reflection, (TAKEN, KEPT, Verdict(confident=True, reason="It is loud.")))
        ),
        first_patch=Patch(BASE, ONE.replace("HELLO", "HEY"), STATS[:1]),
    ),
    "long_diff": replace(DONE, patch=Patch(BASE, LONG, STATS)),
    "pull_request": replace(DONE, mode="pr", patch=Patch(BASE, ONE, STATS), pull_request_url=PULL),
    "commit": replace(
        DONE, mode="pr", commit_url="https://github.com/octocat/greeter/commit/" + "a" * 40
    ),
    "workflows_withheld": replace(DONE, mode="pr", pull_request_url=PULL, withheld=Patch(BASE, CI)),
    "suggestion": replace(DONE, suggestion='    return "HELLO, " + name + "!"'),
    "follow_up": replace(DONE, continues="7f39", estimate_usd=0.03),
    "on_a_fork": replace(DONE, push="fork"),
    "answer": replace(
        DONE,
        job=replace(JOB, command=Command("ask", "Where is it?")),
        patch=None,
        summary="In `greet`, at `greet.py:4-5`:\n\n```python\ndef greet(name: str) -> str:\n```",
        references=(Reference("greet.py:4-5", "greet.py", 4, 5),),
        reflections=(),
        notes=(),
    ),
    "conflict": replace(
        DONE,
        state="failed",
        patch=None,
        usage=Usage(),
        notes=(),
        failure=Failure(
            "It no longer goes with the branch in: greet.py.",
            "Ask again.",
            kind="Conflict",
            details="greet.py:\n<<<<<<< the branch now\nHi\n=======\nHello\n>>>>>>> the change",
        ),
    ),
    "together": replace(
        DONE, patch=None, usage=Usage(), notes=(), together_with=f"{PULL}#discussion_r7"
    ),
    "withheld_alone": replace(
        DONE, notes=("Nothing was pushed: the App lacks the workflows permission.",)
    ),
    "help": replace(HELP, summary=render_help("mona", "write", "issue", "diff")),
    "help_on_a_fork": replace(HELP, summary=render_help("mona", "triage", "fork", "diff", may=())),
    "no_change": replace(
        DONE, patch=Patch(BASE, ""), summary="The greeting is loud already.", notes=()
    ),
    "failed": replace(DONE, state="failed", failure=BROKEN),
    "failed_for_good": replace(
        DONE, state="failed", failure=Failure("No branch `x`.", "Name an existing branch.")
    ),
    "refused": replace(
        DONE, state="refused", usage=Usage(), notes=(), failure=Failure("You may not.", "Ask mona.")
    ),
    "cancelled": replace(DONE, state="cancelled", notes=()),
}


def rendered(name: str) -> str:
    return (
        render_pull_body(ENDINGS["pull_request"], requests=(ENDINGS["diff"], ENDINGS["follow_up"]))
        if name == "pull_request_body"
        else render_comment(ENDINGS[name])
    )


@pytest.mark.parametrize("name", [*ENDINGS, "pull_request_body"])
def test_an_ending_reads_as_it_was_looked_over(name: str) -> None:
    assert rendered(name) == (GOLDEN / f"{name}.md").read_text()


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.md")} == {*ENDINGS, "pull_request_body"}


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for each in (*ENDINGS, "pull_request_body"):
        (GOLDEN / f"{each}.md").write_text(rendered(each))
