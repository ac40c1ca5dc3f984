"""The exam of a model: one that can do it passes, and each way in which a server or a model fails is
named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Literal

import pytest

from bot.adapters.model import OpenAIModel
from bot.change.tokens import estimate_tokens
from bot.cli.doctor import Finding
from bot.cli.doctor.exam import MAX_TOKENS, Exam, Examiner, Proof, conclude
from bot.cli.doctor.exercises import EXERCISES, exercise_prompt, judge_exercises
from bot.cli.doctor.needles import (
    ROOM_TOKENS,
    find_words,
    make_haystack,
    needle_prompt,
    next_budget,
)
from bot.errors import LimitReached
from bot.types import Prompt, Reply
from tests.cli.shell import run_bot
from tests.doubles.examinee import (
    Seen,
    answer_rightly,
    cap,
    cut,
    drop_system,
    in_words,
    serve,
    solve,
)
from tests.doubles.model import Fault, Messages, ModelDouble, server_error, too_long

DEFAULT = 24_000


@dataclass(frozen=True)
class Result:
    findings: dict[str, Finding]
    """By subject; of one subject the first."""
    line: str
    status: int
    used_tokens: int

    @property
    def faults(self) -> set[str]:
        return {subject for subject, each in self.findings.items() if each.good is False}


def examine(
    server: Callable[[Messages], Fault],
    *,
    context_tokens: int = DEFAULT,
    max_tokens: int = MAX_TOKENS,
    usage: bool = True,
) -> Result:
    """Holds the exam over HTTP, as the command does."""
    with ModelDouble(server, usage=usage, piece=4096) as double:
        model = OpenAIModel(double.url, None, "double-1", retries=0)

        def send(prompt: Prompt) -> Reply:
            return model.ask(prompt, stop=lambda: False, deadline_s=60)

        return hold(send, context_tokens=context_tokens, max_tokens=max_tokens)


def hold(
    send: Callable[[Prompt], Reply],
    *,
    context_tokens: int = DEFAULT,
    max_tokens: int = MAX_TOKENS,
    call_s: float = 300,
) -> Result:
    findings: list[Finding] = []
    examiner = Examiner(send, max_tokens)
    proof = Exam(examiner, findings.append, context_tokens, call_s, Random(7)).hold()
    assert all(finding.next_step for finding in findings if finding.good is False)
    line, status = conclude(findings, proof, context_tokens)
    by_subject = {each.subject: each for each in reversed(findings)}
    return Result(by_subject, line, status, examiner.used_tokens)


def test_a_model_that_can_do_it_is_fit_for_the_whole_budget() -> None:
    result = examine(serve())
    assert (result.line, result.status) == ("fit for TINYGEN_CONTEXT_TOKENS=24000", 0)
    assert {subject: each.good for subject, each in result.findings.items()} == {
        "system message": True,
        "edits": True,
        "cache": None,
        "verdicts": True,
        "reply length": True,
        "speed": True,
        "context": True,
    }


def test_the_exam_for_the_default_budget_takes_less_than_60000_tokens() -> None:
    result = examine(serve())
    assert DEFAULT < result.used_tokens < 60_000


@pytest.mark.parametrize("lost", ["front", "middle", "end"])
@pytest.mark.parametrize("tokens", [4096, 8192, 16_384])
def test_a_server_that_cuts_prompts_is_named_with_the_budget_that_it_takes(
    tokens: int, lost: Literal["front", "middle", "end"]
) -> None:
    result = examine(serve(cut(tokens, lost)))
    assert (result.faults, result.status) == ({"context"}, 1)
    assert f"the server reads {tokens:,} and drops" in result.findings["context"].message
    said, _, budget = result.line.rpartition("=")
    assert said == "not fit for TINYGEN_CONTEXT_TOKENS=24000: set TINYGEN_CONTEXT_TOKENS"
    assert 1000 <= int(budget) <= tokens - 3000 < int(budget) * 1.2
    assert result.used_tokens < 60_000


@pytest.mark.parametrize(
    ("lost", "words"), [("front", "its beginning"), ("middle", "its middle"), ("end", "its end")]
)
def test_what_a_server_drops_of_a_prompt_is_named(
    lost: Literal["front", "middle", "end"], words: str
) -> None:
    assert f"drops {words}" in examine(serve(cut(16_384, lost))).findings["context"].message


def test_a_server_that_cuts_prompts_and_reports_no_tokens_is_named_too() -> None:
    result = examine(serve(cut(8192, "end")), usage=False)
    assert "its end is not read: 2 of 6 needles" in result.findings["context"].message
    assert result.line.endswith("set TINYGEN_CONTEXT_TOKENS=4000")


def test_a_server_that_refuses_long_prompts_is_asked_for_shorter_ones() -> None:
    honest = serve()

    def refuse(messages: Messages) -> Fault:
        sent = sum(estimate_tokens(str(message["content"])) for message in messages)
        return too_long() if sent > 8192 else honest(messages)

    result = examine(refuse)
    assert "is refused" in result.findings["context"].message
    assert result.line.endswith("set TINYGEN_CONTEXT_TOKENS=3000")


def test_a_model_that_finds_nothing_in_long_texts_is_no_server_that_cuts() -> None:
    def forget(seen: Seen) -> str:
        said = answer_rightly(seen)
        return "I see none of them." if "Which are the words" in seen.user else said

    result = examine(serve(answer=forget))
    assert "or the model does not find" in result.findings["context"].message
    assert result.line == "not fit: no budget was proved"


def test_a_server_that_drops_the_system_message_is_named() -> None:
    result = examine(serve(drop_system))
    assert "system message" in result.faults
    assert result.line.startswith("not fit: system message")


@pytest.mark.parametrize(
    ("finish", "words"), [("length", "finish reason length"), ("stop", "as if whole")]
)
def test_a_server_that_caps_replies_is_named(finish: str, words: str) -> None:
    result = examine(serve(speech=cap(512, finish)))
    assert words in result.findings["reply length"].message
    assert "512 tokens" in result.findings["reply length"].message
    assert "reply length" in result.line


@pytest.mark.parametrize(
    "said",
    [
        "I have changed all of the files as you asked.",
        '{"edits": [{"file": "src/config.py", "old": "30", "new": "45"}]}',
        "```\nTIMEOUT_S = 45\n```",
    ],
)
def test_a_model_that_ignores_the_form_of_edits_is_named(said: str) -> None:
    def answer(seen: Seen) -> str:
        return said if "is an exercise" in seen.user else answer_rightly(seen)

    result = examine(serve(answer=answer))
    assert result.faults == {"edits"}
    assert "0 of 10" in result.findings["edits"].message
    assert result.line == "not fit: edits; of the context 24000 tokens were proved"


def test_one_exercise_that_fails_is_told_and_is_no_fault() -> None:
    def answer(seen: Seen) -> str:
        return answer_rightly(seen).replace("TIMEOUT_S = 45", "TIMEOUT_S = 54")

    result = examine(serve(answer=answer))
    assert result.findings["edits"].good is None
    assert "one line: the file is not as it was asked for" in result.findings["edits"].message
    assert result.status == 0


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("It looks good to me.", "said no verdict word"),
        ("[CONFIDENT] All is well.", "of a wrong change it said [CONFIDENT]"),
        ("[REVISION NEEDED] I do not like it.", "of a right change it said [REVISION NEEDED]"),
    ],
)
def test_a_model_whose_reviews_say_nothing_is_named(said: str, words: str) -> None:
    def answer(seen: Seen) -> str:
        return said if "Answer with [CONFIDENT]" in seen.user else answer_rightly(seen)

    result = examine(serve(answer=answer))
    assert result.faults == {"verdicts"}
    assert words in result.findings["verdicts"].message


def test_a_revision_without_a_counterexample_is_named() -> None:
    def answer(seen: Seen) -> str:
        return answer_rightly(seen).replace("Input: page_count(10, 4)\n", "")

    result = examine(serve(answer=answer))
    assert "named no input, place and result" in result.findings["verdicts"].message


def test_a_cache_is_told_by_the_tokens_that_came_from_it() -> None:
    result = examine(serve(speech=lambda text: Fault(text=text, cached_tokens=1024)))
    assert result.findings["cache"].good
    assert "1,024 of " in result.findings["cache"].message


def reply_of(text: str, *, seconds: float = 1.0, tokens: int = 400) -> Reply:
    return Reply(text, "stop", "double-1", 400, tokens, seconds)


def test_a_model_too_slow_for_a_job_is_named_with_the_setting() -> None:
    """The other answers do not matter here."""
    result = hold(lambda _prompt: reply_of("…", seconds=100, tokens=500), call_s=300)
    speed = result.findings["speed"]
    assert speed.good is False
    assert speed.next_step.startswith("Set TINYGEN_CALL_SECONDS to 800 or more")


def test_a_model_that_thinks_long_is_not_asked_beyond_the_limit() -> None:
    asked: list[Prompt] = []

    def think(prompt: Prompt) -> Reply:
        asked.append(prompt)
        return reply_of("…", tokens=25_000)

    result = hold(think)
    assert len(asked) == 3
    assert "tokens are left" in result.findings["reply length"].message
    assert result.status == 1


def test_a_request_that_may_take_more_than_is_left_is_not_sent() -> None:
    asked: list[Prompt] = []

    def send(prompt: Prompt) -> Reply:
        asked.append(prompt)
        return reply_of("…")

    examiner = Examiner(send, max_tokens=20_000)
    with pytest.raises(LimitReached, match="20,000 tokens are left"):
        examiner.ask(needle_prompt(make_haystack(DEFAULT, Random(1))))
    assert asked == []


def test_a_larger_budget_is_proved_as_far_as_the_tokens_go() -> None:
    result = examine(serve(), context_tokens=100_000)
    said, _, rest = result.line.partition(";")
    assert result.status == 0
    assert DEFAULT < int(said.removeprefix("fit for TINYGEN_CONTEXT_TOKENS=")) < 60_000
    assert "100000 was not tried" in rest
    needed = int(rest.rpartition("--max-tokens ")[2].strip("`"))
    assert result.used_tokens < 60_000
    whole = examine(serve(), context_tokens=100_000, max_tokens=needed)
    assert (whole.line, whole.status) == ("fit for TINYGEN_CONTEXT_TOKENS=100000", 0)


def test_a_server_that_does_not_answer_is_asked_once() -> None:
    asked: list[Messages] = []

    def fail(messages: Messages) -> Fault:
        asked.append(messages)
        return server_error()

    result = examine(fail)
    assert (len(asked), result.faults) == (1, {"model"})
    assert result.line.startswith("not fit: model;")
    assert result.status == 1


def test_one_part_that_fails_hides_none_of_the_others() -> None:
    honest = serve()

    def fail(messages: Messages) -> Fault:
        is_edit = "is an exercise" in str(messages[-1]["content"])
        return server_error() if is_edit else honest(messages)

    result = examine(fail)
    assert result.faults == {"edits"}
    assert result.findings["context"].good


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda each: each.name)
def test_an_exercise_is_judged_by_itself(exercise: object) -> None:
    others = [each for each in EXERCISES if each is not exercise]
    (name,) = judge_exercises(EXERCISES, "Do it\n\n" + "\n".join(map(solve, others)))
    assert name == getattr(exercise, "name")  # noqa: B009
    assert judge_exercises(EXERCISES, "Do it\n\n" + "\n".join(map(solve, EXERCISES))) == {}


def test_both_requests_of_the_exercises_begin_with_enough_to_be_cached() -> None:
    """OpenAI's servers cache from 1,024 tokens on."""
    first, second = (
        "".join(message.text for message in exercise_prompt(half).messages)
        for half in (EXERCISES[:5], EXERCISES[5:])
    )
    same = next(at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
    assert estimate_tokens(first[:same]) > 1_200


@pytest.mark.parametrize("budget_tokens", [1000, 6000, DEFAULT])
def test_the_needles_stand_at_each_quarter_of_the_budget_and_at_both_ends(
    budget_tokens: int,
) -> None:
    haystack = make_haystack(budget_tokens, Random(3))
    ends = [haystack.text.index(word) + len(word) for word in haystack.words]
    tokens = [estimate_tokens(haystack.text[:end]) for end in ends]
    assert tokens[0] < 30
    shares = [each / budget_tokens for each in tokens[1:5]]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1.0], abs=0.06)
    assert tokens[5] == pytest.approx(budget_tokens + ROOM_TOKENS, rel=0.02)


