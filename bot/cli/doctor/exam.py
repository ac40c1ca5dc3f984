"""`python -m bot doctor --model`: whether a model and its server can do what jobs ask of them, and up to
which budget.

What costs little comes first; the request as long as the budget comes last, with what is left of
the tokens.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random, SystemRandom

from bot.app import build_model, build_prices, set_up_logs
from bot.change.tokens import estimate_tokens
from bot.cli.doctor.exercises import EXERCISES, exercise_prompt, judge_exercises
from bot.cli.doctor.finding import Finding
from bot.cli.doctor.needles import (
    ROOM_TOKENS,
    describe_loss,
    find_words,
    make_haystack,
    needle_prompt,
    next_budget,
)
from bot.cli.doctor.questions import (
    REPLY_LINES,
    last_number,
    length_prompt,
    system_prompt,
    verdict_fault,
    verdict_prompt,
)
from bot.cli.output import print_line
from bot.config import Config
from bot.errors import ContextTooLong, LimitReached, TinyGenError
from bot.logs import make_redactor
from bot.types import Prompt, Reply

MAX_TOKENS = 60_000
"""In and out, for the whole exam; enough for the default budget."""
MIN_BUDGET_TOKENS = 1_000
"""The least that TINYGEN_CONTEXT_TOKENS takes."""
MIN_EXERCISES = 8
"""Of ten: a job asks again for an edit that failed, so one or two do no harm. Set by hand."""
_REPLY_TOKENS = 3_000
"""What is kept free for each reply: a long one, or one that thinks first."""
_SAFETY_FACTOR = 1.25
"""How much more a server may count than `estimate_tokens`, as in bot/change/tokens.py."""
_WORDS_TOKENS = 1_000
"""TinyGen's own words and the question, beside the text with the needles."""
_MAX_TRIES = 4
_CUT_SHARE = 0.8
"""A server that reports fewer tokens than this part of the estimate did not read the whole prompt:
of code, real tokens are 0.86 to 1.09 of the estimate (bot/change/tokens.py)."""
_RAISE_CONTEXT = "Raise the server's context (num_ctx, --ctx-size, --max-model-len), or see below."
_JOB_REPLY_TOKENS = 2_000
"""A reply with several edits, by which a call's time is judged."""


@dataclass(slots=True)
class Examiner:
    """Asks the model, and adds up what that took. LimitReached before a request that might take more
    than `max_tokens` in all."""

    send: Callable[[Prompt], Reply]
    max_tokens: int = MAX_TOKENS
    used_tokens: int = 0
    cost_usd: float | None = None
    """None if no reply had a cost."""

    def ask(self, prompt: Prompt) -> Reply:
        if self.used_tokens + self._may_take(prompt) > self.max_tokens:
            raise LimitReached(
                f"It was not asked: {self.max_tokens - self.used_tokens:,} tokens are left.",
                next_step=f"Let the exam take more: `--max-tokens {2 * self.max_tokens}`.",
            )
        reply = self.send(prompt)
        self.used_tokens += reply.prompt_tokens + reply.completion_tokens
        if reply.cost_usd is not None:
            self.cost_usd = (self.cost_usd or 0.0) + reply.cost_usd
        return reply

    def room_tokens(self) -> int:
        """The largest budget that one more request can prove."""
        left = self.max_tokens - self.used_tokens - _REPLY_TOKENS
        return max(0, int(left / _SAFETY_FACTOR) - _WORDS_TOKENS - ROOM_TOKENS)

    def _may_take(self, prompt: Prompt) -> int:
        text = "".join(message.text for message in prompt.messages)
        return estimate_tokens(text, safe=True) + _REPLY_TOKENS


@dataclass(frozen=True, slots=True)
class Proof:
    """The budget up to which every needle came back; 0 if none was proved. `is_limited`: more was not
    tried, for want of tokens."""

    budget_tokens: int
    is_limited: bool = False


