"""What a job may do: the operator's rules, narrowed by the repository's own settings and by what
its asker may do there.

The policy is decided once, when the command is accepted, and stored with the job: a permission or a
setting that changes while the job waits does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.errors import BadRequest
from bot.jobs.engine import Engine
from bot.ports import (
    Connect,
    Conversations,
    Git,
    GitHub,
    Model,
    Outbox,
    Refusals,
    Reports,
    RequestLog,
)
from bot.thread.render import render_permission_refusal
from bot.thread.settings import (
    FIX_SETTINGS,
    GUARDS,
    MAX_FILE_BYTES,
    SETTINGS_FILE,
    UNCLEAR_GUARDS,
    Action,
    Guard,
    LoadedSettings,
    RepoSettings,
    action_of,
    allowed_actions,
    least_permission,
    read_settings,
)
from bot.types import (
    AuthorPermissions,
    Command,
    Failure,
    Job,
    Mode,
    ModelLimits,
    Outsiders,
    Parsers,
    Permission,
    Prices,
    ReportMode,
    Target,
)
from bot.types.names import is_denied
from bot.types.quota import Quota
from bot.types.serialization import Codec, Json, codec_of

BOTS_MAY_NOT = Failure(
    "Bots do not command TinyGen.", "Let a person with the needed permission give the command."
)


DENIED = Failure(
    "The operator of this TinyGen takes no commands of yours, or none for this repository.",
    "Ask the operator.",
)


@dataclass(frozen=True, slots=True)
class JobPolicy:
    """The operator's rules; within a job, as its repository and asker narrow them."""

    mode: Mode
    draft: bool
    min_permission: Permission
    limits: ModelLimits
    call_s: float
    job_s: float
    server_url: str
    quota: Quota
    installation_concurrency: int
    """How many repositories of one installation run at once; 0 is no limit."""
    outsiders: Outsiders = "diff"
    ci_fixes: int = 0
    """How often a failed check of TinyGen's own pull request is worked on."""
    denied: tuple[str, ...] = ()
    """The people and repositories that may command nothing; see `bot.types.names.is_denied`."""
    models: tuple[str, ...] = ()
    """The models that a repository may choose; the first is the operator's own."""
    vision: tuple[str, ...] = ()
    """Which of them take images."""
    prices: Mapping[str, Prices] = field(default_factory=dict)
    """By model, as far as they are known."""
    ask_above_usd: float | None = None
    """The estimate above which a request waits for a person's consent; None: it never does."""
    settings: RepoSettings = field(default_factory=RepoSettings)
    """The repository's own settings, within a job."""
    why_not_write: str = ""
    """Why the job may make no branch or pull request; "" if it may."""
    authors: AuthorPermissions | None = None
    """Within a job. None if nobody was looked up: for `apply`, and for a job that an older version
    accepted."""

    @property
    def can_see(self) -> bool:
        """Whether the job's model is shown images."""
        return (self.settings.model or next(iter(self.models), None)) in self.vision

    def may_do(self, permission: Permission) -> frozenset[Action]:
        """What a person with that permission may ask for."""
        return allowed_actions(permission, self.settings, self.min_permission)

    def permission_of(self, login: str | None) -> Permission:
        """A person's permission when the command arrived, as the job stores it."""
        return self.authors.levels.get(login or "", "none") if self.authors else "none"

    def is_outsider(self, login: str | None) -> bool:
        """Whether a person may not have a change made."""
        return "pr" not in self.may_do(self.permission_of(login))


@dataclass(frozen=True, slots=True)
class JobContext:
    """What every part of a job is given: the engine, the outside world, and the policy."""

    engine: Engine
    connect: Connect
    git: Git
    model: Model
    reports: Reports
    refusals: Refusals
    log: RequestLog
    """The embedded request log, which is written at once."""
    outbox: Outbox | None
    """The reports to copy to the external request log (Supabase); None if there is none."""
    now: Callable[[], datetime]
    clean: Callable[[str], str]
    """Takes this installation's secrets out of a text."""
    parsers: Parsers
    policy: JobPolicy
    remote_log: RequestLog | None = None
    """The external request log, from which rows are only removed here; None if there is none."""
    conversations: Conversations | None = None
    """Where conversations with the model are kept; None if they are not."""
    page_url: Callable[[Job], str] = lambda _job: ""
    """The signed link to a job's page; "" if TinyGen's address is not known."""

    def github(self, target: Target) -> GitHub:
        """The target's repository, with tokens for the repository of its id alone."""
        return self.connect(target.repo, target.installation_id, target.repository_id)


