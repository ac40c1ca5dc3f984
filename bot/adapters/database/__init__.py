"""The embedded database: what was accepted, the newest report of each job, and the request log.

One URL: `sqlite:////absolute/path` on one machine (the durable engine's tables are in the same
file), or `postgresql://…` for many. Every method is safe to call from many threads and processes,
and raises OutsideError where the database fails: within a few seconds, with nothing half-stored.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Table,
    and_,
    delete,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)

from bot.adapters.database.connection import (
    insert_into,
    insert_unknown,
    migrate,
    open_engine,
    reading,
    writing,
)
from bot.adapters.database.group_commit import GroupCommit, Row
from bot.adapters.database.limits import (
    DatabaseRefusals,
    asked_at,
    first_in_line,
    newest,
    queued,
    refused_report,
    tokens_since,
)
from bot.adapters.database.outbox import DatabaseOutbox, add_measures, read_measures
from bot.adapters.database.schema import inbox, reports, requests, workers
from bot.ports import ChooseWaiting, MetricSample
from bot.types import FINAL_STATES, WORK, Job, Report, State, Target
from bot.types.quota import By
from bot.types.serialization import dump_job, dump_report, load_job, load_report, log_row

CLAIM_S = 5.0
"""How long jobs that `waiting` gave to one worker are kept from the others."""

KEEP_S = 30 * 86_400.0
"""How long a job's id is remembered. GitHub redelivers what is at most three days old:
https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/redelivering-webhooks"""

LOG_WAIT_S = 0.1
MAX_OPEN = 500
_REFUSED = "refused"
_OPEN = frozenset(get_args(State)) - FINAL_STATES
MAX_IN_LINE = 200
"""How many jobs that wait are looked at to choose which to start, and how many that are open at a
time."""
CHECKPOINT_PAGES = 8_000
"""32 MB. Bringing the write-ahead log into the file waits for the disk, which workers can afford
better than the answer to a delivery."""


class Database:
    """Inbox, Reports, Store and Workers of `bot.ports`."""

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], float] = time.time,
        wait_s: float = 3.0,
        checkpoint_pages: int = CHECKPOINT_PAGES,
    ) -> None:
        """`clock` gives seconds since 1970; `wait_s` is how long a statement may wait for a lock or
        an answer."""
        self._engine = open_engine(url, wait_s, checkpoint_pages)
        self._clock = clock
        self.outbox = DatabaseOutbox(self._engine, clock)
        self.refusals = DatabaseRefusals(self._engine, clock)
        self._accepting = GroupCommit(self._insert_jobs, wait_s=wait_s + 1)
        self._is_waiting = inbox.c.taken_at.is_(None)
        postgres = self._engine.dialect.name == "postgresql"
        moment = (
            "extract(epoch from clock_timestamp())"
            if postgres
            else "(julianday('now') - 2440587.5) * 86400.0"
        )
        self._moment: ColumnElement[float] = literal_column(moment, Double)

    def create(self) -> int:
        """Makes the tables or brings them up to date; how many changes that took. Nothing stays
        open, so a process may fork afterwards."""
        return migrate(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    def accept(self, job: Job) -> None:
        """Stored when this returns, whatever process dies. A job id that is already known starts
        nothing.

        Where it raises, after little more than `wait_s` at most, nothing is stored.
        """
        self._accepting.add(
            {
                "id": job.id,
                "job": json.dumps(dump_job(job)),
                "accepted_at": self._clock(),
                "claimed_until": 0.0,
                "asker": job.asker_key if job.source != "run" else job.id,
                "repository": job.target.repository_key,
                "account": job.account,
            }
        )

    def _insert_jobs(self, rows: Sequence[Row]) -> None:
        insert_unknown(self._engine, inbox, rows)

    def waiting(self, limit: int, choose: ChooseWaiting | None = None) -> Sequence[Job]:
        """Oldest first. They are the caller's for CLAIM_S: until then they are not given out again,
        to anyone."""
        now = self._clock()
        # A claim that ends later than any made now is another clock's, or this one was set back: it
        # does not count.
        free = and_(self._is_waiting, ~inbox.c.claimed_until.between(now, now + CLAIM_S))
        chosen = free
        with reading(self._engine) as connection:
            if connection.execute(select(inbox.c.id).where(free).limit(1)).first() is None:
                return ()
            if choose is not None:
                ids = choose(first_in_line(connection, free, MAX_IN_LINE))
                if not ids:  # all wait for their turn: the writers' lock is not taken for that
                    return ()
                chosen = and_(free, inbox.c.id.in_(ids))
        oldest = (
            select(inbox.c.id, inbox.c.job)
            .where(chosen)
            .order_by(inbox.c.accepted_at, inbox.c.id)
            .limit(limit)
        )
        with writing(self._engine) as connection:
            rows = connection.execute(oldest.with_for_update(skip_locked=True)).all()
            claim = update(inbox).where(inbox.c.id.in_([row.id for row in rows]))
            connection.execute(claim.values(claimed_until=now + CLAIM_S))
        return tuple(load_job(json.loads(row.job)) for row in rows)

    def taken(self, job_id: str) -> None:
        """The job is the worker's now; its id stays known. Its first report is `queued`, unless
        there is one."""
        this = and_(inbox.c.id == job_id, self._is_waiting)
        with writing(self._engine) as connection:
            row = connection.execute(
                select(inbox.c.job, inbox.c.accepted_at).where(this)
            ).one_or_none()
            if row is None:
                return
            report = queued(row.job)
            self._adopt(connection, report.job.target)
            if (
                report.job.command.verb != "withdraw" and report.job.check is None
            ):  # of these, perhaps nothing comes
                new = self._report_row(report) | {"created_at": row.accepted_at}
                connection.execute(
                    insert_into(self._engine, reports).values(new).on_conflict_do_nothing()
                )
            self._keep_id(connection, job_id)

    def refuse(self, report: Report, *, ship: bool) -> None:
        """Takes a waiting job out of the inbox as refused, where the refusal was told before: its
        row in the log is all that is kept of it."""
        row = log_row(report) | {"created_at": report.job.received_at or _iso(self._clock())}
        with writing(self._engine) as connection:
            connection.execute(
                insert_into(self._engine, requests).values(row).on_conflict_do_nothing()
            )
            self._keep_id(connection, report.job.id)
            if ship:
                self.outbox.insert(connection, report)

    def _keep_id(self, connection: Connection, job_id: str) -> None:
        """What stays of a job in the inbox is a new, short row: changed in place, the old one would
        go on taking the room of its words in SQLite's file."""
        this = inbox.c.id == job_id
        accepted_at = connection.execute(select(inbox.c.accepted_at).where(this)).scalar()
        if accepted_at is not None:
            times = {"accepted_at": accepted_at, "claimed_until": 0.0, "taken_at": self._clock()}
            connection.execute(delete(inbox).where(this))
            connection.execute(
                insert(inbox).values(
                    id=job_id, job="", asker="", repository="", account="", **times
                )
            )

    def _adopt(self, connection: Connection, target: Target) -> None:
        """Gives the repository what was kept under its name before ids, where that is its own: of
        the same installation, and not older than the repository."""
        made_at = _seconds(target.repository_made_at)
        if target.repository_id is None or made_at is None:
            return
        by_name = and_(
            reports.c.repository_key == target.repo.lower(),
            reports.c.issue_number.is_not(None),
            reports.c.installation_id == target.installation_id,
            reports.c.created_at >= made_at,
        )
        connection.execute(
            update(reports).where(by_name).values(repository_key=target.repository_key)
        )

    def oldest_waiting_s(self) -> float:
        """How long the oldest job has waited to be taken; 0 where none waits."""
        with reading(self._engine) as connection:
            oldest = connection.execute(
                select(func.min(inbox.c.accepted_at)).where(self._is_waiting)
            ).scalar_one()
        return 0.0 if oldest is None else max(0.0, self._clock() - oldest)

    def oldest_queued_s(self) -> float:
        """How long ago the oldest of the jobs that no worker runs yet came; 0 where there is
        none."""
        with reading(self._engine) as connection:
            queued_since = select(func.min(reports.c.created_at)).where(reports.c.state == "queued")
            oldest = connection.execute(queued_since).scalar_one()
        taken_s = 0.0 if oldest is None else max(0.0, self._clock() - oldest)
        return max(taken_s, self.oldest_waiting_s())

    def save(self, report: Report) -> None:
        """The job's newest report; one of an earlier state never replaces a final one."""
        self._upsert(reports, self._report_row(report))

    def load(self, job_id: str) -> Report | None:
        """A job that was accepted and not yet taken is `queued`; of one that was refused again, the
        log knows."""
        if (
            not job_id.isprintable()
        ):  # NUL and the like, which no id holds and PostgreSQL refuses to compare
            return None
        with reading(self._engine) as connection:
            # In this order: a job that is taken between the two is found by the second.
            job = connection.execute(
                select(inbox.c.job).where(inbox.c.id == job_id, self._is_waiting)
            ).scalar()
            report = connection.execute(
                select(reports.c.report).where(reports.c.id == job_id)
            ).scalar()
            if report is not None:
                return load_report(json.loads(report))
            return queued(job) if job is not None else refused_report(connection, job_id)

    def unfinished(self, unchanged_s: float, after: str = "") -> tuple[Report, ...]:
        """Those in no final state that have not changed for so long, by their ids, from behind the
        id `after`; MAX_IN_LINE at most."""
        is_open = and_(
            reports.c.state.in_(_OPEN), reports.c.updated_at < self._clock() - unchanged_s
        )
        page = (
            select(reports.c.report)
            .where(is_open, reports.c.id > after)
            .order_by(reports.c.id)
            .limit(MAX_IN_LINE)
        )
        with reading(self._engine) as connection:
            return tuple(
                load_report(json.loads(text)) for text in connection.execute(page).scalars()
            )

    def latest(self, repository_key: str, issue_number: int, limit: int = 20) -> tuple[Report, ...]:
        """The reports of the work that was asked for in a thread, newest first; none of what was
        refused for good.

        A name as the key is of a job that was accepted before ids were keys: what it asks for may
        have got the id's key meanwhile.
        """
        of_repo = reports.c.repository_key == repository_key
        if "/" in repository_key:
            of_repo = or_(of_repo, func.lower(reports.c.repo) == repository_key)
        newest = (
            select(reports.c.report)
            .where(
                of_repo, reports.c.issue_number == issue_number, reports.c.verb.in_(sorted(WORK))
            )
            .order_by(reports.c.created_at.desc(), reports.c.id.desc())
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return tuple(
                load_report(json.loads(text)) for text in connection.execute(newest).scalars()
            )

    def open_jobs(self, repository_key: str, issue_number: int) -> tuple[Job, ...]:
        """The work that was asked for in a thread and has not ended, whether a worker took it yet
        or not."""
        waiting = (
            select(inbox.c.job)
            .where(self._is_waiting, inbox.c.repository == repository_key)
            .limit(MAX_OPEN)
        )
        open_ = select(reports.c.report).where(
            reports.c.repository_key == repository_key,
            reports.c.issue_number == issue_number,
            reports.c.state.not_in(FINAL_STATES),
        )
        with reading(self._engine) as connection:
            # In this order: a job that is taken between the two is found by the second.
            early = [load_job(json.loads(text)) for text in connection.execute(waiting).scalars()]
            late = [
                load_report(json.loads(text)).job
                for text in connection.execute(open_.limit(MAX_OPEN)).scalars()
            ]
        jobs = {job.id: job for job in (*early, *late) if job.target.issue_number == issue_number}
        return tuple(job for job in jobs.values() if job.command.verb in WORK)

    def newest(self, limit: int, state: State | None = None) -> tuple[Report, ...]:
        """The newest jobs' reports, newest first, of all states or of one."""
        return newest(self._engine, limit, state)

    def counts(self) -> Mapping[State, int]:
        """How many jobs are in each state; those not yet taken are `queued`."""
        with reading(self._engine) as connection:
            waiting = connection.execute(
                select(func.count()).select_from(inbox).where(self._is_waiting)
            ).scalar_one()
            rows = connection.execute(
                select(reports.c.state, func.count()).group_by(reports.c.state)
            ).all()
        counts: dict[State, int] = dict.fromkeys(get_args(State), 0)
        for state, count in rows:
            counts[state] = count
        counts["queued"] += waiting
        return counts

    def asked_at(self, job: Job, by: By, nth: int, since: float) -> float | None:
        return asked_at(self._engine, job, by, nth, since)

    def tokens_since(self, since: float, repository_key: str | None = None) -> int:
        return tokens_since(self._engine, since, repository_key)

    def write(self, report: Report) -> None:
        """One row per job; the first one's `created_at` stays, and an older state never replaces a
        final one."""
        row = log_row(report)
        row["created_at"] = row["created_at"] or _iso(self._clock())
        self._upsert(requests, row)

    def beat(self, worker: str) -> None:
        """The worker is alive at this moment, by the database's clock, so machines need not agree
        on the time."""
        insert = insert_into(self._engine, workers).from_select(
            ["id", "seen_at"], select(literal(worker), self._moment).where(true())
        )
        with writing(self._engine) as connection:
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["id"], set_={"seen_at": insert.excluded.seen_at}
                )
            )

    def alive(self, within_s: float) -> frozenset[str]:
        """The workers that were alive within so many seconds."""
        recent = select(workers.c.id).where(workers.c.seen_at > self._moment - within_s)
        with reading(self._engine) as connection:
            return frozenset(connection.execute(recent).scalars())

    def add_measures(self, added: Sequence[MetricSample], latest: Sequence[MetricSample]) -> None:
        """`added` to what is there, `latest` in its place."""
        add_measures(self._engine, added, latest)

    def measures(self) -> tuple[MetricSample, ...]:
        return read_measures(self._engine)

    def shorten_write_ahead_log(self, over_bytes: int) -> None:
        """Brings SQLite's write-ahead log into its file and empties it, where it is longer; where
        others use it just then, the next time. Commits alone leave it as long as it ever was."""
        if self._engine.dialect.name != "sqlite":
            return
        path = str(self._engine.url.database)
        if log_bytes(path) > over_bytes:
            with closing(sqlite3.connect(path, timeout=LOG_WAIT_S)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def prune(self, older_than_s: float = KEEP_S) -> int:
        """How many rows were removed: the ids of jobs accepted, the reports that ended, and the
        workers last seen, before that. The request log is the operator's to keep."""
        before = self._clock() - older_than_s
        old_ids = delete(inbox).where(inbox.c.taken_at.is_not(None), inbox.c.accepted_at < before)
        old_reports = delete(reports).where(
            reports.c.state.in_(FINAL_STATES), reports.c.updated_at < before
        )
        old_workers = delete(workers).where(workers.c.seen_at < before)
        self.refusals.prune()
        with writing(self._engine) as connection:
            return sum(
                connection.execute(each).rowcount for each in (old_ids, old_reports, old_workers)
            )

    def prune_log(self, older_than_s: float) -> int:
        """How many rows of the request log were removed: those that ended, and were made before
        that."""
        before = _iso(self._clock() - older_than_s)
        old = delete(requests).where(
            requests.c.state.in_(FINAL_STATES), requests.c.created_at < before
        )
        with writing(self._engine) as connection:
            return connection.execute(old).rowcount

    def _report_row(self, report: Report) -> dict[str, object]:
        now = self._clock()
        return {
            "id": report.job.id,
            "repo": report.job.target.repo,
            "issue_number": report.job.target.issue_number,
            "state": report.state,
            "created_at": now,
            "updated_at": now,
            "report": json.dumps(dump_report(report)),
            "actor": report.job.actor,
            "verb": _REFUSED if _is_refused_for_good(report) else report.job.command.verb,
            "tokens": report.usage.prompt_tokens + report.usage.completion_tokens,
            "repository_key": report.job.target.repository_key,
            "asker_key": report.job.asker_key,
            "installation_id": report.job.target.installation_id,
        }

    def _upsert(self, table: Table, row: Mapping[str, object]) -> None:
        insert = insert_into(self._engine, table).values(row)
        changed = {name: insert.excluded[name] for name in row if name not in ("id", "created_at")}
        if "/" in str(row.get("repository_key", "")):  # the id's key, once it is known, stays
            del changed["repository_key"]
        newer = or_(insert.excluded.state.in_(FINAL_STATES), table.c.state.not_in(FINAL_STATES))
        with writing(self._engine) as connection:
            connection.execute(
                insert.on_conflict_do_update(index_elements=["id"], set_=changed, where=newer)
            )


def _seconds(moment: str) -> float | None:
    """Since 1970; None for what is no moment."""
    try:
        return datetime.fromisoformat(moment).timestamp()
    except (ValueError, OverflowError):
        return None


def _is_refused_for_good(report: Report) -> bool:
    """Strangers' commands are no part of what was asked for in a thread: there may be any number of
    them."""
    return report.state == "refused" and report.failure is not None and not report.failure.retryable


def log_bytes(path: str) -> int:
    """The length of a SQLite file's write-ahead log; 0 where there is none."""
    log = Path(f"{path}-wal")
    return log.stat().st_size if log.exists() else 0


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
