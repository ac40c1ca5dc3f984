"""A webhook secret or the App's key is changed, as docs/operations.md says, and no delivery is lost."""

from __future__ import annotations

import pytest

from tests.doubles.github import apps
from tests.life.conftest import Life
from tests.stage import SECRET

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

NEW_SECRET = "the-next-webhook-secret"


def restart(life: Life, **settings: str) -> None:
    life.stage.stop()
    life.stage.settings.update(settings)
    life.stage.start()


def test_a_new_webhook_secret_costs_no_delivery(life: Life) -> None:
    repo = life.add_repository("quiet")
    restart(life, GITHUB_WEBHOOK_SECRET=NEW_SECRET, GITHUB_WEBHOOK_SECRET_OLD=SECRET)
    life.check_done_once(repo, life.give(repo))  # GitHub still signs with the old one
    life.stage.app.webhook_secret = NEW_SECRET  # on the App's page
    other = life.add_repository("other")
    life.check_done_once(other, life.give(other))
    restart(life, GITHUB_WEBHOOK_SECRET_OLD="")
    third = life.add_repository("third")
    life.check_done_once(third, life.give(third))
    assert 401 not in {each.status_code for each in life.stage.github.deliveries}

    life.stage.app.webhook_secret = SECRET  # whoever has the old one is kept out
    fourth = life.add_repository("fourth")
    life.give(fourth)
    life.stage.github.settle()
    assert life.stage.github.deliveries[-1].status_code == 401


def test_a_job_in_flight_goes_on_with_a_new_key_of_the_app(life: Life) -> None:
    repo = life.add_repository("quiet")
    issue = life.start_hanging(repo)
    life.model_hangs.clear()
    key = apps.make_key.__wrapped__()
    life.stage.app.private_key, life.stage.app.public_key = key, apps.public_part(key)
    life.stage.github.revoke_tokens()  # the old key is deleted on the App's page
    restart(life)  # `environment` has the App's key
    life.check_done_once(repo, issue)


def test_a_delivery_of_the_restarts_moment_is_sent_again(life: Life) -> None:
    repo = life.add_repository("quiet")
    life.stage.stop()
    issue = life.give(repo)
    assert [each.status_code for each in life.stage.github.deliveries] == [0]
    life.stage.start()
    life.check_done_once(repo, issue)
