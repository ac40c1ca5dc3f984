"""Does the work of one accepted job: reads the task, finds the change's destination, asks the
model, and delivers the change. What must not be done again after a restart is a step."""

from __future__ import annotations

import time
from dataclasses import replace

import structlog

from bot.change.answer import answer
from bot.change.repository import Instructions, prepare_task, read_instructions
from bot.change.solve import NOTHING_YET, solve
from bot.errors import (
    Cancelled,
    Conflict,
    ImagesRefused,
    NeedsConsent,
    NotPermitted,
    OutsideError,
    TimedOut,
    Unworkable,
)
from bot.jobs.cancel import is_cancelled
from bot.jobs.ci_fixes import attempt_note, call_person, why_not_alone
from bot.jobs.deliver import deliver
from bot.jobs.deliver.apply import apply
from bot.jobs.deliver.destination import (
    DESTINATION,
    Destination,
    JobRepository,
    base_of,
    find_destination,
)
from bot.jobs.engine import FLAG, NUMBER, TEXTS, Postponed
from bot.jobs.policy import JobContext, mode_of, with_policy
from bot.jobs.progress import ProgressReporter, run_reporting_errors
from bot.jobs.spending import check_estimate, estimate_usd
from bot.jobs.task import read_task
from bot.jobs.task.images import ImageLoader
from bot.jobs.task.outsiders import REQUEST, merged
from bot.jobs.thread_jobs import asked_here, latest, lineage
from bot.jobs.workflows import RunRequest
from bot.thread.history import is_request, nothing_to_repeat
from bot.thread.page_links import without_signatures
from bot.thread.render import OPEN_PULL, render_outsiders_refusal, render_reflection
from bot.thread.settings import find_misplaced
from bot.types import (
    Job,
    Message,
    Outsider,
    Prompt,
    Reply,
    Report,
    ReportMode,
    Solution,
    Task,
    Usage,
)
from bot.types.pages import Turn, count_repeated
from bot.types.serialization import MAYBE_REPORT, REPORTS, Codec, Json, codec_of
from bot.types.snapshot import Changes, Patch, RepositoryView

BASE_LEFT_OUT = (
    "`--base` was left out: on a pull request the change is made on top of its own branch."
)
LINES_CHANGED = (
    "Lines that this was asked on have changed since: what was meant is read from the diff as it"
    " stood then."
)
CONFLICTS = (
    "The branch has changed where the diff shown before did: this goes on from that diff at its own"
    " base."
)
MAX_REPETITIONS = 10
"""Of repetitions of repetitions that a page's button leads back through."""
MAX_EARLIER_ANSWERS = 3
MAX_EARLIER_ANSWER_CHARS = 4_000
"""Of earlier questions and answers that a further question is shown."""
MAX_DIFF_CHARS = 40_000
"""How much the model is shown of the diff of an earlier change that the request continues."""

_log = structlog.get_logger()

_REPLY: Codec[Reply] = codec_of(Reply)
_TASK: Codec[Task] = codec_of(Task)


def _load_instructions(json: Json) -> Instructions:
    """Jobs that older code began have stored a text."""
    return Instructions(json) if isinstance(json, str) else _STORED_INSTRUCTIONS.load(json)


_STORED_INSTRUCTIONS: Codec[Instructions] = codec_of(Instructions)
_INSTRUCTIONS = Codec(_STORED_INSTRUCTIONS.dump, _load_instructions)


def run(context: JobContext, request: RunRequest) -> Postponed | None:
    """The workflow "run": does a job, and reports its end whatever happens."""
    job, authorization = request.job, request.authorization
    context = with_policy(context, authorization)
    mode = mode_of(job.command, context.policy)
    report = Report(job, "running", mode=mode, notes=authorization.mistakes)
    reporter = ProgressReporter(context, report, request.comment_id)
    return run_reporting_errors(context, reporter, _Run(context, job, reporter).work)


