"""The outside world as TinyGen needs it: Protocols that `adapters` implements and `jobs` calls.

Every method that fails raises an error of `bot.errors`: AskerError if a repeated call cannot help,
OutsideError after the adapter's own retries. Every method that creates something is safe to call
twice with the same arguments: it looks before it creates.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal, Protocol

from bot.types import (
    DeliveryAttempt,
    Failure,
    Job,
    Permission,
    Prompt,
    Removal,
    Reply,
    Report,
    State,
    WaitingJob,
)
from bot.types.github import (
    AppRegistration,
    Comment,
    FailedJob,
    LineComment,
    PullRequest,
    Remote,
    Thread,
    WebhookConfig,
)
from bot.types.pages import (
    AppStatus,
    Check,
    GroupBy,
    JobFilter,
    JobList,
    Person,
    SetupRecord,
    SignInStart,
    Spending,
    Turn,
)
from bot.types.quota import Tally
from bot.types.setup import Address, AppKeys, ModelChoice, Outcome, Owner
from bot.types.snapshot import Changes, Patch, Snapshot


class GitHub(Protocol):
    """One repository on GitHub, reached with tokens for it alone."""

    def thread(self, number: int) -> Thread: ...

    def comments(self, number: int) -> tuple[Comment, ...]:
        """All comments of the thread, oldest first."""

    def permission(self, login: str) -> Permission: ...

    def file(self, path: str, *, max_bytes: int) -> bytes | None:
        """The content of a file on the default branch; None if there is none. BadRequest if it is
        larger."""

    def file_at(self, sha: str, path: str, *, max_bytes: int) -> bytes | None:
        """The content of a file at a commit; None if there is none, or if a link stands there or
        above: it would lead to another file than the path says. BadRequest if it is larger."""

    def in_history(self, sha: str, branch: str | None = None) -> bool:
        """Whether the commit is in the history of the branch; of the default branch if none is
        named. A commit that somebody pushed to a fork is not, though GitHub also serves it under
        this repository's name."""

    def attachment(self, url: str, number: int, *, max_bytes: int) -> bytes:
        """A file that people attached in the thread, by its address there; see
        `bot.thread.links.find_images`. BadRequest if it is larger."""

    def line_comments(self, number: int) -> tuple[LineComment, ...]:
        """All comments on the pull request's diff, oldest first."""

    def resolved_threads(self, number: int) -> frozenset[int]:
        """The `thread_id`s of the pull request's review threads that were resolved."""

    def closing_pulls(self, number: int) -> tuple[str, ...]:
        """The addresses of the open pull requests that GitHub has linked with the issue: merged,
        they close it."""

    def failed_jobs(self, run_id: int) -> tuple[FailedJob, ...]:
        """The jobs of a run of checks that failed, with the ends of their logs; "" if a log was
        deleted."""

    def react(
        self,
        comment_id: int,
        content: Literal["eyes", "rocket", "confused"],
        *,
        on_line: bool = False,
    ) -> None:
        """Does nothing if the comment was deleted. `on_line`: it is a review comment; those have
        ids of their own."""

    def post_comment(
        self, number: int, body: str, *, marker: str, reply_to: int | None = None
    ) -> int:
        """The id of this App's comment whose first or second line begins with `marker`: the
        existing one if there is one, else a new one. `reply_to`: it is posted in the review
        thread that begins with this comment."""

    def edit_comment(self, comment_id: int, body: str, *, on_line: bool = False) -> None: ...

    def resolve(self, ref: str | None) -> tuple[str, str]:
        """The branch's name and its head sha; None means the default branch. A full sha resolves to
        itself.

        An empty repository's sha is "". NotFound names the branch.
        """

    def pull(self, number: int) -> PullRequest: ...

    def remote(self) -> Remote:
        """Where git reads this repository, with a token that can read its contents and nothing
        else."""

    def may_write_workflows(self) -> bool:
        """Whether the installation lets this App change `.github/workflows/`."""

    def why_not_push(self, branch: str) -> str:
        """Why an existing branch takes no commits of ours, as the end of a sentence: it is the
        default branch, or protected. "" if it may be pushed to."""

    def push(
        self,
        branch: str,
        base_sha: str,
        changes: Changes,
        *,
        message: str,
        tree_sha: str,
        create: bool,
    ) -> str:
        """The sha of one commit on top of `base_sha` that holds `changes`, with `branch` pointing
        at it.

        `create`: the branch is new, made from the commit (found again if an earlier call made it).
        Otherwise it is moved forward, never by force; BranchMoved if it moved meanwhile.
        `tree_sha` is the tree that git computed: GitHub's tree is compared with it. Both
        calls are safe to repeat.
        """

    def open_pull(
        self, branch: str, base: str, *, title: str, body: str, draft: bool
    ) -> PullRequest:
        """The pull request from `branch`: the existing one if there is one, in whatever state, else
        a new one."""

    def edit_pull(
        self, number: int, *, body: str | None = None, state: Literal["closed"] | None = None
    ) -> None:
        """Changes what is given."""

    def has_open_pull(self, branch: str) -> bool:
        """Whether an open pull request comes from this branch, or goes into it."""

    def delete_branch(self, branch: str) -> None:
        """Does nothing if there is no such branch. What its commits hold stays with the pull
        request."""

    def label(self, number: int, labels: Sequence[str]) -> None:
        """Puts labels on an issue or pull request; those that it has stay."""

    def request_reviews(self, number: int, reviewers: Sequence[str]) -> None:
        """Asks people (`login`) and teams (`org/team`) to review a pull request, but not its own
        author."""


