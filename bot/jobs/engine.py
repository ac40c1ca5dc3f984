"""The durable engine: workflows whose finished steps are never run again, whatever dies in between.

dbos keeps each workflow's input and each finished step's output in the database; after a restart a
workflow is run from its start and every finished step answers from there. So a workflow's body may
only branch on what steps returned, and what touches the world is inside a step. A step's outcome is
plain JSON, errors included: the engine's own way to store an exception does not bring the same type
back.

What a step came to, as JSON: without a secret, and errors so that they are read again as what they
were.

Whose turn it is, so that nobody holds up anybody else.

What was accepted waits in the inbox, and is started in shares: of one person in one repository a
command at a time, of a repository and of an installation only some, so that a place is free for
whoever comes.

Then the work: the engine runs one job of a repository at a time, and takes repositories in random
order. Here, of one installation only so many repositories are in its queue at all; jobs for further
ones are held, oldest first, until one is done. The places that stay free are there for whoever
comes.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

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
)
from dbos._error import DBOSException, DBOSUnexpectedStepError

from bot import errors
from bot.errors import AskerError, Cancelled, LimitReached, OutsideError, SetupError, TinyGenError
from bot.ports import MetricsSink, NoMetrics, Waiting

Json: TypeAlias = Any

_log = structlog.get_logger()

_FAMILIES = (AskerError, OutsideError, SetupError)
_ERRORS: dict[str, type[TinyGenError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, _FAMILIES)
}
"""By name, those that bot.errors draws."""


def outcome_of(name: str, body: Callable[[], Json], watch: MetricsSink) -> Json:
    """What the body came to: `value` or `error`. Anything but an error of the house is raised."""
    began = time.monotonic()
    try:
        outcome: Json = {"value": body()}
        said = "ok"
    except Cancelled:
        outcome, said = {"error": {"type": "Cancelled"}}, "cancelled"
    except TinyGenError as error:
        outcome, said = {"error": _dump_error(error)}, f"{type(error).__name__}: {error.message}"
    seconds = time.monotonic() - began
    watch.step_ended(name, seconds)
    _log.info("step", step=name, outcome=said, seconds=round(seconds, 3))
    return outcome


def _dump_error(error: TinyGenError) -> Json:
    """As the nearest of its kinds that bot.errors draws. The family is for a version that has no
    such kind."""
    kind = next((kind for kind in type(error).__mro__ if kind in _ERRORS.values()), OutsideError)
    family = next((family for family in _FAMILIES if issubclass(kind, family)), OutsideError)
    dumped: Json = {
        "type": kind.__name__,
        "family": family.__name__,
        "message": error.message,
        "next_step": error.next_step,
    }
    if isinstance(error, OutsideError | LimitReached):
        dumped["retry_in_s"] = error.retry_in_s
    return dumped


def load_error(dumped: Json, step: int | None) -> Exception:
    """`step` is the number of the one that came to it, None where that was not recorded. An error
    of which neither the kind nor the family is known is taken for the outside's."""
    if dumped["type"] == "Cancelled":
        return Cancelled()
    kind = _ERRORS.get(dumped["type"]) or _ERRORS.get(dumped.get("family", ""), OutsideError)
    timed = (
        {"retry_in_s": dumped.get("retry_in_s")}
        if issubclass(kind, OutsideError | LimitReached)
        else {}
    )
    error = kind(dumped["message"], next_step=dumped["next_step"], **timed)
    if isinstance(error, OutsideError):
        error.step = step
    return error


def cleaned(value: Json, clean: Callable[[str], str]) -> Json:
    """The value with `clean` applied to every text in it."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {name: cleaned(part, clean) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(part, clean) for part in value]
    return value


MAX_STARTING = 16
"""Commands that one worker accepts at once: each holds a thread for as long as GitHub takes to
answer."""
MAX_OF_REPOSITORY = 2
MAX_OF_ACCOUNT = 4


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job that has not ended; `group` is the installation, `key` the repository."""

    id: str
    group: str
    key: str
    is_held: bool


@dataclass(frozen=True, slots=True)
class QueueSlot:
    """Where a job queues. `cap` is how many keys its group may have at work; 0 is no limit."""

    group: str
    key: str
    cap: int


