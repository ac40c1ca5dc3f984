"""`/setup` in the browser, from its link to the restart: all its ways, who is kept out, and what is
never written, overwritten or shown."""

from __future__ import annotations

import base64
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.config import load_config
from bot.types.setup import APP_SETTINGS, Owner
from bot.web.setup.flow import Finished
from bot.web.setup.guard import COOKIE
from bot.web.setup.inputs import api_url_of, owner_settings
from tests.cli.setup_site import LOCAL, TOKEN, SetupSite, confirm, manifest_form
from tests.doubles.github import GitHubDouble
from tests.doubles.model import ModelDouble
from tests.doubles.server import Response, Server, free_port

BOT = "https://bot.example.com"
MakeSite = Callable[..., SetupSite]


@pytest.fixture
def make(tmp_path: Path, github: GitHubDouble) -> MakeSite:
    def make(before: str = "", **settings: str) -> SetupSite:
        """With the double as the only GitHub, and what `.env` holds before."""
        (tmp_path / ".env").write_text(before)
        at_double = {"GITHUB_SERVER_URL": github.url, "GITHUB_API_URL": github.api_url}
        return SetupSite(tmp_path, {**at_double, **settings})

    return make


@pytest.mark.parametrize("owner", ["person", "organization", "enterprise"])
def test_the_steps_end_with_settings_for_all_that_was_given(
    tmp_path: Path, github: GitHubDouble, owner: str
) -> None:
    at_double = {"GITHUB_SERVER_URL": github.url, "GITHUB_API_URL": github.api_url}
    site = SetupSite(tmp_path, {} if owner == "enterprise" else at_double)
    site.open()
    key = "sk-of-the-test-0123456789"
    with ModelDouble(["ready"]) as model, site.reached() as url:
        assert site.post("address", {"url": f"{url}/webhook"}).status_code == 303
        assert "leads to this TinyGen" in site.get().text
        given = {"api_key": key, "base_url": model.url, "model": "double-1"}
        assert site.post("model", given).status_code == 303
        assert "double-1 answered" in site.get().text
        assert key not in site.get().text
    if owner == "organization":
        site.post("owner", {"organization": "acme", "server_url": "https://else.example.com"})
    elif owner == "enterprise":
        site.post("owner", {"server_url": f"{github.url}/", "api_url": ""})
    page = site.get()
    assert f"form-action 'self' {github.url};" in page.headers["Content-Security-Policy"]
    assert "<script" not in page.text
    assert site.written() == ""
    back = site.come_back(confirm(page.text))
    assert (back.status_code, back.headers["Location"]) == (303, "/setup")

    (app,) = github.world.apps.values()
    prefix = "/organizations/acme" if owner == "organization" else ""
    assert len(github.requests.of("POST", f"{prefix}/settings/apps/new")) == 1
    assert app.webhook_url == f"{url}/webhook"
    config = load_config({}, site.env_file)
    assert (config.github_app_id, config.github_client_id) == (app.id, app.client_id)
    assert config.github_private_key is not None
    assert config.github_private_key.get_secret_value() == app.private_key
    assert (config.openai_base_url, config.openai_model) == (model.url, "double-1")
    assert config.github_api_url == (
        github.api_url if owner == "enterprise" else "https://api.github.com"
    )
    assert len(config.api_keys[0].get_secret_value()) == 64
    assert stat.S_IMODE(site.env_file.stat().st_mode) == 0o600
    (ending,) = site.endings
    assert isinstance(ending, Finished)
    assert ending.install_url == f"{github.url}/apps/tinygen/installations/new"
    last = site.get().text
    assert "TinyGen restarts" in last
    assert not [secret for secret in config.secrets() if secret in last]