class Connect(Protocol):
    def __call__(
        self, repo: str, installation_id: int | None, repository_id: int | None = None
    ) -> GitHub:
        """The repository. Without an `installation_id`, it is reached through the App's
        installation there if it has one, else with GITHUB_TOKEN, else anonymously. `repository_id`:
        no other repository is reached, even if the name now belongs to another."""


class Git(Protocol):
    """Repositories read and compared without a checkout, through a cache of bare ones."""

    def fetch(self, repo: str, remote: Remote, sha: str) -> None:
        """Fetches exactly that commit into the cache of `repo`; nothing is transferred if it is
        there."""

    def forget(self, repo: str) -> None:
        """Removes the repository's cache."""

    def snapshot(self, repo: str, sha: str, remote: Callable[[], Remote] | None = None) -> Snapshot:
        """`sha` "" gives the empty snapshot. Its log may fetch earlier contents of a file from the
        `remote`; without one it has those that are in the cache."""

    def diff(self, repo: str, base_sha: str, changes: Changes) -> Patch:
        """The patch from the base to the base with `changes`, proven by applying it to the base
        again."""

    def difference(
        self, repo: str, base_sha: str, head_sha: str, hidden: Iterable[str], max_chars: int
    ) -> str:
        """The difference of two commits in the cache as text, without the `hidden` paths, and at
        most so much of it. Of files over a megabyte it says only that they differ."""

    def apply(self, repo: str, patch: Patch) -> tuple[Changes, str]:
        """What the patch makes of its base, and the resulting tree's sha. Unworkable if it does
        not apply."""

    def rebase(self, repo: str, patch: Patch, onto_sha: str) -> Patch:
        """The patch's change on top of another commit, by git's three-way merge of files; its text
        is "" if that commit holds the change already. Both commits are in the cache. Conflict
        names the files that do not merge."""


DELIVERIES_KEPT = timedelta(days=3)
"""https://docs.github.com/en/webhooks/testing-and-troubleshooting-webhooks/viewing-webhook-deliveries"""


class Deliveries(Protocol):
    """GitHub's record of the webhook deliveries that it attempted."""

    def recent(self, since: datetime) -> tuple[DeliveryAttempt, ...]: ...

    def redeliver(self, attempt_id: int) -> None: ...


class AppRecord(Protocol):
    """What GitHub has on record of the App itself."""

    def fetch_registration(self) -> AppRegistration: ...

    def fetch_webhook_config(self) -> WebhookConfig: ...

    def deliveries(self) -> Deliveries: ...


NO_IMAGES: Mapping[str, bytes] = MappingProxyType({})


class Model(Protocol):
    def ask(
        self,
        prompt: Prompt,
        *,
        stop: Callable[[], bool],
        deadline_s: float,
        model: str | None = None,
        images: Mapping[str, bytes] = NO_IMAGES,
    ) -> Reply:
        """One call, of the operator's model if none is named. `stop` is called at least once a
        second meanwhile: True closes the stream and raises Cancelled. `deadline_s` bounds the whole
        call, retries included (TimedOut). `images` are the bytes of the prompt's images by their
        digests: an image without bytes is not shown. ImagesRefused if the model takes none."""


class RequestLog(Protocol):
    """One row for each request, written from its report."""

    def write(self, report: Report) -> None:
        """Inserts the row or updates it to this report. A row of an open state never replaces one
        of a final state."""

    def forget(self, removal: Removal) -> None:
        """Removes the rows of these repositories."""


ChooseWaiting = Callable[[Sequence[WaitingJob]], Collection[str]]
"""Takes waiting jobs, oldest first and only the first few of each account. Returns the ids of those
to start."""


