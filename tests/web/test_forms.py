"""What changes something comes from a page of this site, or with a key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.types.pages import Person
from tests.web.site import ALICE, BOSS, HOST, JOB, OPERATOR_KEY, READER, REPORT, Site

CANCEL = f"/jobs/{JOB.id}/cancel"
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://bot.example.com.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.fixture
def site() -> Site:
    site = Site()
    site.reports.save(replace(REPORT, state="running", finished_at=None))
    return site


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_form_of_another_site_changes_nothing(site: Site, headers: dict[str, str]) -> None:
    browser = site.signed_in(ALICE)
    token = browser.token(f"/jobs/{JOB.id}")
    assert browser.post(CANCEL, headers, form_token=token).status_code == 401
    assert not site.inbox.jobs


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_no_other_site_signs_a_browser_in_or_out(site: Site, headers: dict[str, str]) -> None:
    browser = site.browser()
    assert browser.post("/login", headers, api_key=OPERATOR_KEY).status_code == 401
    assert browser.get("/jobs").status_code == 401
    browser = site.signed_in(BOSS)
    token = browser.token("/jobs")
    assert browser.post("/logout", headers, form_token=token).status_code == 401
    assert browser.get("/jobs").status_code == 200


def test_a_form_needs_the_token_of_its_own_session(site: Site) -> None:
    browser, other = site.signed_in(ALICE), site.signed_in(BOSS)
    for token in ("", "0" * 64, other.token(f"/jobs/{JOB.id}")):
        assert browser.post(CANCEL, form_token=token).status_code == 401
    assert not site.inbox.jobs
    token = browser.token(f"/jobs/{JOB.id}")
    assert browser.post(CANCEL, form_token=token).status_code == 303


def test_delete_takes_a_key_or_the_token_in_a_header(site: Site) -> None:
    client = site.app.test_client()
    key = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    answer = client.delete(f"/jobs/{JOB.id}", headers=key)
    assert (answer.status_code, answer.json) == (202, {"job": JOB.id})
    assert answer.headers["Location"] == f"/jobs/{JOB.id}"
    browser = site.signed_in(ALICE)
    bare = browser._open("DELETE", f"/jobs/{JOB.id}", headers={"Origin": HOST})
    assert bare.status_code == 401
    headers = {"Origin": HOST, "X-Form-Token": browser.token(f"/jobs/{JOB.id}")}
    assert browser._open("DELETE", f"/jobs/{JOB.id}", headers=headers).status_code == 202


def test_what_has_ended_cannot_be_cancelled(site: Site) -> None:
    site.reports.save(REPORT)
    client = site.app.test_client()
    key = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    answer = client.delete(f"/jobs/{JOB.id}", headers=key)
    assert answer.status_code == 400
    assert "ended" in answer.get_json(force=True)["detail"]


def test_a_wrong_key_is_told_beside_the_form(site: Site) -> None:
    answer = site.browser().post("/login", api_key="no-such-key", next="/try")
    assert answer.status_code == 401
    assert "none of the keys" in answer.text
    assert 'name="next" value="/try"' in answer.text


def test_the_form_is_503_while_the_database_is_away(site: Site) -> None:
    browser = site.signed_in(BOSS)
    token = browser.token("/try")
    site.inbox.is_away = True
    form = {"repoUrl": "https://github.com/o/r", "prompt": "x"}
    assert browser.post("/try", form_token=token, **form).status_code == 503


def test_signing_out_ends_the_session(site: Site) -> None:
    browser = site.signed_in(READER)
    assert browser.post("/logout", form_token=browser.token("/jobs")).status_code == 303
    assert browser.get("/jobs").status_code == 401


@pytest.mark.parametrize(
    "given", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1", "x", ""]
)
def test_signing_in_leads_to_a_page_of_this_site_alone(site: Site, given: str) -> None:
    browser = site.browser()
    answer = browser.post("/login", api_key=OPERATOR_KEY, next=given)
    assert answer.headers["Location"] == "/jobs"


def test_signing_in_leads_back_to_where_it_was_wanted(site: Site) -> None:
    browser = site.browser()
    asked = browser.get(f"/jobs/{JOB.id}")
    assert asked.status_code == 401
    assert f'href="/login?next=/jobs/{JOB.id}' in asked.text
    browser.get(f"/login/github?next=/jobs/{JOB.id}")
    answer = browser.get(f"/login/callback?state=s-1&code={ALICE}")
    assert answer.headers["Location"] == f"/jobs/{JOB.id}"


@pytest.mark.parametrize(
    "query", ["state=other&code=11", "code=11", "state=s-1", "state=s-1&code="]
)
def test_a_sign_in_that_this_browser_did_not_begin_is_refused(site: Site, query: str) -> None:
    browser = site.browser()
    browser.get("/login/github")
    assert browser.get(f"/login/callback?{query}").status_code in (400, 404)
    assert browser.get("/jobs").status_code == 401


def test_the_try_form_says_what_is_wrong_and_keeps_what_was_typed(site: Site) -> None:
    browser = site.signed_in(BOSS)
    token = browser.token("/try")
    asked = {"repoUrl": "https://elsewhere.example/a/b", "prompt": "Greet <b>louder</b>."}
    answer = browser.post("/try", form_token=token, **asked)
    assert answer.status_code == 400
    assert "Greet &lt;b&gt;louder&lt;/b&gt;." in answer.text
    assert 'role="alert"' in answer.text
    answer = browser.post("/try", form_token=token, repoUrl="", prompt="")
    assert answer.status_code == 422


def test_the_try_form_leads_to_the_jobs_page(site: Site) -> None:
    browser = site.signed_in(BOSS)
    asked = {"repoUrl": "https://github.com/octocat/greeter", "prompt": "Greet louder."}
    answer = browser.post("/try", form_token=browser.token("/try"), **asked)
    (job,) = site.inbox.jobs.values()
    assert answer.headers["Location"] == f"/jobs/{job.id}"
    assert (job.source, job.command.prompt, job.actor) == ("run", "Greet louder.", "boss")


def test_without_keys_a_browser_on_this_machine_may_do_all() -> None:
    site = Site({"TINYGEN_API_KEYS": "", "TINYGEN_OPERATOR_KEYS": ""})
    client = site.app.test_client()
    page = client.get("/try", headers={"Accept": "text/html"})
    token = page.text.split('name="form_token" value="')[1][:64]
    form = {"repoUrl": "https://github.com/o/r", "prompt": "x"}
    evil = {"Origin": "http://localhost:9"}
    assert client.post("/try", data=form | {"form_token": token}, headers=evil).status_code == 401
    own = {"Origin": "http://localhost"}
    assert client.post("/try", data=form, headers=own).status_code == 401
    assert client.post("/try", data=form | {"form_token": token}, headers=own).status_code == 303


@pytest.mark.parametrize("scheme", ["Basic eDp5", "Bearer", "Digest x"])
def test_a_header_that_names_nobody_replaces_no_form_token(scheme: str) -> None:
    site = Site({"TINYGEN_API_KEYS": "", "TINYGEN_OPERATOR_KEYS": ""})
    headers = {"Authorization": scheme, "Origin": "https://evil.example"}
    form = {"repoUrl": "https://github.com/o/r", "prompt": "x"}
    assert site.app.test_client().post("/try", data=form, headers=headers).status_code == 401
    browser = site.signed_in(BOSS)
    assert browser.post("/try", headers, **form).status_code == 401


@pytest.mark.parametrize(
    "name",
    ["X-Original-Forwarded-For", "CF-Ray", "X-Envoy-External-Address", "Tailscale-User-Login"],
)
def test_a_caller_through_a_tunnel_is_not_this_machine(name: str) -> None:
    site = Site({"TINYGEN_API_KEYS": "", "TINYGEN_OPERATOR_KEYS": ""})
    client = site.app.test_client()
    assert client.get("/jobs").status_code == 200
    assert client.get("/jobs", headers={name: "x"}).status_code == 401


@pytest.mark.parametrize(
    ("headers", "url", "is_secure"),
    [
        ({"X-Forwarded-Proto": "https, http"}, "http://bot.example.com", True),
        ({"X-Forwarded-Proto": "HTTPS"}, "http://bot.example.com", True),
        ({}, "http://bot.example.com", True),
        ({"X-Forwarded-Proto": "http"}, "http://bot.example.com", False),
        ({}, "http://localhost:8000", False),
    ],
)
def test_a_cookie_is_secure_where_the_browser_came_by_https(
    site: Site, headers: dict[str, str], url: str, is_secure: bool
) -> None:
    form = {"api_key": OPERATOR_KEY}
    answer = site.app.test_client().post("/login", data=form, headers=headers, base_url=url)
    assert answer.headers["Set-Cookie"].startswith("__Host-") == is_secure


def test_at_most_half_of_the_threads_wait_for_github(site: Site) -> None:
    small = Site({"TINYGEN_WEB_THREADS": "2"})
    inner: list[int] = []
    finish = small.sign_ins.finish

    def slow(redirect_uri: str, code: str, verifier: str) -> Person:
        if not inner:
            inner.append(0)
            other = small.browser()
            other.get("/login/github")
            inner[0] = other.get(f"/login/callback?state=s-1&code={READER}").status_code
        return finish(redirect_uri, code, verifier)

    small.sign_ins.finish = slow  # type: ignore[method-assign]
    assert small.signed_in(ALICE).get("/jobs").status_code == 200
    assert inner == [429]


def test_a_page_after_signing_in_again_has_the_new_sessions_form(site: Site) -> None:
    browser = site.signed_in(ALICE)
    path = f"/jobs/{JOB.id}"
    tag = browser.get(path).headers["ETag"]
    browser.post("/logout", form_token=browser.token(path))
    browser.get("/login/github")
    browser.get(f"/login/callback?state=s-1&code={ALICE}")
    assert browser.get(path, If_None_Match=tag).status_code == 200
