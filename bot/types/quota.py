"""The limits on requests and tokens of this installation of TinyGen, and the operator's brake.

An hour is the last 3,600 seconds, a day is a day of UTC. Refused requests and requests that need no
run do not count.
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
"""Whose requests are counted: those of the job's actor, or of its repository."""


@dataclass(frozen=True, slots=True)
class Quota:
    """0 is no limit. `run_hourly` is for each caller of /run, `actor_hourly` for each person in a
    thread."""

    actor_hourly: int = 0
    repo_hourly: int = 0
    run_hourly: int = 0
    daily_tokens: int = 0
    repo_daily_tokens: int = 0
    actor_daily_tokens: int = 0


class Tally(Protocol):
    """The recent requests and tokens. Times are in seconds since 1970."""

    def asked_at(self, job: Job, by: By, nth: int, since: float) -> float | None:
        """Time of the `nth` most recent request before `job` and since `since`, or None. All stored
        requests are before a job that is not stored yet."""

    def tokens_since(
        self, since: float, *, repository_key: str | None = None, asker_key: str | None = None
    ) -> int:
        """Tokens, in and out, of the jobs that were requested since then: of one repository or of
        one asker, if given."""

    def paused(self) -> str | None:
        """Why the operator lets no new work begin, "" without a reason; None if it may begin."""


def check_quota(quota: Quota, job: Job, tally: Tally, now: float) -> LimitReached | None:
    """The error for the first limit that the job exceeds, with the seconds until it is free again;
    None if it exceeds none."""
    reason = tally.paused()
    if reason is not None:
        because = f": {reason}" if reason else ""
        return LimitReached(
            f"TinyGen takes no new work at the moment{because}.",
            next_step="What already runs goes on. Ask again later.",
        )
    return _check_requests(quota, job, tally, now) or _check_tokens(quota, job, tally, now)


def _check_requests(quota: Quota, job: Job, tally: Tally, now: float) -> LimitReached | None:
    limits: list[tuple[By, int, str, str]] = []
    if job.source == "run":
        message = "This caller has made the {} calls that it may make in an hour."
        limits.append(("actor", quota.run_hourly, message, "TINYGEN_RUN_HOURLY"))
    else:
        message = "You have made the {} requests that a person may make in an hour."
        limits.append(("actor", quota.actor_hourly, message, "TINYGEN_ACTOR_HOURLY"))
    message = "This repository has had the {} requests that it may have in an hour."
    limits.append(("repo", quota.repo_hourly, message, "TINYGEN_REPO_HOURLY"))

    for by, limit, message, setting in limits:
        if not limit:
            continue
        oldest = tally.asked_at(job, by, limit, now - HOUR_S)
        if oldest is not None:
            return _limit_reached(message.format(f"{limit:,}"), setting, oldest + HOUR_S, now)
    return None


def _check_tokens(quota: Quota, job: Job, tally: Tally, now: float) -> LimitReached | None:
    if job.command.verb == "apply":  # it calls no model
        return None
    of_all = "TinyGen has used the {} tokens that it may use in a day."
    of_repo = "This repository has used the {} tokens that it may use in a day."
    of_actor = "You have used the {} tokens that one person may use in a day."
    by_repo, by_asker = {"repository_key": job.target.repository_key}, {"asker_key": job.asker_key}
    limits: tuple[tuple[dict[str, str], int, str, str], ...] = (
        ({}, quota.daily_tokens, of_all, "TINYGEN_DAILY_TOKENS"),
        (by_repo, quota.repo_daily_tokens, of_repo, "TINYGEN_REPO_DAILY_TOKENS"),
        (by_asker, quota.actor_daily_tokens, of_actor, "TINYGEN_ACTOR_DAILY_TOKENS"),
    )
    midnight = now - now % DAY_S
    for whose, limit, message, setting in limits:
        if limit and tally.tokens_since(midnight, **whose) >= limit:
            return _limit_reached(message.format(f"{limit:,}"), setting, midnight + DAY_S, now)
    return None


def _limit_reached(message: str, setting: str, free_at: float, now: float) -> LimitReached:
    hour, minute = divmod(math.ceil(free_at / 60) % 1440, 60)
    return LimitReached(
        message,
        next_step=(
            f"Ask again after {hour:02}:{minute:02} UTC, or let the operator raise {setting}."
        ),
        retry_in_s=free_at - now,
    )