@pytest.mark.parametrize(
    ("found", "budget_tokens"),
    [
        ("yyynnn", 2000),  # up to the middle, 4,000, less the room
        ("yyyyyn", 6000),
        ("nnnyyy", 2000),  # the last quarter and the room, less the room
        ("ynnnyy", 1000),  # no more than the room: an eighth
        ("nnnnnn", 1000),
    ],
)
def test_the_next_budget_is_what_was_certainly_read(found: str, budget_tokens: int) -> None:
    haystack = make_haystack(8000, Random(3))
    assert next_budget(haystack, [each == "y" for each in found]) == budget_tokens


@pytest.mark.parametrize("lost", ["front", "middle", "end"])
def test_a_context_that_the_first_request_just_fills_is_not_fit(
    lost: Literal["front", "middle", "end"],
) -> None:
    """It leaves no room for the thread and the reply."""
    result = examine(serve(cut(DEFAULT + 1500, lost)))
    assert result.faults == {"context"}
    assert result.line.startswith("not fit for TINYGEN_CONTEXT_TOKENS=24000")


def test_no_answer_can_be_foreseen() -> None:
    first, second = make_haystack(1000, Random(1)), make_haystack(1000, Random(2))
    assert not set(first.words) & set(second.words)
    question = needle_prompt(replace(first, text="")).messages[1].text
    assert find_words(first, question) == (False,) * 6


