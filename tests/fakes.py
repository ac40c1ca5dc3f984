"""Ports kept in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import get_args

from bot.errors import DatabaseFailed, OutsideError
from bot.ports import ChooseWaiting, UnsentReport
from bot.types import FINAL_STATES, Failure, Job, Removal, Report, State, WaitingJob
from bot.types.pages import (
    AppStatus,
    Check,
    GroupBy,
    JobFilter,
    JobList,
    SetupRecord,
    Spending,
    Turn,
)
from bot.types.quota import By
from bot.web.jobs import Stores


class MemoryInbox:
    """`is_away`: nothing can be stored."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.asker_keys: dict[str, str] = {}
        """Where it is not the job's id, as it is for calls of /run that wait."""
        self.is_away = False

    def accept(self, job: Job) -> bool:
        if self.is_away:
            raise DatabaseFailed("The database failed (disk I/O error).", next_step="Try again.")
        is_new = job.id not in self.jobs
        self.jobs.setdefault(job.id, job)
        return is_new

    def waiting(self, limit: int, choose: ChooseWaiting | None = None) -> Sequence[Job]:
        waits = [
            WaitingJob(
                job.id,
                self.asker_keys.get(job.id, job.id),
                job.target.repository_key,
                job.account,
            )
            for job in self.jobs.values()
        ]
        chosen = {each.id for each in waits} if choose is None else choose(waits)
        return tuple(job for job in self.jobs.values() if job.id in chosen)[:limit]

    def taken(self, job_id: str) -> None:
        del self.jobs[job_id]

    def refuse(self, report: Report, *, ship: bool) -> None:
        del self.jobs[report.job.id]


class MemoryReports:
    """`is_away`: nothing can be read."""

    def __init__(self) -> None:
        self.reports: dict[str, Report] = {}
        self.is_away = False
        self.pause_reason: str | None = None

    def save(self, report: Report) -> None:
        self.reports[report.job.id] = report

    def load(self, job_id: str) -> Report | None:
        if self.is_away:
            raise DatabaseFailed("The database failed (disk I/O error).", next_step="Try again.")
        return self.reports.get(job_id)

    def unfinished(self, unchanged_s: float, after: str = "") -> Sequence[Report]:
        """Two at a time, however lately they changed."""
        ids = sorted(
            job_id for job_id, report in self.reports.items() if report.state not in FINAL_STATES
        )
        return tuple(self.reports[job_id] for job_id in ids if job_id > after)[:2]

    def open_jobs(self, repository_key: str, issue_number: int) -> Sequence[Job]:
        reports = self.latest(repository_key, issue_number, len(self.reports))
        return tuple(report.job for report in reports if report.state not in FINAL_STATES)

    def queue(self, repository_key: str) -> Sequence[Job]:
        return tuple(
            each.job
            for each in self.reports.values()
            if each.job.target.repository_key == repository_key and each.state not in FINAL_STATES
        )

    def latest(self, repository_key: str, issue_number: int, limit: int = 20) -> Sequence[Report]:
        of = [
            each
            for each in self.reports.values()
            if each.job.target.repository_key == repository_key
        ]
        return tuple(
            reversed([each for each in of if each.job.target.issue_number == issue_number])
        )[:limit]

    def asked_at(self, job: Job, by: By, nth: int, since: float) -> float | None:
        """All were asked at the moment `since`."""
        same = [
            each
            for each in self.reports.values()
            if (
                each.job.actor == job.actor
                if by == "actor"
                else each.job.target.repo == job.target.repo
            )
        ]
        return since if len(same) >= nth else None

    def tokens_since(
        self, since: float, *, repository_key: str | None = None, asker_key: str | None = None
    ) -> int:
        of = [
            each
            for each in self.reports.values()
            if repository_key in (None, each.job.target.repository_key)
            and asker_key in (None, each.job.asker_key)
        ]
        return sum(each.usage.prompt_tokens + each.usage.completion_tokens for each in of)

    def kept(self, removal: Removal) -> tuple[tuple[str, ...], tuple[str, ...]]:
        of = [
            each.job
            for each in self.reports.values()
            if each.job.target.repository_key in removal.keys
        ]
        return tuple(job.id for job in of), removal.keys

    def forget_jobs(self, job_ids: Collection[str]) -> None:
        for job_id in job_ids:
            del self.reports[job_id]

    def paused(self) -> str | None:
        return self.pause_reason