def test_an_app_that_exists_is_taken_once_github_knows_its_key(
    make: MakeSite, github: GitHubDouble
) -> None:
    app = github.add_app(webhook_secret="5ecret-of-the-app", webhook_url=f"{BOT}/webhook")
    key = base64.b64encode((app.private_key or "").encode()).decode()
    given = {"app_id": str(app.id), "private_key": key, "webhook_secret": "5ecret-of-the-app"}
    site = make()
    site.open()
    refused = site.post("app", {**given, "app_id": "999"})
    assert refused.status_code == 422
    assert "GITHUB_APP_ID" in refused.text
    assert site.written() == ""
    assert "5ecret" not in refused.text
    assert site.post("app", given).status_code == 303
    config = load_config({}, site.env_file)
    assert config.github_app_id == app.id
    assert config.github_private_key is not None
    assert config.github_private_key.get_secret_value() == app.private_key
    assert config.github_client_id is None
    assert "events: Missing: issues" in site.get().text  # the double's App has fewer
    assert site.post("app", given).status_code == 422
    assert len(site.endings) == 1


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"app_id": "seven"}, "The App id is a number"),
        ({"private_key": "no key"}, "private key is not"),
        ({"webhook_secret": ""}, "webhook secret is empty"),
        ({"webhook_secret": 'a"\nTINYGEN_API_KEYS=b'}, "GITHUB_WEBHOOK_SECRET"),
        ({"webhook_secret": "$(id)"}, "GITHUB_WEBHOOK_SECRET"),
        ({"client_id": "Iv1.a"}, "go together"),
        ({"server_url": "https://a b"}, "no address of a GitHub server"),
    ],
    ids=lambda odd: next(iter(odd)) if isinstance(odd, dict) else "",
)
def test_what_cannot_be_an_app_is_told_and_not_written(
    make: MakeSite, github: GitHubDouble, tmp_path: Path, odd: dict[str, str], words: str
) -> None:
    app = github.add_app()
    given = {"app_id": "1", "private_key": app.private_key or "", "webhook_secret": "5ecret"}
    site = SetupSite(tmp_path, {})
    site.open()
    answer = site.post("app", {**given, "server_url": github.url, **odd})
    assert answer.status_code == 400
    assert words in answer.text
    assert site.written() == ""


@pytest.mark.parametrize(
    ("server", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("https://github.acme.test:8443", "https://github.acme.test:8443/api/v3"),
    ],
)
def test_each_github_server_has_its_api_where_github_says(server: str, api: str) -> None:
    assert api_url_of(server) == api
    is_default = server == "https://github.com"
    assert bool(owner_settings(Owner(server, api))) != is_default


def test_an_answer_of_github_counts_once(make: MakeSite, github: GitHubDouble) -> None:
    site = make()
    site.open()
    site.post("address", {"url": BOT, "relay": "https://smee.io/channel"})
    page = site.get().text
    manifest = manifest_form(page)[1]
    assert manifest["hook_attributes"]["url"] == "https://smee.io/channel"
    assert manifest["redirect_url"] == f"{LOCAL}/setup/created"
    back = confirm(page)
    for forged in (back.replace("state=", "state=x"), back.partition("&state")[0]):
        assert site.come_back(forged).status_code == 400
    assert site.written() == ""
    assert site.come_back(back).status_code == 303
    once = site.written()
    assert site.come_back(back).status_code == 400
    assert site.written() == once
    assert len(github.requests.of("POST", "/app-manifests/.*")) == 1


def test_a_code_that_github_does_not_know_is_told_and_can_be_got_again(
    make: MakeSite, github: GitHubDouble
) -> None:
    site = make()
    site.open()
    site.post("address", {"url": BOT, "relay": "https://smee.io/channel"})
    back = confirm(site.get().text)
    github.world.manifests.clear()
    failed = site.come_back(back)
    assert failed.status_code == 502
    assert "Delete the App" in failed.text
    assert site.come_back(confirm(failed.text)).status_code == 303


@pytest.mark.parametrize(
    ("path", "at", "status"),
    [
        ("/setup", LOCAL, 403),
        ("/setup/created?code=a&state=b", LOCAL, 403),
        ("/setup?token=wrong", LOCAL, 403),
        ("/setup?token=é", LOCAL, 403),
        ("/setup", "http://evil.example.com:8000", 421),
        ("/setup?token=wrong", "http://evil.example.com:8000", 421),
    ],
)
def test_whoever_has_no_token_is_kept_out(make: MakeSite, path: str, at: str, status: int) -> None:
    site = make()
    answer = site.get(path, at)
    assert answer.status_code == status
    assert "output" in answer.text
    assert not answer.headers.getlist("Set-Cookie")