class _Run:
    """One run of one job. `work` calls the other methods in order; each is a few steps."""

    def __init__(self, context: JobContext, job: Job, reporter: ProgressReporter) -> None:
        self._context, self._reporter = context, reporter
        self._engine, self._policy = context.engine, context.policy
        self._job = job
        self._repeats: Report | None = None
        """The request that a `retry` repeats."""
        self._has_consent = False
        """Whether a `retry` says yes to what the request that it repeats will probably cost."""
        self._repository = JobRepository(context, job)
        self._images = ImageLoader(context, job)
        self._usage = Usage()
        self._calls = 0
        self._sent: tuple[Message, ...] = ()
        """The messages of the last prompt that was answered."""
        self._began = 0.0
        self._own_paths: frozenset[str] = frozenset()
        """The files of the earlier changes that this one continues."""

    def work(self) -> None:
        self._began = self._engine.step("begin", time.time, NUMBER)
        if self._engine.step("cancelled?", self._is_cancelled, FLAG):
            raise Cancelled
        if self._job.command.verb == "retry":
            self._repeat()
        if self._job.command.verb == "apply":
            apply(self._context, self._reporter, self._repository, self._task, self._repeats)
            return
        self._reporter.begin("read")
        task = self._task()
        self._reporter.update(left_out=task.left_out)
        destination = self._engine.step(
            "place",
            lambda: find_destination(self._context, self._job, self._repeats),
            DESTINATION,
        )
        self._note_what_was_left_out()
        self._check_head(destination)
        rests_on = merged(self._reporter.report.rests_on, task.rests_on, destination.rests_on)
        self._reporter.update(rests_on=rests_on)
        is_question = self._job.command.verb == "ask"
        if rests_on and self._policy.outsiders == "refuse" and not is_question:
            self._reporter.refuse(render_outsiders_refusal(rests_on))
            return
        if destination.open_pulls:
            self._reporter.update(open_pulls=destination.open_pulls)
            self._reporter.refuse(OPEN_PULL)
            return
        task, destination, pending = self._continue_earlier(task, destination)
        self._reporter.update(
            base_ref=destination.base_ref,
            base_sha=destination.base_sha,
            push=destination.push,
            continues=destination.continues,
            mode=self._mode(destination),
        )
        view = self._repository.view(destination.base_sha)
        if is_question:
            self._answer(task, view, pending)
            return
        misplaced = find_misplaced(view.blobs)
        if misplaced:
            self._reporter.note(*misplaced)
        task = prepare_task(task, view, instructions=self._instructions(destination))
        solution = self._solve(task, destination, view, pending)
        self._add_to_report(solution)
        deliver(self._context_of_delivery(solution), self._reporter, destination, task)

    def _context_of_delivery(self, solution: Solution) -> JobContext:
        """A fix of a check that does more than it may with nobody watching is only shown."""
        last = solution.revisions[-1]
        if self._job.check is None or not last.patch.text:
            return self._context
        why = why_not_alone(self._job, last.signs, last.changes, self._own_paths)
        if not why:
            return self._context
        called = call_person(self._context, self._job)
        policy = replace(self._policy, why_not_write=f"{why} {called}".strip())
        return replace(self._context, policy=policy)

    def _repeat(self) -> None:
        """Gives this job the command of the thread's last request. It keeps its own id, and starts
        from where that request started."""
        earlier = self._engine.step("find request", self._find_request, MAYBE_REPORT)
        if earlier is None:
            raise nothing_to_repeat()
        asked = earlier.job
        self._check_may_repeat(asked)
        self._repeats = earlier
        self._has_consent = bool(earlier.failure and earlier.failure.kind == NeedsConsent.__name__)
        self._job = replace(
            self._job, command=asked.command, remarks=asked.remarks, check=asked.check
        )
        askers: tuple[Outsider, ...] = ()
        if self._policy.is_outsider(asked.actor):
            askers = (Outsider(asked.actor, REQUEST),)
        self._reporter.update(
            job=self._job,
            mode=mode_of(asked.command, self._policy),
            rests_on=merged(earlier.rests_on, askers),
        )

    def _find_request(self) -> Report | None:
        """The request to repeat: the one that a page names, or else the last of the thread. None if
        it is no longer kept, or none that may be repeated."""
        named_id, here = self._job.command.prompt, self._job.target
        if not named_id:
            return latest(self._context, self._job, is_request)
        named = self._context.reports.load(named_id)
        for _ in range(MAX_REPETITIONS):  # what was to repeat another one, and never began
            if named is None or named.job.command.verb != "retry":
                break
            named = self._context.reports.load(named.job.command.prompt)
        if named is None:
            return None
        there = named.job.target
        is_here = (there.repository_key, there.issue_number, there.reply_to) == (
            here.repository_key,
            here.issue_number,
            here.reply_to,
        )
        return named if is_here and is_request(named) else None

    def _check_may_repeat(self, asked: Job) -> None:
        """A failed `apply` may be repeated only by somebody who may give `apply`: their approval is
        what the diff waits for."""
        if asked.command.verb != "apply" or self._policy.authors is None:
            return
        own_permission = self._policy.permission_of(self._job.actor)
        if "apply" not in self._policy.may_do(own_permission):
            raise NotPermitted(
                "What failed was an `apply`, which you may not say here.",
                next_step="Ask a maintainer.",
            )

    def _task(self) -> Task:
        return self._engine.step(
            "task", lambda: read_task(self._context, self._job, self._images), _TASK
        )

    def _note_what_was_left_out(self) -> None:
        if self._job.target.is_pull and self._job.command.base:
            self._reporter.note(BASE_LEFT_OUT)
        if any(comment.line is None for comment in self._job.remarks):
            self._reporter.note(LINES_CHANGED)

    def _check_head(self, destination: Destination) -> None:
        """For a failed check: Unworkable if somebody has pushed since it failed."""
        check = self._job.check
        if check is None:
            return
        self._reporter.note(attempt_note(check))
        if destination.base_sha != check.head_sha:
            raise Unworkable(
                "The branch was pushed to meanwhile, so this was left alone.", next_step=""
            )

    def _mode(self, destination: Destination) -> ReportMode:
        """How the change is to be delivered. On TinyGen's own pull request and on lines of a diff
        it becomes a commit also without `--pr`."""
        mode = mode_of(self._job.command, self._policy)
        if mode == "ask" or self._job.command.mode:
            return mode
        return "pr" if destination.is_own or self._job.remarks else mode

    def _continue_earlier(
        self, task: Task, destination: Destination
    ) -> tuple[Task, Destination, Patch | None]:
        """The task with the earlier change that it continues; its destination; and the earlier
        change itself if it is not committed yet."""
        continues = destination.continues
        if continues is None:
            return task, destination, None
        reports = self._engine.step("earlier", lambda: self._lineage(continues), REPORTS)
        if not reports:
            return task, destination, None
        first, last = reports[0], reports[-1]
        self._own_paths = frozenset(
            file.path for report in reports if report.patch for file in report.patch.files
        )
        pending = None
        if last.commit_url or last.pull_request_url or last.patch is None:
            earlier_change = self._difference(first.base_sha or "", destination.base_sha)
        else:
            try:
                pending = self._repository.rebased(last.patch, destination.base_sha)
            except Conflict:
                pending = last.patch
                destination = replace(destination, base_sha=last.patch.base_sha)
                self._reporter.note(CONFLICTS)
            earlier_change = pending.text
        requests = tuple(
            report.job.command.prompt for report in reports if report.job.command.verb == "solve"
        )
        task = replace(task, earlier=requests, diff=_cut(earlier_change))
        return task, destination, pending

    def _difference(self, base_sha: str, head_sha: str) -> str:
        """Empty if the commits cannot be compared in time: the files that are shown say enough."""
        if not (base_sha and head_sha):
            return ""
        try:
            return self._repository.difference(base_sha, head_sha, MAX_DIFF_CHARS + 1)
        except TimedOut:
            return ""

    def _lineage(self, job_id: str) -> tuple[Report, ...]:
        report = self._context.reports.load(job_id)
        return lineage(self._context, report) if report else ()

    def _instructions(self, destination: Destination) -> Instructions | None:
        """The instruction files of the default branch, since anybody may have written those of a
        pull request's branch. None if the job's base is the default branch itself."""
        is_default = base_of(self._context, self._job) is None and destination.continues is None
        if destination.push in ("new", "none") and is_default:
            return None
        return self._engine.step(
            "instructions",
            lambda: read_instructions(self._repository.default_branch()),
            _INSTRUCTIONS,
        )

    def _answer(self, task: Task, view: RepositoryView, pending: Patch | None) -> None:
        """Ends the job with the answer to its question."""
        answered = self._engine.step("answers before", self._answered, TEXTS)
        found = answer(
            prepare_task(replace(task, answered=answered), view, instructions=Instructions()),
            view,
            self._ask,
            limits=self._policy.limits,
            changes=self._changes(pending),
            report_step=self._reporter.begin,
        )
        self._reporter.note(*found.notes)
        self._reporter.finish(summary=found.text, references=found.references, shown=found.shown)

    def _answered(self) -> tuple[str, ...]:
        """The last questions of the thread, each with its answer, oldest first."""
        reports = asked_here(self._context, self._job)
        done = [each for each in reports if each.mode == "ask" and each.state == "done"]
        return tuple(
            f"{each.job.command.prompt}\n\n{each.summary[:MAX_EARLIER_ANSWER_CHARS]}"
            for each in reversed(done[:MAX_EARLIER_ANSWERS])
        )

    def _changes(self, pending: Patch | None) -> Changes:
        if pending is None:
            return NOTHING_YET
        return self._context.git.apply(self._job.target.repository_key, pending)[0]

    def _solve(
        self, task: Task, destination: Destination, view: RepositoryView, pending: Patch | None
    ) -> Solution:
        git, key = self._context.git, self._job.target.repository_key
        return solve(
            task,
            view,
            self._ask,
            lambda changes: git.diff(key, destination.base_sha, changes),
            limits=self._policy.limits,
            report_step=self._reporter.begin,
            start=self._changes(pending),
            parsers=self._context.parsers,
            seed=self._job.id,
        )

    def _ask(self, prompt: Prompt) -> Reply:
        try:
            reply = self._reply(prompt)
        except ImagesRefused as refusal:
            self._images.are_refused = True
            left_out = f"All images were left out: {refusal.message}"
            self._reporter.update(left_out=(*self._reporter.report.left_out, left_out))
            reply = self._reply(prompt)
        self._usage = self._usage.plus(reply)
        self._reporter.update(model=reply.model, usage=self._usage)
        return reply

    def _reply(self, prompt: Prompt) -> Reply:
        """The prompt is sent without our secrets, and without images that the model refused."""
        messages = [
            replace(part, text=self._context.clean(without_signatures(part.text)))
            for part in prompt.messages
        ]
        if self._images.are_refused:
            messages = [replace(part, images=()) for part in messages]
        sent = replace(prompt, messages=tuple(messages))
        self._calls += 1
        number, before = self._calls, self._sent
        if number == 1:
            self._reporter.update(estimate_usd=estimate_usd(sent, self._policy))
        estimate = self._reporter.report.estimate_usd

        def call() -> Reply:
            if number == 1 and not self._has_consent:
                check_estimate(estimate, self._policy, self._job)
            reply = self._call(sent)
            self._keep(number, before, sent, reply)
            return reply

        reply = self._engine.step(f"ask {prompt.purpose}", call, _REPLY)
        self._sent = sent.messages  # a prompt that failed has no turn
        return reply

    def _keep(self, number: int, before: tuple[Message, ...], prompt: Prompt, reply: Reply) -> None:
        """Keeps a turn for the job's page. A reply that was paid for is not lost if this fails."""
        conversations = self._context.conversations
        if conversations is None:
            return
        repeated = count_repeated(before, prompt)
        reply = replace(reply, text=self._context.clean(reply.text))
        ended_at = self._context.now().isoformat()
        turn = Turn(number, prompt.purpose, repeated, prompt.messages[repeated:], reply, ended_at)
        try:
            conversations.keep(self._job.id, turn)
        except OutsideError as error:
            _log.warning("a turn of the conversation is not kept", error=error.message)

    def _call(self, prompt: Prompt) -> Reply:
        left_s = self._began + self._policy.job_s - time.time()
        if left_s <= 0:
            raise TimedOut(
                f"The job took longer than its {self._policy.job_s:.0f} seconds.",
                next_step="Ask for less at once, or let the operator raise TINYGEN_JOB_SECONDS.",
            )
        return self._context.model.ask(
            prompt,
            stop=self._is_cancelled,
            deadline_s=min(left_s, self._policy.call_s),
            model=self._policy.settings.model,
            images=self._images.contents(prompt),
        )

    def _is_cancelled(self) -> bool:
        return is_cancelled(self._context, self._job.id)

    def _add_to_report(self, solution: Solution) -> None:
        reflections = tuple(
            render_reflection(revision.verdict)
            for revision in solution.revisions
            if revision.verdict
        )
        first, last = solution.revisions[0], solution.revisions[-1]
        self._reporter.update(
            patch=last.patch,
            summary=last.summary,
            reflections=reflections,
            first_patch=first.patch if first is not last else None,
            shown=solution.shown,
        )
        self._reporter.note(*solution.notes)


def _cut(diff: str) -> str:
    return diff if len(diff) <= MAX_DIFF_CHARS else diff[:MAX_DIFF_CHARS] + "\n[cut here]"