class NoRefusals:
    """Nobody was refused lately."""

    def add(self, job: Job, failure: Failure, *, covers: str) -> None: ...

    def standing(self, job: Job, *, kind: str) -> Failure | None:
        return None


class MemoryWorkers:
    """`is_away`: nothing can be read. A worker that called `beat` once counts as alive for ever."""

    def __init__(self, *seen: str) -> None:
        self.seen = set(seen)
        self.is_away = False

    def beat(self, worker: str) -> None:
        self.seen.add(worker)

    def alive(self, within_s: float) -> frozenset[str]:
        if self.is_away:
            raise DatabaseFailed("The database failed (disk I/O error).", next_step="Try again.")
        return frozenset(self.seen)


class RemoteLog:
    """A request log that can be away. `written` are the states that arrived, by job, in the order
    of their first."""

    def __init__(self) -> None:
        self.is_away = False
        self.tries = 0
        self.written: dict[str, list[str]] = {}

    def write(self, report: Report) -> None:
        self.tries += 1
        if self.is_away:
            raise OutsideError("Supabase answered 503.", next_step="Try again later.")
        self.written.setdefault(report.job.id, []).append(report.state)


class MemoryListing:
    """The reports that `reports` holds, in any order; nothing was spent."""

    def __init__(self, reports: MemoryReports) -> None:
        self.reports = reports
        self.spent: tuple[Spending, ...] = ()

    def list_jobs(self, wanted: JobFilter, limit: int) -> JobList:
        """One page alone. ValueError for any mark."""
        if wanted.after:
            raise ValueError(wanted.after)
        found = [
            each
            for each in self.reports.reports.values()
            if wanted.state in (None, each.state)
            and wanted.repo.lower() in ("", each.job.target.repo.lower())
            and wanted.asker_key in (None, each.job.asker_key)
        ]
        return JobList(tuple(found[:limit]))

    def spending(self, by: GroupBy, since: str) -> tuple[Spending, ...]:
        return self.spent

    def counts(self) -> Mapping[State, int]:
        counts: dict[State, int] = dict.fromkeys(get_args(State), 0)
        for report in self.reports.reports.values():
            counts[report.state] += 1
        return counts


class MemoryConversations:
    def __init__(self) -> None:
        self.turns: dict[str, dict[int, Turn]] = {}

    def keep(self, job_id: str, turn: Turn) -> None:
        self.turns.setdefault(job_id, {})[turn.number] = turn

    def of(self, job_id: str) -> tuple[Turn, ...]:
        kept = self.turns.get(job_id, {})
        return tuple(kept[number] for number in sorted(kept))

    def count(self, job_id: str) -> int:
        return len(self.of(job_id))


class MemoryStatus:
    """Sessions, LastSeen and SetupRecords of `bot.ports`."""

    def __init__(self) -> None:
        self.last_setup: SetupRecord | None = None
        self.last_app: AppStatus | None = None
        self.last_check: Check | None = None
        self.ended: set[str] = set()

    def signing_key(self) -> bytes:
        return b"k" * 32

    def end_session(self, session_id: str, until: float) -> None:
        self.ended.add(session_id)

    def is_session_ended(self, session_id: str) -> bool:
        return session_id in self.ended

    def app(self) -> AppStatus | None:
        return self.last_app

    def save_app(self, status: AppStatus) -> None:
        self.last_app = status

    def check(self) -> Check | None:
        return self.last_check

    def save_check(self, check: Check) -> None:
        self.last_check = check

    def setup(self) -> SetupRecord | None:
        return self.last_setup

    def save_setup(self, record: SetupRecord) -> None:
        self.last_setup = record


class NoOutbox:
    """Nothing waits."""

    def __len__(self) -> int:
        return 0

    def add(self, report: Report) -> None: ...

    def next(self) -> UnsentReport | None:
        return None

    def sent(self, row: UnsentReport) -> None: ...

    def keep(self, row: UnsentReport) -> None: ...

    def refused(self, row: UnsentReport, wait_s: float) -> None: ...


def memory_stores(
    inbox: MemoryInbox | None = None,
    reports: MemoryReports | None = None,
    workers: MemoryWorkers | None = None,
    conversations: MemoryConversations | None = None,
    status: MemoryStatus | None = None,
) -> Stores:
    """What the web part is given, in memory."""
    reports, status = reports or MemoryReports(), status or MemoryStatus()
    return Stores(
        inbox or MemoryInbox(),
        reports,
        workers or MemoryWorkers(),
        MemoryListing(reports),
        conversations or MemoryConversations(),
        status,
        status,
        NoOutbox(),
        status,
    )
