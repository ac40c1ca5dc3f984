"""The work of one job: locate, read, ask, deliver. What a restart must not do again is a step."""

from __future__ import annotations

import time
from dataclasses import replace

from pydantic import TypeAdapter

from bot.change.repository import read_instructions, with_wishes
from bot.change.solve import NOTHING_YET, solve
from bot.errors import BadRequest, Cancelled, Conflict, ImagesRefused, NotPermitted, TimedOut, Unworkable
from bot.jobs.ci_fixes import attempt_note
from bot.jobs.deliver import apply, deliver
from bot.jobs.destination import Ground, Place, base_of, find_place
from bot.jobs.engine import Json
from bot.jobs.policy import House, load_terms, may_do, under
from bot.jobs.progress import Teller
from bot.jobs.retry import see_through
from bot.jobs.task import REQUEST, Album, is_outsider, level_of, merged, read_task
from bot.jobs.thread_jobs import is_cancelled, is_request, latest, lineage
from bot.thread.render import refused_for
from bot.thread.settings import with_rules
from bot.types import Job, Outsider, Prompt, Reply, Report, Solution, Task, Usage
from bot.types.serialization import dump_report, load_job, load_report
from bot.types.snapshot import Patch, Snapshot

_replies = TypeAdapter(Reply)
_tasks = TypeAdapter(Task)
_places = TypeAdapter(Place)

BASE_LEFT_OUT = "`--base` was left out: on a pull request the change is made on top of its own branch."
MOVED = "Lines that this was asked on have changed since: what was meant is read from the diff as it stood then."
STAYS = "The branch has changed where the diff shown before did: this goes on from that diff at its own base."
MAX_DIFF_CHARS = 40_000
"""Of the change that a request goes on from, as the model is shown it."""


def run(house: House, payload: Json) -> Json:
    """Does a job, and tells its end whatever happens."""
    job, terms = load_job(payload["job"]), load_terms(payload.get("terms"))
    house = under(house, terms)
    begun = Report(job, "running", mode=job.command.mode or house.rules.mode, notes=terms.mistakes)
    teller = Teller(house, begun, payload["comment_id"])
    return see_through(house, teller, _Run(house, job, teller).work)