@dataclass(frozen=True, slots=True)
class Exam:
    """One exam for a budget; each part tells its findings. `call_s` is the time that a call of a job
    may take."""

    examiner: Examiner
    tell: Callable[[Finding], None]
    context_tokens: int
    call_s: float
    random: Random

    def hold(self) -> Proof:
        """All parts. Where the first is not answered at all, the others are not asked."""
        try:
            self.check_system()
        except TinyGenError as error:
            self.tell(Finding("model", False, error.message, error.next_step))
            return Proof(0)
        for subject, check in (
            ("edits", self.check_edits),
            ("verdicts", self.check_verdicts),
            ("reply length", self.check_length),
        ):
            try:
                check()
            except TinyGenError as error:
                self.tell(Finding(subject, False, error.message, error.next_step))
        return self.check_context()

    def check_system(self) -> None:
        prompt, word = system_prompt(self.random)
        reply = self.examiner.ask(prompt)
        if word in reply.text:
            self.tell(Finding("system message", True, "The model obeys it."))
        else:
            message = "The model does not obey it: the server may drop it."
            step = "Use a server or a chat template that passes the system message on."
            self.tell(Finding("system message", False, message, step))

    def check_edits(self) -> None:
        """In two requests that begin with the same text: the second may come from a cache."""
        half = len(EXERCISES) // 2
        wrong: dict[str, str] = {}
        for exercises in (EXERCISES[:half], EXERCISES[half:]):
            reply = self.examiner.ask(exercise_prompt(exercises))
            wrong |= judge_exercises(exercises, reply.text)
        self.tell(_judge_edits(wrong))
        if reply.cached_tokens:
            message = f"{reply.cached_tokens:,} of {reply.prompt_tokens:,} tokens came from it."
            self.tell(Finding("cache", True, message))
        else:
            message = "None is reported: a job's later calls cost as much as its first."
            self.tell(Finding("cache", None, message))

    def check_verdicts(self) -> None:
        faults = []
        for is_right in (True, False):
            reply = self.examiner.ask(verdict_prompt(is_right=is_right))
            fault = verdict_fault(reply.text, is_right=is_right)
            faults += [fault] if fault else []
        if faults:
            step = "Use another model, or read each change yourself: its reviews do not help."
            message = f"Not as a job needs them: {'; '.join(faults)}."
            self.tell(Finding("verdicts", False, message, step))
        else:
            message = "It tells a right change from a wrong one, and says so in the asked words."
            self.tell(Finding("verdicts", True, message))

    def check_length(self) -> None:
        reply = self.examiner.ask(length_prompt())
        self.tell(_judge_length(reply))
        self.tell(_judge_speed(reply, self.call_s))

    def check_context(self) -> Proof:
        """A budget that does not fit is followed by a smaller one, until one does."""
        first_tokens = min(self.context_tokens, self.examiner.room_tokens())
        budget_tokens = first_tokens
        for _ in range(_MAX_TRIES):
            if budget_tokens < MIN_BUDGET_TOKENS:
                break
            next_tokens = self._try_budget(budget_tokens)
            if next_tokens == budget_tokens:
                return Proof(budget_tokens, budget_tokens == first_tokens < self.context_tokens)
            budget_tokens = min(next_tokens, self.examiner.room_tokens())
        if first_tokens < MIN_BUDGET_TOKENS:
            step = f"Let the exam take more: `--max-tokens {2 * self.examiner.max_tokens}`."
            self.tell(Finding("context", False, "Not tried: too few tokens are left.", step))
        return Proof(0)

    def _try_budget(self, budget_tokens: int) -> int:
        """The same budget if all of it is read; else a smaller one that should fit; 0 if there is
        none."""
        haystack = make_haystack(budget_tokens, self.random)
        try:
            reply = self.examiner.ask(needle_prompt(haystack))
        except ContextTooLong as error:
            message = f"A text of {budget_tokens:,} tokens is refused. {error.message}"
            self.tell(Finding("context", False, message, _RAISE_CONTEXT))
            return budget_tokens // 2
        except TinyGenError as error:
            self.tell(Finding("context", False, error.message, error.next_step))
            return 0
        found = find_words(haystack, reply.text)
        if all(found):
            message = (
                f"Of {budget_tokens:,} tokens everything is read, with {ROOM_TOKENS:,} more for"
                f" thread and reply ({_report(reply)})."
            )
            self.tell(Finding("context", True, message))
            return budget_tokens
        is_cut = _is_cut(budget_tokens, reply)
        message = _describe_loss(budget_tokens, found, reply, is_cut=is_cut)
        self.tell(Finding("context", False, message, _RAISE_CONTEXT))
        if budget_tokens == MIN_BUDGET_TOKENS:
            return 0
        fitting = _budget_within(reply.prompt_tokens) if is_cut else next_budget(haystack, found)
        return max(fitting, MIN_BUDGET_TOKENS)


def _judge_edits(wrong: Mapping[str, str]) -> Finding:
    """`wrong`: why an exercise was not done, by its name."""
    count = len(EXERCISES) - len(wrong)
    message = f"{count} of {len(EXERCISES)} exercises were done in the asked form."
    if not wrong:
        return Finding("edits", True, message)
    reasons = "; ".join(f"{name}: {reason}" for name, reason in wrong.items())
    if count >= MIN_EXERCISES:
        return Finding("edits", None, f"{message} Not: {reasons}.")
    step = "Use another model: one that follows instructions and writes code."
    return Finding("edits", False, f"{message} Not: {reasons}.", step)


def _judge_speed(reply: Reply, call_s: float) -> Finding:
    tokens_per_s = reply.completion_tokens / max(reply.seconds, 0.001)
    message = f"{tokens_per_s:,.0f} tokens a second, the reading of the prompt included."
    needed_s = _JOB_REPLY_TOKENS / max(tokens_per_s, 0.001)
    if needed_s <= call_s:
        return Finding("speed", True, message)
    message = f"{message} A reply of {_JOB_REPLY_TOKENS:,} tokens takes longer than a call may."
    step = f"Set TINYGEN_CALL_SECONDS to {2 * needed_s:.0f} or more, or use a faster server."
    return Finding("speed", False, message, step)


