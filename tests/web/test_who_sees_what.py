"""No private word goes to whoever may not see it: every kind of caller on every page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from werkzeug.test import TestResponse

from bot.types import Command, Job, Report, Target
from tests.web.site import (
    ALICE,
    BOSS,
    HOST,
    JOB,
    KEY,
    OPERATOR_KEY,
    OTHER_KEY,
    PRIVATE_WORDS,
    READER,
    REPORT,
    STRANGER,
    WRITER,
    Site,
)

PAGE = f"/jobs/{JOB.id}"
Ask = Callable[[str], TestResponse]


def _as_program(site: Site, key: str) -> Ask:
    client = site.app.test_client()
    headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": "203.0.113.9"}
    return lambda path: client.get(path, base_url=HOST, headers=headers)


def _with_link(site: Site, link: str) -> Ask:
    browser = site.browser()
    return lambda path: browser.get(f"{path}?key={link}")


CALLERS: Mapping[str, Callable[[Site], Ask]] = {
    "nobody": lambda site: site.browser().get,
    "a wrong key": lambda site: _as_program(site, "no-such-key"),
    "a key that asked for others": lambda site: _as_program(site, KEY),
    "a browser with such a key": lambda site: site.with_key(OTHER_KEY).get,
    "a link to another job": lambda site: _with_link(site, site.link("another-job")),
    "a link that has expired": lambda site: _with_link(site, site.link(valid_s=-1)),
    "a link with another key": lambda site: _with_link(site, site.link()[:-1] + "!"),
    "a person without access": lambda site: site.signed_in(STRANGER).get,
    "the job's link": lambda site: _with_link(site, site.link()),
    "the asker": lambda site: site.signed_in(ALICE).get,
    "a person who may read": lambda site: site.signed_in(READER).get,
    "a person who may write": lambda site: site.signed_in(WRITER).get,
    "an operator by login": lambda site: site.signed_in(BOSS).get,
    "an operator's key": lambda site: _as_program(site, OPERATOR_KEY),
    "a browser with an operator's key": lambda site: site.with_key(OPERATOR_KEY).get,
}
SEE_JOB = {
    "the job's link",
    "the asker",
    "a person who may read",
    "a person who may write",
    "an operator by login",
    "an operator's key",
    "a browser with an operator's key",
}
LIST_IT = {
    "the asker",
    "an operator by login",
    "an operator's key",
    "a browser with an operator's key",
}
PAGES = {
    PAGE: SEE_JOB,
    f"{PAGE}.diff": SEE_JOB,
    "/jobs": LIST_IT,
    "/jobs?state=failed": LIST_IT,
    "/": set[str](),
    "/login": set[str](),
    "/try": set[str](),
    "/docs/": set[str](),
    "/docs/openapi.json": set[str](),
    "/readyz": set[str](),
    "/jobs/other-job": set[str](),
}


def private_words(text: str) -> list[str]:
    return [word for word in PRIVATE_WORDS if word in text]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("caller", CALLERS)
def test_private_words_are_seen_by_those_alone_who_may(caller: str, path: str) -> None:
    site = Site()
    answer = CALLERS[caller](site)(path)
    if caller in PAGES[path]:
        assert answer.status_code == 200, answer.text
        assert private_words(answer.text)
    else:
        assert not private_words(answer.text)
        if path.startswith(PAGE):
            assert answer.status_code in (401, 404)


@pytest.mark.parametrize("caller", CALLERS)
def test_an_unknown_job_and_a_foreign_one_are_answered_alike(caller: str) -> None:
    if caller in SEE_JOB:
        return
    ask = CALLERS[caller](Site())
    foreign, unknown = ask(PAGE), ask("/jobs/ffffffff-7a3d-4c5b-8e6f-2a1d0c9b8a7f")
    assert foreign.status_code == unknown.status_code

    def normal(answer: TestResponse) -> str:
        return answer.text.replace("ffffffff", "0b4c9e1f")

    assert normal(foreign) == normal(unknown)


def test_a_page_shows_all_of_the_job_to_whoever_may_see_it() -> None:
    shown = Site().signed_in(READER).get(PAGE).text
    assert private_words(shown) == list(PRIVATE_WORDS)


def test_what_people_and_models_wrote_is_never_html() -> None:
    shown = Site().signed_in(READER).get(PAGE).text
    assert "</pre><b>" not in shown
    assert "&lt;/pre&gt;&lt;b&gt;" in shown
    assert "the-private-line &lt;b&gt;&amp;" in shown


@pytest.mark.parametrize("person", [STRANGER, READER])
def test_whoever_may_only_read_changes_nothing(person: int) -> None:
    site = Site()
    site.reports.save(replace(REPORT, state="running", finished_at=None))
    browser = site.signed_in(person)
    token = browser.token("/jobs")
    for verb in ("cancel", "retry"):
        assert browser.post(f"{PAGE}/{verb}", form_token=token).status_code == 404
    assert "/cancel" not in browser.get(PAGE).text
    assert not site.inbox.jobs


@pytest.mark.parametrize("person", [ALICE, WRITER, BOSS])
def test_the_asker_a_writer_and_an_operator_cancel(person: int) -> None:
    site = Site()
    site.reports.save(replace(REPORT, state="running", finished_at=None))
    browser = site.signed_in(person)
    answer = browser.post(f"{PAGE}/cancel", form_token=browser.token(PAGE))
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    (cancellation,) = site.inbox.jobs.values()
    assert cancellation.command == Command("cancel", JOB.id)
    assert (cancellation.source, cancellation.actor_id) == ("run", person)
    # Of another's job the repository's own settings decide; nothing is written in its thread.
    is_asked = cancellation.trigger == "page"
    assert is_asked == (person == WRITER)
    assert cancellation.target.repository_id == (JOB.target.repository_id if is_asked else None)
    assert cancellation.target.issue_number is None


@pytest.mark.parametrize("person", [ALICE, WRITER])
def test_what_a_person_repeats_is_that_persons_own_command(person: int) -> None:
    """As `/tinygen retry` is: the words may be those of somebody who may less."""
    site = Site()
    browser = site.signed_in(person)
    token = browser.token(PAGE)
    places = {browser.post(f"{PAGE}/retry", form_token=token).headers["Location"] for _ in "12"}
    (again,) = site.inbox.jobs.values()  # pressed twice, it is one job
    assert places == {f"/jobs/{again.id}"}
    assert again.command == Command("retry", JOB.id)
    assert (again.actor_id, again.source, again.target) == (person, "comment", JOB.target)


def test_what_an_operator_repeats_stays_its_askers() -> None:
    site = Site()
    browser = site.signed_in(BOSS)
    browser.post(f"{PAGE}/retry", form_token=browser.token(PAGE))
    (again,) = site.inbox.jobs.values()
    assert (again.actor_id, again.command, again.target) == (ALICE, JOB.command, JOB.target)


def test_a_direct_call_is_repeated_by_whoever_may_make_one() -> None:
    site = Site({"TINYGEN_OPERATORS": str(BOSS)})
    call = Job("j-1", "run", Target("acme/secret-plans"), Command("solve", "x"), "boss", BOSS)
    site.reports.save(Report(call, "failed"))
    browser = site.signed_in(BOSS)
    assert browser.post("/jobs/j-1/retry", form_token=browser.token("/jobs")).status_code == 303
    site = Site({"TINYGEN_OPERATORS": ""})
    site.reports.save(Report(call, "failed"))
    browser = site.signed_in(BOSS)
    assert browser.post("/jobs/j-1/retry", form_token=browser.token("/jobs")).status_code == 404


def test_the_asker_who_lost_the_repository_sees_and_changes_nothing() -> None:
    site = Site()
    site.sign_ins.levels[ALICE] = "none"
    browser = site.signed_in(ALICE)
    assert browser.get(PAGE).status_code == 404
    assert browser.get(f"{PAGE}.diff").status_code == 404
    assert browser.post(f"{PAGE}/retry", form_token=browser.token("/jobs")).status_code == 404


def test_an_operators_login_that_passed_to_another_gives_no_rights() -> None:
    site = Site()
    site.sign_ins.logins[BOSS] = "boss-renamed"
    assert site.signed_in(BOSS).get(PAGE).status_code == 404
    by_id = Site({"TINYGEN_OPERATORS": str(BOSS)})
    by_id.sign_ins.logins[BOSS] = "boss-renamed"
    assert by_id.signed_in(BOSS).get(PAGE).status_code == 200


def test_a_login_that_is_an_operators_id_gives_no_rights() -> None:
    site = Site({"TINYGEN_OPERATORS": "583231"})
    site.sign_ins.logins[STRANGER] = "583231"
    browser = site.signed_in(STRANGER)
    assert browser.get(PAGE).status_code == 404
    assert browser.get("/try").status_code == 401


def test_a_person_does_not_read_the_metrics() -> None:
    site = Site()
    assert site.signed_in(STRANGER).get("/metrics").status_code == 401
    assert site.with_key(KEY).get("/metrics").status_code == 200


def test_an_operator_by_login_whose_login_cannot_be_asked_is_told_so() -> None:
    """And does not get another list than usual without a word."""
    site = Site()
    browser = site.signed_in(BOSS)
    site.sign_ins.is_away = True
    assert browser.get("/jobs").status_code == 502
    site.sign_ins.is_away = False
    assert browser.get("/jobs").status_code == 200


def test_a_link_that_is_over_is_told_to_a_person_in_words_for_people() -> None:
    site = Site()
    shown = site.browser().get(f"{PAGE}?key={site.link(valid_s=-1)}")
    assert shown.status_code == 401
    assert "no longer valid" in shown.text
    assert "TINYGEN_API_KEYS" not in shown.text


def test_the_command_on_a_page_opens_the_diff_alone_and_no_longer_than_the_link() -> None:
    site = Site()
    reader = site.signed_in(READER)
    shown = reader.get(PAGE).text
    key = shown.split(f"{PAGE}.diff?key=")[1][:75]
    other = site.browser()
    assert other.get(f"{PAGE}.diff?key={key}").status_code == 200
    assert other.get(f"{PAGE}?key={key}").status_code == 401
    link = site.link(valid_s=30)
    shown = other.get(f"{PAGE}?key={link}").text
    key = shown.split(f"{PAGE}.diff?key=")[1][:75]
    assert key.partition("-")[0] == link.partition("-")[0]
    assert other.get(f"{PAGE}.diff?key={key}").status_code == 200
    assert other.get(f"{PAGE}?key={key}").status_code == 401


def test_the_link_lets_nobody_change_anything() -> None:
    site = Site()
    browser = site.browser()
    link = f"?key={site.link()}"
    assert browser.post(f"{PAGE}/retry{link}").status_code == 401
    assert site.app.test_client().delete(f"{PAGE}{link}", base_url=HOST).status_code == 401
    assert not site.inbox.jobs


def test_a_person_does_not_call_run_but_an_operator_does() -> None:
    site = Site()
    asked = {"repoUrl": "https://github.com/acme/secret-plans", "prompt": "x"}
    for person, status in ((WRITER, 401), (BOSS, 303)):
        browser = site.signed_in(person)
        token = browser.token("/jobs")
        assert browser.post("/try", form_token=token, **asked).status_code == status


def test_a_cookie_that_was_kept_is_worth_nothing_after_signing_out() -> None:
    site = Site()
    browser = site.signed_in(BOSS)
    cookie = browser.client.get_cookie("__Host-tinygen-session", "bot.example.com")
    assert cookie is not None
    browser.post("/logout", form_token=browser.token("/jobs"))
    browser.client.set_cookie(
        "__Host-tinygen-session", cookie.value, domain="bot.example.com", secure=True
    )
    assert browser.get("/jobs").status_code == 401


def test_a_session_ends_with_its_key_and_with_githubs_token() -> None:
    site = Site()
    browser = site.with_key(OPERATOR_KEY)
    fresh = Site({"TINYGEN_OPERATOR_KEYS": "another-key-of-an-operator"})
    other = fresh.browser()
    name, domain = "__Host-tinygen-session", "bot.example.com"
    cookie = browser.client.get_cookie(name, domain)
    assert cookie is not None
    other.client.set_cookie(name, cookie.value, domain=domain, secure=True)
    assert other.get("/jobs").status_code == 401
    person = site.signed_in(READER)
    site.sign_ins.ended.add(READER)
    assert person.get(PAGE).status_code == 401


def test_a_permission_is_asked_of_github_once_a_minute_for_each_page_view() -> None:
    site = Site()
    browser = site.signed_in(READER)
    for _ in range(5):
        assert browser.get(PAGE).status_code == 200
    assert site.sign_ins.asked == 1


def test_while_github_is_away_the_link_still_opens_the_page_and_a_sign_in_says_why() -> None:
    site = Site()
    site.sign_ins.is_away = True
    browser = site.signed_in(WRITER)
    assert browser.get(PAGE).status_code == 502
    shown = browser.get(f"{PAGE}?key={site.link()}")
    assert (shown.status_code, "Try again</button>" in shown.text) == (200, False)


def test_a_direct_call_is_its_callers_alone() -> None:
    site = Site()
    call = Job("j-1", "run", Target("acme/secret-plans"), Command("solve", "x"))
    site.reports.save(Report(call, "done"))
    for person in (READER, WRITER, STRANGER):
        assert site.signed_in(person).get("/jobs/j-1").status_code == 404
