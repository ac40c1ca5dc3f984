"""Installation tokens: made for one repository with the least permissions, once for all threads,
and renewed before they expire."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bot.adapters.github import GitHubApp
from bot.errors import BadRequest, NotFound, OutsideError, SetupError
from tests.adapters.github.conftest import InstalledApp
from tests.doubles.github import GitHubDouble, faults
from tests.doubles.github.apps import public_part

MINT = r"/app/installations/\d+/access_tokens"


def test_a_token_is_for_one_repository_and_the_least_permission(installed: InstalledApp) -> None:
    repository = installed.connect()
    repository.thread(1)
    repository.remote()
    talk, read = installed.sent("POST", MINT)
    assert talk == {
        "repositories": ["hello"],
        "permissions": {
            "contents": "read",
            "issues": "write",
            "metadata": "read",
            "pull_requests": "write",
        },
    }
    assert read == {"repositories": ["hello"], "permissions": {"contents": "read"}}


def test_the_remote_names_the_repository_and_hides_its_token(installed: InstalledApp) -> None:
    remote = installed.connect().remote()
    assert remote.url == f"{installed.double.url}/octocat/hello.git"
    assert remote.token is not None
    assert installed.double.world.tokens[remote.token].permissions == {
        "contents": "read",
        "metadata": "read",
    }
    assert remote.token not in repr(remote)


def test_a_token_serves_until_it_ends(installed: InstalledApp) -> None:
    github = installed.adapter()
    for _ in range(3):
        github.connect("octocat/hello", installed.installation.id).thread(1)
    assert installed.count("POST", MINT) == 1


def test_a_token_is_renewed_some_minutes_before_it_ends(installed: InstalledApp) -> None:
    repository = installed.connect()
    repository.thread(1)
    installed.clock.ahead_s = 49 * 60
    repository.thread(1)
    assert installed.count("POST", MINT) == 1
    installed.clock.ahead_s = 51 * 60
    repository.thread(1)
    assert installed.count("POST", MINT) == 2


def test_many_threads_that_need_a_token_get_one(installed: InstalledApp) -> None:
    repository, together = installed.connect(), Barrier(8)

    def read(_: int) -> str:
        together.wait()
        return repository.thread(1).title

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(read, range(8))) == {"It is broken"}
    assert installed.count("POST", MINT) == 1


def test_a_token_that_github_refuses_is_replaced_once_for_all_threads(
    installed: InstalledApp,
) -> None:
    repository, together = installed.connect(), Barrier(8)
    repository.thread(1)
    installed.double.revoke_tokens()

    def read(_: int) -> str:
        together.wait()
        return repository.thread(1).title

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(read, range(8))) == {"It is broken"}
    assert installed.count("POST", MINT) == 2


def test_a_new_token_that_not_all_of_github_knows_yet_is_tried_again(
    installed: InstalledApp,
) -> None:
    installed.double.faults.add(faults.unauthorized(), method="GET", path="/issues/1$", times=3)
    assert installed.connect().thread(1).title == "It is broken"
    assert installed.count("POST", MINT) == 2
    assert installed.pauses == [1, 2]


def test_a_new_token_that_stays_refused_is_githubs_fault(installed: InstalledApp) -> None:
    installed.double.faults.add(faults.unauthorized(), method="GET", path="/issues/1$", times=9)
    with pytest.raises(OutsideError, match=r"401 \(Bad credentials\)"):
        installed.connect().thread(1)
    assert installed.count("POST", MINT) == 2


def test_a_fixed_token_that_is_refused_is_the_operators(installed: InstalledApp) -> None:
    repository = installed.adapter(app_id=None, token="ghp_wrong").connect("octocat/hello", None)
    with pytest.raises(SetupError, match=r"401 \(Bad credentials\)"):
        repository.thread(1)
    assert installed.count("GET", ".*/issues/1") == 1


def test_minting_is_tried_again_where_github_fails(installed: InstalledApp) -> None:
    installed.double.faults.add(faults.bad_gateway(), method="POST", path="access_tokens")
    assert installed.connect().thread(1).title == "It is broken"
    assert installed.pauses == [1]


def test_without_a_known_installation_the_apps_own_is_found(installed: InstalledApp) -> None:
    assert installed.adapter().connect("octocat/hello", None).thread(1).title == "It is broken"
    assert installed.double.requests[-1].caller == "installation"


def test_where_the_app_is_not_installed_the_token_serves(installed: InstalledApp) -> None:
    installed.double.add_repository("mona/notes", files={"a": b"a"}, private=True)
    token = installed.double.add_token("mona")
    repository = installed.adapter(token=token).connect("mona/notes", None)
    assert repository.resolve(None)[0] == "main"
    assert repository.remote().token == token
    assert not repository.may_write_workflows()


def test_without_anything_public_repositories_are_read_anonymously(installed: InstalledApp) -> None:
    repository = installed.adapter(app_id=None, private_key=None).connect("octocat/hello", None)
    assert repository.resolve(None)[0] == "main"
    assert repository.remote().token is None
    assert {request.caller for request in installed.double.requests} == {"anonymous"}


def test_a_private_repository_is_not_found_by_who_may_not_see_it(installed: InstalledApp) -> None:
    installed.double.add_repository("mona/notes", files={"a": b"a"}, private=True)
    with pytest.raises(NotFound, match="read mona/notes: GitHub answered 404") as caught:
        installed.adapter().connect("mona/notes", None).resolve(None)
    assert "App is installed" in caught.value.next_step


@pytest.mark.parametrize(
    "name", ["hello", "a/b/c", "../x", "a/..", "./a", "a b/c", "a/b?c", "", "a/b\n"]
)
def test_what_names_no_repository_is_refused_before_github_is_asked(
    installed: InstalledApp, name: str
) -> None:
    with pytest.raises(BadRequest, match="names no repository"):
        installed.adapter().connect(name, None)
    assert installed.double.requests == []


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    ).decode()


def test_a_key_that_is_none_is_named_and_not_shown(installed: InstalledApp) -> None:
    assert installed.app.private_key is not None
    encrypted = serialization.load_pem_private_key(
        installed.app.private_key.encode(), password=None
    ).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    )
    elliptic = pem(ec.generate_private_key(ec.SECP256R1()))
    for key in ("not a key", public_part(installed.app.private_key), elliptic, encrypted.decode()):
        with pytest.raises(SetupError, match="GITHUB_PRIVATE_KEY is no RSA private key") as caught:
            installed.adapter(private_key=key).fetch_registration()
        assert key.strip().splitlines()[-1] not in str(caught.value)


def test_another_apps_key_is_refused_by_github(installed: InstalledApp) -> None:
    other = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    with pytest.raises(SetupError, match="401") as caught:
        installed.connect(private_key=other).thread(1)
    assert "GITHUB_PRIVATE_KEY" in caught.value.next_step


def test_two_servers_in_one_process_do_not_share_a_signature(
    installed: InstalledApp, tmp_path: Path
) -> None:
    key = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    with GitHubDouble(tmp_path / "other") as other:
        other.add_app(app_id=installed.app.id, slug="other", key=key)
        ours, theirs = (
            installed.adapter(),
            installed.adapter(private_key=key, api_url=other.api_url, server_url=other.url),
        )
        assert (ours.fetch_registration().slug, theirs.fetch_registration().slug) == (
            "tinygen",
            "other",
        )


def test_an_unknown_app_id_is_no_missing_repository(installed: InstalledApp) -> None:
    with pytest.raises(SetupError, match="Integration not found"):
        installed.adapter(app_id="999").connect("octocat/hello", None)


def test_the_client_id_serves_as_the_apps_id(installed: InstalledApp) -> None:
    repository = installed.connect(app_id=installed.app.client_id)
    repository.post_comment(1, "<!-- m:1 -->", marker="<!-- m:1 ")
    assert repository.comments(1)[0].by_this_app


def test_a_missing_installation_says_install(installed: InstalledApp) -> None:
    with pytest.raises(
        SetupError, match="get a token for octocat/hello: GitHub answered 404"
    ) as caught:
        installed.adapter().connect("octocat/hello", 424242).thread(1)
    assert "Install the App" in caught.value.next_step


def test_a_suspended_installation_says_so(installed: InstalledApp) -> None:
    installed.installation.suspended = True
    with pytest.raises(SetupError, match="suspended"):
        installed.connect().thread(1)


def test_a_permission_that_was_not_accepted_says_so(installed: InstalledApp) -> None:
    del installed.installation.permissions["issues"]
    with pytest.raises(SetupError, match="permissions requested are not granted") as caught:
        installed.connect().thread(1)
    assert "accept" in caught.value.next_step


def test_a_token_with_a_line_end_is_the_operators(installed: InstalledApp) -> None:
    for token in ("ghp_1\n", "ghp_“1”"):
        with pytest.raises(SetupError, match="GITHUB_TOKEN") as caught:
            installed.adapter(app_id=None, token=token).connect("octocat/hello", None).resolve(None)
        assert token not in str(caught.value)


def test_the_doctor_learns_what_github_has_on_file(installed: InstalledApp) -> None:
    installed.app.webhook_url = "https://bot.example/webhook"
    github = installed.adapter()
    facts, hook = github.fetch_registration(), github.fetch_webhook_config()
    assert (facts.slug, facts.installations) == ("tinygen", 1)
    assert facts.permissions["workflows"] == "write"
    assert facts.events == ("issue_comment", "pull_request_review_comment")
    assert (hook.url, hook.content_type, hook.checks_tls) == (
        "https://bot.example/webhook",
        "json",
        True,
    )
    assert abs(github.clock_skew_s()) < 5


def test_the_doctor_is_told_where_no_app_is_configured(installed: InstalledApp) -> None:
    for settings in ({"app_id": None}, {"private_key": None}):
        github: GitHubApp = installed.adapter(**settings)
        with pytest.raises(SetupError, match="No GitHub App is configured"):
            github.fetch_registration()