def test_the_token_works_once_in_one_browser(make: MakeSite) -> None:
    site = make()
    assert site.client.head(f"/setup?token={TOKEN}", base_url=LOCAL).status_code == 403
    answer = site.get(f"/setup?token={TOKEN}")
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert {"HttpOnly", "Path=/setup", "SameSite=Lax"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    assert site.get().status_code == 200
    assert site.get(f"/setup?token={TOKEN}").status_code == 303  # its own browser goes on
    site.client = site.app.test_client()
    replayed = site.get(f"/setup?token={TOKEN}")
    assert replayed.status_code == 403
    assert "used already" in replayed.text
    assert site.get().status_code == 403
    site.start_again()
    assert site.get(f"/setup?token={TOKEN}").status_code == 403


def test_a_session_belongs_to_the_host_by_which_the_token_came(make: MakeSite) -> None:
    site = make()
    tunnel = "https://some.trycloudflare.test"
    link = f"/setup?token={TOKEN}"
    cookie = site.get(link, tunnel, **{"X-Forwarded-Proto": "https"}).headers["Set-Cookie"]
    assert "Secure" in cookie.split("; ")
    page = site.get("/setup", tunnel, **{"X-Forwarded-Proto": "https"})
    assert f'value="{tunnel}"' in page.text  # offered as the address
    session = cookie.partition(";")[0].partition("=")[2]
    site.client.set_cookie(COOKIE, session, domain="127.0.0.1", path="/setup")
    assert site.get("/setup", LOCAL).status_code == 421
    assert site.post("owner", {}, LOCAL).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Sec-Fetch-Site": "cross-site"},
        {},
    ],
    ids=lambda headers: next(iter(headers.values()), "no form token"),
)
def test_a_form_of_another_page_is_refused(make: MakeSite, headers: dict[str, str]) -> None:
    site = make()
    site.open()
    form = {"url": BOT} if headers else {"url": BOT, "form_token": "0" * 64}
    assert site.post("address", form, headers=headers).status_code == 403
    assert site.flow.address is None


def test_what_is_set_already_is_told_and_stays(make: MakeSite, github: GitHubDouble) -> None:
    before = "# mine\nOPENAI_MODEL=mine-1\nTINYGEN_API_KEYS=my-own-key-0123456789"
    with ModelDouble(["ready"]) as model:
        site = make(before, OPENAI_API_KEY="sk-of-the-environment", OPENAI_BASE_URL=model.url)
        site.open()
        site.post("model", {"api_key": "sk-other", "base_url": "http://127.0.0.1:9", "model": "x"})
        (asked,) = model.requests
    assert asked.body["model"] == "mine-1"
    page = site.get().text
    for name in ("OPENAI_MODEL", "OPENAI_API_KEY", "TINYGEN_API_KEYS", "GITHUB_SERVER_URL"):
        assert f"<code>{name}</code>" in page
    site.post("address", {"url": BOT, "relay": "https://smee.io/channel"})
    site.come_back(confirm(site.get().text))
    assert site.written().startswith(before)
    added = site.written().removeprefix(before).split("\n")
    assert {line.partition("=")[0] for line in added if line} == set(APP_SETTINGS)
    ending = site.endings[0]
    assert isinstance(ending, Finished)
    assert ending.added == APP_SETTINGS
    assert {"OPENAI_API_KEY", "OPENAI_MODEL", "TINYGEN_API_KEYS"} < set(ending.kept)


def test_a_key_that_is_set_is_sent_to_no_server_that_the_page_names(make: MakeSite) -> None:
    with ModelDouble(["ready"]) as model:
        site = make(OPENAI_API_KEY="sk-of-the-environment")
        site.open()
        answer = site.post("model", {"base_url": model.url, "model": "x"})
        assert not model.requests
    assert "is sent to" in site.get().text + answer.text


