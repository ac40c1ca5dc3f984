"""The values of a request at each stage: a command and its job, the task for the model, the calls
of the model, the change, and the report for people. All are frozen and do no I/O.

Paths are git's: separated by `/`, relative to the repository's root, and of type `str` with bytes
that are not UTF-8 kept as surrogates (`surrogateescape`). File contents are `bytes`, words are
`str`. A sha has 40 hexadecimal digits; a ref is a name. A number has its unit in its name.

Jobs and reports are stored as JSON in running installations: a field is never renamed, and a new
field has a default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from bot.errors import AskerError, Conflict, NeedsConsent, TinyGenError
from bot.types.reply import RejectedEdit
from bot.types.snapshot import Changes, Patch
from bot.types.source_names import NameReader, read_no_names

Mode = Literal["diff", "pr"]
"""How a change is delivered."""
ReportMode = Literal["diff", "pr", "ask"]
"""What a job comes to: a change, delivered in a mode, or an answer."""
Push = Literal["new", "head", "fork", "none"]
"""Where a change can be pushed to: to a new branch, with a pull request; as one more commit to a pull
request's branch; not to a fork's branch; or nowhere, for a direct call."""
Source = Literal["comment", "review_comment", "run"]
Trigger = Literal["comment", "review", "label", "assignment", "failed check", "call", "page"]
State = Literal["queued", "running", "done", "failed", "cancelled", "refused"]
StepState = Literal["waiting", "running", "done", "failed"]
Verb = Literal[
    "solve",
    "ask",
    "apply",
    "undo",
    "retry",
    "cancel",
    "status",
    "help",
    "mention",
    "withdraw",
    "forget",
]
"""All but the last three are words of a comment. "mention" stands for a comment that names TinyGen
and holds no command, "withdraw" for a deleted command or a closed issue, "forget" for repositories
that the App was removed from."""
SILENT: frozenset[Verb] = frozenset({"mention", "withdraw", "forget"})
"""Verbs that are no request: they have no report, no row in the log, and no comment of their own."""
Outsiders = Literal["diff", "refuse", "pr"]
"""What happens to a change that depends on words of outsiders: it is shown as a diff, refused, or
delivered like any other."""
Permission = Literal["none", "read", "triage", "write", "maintain", "admin"]

PERMISSIONS: tuple[Permission, ...] = ("none", "read", "triage", "write", "maintain", "admin")
"""From least to most.
https://docs.github.com/en/organizations/managing-user-access-to-your-organizations-repositories"""

FINAL_STATES: frozenset[State] = frozenset({"done", "failed", "cancelled", "refused"})
WORK: frozenset[Verb] = frozenset({"solve", "ask", "apply", "retry"})
"""The commands that need a run; the others are answered at once."""
MAX_REFUSED_CHARS = 200
"""The part of a refused request's prompt that is kept."""
MAX_ANSWER_CHARS = 16_000
"""Of an answer to a question, so that a comment holds it with its links."""
MAX_CI_FIXES = 2
"""How many times, at most, a failed check of one pull request may be worked on."""


@dataclass(frozen=True, slots=True)
class Triggers:
    """What asks for a job besides a comment: the name of a label that an issue is given, and the
    login that it is assigned to. "" turns one off."""

    label: str = ""
    assignee: str = ""

    def match(self, action: str, *, label: str, assignee: str) -> bool:
        """Whether an event of GitHub's type `issues` asks for a job. GitHub ignores the case of
        both names."""
        if action == "labeled":
            given, wanted = label, self.label
        elif action == "assigned":
            given, wanted = assignee, self.assignee
        else:
            return False
        return bool(wanted) and given.casefold() == wanted.casefold()


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One attempt of GitHub at a webhook delivery. All attempts have the delivery's `guid`.
    `status` is the HTTP status of our answer, 0 if there was none."""

    id: int
    guid: str
    event: str
    action: str | None
    status: int
    delivered_at: str = ""
    """ISO 8601."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a comment or a call asks for. `mode` and `base` are None if the asker gave none."""

    verb: Verb
    prompt: str = ""
    mode: Mode | None = None
    base: str | None = None
    fresh: bool = False
    """Whether to start again from the base, without earlier changes of the thread."""
    force: bool = False
    """Whether to do it although a pull request for the issue is open, or it may cost much."""
    problem: str = ""
    """Why the command is not valid, in words for the asker; "" if it is valid."""


