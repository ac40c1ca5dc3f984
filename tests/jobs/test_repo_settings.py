"""A repository's own settings, from its file to what the thread sees."""

from __future__ import annotations

import pytest

from bot.types.names import short_id
from tests.doubles.edit_blocks import block
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, FILES, GREET, HELLO, LOUD_HELLO, LOUDER, Scene, draft, fences


def settled(set_scene: SetScene, words: str, **given: object) -> Scene:
    """A scene whose repository has that file."""
    return set_scene(files={**FILES, ".github/tinygen.yml": words.encode()}, **given)


def test_the_mode_of_the_file_wins_over_the_operators_and_the_flag_over_both(
    set_scene: SetScene,
) -> None:
    scene = settled(set_scene, "mode: pr\n")
    assert scene.tell("/tinygen Louder.").row["mode"] == "pr"
    assert len(scene.repo.pulls) == 1
    scene.model_says(LOUDER, CONFIDENT)
    assert scene.tell("/tinygen --diff Louder.").row["mode"] == "diff"
    assert len(scene.repo.pulls) == 1


def test_base_draft_labels_and_reviewers_are_as_the_file_says(set_scene: SetScene) -> None:
    words = "base: develop\ndraft: true\nlabels: [bot, later]\nreviewers: [mona]\n"
    scene = settled(set_scene, words)
    scene.repo.permissions["mona"] = "write"
    scene.repo.git.commit({"only.py": b"1\n"}, branch="develop")
    scene.tell("/tinygen --pr Louder.")
    (issue,) = scene.repo.pulls
    assert issue.pull
    assert (issue.pull.base_ref, issue.pull.draft) == ("develop", True)
    assert (issue.labels, issue.reviewers) == (["bot", "later"], ["mona"])


def test_the_commands_base_wins(set_scene: SetScene) -> None:
    scene = settled(set_scene, "base: develop\n")
    scene.repo.git.commit({"only.py": b"1\n"}, branch="other")
    assert scene.tell("/tinygen --base other Louder.").report.base_ref == "other"


def test_a_reviewer_who_cannot_be_asked_costs_no_pull_request(set_scene: SetScene) -> None:
    told = settled(set_scene, "reviewers: [nobody]\n").tell("/tinygen --pr Louder.")
    assert told.state == "done"
    assert "The reviews could not be asked for" in told.answer


def test_the_model_is_the_files_where_the_operator_allows_it(set_scene: SetScene) -> None:
    scene = settled(set_scene, "model: large\n", settings={"TINYGEN_MODELS": "large, larger"})
    scene.tell("/tinygen Louder.")
    assert [request.body["model"] for request in scene.model.requests] == ["large", "large"]


def test_a_chosen_model_costs_what_it_costs(set_scene: SetScene) -> None:
    settings = {
        "TINYGEN_MODELS": "large=1000/2000",
        "TINYGEN_PRICE_INPUT": "1",
        "TINYGEN_PRICE_OUTPUT": "1",
    }
    told = settled(set_scene, "model: large\n", settings=settings).tell("/tinygen Louder.")
    usage = told.report.usage
    assert told.report.usage.cost_usd == pytest.approx(
        (usage.prompt_tokens + 2 * usage.completion_tokens) / 1_000
    )
    assert f"${told.report.usage.cost_usd:.4f}" in told.answer


def test_another_model_is_told_and_the_operators_used(set_scene: SetScene) -> None:
    scene = settled(set_scene, "model: large\n")
    told = scene.tell("/tinygen Louder.")
    assert scene.model.requests[0].body["model"] == "double-1"
    assert "line 1: `model` is not one that the operator allows (`double-1`)." in told.answer


def test_what_is_excluded_is_not_shown(set_scene: SetScene) -> None:
    scene = settled(set_scene, "context: {exclude: [greet.py]}\n")
    new = draft(block("new.py", "", "x = 1\n"))
    scene.model_says("```request\nread greet.py\nsearch farewell\nlist .\n```", new, CONFIDENT)
    told = scene.tell("/tinygen Greet louder in greet.py.")
    assert told.state == "done"
    assert not any("Bye, " in asked for asked in scene.asked)


