"""A repository of the double with an installed App, and HTTP clients for it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.doubles.github import GitHubDouble, Repository
from tests.doubles.github.state import App, Installation, Json

REPO = "/repos/octocat/hello"
COMMENTS = f"{REPO}/issues/1/comments"


class Client:
    """An HTTP client that sends one credential with each request."""

    def __init__(self, http: httpx.Client, credential: str = "") -> None:
        self.http, self.credential = http, credential
        self.headers = {"Authorization": f"Bearer {credential}"} if credential else {}

    def __call__(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> httpx.Response:
        return self.http.request(method, path, json=body, headers=self.headers | headers)


@pytest.fixture
def http(github: GitHubDouble) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=github.api_url, verify=False) as client:
        yield client


@pytest.fixture
def app(github: GitHubDouble) -> App:
    return github.add_app()


@pytest.fixture
def repo(github: GitHubDouble) -> Repository:
    files = {"a.py": b"print(1)\n", "src/b.py": b"x\n", "src/deep/c.py": b"y\n"}
    repo = github.add_repository(
        "octocat/hello", files=files, private=True, permissions={"mona": "maintain"}
    )
    repo.open_issue("mona", "Broken", "It is.")
    return repo


@pytest.fixture
def installation(github: GitHubDouble, app: App, repo: Repository) -> Installation:
    return github.install(app, "octocat")


@pytest.fixture
def bot(github: GitHubDouble, http: httpx.Client, app: App, installation: Installation) -> Client:
    return Client(http, mint(github, http, installation)["token"])


def sign_jwt(github: GitHubDouble, app: App, **claims: object) -> str:
    now = int(github.world.clock())
    whole = {"iss": str(app.id), "iat": now - 60, "exp": now + 540, **claims}
    return jwt.encode(whole, _loaded(app.private_key or ""), "RS256")


@cache
def _loaded(pem: str) -> RSAPrivateKey:
    """Reading a key takes longer than most tests."""
    key = load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return key


def mint(
    github: GitHubDouble, http: httpx.Client, installation: Installation, **narrowed: object
) -> Json:
    client = Client(http, sign_jwt(github, installation.app))
    answer: Json = client(
        "POST", f"/app/installations/{installation.id}/access_tokens", narrowed
    ).json()
    return answer
