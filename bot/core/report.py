"""What people and programs are told of a job at one moment: comment, `/jobs/<id>` and log row are made of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.core.tree import Patch
from bot.core.types import Job, Mode, Outsider, ShownFile, State, StepState


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the checklist."""

    title: str
    state: StepState = "waiting"


@dataclass(frozen=True, slots=True)
class Usage:
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float | None = None
    seconds: float = 0.0
    """Spent waiting for the model."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job did not end well, in words for its asker. `retryable`: the same command may succeed later."""

    message: str
    next_step: str
    retryable: bool = False
    kind: str = "AskerError"
    """The name of the error in bot/errors.py."""


@dataclass(frozen=True, slots=True)
class Report:
    """All there is to tell about a job at one moment: the comment, `/jobs/<id>` and the log row are made from it."""

    job: Job
    state: State
    steps: tuple[Step, ...] = ()
    mode: Mode = "diff"
    base_ref: str | None = None
    base_sha: str | None = None
    patch: Patch | None = None
    """Set once there is a result; its text is "" where no change is needed."""
    summary: str = ""
    reflections: tuple[str, ...] = ()
    """What each round of reflection found, in order."""
    notes: tuple[str, ...] = ()
    """Sentences the reader should know: what could not be done as asked, and why."""
    shown: tuple[ShownFile, ...] = ()
    together_with: str | None = None
    """The URL of the command that this one was done with."""
    suggestion: str | None = None
    """What the commented lines become, where that is the whole change."""
    continues: str | None = None
    """The job whose change this one went on from, or delivered."""
    rests_on: tuple[Outsider, ...] = ()
    """The outsiders whose words went into the change."""
    head_sha: str | None = None
    """The commit that was pushed."""
    left_out: tuple[str, ...] = ()
    """What of the thread the model was not shown, in sentences."""
    pull_request_url: str | None = None
    commit_url: str | None = None
    withheld: Patch | None = None
    """The part of the patch that could not be delivered as a commit."""
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    failure: Failure | None = None
    finished_at: str | None = None
    """ISO 8601, UTC."""