@pytest.mark.parametrize(
    "edit",
    [
        block("greet.py", '    return "Helo, " + name\n', "x\n"),
        block("greet.py", HELLO, LOUD_HELLO),
        block("gret.py", HELLO, LOUD_HELLO),
        "*** Begin Patch\n*** Delete File: greet.py\n*** End Patch",
        "*** Begin Patch\n*** Update File: greet.py\n*** Move to: shown.py\n*** End Patch",
    ],
)
def test_no_edit_brings_the_lines_of_what_is_excluded(set_scene: SetScene, edit: str) -> None:
    """Neither as the nearest lines of one that failed, nor in the diff of one that was guessed
    right."""
    scene = settled(set_scene, "context: {exclude: [greet.py]}\n")
    scene.model_says(*[draft(edit)] * 3)
    told = scene.tell("/tinygen Do it.")
    assert told.state == "failed"
    assert not any("Bye, " in asked or "farewell" in asked for asked in scene.asked)


def test_what_is_excluded_stays_as_it_is_and_is_told(set_scene: SetScene) -> None:
    scene = settled(set_scene, "context: {exclude: [greet.py]}\n")
    scene.model_says(
        draft(block("greet.py", HELLO, LOUD_HELLO), block("new.py", "", "x = 1\n")), CONFIDENT
    )
    told = scene.tell("/tinygen Louder.")
    assert (
        "greet.py is kept from the model by the repository's settings and stays as it is."
        in told.answer
    )
    assert "greet.py" not in told.diff
    assert "new.py" in told.diff


def test_a_remark_on_what_is_excluded_brings_no_lines(set_scene: SetScene) -> None:
    scene = settled(set_scene, "context: {exclude: [greet.py]}\n")
    scene.repo.git.commit({"greet.py": GREET.replace("Bye", "Farewell").encode()}, branch="topic")
    pull = scene.repo.open_pull("octocat", "Say farewell", head="topic")
    scene.model_says("No change is needed\n\nAll is well.")
    told = scene.remark("/tinygen Why?", on=pull, line=9)
    assert not any("Farewell, " in asked for asked in scene.asked)
    assert (
        "Lines commented on that the repository's settings keep from the model: 1." in told.answer
    )


def test_what_a_person_pushed_to_what_is_excluded_is_not_shown(set_scene: SetScene) -> None:
    scene = settled(set_scene, "context: {exclude: [secret.py]}\n")
    first = scene.tell("/tinygen --pr Louder.")
    assert first.report.job
    (pull,) = scene.repo.pulls
    assert pull.pull
    scene.repo.git.commit({"secret.py": b"KEPT = 1\n"}, branch=pull.pull.head_ref)
    scene.model_says(draft(block("new.py", "", "x = 1\n")), CONFIDENT)
    assert scene.tell("/tinygen And a new file.", on=pull).state == "done"
    assert not any("KEPT" in asked for asked in scene.asked)


def test_instructions_and_language_reach_the_model(set_scene: SetScene) -> None:
    scene = settled(set_scene, "instructions: Two blank lines, always.\nlanguage: German\n")
    scene.tell("/tinygen Louder.")
    assert len(scene.asked) == 2
    assert ["Two blank lines, always." in asked for asked in scene.asked] == [True, False]
    assert all("in German" in asked for asked in scene.asked)


def test_a_protected_path_is_left_as_it_is_and_told(set_scene: SetScene) -> None:
    scene = settled(set_scene, "protected: [secrets/]\n")
    both = draft(block("secrets/key.py", "", "KEY = 1\n"), block("greet.py", HELLO, LOUD_HELLO))
    scene.model_says(both, CONFIDENT)
    told = scene.tell("/tinygen Louder.")
    assert "secrets" not in told.diff
    assert "HELLO" in told.diff
    assert (
        "secrets/key.py is protected by the repository's settings and stays as it is."
        in told.answer
    )
    assert len(scene.asked) == 2


@pytest.mark.parametrize(
    "edit",
    [
        "*** Begin Patch\n*** Delete File: greet.py\n*** End Patch",
        "*** Begin Patch\n*** Update File: greet.py\n*** Move to: x.py\n*** End Patch",
        "*** Begin Patch\n*** Update File: README.md\n*** Move to: lib/greet.py\n*** End Patch",
        block("./greet.py", HELLO, LOUD_HELLO),
        block("GREET.PY", "", "x = 1\n"),
        block(".github/tinygen.yml", "protected: [greet.py]\n", "mode: pr\n"),
    ],
)
def test_no_form_of_an_edit_changes_what_is_protected(set_scene: SetScene, edit: str) -> None:
    scene = settled(set_scene, "protected: [greet.py]\n")
    scene.model_says(draft(edit))
    told = scene.tell("/tinygen --pr Do it.")
    assert (told.state, scene.repo.pulls) == ("failed", ())
    assert "protected" in told.answer
    assert len(scene.asked) == 1


