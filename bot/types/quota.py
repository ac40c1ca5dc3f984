"""How much may be asked of this installation of TinyGen, and when it may be asked for more.

Hours are the last 3,600 seconds, days those of UTC. What was refused does not count, nor what asks
no work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from bot.errors import LimitReached
from bot.types import Job

HOUR_S = 3_600.0
DAY_S = 86_400.0

By = Literal["actor", "repo"]


@dataclass(frozen=True, slots=True)
class Quota:
    """0 is no limit. `run_hourly` is for each caller of /run, `actor_hourly` for each person in a
    thread."""

    actor_hourly: int = 0
    repo_hourly: int = 0
    run_hourly: int = 0
    daily_tokens: int = 0
    repo_daily_tokens: int = 0


class Tally(Protocol):
    """What was asked and used lately. Moments are in seconds since 1970."""

    def asked_at(self, job: Job, by: By, nth: int, since: float) -> float | None:
        """When the `nth`-newest request before `job` was made by its actor, or for its repository;
        None where there were fewer since that moment. All are before a job that is not stored
        yet."""

    def tokens_since(self, since: float, repository_key: str | None = None) -> int:
        """Used, in and out, by the jobs that were asked for since that moment."""


def limit_met(quota: Quota, job: Job, tally: Tally, now: float) -> LimitReached | None:
    """Why the job cannot be done now, and in how many seconds it can; None where it can."""
    for by, limit, words, setting in _hourly(quota, job):
        filled_at = tally.asked_at(job, by, limit, now - HOUR_S) if limit else None
        if filled_at is not None:
            return _reached(words.format(f"{limit:,}"), setting, filled_at + HOUR_S, now)
    if job.command.verb == "apply":  # asks no model
        return None
    midnight = now - now % DAY_S
    for repo, limit, words, setting in _daily(quota, job):
        if limit and tally.tokens_since(midnight, repo) >= limit:
            return _reached(words.format(f"{limit:,}"), setting, midnight + DAY_S, now)
    return None


def _hourly(quota: Quota, job: Job) -> tuple[tuple[By, int, str, str], ...]:
    by_run = "This caller has made the {} calls that it may make in an hour."
    by_person = "You have made the {} requests that a person may make in an hour."
    of_repo = "This repository has had the {} requests that it may have in an hour."
    return (
        (
            ("actor", quota.run_hourly, by_run, "TINYGEN_RUN_HOURLY")
            if job.source == "run"
            else ("actor", quota.actor_hourly, by_person, "TINYGEN_ACTOR_HOURLY")
        ),
        ("repo", quota.repo_hourly, of_repo, "TINYGEN_REPO_HOURLY"),
    )


def _daily(quota: Quota, job: Job) -> tuple[tuple[str | None, int, str, str], ...]:
    of_all = "TinyGen has used the {} tokens that it may use in a day."
    of_repo = "This repository has used the {} tokens that it may use in a day."
    return (
        (None, quota.daily_tokens, of_all, "TINYGEN_DAILY_TOKENS"),
        (job.target.repository_key, quota.repo_daily_tokens, of_repo, "TINYGEN_REPO_DAILY_TOKENS"),
    )


def _reached(words: str, setting: str, free_at: float, now: float) -> LimitReached:
    hour, minute = divmod(math.ceil(free_at / 60) % 1440, 60)
    return LimitReached(
        words,
        next_step=(
            f"Ask again after {hour:02}:{minute:02} UTC, or let the operator raise {setting}."
        ),
        retry_in_s=free_at - now,
    )
