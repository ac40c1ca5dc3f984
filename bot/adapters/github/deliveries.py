"""The App's own deliveries, as GitHub remembers them. https://docs.github.com/en/rest/apps/webhooks"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from bot.adapters.github.calls import Call, Calls, checked, link_param
from bot.adapters.github.shapes import PAGE_ITEMS, Id, Name
from bot.core.missed import Attempt

_PATH = "/app/hook/deliveries"
_MAX_PAGES = 20


class _Delivery(BaseModel):
    id: Id
    guid: Name
    event: Name
    action: Name | None = None
    status_code: Annotated[int, Field(ge=0, le=999)]
    delivered_at: AwareDatetime


class _Page(RootModel[Annotated[list[_Delivery], Field(max_length=PAGE_ITEMS)]]):
    pass


class Deliveries:
    """Implements `bot.ports.Deliveries`, with the App's own key."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def recent(self, since: datetime) -> tuple[Attempt, ...]:
        """The attempts made since then, newest first; of very many, the newest 2,000."""
        attempts: list[Attempt] = []
        params: dict[str, str | int] = {"per_page": 100}
        for _ in range(_MAX_PAGES):
            call = Call("GET", _PATH, "list the App's deliveries", params=params)
            response = self._calls.send(call)
            page = checked(_Page, call, response).root
            attempts += [_attempt(each) for each in page if each.delivered_at >= since]
            cursor = link_param(response, "next", "cursor")
            if cursor is None or not page or page[-1].delivered_at < since:
                break
            params["cursor"] = cursor
        return tuple(attempts)

    def redeliver(self, attempt_id: int) -> None:
        """Has GitHub send it again, under the same delivery id."""
        self._calls.send(Call("POST", f"{_PATH}/{attempt_id}/attempts", "have a delivery sent again"))


def _attempt(delivery: _Delivery) -> Attempt:
    return Attempt(delivery.id, delivery.guid, delivery.event, delivery.action, delivery.status_code)
