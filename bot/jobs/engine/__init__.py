"""The durable engine: workflows whose finished steps never run again, even if a process dies.

dbos keeps each workflow's input and each finished step's outcome in the database. After a restart,
a workflow runs from its start, and each finished step returns its recorded outcome. So the body of
a workflow branches only on what steps returned, and all input and output is inside steps.

This is the only module that imports dbos.
"""

from __future__ import annotations

import re
import sqlite3
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import structlog
from dbos import (
    DBOS,
    DBOSClient,
    DBOSContextSetAuth,
    EnqueueOptions,
    SetEnqueueOptions,
    SetWorkflowID,
    StepOptions,
    WorkflowSerializationFormat,
    WorkflowStatus,
)
from dbos._error import DBOSException, DBOSUnexpectedStepError

from bot.errors import SetupError
from bot.jobs.engine.fairness import (
    MAX_STARTING,
    QueuedJob,
    QueueSlot,
    choose_released,
    may_run,
)
from bot.jobs.engine.outcome import dump_outcome, load_outcome, outcome_of
from bot.ports import MetricsSink, NoMetrics, NoTracer, Tracer
from bot.types.serialization import Codec, Json, codec_of, map_texts

P = TypeVar("P")
T = TypeVar("T")

EngineError = DBOSException
"""An error of the engine itself. Code that reports a job's failures must let it pass."""

NAME = "tinygen"
APPLICATION_VERSION = "tinygen-1"
"""Constant: by default the engine leaves jobs in flight alone when a workflow's source changes.
Raise it only with a change that jobs in flight cannot go on with, after the queue has drained."""
_MIN_SQLITE = (3, 42, 0)
MAX_RECOVERIES = 50
"""A job that was in flight at that many restarts probably causes them, and is given up."""
POLL_S = 0.1
MAX_LOST_IN_STEP = 2
"""How often a job goes on after it was cut off in the same step; the next time it is given up."""
MAX_FOLLOWUPS = 16
"""Workflows of the queue "followups", of all accounts together, that one worker runs at once."""
NOBODY = "nobody"
"""The account of what was queued before accounts were recorded."""
HELD_S = 10 * 365 * 86_400.0
"""The delay of a job that is held until `release_held` lets it run."""
MANY = 1_000
"""How many workflows one query lists at most."""
_OPEN = ("DELAYED", "ENQUEUED", "PENDING")
_POSTPONED = "put_off"
"""The field of a workflow's output with the stamp of its postponement. Workflows that older versions
postponed have this name stored: never change it."""

_WORD_WITH_DIGIT = re.compile(r"(?:(?<!\s)\s++|(?<!\S))[^\s\d]*+\d\S*+")

NOTHING: Codec[None] = codec_of(None)
FLAG: Codec[bool] = codec_of(bool)
NUMBER: Codec[float] = codec_of(float)
TEXT: Codec[str] = codec_of(str)
TEXTS: Codec[tuple[str, ...]] = codec_of(tuple[str, ...])

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Workflow(Generic[P]):
    """A kind of workflow: its name in the database, and the codec of its payload, which is a JSON
    object with the job's `id`."""

    name: str
    payload: Codec[P]
    command_of: Callable[[P], str] = lambda _payload: ""
    """The verb of the job's command, for traces; "" if the payload does not hold it."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """What a workflow returns that ends for now and continues later. `stamp` identifies this
    ending: the workflow RESUME that continues it has the same stamp."""

    stamp: str


@dataclass(frozen=True, slots=True)
class Resumption:
    """The payload of RESUME: which workflow continues, and from which step."""

    id: str
    """The job's id."""
    workflow: str
    stamp: str
    step: int
    account: str = NOBODY
    is_over: bool = False
    """Whether the job has ended, and only its end is still to be reported."""
    tries: int = 1


RESUME: Workflow[Resumption] = Workflow("go on", codec_of(Resumption))


@dataclass(frozen=True, slots=True)
class Marker:
    id: str


MARKER: Workflow[Marker] = Workflow("mark", codec_of(Marker))
"""Its body does nothing: that a workflow of an id exists says that something happened."""


def migrate(database_url: str) -> None:
    """Makes the engine's tables, or brings them up to date."""
    if database_url.startswith("sqlite:///"):
        _use_wal(Path(database_url.removeprefix("sqlite:///")))
    try:
        DBOS.migrate(database_url)
    except DBOSException as error:
        raise _unusable(error) from error


