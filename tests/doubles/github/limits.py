"""GitHub's primary rate limit: a number of requests an hour for each caller."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.doubles.github.auth import Caller
from tests.doubles.github.refusals import Refused
from tests.doubles.github.state import Json, World

HOUR_S = 3600


@dataclass
class Limits:
    """`per_hour` by kind of caller.
    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api"""

    world: World
    per_hour: dict[str, int] = field(
        default_factory=lambda: {"anonymous": 60, "user": 5000, "installation": 5000, "app": 5000}
    )
    _used: dict[object, tuple[int, int]] = field(default_factory=dict)
    """(requests, end of their hour) by caller."""

    def count(self, caller: Caller) -> None:
        """Counts one more request. Raises 403 if the limit is exceeded."""
        used, reset = self._window(caller)
        if used >= self.per_hour[caller.kind]:
            raise Refused(403, "API rate limit exceeded for this caller.")
        self._used[_who(caller)] = (used + 1, reset)

    def state(self, caller: Caller) -> Json:
        used, reset = self._window(caller)
        limit = self.per_hour[caller.kind]
        return {
            "limit": limit,
            "remaining": limit - used,
            "reset": reset,
            "used": used,
            "resource": "core",
        }

    def headers(self, caller: Caller) -> dict[str, str]:
        return {
            f"X-RateLimit-{name.title()}": str(value) for name, value in self.state(caller).items()
        }

    def _window(self, caller: Caller) -> tuple[int, int]:
        now = int(self.world.clock())
        used, reset = self._used.get(_who(caller), (0, 0))
        return (used, reset) if reset > now else (0, now + HOUR_S)


def _who(caller: Caller) -> object:
    """An installation's tokens share one limit, as do a person's."""
    if caller.token is None:
        return caller.app
    return caller.token.installation or caller.token.user
