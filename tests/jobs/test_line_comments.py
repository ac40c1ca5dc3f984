"""Where a change belongs: an issue, a pull request of the repository or of a fork, another branch,
an empty one."""

from __future__ import annotations

from tests.doubles.edit_blocks import block
from tests.doubles.model import hang
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, GREET, LOUD_GREET, LOUDER, REPO, Scene, draft


class TestAPullRequest:
    def test_of_this_repository_gets_one_more_commit_on_its_branch(self, scene: Scene) -> None:
        pull = scene.open_pull()
        before = scene.repo.head(pull)
        told = scene.tell("/tinygen --pr Louder.", on=pull)
        after = scene.repo.git.branch("topic") or ""
        assert scene.repo.git.run("rev-list", f"{before}..{after}").decode().split() == [after]
        assert scene.repo.git.file(after, "greet.py") == LOUD_GREET.encode()
        assert scene.repo.git.file(after, "new.py") == b"NEW = 1\n"
        assert f"{scene.github.url}/{REPO}/commit/{after}" in told.answer
        assert len(scene.repo.pulls) == 1
        assert "Closes" not in told.answer

    def test_shows_its_diff_against_its_own_head(self, scene: Scene) -> None:
        pull = scene.open_pull()
        told = scene.tell("/tinygen Louder.", on=pull)
        assert told.report.base_sha == scene.repo.head(pull)
        assert '+    return "HELLO, "' in told.diff

    def test_takes_a_shown_diff_as_a_commit(self, scene: Scene) -> None:
        pull = scene.open_pull()
        scene.tell("/tinygen Louder.", on=pull)
        told = scene.tell("/tinygen apply", on=pull)
        assert scene.repo.git.file("refs/heads/topic", "greet.py") == LOUD_GREET.encode()
        again = scene.tell("/tinygen apply", on=pull)
        assert again.report.commit_url == told.report.commit_url
        assert scene.repo.git.run("rev-list", "--count", "main..topic").strip() == b"2"

    def test_takes_a_diff_of_before_its_branch_moved_on_top_of_what_came(
        self, scene: Scene
    ) -> None:
        pull = scene.open_pull()
        scene.tell("/tinygen Louder.", on=pull)
        moved = scene.repo.git.commit({"new.py": b"NEW = 2\n"}, branch="topic")
        told = scene.tell("/tinygen apply", on=pull)
        assert told.state == "done"
        assert "moved on" in told.answer
        assert scene.repo.git.file("refs/heads/topic", "greet.py") == LOUD_GREET.encode()
        assert scene.repo.git.run("rev-parse", "topic^").decode().strip() == moved

    def test_of_a_fork_gets_a_diff(self, scene: Scene) -> None:
        pull = scene.open_pull(fork=True)
        told = scene.tell("/tinygen --pr Louder.", on=pull)
        assert told.report.base_sha == scene.repo.head(pull)
        assert '+    return "HELLO, "' in told.diff
        assert "fork" in told.answer
        assert told.row["mode"] == "diff"
        again = scene.tell("/tinygen apply", on=pull)
        assert again.diff == told.diff
        assert "fork" in again.answer

    def test_that_is_closed_is_left_alone(self, scene: Scene) -> None:
        pull = scene.open_pull()
        scene.repo.close(pull.number)
        told = scene.tell("/tinygen Louder.", on=pull)
        assert told.state == "failed"
        assert "closed" in told.answer
        assert not scene.asked

    def test_gets_a_pull_request_of_its_own_for_a_diff_too_long(self, scene: Scene) -> None:
        pull = scene.open_pull()
        head = scene.repo.head(pull)
        long = "".join(f"LINE_{number} = {number}\n" for number in range(5_000))
        scene.model_says(draft(block("long.py", "", long)), CONFIDENT)
        told = scene.tell("/tinygen Add long lines.", on=pull)
        _, opened = scene.repo.pulls
        assert opened.pull
        assert (opened.pull.base_ref, scene.repo.git.branch("topic")) == ("topic", head)
        assert f"/pull/{opened.number}" in told.answer
        assert "Closes" not in (opened.body or "")

    def test_leaves_base_out_and_says_so(self, scene: Scene) -> None:
        scene.repo.git.commit({"greet.py": b"# another line of work\n"}, branch="work")
        pull = scene.open_pull()
        told = scene.tell("/tinygen --base work Louder.", on=pull)
        assert told.report.base_sha == scene.repo.head(pull)
        assert "`--base`" in told.answer


