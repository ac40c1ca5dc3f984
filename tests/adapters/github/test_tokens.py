"""Installation tokens: for one repository, for the least, once for all, and never longer than they
hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bot.adapters.github import GitHubApp
from bot.errors import BadRequest, NotFound, OutsideError, SetupError
from tests.adapters.github.conftest import Stage
from tests.doubles.github import GitHubDouble, faults

MINT = r"/app/installations/\d+/access_tokens"


def test_a_token_is_for_one_repository_and_the_least_permission(stage: Stage) -> None:
    here = stage.here()
    here.thread(1)
    here.remote()
    talk, read = stage.sent("POST", MINT)
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


def test_the_remote_names_the_repository_and_hides_its_token(stage: Stage) -> None:
    remote = stage.here().remote()
    assert remote.url == f"{stage.double.url}/octocat/hello.git"
    assert remote.token is not None
    assert stage.double.world.tokens[remote.token].permissions == {
        "contents": "read",
        "metadata": "read",
    }
    assert remote.token not in repr(remote)


def test_a_token_serves_until_it_ends(stage: Stage) -> None:
    github = stage.github()
    for _ in range(3):
        github.connect("octocat/hello", stage.installation.id).thread(1)
    assert stage.count("POST", MINT) == 1


def test_a_token_is_renewed_some_minutes_before_it_ends(stage: Stage) -> None:
    here = stage.here()
    here.thread(1)
    stage.clock.ahead_s = 49 * 60
    here.thread(1)
    assert stage.count("POST", MINT) == 1
    stage.clock.ahead_s = 51 * 60
    here.thread(1)
    assert stage.count("POST", MINT) == 2


def test_many_threads_that_need_a_token_get_one(stage: Stage) -> None:
    here, together = stage.here(), Barrier(8)

    def read(_: int) -> str:
        together.wait()
        return here.thread(1).title

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(read, range(8))) == {"It is broken"}
    assert stage.count("POST", MINT) == 1


def test_a_token_that_github_refuses_is_replaced_once_for_all_threads(stage: Stage) -> None:
    here, together = stage.here(), Barrier(8)
    here.thread(1)
    stage.double.revoke_tokens()

    def read(_: int) -> str:
        together.wait()
        return here.thread(1).title

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(read, range(8))) == {"It is broken"}
    assert stage.count("POST", MINT) == 2


def test_a_new_token_that_not_all_of_github_knows_yet_is_tried_again(stage: Stage) -> None:
    stage.double.faults.add(faults.unauthorized(), method="GET", path="/issues/1$", times=3)
    assert stage.here().thread(1).number == 1
    assert stage.count("POST", MINT) == 2
    assert stage.pauses == [1, 2]


def test_a_new_token_that_stays_refused_is_githubs_fault(stage: Stage) -> None:
    stage.double.faults.add(faults.unauthorized(), method="GET", path="/issues/1$", times=9)
    with pytest.raises(OutsideError, match=r"401 \(Bad credentials\)"):
        stage.here().thread(1)
    assert stage.count("POST", MINT) == 2


def test_a_fixed_token_that_is_refused_is_the_operators(stage: Stage) -> None:
    here = stage.github(app_id=None, token="ghp_wrong").connect("octocat/hello", None)
    with pytest.raises(SetupError, match=r"401 \(Bad credentials\)"):
        here.thread(1)
    assert stage.count("GET", ".*/issues/1") == 1


def test_minting_is_tried_again_where_github_fails(stage: Stage) -> None:
    stage.double.faults.add(faults.bad_gateway(), method="POST", path="access_tokens")
    assert stage.here().thread(1).number == 1
    assert stage.pauses == [1]


def test_without_a_known_installation_the_apps_own_is_found(stage: Stage) -> None:
    assert stage.github().connect("octocat/hello", None).thread(1).title == "It is broken"
    assert stage.double.requests[-1].caller == "installation"


def test_where_the_app_is_not_installed_the_token_serves(stage: Stage) -> None:
    stage.double.add_repository("mona/notes", files={"a": b"a"}, private=True)
    token = stage.double.add_token("mona")
    here = stage.github(token=token).connect("mona/notes", None)
    assert here.resolve(None)[0] == "main"
    assert here.remote().token == token
    assert not here.may_write_workflows()


def test_without_anything_public_repositories_are_read_anonymously(stage: Stage) -> None:
    here = stage.github(app_id=None, private_key=None).connect("octocat/hello", None)
    assert here.resolve(None)[0] == "main"
    assert here.remote().token is None
    assert {request.caller for request in stage.double.requests} == {"anonymous"}


def test_a_private_repository_is_not_found_by_who_may_not_see_it(stage: Stage) -> None:
    stage.double.add_repository("mona/notes", files={"a": b"a"}, private=True)
    with pytest.raises(NotFound, match="read mona/notes: GitHub answered 404") as caught:
        stage.github().connect("mona/notes", None).resolve(None)
    assert "App is installed" in caught.value.next_step


@pytest.mark.parametrize(
    "name", ["hello", "a/b/c", "../x", "a/..", "./a", "a b/c", "a/b?c", "", "a/b\n"]
)
def test_what_names_no_repository_is_refused_before_github_is_asked(
    stage: Stage, name: str
) -> None:
    with pytest.raises(BadRequest, match="names no repository"):
        stage.github().connect(name, None)
    assert stage.double.requests == []


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    ).decode()


def public_pem(private: str) -> str:
    key = serialization.load_pem_private_key(private.encode(), password=None).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def test_a_key_that_is_none_is_named_and_not_shown(stage: Stage) -> None:
    assert stage.app.private_key is not None
    encrypted = serialization.load_pem_private_key(
        stage.app.private_key.encode(), password=None
    ).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    )
    elliptic = pem(ec.generate_private_key(ec.SECP256R1()))
    for key in ("not a key", public_pem(stage.app.private_key), elliptic, encrypted.decode()):
        with pytest.raises(SetupError, match="GITHUB_PRIVATE_KEY is no RSA private key") as caught:
            stage.github(private_key=key).fetch_registration()
        assert key.strip().splitlines()[-1] not in str(caught.value)


def test_another_apps_key_is_refused_by_github(stage: Stage) -> None:
    other = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    with pytest.raises(SetupError, match="401") as caught:
        stage.here(private_key=other).thread(1)
    assert "GITHUB_PRIVATE_KEY" in caught.value.next_step


def test_two_servers_in_one_process_do_not_share_a_signature(stage: Stage, tmp_path: Path) -> None:
    key = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    with GitHubDouble(tmp_path / "other") as other:
        other.add_app(app_id=stage.app.id, slug="other", key=key)
        here, there = (
            stage.github(),
            stage.github(private_key=key, api_url=other.api_url, server_url=other.url),
        )
        assert (here.fetch_registration().slug, there.fetch_registration().slug) == (
            "tinygen",
            "other",
        )


def test_an_unknown_app_id_is_no_missing_repository(stage: Stage) -> None:
    with pytest.raises(SetupError, match="Integration not found"):
        stage.github(app_id="999").connect("octocat/hello", None)


def test_the_client_id_serves_as_the_apps_id(stage: Stage) -> None:
    here = stage.here(app_id=stage.app.client_id)
    here.post_comment(1, "<!-- m:1 -->", marker="<!-- m:1 ")
    assert here.comments(1)[0].by_this_app


def test_a_missing_installation_says_install(stage: Stage) -> None:
    with pytest.raises(
        SetupError, match="get a token for octocat/hello: GitHub answered 404"
    ) as caught:
        stage.github().connect("octocat/hello", 424242).thread(1)
    assert "Install the App" in caught.value.next_step


def test_a_suspended_installation_says_so(stage: Stage) -> None:
    stage.installation.suspended = True
    with pytest.raises(SetupError, match="suspended"):
        stage.here().thread(1)


def test_a_permission_that_was_not_accepted_says_so(stage: Stage) -> None:
    del stage.installation.permissions["issues"]
    with pytest.raises(SetupError, match="permissions requested are not granted") as caught:
        stage.here().thread(1)
    assert "accept" in caught.value.next_step


def test_a_token_with_a_line_end_is_the_operators(stage: Stage) -> None:
    for token in ("ghp_1\n", "ghp_“1”"):
        with pytest.raises(SetupError, match="GITHUB_TOKEN") as caught:
            stage.github(app_id=None, token=token).connect("octocat/hello", None).resolve(None)
        assert token not in str(caught.value)


def test_the_doctor_learns_what_github_has_on_file(stage: Stage) -> None:
    stage.app.webhook_url = "https://bot.example/webhook"
    github = stage.github()
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


def test_the_doctor_is_told_where_no_app_is_configured(stage: Stage) -> None:
    for settings in ({"app_id": None}, {"private_key": None}):
        github: GitHubApp = stage.github(**settings)
        with pytest.raises(SetupError, match="No GitHub App is configured"):
            github.fetch_registration()
