"""What every part of a job is given: the engine, the outside world, and the operator's rules.

The terms of one job: what the repository's own settings say, and how far its asker may go. Settled
when the command is accepted, so that what changes while the job waits does not change it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import TypeAdapter

from bot.change.edits import SyntaxChecker
from bot.change.solve import Limits
from bot.errors import BadRequest
from bot.jobs.engine import Engine, Json
from bot.ports import Connect, Git, GitHub, Model, Outbox, Refusals, Reports, Store
from bot.thread.render import refusal
from bot.thread.settings import (
    GUARDS,
    MAX_FILE_BYTES,
    MEND,
    SETTINGS_FILE,
    UNCLEAR,
    Action,
    Guard,
    Read,
    RepoSettings,
    action_of,
    least_permission,
    read_settings,
)
from bot.types import (
    PERMISSIONS,
    Command,
    Failure,
    Job,
    Mode,
    Outsider,
    Outsiders,
    Permission,
    Target,
)
from bot.types.quota import Quota


@dataclass(frozen=True, slots=True)
class AuthorPermissions:
    """Who they were whose words a job hears, when its command came. `levels` are their permissions,
    as GitHub said then, by login; who is not in it may do nothing. `rests_on` are the outsiders
    whose words it rests on for certain, whatever of the thread is read."""

    levels: Mapping[str, Permission] = field(default_factory=dict)
    rests_on: tuple[Outsider, ...] = ()


@dataclass(frozen=True, slots=True)
class JobPolicy:
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
    judgement: AuthorPermissions | None = None
    """Within a job; None where nobody was judged: of `apply`, and of what an older version
    accepted."""

    @property
    def can_see(self) -> bool:
        """Whether the job's model is shown images."""
        return (self.repo.model or next(iter(self.models), None)) in self.vision


@dataclass(frozen=True, slots=True)
class JobContext:
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
    judge: SyntaxChecker
    policy: JobPolicy

    def github(self, target: Target) -> GitHub:
        """The target's repository, with tokens for just the one of its id."""
        return self.connect(target.repo, target.installation_id, target.repository_id)


BOT = Failure(
    "Bots do not command TinyGen.", "Let a person with the needed permission give the command."
)


@dataclass(frozen=True, slots=True)
class Authorization:
    """`may_write`: whether the asker, who has the permission `has`, may have branches and pull
    requests made. `mistakes` are those of the settings file, as sentences for people; `unclear`,
    which of its guards they may have opened. See bot.jobs.policy.JobPolicy for `judgement`."""

    settings: RepoSettings = field(default_factory=RepoSettings)
    may_write: bool = True
    mistakes: tuple[str, ...] = ()
    unclear: tuple[Guard, ...] = ()
    has: Permission | None = None
    judgement: AuthorPermissions | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the asker may not have it done. `covers`: for which kind of command that counts for some
    minutes, "" for all; None where the next one is asked about anew."""

    failure: Failure
    covers: str | None = None


_terms = TypeAdapter(Authorization)


def kind_of(command: Command) -> str:
    """What of a command decides who may give it, before the repository's settings are known."""
    return f"{command.verb} {command.mode or ''}".strip()


def authorize(context: JobContext, job: Job) -> Authorization | Refusal:
    """The job's terms, or why its asker may not have it done."""
    if job.source != "run" and (job.actor_is_bot or job.actor is None):
        return Refusal(BOT, covers="")
    terms = _read(context, job)
    if job.source == "run" or job.actor is None:
        return _kept_from_model(job, terms) or terms
    has = context.github(job.target).permission(job.actor)
    terms = replace(terms, has=has, may_write=_may(has, "pr", terms.settings, context))
    action = action_of(job.command, terms.settings.mode or context.policy.mode)
    if _may(has, action, terms.settings, context):
        return _kept_from_model(job, terms) or terms
    failure = refusal(
        job.actor, has, least_permission(action, terms.settings, context.policy.min_permission)
    )
    # Who has a role here may be allowed another command.
    return Refusal(failure, covers="" if has in ("none", "read") else kind_of(job.command))


def _kept_from_model(job: Job, terms: Authorization) -> Refusal | None:
    """Why the model is not asked: it might be shown what it may not."""
    if "context" not in terms.unclear or job.command.verb not in ("solve", "retry"):
        return None
    return Refusal(Failure(" ".join((UNCLEAR["context"], *terms.mistakes)), MEND, retryable=True))


def dump_authorization(terms: Authorization) -> Json:
    dumped: Json = _terms.dump_python(terms, mode="json")
    return dumped


def load_authorization(dumped: Json) -> Authorization:
    """The default terms where a job was accepted before there were any."""
    return _terms.validate_python(dumped or {})


def with_policy(context: JobContext, terms: Authorization) -> JobContext:
    """The house with the job's terms: the repository's settings before the operator's defaults."""
    own = terms.settings
    policy = replace(
        context.policy,
        mode=own.mode or context.policy.mode,
        draft=context.policy.draft if own.draft is None else own.draft,
        ci_fixes=context.policy.ci_fixes if own.ci_fixes is None else own.ci_fixes,
        repo=own,
        why_not_write=_why_not_write(terms),
        judgement=terms.judgement,
    )
    return replace(context, policy=policy)


def _why_not_write(terms: Authorization) -> str:
    if not terms.may_write:
        return "who asked for it may not have branches changed here."
    return UNCLEAR["protected"] if "protected" in terms.unclear else ""


def may_do(context: JobContext, has: Permission) -> frozenset[Action]:
    """What a person with that permission may ask for, by the job's terms."""
    actions: tuple[Action, ...] = ("diff", "pr", "apply", "retry", "cancel", "status", "help")
    return frozenset(
        action for action in actions if _may(has, action, context.policy.repo, context)
    )


def _may(has: Permission, action: Action, settings: RepoSettings, context: JobContext) -> bool:
    needs = least_permission(action, settings, context.policy.min_permission)
    return PERMISSIONS.index(has) >= PERMISSIONS.index(needs)


def _read(context: JobContext, job: Job) -> Authorization:
    github = context.github(job.target)
    try:
        read = read_settings(
            github.file(SETTINGS_FILE, max_bytes=MAX_FILE_BYTES), models=context.policy.models
        )
    except BadRequest as error:
        read = Read(RepoSettings(), (f"{error} None of it counts until then.",), GUARDS)
    told = _told(context, job)
    return Authorization(
        read.settings,
        mistakes=tuple(words for words in read.mistakes if words not in told),
        unclear=read.unclear,
    )


def _told(context: JobContext, job: Job) -> frozenset[str]:
    """What was said in the thread before: a mistake is told once."""
    number = job.target.issue_number
    reports = (
        context.reports.latest(job.target.repository_key, number) if number is not None else ()
    )
    return frozenset(note for report in reports if report.job.id != job.id for note in report.notes)
