"""What a job shows the model besides the repository: its task, and the thread that it was given in.

Which comments of a thread the model is shown: those that were there when the command was given, by
people who may command, and of a review only what is still open.

The images of one job. What is recorded of them is small; their bytes are in memory only, and after
a restart they are fetched again.

Whose words a job rests on: an outsider is whoever may not have a change made here, and every bot
but TinyGen itself.

It is judged once, when the command comes, and kept with the job's terms: who loses or gains a
permission while the job waits changes nothing. GitHub's API is asked about each login; what a
payload says of a person counts for nothing. What TinyGen itself wrote rests on what its own job
rested on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import structlog
from pydantic import TypeAdapter

from bot.errors import AskerError, BadRequest, OutsideError, TinyGenError
from bot.jobs.policy import Authorization, AuthorPermissions, JobContext, may_do
from bot.jobs.thread_jobs import asked_in_thread, is_request, latest, opener
from bot.ports import Comment, GitHub, LineComment, PullRequest
from bot.thread.commands import parse_command
from bot.thread.markdown import (
    MAX_IMAGE_BYTES,
    MAX_IMAGES,
    Permalink,
    clean_material,
    find_images,
    find_permalinks,
    hides,
    media_type,
    render_lines,
)
from bot.thread.settings import may_show
from bot.thread.webhooks import GHOST
from bot.types import Image, Job, Outsider, Permission, Prompt, Report, ReviewComment, Task

MAX_COMMENTS_CHARS = 20_000
"""Of the comments before the command, newest kept."""
MAX_AUTHORS = 20
"""Whose permission is asked of GitHub, those who wrote last first."""

Written = Comment | LineComment

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ThreadComments:
    """`words` are the comments as the model is shown them, `bodies` as their `authors` wrote
    them."""

    words: tuple[str, ...]
    bodies: tuple[str, ...]
    authors: tuple[str, ...]
    left_out: tuple[str, ...]

    def hidden(self) -> int:
        """In how many of them something is hidden from a reader of the page."""
        return sum(map(hides, self.bodies))


def hear(context: JobContext, job: Job, github: GitHub, number: int) -> ThreadComments:
    """The comments of the job's thread."""
    on_lines, resolved = _on_lines(github, job, number)
    written: tuple[Written, ...] = (*github.comments(number), *on_lines)
    said = [each for each in written if _is_material(each, job)]
    earlier = sorted(
        (each for each in said if each not in resolved), key=lambda each: each.created_at
    )
    allowed = _allowed(context, github, earlier)
    theirs = [each for each in earlier if each.author in allowed]
    kept = [each for each in theirs if not _was_changed(each, job)]
    words = _newest([_words(each) for each in kept], MAX_COMMENTS_CHARS)
    counts = (
        (len(said) - len(earlier), "in review threads that are resolved"),
        (len(earlier) - len(theirs), "by people without a say in this repository"),
        (len(theirs) - len(kept), "changed since the command was given"),
        (len(kept) - len(words), "too old to fit"),
    )
    left_out = tuple(
        f"Comments {why} that were not shown: {count}." for count, why in counts if count
    )
    heard = kept[len(kept) - len(words) :]
    return ThreadComments(
        words, tuple(each.body for each in heard), tuple(each.author for each in heard), left_out
    )


def last_authors(github: GitHub, job: Job, number: int) -> tuple[str, ...]:
    """The logins of those who wrote in the job's thread before its command, those who wrote last
    first."""
    written: list[Written] = list(github.comments(number))
    if job.target.is_pull:
        written += [
            each
            for each in github.line_comments(number)
            if job.target.reply_to in (None, each.thread_id)
        ]
    said = [each for each in written if _is_material(each, job)]
    return _newest_authors(sorted(said, key=lambda each: each.created_at))


def _newest_authors(comments: Sequence[Written]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.author for each in reversed(comments)))[:MAX_AUTHORS]


def _on_lines(github: GitHub, job: Job, number: int) -> tuple[list[LineComment], list[LineComment]]:
    """The comments on lines that the command is about, and those of them that are settled. A
    command on a line is about its own thread, any other about all."""
    if not job.target.is_pull:
        return [], []
    comments = list(github.line_comments(number))
    if job.target.reply_to is not None:
        return [each for each in comments if each.thread_id == job.target.reply_to], []
    resolved = (
        _resolved(github, number)
        if any(_is_material(each, job) for each in comments)
        else frozenset()
    )
    return comments, [each for each in comments if each.thread_id in resolved]


