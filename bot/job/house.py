"""What every part of a job is given: the engine, the outside world, and the operator's rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.core.edits import Judge
from bot.core.loop import Limits
from bot.core.quota import Quota
from bot.core.repo_settings import RepoSettings
from bot.core.types import Mode, Outsider, Outsiders, Permission, Target
from bot.job.engine import Engine
from bot.ports import Connect, Git, GitHub, Model, Outbox, Refusals, Reports, Store


@dataclass(frozen=True, slots=True)
class Judgement:
    """Who they were whose words a job hears, when its command came. `levels` are their permissions, as GitHub said
    then, by login; who is not in it may do nothing. `rests_on` are the outsiders whose words it rests on for certain,
    whatever of the thread is read."""

    levels: Mapping[str, Permission] = field(default_factory=dict)
    rests_on: tuple[Outsider, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    mode: Mode
    draft: bool
    min_permission: Permission
    limits: Limits
    call_s: float
    job_s: float
    server_url: str
    quota: Quota
    installation_concurrency: int
    """Repositories of one installation that are worked on at once; 0 is no limit."""
    outsiders: Outsiders = "diff"
    ci_fixes: int = 0
    """How often a failed check of TinyGen's own pull request is worked on."""
    models: tuple[str, ...] = ()
    """Which models a repository may choose; the first is the operator's own."""
    vision: tuple[str, ...] = ()
    """Which of them can see."""
    repo: RepoSettings = field(default_factory=RepoSettings)
    """The repository's own settings, within a job."""
    why_not_write: str = ""
    """Why the job may make no branch or pull request; "" where it may."""
    judgement: Judgement | None = None
    """Within a job; None where nobody was judged: of `apply`, and of what an older version accepted."""

    @property
    def can_see(self) -> bool:
        """Whether the job's model is shown images."""
        return (self.repo.model or next(iter(self.models), None)) in self.vision


@dataclass(frozen=True, slots=True)
class House:
    engine: Engine
    connect: Connect
    git: Git
    model: Model
    reports: Reports
    refusals: Refusals
    log: Store
    """The embedded request log: always written, at once."""
    outbox: Outbox | None
    """What is to be copied elsewhere; None where the log is kept here alone."""
    now: Callable[[], datetime]
    clean: Callable[[str], str]
    """Takes this installation's secrets out of a text."""
    judge: Judge
    rules: Rules

    def github(self, target: Target) -> GitHub:
        """The target's repository, with tokens for just the one of its id."""
        return self.connect(target.repo, target.installation_id, target.repository_id)
