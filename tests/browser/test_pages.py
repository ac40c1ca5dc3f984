"""The pages as people see them: in a browser, light and dark, narrow and wide, by keyboard alone,
without script, and with axe-core finding nothing serious."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import KEY, SLOW, OpenTab, Site, Tab
from tests.cli.setup_site import TOKEN, SetupSite
from tests.conftest import NPM, absent
from tests.doubles.github import GitHubDouble
from tests.doubles.model import ModelDouble

AXE = NPM / "axe-core" / "axe.min.js"
PAGES = ["/", "/login", "/jobs", "/try", "/docs/", "/jobs/done", "/jobs/failed"]
LOOKS = [
    pytest.param(1200, False, id="light-wide"),
    pytest.param(1200, True, id="dark-wide"),
    pytest.param(400, False, id="light-narrow"),
    pytest.param(400, True, id="dark-narrow"),
]


def real_path(site: Site, path: str) -> str:
    state = path.removeprefix("/jobs/")
    return f"/jobs/{site.jobs[state]}" if state in site.jobs else path


def axe_script() -> str:
    if not AXE.exists():
        absent("axe-core", "run `npm ci --prefix tests`")
    return Path(AXE).read_text()


@pytest.mark.parametrize(("width", "dark"), LOOKS)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_fits_and_loads_nothing_from_elsewhere(
    site: Site, open_tab: OpenTab, path: str, width: int, dark: bool
) -> None:
    tab = open_tab(width=width, dark=dark)
    tab.sign_in()
    tab.open(real_path(site, path))
    look = f"{'dark' if dark else 'light'}-{width}"
    check_look(tab, f"{path.strip('/').replace('/', '-') or 'home'}-{look}")
    assert {urlsplit(url).netloc for url in tab.requests} == {urlsplit(site.url).netloc}
    assert tab.complaints == []


def check_look(tab: Tab, name: str) -> None:
    """Takes the page's picture, and looks whether it fits, and whether axe-core finds a fault."""
    tab.save_picture(name)
    too_wide = tab.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert too_wide <= 0
    found: Any = tab.page.evaluate(f"(() => {{ {axe_script()}; return axe.run(); }})()")
    serious = [
        (each["id"], [node["html"] for node in each["nodes"]][:3])
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_no_script(site: Site, open_tab: OpenTab, path: str) -> None:
    tab = open_tab(script=False)
    tab.sign_in()
    tab.open(real_path(site, path))
    assert tab.page.get_by_role("heading", level=1).is_visible()
    if path == "/jobs/done":
        assert tab.page.get_by_text("raise ValueError").first.is_visible()
        assert not tab.page.get_by_role("button", name="Copy").is_visible()
        assert "git apply" in tab.page.locator("#apply").inner_text()


def test_the_set_up_goes_from_its_link_to_the_restart_in_a_browser(
    open_tab: OpenTab, tmp_path: Path
) -> None:
    def check_looks(name: str) -> None:
        for width, scheme in ((1200, "light"), (400, "dark")):
            tab.page.set_viewport_size({"width": width, "height": 900})
            tab.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            check_look(tab, f"{name}-{scheme}-{width}")

    tab = open_tab()
    page = tab.page
    with (
        GitHubDouble(tmp_path / "github") as github,
        ModelDouble(["ready"]) as model,
        SetupSite(tmp_path, {}).served() as (site, url),
    ):
        assert page.goto(f"{url}/setup?token={TOKEN}")
        assert page.url == f"{url}/setup"
        check_looks("setup")
        page.get_by_label("This bot's address").fill(url)
        page.get_by_role("button", name="Check the address").click()
        page.get_by_text("leads to this TinyGen").wait_for()
        page.get_by_label("Key", exact=False).first.fill("sk-of-the-test-0123456789")
        page.get_by_label("Base URL").fill(model.url)
        page.get_by_role("button", name="Test the model").click()
        page.get_by_text("answered in").wait_for()
        page.get_by_text("For an organization").click()
        page.get_by_label("Organization").fill("acme")
        page.get_by_label("GitHub server").first.fill(github.url)
        page.get_by_role("button", name="Use these").click()
        page.get_by_text("organization acme").wait_for()
        check_looks("setup-filled")
        page.get_by_role("button", name="Register the App").click()
        page.get_by_text("TinyGen restarts").wait_for()
        assert page.url == f"{url}/setup"
        check_looks("setup-after")
        assert len(site.endings) == 1
    assert tab.complaints == []


def test_the_keyboard_alone_signs_in_and_opens_a_job(site: Site, open_tab: OpenTab) -> None:
    tab = open_tab()
    page, keyboard = tab.page, tab.page.keyboard
    tab.open("/login")
    keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    keyboard.press("Enter")
    for _ in range(5):
        keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "api_key":
            break
    keyboard.type(KEY)
    keyboard.press("Enter")
    page.wait_for_url("**/jobs")
    for _ in range(60):
        keyboard.press("Tab")
        target = page.evaluate("document.activeElement.getAttribute('href') || ''")
        if target == f"/jobs/{site.jobs['done']}":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{site.jobs['done']}")
    for _ in range(60):
        keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    was_open = page.evaluate("document.activeElement.parentElement.open")
    keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open") != was_open


def test_a_running_job_is_followed_and_a_part_stays_as_it_was_opened(
    site: Site, open_tab: OpenTab
) -> None:
    tab = open_tab()
    tab.sign_in()
    job = site.run(SLOW)
    tab.open(f"/jobs/{job}")
    tab.page.get_by_text("This page follows the job.").wait_for()
    assert tab.page.get_by_role("button", name="Cancel").is_visible()
    site.go_on()
    tab.page.get_by_role("status").get_by_text("done").wait_for(timeout=30_000)
    assert not tab.page.get_by_role("button", name="Cancel").is_visible()
    tab.page.get_by_role("heading", name="Conversation with the model").wait_for()
    assert tab.complaints == []


def test_the_command_that_applies_the_diff_is_copied(site: Site, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.sign_in()
    tab.open(f"/jobs/{site.jobs['done']}")
    tab.page.get_by_role("button", name="Copy").click()
    tab.page.get_by_role("button", name="Copied").wait_for()
    copied = tab.page.evaluate("navigator.clipboard.readText()")
    assert copied == tab.page.locator("#apply").inner_text()


def test_a_failed_job_is_repeated_from_its_page(site: Site, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.sign_in()
    tab.open(f"/jobs/{site.jobs['failed']}")
    tab.page.get_by_role("button", name="Try again").click()
    tab.page.wait_for_url(lambda url: "/jobs/" in url and site.jobs["failed"] not in url)
    tab.page.get_by_role("status").get_by_text("failed").wait_for(timeout=30_000)


def test_the_form_makes_a_diff(site: Site, open_tab: OpenTab) -> None:
    tab = open_tab(width=400)
    tab.sign_in()
    tab.open("/try")
    tab.page.get_by_label("Repository").fill(f"{site.stage.github.url}/octocat/greeter")
    tab.page.get_by_label("What to change").fill("Greet double names.")
    tab.page.get_by_role("button", name="Make the diff").click()
    tab.page.wait_for_url("**/jobs/*")
    tab.page.get_by_role("status").get_by_text("done").wait_for(timeout=30_000)
    assert tab.page.get_by_text("raise ValueError").first.is_visible()


def test_a_person_signs_in_by_github_and_sees_what_github_lets_them(
    site: Site, open_tab: OpenTab
) -> None:
    world, path = site.stage.github.world, f"/jobs/{site.jobs['done']}"
    repo = world.names["octocat/greeter"]
    repo.private = True
    try:
        for login, may_see in (("octocat", True), ("stranger", False)):
            world.at_browser = world.user(login)
            tab = open_tab()
            tab.page.goto(site.url + path)
            tab.page.get_by_role("main").get_by_role("link", name="Sign in").click()
            tab.page.get_by_role("link", name="Sign in with GitHub").click()
            tab.page.wait_for_url(f"**{path}*")
            assert tab.page.get_by_text(f"{login}").first.is_visible()
            assert tab.page.get_by_text("Greet every part of a name").first.is_visible() == may_see
            assert tab.page.get_by_role("button", name="Sign out").is_visible()
    finally:
        repo.private = False
        world.at_browser = None
