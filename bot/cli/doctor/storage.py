"""The checks of where TinyGen keeps things: the data directory, the database, and Supabase."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator

from bot.cli.doctor.finding import Checkup, Finding
from bot.errors import SetupError

MIN_FREE_BYTES = 1 << 30
MAX_JOB_WAIT_S = 60.0


def check_data_dir(checkup: Checkup) -> Iterator[Finding]:
    path = checkup.config.data_dir.resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            free_bytes = shutil.disk_usage(path).free
    except OSError as error:
        step = "Set TINYGEN_DATA_DIR to a directory that TinyGen's user may write."
        public = f"It cannot be written: {error.strerror}."
        message = f"{path} cannot be written: {error.strerror}."
        yield Finding("data directory", False, message, step, public)
        return
    if free_bytes < MIN_FREE_BYTES:
        left = f"{free_bytes >> 20} MB left."
        step = "Free or add disk space: repositories are cached there."
        yield Finding("data directory", False, f"{path} has {left}", step, f"It has {left}")
    else:
        yield Finding("data directory", True, f"{path}, {free_bytes >> 30} GB left.")


def check_database(checkup: Checkup) -> Iterator[Finding]:
    config = checkup.config
    is_local = config.database_url is None
    if is_local and config.data_dir.exists() and config.data_dir.stat().st_uid != os.geteuid():
        # A database that is made now would belong to the wrong user, and the bot could not open it.
        message = "Not opened: its directory is another user's."
        yield Finding("database", None, message, "Run this as TinyGen's user.")
        return
    database = checkup.services.database(config)
    try:
        job_count = sum(database.counts().values())
        waiting_s = database.oldest_waiting_s()
    finally:
        database.close()
    # At the start, jobs may have waited for it.
    if waiting_s > MAX_JOB_WAIT_S and checkup.is_thorough:
        step = (
            "Start a worker, or look at its log: `python -m bot serve`, or `python -m bot worker`."
        )
        raise SetupError(f"A job has waited {waiting_s:.0f} s for a worker.", next_step=step)
    yield Finding("database", True, f"It answers. Jobs known: {job_count}.")


def check_supabase(checkup: Checkup) -> Iterator[Finding]:
    store = checkup.services.supabase(checkup.config)
    if store is None:
        message = "It is not set up: the request log stays in the embedded database."
        yield Finding("Supabase", None, message)
        return
    try:
        store.check()
        message = "The request log is there, with all of its columns."
        if checkup.is_thorough:
            store.try_row(f"doctor-{uuid.uuid4().hex}")
            message = "A row was written, read and deleted; the request log has all of its columns."
    finally:
        store.close()
    yield Finding("Supabase", True, message)