def choose_starting(waiting: Iterable[Waiting], at_work: Iterable[Waiting]) -> tuple[str, ...]:
    """The ids of those to start now, beside those at work, in the order in which they wait."""
    busy: Counter[tuple[str, ...]] = Counter()
    for each in at_work:
        busy.update(dict.fromkeys(_shares(each), 1))
    chosen: list[str] = []
    for each in waiting:
        if all(busy[share] < most for share, most in _shares(each).items()):
            busy.update(dict.fromkeys(_shares(each), 1))
            chosen.append(each.id)
    return tuple(chosen)


def _shares(each: Waiting) -> dict[tuple[str, ...], int]:
    """What the job takes a place of, and how many places that has."""
    return {
        (): MAX_STARTING,
        ("account", each.account): MAX_OF_ACCOUNT,
        ("repository", each.repository): MAX_OF_REPOSITORY,
        ("asker", each.repository, each.asker): 1,
    }


def may_start(line: Iterable[QueuedJob], place: QueueSlot) -> bool:
    """Whether a job for the place needs not be held, where `line` is its group's."""
    waiting = tuple(line)
    others = {each.key for each in waiting} - {place.key}
    return not place.cap or (len(others) < place.cap and not any(each.is_held for each in waiting))


def choose_released(line: Iterable[QueuedJob], cap: int) -> tuple[str, ...]:
    """The ids of those held whose turn has come, where `line` is everybody's, oldest first."""
    waiting = tuple(line)
    busy: dict[str, set[str]] = defaultdict(set)
    for each in waiting:
        if not each.is_held:
            busy[each.group].add(each.key)
    freed = []
    for each in waiting:
        keys = busy[each.group]
        if each.is_held and (not cap or each.key in keys or len(keys) < cap):
            keys.add(each.key)
            freed.append(each.id)
    return tuple(freed)


EngineError = DBOSException
"""What the engine raises of itself: never a job's failure, so never caught as one."""

