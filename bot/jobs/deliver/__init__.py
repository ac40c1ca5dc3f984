"""Delivers a change: as a diff in the comment, as a suggestion, as one more commit on a pull
request's branch, or as a new pull request.

Only the text of the patch counts: what is pushed is the result of `git apply` at the patch's base,
and the tree that GitHub makes is compared with that result.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import structlog

from bot.errors import (
    AskerError,
    BranchMoved,
    Cancelled,
    Conflict,
    NotPermitted,
    OutsideError,
    SetupError,
    Unworkable,
)
from bot.jobs.cancel import is_cancelled
from bot.jobs.deliver.destination import Destination, JobRepository
from bot.jobs.engine import FLAG, NOTHING, TEXT, TEXTS
from bot.jobs.policy import JobContext
from bot.jobs.progress import ProgressReporter, with_addresses
from bot.jobs.thread_jobs import lineage
from bot.thread.history import pull_number
from bot.thread.markdown.quote import code_span
from bot.thread.render import (
    WAITS,
    fits_comment,
    render_commit_message,
    render_mode_note,
    render_pull_body,
    render_title,
    with_requests,
)
from bot.thread.settings import is_protected
from bot.thread.suggestion import is_small_suggestion, suggest
from bot.types import Failure, Report, Task
from bot.types.names import branch_name
from bot.types.serialization import Codec, codec_of
from bot.types.snapshot import Patch

WORKFLOWS = ".github/workflows/"
"""Changing these needs a permission of its own, which this App does not ask for unless its operator
adds it.
https://docs.github.com/en/apps/creating-github-apps/registering-a-github-app/choosing-permissions-for-a-github-app"""
WORKFLOWS_WITHHELD = (
    "The change of workflow files is delivered as a diff: the App lacks the workflows permission."
)
MAX_REBASES = 3
"""How often a change is rebased because its branch moved during the delivery."""

_log = structlog.get_logger()

_HEAD: Codec[tuple[str, str]] = codec_of(tuple[str, str])


def deliver(
    context: JobContext, reporter: ProgressReporter, destination: Destination, task: Task
) -> None:
    """Ends the job: with its diff shown, or with the commit or pull request made."""
    patch = reporter.report.patch
    if patch is None or not patch.text:
        reporter.finish(mode="diff")
        return
    _Delivery(context, reporter, destination, task, patch).deliver()


def rebased_note(destination: Destination) -> str:
    moved = f"`{destination.base_ref}` had moved on to {destination.base_sha[:12]}"
    return f"{moved}: the same change was carried over by git's three-way merge, which was clean."


