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

END_S = 30.0
"""How long jobs that still run are waited for: they would store their report again."""
LOOK_S = 0.2

_log = structlog.get_logger()


def forget(context: JobContext, job: Job) -> None:
    """Jobs and their workflows, rows of both request logs, and the caches. What runs is stopped
    first. A part that fails is logged, and the others are removed."""
    removal, engine = job.removal, context.engine
    if removal is None:
        return
    job_ids = engine.step("find kept jobs", lambda: context.reports.kept(removal)[0], TEXTS)
    keys = engine.step("find kept caches", lambda: context.reports.kept(removal)[1], TEXTS)
    job_ids = tuple(each for each in job_ids if each != job.id)
    for job_id in job_ids:
        if engine.step("alive?", partial(_is_open, context, job_id), TEXTS):
            cancel(context, job_id)
    engine.step("wait", lambda: _wait(context, job_ids), NOTHING)
    engine.step("forget", lambda: _forget(context, removal, job_ids, keys), NOTHING)


def _is_open(context: JobContext, job_id: str) -> tuple[str, ...]:
    names = (job_id, run_id(job_id))
    return tuple(each for each in names if context.engine.is_alive(each))


def _wait(context: JobContext, job_ids: tuple[str, ...]) -> None:
    until = time.monotonic() + END_S
    while any(_is_open(context, each) for each in job_ids) and time.monotonic() < until:
        time.sleep(LOOK_S)


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
    for part in parts:
        try:
            part()
        except TinyGenError as error:
            _log.error("a part of what was kept could not be removed", error=str(error))
    _log.warning("what was kept of repositories is removed", jobs=len(job_ids), caches=len(keys))