def _resolved(github: GitHub, number: int) -> frozenset[int]:
    """Where GitHub does not tell, nothing counts as settled: the model sees more than it need."""
    try:
        return github.resolved_threads(number)
    except (AskerError, OutsideError) as error:
        _log.warning("resolved review threads are not known", error=error.message)
        return frozenset()


def _allowed(context: JobContext, github: GitHub, comments: Sequence[Written]) -> frozenset[str]:
    """Who of the authors may have a diff made. GitHub was asked when the command came, or is asked
    now, since `author_association` calls whoever can read a member or collaborator, and some
    members none."""
    judgement = context.policy.judgement
    if judgement is not None:
        return frozenset(
            login for login, level in judgement.levels.items() if "diff" in may_do(context, level)
        )
    return frozenset(
        login
        for login in _newest_authors(comments)
        if "diff" in may_do(context, github.permission(login))
    )


def _words(comment: Written) -> str:
    if isinstance(comment, Comment):
        return f"{comment.author} wrote:\n{clean_material(comment.body)}"
    path = " ".join(comment.path.split())
    place = (
        f"line {comment.line} of {path}"
        if comment.line
        else f"lines of {path} that have changed since"
    )
    return f"{comment.author} wrote on {place}:\n{clean_material(comment.body)}"


def _is_material(comment: Written, job: Job) -> bool:
    """Whether a person wrote it before the command, and it is none itself."""
    if (
        comment.author_is_bot
        or comment.id == job.target.comment_id
        or parse_command(comment.body) is not None
    ):
        return False
    if job.given_at:
        return comment.created_at <= job.given_at
    return job.target.comment_id is None or comment.id < job.target.comment_id


def _was_changed(comment: Written, job: Job) -> bool:
    return bool(job.given_at) and comment.updated_at > job.given_at


def _newest(comments: Sequence[str], limit_chars: int) -> tuple[str, ...]:
    kept: list[str] = []
    for comment in reversed(comments):
        limit_chars -= len(comment)
        if limit_chars < 0:
            break
        kept.insert(0, comment)
    return tuple(kept)


class ImageLoader:
    """`is_shut`: the model would not take them."""

    def __init__(self, context: JobContext, job: Job) -> None:
        self._context, self._job = context, job
        self._contents: dict[str, bytes] = {}
        self.is_shut = False

    def collect(
        self, texts: Sequence[str], outsiders: Sequence[str] = ()
    ) -> tuple[tuple[Image, ...], tuple[str, ...]]:
        """The images that the texts show, and what of them and of the outsiders' texts the model is
        not shown, in sentences."""
        server_url = self._context.policy.server_url
        found, theirs = find_images(texts, server_url), find_images(outsiders, server_url)
        unseen = len({*theirs.attached, *theirs.elsewhere} - {*found.attached, *found.elsewhere})
        if not self._context.policy.can_see:
            everything = find_images((*texts, *outsiders), server_url)
            return (), _sentences(
                {"since the model is not set as one that sees": len(everything.attached)}
            )
        images = [image for url in found.attached[:MAX_IMAGES] if (image := self._fetched(url))]
        counts = {
            "since they stand in words of people who may not have changes made here": unseen,
            "since they are kept elsewhere than at this GitHub server": len(found.elsewhere),
            f"beyond the first {MAX_IMAGES}": len(found.attached[MAX_IMAGES:]),
            "since they could not be had, or are no PNG, JPEG, GIF or WebP of at most 5 MB": (
                len(found.attached[:MAX_IMAGES]) - len(images)
            ),
        }
        return tuple(images), _sentences(counts)

    def contents(self, prompt: Prompt) -> dict[str, bytes]:
        """The bytes of the prompt's images, by their digests; without those that are there no
        longer."""
        wanted = {image.sha256: image for message in prompt.messages for image in message.images}
        for sha256, image in wanted.items():
            if sha256 not in self._contents:
                self._fetched(image.url)
        return {sha256: self._contents[sha256] for sha256 in wanted if sha256 in self._contents}

    def _fetched(self, url: str) -> Image | None:
        """None for one that cannot be had: a job does not fail for an image."""
        target = self._job.target
        try:
            github = self._context.github(target)
            content = github.attachment(url, target.issue_number or 0, max_bytes=MAX_IMAGE_BYTES)
            kind = media_type(content)
            if kind is None:
                raise BadRequest(
                    "The file is no image that models take.", next_step="Attach a PNG."
                )
        except TinyGenError as error:
            _log.warning("an image could not be had", error=error.message)
            return None
        image = Image(url, kind, hashlib.sha256(content).hexdigest(), len(content))
        self._contents[image.sha256] = content
        return image