def test_a_proof_below_the_least_setting_is_none() -> None:
    assert conclude([], Proof(900), DEFAULT) == ("not fit: no budget was proved", 1)


def test_the_numbers_of_a_whole_reply_are_those_that_are_counted() -> None:
    assert (in_words(13), in_words(40), in_words(221)) == (
        "thirteen",
        "forty",
        "two hundred twenty-one",
    )


@pytest.mark.slow
def test_the_command_ends_with_the_budget_that_is_fit(tmp_path: Path) -> None:
    with ModelDouble(serve(), piece=4096) as model:
        settings = {
            "OPENAI_BASE_URL": model.url,
            "TINYGEN_PRICE_INPUT": "1",
            "TINYGEN_PRICE_OUTPUT": "2",
        }
        ended = run_bot(tmp_path, "doctor", "--model", **settings)
    lines = ended.stdout.splitlines()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert lines[0] == "An exam of gpt-5.4: at most 60,000 tokens, $0.12."
    assert " tokens used, $0.0" in lines[-2]
    assert lines[-1] == "fit for TINYGEN_CONTEXT_TOKENS=24000"


@pytest.mark.slow
def test_the_command_examines_another_model_by_its_name(tmp_path: Path) -> None:
    with ModelDouble(serve(drop_system), piece=4096) as model:
        ended = run_bot(tmp_path, "doctor", "--model", "small", OPENAI_BASE_URL=model.url)
        asked = {each.body["model"] for each in model.requests}
    assert (ended.returncode, asked) == (1, {"small"})
    assert ended.stdout.splitlines()[-1].startswith("not fit: system message")
