"""Every failure that TinyGen expects, by who must act next.

TinyGenError
├── AskerError          the person who asked can fix it: shown, never retried
│   ├── BadRequest      the request cannot be read
│   ├── NotPermitted    the person may not ask for this
│   ├── NotFound        no such repository, branch, issue or job, or no access to it
│   ├── NeedsConsent    it may be done, once a person says so
│   ├── LimitReached    a limit of this installation is reached
│   └── Unworkable      the request was understood, but led to no change that may be delivered
│       └── Conflict    the change and a newer commit of its branch do not go together
├── OutsideError        GitHub, git, the model or the database failed: retried if safe, then shown
│   ├── TimedOut        it took longer than allowed
│   ├── Damaged         a local copy was corrupt and is removed: a retry makes it again
│   ├── DatabaseFailed  our own database failed: nothing was stored
│   ├── BranchMoved     the branch has changed since the work on it began
│   ├── ContextTooLong  the model does not accept that many tokens: send fewer
│   └── ImagesRefused   the model does not accept images, or not these: send none
└── SetupError          the operator must act: the start stops, or the message names the setting
    └── RowRefused      the request log at Supabase does not accept this one row

An adapter may have subclasses of its own; outside it, each counts as the class here that is above
it.

`message` says what happened, `next_step` what to do about it. Both may be shown in public: they
never hold a secret, a URL that carries one, or file contents.
"""

from __future__ import annotations


class TinyGenError(Exception):
    """`str()` gives the message and the next step on one line."""

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


class NeedsConsent(AskerError):
    pass


class LimitReached(AskerError):
    """`retry_in_s` is the time until the limit is free again; None if unknown."""

    def __init__(self, message: str, *, next_step: str, retry_in_s: float | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.retry_in_s = retry_in_s


class Unworkable(AskerError):
    pass


class Conflict(Unworkable):
    """`details` are the lines that conflict, as git marks them; "" if they cannot be shown."""

    def __init__(self, message: str, *, next_step: str, details: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.details = details


class OutsideError(TinyGenError):
    """`retry_in_s` is the wait that the server asked for, or None. `step` is the number of the
    durable step that failed with it."""

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
    """The asker cancelled the job. This is no failure: the job ends as cancelled."""
