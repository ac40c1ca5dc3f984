"""The home page: ready or not, and why."""

from __future__ import annotations

import re

import pytest

from bot.thread.render import render_help
from bot.types.pages import AppStatus, Check, Fault
from tests.web.site import BOSS, Site

FAULT = Fault("deliveries", "The newest one got no answer.", "Mend the firewall.")


@pytest.fixture
def site() -> Site:
    site = Site({"GITHUB_APP_ID": "12345"})
    site.workers.beat("w-1")
    return site


def home(site: Site) -> str:
    answer = site.browser().get("/")
    assert answer.status_code == 200
    return answer.text


def test_it_is_ready_with_a_worker(site: Site) -> None:
    assert ">Ready<" in home(site)
    site.workers.seen.clear()
    assert ">Not ready<" in home(site)


def test_a_pause_is_told_with_its_reason(site: Site) -> None:
    site.reports.pause_reason = "the <b> host moves"
    shown = home(site)
    assert ">Paused<" in shown
    assert "the &lt;b&gt; host moves" in shown


def test_what_a_check_found_is_named_and_told_whole_to_operators_alone(site: Site) -> None:
    site.status.save_check(Check("2026-01-01T00:00:00+00:00", (FAULT,)))
    shown = home(site)
    assert "has to mend: deliveries." in shown
    assert "firewall" not in shown
    assert "Mend the firewall." in site.signed_in(BOSS).get("/").text
    site.status.save_check(Check("2026-01-02T00:00:00+00:00", ()))
    assert "All was well at the last check." in home(site)


def test_it_leads_to_where_the_app_is_installed(site: Site) -> None:
    assert "installations/new" not in home(site)
    site.status.save_app(AppStatus("2026-01-01"))
    assert "installations/new" not in home(site)
    site.status.save_app(AppStatus("2026-01-01", "My App", "https://github.com/apps/my-app"))
    assert 'href="https://github.com/apps/my-app/installations/new"' in home(site)
    assert "Install My App on your repositories" in home(site)


def test_without_an_app_it_says_how_to_make_one() -> None:
    assert "python -m bot setup" in home(Site())


def test_every_answer_has_the_headers_that_keep_a_browser_safe(site: Site) -> None:
    for path in ("/", "/login", "/jobs", "/static/page.js", "/healthz", "/nothing"):
        answer = site.browser().get(path)
        answer.close()
        headers = answer.headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"


def test_a_pages_cookie_is_for_this_host_and_no_script(site: Site) -> None:
    answer = site.browser().post("/login", api_key="key-of-an-operator")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-tinygen-session=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "key-of-an-operator" not in cookie


def test_it_names_the_commands_that_help_names(site: Site) -> None:
    shown = home(site)
    commands = re.findall(r"`(/tinygen[^`]*)`", render_help("mona", "admin", "issue", "diff"))
    assert len(set(commands)) > 5
    for command in commands:
        assert f"<code>{command}</code>" in shown