def _sentences(counts: dict[str, int]) -> tuple[str, ...]:
    return tuple(
        f"Images that were not shown, {why}: {count}." for why, count in counts.items() if count
    )


MAX_OUTSIDERS = 30
ISSUE = "the issue's title and text"
PULL = "the pull request's title and text"
HEAD = "the branch of the fork"
REQUEST = "the request"
EDITED = "the comment that the command was written into"

_judgements = TypeAdapter(AuthorPermissions)


def with_author_permissions(context: JobContext, job: Job, terms: Authorization) -> Authorization:
    """The job's terms, with what GitHub says now of those whose words it will hear. `house` is
    under the terms."""
    if (
        job.command.verb not in ("solve", "retry")
        or job.source == "run"
        or job.target.issue_number is None
    ):
        return terms
    found = context.engine.step(
        "whose words", lambda: _judgements.dump_python(judge(context, job, terms.has), mode="json")
    )
    return replace(terms, judgement=_judgements.validate_python(found))


def judge(context: JobContext, job: Job, has: Permission | None = None) -> AuthorPermissions:
    """`has` is the asker's permission, where that was asked already."""
    target, number = job.target, job.target.issue_number or 0
    github = context.github(target)
    pull = github.pull(number) if target.is_pull else None
    opened = opener(context, target, pull) if pull else None
    author = None if opened else job.opened_by or github.thread(number).author
    owner = _fork_owner(job, pull) if pull else None
    repeated = latest(context, job, is_request) if job.command.verb == "retry" else None
    logins = (
        *(job.actor, job.edited_of, author, owner, repeated.job.actor if repeated else None),
        *last_authors(github, job, number),
    )
    known = {job.actor: has} if job.actor and has else {}
    levels = {
        login: known.get(login) or _level(github, login) for login in dict.fromkeys(logins) if login
    }

    said = [Outsider(job.actor, REQUEST)]
    if job.edited_of is not None:
        said.append(Outsider(job.edited_of, EDITED))
    if opened is None:
        said.append(Outsider(author, PULL if pull else ISSUE))
    if pull and not pull.is_within(target.repo):
        said.append(Outsider(owner, HEAD))
    judged = replace(context, policy=replace(context.policy, judgement=AuthorPermissions(levels)))
    found = tuple(each for each in said if is_outsider(judged, each.login))
    return AuthorPermissions(
        levels, merged(of_pull(context, job, opened), found) if opened else found
    )


def is_outsider(context: JobContext, login: str | None) -> bool:
    """Whether a person may not have a change made, by the job's judgement."""
    return "pr" not in may_do(context, level_of(context, login))


def level_of(context: JobContext, login: str | None) -> Permission:
    judgement = context.policy.judgement
    return judgement.levels.get(login or "", "none") if judgement else "none"


def merged(*groups: tuple[Outsider, ...]) -> tuple[Outsider, ...]:
    return tuple(dict.fromkeys(each for group in groups for each in group))[:MAX_OUTSIDERS]


def of_pull(context: JobContext, job: Job, opened: Report) -> tuple[Outsider, ...]:
    """Those that a pull request of TinyGen's rests on, where `job` is in its thread: by the job
    that opened it, or went on from that, and by those that put more commits onto its branch."""
    return merged(opened.rests_on, *_pushed(context, job), *_pushed(context, opened.job))


def _pushed(context: JobContext, job: Job) -> Iterator[tuple[Outsider, ...]]:
    return (report.rests_on for report in asked_in_thread(context, job) if report.commit_url)


def _level(github: GitHub, login: str) -> Permission:
    return "none" if login == GHOST or login.endswith("[bot]") else github.permission(login)


def _fork_owner(job: Job, pull: PullRequest) -> str | None:
    """None also where the fork is gone."""
    return (
        pull.head_repo.partition("/")[0]
        if pull.head_repo and not pull.is_within(job.target.repo)
        else None
    )


MAX_LINKED_BYTES = 1_000_000
COMMENTS = "comments"


