"""What is kept for the pages beside the jobs' reports: the operator's list, what was last seen of the
world outside, and the conversations with the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from bot.types import DeliveryAttempt, Message, Prompt, Reply, Report, State

GroupBy = Literal["day", "repo", "person", "model"]
"""A direct call has no person."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs a list shows: all that match every value that is given. `after` is the `next` of the
    page before."""

    state: State | None = None
    repo: str = ""
    """`owner/name`, in any case."""
    asker_key: str | None = None
    after: str = ""


@dataclass(frozen=True, slots=True)
class JobList:
    """One page, newest first. `next` is "" on the last one."""

    reports: tuple[Report, ...]
    next: str = ""


@dataclass(frozen=True, slots=True)
class Spending:
    """What the requests of one group used: of a day (`YYYY-MM-DD`, UTC), a repository, a person or a
    model. The cost is None if none of them has one."""

    name: str
    requests: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class AppStatus:
    """The App as GitHub had it on record at `read_at` (ISO 8601, UTC)."""

    read_at: str
    name: str = ""
    page_url: str = ""
    """The App's page on GitHub, from which it is installed."""
    address: str = ""
    """The URL that GitHub sends deliveries to, without `/webhook`; "" if it is another path."""
    dead: tuple[DeliveryAttempt, ...] = ()
    """The newest attempts at deliveries of which no attempt succeeded, newest first."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What a check found wrong, and what to do about it. Neither has a secret."""

    subject: str
    message: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of the doctor's last check, at `checked_at` (ISO 8601, UTC)."""

    checked_at: str
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class SetupRecord:
    """A set-up by the browser whose session, and the Host that it uses, are these. Its last two steps
    are shown until `expires_at_s`, in seconds since 1970."""

    session_digest: str
    host: str
    install_url: str
    expires_at_s: int
    delivered_at: str = ""
    """When the first signed delivery was taken (ISO 8601, UTC); "": none yet."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One call of the model. `messages` are those of its prompt but for the first `repeated`, which
    the prompt before begins with too: so each message is kept once."""

    number: int
    """From 1 on."""
    purpose: str
    repeated: int
    messages: tuple[Message, ...]
    reply: Reply
    ended_at: str
    """ISO 8601, UTC."""


def count_repeated(before: Sequence[Message], prompt: Prompt) -> int:
    """How many messages the prompt has in common with the one before, from the first on."""
    count = 0
    for old, new in zip(before, prompt.messages, strict=False):
        if old != new:
            break
        count += 1
    return count


@dataclass(frozen=True, slots=True)
class SignInStart:
    """Where a browser is sent to sign in; `state` comes back with the answer, `verifier` proves that
    the answer is for whoever began."""

    url: str
    state: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Person:
    """A person who signed in by GitHub, with the token that asks GitHub in that person's name."""

    id: int
    login: str
    token: str = field(repr=False)