def test_keys_that_could_not_be_written_are_written_later(
    make: MakeSite, github: GitHubDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make("# mine\n")
    site.open()
    site.post("address", {"url": BOT, "relay": "https://smee.io/channel"})
    back = confirm(site.get().text)

    def no_space(_file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("os.fsync", no_space)
        assert "No space left" in site.come_back(back).text
    assert site.written() == "# mine\n"
    assert "Write the settings again" in site.get().text
    site.post("write", {})
    assert "GITHUB_PRIVATE_KEY=" in site.written()
    assert isinstance(site.endings[-1], Finished)


def test_an_app_that_came_into_env_meanwhile_is_not_doubled(
    make: MakeSite, github: GitHubDouble
) -> None:
    site = make()
    site.open()
    site.post("address", {"url": BOT, "relay": "https://smee.io/channel"})
    back = confirm(site.get().text)
    site.env_file.write_text("GITHUB_APP_ID=7\n")
    answer = site.come_back(back)
    assert "already sets GITHUB_APP_ID" in answer.text
    assert github.requests.of("POST", "/app-manifests/.*") == []
    assert site.written() == "GITHUB_APP_ID=7\n"


def test_a_model_that_does_not_answer_is_told_without_its_key_and_not_kept(make: MakeSite) -> None:
    key = "sk-wrong-0123456789"

    def refuse(_request: object) -> Response:
        return Response(404, b'{"error": {"message": "Wrong key: %s"}}' % key.encode())

    site = make()
    site.open()
    assert site.post("model", {"base_url": "", "model": ""}).status_code == 303
    assert "OPENAI_API_KEY is not set. Set it here" in site.get().text
    with Server(refuse) as server:
        given = {"api_key": key, "base_url": f"{server.url}/v1", "model": "m"}
        site.post("model", given)
        page = site.get().text
        assert "knows no model m" in page
        assert key not in page
        site.post("model", {**given, "model": key})  # pasted into the wrong field
        assert "knows no model [hidden]" in site.get().text
    site.post("address", {"url": BOT, "relay": "https://smee.io/channel"})
    site.come_back(confirm(site.get().text))
    assert "GITHUB_APP_ID" in site.written()
    assert "OPENAI" not in site.written()


def test_an_address_that_leads_elsewhere_is_told_and_may_be_used_all_the_same(
    make: MakeSite,
) -> None:
    site = make()
    site.open()

    def check(answer: Response) -> str:
        with Server(lambda _request: answer) as server:
            site.post("address", {"url": server.url})
        return site.get().text

    assert "is not this TinyGen (200)" in check(Response(200, b'{"status": "ok", "setup": "x"}'))
    assert "is not this TinyGen (404)" in check(Response(404, b"[" * 50_000))
    assert "nothing behind it (502)" in check(Response(502))
    moved = Response(301, headers={"Location": f"http://127.0.0.1:{free_port()}/"})
    assert "sends callers elsewhere (301)" in check(moved)
    site.post("address", {"url": f"http://127.0.0.1:{free_port()}"})
    page = site.get().text
    assert "refuses the connection" in page
    assert "You may go on all the same" in page
    assert manifest_form(page)
    assert site.post("address", {"url": "bot.example.com"}).status_code == 400


@pytest.mark.parametrize(
    ("step", "field"), [("address", "url"), ("model", "base_url"), ("owner", "server_url")]
)
@pytest.mark.parametrize("odd", ["https://[", "https://a:99999", "https://a\x00b", "javascript:a"])
def test_an_odd_address_is_the_persons_mistake(
    tmp_path: Path, step: str, field: str, odd: str
) -> None:
    site = SetupSite(tmp_path, {})
    site.open()
    assert site.post(step, {field: odd}).status_code == 400
    assert site.get().status_code == 200


@pytest.mark.parametrize("path", ["/webhook", "/run", "/jobs", "/readyz", "/docs/", "/nothing"])
def test_nothing_else_is_answered_before_the_set_up(make: MakeSite, path: str) -> None:
    client = make().client
    for answer in (client.get(path), client.post(path, data=b"x" * 1_000_000)):
        assert answer.status_code == 503
        assert answer.content_type == "application/problem+json"
        assert "not set up yet" in answer.text


def test_the_front_page_says_where_the_link_is_and_never_the_token(make: MakeSite) -> None:
    site = make()
    page = site.get("/", "http://anything.example.com")
    assert page.status_code == 200
    assert "output of the process" in page.text
    assert TOKEN not in page.text
    assert site.get("/healthz").json == {"status": "ok"}