def read_task(context: JobContext, job: Job, image_loader: ImageLoader) -> Task:
    """The job's task with its thread; `left_out` says what of that the model is not shown.

    Title and body are those that GitHub delivered with the command: what was written into them
    later does not count. `rests_on` says whose words it holds who may not have a change made; no
    image of theirs is shown.
    """
    target = job.target
    if target.issue_number is None:
        return Task(target.repo, job.command.prompt)
    github = context.github(target)
    if (
        context.policy.judgement is None and job.command.verb == "solve"
    ):  # a version that judged nobody accepted it
        context = replace(context, policy=replace(context.policy, judgement=judge(context, job)))
    if job.thread is None:
        thread = github.thread(target.issue_number)
        title, body = thread.title, thread.body
        author: str | None = thread.author
    else:
        (title, body), author = job.thread, job.opened_by
    heard = hear(context, job, github, target.issue_number)
    hidden = sum(map(hides, (title, body))) + heard.hidden()
    said = ((author, body), *zip(heard.authors, heard.bodies, strict=True))
    ours = (
        job.command.prompt,
        *(words for login, words in said if not is_outsider(context, login)),
    )
    theirs = tuple(words for login, words in said if is_outsider(context, login))
    images, unseen = image_loader.collect(ours, theirs)
    remarks, kept_back = _remarks(context, job)
    taken = (f"Texts from which hidden parts were taken: {hidden}.",) if hidden else ()
    title, body = clean_material(title), clean_material(body)
    left_out = (*heard.left_out, *taken, *unseen, *kept_back)
    task = Task(
        target.repo, job.command.prompt, title, body, heard.words, remarks, left_out=left_out
    )
    linked = dict(_linked(context, github, task))
    followed = [
        link
        for link in find_permalinks(ours, context.policy.server_url, target.repo)
        if link in linked
    ]
    rests_on = merged(
        context.policy.judgement.rests_on if context.policy.judgement else (),
        tuple(Outsider(login, COMMENTS) for login in heard.authors if is_outsider(context, login)),
        tuple(_foreign(github, job, followed)),
    )
    failures = job.check.failures if job.check else ()
    return replace(
        task, linked=tuple(linked.values()), failures=failures, images=images, rests_on=rests_on
    )


def _remarks(context: JobContext, job: Job) -> tuple[tuple[ReviewComment, ...], tuple[str, ...]]:
    """The job's remarks, without lines of files that the model may not be shown, and a sentence
    that says so."""
    hidden = [remark for remark in job.remarks if not may_show(context.policy.repo, remark.path)]
    remarks = tuple(
        replace(remark, hunk="") if remark in hidden else remark for remark in job.remarks
    )
    words = f"Lines commented on that the repository's settings keep from the model: {len(hidden)}."
    return remarks, (words,) if hidden else ()


def _linked(context: JobContext, github: GitHub, task: Task) -> Iterator[tuple[Permalink, str]]:
    """The lines that the thread links to, as they were at that commit. A link that leads nowhere is
    only a link."""
    said = (task.prompt, task.body, *task.comments)
    for link in find_permalinks(said, context.policy.server_url, task.repo):
        if not may_show(context.policy.repo, link.path):
            continue
        try:
            content = github.file(link.path, max_bytes=MAX_LINKED_BYTES, ref=link.sha)
        except AskerError:
            continue
        if content and (shown := render_lines(link, content)):
            yield link, shown


def _foreign(github: GitHub, job: Job, links: Iterable[Permalink]) -> Iterator[Outsider]:
    """Nobody knows whose lines those are that are in no branch which counts here: whoever pushes to
    a fork can have them shown under this repository's name."""
    for sha in dict.fromkeys(link.sha for link in links):
        if not _is_ours(github, job, sha):
            yield Outsider(
                None, f"the lines linked at `{sha[:12]}`, which the default branch does not hold"
            )


def _is_ours(github: GitHub, job: Job, sha: str) -> bool:
    """Whether the commit is in the default branch or, on a pull request of this repository, in its
    own. False where GitHub does not tell."""
    try:
        if github.in_history(sha):
            return True
        pull = github.pull(job.target.issue_number or 0) if job.target.is_pull else None
        return (
            pull is not None
            and pull.is_within(job.target.repo)
            and github.in_history(sha, pull.head_ref)
        )
    except (AskerError, OutsideError) as error:
        _log.warning("whose commit a link leads to is not known", error=error.message)
        return False