class TestABaseBranch:
    def test_is_where_the_work_starts_and_what_the_pull_request_goes_into(
        self, scene: Scene
    ) -> None:
        sha = scene.repo.git.commit({"more.py": b"MORE = 1\n"}, branch="work/next")
        told = scene.tell("/tinygen --pr --base work/next Louder.")
        (pull,) = scene.repo.pulls
        assert pull.pull
        assert (pull.pull.base_ref, told.report.base_sha) == ("work/next", sha)
        assert scene.repo.git.file(scene.repo.head(pull), "more.py") == b"MORE = 1\n"

    def test_is_kept_by_apply(self, scene: Scene) -> None:
        scene.repo.git.commit({"more.py": b"MORE = 1\n"}, branch="work")
        scene.tell("/tinygen --base work Louder.")
        scene.tell("/tinygen apply")
        (pull,) = scene.repo.pulls
        assert pull.pull
        assert pull.pull.base_ref == "work"

    def test_that_is_missing_is_named(self, scene: Scene) -> None:
        told = scene.tell("/tinygen --base nowhere Louder.")
        assert told.state == "failed"
        assert "nowhere" in told.answer
        assert not scene.asked

    def test_that_is_a_commit_is_answered_before_the_model_is_asked(self, scene: Scene) -> None:
        told = scene.tell(f"/tinygen --pr --base {scene.repo.git.branch('main')} Louder.")
        assert told.state == "failed"
        assert "branch" in told.answer
        assert not scene.asked

    def test_that_is_no_branch_name_is_answered_at_once(self, scene: Scene) -> None:
        told = scene.tell("/tinygen --base ../x Louder.")
        assert told.state == "failed"
        assert "`--base`" in told.answer


class TestAnEmptyRepository:
    def test_gets_a_diff(self, set_scene: SetScene) -> None:
        scene = set_scene(files=None)
        scene.model_says(draft(block("greet.py", "", GREET)), CONFIDENT)
        told = scene.tell("/tinygen Begin it.")
        assert "new file mode 100644" in told.diff
        assert told.state == "done"

    def test_gets_no_pull_request_and_is_told_why(self, set_scene: SetScene) -> None:
        scene = set_scene(files=None)
        scene.model_says(draft(block("greet.py", "", GREET)), CONFIDENT)
        told = scene.tell("/tinygen --pr Begin it.")
        assert "no commit" in told.answer
        assert not scene.repo.pulls


def test_two_jobs_on_one_repository_run_one_after_the_other(scene: Scene) -> None:
    """Both asked in one thread, both deliver; neither waits for ever."""
    scene.model_says(LOUDER, CONFIDENT, LOUDER, CONFIDENT)
    both = [
        scene.say("/tinygen --pr --new Louder."),
        scene.say("/tinygen --pr --new Louder still."),
    ]
    assert [scene.ended(told).state for told in both] == ["done", "done"]
    heads = {pull.pull.head_ref for pull in scene.repo.pulls if pull.pull}
    assert len(heads) == 2


def test_jobs_on_two_repositories_run_side_by_side(scene: Scene) -> None:
    other = scene.github.add_repository("octocat/other", files={"greet.py": GREET.encode()})
    scene.model_says(hang(60), LOUDER, CONFIDENT)
    first = scene.say("/tinygen Louder.")
    scene.wait(lambda: scene.asked, "the first job to be asked about")
    second = scene.ended(scene.say("/tinygen Louder.", repo=other))
    assert (first.state, second.state) == ("running", "done")
    scene.tell("/tinygen cancel")
    scene.ended(first)
