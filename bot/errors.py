"""Every failure that TinyGen expects, by who acts next.

    TinyGenError ├── AskerError         the person who asked can mend it: shown, never retried │
    ├── BadRequest     what was asked cannot be read │   ├── NotPermitted   the person may not ask
    this │   ├── NotFound       no such repository, branch, issue or job, or no access to it │   ├──
    LimitReached   a limit of this installation was met │   └── Unworkable     the request was
    understood, but no change came of it that may be delivered │       └── Conflict   a change and
    what its branch became meanwhile do not go together ├── OutsideError       GitHub, git, the
    model or the database failed: retried where that is safe, then shown │   ├── TimedOut       it
    took longer than it may │   ├── Damaged        what was kept here was spoilt and is thrown away:
    the same again makes it anew │   ├── DatabaseFailed our own database did not take or give what
    it should: nothing was stored │   ├── BranchMoved    the branch is not where it was when the
    work on it began │   ├── ContextTooLong the model cannot take that many tokens: show it less,
    then ask again │   └── ImagesRefused  the model takes no images, or not these: ask again without
    └── SetupError         the operator must act: stops at the start, or names the setting to mend
    └── RowRefused     the request log elsewhere does not take this one row, as it is

An adapter may have kinds of its own below these; outside it, each is only the one above.

A message says what happened; `next_step` says what to do about it. Both may be shown in public:
neither ever holds a secret, a URL that carries one, or file contents.
"""

from __future__ import annotations


class TinyGenError(Exception):
    """`str()` gives the message and the next step as one line or two sentences."""

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class AskerError(TinyGenError):
    pass


class BadRequest(AskerError):
    pass


class NotPermitted(AskerError):
    pass


class NotFound(AskerError):
    pass


class LimitReached(AskerError):
    """`retry_in_s` is when the limit is free again, where that is known."""

    def __init__(self, message: str, *, next_step: str, retry_in_s: float | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.retry_in_s = retry_in_s


class Unworkable(AskerError):
    pass


class Conflict(Unworkable):
    pass


class OutsideError(TinyGenError):
    """`retry_in_s` is what the other side asked for, where it did. `step` is the durable step that
    ended with it."""

    step: int | None = None

    def __init__(self, message: str, *, next_step: str, retry_in_s: float | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.retry_in_s = retry_in_s


class TimedOut(OutsideError):
    pass


class Damaged(OutsideError):
    pass


class DatabaseFailed(OutsideError):
    pass


class BranchMoved(OutsideError):
    pass


class ContextTooLong(OutsideError):
    pass


class ImagesRefused(OutsideError):
    pass


class SetupError(TinyGenError):
    pass


class RowRefused(SetupError):
    pass


class Cancelled(Exception):
    """The asker no longer wants the answer. Not a failure: the job ends as cancelled."""
