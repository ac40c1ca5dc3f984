"""Limits: which one is met, and when it is free again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from bot.types import Command, Job, Target
from bot.types.quota import DAY_S, HOUR_S, By, Quota, check_quota

NOON = 20_000 * DAY_S + DAY_S / 2
COMMENT = Job("c", "comment", Target("o/r", 1, 2), Command("solve", "x"), "mona")
CALL = Job("r", "run", Target("o/r"), Command("solve", "x"), "key 1")


@dataclass
class Asked:
    """`by_actor` and `by_repo` are moments, newest first."""

    by_actor: list[float] = field(default_factory=list)
    by_repo: list[float] = field(default_factory=list)
    tokens: int = 0
    repo_tokens: int = 0
    actor_tokens: int = 0
    pause_reason: str | None = None

    def asked_at(self, job: Job, by: By, nth: int, since: float) -> float | None:
        moments = [at for at in (self.by_actor if by == "actor" else self.by_repo) if at > since]
        return moments[nth - 1] if len(moments) >= nth else None

    def tokens_since(
        self, since: float, *, repository_key: str | None = None, asker_key: str | None = None
    ) -> int:
        assert since == NOON - DAY_S / 2
        if asker_key is not None:
            return self.actor_tokens
        return self.tokens if repository_key is None else self.repo_tokens

    def paused(self) -> str | None:
        return self.pause_reason


def test_without_limits_nothing_is_met() -> None:
    assert (
        check_quota(Quota(), COMMENT, Asked([NOON] * 99, [NOON] * 99, 10**9, 10**9), NOON) is None
    )


@pytest.mark.parametrize(
    ("job", "quota"), [(COMMENT, Quota(actor_hourly=2)), (CALL, Quota(run_hourly=2))]
)
def test_the_oldest_request_within_the_limit_says_when_it_is_free_again(
    job: Job, quota: Quota
) -> None:
    asked = Asked([NOON - 60, NOON - HOUR_S + 90, NOON - HOUR_S + 10])
    reached = check_quota(quota, job, asked, NOON)
    assert reached is not None
    assert reached.retry_in_s == 90
    assert "the 2 " in reached.message
    assert "after 12:02 UTC" in reached.next_step
    assert "TINYGEN_" in reached.next_step
    assert check_quota(quota, job, Asked(asked.by_actor[:1]), NOON) is None


def test_calls_and_comments_have_limits_of_their_own() -> None:
    asked = Asked([NOON - 1] * 5)
    assert check_quota(Quota(actor_hourly=2), CALL, asked, NOON) is None
    assert check_quota(Quota(run_hourly=2), COMMENT, asked, NOON) is None


@pytest.mark.parametrize("job", [COMMENT, CALL])
def test_a_repository_has_one_limit_for_all(job: Job) -> None:
    reached = check_quota(Quota(repo_hourly=3), job, Asked(by_repo=[NOON - 1] * 3), NOON)
    assert reached is not None
    assert "This repository" in reached.message


@pytest.mark.parametrize(
    ("quota", "asked"),
    [
        (Quota(daily_tokens=1000), Asked(tokens=1000)),
        (Quota(repo_daily_tokens=1000), Asked(repo_tokens=1000)),
        (Quota(actor_daily_tokens=1000), Asked(actor_tokens=1000)),
    ],
)
def test_a_days_tokens_are_free_again_at_midnight(quota: Quota, asked: Asked) -> None:
    reached = check_quota(quota, COMMENT, asked, NOON)
    assert reached is not None
    assert reached.retry_in_s == DAY_S / 2
    assert "1,000 tokens" in reached.message
    assert "after 00:00 UTC" in reached.next_step
    assert (
        check_quota(
            quota, COMMENT, replace(asked, tokens=999, repo_tokens=999, actor_tokens=999), NOON
        )
        is None
    )


def test_what_asks_no_model_needs_no_tokens() -> None:
    apply = replace(COMMENT, command=Command("apply"))
    assert check_quota(Quota(daily_tokens=1), apply, Asked(tokens=5), NOON) is None


def test_while_it_is_paused_nothing_is_within_the_limits() -> None:
    reached = check_quota(Quota(), COMMENT, Asked(pause_reason="a move"), NOON)
    assert reached is not None
    assert reached.message == "TinyGen takes no new work at the moment: a move."
    assert check_quota(Quota(), COMMENT, Asked(pause_reason=""), NOON) is not None