@dataclass(frozen=True, slots=True)
class Target:
    """The repository and thread that a job belongs to. The numbers are None outside threads."""

    repo: str
    """`owner/name` as GitHub spells it, for people and URLs. Not an identity: after a rename it may
    belong to another repository."""
    installation_id: int | None = None
    issue_number: int | None = None
    is_pull: bool = False
    comment_id: int | None = None
    """The comment that holds the command."""
    reply_to: int | None = None
    """In a review: the first comment of the thread on a line. GitHub puts replies under it."""
    repository_id: int | None = None
    """GitHub's id: the identity of threads, history and cache. None for direct calls, which give
    only a URL."""
    repository_made_at: str = ""
    """When the repository was created, by GitHub's clock, ISO 8601."""

    @property
    def repository_key(self) -> str:
        """The key of the repository's threads, history, limits and cache: GitHub's id or, if it is
        unknown, the name in lower case. Only a name has a slash, so the two never collide."""
        return self.repo.lower() if self.repository_id is None else str(self.repository_id)


@dataclass(frozen=True, slots=True)
class ReviewComment:
    """A command in a review comment, and the lines of the pull request's diff that it is about.

    `hunk` is the diff that ends at these lines, as GitHub shows it. `line` and `start_line` are
    1-based, inclusive line numbers in the file at `commit_sha`; `side` is "RIGHT" for the new file,
    "LEFT" for the old one. `line` is None if a later push removed the lines.
    """

    comment_id: int
    path: str
    hunk: str
    line: int | None
    start_line: int | None
    side: str
    commit_sha: str
    words: str
    review_id: int | None = None
    """The submitted review that it is part of; None if a later edit made it a command."""


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A failed workflow run of GitHub Actions on a pull request that TinyGen opened."""

    run_id: int
    name: str
    head_sha: str
    attempt: int = 1
    """The number of this attempt to fix it, from 1 to `limit`."""
    limit: int = 0
    before: tuple[str, ...] = ()
    """Fingerprints of the errors that earlier attempts worked on; see bot.jobs.ci_fixes."""
    failures: tuple[str, ...] = ()
    """One text per failed step: its job, its name and the end of its log."""
    error: str = ""
    run_attempt: int = 1
    """How often the run itself was started on GitHub."""


@dataclass(frozen=True, slots=True)
class Removal:
    """Repositories of which nothing is to be kept: their keys (`Target.repository_key`) and names;
    all of the installation if none is named."""

    installation_id: int | None = None
    keys: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One request. `id` names its workflow, branch, comment marker and log row."""

    id: str
    source: Source
    target: Target
    command: Command
    actor: str | None = None
    actor_id: int | None = None
    actor_is_bot: bool = False
    delivery_id: str | None = None
    received_at: str = ""
    """ISO 8601, UTC."""
    remarks: tuple[ReviewComment, ...] = ()
    """For a command in a review: its own comment, and the comments of the other commands that this
    job does."""
    given_at: str = ""
    """When the command was written, by GitHub's clock; "" if unknown."""
    thread: tuple[str, str] | None = None
    """Title and body of the issue or pull request at that time; None if GitHub did not send
    them."""
    opened_by: str | None = None
    """The login of the author of title and body; None if unknown or deleted."""
    edited_of: str | None = None
    """The login of the comment's author, if the actor edited a comment of somebody else."""
    check: FailedCheck | None = None
    """The failed check that started the job, if no person did."""
    trigger: Trigger = "comment"
    """What started the job. Finer than `source`, whose values the request log documents."""
    removal: Removal | None = None
    """What is to be forgotten, for the command "forget"."""
    event_key: str = ""
    """What happened on GitHub, whichever delivery tells of it: no event starts two jobs. "" for a
    direct call, a removal, and an event without a time."""

    @property
    def account(self) -> str:
        """The account whose running jobs are limited together: the installation or, for a direct
        call, the caller."""
        if self.target.installation_id is not None:
            return f"installation {self.target.installation_id}"
        return self.actor or "a direct call"

    @property
    def asker_key(self) -> str:
        """The key of the asker for limits, refusals and `apply`: GitHub's id or, for a direct call,
        the caller's name. A login is no identity: after a rename another person may take it."""
        if self.actor_id is not None:
            return str(self.actor_id)
        return self.actor or ""

    def as_refused(self) -> Job:
        """The job with little of its text, as it is stored after a refusal: anybody can be refused
        any number of times, and must not fill the disk with that."""
        command = replace(self.command, prompt=self.command.prompt[:MAX_REFUSED_CHARS])
        return replace(self, command=command, remarks=(), thread=None)


