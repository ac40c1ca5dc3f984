"""The double of GitHub: a server on loopback, and methods that act as people do on GitHub."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.doubles.github import apps, rest
from tests.doubles.github.auth import identify
from tests.doubles.github.faults import Fault, Faults
from tests.doubles.github.git import Bare
from tests.doubles.github.http_git import answer_git
from tests.doubles.github.limits import Limits
from tests.doubles.github.refusals import Refused
from tests.doubles.github.repository import Repository
from tests.doubles.github.sign_in import answer_sign_in
from tests.doubles.github.site import answer_page
from tests.doubles.github.state import App, Installation, Json, Role, Token, User, World
from tests.doubles.github.webhooks import Delivery, Post, payload
from tests.doubles.server import Dropped, Request, Response, Server

API = "/api/v3"
"""As on GitHub Enterprise Server, so that no path of the REST API is a path of git too."""

GRAPHQL = "/api/graphql"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request that came in. `status` None: the connection was dropped. `caller`: app,
    installation, user, anonymous, or refused where the credentials were."""

    method: str
    path: str
    status: int | None
    caller: str
    body: bytes
    fault: Fault | None


class Journal(list[Recorded]):
    def of(self, method: str, path: str) -> list[Recorded]:
        """Those of that method whose path (without `/api/v3`) the whole regex matches."""
        return [each for each in self if each.method == method and re.fullmatch(path, each.path)]


