"""The work of one job: locate, read, ask, deliver. What a restart must not do again is a step."""

from __future__ import annotations

import time
from dataclasses import replace

from pydantic import TypeAdapter

from bot.change.repository import prepare_task, read_instructions
from bot.change.solve import NOTHING_YET, solve
from bot.errors import (
    BadRequest,
    Cancelled,
    Conflict,
    ImagesRefused,
    NotPermitted,
    TimedOut,
    Unworkable,
)
from bot.jobs.ci_fixes import attempt_note
from bot.jobs.deliver import apply, deliver
from bot.jobs.destination import Destination, JobRepository, base_of, find_destination
from bot.jobs.engine import Json
from bot.jobs.policy import JobContext, load_authorization, may_do, with_policy
from bot.jobs.progress import ProgressReporter
from bot.jobs.retry import run_reporting_errors
from bot.jobs.task import REQUEST, ImageLoader, is_outsider, level_of, merged, read_task
from bot.jobs.thread_jobs import is_cancelled, is_request, latest, lineage
from bot.thread.render import refused_for
from bot.thread.settings import repository_policy
from bot.types import Job, Outsider, Prompt, Reply, Report, Solution, Task, Usage
from bot.types.serialization import dump_report, load_job, load_report
from bot.types.snapshot import Patch, RepositoryView, view_repository

_replies = TypeAdapter(Reply)
_tasks = TypeAdapter(Task)
_places = TypeAdapter(Destination)

BASE_LEFT_OUT = (
    "`--base` was left out: on a pull request the change is made on top of its own branch."
)
MOVED = (
    "Lines that this was asked on have changed since: what was meant is read from the diff as it"
    " stood then."
)
STAYS = (
    "The branch has changed where the diff shown before did: this goes on from that diff at its own"
    " base."
)
MAX_DIFF_CHARS = 40_000
"""Of the change that a request goes on from, as the model is shown it."""


def run(context: JobContext, payload: Json) -> Json:
    """Does a job, and tells its end whatever happens."""
    job, terms = load_job(payload["job"]), load_authorization(payload.get("terms"))
    context = with_policy(context, terms)
    begun = Report(
        job, "running", mode=job.command.mode or context.policy.mode, notes=terms.mistakes
    )
    reporter = ProgressReporter(context, begun, payload["comment_id"])
    return run_reporting_errors(context, reporter, _Run(context, job, reporter).work)


