"""Removes all that is kept of repositories: when the App is uninstalled or removed from them, and when
the operator asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import structlog

from bot.errors import TinyGenError
from bot.jobs.cancel import cancel
from bot.jobs.engine import NOTHING, TEXTS
from bot.jobs.policy import JobContext
from bot.jobs.workflows import run_id
from bot.types import Job, Removal
from bot.types.serialization import Codec, codec_of

MAX_WAIT_S = 30.0
"""How long jobs that still run are waited for: they would store their report again."""
POLL_S = 0.2

_KEPT: Codec[tuple[tuple[str, ...], tuple[str, ...]]] = codec_of(
    tuple[tuple[str, ...], tuple[str, ...]]
)

_log = structlog.get_logger()


def forget(context: JobContext, job: Job) -> None:
    """Jobs and their workflows, rows of both request logs, and the caches. What runs is stopped
    first. A part that fails is logged, and the others are removed."""
    removal, engine = job.removal, context.engine
    if removal is None:
        return
    kept, keys = engine.step("find kept", lambda: context.reports.kept(removal), _KEPT)
    job_ids = tuple(each for each in kept if each != job.id)
    for job_id in engine.step("find open", lambda: _open_of(context, job_ids), TEXTS):
        cancel(context, job_id)
    engine.step("wait", lambda: _wait(context, job_ids), NOTHING)
    engine.step("forget", lambda: _forget(context, removal, job_ids, keys), NOTHING)


def _open_of(context: JobContext, job_ids: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the jobs that are being accepted, wait or run."""
    is_alive = context.engine.is_alive
    return tuple(each for each in job_ids if is_alive(each) or is_alive(run_id(each)))


def _wait(context: JobContext, job_ids: tuple[str, ...]) -> None:
    until = time.monotonic() + MAX_WAIT_S
    while job_ids := _open_of(context, job_ids):
        if time.monotonic() > until:
            _log.error("a job of a repository that is forgotten still runs", jobs=job_ids)
            return
        time.sleep(POLL_S)


def _forget(
    context: JobContext, removal: Removal, job_ids: tuple[str, ...], keys: tuple[str, ...]
) -> None:
    logs = [context.log, *([context.remote_log] if context.remote_log else [])]
    parts: list[Callable[[], None]] = [
        *(partial(context.git.forget, key) for key in keys),
        *(partial(context.engine.forget_job, job_id) for job_id in job_ids),
        partial(context.reports.forget_jobs, job_ids),
        *(partial(log.forget, removal) for log in logs),
    ]
    failed = 0
    for part in parts:
        try:
            part()
        except TinyGenError as error:
            failed += 1
            _log.error("a part of what was kept could not be removed", error=str(error))
    _log.warning("repositories are forgotten", jobs=len(job_ids), caches=len(keys), failed=failed)