@dataclass(frozen=True, slots=True)
class Outsider:
    """A person who may not ask for changes here, and which of their words a change depends on."""

    login: str | None
    """None if the author is unknown."""
    words: str
    """Which words these are, in a few words for people."""


@dataclass(frozen=True, slots=True)
class AuthorPermissions:
    """The permissions in the repository, when the command arrived, of the people whose words the
    job is given."""

    levels: Mapping[str, Permission] = field(default_factory=dict)
    """By login, as GitHub reported them; a login that is missing has no permission."""
    rests_on: tuple[Outsider, ...] = ()
    """The outsiders whose words the job depends on even if no comment of the thread is shown."""


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A stored job that no worker has started, with what its start is limited by: its asker (in the
    repository), its repository, and its account."""

    id: str
    asker: str
    repository: str
    account: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a thread. Its bytes are stored under their digest, apart from jobs."""

    url: str
    media_type: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Task:
    """What the model is asked to do, and the text of the thread around it."""

    repo: str
    prompt: str
    """"" if the thread's own text is the task."""
    title: str = ""
    body: str = ""
    comments: tuple[str, ...] = ()
    """The comments before the command, each below a line that names its author and ends in `:`."""
    remarks: tuple[ReviewComment, ...] = ()
    """The lines that the prompt is about."""
    failures: tuple[str, ...] = ()
    """What failed in the repository's own checks; see FailedCheck.failures."""
    earlier: tuple[str, ...] = ()
    """The requests that this one continues, oldest first; "" stands for the thread's own text."""
    answered: tuple[str, ...] = ()
    """For a question: those before it in the thread with their answers, oldest first."""
    diff: str = ""
    """The change that they led to. The files that the model is shown include it."""
    instructions: str = ""
    """The repository's instructions for contributors, from its default branch."""
    nested_instructions: tuple[tuple[str, str], ...] = ()
    """Those of directories: each directory, and its text."""
    linked: tuple[str, ...] = ()
    """The lines of code that the thread links to, each under a heading with its path."""
    images: tuple[Image, ...] = ()
    """The thread's images, if the model accepts images."""
    left_out: tuple[str, ...] = ()
    """What in the thread the model is not shown, in sentences for people."""
    language: str = ""
    """The language of answers to people; "" leaves it to the model."""
    rests_on: tuple[Outsider, ...] = ()
    """The outsiders whose words are in the task. The model is not given these names."""
    number: int | None = None
    """Of the issue or pull request."""
    author: str | None = None
    """Of title and body."""
    is_question: bool = False
    """Whether an answer is wanted, and no change."""
    nonce: str = ""
    """Random hexadecimal digits, which no text of the task can have foreseen: the tags around
    material in prompts hold them."""


@dataclass(frozen=True, slots=True)
class Context:
    """The part of a repository that the model is shown. `ranking` holds at most 100 paths, best
    first; `map` is what it can ask from."""

    ranking: tuple[str, ...]
    shown: tuple[Excerpt, ...]
    map: str
    tokens: int
    """The estimate for all of it; never above the given budget."""
    answers: str = ""
    """To what the model asked for beside the files that are shown."""
    answered: tuple[ShownFile, ...] = ()
    """The lines in these answers."""
    unanswered: int = 0
    """How many of its last requests had no room."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Part of a file as the model is shown it. `start` and `end` are 1-based, inclusive line
    numbers of `total`; `why` is a few words for people."""

    path: str
    start: int
    end: int
    text: str
    tokens: int
    why: str
    total: int = 0
    within: str = ""
    """The first line of the definition around it, if that is not shown, and its number."""