class _Run:
    """One run of one job. Its methods are called in order, each a few steps."""

    def __init__(self, context: JobContext, job: Job, reporter: ProgressReporter) -> None:
        self._context, self._reporter = context, reporter
        self._step = context.engine.step
        self._job = job
        self._again: Report | None = None
        self._repository = JobRepository(context, job)
        self._image_loader = ImageLoader(context, job)
        self._usage = Usage()
        self._began = 0.0

    def work(self) -> None:
        self._began = self._step("begin", time.time)
        self._stop_if_cancelled()
        if self._job.command.verb == "retry":
            self._take_up_again()
        if self._job.command.verb == "apply":
            apply(self._context, self._reporter, self._repository, self._task, again=self._again)
            return
        self._reporter.progress("read")
        task = self._task()
        self._reporter.update(left_out=task.left_out)
        place = self._place()
        if self._job.target.is_pull and self._job.command.base:
            self._reporter.update(notes=(*self._reporter.report.notes, BASE_LEFT_OUT))
        if any(remark.line is None for remark in self._job.remarks):
            self._reporter.update(notes=(*self._reporter.report.notes, MOVED))
        self._check_is_present(place)
        rests_on = merged(self._reporter.report.rests_on, task.rests_on, place.rests_on)
        self._reporter.update(rests_on=rests_on)
        if rests_on and self._context.policy.outsiders == "refuse":
            self._reporter.refused(refused_for(rests_on))
            return
        task, place, pending = self._go_on(task, place)
        mode = self._job.command.mode or (
            "pr" if place.is_own or self._job.remarks else self._context.policy.mode
        )
        self._reporter.update(
            base_ref=place.base_ref, base_sha=place.base_sha, continues=place.continues, mode=mode
        )
        view = self._repository.view(place.base_sha)
        task = prepare_task(task, view, instructions=self._instructions(place))
        solution = self._solve(task, place, view, pending)
        self._report(solution)
        deliver(self._context, self._reporter, place, task)

    def _take_up_again(self) -> None:
        """`retry`: this job becomes the thread's last request, under its own id, from where that
        one started."""
        earlier = self._step(
            "find request", lambda: _dumped(latest(self._context, self._job, is_request))
        )
        if earlier is None:
            raise BadRequest(
                "There is no earlier request in this thread.",
                next_step="Say what to do: `/tinygen PROMPT`.",
            )
        self._again = load_report(earlier)
        asked = self._again.job
        command = asked.command
        self._check_may_repeat(asked)
        self._job = replace(self._job, command=command, remarks=asked.remarks, check=asked.check)
        askers = (
            (Outsider(asked.actor, REQUEST),) if is_outsider(self._context, asked.actor) else ()
        )
        rests_on = merged(self._again.rests_on, askers)
        self._reporter.update(
            job=self._job, mode=command.mode or self._context.policy.mode, rests_on=rests_on
        )

    def _check_may_repeat(self, asked: Job) -> None:
        """An `apply` that failed is tried again by whoever may say `apply`: it is what the diff
        waits for."""
        if asked.command.verb != "apply" or self._context.policy.judgement is None:
            return
        if "apply" not in may_do(self._context, level_of(self._context, self._job.actor)):
            raise NotPermitted(
                "What failed was an `apply`, which you may not say here.",
                next_step="Ask a maintainer.",
            )

    def _task(self) -> Task:
        return _tasks.validate_python(self._step("task", self._read_task))

    def _read_task(self) -> Json:
        return _tasks.dump_python(
            read_task(self._context, self._job, self._image_loader), mode="json"
        )

    def _place(self) -> Destination:
        return _places.validate_python(
            self._step(
                "place",
                lambda: _places.dump_python(
                    find_destination(self._context, self._job, self._again), mode="json"
                ),
            )
        )

    def _go_on(self, task: Task, place: Destination) -> tuple[Task, Destination, Patch | None]:
        """The task with what was made before it, its place, and the part of that which no commit
        holds yet."""
        if place.continues is None:
            return task, place, None
        line = self._step(
            "earlier", lambda: [dump_report(each) for each in self._lineage(place.continues or "")]
        )
        reports = tuple(load_report(each) for each in line)
        if not reports:
            return task, place, None
        last = reports[-1]
        asked = tuple(
            report.job.command.prompt for report in reports if report.job.command.verb == "solve"
        )
        if last.commit_url or last.pull_request_url or last.patch is None:
            so_far, pending = (
                self._repository.difference(reports[0].base_sha or "", place.base_sha),
                None,
            )
        else:
            try:
                pending = self._repository.rebased(last.patch, place.base_sha)
            except Conflict:
                pending, place = last.patch, replace(place, base_sha=last.patch.base_sha)
                self._reporter.update(notes=(*self._reporter.report.notes, STAYS))
            so_far = pending
        return replace(task, earlier=asked, diff=_cut(so_far.text)), place, pending

    def _check_is_present(self, place: Destination) -> None:
        """A check that failed is worked on only while nobody else does."""
        check = self._job.check
        if check is None:
            return
        self._reporter.update(notes=(*self._reporter.report.notes, attempt_note(check)))
        if place.base_sha != check.head_sha:
            raise Unworkable(
                "The branch was pushed to meanwhile, so this was left alone.", next_step=""
            )

    def _lineage(self, job_id: str) -> tuple[Report, ...]:
        report = self._context.reports.load(job_id)
        return lineage(self._context, report) if report else ()

    def _instructions(self, place: Destination) -> str | None:
        """What the instruction files of the default branch say: a pull request's own author may be
        anybody. None if the job's base is the default branch."""
        is_default = base_of(self._context, self._job) is None and place.continues is None
        if place.push in ("new", "none") and is_default:
            return None
        words: str = self._step("instructions", self._read_instructions)
        return words

    def _read_instructions(self) -> str:
        repo, github = self._job.target.repository_key, self._repository.github()
        _name, sha = github.resolve(None)
        self._context.git.fetch(repo, github.remote(), sha)
        policy = repository_policy(self._context.policy.repo)
        return read_instructions(view_repository(self._context.git.snapshot(repo, sha), policy))

    def _solve(
        self, task: Task, place: Destination, view: RepositoryView, pending: Patch | None
    ) -> Solution:
        repo = self._job.target.repository_key
        return solve(
            task,
            view,
            self._ask,
            lambda changes: self._context.git.diff(repo, place.base_sha, changes),
            limits=self._context.policy.limits,
            tell=self._reporter.progress,
            start=self._context.git.apply(repo, pending)[0] if pending else NOTHING_YET,
            judge=self._context.judge,
        )

    def _ask(self, prompt: Prompt) -> Reply:
        try:
            reply = self._reply(self._sendable(prompt))
        except ImagesRefused as refusal:
            self._image_loader.is_shut = True
            unseen = f"All images were left out: {refusal.message}"
            self._reporter.update(left_out=(*self._reporter.report.left_out, unseen))
            reply = self._reply(self._sendable(prompt))
        self._usage = _add(self._usage, reply)
        self._reporter.update(model=reply.model, usage=self._usage)
        return reply

    def _sendable(self, prompt: Prompt) -> Prompt:
        """The prompt without our secrets, and without images that the model would not take."""
        messages = [replace(part, text=self._context.clean(part.text)) for part in prompt.messages]
        if self._image_loader.is_shut:
            messages = [replace(part, images=()) for part in messages]
        return replace(prompt, messages=tuple(messages))

    def _reply(self, prompt: Prompt) -> Reply:
        answer = self._step(
            f"ask {prompt.purpose}", lambda: _replies.dump_python(self._call(prompt), mode="json")
        )
        return _replies.validate_python(answer)

    def _call(self, prompt: Prompt) -> Reply:
        left_s = self._began + self._context.policy.job_s - time.time()
        if left_s <= 0:
            raise TimedOut(
                f"The job took longer than its {self._context.policy.job_s:.0f} seconds.",
                next_step="Ask for less at once, or let the operator raise TINYGEN_JOB_SECONDS.",
            )
        policy = self._context.policy
        return self._context.model.ask(
            prompt,
            stop=self._is_cancelled,
            deadline_s=min(left_s, policy.call_s),
            model=policy.repo.model,
            images=self._image_loader.contents(prompt),
        )

    def _is_cancelled(self) -> bool:
        return is_cancelled(self._context, self._job.id)

    def _stop_if_cancelled(self) -> None:
        if self._step("cancelled?", self._is_cancelled):
            raise Cancelled

    def _report(self, solution: Solution) -> None:
        last = solution.revisions[-1]
        verdicts = [revision.verdict for revision in solution.revisions if revision.verdict]
        self._reporter.update(
            patch=last.patch,
            summary=last.summary,
            reflections=tuple(
                f"**{'Confident' if verdict.confident else 'Revised'}.** {verdict.reason}".strip()
                for verdict in verdicts
            ),
            notes=(*self._reporter.report.notes, *solution.notes),
            shown=solution.shown,
        )


def _dumped(report: Report | None) -> Json:
    return None if report is None else dump_report(report)


def _cut(diff: str) -> str:
    return diff if len(diff) <= MAX_DIFF_CHARS else diff[:MAX_DIFF_CHARS] + "\n[cut here]"


def _add(usage: Usage, reply: Reply) -> Usage:
    costs = [cost for cost in (usage.cost_usd, reply.cost_usd) if cost is not None]
    return Usage(
        calls=usage.calls + 1,
        prompt_tokens=usage.prompt_tokens + reply.prompt_tokens,
        completion_tokens=usage.completion_tokens + reply.completion_tokens,
        cached_tokens=usage.cached_tokens + reply.cached_tokens,
        cost_usd=sum(costs) if costs else None,
        seconds=usage.seconds + reply.seconds,
    )