def _judge_length(reply: Reply) -> Finding:
    last = last_number(reply.text)
    tokens = f"{reply.completion_tokens:,} tokens"
    if last >= REPLY_LINES:
        return Finding("reply length", True, f"A reply of {tokens} comes whole.")
    step = "Raise TINYGEN_MAX_REPLY_TOKENS, or the server's own limit (num_predict, max_tokens)."
    if reply.finish == "length":
        message = f"Replies are cut off after {tokens} (finish reason length)."
    else:
        message = f"A reply ended after {tokens}, at line {last} of {REPLY_LINES}, as if whole."
    return Finding("reply length", False, message, step)


def _is_cut(budget_tokens: int, reply: Reply) -> bool:
    return not reply.tokens_are_estimated and reply.prompt_tokens < _CUT_SHARE * budget_tokens


def _budget_within(server_tokens: int) -> int:
    """What fits into a server's context beside TinyGen's own words, the task and the reply, if the
    server counts a tenth more than we do."""
    return int((server_tokens - _WORDS_TOKENS - ROOM_TOKENS) / 1.1)


def _describe_loss(budget_tokens: int, found: Sequence[bool], reply: Reply, *, is_cut: bool) -> str:
    came_back = f"{sum(found)} of {len(found)} needles came back"
    lost = describe_loss(found)
    if is_cut:
        return (
            f"Of {budget_tokens:,} tokens the server reads {reply.prompt_tokens:,} and drops {lost},"
            f" without saying so ({came_back})."
        )
    return (
        f"Of {budget_tokens:,} tokens {lost} is not read: {came_back}; {_report(reply)}. The server"
        " cuts long prompts, or the model does not find what they hold."
    )


def _report(reply: Reply) -> str:
    if reply.tokens_are_estimated:
        return f"the server reports no tokens; {reply.seconds:.0f} s"
    return f"the server counts {reply.prompt_tokens:,}; {reply.seconds:.0f} s"


def conclude(findings: Sequence[Finding], proof: Proof, context_tokens: int) -> tuple[str, int]:
    """The last line, and the exit status."""
    subjects = dict.fromkeys(
        each.subject for each in findings if each.good is False and each.subject != "context"
    )
    proved = proof.budget_tokens
    if proved < context_tokens:
        proved = proved // 100 * 100
    if subjects:
        return f"not fit: {', '.join(subjects)}; of the context {proved} tokens were proved", 1
    if proved == context_tokens:
        return f"fit for TINYGEN_CONTEXT_TOKENS={context_tokens}", 0
    if proved < MIN_BUDGET_TOKENS:
        return "not fit: no budget was proved", 1
    if proof.is_limited:
        whole_tokens = context_tokens + _WORDS_TOKENS + ROOM_TOKENS
        needed = int(whole_tokens * _SAFETY_FACTOR) + MAX_TOKENS // 2
        return (
            f"fit for TINYGEN_CONTEXT_TOKENS={proved}; {context_tokens} was not tried: that takes"
            f" `--max-tokens {needed}`",
            0,
        )
    return (
        f"not fit for TINYGEN_CONTEXT_TOKENS={context_tokens}: set TINYGEN_CONTEXT_TOKENS={proved}",
        1,
    )


def examine(config: Config, options: argparse.Namespace) -> int:
    """Prints a line for each finding, and last for which budget the model is fit."""
    set_up_logs(config)
    model = build_model(config)
    name = options.model or config.openai_model
    max_tokens = options.max_tokens or MAX_TOKENS
    remove_secrets = make_redactor(config.secrets())
    findings: list[Finding] = []

    def send(prompt: Prompt) -> Reply:
        return model.ask(prompt, stop=lambda: False, deadline_s=config.call_s, model=name)

    def tell(finding: Finding) -> None:
        findings.append(finding)
        print_line(remove_secrets(str(finding)))

    price = build_prices(config).get(name)
    most_usd = max(price.prompt, price.completion) * max_tokens / 1_000_000 if price else None
    limit = (
        f"{max_tokens:,} tokens" if most_usd is None else f"{max_tokens:,} tokens, ${most_usd:.2f}"
    )
    print_line(f"An exam of {name}: at most {limit}.")
    examiner = Examiner(send, max_tokens)
    proof = Exam(examiner, tell, config.context_tokens, config.call_s, SystemRandom()).hold()
    cost = "" if examiner.cost_usd is None else f", ${examiner.cost_usd:.4f}"
    print_line(f"{examiner.used_tokens:,} tokens used{cost}.")
    line, status = conclude(findings, proof, config.context_tokens)
    print_line(line)
    return status