@dataclass(frozen=True, slots=True)
class Authorization:
    """The decision that a job may be done, and the settings that apply to it."""

    settings: RepoSettings = field(default_factory=RepoSettings)
    may_write: bool = True
    """Whether the asker may have branches and pull requests made."""
    mistakes: tuple[str, ...] = ()
    """The mistakes in the settings file, as sentences for people."""
    unclear: tuple[Guard, ...] = ()
    """The guards of the settings file that may be incomplete because of its mistakes."""
    permission: Permission | None = None
    """The asker's."""
    authors: AuthorPermissions | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The decision that a job may not be done, with the reason."""

    failure: Failure
    covers: str | None = None
    """The kind of command (`kind_of`) for which the refusal counts for some minutes, "" for all
    kinds. None if it does not count for the next command."""


_PLAIN_AUTHORIZATION: Codec[Authorization] = codec_of(Authorization)
_STORED_AS = {"permission": "has", "authors": "judgement"}
"""Fields whose names in the JSON differ, because stored jobs have those names."""


def _dump_authorization(authorization: Authorization) -> Json:
    stored = _PLAIN_AUTHORIZATION.dump(authorization)
    return {_STORED_AS.get(name, name): value for name, value in stored.items()}


def _load_authorization(stored: Json) -> Authorization:
    """The defaults for a job that was accepted before there were authorizations."""
    names = {old: name for name, old in _STORED_AS.items()}
    return _PLAIN_AUTHORIZATION.load(
        {names.get(name, name): value for name, value in (stored or {}).items()}
    )


AUTHORIZATION: Codec[Authorization] = Codec(_dump_authorization, _load_authorization)


def kind_of(command: Command) -> str:
    """The kind of a command, for refusals: what decides who may give it, as far as that is known
    without the repository's settings."""
    return f"{command.verb} {command.mode or ''}".strip()


def mode_of(command: Command, policy: JobPolicy) -> ReportMode:
    """What a job comes to, as far as its command and the policy say it."""
    return "ask" if command.verb == "ask" else command.mode or policy.mode


def authorize(context: JobContext, job: Job) -> Authorization | Refusal:
    """Whether the job's asker may have it done, and under which settings."""
    is_persons = job.source != "run" or job.trigger == "page"
    if job.command.verb == "cancel" and not is_persons:
        return Authorization()  # who sent it may stop that job; GitHub may be away
    if is_persons and (job.actor_is_bot or job.actor is None):
        return Refusal(BOTS_MAY_NOT, covers="")
    if is_denied(job, context.policy.denied):
        return Refusal(DENIED, covers="")
    authorization = _read_settings(context, job)
    settings = authorization.settings
    if is_persons and job.actor is not None:
        permission = context.github(job.target).permission(job.actor)
        action = action_of(job.command, settings.mode or context.policy.mode)
        allowed = allowed_actions(permission, settings, context.policy.min_permission)
        if action not in allowed:
            needed = least_permission(action, settings, context.policy.min_permission)
            # Whoever has a role here may be allowed another kind of command.
            covers = "" if permission in ("none", "read") else kind_of(job.command)
            return Refusal(render_permission_refusal(job.actor, permission, needed), covers)
        authorization = replace(authorization, permission=permission, may_write="pr" in allowed)
    if "context" in authorization.unclear and job.command.verb in ("solve", "ask", "retry"):
        # The model might be shown what it may not see.
        reason = " ".join((UNCLEAR_GUARDS["context"], *authorization.mistakes))
        return Refusal(Failure(reason, FIX_SETTINGS, retryable=True))
    return authorization


def with_policy(context: JobContext, authorization: Authorization) -> JobContext:
    """The context of an authorized job: the repository's settings override the operator's
    defaults."""
    own, operators = authorization.settings, context.policy
    why_not_write = ""
    if not authorization.may_write:
        why_not_write = "who asked for it may not have branches changed here."
    elif "protected" in authorization.unclear:
        why_not_write = UNCLEAR_GUARDS["protected"]
    policy = replace(
        operators,
        mode=own.mode or operators.mode,
        draft=operators.draft if own.draft is None else own.draft,
        ci_fixes=operators.ci_fixes if own.ci_fixes is None else own.ci_fixes,
        settings=own,
        why_not_write=why_not_write,
        authors=authorization.authors,
    )
    return replace(context, policy=policy)


def _read_settings(context: JobContext, job: Job) -> Authorization:
    """An authorization with the repository's settings, before any permission is checked. A mistake
    in the settings file that was reported in the thread before is not reported again."""
    github = context.github(job.target)
    try:
        content = github.file(SETTINGS_FILE, max_bytes=MAX_FILE_BYTES)
        read = read_settings(content, models=context.policy.models)
    except BadRequest as error:
        read = LoadedSettings(RepoSettings(), (f"{error} None of it counts until then.",), GUARDS)
    number = job.target.issue_number
    earlier = (
        context.reports.latest(job.target.repository_key, number) if number is not None else ()
    )
    reported = {note for report in earlier if report.job.id != job.id for note in report.notes}
    mistakes = tuple(mistake for mistake in read.mistakes if mistake not in reported)
    return Authorization(read.settings, mistakes=mistakes, unclear=read.unclear)