class Engine:
    """Workflows by name, steps, and queues. One per process; one worker process per SQLite file.

    `executor_id` names this worker. With SQLite it is always the same, so that a restart finds its
    own jobs again. `clean` takes the installation's secrets out of a text: no payload of a workflow
    and no outcome of a step keeps one.
    """

    def __init__(
        self,
        database_url: str,
        *,
        executor_id: str,
        concurrency: int,
        clean: Callable[[str], str],
        poll_s: float = POLL_S,
        metrics: MetricsSink | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._concurrency, self._poll_s, self._clean = concurrency, poll_s, clean
        self._executor_id, self._database_url = executor_id, database_url
        self._metrics = metrics or NoMetrics()
        self._tracer = tracer or NoTracer()
        self._queueing = threading.Lock()
        self._workflows: dict[str, Callable[[Json], Json]] = {}
        if database_url.startswith("sqlite:///"):
            _use_wal(Path(database_url.removeprefix("sqlite:///")))
        # A connection of its own: DBOS refuses its queries inside a step that runs an event loop.
        self._client = DBOSClient(
            system_database_url=database_url, application_name=NAME, lazy=True
        )
        DBOS(
            config={
                "name": NAME,
                "system_database_url": database_url,
                "executor_id": executor_id,
                "application_version": APPLICATION_VERSION,
                "log_level": "ERROR",
                "max_executor_threads": concurrency + MAX_FOLLOWUPS + 2 * MAX_STARTING,
                "notification_listener_polling_interval_sec": poll_s,
            }
        )

        self.register(MARKER, lambda _marker: None)

    def register(self, workflow: Workflow[P], body: Callable[[P], Postponed | None]) -> None:
        """Sets the function that the workflow runs. All workflows must be registered before
        `launch`, which lets jobs in flight continue."""

        @DBOS.workflow(
            name=workflow.name,
            max_recovery_attempts=MAX_RECOVERIES,
            serialization_type=WorkflowSerializationFormat.PORTABLE,
        )
        def run(payload: Json) -> Json:
            job_id, loaded = payload["id"], workflow.payload.load(payload)
            with (
                structlog.contextvars.bound_contextvars(job=job_id, workflow=workflow.name),
                self._tracer.workflow(
                    workflow.name, job_id=job_id, command=workflow.command_of(loaded)
                ),
            ):
                try:
                    end = body(loaded)
                except DBOSUnexpectedStepError as changed:
                    _id, step, *_names = changed.inputs
                    end = self._resume_changed(job_id, step)
            return None if end is None else {_POSTPONED: end.stamp}

        self._workflows[workflow.name] = run

    def launch(self) -> None:
        migrate(self._database_url)
        try:
            self.drop_poison([self._executor_id])
            DBOS.launch()
        except DBOSException as error:
            raise _unusable(error) from error
        DBOS.register_queue(
            "jobs",
            polling_interval_sec=self._poll_s,
            worker_concurrency=self._concurrency,
            partition_concurrency=1,
            on_conflict="always_update",
        )
        # One at a time for each account: an installation that GitHub limits delays no other.
        DBOS.register_queue(
            "followups",
            polling_interval_sec=10 * self._poll_s,
            worker_concurrency=MAX_FOLLOWUPS,
            partition_concurrency=1,
            on_conflict="always_update",
        )
        # The followups' queue up to commit adabc01: what is left in it still runs.
        DBOS.register_queue(
            "late",
            polling_interval_sec=10 * self._poll_s,
            worker_concurrency=4,
            on_conflict="always_update",
        )

    def stop(self, drain_s: int) -> None:
        """Lets running jobs continue for `drain_s`; what is left continues at the next start."""
        DBOS.destroy(workflow_completion_timeout_sec=drain_s, destroy_registry=True)
        for workflow in self._cut_off([self._executor_id]):
            self.mark(_stopped_id(workflow))
        self._client.destroy()
        self._tracer.close()

    def start(
        self, workflow: Workflow[P], workflow_id: str, payload: P, *, account: str | None = None
    ) -> None:
        """Starts a workflow in this process, at once. An id that was started before starts
        nothing."""
        with SetWorkflowID(workflow_id), DBOSContextSetAuth(account, None):
            DBOS.start_workflow(self._workflows[workflow.name], self._dumped(workflow, payload))

    def enqueue(
        self,
        queue: Literal["jobs", "followups"],
        workflow: Workflow[P],
        workflow_id: str,
        payload: P,
        *,
        key: str,
        account: str | None = None,
        wait_s: float | None = None,
    ) -> None:
        """Queues a workflow, to start in `wait_s` at the earliest. Of the same `key`, which is a
        repository in "jobs" and an account in "followups", one runs at a time. An id that was
        queued before queues nothing."""
        options = SetEnqueueOptions(queue_partition_key=key, delay_seconds=wait_s)
        with SetWorkflowID(workflow_id), DBOSContextSetAuth(account, None), options:
            DBOS.enqueue_workflow(
                queue, self._workflows[workflow.name], self._dumped(workflow, payload)
            )

    def enqueue_in_turn(
        self, workflow: Workflow[P], workflow_id: str, payload: P, slot: QueueSlot
    ) -> None:
        """Queues a workflow in "jobs". If its slot is not free, `release_held` lets it run
        later."""
        with self._queueing:  # each of many concurrent calls must see the jobs queued before it
            may_start = self.step("turn", lambda: may_run(self._queued_of(slot.group), slot), FLAG)
            self.enqueue(
                "jobs",
                workflow,
                workflow_id,
                payload,
                key=slot.key,
                account=slot.group,
                wait_s=None if may_start else HELD_S,
            )

    def release_held(self, cap: int) -> None:
        """Lets held jobs run that need no longer be held. Safe in many workers at once."""
        delayed = self._queued("DELAYED")
        if any(job.is_held for job in delayed):
            for workflow_id in choose_released(
                (*self._queued("ENQUEUED", "PENDING"), *delayed), cap
            ):
                self._client.set_workflow_delay(workflow_id, delay_seconds=0.0)

    def _queued_of(self, account: str) -> tuple[QueuedJob, ...]:
        return self._queued(*_OPEN, user=account, sort_desc=True)

    def _queued(self, *states: str, **filters: Any) -> tuple[QueuedJob, ...]:
        """The jobs of the queue "jobs" in one of the states, MANY at most."""
        now_ms = time.time() * 1000
        found = self._client.list_workflows(
            queue_name="jobs",
            status=list(states),
            limit=MANY,
            load_input=False,
            load_output=False,
            **filters,
        )
        jobs = []
        for each in found:
            delay_ms = (each.delay_until_epoch_ms or 0) - now_ms
            is_held = each.status == "DELAYED" and delay_ms > HELD_S * 500
            group, key = each.authenticated_user or "", each.queue_partition_key or ""
            jobs.append(QueuedJob(each.workflow_id, group, key, is_held))
        return tuple(jobs)

    def state(self, workflow_id: str) -> Literal["unknown", "queued", "running", "ended"]:
        found = self._client.list_workflows(
            workflow_ids=[workflow_id], load_input=False, load_output=False
        )
        if not found:
            return "unknown"
        if found[0].status in ("ENQUEUED", "DELAYED"):
            return "queued"
        return "running" if found[0].status == "PENDING" else "ended"

    def in_progress(self, workflow: Workflow[P], within_s: float) -> tuple[tuple[P, bool], ...]:
        """The payloads of the workflows of this kind that have not ended in any worker, and whether
        they run here: of those begun in the last `within_s`, since an older one may have ended
        unnoticed. After a restart they wait to be continued."""
        since = datetime.fromtimestamp(time.time() - within_s, UTC)
        found = self._client.list_workflows(
            name=workflow.name,
            status=list(_OPEN),
            start_time=since.isoformat(),
            limit=MANY,
            load_output=False,
        )
        return tuple(
            (workflow.payload.load(each.input["args"][0]), each.executor_id == self._executor_id)
            for each in found
            if each.input
        )

    def is_alive(self, workflow_id: str) -> bool:
        """Whether the workflow has work left. A postponed workflow has, as long as its RESUME
        waits."""
        found = self._client.list_workflows(workflow_ids=[workflow_id], load_input=False)
        if not found:
            return False
        if found[0].status in _OPEN:
            return True
        output = found[0].output
        if found[0].status != "SUCCESS" or not isinstance(output, dict):
            return False
        if _POSTPONED not in output:
            return False
        resumptions = self._client.list_workflows(
            workflow_id_prefix=f"{output[_POSTPONED]}-{RESUME.name}",
            status=list(_OPEN),
            load_input=False,
            load_output=False,
        )
        return bool(resumptions)

    def owners(self) -> frozenset[str]:
        """The executors that have workflows in flight."""
        running = self._client.list_workflows(status="PENDING", load_input=False, load_output=False)
        return frozenset(workflow.executor_id for workflow in running if workflow.executor_id)

    def mark(self, workflow_id: str) -> None:
        """Records that something happened: from now on the `state` of this id is not "unknown"."""
        options: EnqueueOptions = {
            "workflow_name": MARKER.name,
            "queue_name": "followups",
            "queue_partition_key": workflow_id,
            "workflow_id": workflow_id,
            "serialization_type": WorkflowSerializationFormat.PORTABLE,
        }
        self._client.enqueue(options, {"id": workflow_id})

    def drop_poison(self, executor_ids: Sequence[str]) -> int:
        """Cancels the workflows of the queue "jobs" whose worker died for the third time after the
        same number of steps, and returns how many: they probably kill it. To be called before these
        executors' workflows continue."""
        dropped = 0
        for workflow in self._cut_off(executor_ids):
            workflow_id = workflow.workflow_id
            if self.state(_stopped_id(workflow)) != "unknown":
                continue
            step = len(self._client.list_workflow_steps(workflow_id))
            marker = f"{workflow_id}-lost-{step}-"
            lost = self._client.list_workflows(
                workflow_id_prefix=marker, load_input=False, load_output=False
            )
            # The same in every worker that sees this death.
            death = f"{marker}{workflow.recovery_attempts}"
            if len([each for each in lost if each.workflow_id != death]) >= MAX_LOST_IN_STEP:
                _log.error(
                    "a job is given up: its worker ended in the same step again and again",
                    workflow=workflow_id,
                )
                self._client.cancel_workflow(workflow_id)
                dropped += 1
            else:
                self.mark(death)
        return dropped

    def _cut_off(self, executor_ids: Sequence[str]) -> list[WorkflowStatus]:
        """The workflows of the queue "jobs" that these executors, which have ended, had begun."""
        return self._client.list_workflows(
            status="PENDING",
            executor_id=list(executor_ids),
            queue_name="jobs",
            load_input=False,
            load_output=False,
        )

    def take_over(self, executor_ids: Sequence[str]) -> int:
        """Continues the workflows of dead executors in this process, and returns how many. If
        several executors take over the same workflow, the engine gives it to one of them."""
        self.drop_poison(executor_ids)
        return len(DBOS._recover_pending_workflows(list(executor_ids)))

    def forget(self, before: datetime) -> int:
        """Deletes the workflows that ended before that time, and returns how many. The engine
        itself keeps them for ever."""
        count = 0
        while old := self._client.list_workflows(
            completed_before=before.isoformat(), limit=MANY, load_input=False, load_output=False
        ):
            self._client.delete_workflows([workflow.workflow_id for workflow in old])
            count += len(old)
        return count

    def forget_job(self, job_id: str) -> None:
        """Deletes the workflows whose ids begin with the job's: what they were given, and what their
        steps returned. A RESUME, which holds only ids, stays until `forget`."""
        while found := self._client.list_workflows(
            workflow_id_prefix=job_id, limit=MANY, load_input=False, load_output=False
        ):
            self._client.delete_workflows([workflow.workflow_id for workflow in found])

    def drop(self, workflow_id: str) -> None:
        """Takes a workflow out of its queue. If it already runs, it begins no further step."""
        self._client.cancel_workflow(workflow_id)

    def resume(self, resumption: Resumption) -> bool:
        """Puts a postponed workflow back into its queue. False if it has not ended yet. A workflow
        that ended in another way, or that was resumed already, is left alone."""
        found = self._client.list_workflows(workflow_ids=[resumption.workflow], load_input=False)
        if found and found[0].status in _OPEN:
            return False
        if found and found[0].output == {_POSTPONED: resumption.stamp}:
            workflow = found[0]
            self._client.rewind_workflow(
                resumption.workflow,
                start_step=resumption.step,
                queue_name=workflow.queue_name or "followups",
                queue_partition_key=(
                    workflow.queue_partition_key or workflow.authenticated_user or NOBODY
                ),
            )
        return True

    # The methods below are for the body of a workflow.

    def step(self, name: str, body: Callable[[], T], result: Codec[T]) -> T:
        """Runs `body` once and returns its result; after a restart, the recorded one. An error of
        `bot.errors` is recorded too, and raised again as the same class."""
        recorded = DBOS.run_step(StepOptions(name=name), lambda: self._recorded(name, body, result))
        outcome = load_outcome(recorded, step=recorded.get("number"))
        if outcome.error is not None:
            raise outcome.error
        return result.load(outcome.value)

    def _recorded(self, name: str, body: Callable[[], T], result: Codec[T]) -> Json:
        kind = without_ids(name)

        def traced() -> Json:
            with self._tracer.step(kind):
                return result.dump(body())

        began = time.monotonic()
        outcome = outcome_of(traced)
        seconds = time.monotonic() - began
        self._metrics.step_ended(kind, seconds)
        _log.debug("step", step=name, outcome=str(outcome), seconds=round(seconds, 3))
        return {**map_texts(dump_outcome(outcome), self._clean), "number": DBOS.step_id}

    def postpone(
        self,
        job_id: str,
        wait_s: float,
        *,
        account: str,
        step: int | None,
        is_over: bool,
        may: Callable[[], bool],
    ) -> Postponed | None:
        """Postpones the running workflow: it continues in `wait_s`, from `step` on (None: from here
        on). Returns what the workflow must return; None if `may` forbids it."""
        found = self.step("put off", lambda: _new_stamp() if may() else None, _STAMP)
        if found is None:
            return None
        stamp, here = found
        workflow_id = DBOS.workflow_id or ""
        resumption = Resumption(job_id, workflow_id, stamp, step or here, account, is_over)
        self.enqueue(
            "followups", RESUME, f"{stamp}-{RESUME.name}", resumption, key=account, wait_s=wait_s
        )
        return Postponed(stamp)

    def _resume_changed(self, job_id: str, step: int) -> Postponed:
        """Postpones a job whose recorded steps do not match this version's code. The engine records
        no further step of it, so RESUME is queued from outside the workflow."""
        stamp = uuid.uuid4().hex
        account = DBOS.authenticated_user or NOBODY
        _log.warning("a job that other code began is done anew from here on", step=step)
        options: EnqueueOptions = {
            "workflow_name": RESUME.name,
            "queue_name": "followups",
            "queue_partition_key": account,
            "workflow_id": f"{stamp}-{RESUME.name}",
            "serialization_type": WorkflowSerializationFormat.PORTABLE,
        }
        resumption = Resumption(job_id, DBOS.workflow_id or "", stamp, step, account)
        self._client.enqueue(options, RESUME.payload.dump(resumption))
        return Postponed(stamp)

    def _dumped(self, workflow: Workflow[P], payload: P) -> Json:
        return map_texts(workflow.payload.dump(payload), self._clean)


def without_ids(step: str) -> str:
    """The name of a step without words that hold a digit: they are ids, and each would make a series
    of its own."""
    return _WORD_WITH_DIGIT.sub("", step)


def _stopped_id(workflow: WorkflowStatus) -> str:
    """The id whose existence says that the workflow was cut off by an orderly stop."""
    return f"{workflow.workflow_id}-stopped-{workflow.recovery_attempts}"


_STAMP: Codec[tuple[str, int] | None] = codec_of(tuple[str, int] | None)


def _new_stamp() -> tuple[str, int]:
    """A new stamp, and the number of the current step."""
    return uuid.uuid4().hex, DBOS.step_id or 0


def _unusable(error: Exception) -> SetupError:
    return SetupError(
        f"The job database cannot be used: {type(error).__name__}.",
        next_step="Check TINYGEN_DATABASE_URL, and that its user may create tables.",
    )


def check_sqlite(
    python: tuple[int, ...] = sys.version_info[:2],
    sqlite: tuple[int, ...] = sqlite3.sqlite_version_info,
) -> None:
    """SetupError if the two do not go together. From Python 3.12 on the engine takes the time in a way
    that older versions of SQLite answer with NULL (dbos/_migration.py, get_sqlite_timestamp_expr)."""
    if python >= (3, 12) and sqlite < _MIN_SQLITE:
        raise SetupError(
            f"SQLite {'.'.join(map(str, sqlite))} is too old for Python"
            f" {'.'.join(map(str, python))}.",
            next_step=(
                "Use Python 3.11, or a system with SQLite 3.42 or later (Debian 13, Ubuntu 24.04), or set"
                " TINYGEN_DATABASE_URL to PostgreSQL."
            ),
        )


def _use_wal(path: Path) -> None:
    """Sets SQLite to write-ahead logging, which is faster than the engine's default. The file keeps
    the setting."""
    check_sqlite()
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=30)
    connection.execute("pragma journal_mode=wal")
    connection.close()