class GitHubDouble:
    """GitHub as far as TinyGen can tell, on repositories in `root`, from `with` to its end.

    `url` is the server (GITHUB_SERVER_URL), `api_url` the REST API (GITHUB_API_URL). An exception in the
    double is raised at the end of the `with`.
    """

    def __init__(
        self, root: Path, *, clock: Callable[[], float] = time.time, port: int = 0
    ) -> None:
        self.root = root
        self.faults = Faults()
        self.requests = Journal()
        self._server = Server(self._answer, port=port)
        self._clock = clock

    def __enter__(self) -> Self:
        self._server.start()
        url = self._server.url
        self.world = World(url, url + API, self._clock)
        self.limits = Limits(self.world)
        self.post = Post(self.world)
        self.world.emit = self.post.emit
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.stop()
        self.post.close()
        for repo in self.world.repositories.values():
            repo.git.close()
        if error is None and self._server.failures:
            raise self._server.failures[0]

    @property
    def url(self) -> str:
        return self.world.url

    @property
    def api_url(self) -> str:
        return self.world.api_url

    @property
    def deliveries(self) -> list[Delivery]:
        """All attempts so far, oldest first."""
        return self.post.deliveries

    def add_user(self, login: str) -> User:
        return self.world.user(login)

    def add_organization(self, login: str) -> User:
        organization = self.world.user(login)
        organization.type = "Organization"
        return organization

    def add_app(
        self,
        *,
        app_id: int = 12345,
        slug: str = "tinygen",
        key: str | None = None,
        permissions: Mapping[str, str] | None = None,
        events: Iterable[str] = apps.DEFAULT_EVENTS,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
    ) -> App:
        """`key` is a PEM, private or public; without one a pair is made and `app.private_key` holds
        it."""
        settings: Json = {"default_permissions": permissions, "default_events": list(events)}
        settings |= {"hook_attributes": {"url": webhook_url}, "webhook_secret": webhook_secret}
        return apps.register(self.world, app_id, slug, key or apps.make_key(), settings)

    def add_repository(
        self,
        full_name: str,
        *,
        files: Mapping[str, bytes] | None = None,
        path: Path | None = None,
        private: bool = False,
        default_branch: str = "main",
        permissions: Mapping[str, Role] | None = None,
    ) -> Repository:
        """A repository with one commit of `files`; empty without them; or the bare one at `path`,
        as it is and in place. The owner is made if need be."""
        owner, _, name = full_name.partition("/")
        number = next(self.world.ids)
        git = Bare(path or self.root / f"{number}.git")
        if path is None:
            git.create(default_branch)
        if files:
            git.commit(files, branch=default_branch, message="Begin")
        account, now = self.world.user(owner), self.world.now()
        repo = Repository(self.world, number, account, name, git, private, default_branch, now)
        for login, role in (permissions or {}).items():
            repo.permissions[self.world.user(login).login] = role
        self.world.repositories[number] = self.world.names[full_name.lower()] = repo
        return repo

    def fork(self, repo: Repository, login: str) -> Repository:
        """`login`'s fork, with all that the repository holds now."""
        forked = self.add_repository(
            f"{login}/{repo.name}", private=repo.private, default_branch=repo.default_branch
        )
        forked.git.run("fetch", "--quiet", str(repo.git.path), "refs/heads/*:refs/heads/*")
        forked.parent = repo
        return forked

    def install(
        self,
        app: App,
        login: str,
        *,
        repositories: Iterable[Repository] | None = None,
        permissions: Mapping[str, str] | None = None,
    ) -> Installation:
        """Installs the App on `repositories` (None: all of the account's) with `permissions` (None:
        all that the App asks for)."""
        granted = dict(app.permissions if permissions is None else permissions)
        chosen = None if repositories is None else list(repositories)
        number, account = next(self.world.ids), self.world.user(login)
        installation = Installation(number, app, account, granted, chosen, self.world.now())
        self.world.installations[installation.id] = installation
        return installation

    def add_token(self, login: str) -> str:
        """A person's own token, for GITHUB_TOKEN."""
        token = Token(self.world.mint("ghp_"), user=self.world.user(login))
        self.world.tokens[token.value] = token
        return token.value

    def uninstall(self, installation: Installation) -> None:
        """Its tokens are refused from now on."""
        del self.world.installations[installation.id]

    def revoke_tokens(self) -> None:
        """Every token that was created so far is refused from now on."""
        for token in list(self.world.tokens.values()):
            token.revoked = True

    def deliver(
        self,
        event: str,
        part: Json,
        *,
        installation: Installation | None = None,
        delivery_id: str | None = None,
    ) -> Delivery:
        """Sends `part`, with the installation and its account as sender added where they are not in
        it."""
        chosen = installation or next(iter(self.world.installations.values()))
        whole = {**payload(self.world, chosen, chosen.account, {}), **part}
        return self.post.deliver(chosen.app, event, whole, guid=delivery_id)

    def redeliver(self, delivery_id: str) -> Delivery:
        """The delivery of that GUID once more."""
        return self.post.redeliver(
            next(each for each in self.deliveries if each.guid == delivery_id)
        )

    def settle(self) -> None:
        """Returns when every delivery so far was answered or has failed."""
        self.post.settle()

    def _answer(self, request: Request) -> Response:
        is_rest = request.path.startswith(f"{API}/") or request.path == GRAPHQL
        path = "/graphql" if request.path == GRAPHQL else request.path.removeprefix(API)
        asked = replace(request, path=path) if is_rest else request
        fault = self.faults.meet(asked)
        if fault and fault.delay_s:
            self._server.stopping.wait(fault.delay_s)
        response = self._act(asked, is_rest) if fault is None or fault.acts else None
        if fault and not fault.is_true:
            response = fault.answer
        status = response.status if response else None
        self.requests.append(
            Recorded(asked.method, asked.path, status, self._kind(asked), asked.body, fault)
        )
        if response is None:
            raise Dropped
        return response

    def _act(self, request: Request, is_rest: bool) -> Response:
        if not is_rest:
            return (
                answer_page(self.world, request)
                or answer_sign_in(self.world, request)
                or answer_git(self.world, request)
            )
        with self.post.in_background():
            return rest.answer(self.world, self.post, self.limits, request)

    def _kind(self, request: Request) -> str:
        try:
            return identify(self.world, request.headers).kind
        except Refused:
            return "refused"
