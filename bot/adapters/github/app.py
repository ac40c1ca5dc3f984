"""The App's registration, its webhook's configuration and deliveries, as GitHub has them on record.

https://docs.github.com/en/rest/apps/webhooks
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from bot.adapters.github.auth import AppClient
from bot.adapters.github.client import ApiRequest, parse_link_param, parse_response
from bot.adapters.github.schemas import (
    PAGE_ITEMS,
    HookConfig,
    Id,
    InstallationPage,
    Name,
    RepositoryCount,
)
from bot.types import DeliveryAttempt
from bot.types.github import AppRegistration, InstallationFacts, WebhookConfig

_DELIVERIES = "/app/hook/deliveries"
_MAX_PAGES = 20


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


def fetch_installations(app: AppClient, *, limit: int) -> tuple[InstallationFacts, ...]:
    """The first `limit` installations, 100 at most. Each costs a token that may read no more than
    names.

    https://docs.github.com/en/rest/apps/installations#list-repositories-accessible-to-the-app-installation
    """
    purpose = "list the App's installations"
    request = ApiRequest("GET", "/app/installations", purpose, params={"per_page": limit})
    found = []
    for each in app.api.read(InstallationPage, request).root:
        count = None if each.suspended_at else _count_repositories(app, each.id)
        found.append(InstallationFacts(each.html_url, count))
    return tuple(found)


def _count_repositories(app: AppClient, installation_id: int) -> int:
    request = ApiRequest(
        "GET",
        "/installation/repositories",
        "count an installation's repositories",
        params={"per_page": 1},
    )
    return app.open_installation(installation_id).read(RepositoryCount, request).total_count


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