def test_a_diff_that_was_shown_before_is_not_applied_over_a_protection(set_scene: SetScene) -> None:
    scene = set_scene()
    scene.tell("/tinygen Louder.")
    scene.repo.git.commit({".github/tinygen.yml": b"protected: [greet.py]\n"}, branch="main")
    told = scene.tell("/tinygen apply")
    assert (told.state, scene.repo.pulls) == ("failed", ())
    assert "touches what the repository protects: `greet.py`." in told.answer


def test_only_the_default_branch_has_a_say(scene: Scene) -> None:
    scene.repo.git.commit({".github/tinygen.yml": b"mode: pr\n"}, branch="topic")
    pull = scene.open_pull()
    told = scene.tell("/tinygen Louder.", on=pull)
    assert told.row["mode"] == "diff"


def test_a_diff_may_be_opened_to_triage_and_nothing_that_writes(set_scene: SetScene) -> None:
    scene = settled(set_scene, "permissions: {diff: triage, apply: triage, pr: triage}\n")
    scene.repo.permissions["mona"] = "triage"
    assert "HELLO" in scene.tell("/tinygen Louder.", who="mona").diff
    for words in ("/tinygen apply", "/tinygen --pr Louder."):
        told = scene.tell(words, who="mona")
        assert (told.state, "`write`" in told.answer) == ("refused", True)
    assert scene.repo.pulls == ()
    help_ = scene.tell("/tinygen help", who="mona").answer
    assert "--pr" not in help_
    assert "apply" not in help_


def test_apply_may_take_more_than_the_operator_asks(set_scene: SetScene) -> None:
    scene = settled(set_scene, "permissions: {apply: admin}\n")
    scene.repo.permissions["mona"] = "write"
    shown = scene.tell("/tinygen Louder.", who="mona")
    assert scene.tell("/tinygen apply", who="mona").state == "refused"
    assert scene.tell(f"/tinygen apply {short_id(shown.job)}").state == "done"


def test_a_retry_by_one_who_may_not_write_opens_nothing(set_scene: SetScene) -> None:
    scene = settled(set_scene, "permissions: {diff: triage}\n")
    scene.repo.permissions["mona"] = "triage"
    scene.tell("/tinygen --pr Louder.")
    scene.repo.pulls[0].state = "closed"  # an open one is gone on from
    scene.model_says(LOUDER, CONFIDENT)
    told = scene.tell("/tinygen retry", who="mona")
    assert (told.state, told.row["mode"]) == ("done", "diff")
    assert "may not have branches changed here" in told.answer
    assert len(scene.repo.pulls) == 1


def test_a_refinement_by_one_who_may_not_write_leaves_the_pull_request_as_it_is(
    set_scene: SetScene,
) -> None:
    scene = settled(set_scene, "permissions: {diff: triage}\n")
    scene.repo.permissions["mona"] = "triage"
    scene.tell("/tinygen --pr Louder.")
    (pull,) = scene.repo.pulls
    head = scene.repo.head(pull)
    scene.model_says(draft(block("new.py", "", "x = 1\n")), CONFIDENT)
    told = scene.tell("/tinygen And a new file.", who="mona")
    assert (told.row["mode"], scene.repo.head(pull)) == ("diff", head)


def test_a_long_diff_of_one_who_may_not_write_is_kept_and_not_pushed(set_scene: SetScene) -> None:
    scene = settled(set_scene, "permissions: {diff: triage}\n")
    scene.repo.permissions["mona"] = "triage"
    scene.model_says(
        draft(block("long.txt", "", "".join(f"LINE {n}\n" for n in range(9_000)))), CONFIDENT
    )
    told = scene.tell("/tinygen Long.", who="mona")
    assert (told.state, scene.repo.pulls, fences(told.answer)) == ("done", (), [])
    assert f"/jobs/{told.job}.diff" in told.answer


