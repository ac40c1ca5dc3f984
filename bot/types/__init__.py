"""The values that pass through the house: plain, frozen, and free of behaviour that touches the
world.

Paths are git's, `/`-separated and relative to the repository's root, as `str` with undecodable
bytes kept as surrogates (`surrogateescape`). File contents are `bytes`; words are `str`. A sha is
40 hexadecimal digits; a ref is a name. Numbers carry their unit in their name.

What people and programs are told of a job at one moment: comment, `/jobs/<id>` and log row are made
of it.

The other doors to a job than a comment: a label on an issue, and its assignment to the App.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bot.types.reply import RejectedEdit
from bot.types.snapshot import Changes, Patch

Mode = Literal["diff", "pr"]
Source = Literal["comment", "review_comment", "run"]
Trigger = Literal["comment", "review", "label", "assignment", "failed check", "call"]
State = Literal["queued", "running", "done", "failed", "cancelled", "refused"]
StepState = Literal["waiting", "running", "done", "failed"]
Verb = Literal["solve", "apply", "retry", "cancel", "status", "help", "withdraw"]
"""Of these, "withdraw" is no word of a comment: it is what deleting one, or closing its issue,
says."""
Outsiders = Literal["diff", "refuse", "pr"]
"""What becomes of a change that rests on outsiders' words: shown, not made at all, or delivered as
any other."""
Permission = Literal["none", "read", "triage", "write", "maintain", "admin"]

PERMISSIONS: tuple[Permission, ...] = ("none", "read", "triage", "write", "maintain", "admin")
"""In rising order.
https://docs.github.com/en/organizations/managing-user-access-to-your-organizations-repositories"""

FINAL_STATES: frozenset[State] = frozenset({"done", "failed", "cancelled", "refused"})
WORK: frozenset[Verb] = frozenset({"solve", "apply", "retry"})
"""The commands that are jobs; the others are answered at once."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a comment (or a call) asks for. `mode` and `base` are None where the asker did not
    say."""

    verb: Verb
    prompt: str = ""
    mode: Mode | None = None
    base: str | None = None
    fresh: bool = False
    """Whether it starts anew, whatever was made in the thread before."""
    problem: str = ""
    """Why it cannot be carried out, in words for the asker; "" where it can."""


@dataclass(frozen=True, slots=True)
class Target:
    """The repository, and the place in it, that a job works for. Outside GitHub threads the numbers
    are None."""

    repo: str
    """`owner/name` as GitHub spells it: for people and for addresses. It may be another
    repository's tomorrow."""
    installation_id: int | None = None
    issue_number: int | None = None
    is_pull: bool = False
    comment_id: int | None = None
    """The comment that holds the command."""
    reply_to: int | None = None
    """In a review: the first comment of the thread on a line that the command stands in, and that
    answers go into."""
    repository_id: int | None = None
    """Whose thread, history and cache it is. None for direct calls, which know a repository by its
    address alone."""
    repository_made_at: str = ""
    """When GitHub says that it made the repository, ISO 8601."""

    @property
    def repository_key(self) -> str:
        """What the repository's threads, history, limits and cache go by: GitHub's id for it or,
        where that is not known, its name. A name holds a slash, an id never does."""
        return self.repo.lower() if self.repository_id is None else str(self.repository_id)


@dataclass(frozen=True, slots=True)
class ReviewComment:
    """A command in a review: on which lines of a pull request's diff it stands.

    `hunk` is the diff above and at these lines, as GitHub shows it. `line` and `start_line` are
    1-based and inclusive in the file at `commit_sha`, of the new side ("RIGHT") or the old one;
    `line` is None where they are gone since.
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
    """The submitted review that it is part of; None where it came later, by an edit."""


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A run of a repository's own checks (a workflow of GitHub Actions) that failed on a pull
    request of TinyGen's."""

    run_id: int
    name: str
    head_sha: str
    attempt: int = 1
    """Which attempt to mend it this is, of `limit`."""
    limit: int = 0
    before: tuple[str, ...] = ()
    """The errors that were worked on before; see bot.jobs.ci_fixes.fingerprint."""
    failures: tuple[str, ...] = ()
    """What failed: job, step and the end of its log, each."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Outsider:
    """A person who may not have a change made here, and which of their words went into one."""

    login: str | None
    """None where it is not known whose they are."""
    words: str
    """Which ones, in a few words for people."""


@dataclass(frozen=True, slots=True)
class Job:
    """One request, from acceptance to its end. `id` names workflow, branch, comment marker and log
    row."""

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
    """Where it was asked in a review: its own remark, and the others that are done with it."""
    given_at: str = ""
    """When the command was written, by GitHub's clock; "" where it does not say."""
    thread: tuple[str, str] | None = None
    """Title and body of the issue or pull request as they stood then; None where GitHub did not
    send them."""
    opened_by: str | None = None
    """The login of whoever wrote them; None where GitHub did not say, or the account is gone."""
    edited_of: str | None = None
    """The login of whoever wrote the comment, where the actor put the command into another's."""
    check: FailedCheck | None = None
    """Where no comment asked for it, but a failed check of what was asked for before."""
    trigger: Trigger = "comment"
    """What asked for it. The request log's `source` has no word for a label, an assignment or a
    failed check."""

    @property
    def account(self) -> str:
        """On whose account it runs, and with whom it shares: its installation's or, of a direct
        call, its caller's."""
        installation = self.target.installation_id
        return (
            f"installation {installation}"
            if installation is not None
            else self.actor or "a direct call"
        )

    @property
    def asker_key(self) -> str:
        """Whose request it is, for limits, refusals and `apply`: GitHub's id for the person or, of
        a direct call, the caller's name. A login may be another person's tomorrow."""
        return (self.actor or "") if self.actor_id is None else str(self.actor_id)