class _Delivery:
    def __init__(
        self,
        context: JobContext,
        reporter: ProgressReporter,
        destination: Destination,
        task: Task,
        patch: Patch,
    ) -> None:
        self._context, self._reporter = context, reporter
        self._engine, self._policy = context.engine, context.policy
        self._destination, self._task, self._patch = destination, task, patch
        self._job = reporter.report.job
        self._key = self._job.target.repository_key

    def deliver(self) -> None:
        suggestion = self._suggestion()
        if suggestion is not None:
            self._reporter.finish(mode="diff", suggestion=suggestion)
            return
        push, wants_commit = self._destination.push, self._reporter.report.mode == "pr"
        why_not_write = self._why_not_write()
        if wants_commit and push == "fork":
            self._as_diff("this branch belongs to a fork, which TinyGen cannot push to.")
        elif wants_commit and why_not_write:
            self._as_diff(why_not_write)
        elif wants_commit and push != "none":
            self._push_or_show()
        elif push in ("none", "fork") or why_not_write or self._fits():
            self._reporter.finish(mode="diff")
        else:
            # Also on a pull request: nobody asked for a commit on its branch.
            self._reporter.update(mode="pr")
            self._reporter.note(render_mode_note("diff", "it is too long for a comment."))
            self._destination = replace(self._destination, push="new", why_new="")
            self._push_or_show()

    def _why_not_write(self) -> str:
        """Why the change may not become a commit; "" if it may. A change that depends on outsiders'
        words waits until somebody with the permission has seen its diff and gives `apply`."""
        if self._policy.why_not_write:
            return self._policy.why_not_write
        is_apply = self._job.command.verb == "apply"
        if self._reporter.report.rests_on and not is_apply and self._policy.outsiders != "pr":
            return WAITS
        return ""

    def _suggestion(self) -> str | None:
        """The change as a suggestion, if one comment on lines asked for it and the change lies
        inside those lines. On a branch that may be pushed to, only a small one that was not asked
        for as a commit."""
        comments, patch, git = self._job.remarks, self._patch, self._context.git
        if len(comments) != 1 or self._job.command.verb == "apply":
            return None
        comment = comments[0]
        if comment.commit_sha != patch.base_sha:
            return None
        changes, _tree = git.apply(self._key, patch)
        old = git.snapshot(self._key, patch.base_sha)
        blob, change = old.blobs.get(comment.path), changes.get(comment.path)
        if len(changes) != 1 or blob is None or change is None or change.content is None:
            return None
        if blob.mode != change.mode:
            return None
        (before,) = old.read([blob])
        suggestion = suggest(comment, before, change.content)
        if suggestion is None or self._destination.push == "fork":
            return suggestion
        mode = self._job.command.mode or self._policy.mode
        return suggestion if mode == "diff" and is_small_suggestion(suggestion) else None

    def _fits(self) -> bool:
        """Whether the comment that will end the job has room for its diff."""
        report = with_addresses(self._context, self._reporter.report)
        return fits_comment(replace(report, state="done"))

    def _as_diff(self, reason: str) -> None:
        self._reporter.note(render_mode_note("pr", reason))
        self._reporter.finish(mode="diff")

    def _push_or_show(self) -> None:
        """Pushes the change. If that is refused, the diff is shown with the reason: nothing that
        was paid for is lost, and `apply` delivers it as soon as it may. The job is done then; why
        it pushed nothing is its `failure`, which the log has as well."""
        try:
            self._push()
        except (AskerError, SetupError) as refusal:
            if self._job.command.verb != "apply":
                self._reporter.update(failure=Failure.of(refusal))
                is_pushed = self._reporter.report.head_sha is not None
                what = "no pull request could be opened" if is_pushed else "it could not be pushed"
                self._as_diff(f"{what}. {refusal.message} {refusal.next_step}")
            elif isinstance(refusal, Conflict):
                raise
            else:
                self._reporter.fail(refusal, may_retry=True)

    def _push(self, rebases_left: int = MAX_REBASES) -> None:
        """Makes the commit, and a pull request if the branch is new."""
        self._reporter.begin("deliver")
        pushed, withheld = self._without_workflows()
        if not pushed.text:
            self._as_diff("changes of workflow files need the App's workflows permission.")
            return
        if withheld.text:
            self._reporter.update(withheld=withheld)
            self._note_once(WORKFLOWS_WITHHELD)
        destination, is_new = self._destination, self._destination.push == "new"
        self._note_once(destination.why_new)
        title = render_title(self._reporter.report.summary, self._task)
        branch = branch_name(destination.branch_of) if is_new else destination.base_ref
        try:
            sha = self._engine.step(
                "push", lambda: self._commit(pushed, branch, title, create=is_new), TEXT
            )
        except BranchMoved:
            if not rebases_left or self._job.check:  # whoever pushed may be fixing the check
                raise
            self._rebase_onto_head()
            self._push(rebases_left - 1)
            return
        self._reporter.update(head_sha=sha)
        if destination.push == "head":
            if destination.is_own:
                self._engine.step("list requests", self._list_requests, NOTHING)
            url = f"{self._policy.server_url}/{self._job.target.repo}/commit/{sha}"
            self._reporter.finish(mode="pr", commit_url=url)
            return
        url = self._open(branch, title)
        if self._policy.settings.labels or self._policy.settings.reviewers:
            problems = self._engine.step("label", lambda: self._label(url), TEXTS)
            self._reporter.note(*problems)
        self._reporter.finish(mode="pr", pull_request_url=url)

    def _open(self, branch: str, title: str) -> str:
        base_ref = self._destination.base_ref
        try:
            return self._engine.step(
                "open pull request", lambda: self._open_pull_request(branch, base_ref, title), TEXT
            )
        except (AskerError, SetupError):
            self._reporter.note(f"The commit is on the branch {code_span(branch)}.")
            raise

    def _note_once(self, sentence: str) -> None:
        if sentence and sentence not in self._reporter.report.notes:
            self._reporter.note(sentence)

    def _rebase_onto_head(self) -> None:
        """Rebases the change onto the branch's new head."""
        repository = JobRepository(self._context, self._job)
        base_ref = self._destination.base_ref
        _name, sha = self._engine.step("head", lambda: repository.github().resolve(base_ref), _HEAD)
        self._destination = replace(self._destination, base_sha=sha)
        self._patch = repository.rebased(self._patch, sha)
        if not self._patch.text:
            raise Unworkable(
                "Somebody else has made the same change meanwhile.",
                next_step="Nothing is left to do.",
            )
        self._reporter.update(base_sha=sha, patch=self._patch)
        self._reporter.note(rebased_note(self._destination))

    def _without_workflows(self) -> tuple[Patch, Patch]:
        """The patch as (what may be pushed, what may not)."""
        patch, git = self._patch, self._context.git
        nothing = Patch(patch.base_sha, "")
        is_named = any(file.path.startswith(WORKFLOWS) for file in patch.files)
        if not is_named and WORKFLOWS not in patch.text:
            return patch, nothing
        target = self._job.target
        is_allowed = self._engine.step(
            "may write workflows",
            lambda: self._context.github(target).may_write_workflows(),
            FLAG,
        )
        changes, _tree = git.apply(self._key, patch)
        withheld = {path: each for path, each in changes.items() if path.startswith(WORKFLOWS)}
        if is_allowed or not withheld:
            return patch, nothing
        pushed = {path: each for path, each in changes.items() if path not in withheld}
        return (
            git.diff(self._key, patch.base_sha, pushed),
            git.diff(self._key, patch.base_sha, withheld),
        )

    def _commit(self, patch: Patch, branch: str, title: str, *, create: bool) -> str:
        """Pushes the patch as one commit on the branch, and returns its sha."""
        context, target = self._context, self._job.target
        if is_cancelled(context, self._job.id):
            raise Cancelled
        why_not = "" if create else context.github(target).why_not_push(branch)
        if why_not:
            raise NotPermitted(
                f"{code_span(branch)} {why_not}.",
                next_step="Give the command in an issue: there it becomes a pull request.",
            )
        changes, tree_sha = context.git.apply(self._key, patch)
        protected = [path for path in changes if is_protected(self._policy.settings, path)]
        if protected:
            names = ", ".join(map(code_span, protected[:10]))
            raise NotPermitted(
                f"The change touches what the repository protects: {names}.",
                next_step=(
                    "Apply that part by hand, or change `protected` in `.github/tinygen.yml`."
                ),
            )
        server_host = urlsplit(self._policy.server_url).netloc
        message = render_commit_message(
            self._reporter.report,
            title,
            server_host=server_host,
            made_for=self._destination.branch_of,
        )
        return context.github(target).push(
            branch,
            patch.base_sha,
            changes,
            message=context.clean(message),
            tree_sha=tree_sha,
            create=create,
        )

    def _requests(self) -> list[Report]:
        """The reports of the requests that led to the change, oldest first."""
        line = lineage(self._context, self._reporter.report)
        asked = [report for report in line if report.job.command.verb == "solve"]
        return [with_addresses(self._context, report) for report in asked]

    def _list_requests(self) -> None:
        """Brings the list of requests in the pull request's description up to date."""
        requests = self._requests()
        number = pull_number(requests)
        if number is None:
            return
        github = self._context.github(self._job.target)
        try:
            body = github.thread(number).body
            described = self._context.clean(with_requests(body, requests))
            if described != body:
                github.edit_pull(number, body=described)
        except (AskerError, OutsideError) as error:  # the commit is there
            _log.warning("a pull request is not described anew", error=error.message)

    def _open_pull_request(self, branch: str, base: str, title: str) -> str:
        """Opens the pull request, and returns its URL."""
        clean = self._context.clean
        body = render_pull_body(
            with_addresses(self._context, self._reporter.report),
            requests=self._requests(),
            ci_fixes=self._policy.ci_fixes,
        )
        github = self._context.github(self._job.target)
        pull = github.open_pull(
            branch, base, title=clean(title), body=clean(body), draft=self._policy.draft
        )
        return pull.url

    def _label(self, url: str) -> tuple[str, ...]:
        """Labels the pull request and asks for its reviews, as the repository's settings say.
        Returns a sentence for each thing that GitHub refused."""
        number, settings = int(url.rpartition("/")[2]), self._policy.settings
        github, problems = self._context.github(self._job.target), []
        try:
            github.label(number, settings.labels)
        except AskerError as error:
            problems.append(f"The labels could not be put on the pull request: {error.message}")
        try:
            github.request_reviews(number, settings.reviewers)
        except AskerError as error:
            problems.append(f"The reviews could not be asked for: {error.message}")
        return tuple(problems)