def test_a_mistake_is_told_once_in_a_thread_and_the_rest_holds(set_scene: SetScene) -> None:
    scene = settled(set_scene, "mode: patch\nprotected: [secrets/]\n")
    first = scene.tell("/tinygen Louder.")
    assert "line 1: `mode` should be 'diff' or 'pr'." in first.answer
    scene.model_says(
        draft(block("secrets/x", "", "y\n"), block("greet.py", HELLO, LOUD_HELLO)), CONFIDENT
    )
    again = scene.tell("/tinygen Louder.")
    assert "should be" not in again.answer
    assert "secrets/x is protected" in again.answer
    scene.model_says(LOUDER, CONFIDENT)
    assert "should be" in scene.tell("/tinygen Louder.", on=scene.open_issue()).answer


@pytest.mark.parametrize(
    "words",
    [
        "mode: [pr\n",
        "protected: [greet.py\n",
        "protected: ['!greet.py']\n",
        "protect: [greet.py]\n",
        "mode: pr\nmode: pr\n",
        "- protected\n",
    ],
)
def test_where_it_is_not_clear_what_is_protected_nothing_is_pushed(
    set_scene: SetScene, words: str
) -> None:
    scene = settled(set_scene, words)
    told = scene.tell("/tinygen --pr Louder.")
    assert "`.github/tinygen.yml`, line 1: " in told.answer or "line 2: " in told.answer
    assert "`.github/tinygen.yml` has a mistake, so what it protects is not clear." in told.answer
    assert ("HELLO" in told.diff, scene.repo.pulls) == (True, ())
    scene.tell("/tinygen apply")
    assert scene.repo.pulls == ()


def test_once_the_file_is_mended_the_same_diff_is_delivered(set_scene: SetScene) -> None:
    scene = settled(set_scene, "protected: [docs/\n")
    scene.tell("/tinygen --pr Louder.")
    scene.repo.git.commit({".github/tinygen.yml": b"protected: [docs/]\n"}, branch="main")
    assert scene.tell("/tinygen apply").state == "done"
    assert len(scene.repo.pulls) == 1


@pytest.mark.parametrize(
    "words",
    [
        "context: {exclude: [greet.py}\n",
        "context: {exclude: ['!greet.py']}\n",
        "context: {exlude: [greet.py]}\n",
        "exclude: [greet.py]\n",
        "#" * 40_000,
        "#" * 1_200_000,
    ],
)
def test_where_it_is_not_clear_what_may_be_shown_nothing_is(
    set_scene: SetScene, words: str
) -> None:
    scene = settled(set_scene, words)
    told = scene.tell("/tinygen Louder.")
    assert (told.state, scene.asked) == ("refused", [])
    assert (
        "has a mistake where it says what the model may not be shown. `.github/tinygen.yml`"
        in told.answer
    )
    assert "Mend `.github/tinygen.yml` on the default branch, then ask again." in told.answer


def test_a_refused_request_is_done_once_the_file_is_mended(set_scene: SetScene) -> None:
    scene = settled(set_scene, "context: {exclude: [a}\n")
    scene.tell("/tinygen Louder.")
    scene.repo.git.commit({".github/tinygen.yml": b"context: {exclude: [a]}\n"}, branch="main")
    assert "HELLO" in scene.tell("/tinygen retry").diff


def test_a_mistake_elsewhere_guards_nothing_more(set_scene: SetScene) -> None:
    scene = settled(set_scene, "labels: bug\nprotected: [docs/]\n")
    scene.tell("/tinygen --pr Louder.")
    assert len(scene.repo.pulls) == 1


def test_a_direct_call_keeps_to_the_file_too(set_scene: SetScene) -> None:
    scene = settled(set_scene, "mode: pr\nbase: nowhere\nprotected: [secrets/]\n")
    scene.model_says(
        draft(block("secrets/x", "", "y\n"), block("greet.py", HELLO, LOUD_HELLO)), CONFIDENT
    )
    url = f"{scene.github.url}/octocat/greeter"
    answer = scene.web.post("/run", json={"repoUrl": url, "prompt": "Louder."})
    assert answer.json
    assert answer.status_code == 200, answer.text
    assert "HELLO" in answer.json["diff"]
    assert "secrets" not in answer.json["diff"]
