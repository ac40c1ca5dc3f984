"""The App as GitHub knows it, and by what right TinyGen reaches a repository: an installation, a
token, or none.

The App's own deliveries, as GitHub remembers them. https://docs.github.com/en/rest/apps/webhooks
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from bot.adapters.github.auth import (
    AppKey,
    FixedToken,
    Grant,
    InstallationToken,
    Permissions,
    Tokens,
)
from bot.adapters.github.calls import Call, Calls, Credentials, Server, checked, link_param
from bot.adapters.github.shapes import (
    PAGE_ITEMS,
    App,
    Hook,
    Id,
    Installation,
    IssueComment,
    Name,
    User,
)
from bot.errors import NotFound
from bot.thread.webhooks import Attempt


@dataclass(frozen=True, slots=True)
class AppFacts:
    """What GitHub has on file for the App. `installations` is None where this server does not
    say."""

    slug: str
    name: str
    permissions: dict[str, str]
    events: tuple[str, ...]
    installations: int | None


@dataclass(frozen=True, slots=True)
class HookFacts:
    """Where GitHub sends the App's deliveries. `checks_tls`: whether it checks the certificate
    there."""

    url: str
    content_type: str
    checks_tls: bool


class AppItself:
    """What can be asked with the App's own key."""

    def __init__(self, server: Server, app_id: str, private_key: str) -> None:
        self.calls = Calls(server, AppKey(server, app_id, private_key))
        self.tokens = Tokens(server, self.calls)
        self._lock = threading.Lock()
        self._identity: App | None = None

    def identity(self) -> App:
        """The App's id and slug, asked once per process: the id in the settings may be its client
        id instead."""
        with self._lock:
            if self._identity is None:
                self._identity = self._read()
            return self._identity

    def facts(self) -> AppFacts:
        app = self._read()
        return AppFacts(
            app.slug, app.name, app.permissions, tuple(app.events), app.installations_count
        )

    def hook(self) -> HookFacts:
        hook = self.calls.read(
            Hook, Call("GET", "/app/hook/config", "read where GitHub sends the App's deliveries")
        )
        return HookFacts(hook.url, hook.content_type, str(hook.insecure_ssl) == "0")

    def installation_id(self, repo: str) -> int | None:
        """The App's installation on the repository, None where there is none."""
        call = Call("GET", f"/repos/{repo}/installation", f"find the App's installation on {repo}")
        try:
            return self.calls.read(Installation, call).id
        except NotFound:
            return None

    def granted(self, installation_id: int) -> dict[str, str]:
        """The permissions that the installation's owner accepted."""
        call = Call(
            "GET",
            f"/app/installations/{installation_id}",
            "read what the App's installation may do",
        )
        return self.calls.read(Installation, call).permissions

    def _read(self) -> App:
        return self.calls.read(App, Call("GET", "/app", "read the App's own registration"))


class Access(Protocol):
    """By what right one repository is reached."""

    def credentials(self, permissions: Permissions) -> Credentials: ...

    def wrote(self, comment: IssueComment) -> bool:
        """Whether the comment is TinyGen's own."""

    def may_write_workflows(self) -> bool: ...


class InstalledAccess:
    """The App's installation on the repository."""

    def __init__(
        self, app: AppItself, repo: str, installation_id: int, repository_id: int | None
    ) -> None:
        self._app = app
        self._repository_id = repository_id
        self._repo = repo
        self._installation_id = installation_id

    def credentials(self, permissions: Permissions) -> Credentials:
        return InstallationToken(
            self._app.tokens,
            Grant(self._installation_id, self._repo, permissions, self._repository_id),
        )

    def wrote(self, comment: IssueComment) -> bool:
        via, author = comment.performed_via_github_app, comment.user
        if via is not None:
            return via.id == self._app.identity().id
        return (
            author is not None
            and author.type == "Bot"
            and author.login == f"{self._app.identity().slug}[bot]"
        )

    def may_write_workflows(self) -> bool:
        return self._app.granted(self._installation_id).get("workflows") == "write"


class TokenAccess:
    """GITHUB_TOKEN, or nobody in particular."""

    def __init__(self, server: Server, token: str | None) -> None:
        self._token = token
        self._calls = Calls(server, FixedToken(token))

    def credentials(self, permissions: Permissions) -> Credentials:  # noqa: ARG002 - a fixed token cannot be narrowed
        return FixedToken(self._token)

    def wrote(self, comment: IssueComment) -> bool:
        if (
            self._token is None
            or comment.user is None
            or comment.performed_via_github_app is not None
        ):
            return False
        owner = self._calls.read(User, Call("GET", "/user", "find out whose GITHUB_TOKEN this is"))
        return comment.user.login == owner.login

    def may_write_workflows(self) -> bool:
        """What a fixed token may do is not to be asked; nothing is risked."""
        return False


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
        self._calls.send(
            Call("POST", f"{_PATH}/{attempt_id}/attempts", "have a delivery sent again")
        )


def _attempt(delivery: _Delivery) -> Attempt:
    return Attempt(
        delivery.id, delivery.guid, delivery.event, delivery.action, delivery.status_code
    )
