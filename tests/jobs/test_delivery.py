"""How a change reaches people: as a diff, as a pull request, or as what could not be delivered."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.doubles.edit_blocks import block
from tests.doubles.github import Repository
from tests.doubles.github.apps import DEFAULT_PERMISSIONS
from tests.doubles.model import Messages
from tests.doubles.reviews import choice, fault
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, GREET, HELLO, LOUD_HELLO, LOUDER, REPO, Scene, draft, fences

CI = ".github/workflows/ci.yml"


def applied(repo: Repository, diff: str, folder: Path) -> Path:
    """A clone of `main` in which git has applied the diff."""
    subprocess.run(["git", "clone", "-q", str(repo.git.path), str(folder)], check=True)
    subprocess.run(["git", "apply", "--index", "-"], input=diff.encode(), cwd=folder, check=True)
    return folder


def test_a_diff_is_shown_that_git_takes_at_the_base(scene: Scene, tmp_path: Path) -> None:
    told = scene.tell("/tinygen Greet louder.")
    assert told.answer.startswith(f"<!-- tinygen:job={told.job} state=done -->\n")
    base = str(scene.repo.git.branch("main"))
    assert f"Base: [`{base[:7]}`](" in told.answer
    assert f"/commit/{base}) (`main`)" in told.answer
    clone = applied(scene.repo, told.diff, tmp_path / "clone")
    assert (clone / "greet.py").read_text() == GREET.replace(HELLO, LOUD_HELLO)


def test_the_comment_says_how_the_change_came_about(scene: Scene) -> None:
    answer = scene.tell("/tinygen Greet louder.").answer
    assert "**Greet louder**\n\nThe greeting is now as asked." in answer
    assert "<details><summary>" in answer
    assert "The greeting is as asked." in answer
    assert "- `greet.py` " in answer.partition("<details>")[2]
    assert "`double-1`: 2 calls" in answer


def test_the_command_is_seen_at_once_and_carries_its_outcome(scene: Scene) -> None:
    assert scene.tell("/tinygen Greet louder.").reactions == ["eyes", "rocket"]


def test_there_is_one_comment_that_is_edited_in_place(scene: Scene) -> None:
    told = scene.tell("/tinygen Greet louder.")
    assert len(told.answers) == 1
    posted = scene.github.requests.of("POST", rf"/repos/{REPO}/issues/1/comments")
    edited = scene.github.requests.of("PATCH", rf"/repos/{REPO}/issues/comments/\d+")
    assert len(posted) == 1
    assert b"state=queued" in posted[0].body
    assert b"state=running" in edited[0].body
    assert "- [x] " in edited[-2].body.decode()
    assert b"state=done" in edited[-1].body


@pytest.mark.parametrize(
    ("words", "settings"),
    [("/tinygen --pr Louder.", {}), ("/tinygen Louder.", {"TINYGEN_MODE": "pr"})],
)
def test_a_pull_request_is_opened(
    set_scene: SetScene, words: str, settings: dict[str, str]
) -> None:
    scene = set_scene(settings=settings)
    told = scene.tell(words)
    (pull,) = scene.repo.pulls
    assert f"{scene.github.url}/{REPO}/pull/{pull.number}" in told.answer
    assert fences(told.answer) == []
    assert (
        scene.repo.git.file(scene.repo.head(pull), "greet.py")
        == GREET.replace(HELLO, LOUD_HELLO).encode()
    )
    assert pull.pull
    assert pull.pull.head_ref.startswith("tinygen/issue-1-")
    assert (pull.pull.base_ref, pull.pull.draft, pull.author) == ("main", False, scene.app.bot)
    assert told.row["pull_request_url"] == told.report.pull_request_url
    assert told.row["mode"] == "pr"


def test_diff_as_a_flag_wins_over_the_setting(set_scene: SetScene) -> None:
    scene = set_scene(settings={"TINYGEN_MODE": "pr"})
    assert "HELLO" in scene.tell("/tinygen --diff Louder.").diff
    assert not scene.repo.pulls


def test_the_pull_request_says_what_it_does_and_closes_its_issue(scene: Scene) -> None:
    scene.tell("/tinygen --pr Louder.")
    (pull,) = scene.repo.pulls
    assert pull.title == "Greet louder"
    assert pull.body
    assert "The greeting is now as asked." in pull.body
    assert "Closes #1" in pull.body.splitlines()


def test_the_commit_is_the_apps_with_the_asker_as_co_author(scene: Scene) -> None:
    scene.tell("/tinygen --pr Louder.")
    commit = scene.repo.git.run(
        "show", "-s", "--format=%an%n%P%n%B", scene.repo.head(scene.repo.pulls[0])
    ).decode()
    author, parent, title, _blank, *rest = commit.strip().splitlines()
    assert (author, parent, title) == (
        "tinygen[bot]",
        scene.repo.git.branch("main"),
        "Greet louder",
    )
    host = scene.github.url.removeprefix("http://")
    asker = scene.github.world.user("octocat").id
    assert rest[-1] == f"Co-authored-by: octocat <{asker}+octocat@users.noreply.{host}>"


def test_a_draft_is_opened_where_the_operator_wants_drafts(set_scene: SetScene) -> None:
    scene = set_scene(settings={"TINYGEN_DRAFT": "true"})
    scene.tell("/tinygen --pr Louder.")
    assert scene.repo.pulls[0].pull
    assert scene.repo.pulls[0].pull.draft


def test_a_diff_too_long_for_a_comment_becomes_a_pull_request_and_says_so(scene: Scene) -> None:
    long = "".join(f"LINE_{number} = {number}\n" for number in range(5_000))
    scene.model_says(draft(block("long.py", "", long)), CONFIDENT)
    told = scene.tell("/tinygen --diff Add long lines.")
    (pull,) = scene.repo.pulls
    assert f"/pull/{pull.number}" in told.answer
    assert "too long for a comment" in told.answer
    assert scene.repo.git.file(scene.repo.head(pull), "long.py") == long.encode()
    assert (told.row["mode"], told.row["diff"].count("\n+LINE_")) == ("pr", 5_000)


def test_no_change_is_said_with_its_reason(scene: Scene) -> None:
    scene.model_says("No change is needed\n\nThe greeting is loud already.")
    told = scene.tell("/tinygen Louder.")
    assert told.state == "done"
    assert "No change is needed" in told.answer
    assert "The greeting is loud already." in told.answer
    assert fences(told.answer) == []
    assert told.row["diff"] == ""


def test_no_change_says_so_even_where_the_model_did_not(scene: Scene) -> None:
    scene.model_says("All of it is there already, as far as can be seen.")
    told = scene.tell("/tinygen --pr Louder.")
    assert "no change is needed" in told.answer.lower()
    assert not scene.repo.pulls


@pytest.mark.parametrize("mode", ["--diff", "--pr"])
def test_what_the_model_wrote_pings_nobody_and_closes_nothing(scene: Scene, mode: str) -> None:
    loud = draft(
        block("greet.py", HELLO, LOUD_HELLO),
        title="Fix #1 for @mona",
        why="Closes #2, ask @octocat/team. ![x](http://x)",
    )
    scene.model_says(loud, "[CONFIDENT] Resolves #3, cc @hubot")
    told = scene.tell(f"/tinygen {mode} Louder.")
    assert told.state == "done"
    words = (
        [told.answer]
        if mode == "--diff"
        else [told.answer, scene.repo.pulls[0].title, scene.repo.pulls[0].body or ""]
    )
    for text in words:
        for loud_part in ("@mona", "@octocat", "@hubot", "#2", "#3", "![x]("):
            assert loud_part not in text, text


class TestWorkflowFiles:
    """Changing them needs a permission that the App may lack."""

    MAY = {**DEFAULT_PERMISSIONS, "workflows": "write"}  # noqa: RUF012 - never changed
    BOTH = draft(block(CI, "", "on: push\n"), block("greet.py", HELLO, LOUD_HELLO))

    def test_without_the_permission_they_are_delivered_as_a_diff(
        self, scene: Scene, tmp_path: Path
    ) -> None:
        scene.model_says(self.BOTH, CONFIDENT)
        told = scene.tell("/tinygen --pr Louder, with CI.")
        (pull,) = scene.repo.pulls
        assert (
            scene.repo.git.file(scene.repo.head(pull), "greet.py")
            == GREET.replace(HELLO, LOUD_HELLO).encode()
        )
        assert scene.repo.git.file(scene.repo.head(pull), CI) is None
        clone = applied(scene.repo, told.diff, tmp_path / "clone")
        assert (clone / CI).read_text() == "on: push\n"
        assert (clone / "greet.py").read_text() == GREET
        assert "workflows permission" in told.answer

    def test_alone_they_are_a_diff_and_no_pull_request(self, scene: Scene) -> None:
        scene.model_says(draft(block(CI, "", "on: push\n")), CONFIDENT)
        told = scene.tell("/tinygen --pr Add CI.")
        assert "+on: push" in told.diff
        assert "workflows permission" in told.answer
        assert (told.state, told.row["mode"], scene.repo.pulls) == ("done", "diff", ())

    def test_with_the_permission_they_are_in_the_pull_request(self, set_scene: SetScene) -> None:
        scene = set_scene(permissions=self.MAY)
        scene.model_says(self.BOTH, CONFIDENT)
        told = scene.tell("/tinygen --pr Louder, with CI.")
        (pull,) = scene.repo.pulls
        assert scene.repo.git.file(scene.repo.head(pull), CI) == b"on: push\n"
        assert fences(told.answer) == []

    def test_a_diff_holds_them_in_any_case(self, scene: Scene) -> None:
        scene.model_says(self.BOTH, CONFIDENT)
        assert "+on: push" in scene.tell("/tinygen Louder, with CI.").diff


def test_backticks_in_the_diff_do_not_end_its_fence(scene: Scene) -> None:
    text = "# Use\n\n````text\n```sh\nrun\n```\n````\n"
    scene.model_says(draft(block("USE.md", "", text)), CONFIDENT)
    told = scene.tell("/tinygen Document it.")
    assert told.diff.count("\n+") >= 6
    assert "\n`````diff\n" in told.answer


SOFT_HELLO = '    return "Hello, " + name.upper() + "!"\n'
SOFTER = block("greet.py", LOUD_HELLO, SOFT_HELLO)
FAULT = fault("greet('ada')", "greet.py:5", "it shouts the hello, where the name should be loud")


def test_a_revision_that_a_comparison_prefers_is_the_result_and_the_first_version_is_shown(
    scene: Scene,
) -> None:
    def choose(messages: Messages) -> str:
        return choice(str(messages[-1]["content"]), SOFT_HELLO, "Only one is soft.")

    scene.model_says(LOUDER, f"[REVISION NEEDED]\n{FAULT}\n{SOFTER}", choose, CONFIDENT)
    told = scene.tell("/tinygen Louder.")
    assert '+    return "Hello, " + name.upper()' in told.diff
    assert "HELLO" not in told.diff
    found, first = told.answer.partition("**What reflection found**")[2].split(
        "**The first version**"
    )
    assert "1. **Revised.**" in found
    assert "it shouts the hello" in found
    assert "A comparison of both versions chose it. Only one is soft." in found
    assert "2. **Confident.**" in found
    assert '+    return "HELLO, "' in first
    assert told.row["model_calls"] == 4


@pytest.mark.parametrize(
    ("review", "comparison", "why"),
    [
        (f"[REVISION NEEDED] I would whisper.\n\n{SOFTER}", (), "named no input"),
        (f"[REVISION NEEDED]\n{FAULT}\n{SOFTER}", ("I cannot tell.",), "no clear result"),
    ],
)
def test_else_the_first_version_stands_and_the_remark_is_reported(
    scene: Scene, review: str, comparison: tuple[str, ...], why: str
) -> None:
    scene.model_says(LOUDER, review, *comparison)
    told = scene.tell("/tinygen Louder.")
    assert '+    return "HELLO, "' in told.diff
    assert "1. **Not revised.**" in told.answer
    assert why in told.answer
    assert "The first version" not in told.answer
    assert told.row["model_calls"] == 2 + len(comparison)