class _Run:
    """One run of one job. Its methods are called in order, each a few steps."""

    def __init__(self, house: House, job: Job, teller: Teller) -> None:
        self._house, self._teller = house, teller
        self._step = house.engine.step
        self._job = job
        self._again: Report | None = None
        self._ground = Ground(house, job)
        self._album = Album(house, job)
        self._usage = Usage()
        self._began = 0.0

    def work(self) -> None:
        self._began = self._step("begin", time.time)
        self._stop_if_cancelled()
        if self._job.command.verb == "retry":
            self._take_up_again()
        if self._job.command.verb == "apply":
            apply(self._house, self._teller, self._ground, self._task, again=self._again)
            return
        self._teller.progress("read")
        task = self._task()
        self._teller.update(left_out=task.left_out)
        place = self._place()
        if self._job.target.is_pull and self._job.command.base:
            self._teller.update(notes=(*self._teller.report.notes, BASE_LEFT_OUT))
        if any(remark.line is None for remark in self._job.remarks):
            self._teller.update(notes=(*self._teller.report.notes, MOVED))
        self._check_is_present(place)
        rests_on = merged(self._teller.report.rests_on, task.rests_on, place.rests_on)
        self._teller.update(rests_on=rests_on)
        if rests_on and self._house.rules.outsiders == "refuse":
            self._teller.refused(refused_for(rests_on))
            return
        task, place, pending = self._go_on(task, place)
        mode = self._job.command.mode or ("pr" if place.is_own or self._job.remarks else self._house.rules.mode)
        self._teller.update(base_ref=place.base_ref, base_sha=place.base_sha, continues=place.continues, mode=mode)
        snapshot = with_rules(self._ground.snapshot(place.base_sha), self._house.rules.repo)
        task = self._with_wishes(task, place, snapshot)
        solution = self._solve(task, place, snapshot, pending)
        self._report(solution)
        deliver(self._house, self._teller, place, task)

    # -- the task and where it belongs --

    def _take_up_again(self) -> None:
        """`retry`: this job becomes the thread's last request, under its own id, from where that one started."""
        earlier = self._step("find request", lambda: _dumped(latest(self._house, self._job, is_request)))
        if earlier is None:
            raise BadRequest(
                "There is no earlier request in this thread.", next_step="Say what to do: `/tinygen PROMPT`."
            )
        self._again = load_report(earlier)
        asked = self._again.job
        command = asked.command
        self._check_may_repeat(asked)
        self._job = replace(self._job, command=command, remarks=asked.remarks, check=asked.check)
        askers = (Outsider(asked.actor, REQUEST),) if is_outsider(self._house, asked.actor) else ()
        rests_on = merged(self._again.rests_on, askers)
        self._teller.update(job=self._job, mode=command.mode or self._house.rules.mode, rests_on=rests_on)

    def _check_may_repeat(self, asked: Job) -> None:
        """An `apply` that failed is tried again by whoever may say `apply`: it is what the diff waits for."""
        if asked.command.verb != "apply" or self._house.rules.judgement is None:
            return
        if "apply" not in may_do(self._house, level_of(self._house, self._job.actor)):
            raise NotPermitted("What failed was an `apply`, which you may not say here.", next_step="Ask a maintainer.")

    def _task(self) -> Task:
        return _tasks.validate_python(self._step("task", self._read_task))

    def _read_task(self) -> Json:
        return _tasks.dump_python(read_task(self._house, self._job, self._album), mode="json")

    def _place(self) -> Place:
        return _places.validate_python(
            self._step(
                "place", lambda: _places.dump_python(find_place(self._house, self._job, self._again), mode="json")
            )
        )

    def _go_on(self, task: Task, place: Place) -> tuple[Task, Place, Patch | None]:
        """The task with what was made before it, its place, and the part of that which no commit holds yet."""
        if place.continues is None:
            return task, place, None
        line = self._step("earlier", lambda: [dump_report(each) for each in self._lineage(place.continues or "")])
        reports = tuple(load_report(each) for each in line)
        if not reports:
            return task, place, None
        last = reports[-1]
        asked = tuple(report.job.command.prompt for report in reports if report.job.command.verb == "solve")
        if last.commit_url or last.pull_request_url or last.patch is None:
            so_far, pending = self._ground.difference(reports[0].base_sha or "", place.base_sha), None
        else:
            try:
                pending = self._ground.rebased(last.patch, place.base_sha)
            except Conflict:
                pending, place = last.patch, replace(place, base_sha=last.patch.base_sha)
                self._teller.update(notes=(*self._teller.report.notes, STAYS))
            so_far = pending
        return replace(task, earlier=asked, diff=_cut(so_far.text)), place, pending

    def _check_is_present(self, place: Place) -> None:
        """A check that failed is worked on only while nobody else does."""
        check = self._job.check
        if check is None:
            return
        self._teller.update(notes=(*self._teller.report.notes, attempt_note(check)))
        if place.base_sha != check.head_sha:
            raise Unworkable("The branch was pushed to meanwhile, so this was left alone.", next_step="")

    def _lineage(self, job_id: str) -> tuple[Report, ...]:
        report = self._house.reports.load(job_id)
        return lineage(self._house, report) if report else ()

    # -- the repository --

    def _with_wishes(self, task: Task, place: Place, snapshot: Snapshot) -> Task:
        """The task with what the repository asks of whoever changes it."""
        return with_wishes(task, self._instructions(place, snapshot), self._house.rules.repo)

    def _instructions(self, place: Place, snapshot: Snapshot) -> str:
        """What its files say, from the default branch: a pull request's own author may be anybody."""
        is_default = base_of(self._house, self._job) is None and place.continues is None
        if place.push in ("new", "none") and is_default:
            return read_instructions(snapshot)
        words: str = self._step("instructions", self._read_instructions)
        return words

    def _read_instructions(self) -> str:
        repo, github = self._job.target.repository_key, self._ground.github()
        _name, sha = github.resolve(None)
        self._house.git.fetch(repo, github.remote(), sha)
        return read_instructions(with_rules(self._house.git.snapshot(repo, sha), self._house.rules.repo))

    # -- the model --

    def _solve(self, task: Task, place: Place, snapshot: Snapshot, pending: Patch | None) -> Solution:
        repo = self._job.target.repository_key
        return solve(
            task,
            snapshot,
            self._ask,
            lambda changes: self._house.git.diff(repo, place.base_sha, changes),
            limits=self._house.rules.limits,
            tell=self._teller.progress,
            start=self._house.git.apply(repo, pending)[0] if pending else NOTHING_YET,
            judge=self._house.judge,
        )

    def _ask(self, prompt: Prompt) -> Reply:
        try:
            reply = self._reply(self._sendable(prompt))
        except ImagesRefused as refusal:
            self._album.is_shut = True
            unseen = f"All images were left out: {refusal.message}"
            self._teller.update(left_out=(*self._teller.report.left_out, unseen))
            reply = self._reply(self._sendable(prompt))
        self._usage = _add(self._usage, reply)
        self._teller.update(model=reply.model, usage=self._usage)
        return reply

    def _sendable(self, prompt: Prompt) -> Prompt:
        """The prompt without our secrets, and without images that the model would not take."""
        messages = [replace(part, text=self._house.clean(part.text)) for part in prompt.messages]
        if self._album.is_shut:
            messages = [replace(part, images=()) for part in messages]
        return replace(prompt, messages=tuple(messages))

    def _reply(self, prompt: Prompt) -> Reply:
        answer = self._step(f"ask {prompt.purpose}", lambda: _replies.dump_python(self._call(prompt), mode="json"))
        return _replies.validate_python(answer)

    def _call(self, prompt: Prompt) -> Reply:
        left_s = self._began + self._house.rules.job_s - time.time()
        if left_s <= 0:
            raise TimedOut(
                f"The job took longer than its {self._house.rules.job_s:.0f} seconds.",
                next_step="Ask for less at once, or let the operator raise TINYGEN_JOB_SECONDS.",
            )
        rules = self._house.rules
        return self._house.model.ask(
            prompt,
            stop=self._is_cancelled,
            deadline_s=min(left_s, rules.call_s),
            model=rules.repo.model,
            images=self._album.contents(prompt),
        )

    def _is_cancelled(self) -> bool:
        return is_cancelled(self._house, self._job.id)

    def _stop_if_cancelled(self) -> None:
        if self._step("cancelled?", self._is_cancelled):
            raise Cancelled

    def _report(self, solution: Solution) -> None:
        last = solution.revisions[-1]
        verdicts = [revision.verdict for revision in solution.revisions if revision.verdict]
        self._teller.update(
            patch=last.patch,
            summary=last.summary,
            reflections=tuple(
                f"**{'Confident' if verdict.confident else 'Revised'}.** {verdict.reason}".strip()
                for verdict in verdicts
            ),
            notes=(*self._teller.report.notes, *solution.notes),
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
