"""The embedded database: every job with its newest report, the request log, and who was refused.

One URL: `sqlite:////absolute/path` on one machine (the durable engine's tables are in the same
file), or `postgresql://…` for many. Every method is safe to call from many threads and processes.
If the database fails, it raises OutsideError within a few seconds, and nothing is half-stored.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import get_args

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    and_,
    delete,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
    update,
)

from bot.adapters.database.connection import (
    insert_into,
    insert_unknown,
    open_engine,
    reading,
    upsert_newer,
    writing,
)
from bot.adapters.database.fair_queue import list_candidates
from bot.adapters.database.group_commit import GroupCommit, Row
from bot.adapters.database.limits import asked_at, tokens_since
from bot.adapters.database.metric_samples import add_measures, read_measures
from bot.adapters.database.migrations import count_pending, migrate
from bot.adapters.database.migrations.move import move
from bot.adapters.database.outbox import DatabaseOutbox
from bot.adapters.database.pages import (
    DatabaseTurns,
    forget_turns,
    list_jobs,
    prune_turns,
    spending,
)
from bot.adapters.database.refusals import DatabaseRefusals
from bot.adapters.database.request_log import (
    forget_rows,
    insert_row,
    load_refused,
    prune_rows,
    write_row,
)
from bot.adapters.database.schema import jobs, workers
from bot.adapters.database.shared_state import SharedState
from bot.ports import ChooseWaiting, MetricSample
from bot.types import FINAL_STATES, SILENT, WORK, Job, Removal, Report, State, Target
from bot.types.pages import GroupBy, JobFilter, JobList, Spending
from bot.types.quota import By
from bot.types.serialization import JOB, REPORT

MAX_IDS = 500
"""How many ids one statement may name."""
CLAIM_S = 5.0
"""How long jobs that `waiting` gave to one worker are kept from the others."""
IN_LINE_S = 60.0
"""How long a job that one worker was given keeps the later ones of its asker waiting."""

KEEP_S = 30 * 86_400.0
"""How long a job's id is remembered. GitHub redelivers what is at most three days old:
https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks"""

MAX_CANDIDATES = 200
"""How many waiting jobs a worker chooses among."""
MAX_UNFINISHED = 200
"""How many reports `unfinished` returns at once."""
MAX_OPEN = 500
"""How many jobs of each kind `open_jobs` reads."""
MAX_QUEUE = 20

CHECKPOINT_PAGES = 8_000
"""32 MB. Writing the write-ahead log into the file waits for the disk: better in a worker than in
the answer to a delivery."""
LOG_WAIT_S = 0.1
"""How long `shorten_write_ahead_log` waits for other users of the file."""

_OPEN_STATES = frozenset(get_args(State)) - FINAL_STATES
_IS_WAITING = jobs.c.taken_at.is_(None)
_HAS_REPORT = jobs.c.state.is_not(None)


class Database:
    """Inbox, Reports, RequestLog, Workers and Listing of `bot.ports`, and with them Outbox,
    Refusals, Sessions, LastSeen and Conversations."""

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], float] = time.time,
        wait_s: float = 3.0,
        checkpoint_pages: int = CHECKPOINT_PAGES,
    ) -> None:
        """`clock` gives seconds since 1970. `wait_s` is how long a statement may wait for a lock or
        an answer."""
        self._engine = open_engine(url, wait_s, checkpoint_pages)
        self._clock = clock
        self.outbox = DatabaseOutbox(self._engine, clock)
        self.refusals = DatabaseRefusals(self._engine, clock)
        self.shared = SharedState(self._engine)
        self.turns = DatabaseTurns(self._engine)
        self._accepting = GroupCommit(self._insert_jobs, wait_s=wait_s + 1)
        if self._engine.dialect.name == "postgresql":
            seconds = "extract(epoch from clock_timestamp())"
        else:
            seconds = "(julianday('now') - 2440587.5) * 86400.0"
        self._database_time: ColumnElement[float] = literal_column(seconds, Double)

    def create(self) -> int:
        """Makes the tables or brings them up to date, and returns how many changes that took. No
        connection stays open, so a process may fork afterwards."""
        return migrate(self._engine)

    def pending_migrations(self) -> int:
        """How many changes `create` would make."""
        return count_pending(self._engine)

    def move_to(self, other: Database, retire: Callable[[], None]) -> Mapping[str, int]:
        """Copies everything into the other database, which is empty (`bot.adapters.database.migrations.move`);
        `retire` then puts this one away."""
        return move(self._engine, other._engine, retire)

    def close(self) -> None:
        self._engine.dispose()

    def accept(self, job: Job) -> bool:
        """Stores the job: when this returns it survives the death of any process. A job id that is
        known already starts nothing, and no more does an event: then it is False.

        If it raises, after little more than `wait_s` at most, nothing is stored.
        """
        return self._accepting.add(
            {
                "id": job.id,
                "accepted_at": self._clock(),
                "repository_key": job.target.repository_key,
                # Calls of /run that wait are not put in one line for each caller, so each has a key
                # of its own until it has a report.
                "asker_key": job.id if job.source == "run" else job.asker_key,
                "account": job.account,
                "event_key": job.event_key or None,
                "job": json.dumps(JOB.dump(job)),
            }
        )

    def _insert_jobs(self, rows: Sequence[Row]) -> frozenset[str]:
        return insert_unknown(self._engine, jobs, rows)

    def waiting(self, limit: int, choose: ChooseWaiting | None = None) -> Sequence[Job]:
        """Oldest first. For CLAIM_S they are the caller's: until then nobody else gets them."""
        now = self._clock()
        # A claim that ends later than any made now was made by another clock, or before this one
        # was set back: it does not count.
        is_free = and_(_IS_WAITING, ~jobs.c.claimed_until.between(now, now + CLAIM_S))
        # What could not be started for so long stops no later command of its asker.
        is_in_line = or_(is_free, and_(_IS_WAITING, jobs.c.accepted_at > now - IN_LINE_S))
        is_chosen = is_free
        with reading(self._engine) as connection:
            if connection.execute(select(jobs.c.id).where(is_free).limit(1)).first() is None:
                return ()
            if choose is not None:
                ids = choose(list_candidates(connection, is_in_line, is_free, MAX_CANDIDATES))
                if not ids:  # none may start now: the write lock is not worth taking
                    return ()
                is_chosen = and_(is_free, jobs.c.id.in_(ids))
        oldest = (
            select(jobs.c.id, jobs.c.job)
            .where(is_chosen)
            .order_by(jobs.c.accepted_at, jobs.c.id)
            .limit(limit)
        )
        with writing(self._engine) as connection:
            rows = connection.execute(oldest.with_for_update(skip_locked=True)).all()
            claimed = update(jobs).where(jobs.c.id.in_([row.id for row in rows]))
            connection.execute(claimed.values(claimed_until=now + CLAIM_S))
        return tuple(_load_job(row.job) for row in rows)

    def taken(self, job_id: str) -> None:
        """The job is the engine's now. Its first report is `queued`, unless it has one already."""
        waits = select(jobs.c.job, jobs.c.state).where(jobs.c.id == job_id, _IS_WAITING)
        with writing(self._engine) as connection:
            row = connection.execute(waits.with_for_update()).one_or_none()
            if row is None:
                return
            job = _load_job(row.job)
            self._adopt(connection, job.target)
            # Of these two perhaps no report comes, and none is ever due.
            may_stay_silent = job.command.verb in SILENT or job.check is not None
            if row.state is None and not may_stay_silent:
                first = self._report_columns(Report(job, "queued"))
                connection.execute(update(jobs).where(jobs.c.id == job_id).values(first))
            self._take(connection, job_id)

    def refuse(self, report: Report, *, ship: bool) -> None:
        """Takes a waiting job as refused, when its asker was told of an earlier refusal: only its
        row in the request log is kept."""
        with writing(self._engine) as connection:
            insert_row(connection, report, self._clock())
            self._take(connection, report.job.id)
            if ship:
                self.outbox.insert(connection, report)

    def _take(self, connection: Connection, job_id: str) -> None:
        """Ends the job's wait. Without a report only its id stays."""
        is_job = jobs.c.id == job_id
        connection.execute(
            update(jobs)
            .where(is_job, ~_HAS_REPORT)
            .values(repository_key=None, asker_key=None, account=None)
        )
        connection.execute(
            update(jobs).where(is_job).values(job=None, taken_at=self._clock(), claimed_until=0.0)
        )
        if self._engine.dialect.name == "sqlite":
            # New rows go to the end of SQLite's file, never into the room that a row left when it
            # became shorter. So the row moves to the end, and the pages of its words become free.
            to_end = "UPDATE tinygen_jobs SET rowid = (SELECT max(rowid) + 1 FROM tinygen_jobs)"
            connection.execute(text(f"{to_end} WHERE id = :id"), {"id": job_id})

    def _adopt(self, connection: Connection, target: Target) -> None:
        """Gives the repository its reports of the time when only its name was its key: those of the
        same installation that are not older than the repository itself."""
        made_at = _seconds(target.repository_made_at)
        if target.repository_id is None or made_at is None:
            return
        by_name = and_(
            _HAS_REPORT,
            jobs.c.repository_key == target.repo.lower(),
            jobs.c.issue_number.is_not(None),
            jobs.c.installation_id == target.installation_id,
            jobs.c.accepted_at >= made_at,
        )
        connection.execute(update(jobs).where(by_name).values(repository_key=target.repository_key))

    def oldest_waiting_s(self) -> float:
        """How long the oldest waiting job has waited to be taken; 0 if none waits."""
        return self._age_of_oldest(_IS_WAITING)

    def oldest_queued_s(self) -> float:
        """How long ago the oldest job was accepted that does not run yet; 0 if there is none."""
        return max(self._age_of_oldest(jobs.c.state == "queued"), self.oldest_waiting_s())

    def _age_of_oldest(self, which: ColumnElement[bool]) -> float:
        with reading(self._engine) as connection:
            oldest = connection.execute(select(func.min(jobs.c.accepted_at)).where(which)).scalar()
        return 0.0 if oldest is None else max(0.0, self._clock() - oldest)

    def save(self, report: Report) -> None:
        """Stores the job's newest report. One of an open state never replaces a final one."""
        now = self._clock()
        first = {
            "id": report.job.id,
            "accepted_at": now,
            "taken_at": now,
            "account": report.job.account,
        }
        # A key that is a name never replaces one that is an id.
        is_name = "/" in report.job.target.repository_key
        with writing(self._engine) as connection:
            upsert_newer(
                connection,
                jobs,
                first | self._report_columns(report),
                inserted_only=first,
                kept=("repository_key",) if is_name else (),
            )

    def _report_columns(self, report: Report) -> dict[str, object]:
        job = report.job
        return {
            "updated_at": self._clock(),
            "state": report.state,
            "verb": "refused" if _is_refused_for_good(report) else job.command.verb,
            "tokens": report.usage.prompt_tokens + report.usage.completion_tokens,
            "repo": job.target.repo,
            "issue_number": job.target.issue_number,
            "installation_id": job.target.installation_id,
            "actor": job.actor,
            "repository_key": job.target.repository_key,
            "asker_key": job.asker_key,
            "report": json.dumps(REPORT.dump(report)),
        }

    def load(self, job_id: str) -> Report | None:
        """A job that waits to be taken is `queued`. Of one that was refused without a word the
        request log knows."""
        if not job_id.isprintable():  # PostgreSQL refuses to compare NUL, which no id holds
            return None
        found = select(jobs.c.taken_at, jobs.c.job, jobs.c.report).where(jobs.c.id == job_id)
        with reading(self._engine) as connection:
            row = connection.execute(found).one_or_none()
            if row is not None and row.report is not None:
                return _load_report(row.report)
            if row is not None and row.taken_at is None:
                return Report(_load_job(row.job), "queued")
            return load_refused(connection, job_id)

    def unfinished(self, unchanged_s: float, after: str = "") -> tuple[Report, ...]:
        """The reports of an open state that have not changed for so long, by their ids, from behind
        the id `after`; at most MAX_UNFINISHED."""
        page = (
            select(jobs.c.report)
            .where(
                jobs.c.state.in_(_OPEN_STATES),
                jobs.c.updated_at < self._clock() - unchanged_s,
                jobs.c.id > after,
            )
            .order_by(jobs.c.id)
            .limit(MAX_UNFINISHED)
        )
        with reading(self._engine) as connection:
            return tuple(_load_report(report) for report in connection.execute(page).scalars())

    def latest(self, repository_key: str, issue_number: int, limit: int = 20) -> tuple[Report, ...]:
        """The reports of the work that was asked for in a thread, newest first, without what was
        refused for good.

        If the key is a name, the job was accepted before ids were keys. What it asks for may have
        been given to the id since, so the name is looked for too.
        """
        is_of_repository = jobs.c.repository_key == repository_key
        if "/" in repository_key:
            is_of_repository = or_(is_of_repository, func.lower(jobs.c.repo) == repository_key)
        newest = (
            select(jobs.c.report)
            .where(
                _HAS_REPORT,
                is_of_repository,
                jobs.c.issue_number == issue_number,
                jobs.c.verb.in_(sorted(WORK)),
            )
            .order_by(jobs.c.accepted_at.desc(), jobs.c.id.desc())
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return tuple(_load_report(report) for report in connection.execute(newest).scalars())

    def open_jobs(self, repository_key: str, issue_number: int) -> tuple[Job, ...]:
        """The work that was asked for in a thread and has not ended, taken or not."""
        is_of_repository = jobs.c.repository_key == repository_key
        waiting = select(jobs.c.job).where(_IS_WAITING, is_of_repository)
        reported = select(jobs.c.report).where(
            _HAS_REPORT,
            is_of_repository,
            jobs.c.issue_number == issue_number,
            jobs.c.state.not_in(FINAL_STATES),
        )
        with reading(self._engine) as connection:
            # In this order: a job that is taken between the two is found by the second.
            early = connection.execute(waiting.limit(MAX_OPEN)).scalars().all()
            late = connection.execute(reported.limit(MAX_OPEN)).scalars().all()
        found = [_load_job(job) for job in early] + [_load_report(report).job for report in late]
        by_id = {job.id: job for job in found if job.target.issue_number == issue_number}
        return tuple(job for job in by_id.values() if job.command.verb in WORK)

    def queue(self, repository_key: str) -> tuple[Job, ...]:
        """The first `MAX_QUEUE` jobs of a repository that need a run and have not ended, oldest
        first."""
        is_open = and_(
            _HAS_REPORT, jobs.c.state.not_in(FINAL_STATES), jobs.c.verb.in_(sorted(WORK))
        )
        oldest = (
            select(jobs.c.report)
            .where(jobs.c.repository_key == repository_key, is_open)
            .order_by(jobs.c.accepted_at, jobs.c.id)
            .limit(MAX_QUEUE)
        )
        with reading(self._engine) as connection:
            reports = connection.execute(oldest).scalars().all()
        return tuple(_load_report(report).job for report in reports)

    def list_jobs(self, wanted: JobFilter, limit: int) -> JobList:
        return list_jobs(self._engine, wanted, limit)

    def spending(self, by: GroupBy, since: str) -> tuple[Spending, ...]:
        return spending(self._engine, by, since)

    def counts(self) -> Mapping[State, int]:
        """How many jobs are in each state. Jobs that wait to be taken are `queued`."""
        waiting = select(func.count()).select_from(jobs).where(_IS_WAITING)
        by_state = select(jobs.c.state, func.count()).where(_HAS_REPORT).group_by(jobs.c.state)
        with reading(self._engine) as connection:
            waiting_count = connection.execute(waiting).scalar_one()
            rows = connection.execute(by_state).all()
        counts: dict[State, int] = dict.fromkeys(get_args(State), 0)
        for state, count in rows:
            counts[state] = count
        counts["queued"] += waiting_count
        return counts

    def asked_at(self, job: Job, by: By, nth: int, since: float) -> float | None:
        return asked_at(self._engine, job, by, nth, since)

    def tokens_since(
        self, since: float, *, repository_key: str | None = None, asker_key: str | None = None
    ) -> int:
        return tokens_since(self._engine, since, repository_key, asker_key)

    def paused(self) -> str | None:
        return self.shared.paused()

    def write(self, report: Report) -> None:
        """One row for each job. Its first `created_at` stays, and a row of an open state never
        replaces a final one."""
        write_row(self._engine, report, self._clock())

    def beat(self, worker: str) -> None:
        """The worker is alive now, by the database's clock: the machines' clocks may differ."""
        now = select(literal(worker), self._database_time).where(true())
        insert = insert_into(self._engine, workers).from_select(["id", "seen_at"], now)
        newest = {"seen_at": insert.excluded.seen_at}
        with writing(self._engine) as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=newest))

    def alive(self, within_s: float) -> frozenset[str]:
        """The workers that were alive within so many seconds."""
        recent = select(workers.c.id).where(workers.c.seen_at > self._database_time - within_s)
        with reading(self._engine) as connection:
            return frozenset(connection.execute(recent).scalars())

    def add_measures(self, added: Sequence[MetricSample], latest: Sequence[MetricSample]) -> None:
        """Adds `added` to the stored values and replaces those of `latest`."""
        add_measures(self._engine, added, latest)

    def measures(self) -> tuple[MetricSample, ...]:
        return read_measures(self._engine)

    def shorten_write_ahead_log(self, over_bytes: int) -> None:
        """Writes SQLite's write-ahead log into its file and empties it, if it is longer than that
        and nobody else uses it now. Commits alone never make it shorter."""
        if self._engine.dialect.name != "sqlite":
            return
        path = str(self._engine.url.database)
        if log_bytes(path) > over_bytes:
            with closing(sqlite3.connect(path, timeout=LOG_WAIT_S)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def kept(self, removal: Removal) -> tuple[tuple[str, ...], tuple[str, ...]]:
        names = [name.lower() for name in removal.names]
        if removal.keys or names:
            is_meant = or_(
                jobs.c.repository_key.in_(removal.keys), func.lower(jobs.c.repo).in_(names)
            )
        else:
            number = removal.installation_id
            is_meant = or_(
                jobs.c.installation_id == number, jobs.c.account == f"installation {number}"
            )
        # The removal itself is a job of the installation.
        found = select(jobs.c.id, jobs.c.repository_key).where(
            is_meant, or_(jobs.c.verb != "forget", ~_HAS_REPORT), jobs.c.repository_key != ""
        )
        with reading(self._engine) as connection:
            rows = connection.execute(found).all()
        keys = dict.fromkeys((*removal.keys, *(row.repository_key for row in rows)))
        return tuple(row.id for row in rows), tuple(key for key in keys if key)

    def forget_jobs(self, job_ids: Collection[str]) -> None:
        ids = list(job_ids)
        with writing(self._engine) as connection:
            for start in range(0, len(ids), MAX_IDS):
                some = ids[start : start + MAX_IDS]
                connection.execute(delete(jobs).where(jobs.c.id.in_(some)))
                forget_turns(connection, some)

    def forget(self, removal: Removal) -> None:
        forget_rows(self._engine, removal)

    def prune(self, older_than_s: float = KEEP_S) -> int:
        """How many rows were removed: jobs that ended, ids that were accepted, and workers last
        seen, before that, also if the report was not sent elsewhere: TINYGEN_KEEP_DAYS limits how
        long prompts and diffs are kept. The request log is the operator's to keep."""
        before = self._clock() - older_than_s
        has_ended = and_(jobs.c.state.in_(FINAL_STATES), jobs.c.updated_at < before)
        is_id_only = and_(~_HAS_REPORT, jobs.c.accepted_at < before)
        old_jobs = delete(jobs).where(or_(has_ended, is_id_only), ~_IS_WAITING)
        old_workers = delete(workers).where(workers.c.seen_at < before)
        self.refusals.prune()
        self.shared.prune(self._clock())
        with writing(self._engine) as connection:
            removed = sum(connection.execute(each).rowcount for each in (old_jobs, old_workers))
            prune_turns(connection)
        return removed

    def prune_log(self, older_than_s: float) -> int:
        """How many rows of the request log were removed: those of requests that ended, and were
        made before that."""
        return prune_rows(self._engine, self._clock() - older_than_s)


def log_bytes(path: str) -> int:
    """The length of a SQLite file's write-ahead log; 0 if there is none."""
    log = Path(f"{path}-wal")
    return log.stat().st_size if log.exists() else 0


def _load_job(text: str) -> Job:
    return JOB.load(json.loads(text))


def _load_report(text: str) -> Report:
    return REPORT.load(json.loads(text))


def _seconds(moment: str) -> float | None:
    """Seconds since 1970; None if the text is not a time."""
    try:
        return datetime.fromisoformat(moment).timestamp()
    except (ValueError, OverflowError):
        return None


def _is_refused_for_good(report: Report) -> bool:
    """Such a job is no part of what was asked for in a thread: strangers may send any number."""
    return report.state == "refused" and report.failure is not None and not report.failure.retryable
