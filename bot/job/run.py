"""The work of one job: locate, read, ask, deliver. What a restart must not do again is a step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from pydantic import TypeAdapter

from bot.core.command import parse_command
from bot.core.instructions import read_instructions
from bot.core.loop import solve
from bot.core.material import clean_material
from bot.core.record import dump_report, load_job, load_report
from bot.core.report import Report, Usage
from bot.core.types import Job, Message, Prompt, Reply, Snapshot, Solution, Task
from bot.errors import BadRequest, Cancelled, OutsideError, TimedOut
from bot.job.accept import cancel_id
from bot.job.deliver import Place, deliver
from bot.job.engine import Json
from bot.job.house import House
from bot.job.tell import Teller, ending
from bot.job.wait import put_off_where_limited

_replies = TypeAdapter(Reply)
_tasks = TypeAdapter(Task)
_places = TypeAdapter(Place)

DELIVERED = "This change had been delivered already; nothing new was made."
BASE_LEFT_OUT = "`--base` was left out: on a pull request the change is made on top of its own branch."
MAX_COMMENTS_CHARS = 20_000
"""Of the comments before the command, newest kept."""
_MAINTAINERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
"""Whose comments the model is shown. https://docs.github.com/en/graphql/reference/enums#commentauthorassociation"""


def run(house: House, payload: Json) -> Json:
    """Does a job, and tells its end whatever happens."""
    job = load_job(payload["job"])
    teller = Teller(house, Report(job, "running", mode=job.command.mode or house.rules.mode), payload["comment_id"])
    with ending(teller):
        return put_off_where_limited(house, job, _Run(house, job, teller).work, key=job.target.repo.lower())
    return None