class Inbox(Protocol):
    """The jobs that the web part accepted and no worker has taken yet."""

    def accept(self, job: Job) -> bool:
        """Stores the job before it returns. A job id or an event (`Job.event_key`) that is already
        known is no error and starts nothing: then it is False."""

    def waiting(self, limit: int, choose: ChooseWaiting | None = None) -> Sequence[Job]:
        """The oldest jobs, or the oldest of those chosen. They are reserved for the caller for some
        seconds."""

    def taken(self, job_id: str) -> None:
        """Removes the job: the durable engine has it now."""

    def refuse(self, report: Report, *, ship: bool) -> None:
        """Removes a job whose asker was refused before, and writes its row of the request log.
        `ship`: the external log gets the row too."""


class Reports(Tally, Protocol):
    """The newest report of each job: for `/jobs/<id>`, `status`, `apply`, and the limits."""

    def save(self, report: Report) -> None: ...

    def load(self, job_id: str) -> Report | None: ...

    def unfinished(self, unchanged_s: float, after: str = "") -> Sequence[Report]:
        """Some of the reports that are in no final state and have not changed for so long: those
        with ids above `after`, in the order of their ids."""

    def latest(self, repository_key: str, issue_number: int, limit: int = 20) -> Sequence[Report]:
        """The reports of the jobs of one thread that need a run, newest first, without those that
        were refused for good."""

    def open_jobs(self, repository_key: str, issue_number: int) -> Sequence[Job]:
        """The jobs of one thread that need a run and have not ended, waiting jobs included."""

    def queue(self, repository_key: str) -> Sequence[Job]:
        """The first jobs of a repository that were taken, need a run and have not ended, oldest
        first; only some of very many."""

    def kept(self, removal: Removal) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The ids of the jobs of these repositories, and the repositories' keys."""

    def forget_jobs(self, job_ids: Collection[str]) -> None:
        """Removes all that is stored of the jobs."""


class Listing(Protocol):
    """The jobs and what they used, for the operator's list."""

    def list_jobs(self, wanted: JobFilter, limit: int) -> JobList:
        """Newest first. Jobs that wait to be taken are `queued`. ValueError if `wanted.after` is
        not the `next` of a list."""

    def spending(self, by: GroupBy, since: str) -> tuple[Spending, ...]:
        """What the requests used that were made since then (ISO 8601, UTC), 100 groups at most: the
        newest days first, else the group of the most tokens."""

    def counts(self) -> Mapping[State, int]:
        """How many jobs are in each state."""


class Conversations(Protocol):
    """The conversations of jobs with the model."""

    def keep(self, job_id: str, turn: Turn) -> None:
        """Stores a turn; one of the same number is replaced."""

    def of(self, job_id: str) -> tuple[Turn, ...]:
        """All turns of the job that are kept, in order."""

    def count(self, job_id: str) -> int: ...


class SignIn(Protocol):
    """Signs people in by GitHub. `redirect_uri` is where GitHub sends the browser back to."""

    def begin(self, redirect_uri: str) -> SignInStart: ...

    def finish(self, redirect_uri: str, code: str, verifier: str) -> Person:
        """Who the code is for. NotPermitted if GitHub does not take it."""

    def login(self, token: str) -> str | None:
        """The login of the token's person now; None if the token is no longer valid."""

    def permission(self, token: str, repository_id: int) -> Permission | None:
        """What the token's person may do in the repository; None if the token is no longer
        valid."""


class Sessions(Protocol):
    """The key that links and cookies are signed with, and the sessions of browsers that ended."""

    def signing_key(self) -> bytes:
        """32 random bytes, the same in every process."""

    def end_session(self, session_id: str, until: float) -> None:
        """Remembers until then, in seconds since 1970, that the session of a browser has ended."""

    def is_session_ended(self, session_id: str) -> bool: ...


class LastSeen(Protocol):
    """What was last seen of the world outside, for the pages, which ask nobody themselves."""

    def app(self) -> AppStatus | None:
        """The App as it was last seen; None if it never was."""

    def save_app(self, status: AppStatus) -> None: ...

    def check(self) -> Check | None:
        """The doctor's last check; None if there was none."""

    def save_check(self, check: Check) -> None: ...


class SetupRecords(Protocol):
    """The set-up in a browser that came last."""

    def setup(self) -> SetupRecord | None:
        """None if there was none."""

    def save_setup(self, record: SetupRecord) -> None: ...


