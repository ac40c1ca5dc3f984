"""Which deliveries are asked for again."""

from __future__ import annotations

from bot.thread.webhooks import MAX_ATTEMPTS, Attempt, choose_redeliveries


def attempt(
    number: int, status: int, guid: str = "g", event: str = "issue_comment", action: str = "created"
) -> Attempt:
    return Attempt(number, guid, event, action, status)


def test_one_that_never_arrived_is_asked_for_by_its_newest_attempt() -> None:
    assert choose_redeliveries([attempt(2, 503), attempt(1, 0)]) == (2,)


def test_one_that_arrived_once_is_not() -> None:
    assert choose_redeliveries([attempt(3, 0), attempt(2, 202), attempt(1, 502)]) == ()


def test_one_that_was_refused_is_not() -> None:
    assert choose_redeliveries([attempt(1, 401)]) == ()


def test_one_that_cannot_hold_a_command_is_not() -> None:
    assert (
        choose_redeliveries(
            [attempt(1, 0, "a", event="push"), attempt(2, 0, "b", action="deleted")]
        )
        == ()
    )


def test_after_some_attempts_it_is_left_to_the_operator() -> None:
    assert choose_redeliveries([attempt(n, 0) for n in range(MAX_ATTEMPTS)]) == ()
    assert choose_redeliveries([attempt(n, 0) for n in range(MAX_ATTEMPTS - 1)]) != ()
