"""Whose thread, history, cache and diff it is: GitHub's ids say so, names are for people."""

from __future__ import annotations

import time

from bot.types.names import short_id
from tests.doubles.edit_blocks import block
from tests.doubles.github import Repository
from tests.doubles.github.faults import bad_gateway
from tests.jobs.conftest import SetScene
from tests.scene import BYE, CONFIDENT, REPO, Scene, draft

SOFTER = draft(block("greet.py", BYE, '    return "bye, " + name\n'))


def replaced(scene: Scene) -> Repository:
    """The scene's repository is renamed, and another one takes its name."""
    scene.repo.rename("renamed")
    return scene.github.add_repository(REPO, files={"greet.py": b"OTHER = 1\n"})


def by_name(scene: Scene) -> None:
    """As reports were kept before ids, after the migration."""
    scene.run_sql("update tinygen_jobs set repository_key = lower(repo)")


def test_a_renamed_repository_keeps_its_threads(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    scene.repo.rename("renamed")
    assert scene.tell("/tinygen apply").report.pull_request_url
    assert "Louder" in scene.tell("/tinygen status").answer


def test_another_repository_under_its_old_name_starts_empty(scene: Scene) -> None:
    scene.tell("/tinygen Louder, secretly.")
    other = replaced(scene)
    there = other.open_issue("octocat", "Too quiet", "It whispers.")
    assert "Nothing was asked" in status(scene, other)
    applied = scene.ended(scene.say("/tinygen apply", on=there, repo=other))
    assert applied.state == "failed"
    assert applied.report.failure
    assert "No diff was shown" in applied.report.failure.message
    asked = len(scene.asked)
    scene.model_says("Nothing needs to change.")
    scene.ended(scene.say("/tinygen Add a constant.", on=there, repo=other))
    assert asked < len(scene.asked)
    assert not any("secretly" in words or "farewell" in words for words in scene.asked[asked:])
    assert other.pulls == ()


def status(scene: Scene, repo: Repository) -> str:
    scene.ended(scene.say("/tinygen status", repo=repo))
    return next(
        c.body for c in repo.thread(1) if c.author is scene.app.bot and "tinygen:status" in c.body
    )


def test_each_repository_has_a_cache_of_its_own_whatever_its_name(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    other = replaced(scene)
    scene.model_says("Nothing needs to change.")
    scene.ended(scene.say("/tinygen Louder.", repo=other))
    caches = {path.stem for path in (scene.root / "data/repositories").glob("*/*.git")}
    assert caches == {str(scene.repo.id), str(other.id)}


def test_a_transferred_repository_keeps_its_threads_where_its_new_owner_has_the_app(
    scene: Scene,
) -> None:
    scene.tell("/tinygen Louder.")
    scene.repo.owner = scene.github.add_organization("acme")
    scene.repo.rename(scene.repo.name)
    scene.repo.permissions["octocat"] = "admin"
    scene.github.install(scene.app, "acme")
    applied = scene.tell("/tinygen apply")
    assert applied.report.pull_request_url
    assert "/acme/" in applied.report.pull_request_url


def test_a_token_is_asked_for_by_the_repositorys_id(scene: Scene) -> None:
    scene.tell("/tinygen help")
    minted = scene.github.requests.of("POST", r"/app/installations/\d+/access_tokens")
    assert minted
    assert all(b'"repository_ids": [%d]' % scene.repo.id in each.body for each in minted)


def test_a_limit_of_a_person_follows_a_change_of_login(set_scene: SetScene) -> None:
    scene = set_scene(settings={"TINYGEN_ACTOR_HOURLY": "1"})
    scene.repo.permissions["mona"] = scene.repo.permissions["lisa"] = "write"
    scene.tell("/tinygen Louder.", who="mona")
    mona = scene.github.world.users.pop("mona")
    mona.login = "lisa"
    scene.github.world.users["lisa"] = mona
    assert scene.tell("/tinygen Louder.", who="lisa").state == "refused"


def test_apply_takes_the_askers_own_diff_not_what_another_was_shown_last(scene: Scene) -> None:
    scene.repo.permissions["mona"] = "write"
    own = scene.tell("/tinygen Louder.")
    scene.model_says(SOFTER, CONFIDENT)
    scene.tell("/tinygen --new Softer.", who="mona")
    applied = scene.tell("/tinygen apply").report
    assert applied.pull_request_url
    assert applied.patch == own.report.patch


def test_anothers_diff_is_applied_by_its_name(scene: Scene) -> None:
    scene.repo.permissions["mona"] = "write"
    shown = scene.tell("/tinygen Louder.", who="mona")
    unnamed = scene.tell("/tinygen apply")
    assert unnamed.state == "failed"
    assert f"`/tinygen apply {short_id(shown.job)}` (asked for by `mona`)" in unnamed.answer
    assert scene.tell(f"/tinygen apply {short_id(shown.job)}").report.pull_request_url


def test_a_name_that_no_diff_has_is_told(scene: Scene) -> None:
    shown = scene.tell("/tinygen Louder.")
    told = scene.tell("/tinygen apply 00000000")
    assert told.state == "failed"
    assert short_id(shown.job) in told.answer


def test_what_was_kept_by_name_is_taken_over_with_the_first_delivery(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    by_name(scene)
    assert scene.tell("/tinygen apply").report.pull_request_url


def test_what_was_kept_by_name_is_not_taken_over_by_a_younger_repository(scene: Scene) -> None:
    scene.tell("/tinygen Louder.")
    by_name(scene)
    scene.github.world.clock = lambda: time.time() + 60.0
    other = replaced(scene)
    there = other.open_issue("octocat", "Too quiet", "It whispers.")
    assert scene.ended(scene.say("/tinygen apply", on=there, repo=other)).state == "failed"
    assert other.pulls == ()


def test_an_apply_that_is_tried_again_delivers_the_diff_that_it_meant(scene: Scene) -> None:
    """Whoever says `retry`, and whatever they were shown themselves."""
    scene.repo.permissions["mona"] = "write"
    scene.tell("/tinygen Louder.", who="mona")
    scene.model_says(SOFTER, CONFIDENT)
    meant = scene.tell("/tinygen --new Softer.").report.patch
    scene.github.faults.add(bad_gateway(), method="POST", path=r"/git/trees$", times=20)
    assert scene.tell("/tinygen apply").state == "failed"
    scene.github.faults.clear()
    again = scene.tell("/tinygen retry", who="mona").report
    assert again.pull_request_url
    assert again.patch == meant