class _Run:
    """One run of one job. Its methods are called in order, each a few steps."""

    def __init__(self, house: House, job: Job, teller: Teller) -> None:
        self._house, self._teller = house, teller
        self._step = house.engine.step
        self._job = job
        self._usage = Usage()
        self._began = 0.0

    def work(self) -> None:
        self._began = self._step("begin", time.time)
        self._stop_if_cancelled()
        if self._job.command.verb == "retry":
            self._take_up_again()
        if self._job.command.verb == "apply":
            self._apply()
            return
        self._teller.progress("read")
        task = self._task()
        place = self._place(self._job.command.base)
        notes = (BASE_LEFT_OUT,) if self._job.target.is_pull and self._job.command.base else ()
        self._teller.update(base_ref=place.base_ref, base_sha=place.base_sha, notes=notes)
        snapshot = self._snapshot(place)
        task = replace(task, instructions=self._instructions(place, snapshot))
        solution = self._solve(task, place, snapshot)
        self._report(solution)
        deliver(self._house, self._teller, place, task)

    # -- the task and where it belongs --

    def _take_up_again(self) -> None:
        """`retry`: this job becomes the thread's last request, under its own id."""
        earlier = self._step("find request", lambda: self._latest(_is_request))
        if earlier is None:
            raise BadRequest(
                "There is no earlier request in this thread.", next_step="Say what to do: `/tinygen PROMPT`."
            )
        command = load_report(earlier).job.command
        self._job = replace(self._job, command=command)
        self._teller.update(job=self._job, mode=command.mode or self._house.rules.mode)

    def _apply(self) -> None:
        """`apply`: the diff last shown in this thread, exactly; no model is asked."""
        found = self._step("find diff", lambda: self._latest(_has_diff))
        if found is None:
            raise BadRequest(
                "No diff was shown in this thread yet.", next_step="Ask for one: `/tinygen --diff PROMPT`."
            )
        shown = load_report(found)
        base_sha = shown.patch.base_sha if shown.patch else ""
        self._teller.update(
            mode="pr", base_ref=shown.base_ref, base_sha=base_sha, patch=shown.patch, summary=shown.summary
        )
        if shown.pull_request_url or shown.commit_url:
            self._teller.done(
                pull_request_url=shown.pull_request_url,
                commit_url=shown.commit_url,
                withheld=shown.withheld,
                notes=(DELIVERED,),
            )
            return
        place = self._place(shown.base_ref if not self._job.target.is_pull else None)
        place = replace(place, base_sha=base_sha, branch_of=shown.job)
        self._snapshot(place)
        deliver(self._house, self._teller, place, self._task())

    def _latest(self, wanted: Callable[[Report], bool]) -> Json:
        target = self._job.target
        if target.issue_number is None:
            return None
        reports = self._house.reports.latest(target.repo, target.issue_number)
        return next(
            (dump_report(report) for report in reports if report.job.id != self._job.id and wanted(report)), None
        )

    def _task(self) -> Task:
        return _tasks.validate_python(self._step("task", lambda: _tasks.dump_python(self._read_task(), mode="json")))

    def _read_task(self) -> Task:
        target = self._job.target
        if target.issue_number is None:
            return Task(target.repo, self._job.command.prompt)
        github = self._house.connect(target.repo, target.installation_id)
        thread = github.thread(target.issue_number)
        earlier = [
            f"{comment.author} wrote:\n{clean_material(comment.body)}"
            for comment in github.comments(target.issue_number)
            if comment.author_association in _MAINTAINERS
            and not comment.author_is_bot
            and (target.comment_id is None or comment.id < target.comment_id)
            and parse_command(comment.body) is None
        ]
        title, body = clean_material(thread.title), clean_material(thread.body)
        return Task(target.repo, self._job.command.prompt, title, body, _newest(earlier, MAX_COMMENTS_CHARS))

    def _place(self, base: str | None) -> Place:
        return _places.validate_python(
            self._step("place", lambda: _places.dump_python(self._find_place(base), mode="json"))
        )

    def _find_place(self, base: str | None) -> Place:
        target = self._job.target
        github = self._house.connect(target.repo, target.installation_id)
        if target.is_pull and target.issue_number is not None:
            pull = github.pull(target.issue_number)
            if pull.state == "closed":
                raise BadRequest("This pull request is closed.", next_step="Reopen it, or ask on an issue.")
            same = pull.head_repo is not None and pull.head_repo.lower() == target.repo.lower()
            return Place(pull.head_ref, pull.head_sha, "head" if same else "fork", self._job)
        ref, sha = github.resolve(base)
        if ref == sha and target.issue_number is not None:
            raise BadRequest("`--base` takes a branch, not a commit.", next_step="Name the branch to start from.")
        return Place(ref, sha, "none" if target.issue_number is None else "new", self._job)

    # -- the repository --

    def _fetch(self, place: Place) -> None:
        target = self._job.target

        def fetch() -> None:
            github = self._house.connect(target.repo, target.installation_id)
            self._house.git.fetch(target.repo, github.remote(), place.base_sha)

        if place.base_sha:
            self._step("fetch", fetch)

    def _snapshot(self, place: Place) -> Snapshot:
        """Rebuilt from its sha after a restart, from the cache or, where that is gone, from GitHub."""
        self._fetch(place)
        target = self._job.target
        try:
            return self._house.git.snapshot(target.repo, place.base_sha)
        except OutsideError:
            github = self._house.connect(target.repo, target.installation_id)
            self._house.git.fetch(target.repo, github.remote(), place.base_sha)
            return self._house.git.snapshot(target.repo, place.base_sha)

    def _instructions(self, place: Place, snapshot: Snapshot) -> str:
        """What the repository asks, from its default branch: a pull request's own author may be anybody."""
        if place.push in ("new", "none") and self._job.command.base is None:
            return read_instructions(snapshot)
        words: str = self._step("instructions", self._read_instructions)
        return words

    def _read_instructions(self) -> str:
        target = self._job.target
        github = self._house.connect(target.repo, target.installation_id)
        _name, sha = github.resolve(None)
        self._house.git.fetch(target.repo, github.remote(), sha)
        return read_instructions(self._house.git.snapshot(target.repo, sha))

    # -- the model --

    def _solve(self, task: Task, place: Place, snapshot: Snapshot) -> Solution:
        return solve(
            task,
            snapshot,
            self._ask,
            lambda changes: self._house.git.diff(self._job.target.repo, place.base_sha, changes),
            limits=self._house.rules.limits,
            tell=self._teller.progress,
        )

    def _ask(self, prompt: Prompt) -> Reply:
        clean = Prompt(
            prompt.purpose, tuple(Message(part.role, self._house.clean(part.text)) for part in prompt.messages)
        )
        answer = self._step(f"ask {prompt.purpose}", lambda: _replies.dump_python(self._call(clean), mode="json"))
        reply = _replies.validate_python(answer)
        self._usage = _add(self._usage, reply)
        self._teller.update(model=reply.model, usage=self._usage)
        return reply

    def _call(self, prompt: Prompt) -> Reply:
        left_s = self._began + self._house.rules.job_s - time.time()
        if left_s <= 0:
            raise TimedOut(
                f"The job took longer than its {self._house.rules.job_s:.0f} seconds.",
                next_step="Ask for less at once, or let the operator raise TINYGEN_JOB_SECONDS.",
            )
        return self._house.model.ask(prompt, stop=self._is_cancelled, deadline_s=min(left_s, self._house.rules.call_s))

    def _is_cancelled(self) -> bool:
        return self._house.engine.state(cancel_id(self._job.id)) != "unknown"

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
                f"{'Confident.' if verdict.confident else 'Revised.'} {verdict.reason}".strip() for verdict in verdicts
            ),
            notes=(*self._teller.report.notes, *solution.notes),
            shown=solution.shown,
        )


def _is_request(report: Report) -> bool:
    """Whether `retry` means this one: what its asker may not ask, or what cannot be carried out, it never is. What a
    limit refused may be asked again."""
    command = report.job.command
    allowed = report.state != "refused" or (report.failure is not None and report.failure.retryable)
    if not allowed or command.problem:
        return False
    return command.verb == "solve" or (command.verb == "apply" and report.state in ("failed", "cancelled", "refused"))


def _has_diff(report: Report) -> bool:
    return report.state == "done" and report.patch is not None and report.patch.text != ""


def _newest(comments: list[str], limit_chars: int) -> tuple[str, ...]:
    kept: list[str] = []
    for comment in reversed(comments):
        limit_chars -= len(comment)
        if limit_chars < 0:
            break
        kept.insert(0, comment)
    return tuple(kept)


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