class SetupTools(Protocol):
    """What the guided set-up does in the world outside. What it returns and raises holds no secret,
    but for the keys in AppKeys."""

    def check_address(self, address: str, probe: str, answer: str) -> Outcome:
        """Whether `GET <address>/healthz?probe=<probe>` is answered with `answer`."""

    def try_model(self, choice: ModelChoice) -> Outcome:
        """Asks the model for one word."""

    def render_manifest(self, address: Address, redirect_url: str) -> str:
        """What is posted to GitHub to register the App, as JSON."""

    def fetch_new_app(self, owner: Owner, code: str) -> AppKeys:
        """The App that was just registered; OutsideError if GitHub does not give it out."""

    def check_app(self, owner: Owner, app: AppKeys) -> tuple[AppKeys, tuple[Outcome, ...]]:
        """An App that exists, with its page's URL, and what is wrong with it. TinyGenError if GitHub
        does not take its id and key."""

    def set_names(self) -> frozenset[str]:
        """The settings that have a value now, in the environment or in `.env`."""

    def write(self, settings: Mapping[str, str]) -> tuple[str, ...]:
        """Adds those of the settings that have no value yet to `.env`, and returns their names.
        SetupError if it cannot be written, or has an App by now; nothing is written then."""


@dataclass(frozen=True, slots=True)
class UnsentReport:
    """A job whose newest report is not in the external request log yet. `version` distinguishes
    that report from a later one, `refusals` counts how often the log refused it."""

    id: str
    version: int
    refusals: int


class Outbox(Protocol):
    """The reports that are not in the external request log yet, the newest of each job. `len`
    counts them."""

    def __len__(self) -> int: ...

    def add(self, report: Report) -> None:
        """Marks the job's newest report to be sent, or sent again."""

    def next(self) -> UnsentReport | None:
        """The oldest, reserved for the caller until one of the methods below is called for it. None
        if there is none, or while it is reserved for another caller."""

    def sent(self, row: UnsentReport) -> None:
        """Removes it, since the log has it. If the report changed meanwhile, it is sent again."""

    def keep(self, row: UnsentReport) -> None:
        """Releases it, since it could not be sent: it is the next one again."""

    def refused(self, row: UnsentReport, wait_s: float) -> None:
        """Delays it, since the log refused it: the others are sent before it."""


class Refusals(Protocol):
    """Who was refused within the last ten minutes, by GitHub's ids of person and repository."""

    def add(self, job: Job, failure: Failure, *, covers: str) -> None:
        """Remembers a refusal. `covers` is the kind of command that was refused; "" for all."""

    def standing(self, job: Job, *, kind: str) -> Failure | None:
        """The refusal that still counts for the job's asker, in its repository, for a command of
        that kind; None if there is none."""


ALIVE_S = 60.0
"""A worker counts as alive if it has written its heartbeat within this time."""


class Workers(Protocol):
    """Which worker processes are alive, if several share a database."""

    def beat(self, worker: str) -> None:
        """Stores a heartbeat of the worker."""

    def alive(self, within_s: float) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class MetricSample:
    """One series of `/metrics`. `labels` are (name, value) pairs, by name."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


class MetricsSink(Protocol):
    """Receives events as they happen, for the metrics."""

    def retried(self, whom: Literal["github", "model"]) -> None:
        """A request is repeated, after a fault or a rate limit."""

    def github_left(self, requests: int) -> None:
        """The number of requests left in GitHub's rate limit, as its answer says."""

    def replied(self, reply: Reply) -> None: ...

    def step_ended(self, step: str, seconds: float) -> None:
        """`step` holds no id."""


class NoMetrics:
    """Counts nothing."""

    def retried(self, whom: Literal["github", "model"]) -> None: ...

    def github_left(self, requests: int) -> None: ...

    def replied(self, reply: Reply) -> None: ...

    def step_ended(self, step: str, seconds: float) -> None: ...


class Tracer(Protocol):
    """Receives what jobs do as it happens, for traces. Each method returns a `with` block's manager;
    what is called within one is a part of it. Of an exception that leaves the block, only the name of
    its class is kept; no method is given text of people or models."""

    def workflow(
        self, name: str, *, job_id: str, command: str
    ) -> AbstractContextManager[object]: ...

    def step(self, name: str, /) -> AbstractContextManager[object]:
        """`name` holds no id."""

    def chat(
        self, model: str, base_url: str, /
    ) -> AbstractContextManager[Callable[[Reply], object]]:
        """A call of a model, retries included. The block is given what to call with the reply."""

    def close(self) -> None:
        """Sends what is left, and returns within two seconds also if that fails."""


class NoTracer:
    """Traces nothing."""

    def workflow(self, *_given: object, **_named: object) -> AbstractContextManager[object]:
        return nullcontext()

    def step(self, _name: str) -> AbstractContextManager[object]:
        return nullcontext()

    def chat(self, *_given: object) -> AbstractContextManager[Callable[[Reply], object]]:
        return nullcontext(lambda _reply: None)

    def close(self) -> None: ...