NAME = "tinygen"
APPLICATION_VERSION = "tinygen-1"
"""Constant: by default the engine strands jobs in flight when a workflow's source changes. Raise it
only with a change that jobs in flight cannot go on with, after the queue has drained."""
MAX_RECOVERIES = 50
"""A job that was in flight at so many restarts is the likely cause of them, and is given up."""
POLL_S = 0.1
MAX_FOLLOWUPS = 16
"""What follows later, of all accounts together, that one worker does at once."""
NOBODY = "nobody"
"""The account of what was queued before accounts were told."""
_OPEN = ("DELAYED", "ENQUEUED", "PENDING")
HELD_S = 10 * 365 * 86_400.0
"""The wait of what is held until `free` lets it go."""
MANY = 1_000
"""Workflows that are listed at once."""


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

    `executor_id` names this worker: with SQLite always the same, so that a restart finds its own
    jobs again. `clean` takes the installation's secrets out of a text: nothing that a workflow is
    given, or a step returns, keeps one.
    """

    def __init__(
        self,
        database_url: str,
        *,
        executor_id: str,
        concurrency: int,
        clean: Callable[[str], str],
        poll_s: float = POLL_S,
        watch: MetricsSink | None = None,
    ) -> None:
        self._concurrency, self._poll_s, self._clean = concurrency, poll_s, clean
        self._watch = watch or NoMetrics()
        self._deciding = threading.Lock()
        self._workflows: dict[str, Callable[[Json], Json]] = {}
        if database_url.startswith("sqlite:///"):
            _use_wal(Path(database_url.removeprefix("sqlite:///")))
        # Its own connection: the engine's own question is refused inside a step that runs an event
        # loop.
        self._look = DBOSClient(system_database_url=database_url, application_name=NAME, lazy=True)
        DBOS(
            config={
                "name": NAME,
                "system_database_url": database_url,
                "executor_id": executor_id,
                "application_version": APPLICATION_VERSION,
                "log_level": "ERROR",
                "max_executor_threads": concurrency + MAX_FOLLOWUPS + 2 * MAX_STARTING,
                "notification_listener_polling_interval_sec": 10 * poll_s,
            }
        )

    def workflow(self, name: str, body: Callable[[Json], Json]) -> None:
        """Registers a workflow. All are registered before `launch`, since that is when jobs in
        flight go on."""

        @DBOS.workflow(
            name=name,
            max_recovery_attempts=MAX_RECOVERIES,
            serialization_type=WorkflowSerializationFormat.PORTABLE,
        )
        def run(payload: Json) -> Json:
            with structlog.contextvars.bound_contextvars(job=payload.get("id"), workflow=name):
                try:
                    return body(payload)
                except DBOSUnexpectedStepError as changed:
                    _id, step, *_names = changed.inputs
                    return self._take_up(payload["id"], step)

        self._workflows[name] = run

    def launch(self) -> None:
        try:
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
        # What follows later goes one at a time for each account: an installation that GitHub limits
        # delays no other.
        DBOS.register_queue(
            "followups",
            polling_interval_sec=10 * self._poll_s,
            worker_concurrency=MAX_FOLLOWUPS,
            partition_concurrency=1,
            on_conflict="always_update",
        )
        # Where these were queued up to commit adabc01: what was left there is still done.
        DBOS.register_queue(
            "late",
            polling_interval_sec=10 * self._poll_s,
            worker_concurrency=4,
            on_conflict="always_update",
        )

    def stop(self, drain_s: int) -> None:
        """Lets running jobs go on for `drain_s`; what is not done by then goes on at the next
        start."""
        DBOS.destroy(workflow_completion_timeout_sec=drain_s, destroy_registry=True)
        self._look.destroy()

    def start(
        self, name: str, workflow_id: str, payload: Json, *, group: str | None = None
    ) -> None:
        """Starts it here and now, on the account of `group`. An id that was started before starts
        nothing."""
        with SetWorkflowID(workflow_id), DBOSContextSetAuth(group, None):
            DBOS.start_workflow(self._workflows[name], cleaned(payload, self._clean))

    def enqueue(
        self,
        queue: Literal["jobs", "followups"],
        name: str,
        workflow_id: str,
        payload: Json,
        *,
        key: str,
        group: str | None = None,
        wait_s: float | None = None,
    ) -> None:
        """Queues it, for `wait_s` from now. Of the same `key` one runs at a time: of jobs it is the
        repository, of what follows later the account. `group` is on whose account. An id that was
        queued before queues nothing."""
        options = SetEnqueueOptions(queue_partition_key=key, delay_seconds=wait_s)
        with SetWorkflowID(workflow_id), DBOSContextSetAuth(group, None), options:
            DBOS.enqueue_workflow(queue, self._workflows[name], cleaned(payload, self._clean))

    def enqueue_in_turn(self, name: str, workflow_id: str, payload: Json, place: QueueSlot) -> None:
        """Queues it in "jobs", or holds it there until `free` says that its turn has come."""
        with self._deciding:  # of many that come at once, each must see those before it
            goes = self.step(
                "turn",
                lambda: may_start(self._in_line(*_OPEN, user=place.group, sort_desc=True), place),
            )
            wait_s = None if goes else HELD_S
            self.enqueue(
                "jobs", name, workflow_id, payload, key=place.key, group=place.group, wait_s=wait_s
            )

    def free(self, cap: int) -> None:
        """Lets those held in the queue "jobs" go whose turn it is. Safe to do in many workers at
        once."""
        delayed = self._in_line("DELAYED")
        if any(each.is_held for each in delayed):
            for workflow_id in choose_released(
                (*self._in_line("ENQUEUED", "PENDING"), *delayed), cap
            ):
                self._look.set_workflow_delay(workflow_id, delay_seconds=0.0)

    def _in_line(self, *states: str, **given: Any) -> tuple[QueuedJob, ...]:
        """Who is in one of the states in the queue "jobs", MANY at most."""
        now_ms = time.time() * 1000
        found = self._look.list_workflows(
            queue_name="jobs",
            status=list(states),
            limit=MANY,
            load_input=False,
            load_output=False,
            **given,
        )
        return tuple(
            QueuedJob(
                each.workflow_id,
                each.authenticated_user or "",
                each.queue_partition_key or "",
                is_held=each.status == "DELAYED"
                and (each.delay_until_epoch_ms or 0) - now_ms > HELD_S * 500,
            )
            for each in found
        )

    def state(self, workflow_id: str) -> Literal["unknown", "queued", "running", "ended"]:
        found = self._look.list_workflows(
            workflow_ids=[workflow_id], load_input=False, load_output=False
        )
        if not found:
            return "unknown"
        status = found[0]
        if status.status in ("ENQUEUED", "DELAYED"):
            return "queued"
        return "running" if status.status == "PENDING" else "ended"

    def is_alive(self, workflow_id: str) -> bool:
        """Whether the workflow is still to be worked on: what was put off is, while something waits
        to let it go on."""
        found = self._look.list_workflows(workflow_ids=[workflow_id], load_input=False)
        if not found or found[0].status in _OPEN:
            return bool(found)
        output = found[0].output
        if found[0].status != "SUCCESS" or not isinstance(output, dict) or "put_off" not in output:
            return False
        return bool(
            self._look.list_workflows(
                workflow_id_prefix=f"{output['put_off']}-go on",
                status=list(_OPEN),
                load_input=False,
                load_output=False,
            )
        )

    def owners(self) -> frozenset[str]:
        """The executors that have jobs in flight."""
        running = self._look.list_workflows(status="PENDING", load_input=False, load_output=False)
        return frozenset(workflow.executor_id for workflow in running if workflow.executor_id)

    def take_over(self, executor_ids: Sequence[str]) -> int:
        """How many jobs of executors that are dead go on here. The engine guards each by its owner:
        of several that take over the same job, one gets it."""
        return len(DBOS._recover_pending_workflows(list(executor_ids)))

    def forget(self, before: datetime) -> int:
        """How many workflows that ended before then were forgotten. The engine itself keeps them
        for ever."""
        count = 0
        while old := self._look.list_workflows(
            completed_before=before.isoformat(), limit=MANY, load_input=False, load_output=False
        ):
            self._look.delete_workflows([workflow.workflow_id for workflow in old])
            count += len(old)
        return count

    def drop(self, workflow_id: str) -> None:
        """Takes a workflow out of its queue. One that already runs does not begin another step."""
        self._look.cancel_workflow(workflow_id)

    def go_on(self, payload: Json) -> bool:
        """Queues what was put off where it was queued before, done anew from the step on that
        `payload` names. False where it is still about to end; one that ended in another way, or
        went on already, is left alone."""
        found = self._look.list_workflows(workflow_ids=[payload["workflow"]], load_input=False)
        if found and found[0].status in ("ENQUEUED", "DELAYED", "PENDING"):
            return False
        if found and found[0].output == {"put_off": payload["stamp"]}:
            self._look.rewind_workflow(
                payload["workflow"],
                start_step=payload["step"],
                queue_name=found[0].queue_name or "followups",
                queue_partition_key=found[0].queue_partition_key
                or found[0].authenticated_user
                or NOBODY,
            )
        return True

    def step(self, name: str, body: Callable[[], Json]) -> Json:
        """What `body` returned, now or before a restart. An error of the house is raised again as
        what it was."""
        outcome = DBOS.run_step(
            StepOptions(name=name),
            lambda: {
                **cleaned(outcome_of(name, body, self._watch), self._clean),
                "number": DBOS.step_id,
            },
        )
        if "error" in outcome:
            raise load_error(outcome["error"], outcome.get("number"))
        return outcome["value"]

    def postpone(
        self, wait_s: float, payload: Json, *, step: int | None, may: Callable[[], bool]
    ) -> Json:
        """What the workflow returns to go on in `wait_s`, anew from `step` on; None where it may
        not. `payload` is what the workflow "go on" is given besides."""
        found = self.step("put off", lambda: [uuid.uuid4().hex, DBOS.step_id] if may() else None)
        if found is None:
            return None
        stamp, here = found
        given = {**payload, "workflow": DBOS.workflow_id, "stamp": stamp, "step": step or here}
        self.enqueue(
            "followups", "go on", f"{stamp}-go on", given, key=given["account"], wait_s=wait_s
        )
        return {"put_off": stamp}

    def _take_up(self, job_id: str, step: int) -> Json:
        """As `put_off`, for a job that other code began: nothing more can be recorded in it from
        `step` on."""
        stamp = uuid.uuid4().hex
        account = DBOS.authenticated_user or NOBODY
        payload = {
            "id": job_id,
            "workflow": DBOS.workflow_id,
            "stamp": stamp,
            "step": step,
            "account": account,
        }
        _log.warning("a job that other code began is done anew from here on", step=step)
        queued: EnqueueOptions = {
            "workflow_name": "go on",
            "queue_name": "followups",
            "queue_partition_key": account,
            "workflow_id": f"{stamp}-go on",
            "serialization_type": WorkflowSerializationFormat.PORTABLE,
        }
        self._look.enqueue(queued, payload)
        return {"put_off": stamp}


def _unusable(error: Exception) -> SetupError:
    return SetupError(
        f"The job database cannot be used: {type(error).__name__}.",
        next_step="Check TINYGEN_DATABASE_URL, and that its user may create tables.",
    )


def _use_wal(path: Path) -> None:
    """The engine leaves SQLite in rollback-journal mode; the write-ahead log is faster, and stays
    set in the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=30)
    connection.execute("pragma journal_mode=wal")
    connection.close()
