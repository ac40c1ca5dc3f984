"""The App's registration, its webhook's configuration and deliveries, as GitHub has them on record.

https://docs.github.com/en/rest/apps/webhooks
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from bot.adapters.github.auth import AppClient
from bot.adapters.github.client import ApiRequest, parse_link_param, parse_response
from bot.adapters.github.schemas import PAGE_ITEMS, HookConfig, Id, Name
from bot.types import DeliveryAttempt

_DELIVERIES = "/app/hook/deliveries"
_MAX_PAGES = 20


@dataclass(frozen=True, slots=True)
class AppRegistration:
    """`installations` is their number; None if this server does not tell it. `page_url` is its page
    on GitHub; "" if the server does not say."""

    slug: str
    name: str
    page_url: str
    permissions: dict[str, str]
    events: tuple[str, ...]
    installations: int | None


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """Where GitHub sends the App's deliveries. `checks_tls`: whether it checks the certificate
    there."""

    url: str
    content_type: str
    checks_tls: bool


def fetch_registration(app: AppClient) -> AppRegistration:
    found = app.fetch_app()
    return AppRegistration(
        found.slug,
        found.name,
        found.html_url,
        found.permissions,
        tuple(found.events),
        found.installations_count,
    )


def fetch_webhook_config(app: AppClient) -> WebhookConfig:
    purpose = "read where GitHub sends the App's deliveries"
    config = app.api.read(HookConfig, ApiRequest("GET", "/app/hook/config", purpose))
    return WebhookConfig(config.url, config.content_type, str(config.insecure_ssl) == "0")


class _Delivery(BaseModel):
    id: Id
    guid: Name
    event: Name
    action: Name | None = None
    status_code: Annotated[int, Field(ge=0, le=999)]
    delivered_at: AwareDatetime

    def attempt(self) -> DeliveryAttempt:
        return DeliveryAttempt(
            self.id,
            self.guid,
            self.event,
            self.action,
            self.status_code,
            self.delivered_at.isoformat(),
        )


class _DeliveryPage(RootModel[Annotated[list[_Delivery], Field(max_length=PAGE_ITEMS)]]):
    pass


class Deliveries:
    """Implements `bot.ports.Deliveries`."""

    def __init__(self, app: AppClient) -> None:
        self._api = app.api

    def recent(self, since: datetime) -> tuple[DeliveryAttempt, ...]:
        """The attempts made since then, newest first; only the newest 2,000."""
        attempts: list[DeliveryAttempt] = []
        params: dict[str, str | int] = {"per_page": PAGE_ITEMS}
        for _ in range(_MAX_PAGES):
            request = ApiRequest("GET", _DELIVERIES, "list the App's deliveries", params=params)
            response = self._api.send(request)
            page = parse_response(_DeliveryPage, request, response).root
            attempts += [delivery.attempt() for delivery in page if delivery.delivered_at >= since]
            cursor = parse_link_param(response, "next", "cursor")
            if cursor is None or not page or page[-1].delivered_at < since:
                break
            params["cursor"] = cursor
        return tuple(attempts)

    def redeliver(self, attempt_id: int) -> None:
        """Has GitHub send it again, under the same delivery id."""
        path = f"{_DELIVERIES}/{attempt_id}/attempts"
        self._api.send(ApiRequest("POST", path, "have a delivery sent again"))