@dataclass(frozen=True, slots=True)
class ShownFile:
    """An `Excerpt` without its text, for reports."""

    path: str
    start: int
    end: int
    why: str


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[Image, ...] = ()
    """Shown after the text."""


Purpose = Literal["choose", "generate", "answer", "repair", "more", "reflect", "compare"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """The messages of one call: a system message first, then user and assistant in turn."""

    purpose: Purpose
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """The model's answer to one call. `finish` is "length" if the text may be cut: also if the
    stream ended without a reason."""

    text: str
    finish: Literal["stop", "length"]
    model: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    cached_tokens: int = 0
    tokens_are_estimated: bool = False
    """True if the server reported no usage."""
    cost_usd: float | None = None
    """None if the server reports no cost and no prices are set."""


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per million tokens. `cached` is for prompt tokens from the server's cache, which
    without it cost as much as others."""

    prompt: float
    completion: float
    cached: float | None = None

    def cost_usd(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """`prompt_tokens` include the cached ones."""
        cached = self.prompt if self.cached is None else self.cached
        millionths = (
            (prompt_tokens - cached_tokens) * self.prompt
            + cached_tokens * cached
            + completion_tokens * self.completion
        )
        return millionths / 1_000_000


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """What the model calls of one job may use. `tokens` (in and out) are counted over all calls."""

    revisions: int = 2
    calls: int = 12
    tokens: int = 400_000
    context_tokens: int = 24_000


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How often the model may ask to see more, in one conversation: `rounds` times, so many lines
    each; one answer has at most `room_tokens`."""

    rounds: int = 4
    lines: int = 12
    room_tokens: int = 12_000


SyntaxChecker = Callable[[Sequence[tuple[str, bytes]]], Sequence[str | None]]
"""Takes (path, content) of files. Returns for each file where and why it does not parse; None if it
parses or its language is unknown."""


def no_syntax_checks(files: Sequence[tuple[str, bytes]]) -> Sequence[str | None]:
    """A syntax checker that knows no language."""
    return [None] * len(files)


@dataclass(frozen=True, slots=True)
class Parsers:
    """What reads the files of a repository by the grammar of their language. The defaults know no
    language."""

    check_syntax: SyntaxChecker = no_syntax_checks
    read_names: NameReader = read_no_names


NO_PARSERS = Parsers()


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A fault of a change as a review shows it: for which input, at which place (`path:line`), and
    what happens there that should not. In the model's words."""

    input: str
    place: str
    result: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The model's review of a change. `reason` is its prose, shown to people."""

    confident: bool
    reason: str
    counterexamples: tuple[Counterexample, ...] = ()
    decision: Literal["", "taken", "kept"] = ""
    """Whether the edits that the review sent were taken, or the change was kept as it was; "" if it
    sent none."""
    why: str = ""
    """Why so, in a sentence for people."""
    comparison: str = ""
    """The model's prose where it compared the change with and without these edits."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of the change. The first is the generated one; each later one follows a review."""

    patch: Patch
    changes: Changes
    summary: str
    """The model's own prose about it."""
    rejected: tuple[RejectedEdit, ...] = ()
    problems: tuple[str, ...] = ()
    """What checks found wrong with it. Nothing is executed."""
    signs: tuple[str, ...] = ()
    """What it does beyond its code, to tests, checks, dependencies, CI and reviews, in sentences."""
    verdict: Verdict | None = None
    """The model's review of it; None if there was no review."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The outcome of `solve`. The last revision is the result. There is always one, but its patch
    may be empty."""

    revisions: tuple[Revision, ...]
    shown: tuple[ShownFile, ...]
    notes: tuple[str, ...] = ()
    """Sentences for people: what was not done, and why."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A place that an answer names: `words` are those of the answer, as `greet.py:4-9`. `start` and
    `end` are 1-based, inclusive line numbers; None for the file as a whole."""

    words: str
    path: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The model's answer to a question, in its own Markdown."""

    text: str
    references: tuple[Reference, ...] = ()
    """The places in it that exist."""
    shown: tuple[ShownFile, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences for people."""


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the checklist in the job's comment."""

    title: str
    state: StepState = "waiting"
    began_at: str = ""
    """ISO 8601, UTC; "" if it has not begun, or an older version did it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What all model calls of a job used together."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float | None = None
    seconds: float = 0.0
    """Time spent waiting for the model."""

    def plus(self, reply: Reply) -> Usage:
        """With one more call. The cost is None only if no call reported one."""
        costs = [cost for cost in (self.cost_usd, reply.cost_usd) if cost is not None]
        return Usage(
            calls=self.calls + 1,
            prompt_tokens=self.prompt_tokens + reply.prompt_tokens,
            completion_tokens=self.completion_tokens + reply.completion_tokens,
            cached_tokens=self.cached_tokens + reply.cached_tokens,
            cost_usd=sum(costs) if costs else None,
            seconds=self.seconds + reply.seconds,
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed, in words for its asker. `retryable`: the same command may succeed later."""

    message: str
    next_step: str
    retryable: bool = False
    kind: str = "AskerError"
    """The name of the error's class in bot/errors.py."""
    details: str = ""
    """Lines that show what the message speaks of; "" if there are none."""

    @classmethod
    def of(cls, error: TinyGenError) -> Failure:
        """What the asker could mend is not retryable: the same command would fail again. To repeat
        what needs consent is to give it."""
        is_retryable = not isinstance(error, AskerError) or isinstance(error, NeedsConsent)
        details = error.details if isinstance(error, Conflict) else ""
        return cls(error.message, error.next_step, is_retryable, type(error).__name__, details)


@dataclass(frozen=True, slots=True)
class Report:
    """The state of a job at one moment. The comment, `/jobs/<id>` and the log row are made from
    it."""

    job: Job
    state: State
    steps: tuple[Step, ...] = ()
    mode: ReportMode = "diff"
    base_ref: str | None = None
    base_sha: str | None = None
    patch: Patch | None = None
    """Set as soon as there is a result; its text is "" if no change is needed."""
    summary: str = ""
    """The model's words about its change; its answer to a question; or what a quick command came
    to."""
    references: tuple[Reference, ...] = ()
    """The places that an answer names."""
    reflections: tuple[str, ...] = ()
    """What each review by the model found, in order, and what came of it."""
    first_patch: Patch | None = None
    """The change as it was first written, if a review led to another one."""
    notes: tuple[str, ...] = ()
    """Sentences for people: what could not be done as asked, and why."""
    shown: tuple[ShownFile, ...] = ()
    together_with: str | None = None
    """The URL of the review's first command, whose job did this command too."""
    push: Push | Literal[""] = ""
    """Where the change can be pushed to; "" if that is not known yet."""
    suggestion: str | None = None
    """The text that replaces the commented lines, if that is the whole change."""
    continues: str | None = None
    """The id of the job whose change this one continued or delivered."""
    rests_on: tuple[Outsider, ...] = ()
    """The outsiders whose words the change depends on."""
    head_sha: str | None = None
    """The pushed commit."""
    left_out: tuple[str, ...] = ()
    """What in the thread the model was not shown, in sentences for people."""
    pull_request_url: str | None = None
    commit_url: str | None = None
    withheld: Patch | None = None
    """The part of the patch that could not be pushed."""
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    failure: Failure | None = None
    finished_at: str | None = None
    """ISO 8601, UTC."""
    page_url: str = ""
    """The signed link to the job's page, in a report that is being shown; "" if TinyGen's address is
    not known, and in every report that is stored."""
    waits_for: str = ""
    """What a postponed job waits for, in a sentence for people; "" if it is not postponed."""
    open_pulls: tuple[str, ...] = ()
    """The addresses of the open pull requests for which the job was refused."""
    behind: tuple[str, ...] = ()
    """The comments that asked for the jobs before this one in its repository's queue, when it was
    accepted; the one that runs comes first."""
    estimate_usd: float | None = None
    """What the job was estimated to cost before anything was spent; None if prices are not set."""
    repository_url: str = ""
    """The repository's page on GitHub, in a report that is being shown; "" in every report that is
    stored."""