@dataclass(frozen=True, slots=True)
class Image:
    """An image of the thread. Its bytes are kept apart from whatever is recorded, and found by
    their digest."""

    url: str
    media_type: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done, in the words of whoever may ask for it, and the thread that it belongs to
    (material)."""

    repo: str
    prompt: str
    """"" where the thread's own text is the task."""
    title: str = ""
    body: str = ""
    comments: tuple[str, ...] = ()
    """What was said before the command, each beginning with its author."""
    remarks: tuple[ReviewComment, ...] = ()
    """The lines that the prompt is about."""
    failures: tuple[str, ...] = ()
    """What failed in the repository's own checks."""
    earlier: tuple[str, ...] = ()
    """The requests that this one goes on from, oldest first; "" stands for the thread's own
    text."""
    diff: str = ""
    """What was made of them so far. The repository is shown with it."""
    instructions: str = ""
    """What the repository asks of those who change it, from its default branch."""
    linked: tuple[str, ...] = ()
    """The lines of code that the thread links to, each under its place."""
    images: tuple[Image, ...] = ()
    """Those of the thread, where the model can see."""
    left_out: tuple[str, ...] = ()
    """What of the thread the model is not shown, in sentences for people."""
    language: str = ""
    """What people are answered in; "" leaves it to the model."""
    rests_on: tuple[Outsider, ...] = ()
    """Whose words in it are outsiders'. The model is not told."""


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[Image, ...] = ()
    """Shown after the text."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent in one call: one system message first, then user and assistant in turn."""

    purpose: Literal["generate", "repair", "more", "reflect"]
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `finish` is "length" also where the stream ended without a reason: the text
    may be cut."""

    text: str
    finish: Literal["stop", "length"]
    model: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    cached_tokens: int = 0
    tokens_are_estimated: bool = False
    """True where the server did not report usage."""
    cost_usd: float | None = None
    """Where the server reports it, or prices are set."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What reflection said. `reason` is the model's prose, shown to people."""

    confident: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Part of a file as shown to the model: 1-based, inclusive lines. `why` is a few words for
    people."""

    path: str
    start: int
    end: int
    text: str
    tokens: int
    why: str


@dataclass(frozen=True, slots=True)
class ShownFile:
    path: str
    start: int
    end: int
    why: str


@dataclass(frozen=True, slots=True)
class Context:
    """What the model is shown. `ranking` is best first, 100 paths at most; `outline` is the
    repository in brief."""

    ranking: tuple[str, ...]
    shown: tuple[Excerpt, ...]
    outline: str
    tokens: int
    """The estimate for `shown` and `outline` together; never above the budget that was given."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of the change. The first is what was generated; each later one is what reflection
    made of it."""

    patch: Patch
    changes: Changes
    summary: str
    """The model's own prose about it."""
    rejected: tuple[RejectedEdit, ...] = ()
    problems: tuple[str, ...] = ()
    """What checks without execution found wrong with it."""
    verdict: Verdict | None = None
    """What reflection said of it, where it was asked."""


@dataclass(frozen=True, slots=True)
class Solution:
    """What a run of the loop came to. The last revision is the result; it may be an empty patch,
    never be missing."""

    revisions: tuple[Revision, ...]
    shown: tuple[ShownFile, ...]
    notes: tuple[str, ...] = ()
    """Sentences for people: what was left undone, and why."""


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
    """Why a job did not end well, in words for its asker. `retryable`: the same command may succeed
    later."""

    message: str
    next_step: str
    retryable: bool = False
    kind: str = "AskerError"
    """The name of the error in bot/errors.py."""


@dataclass(frozen=True, slots=True)
class Report:
    """All there is to tell about a job at one moment: the comment, `/jobs/<id>` and the log row are
    made from it."""

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


@dataclass(frozen=True, slots=True)
class Triggers:
    """The label's name and the assignee's login that ask for a job; "" where that door is shut."""

    label: str = ""
    assignee: str = ""

    def is_opened(self, action: str, *, label: str, assignee: str) -> bool:
        """Whether what was done to an issue asks for a job. GitHub's names are the same in any
        case."""
        said, wanted = {"labeled": (label, self.label), "assigned": (assignee, self.assignee)}.get(
            action, ("", "")
        )
        return bool(wanted) and said.casefold() == wanted.casefold()
