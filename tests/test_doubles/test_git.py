"""The git command line on the double's repositories: it reads what the REST API wrote, and the REST
API reads what it pushed."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.doubles.github import GitHubDouble, Repository
from tests.doubles.github.git import Entry
from tests.doubles.github.state import Installation
from tests.test_doubles.conftest import REPO, Client, mint


@given(
    st.dictionaries(
        st.sampled_from(
            ["a.py", "src/b.py", "src/deep/c.py", "src/deep", "src.py", "src-x/d", "new/e/f", "é"]
        ),
        st.one_of(st.none(), st.binary(max_size=3)),
        min_size=1,
    ).filter(lambda changes: not {"src/deep", "src/deep/c.py"} <= set(changes))
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_trees_are_made_as_git_makes_them(
    repo: Repository, tmp_path: Path, changes: dict[str, bytes | None]
) -> None:
    git, base = repo.git, repo.git.run("rev-parse", "main^{tree}").decode().strip()
    entries = {
        path: None if c is None else Entry(path, "100755", git.write("blob", c))
        for path, c in changes.items()
    }
    index = {**os.environ, "GIT_DIR": str(git.path), "GIT_INDEX_FILE": str(tmp_path / "index")}
    (tmp_path / "index").unlink(missing_ok=True)

    def with_index(*command: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["git", *command], input=stdin, text=True, capture_output=True, check=True, env=index
        )
        return done.stdout.strip()

    with_index("read-tree", base)
    for path, entry in entries.items():
        gone = (
            with_index("ls-files", "--", path).split()
            if entry is None or path == "src/deep"
            else []
        )
        rows = [f"0 {'0' * 40}\t{each}\n" for each in gone]
        rows += [f"100755 {entry.oid}\t{path}\n"] if entry else []
        with_index(
            "-c", "core.quotePath=false", "update-index", "--index-info", stdin="".join(rows)
        )
    assert git.edit_tree(base, entries) == with_index("write-tree")


def git(*command: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs git without the configuration of this machine, and with a fixed author of commits."""
    name = {"GIT_AUTHOR_NAME": "Mona", "GIT_AUTHOR_EMAIL": "mona@example.com"}
    name |= {key.replace("AUTHOR", "COMMITTER"): value for key, value in name.items()}
    config = ["-c", f"http.extraHeader=Authorization: {basic(token)}"] if token else []
    quiet = {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    return subprocess.run(
        ["git", *config, *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **name, **quiet},
    )


def basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()


@pytest.fixture
def token(github: GitHubDouble, bot: Client) -> str:
    return bot.credential


def test_a_clone_holds_what_the_api_made(
    github: GitHubDouble, repo: Repository, bot: Client, tmp_path: Path
) -> None:
    base = repo.git.branch("main")
    added = {"path": "new.py", "mode": "100755", "type": "blob", "content": "new\n"}
    tree = bot("POST", f"{REPO}/git/trees", {"base_tree": base, "tree": [added]}).json()["sha"]
    new = {"message": "Add", "tree": tree, "parents": [base]}
    commit = bot("POST", f"{REPO}/git/commits", new).json()
    assert commit["author"]["name"] == "tinygen[bot]"
    assert commit["verification"]["verified"]
    assert (
        bot("POST", f"{REPO}/git/refs", {"ref": "refs/heads/new", "sha": commit["sha"]}).status_code
        == 201
    )
    done = git(
        "clone",
        "--branch=new",
        f"{github.url}/octocat/hello.git",
        str(tmp_path / "clone"),
        token=bot.credential,
    )
    assert done.returncode == 0, done.stderr
    assert os.access(tmp_path / "clone" / "new.py", os.X_OK)
    assert git("-C", str(repo.git.path), "fsck", "--strict").returncode == 0


def test_one_commit_is_fetched_by_its_sha(
    github: GitHubDouble, repo: Repository, token: str, tmp_path: Path
) -> None:
    old = repo.git.branch("main") or ""
    repo.git.commit({"a.py": b"print(2)\n"}, branch="main")
    git("init", "--bare", str(tmp_path / "cache"))
    done = git(
        "-C",
        str(tmp_path / "cache"),
        "fetch",
        "--depth=1",
        f"{github.url}/octocat/hello",
        old,
        token=token,
    )
    assert done.returncode == 0, done.stderr
    assert (
        git("-C", str(tmp_path / "cache"), "cat-file", "-p", f"{old}:a.py").stdout == "print(1)\n"
    )


def test_a_private_repository_is_not_read_without_a_token(
    github: GitHubDouble, repo: Repository, token: str, tmp_path: Path
) -> None:
    url = f"{github.url}/octocat/hello.git"
    assert "could not read Username" in git("ls-remote", url).stderr
    assert "could not read Username" in git("ls-remote", url, token="ghs_nobody").stderr
    github.add_repository("hubot/secret", private=True)
    assert "not found" in git("ls-remote", f"{github.url}/hubot/secret", token=token).stderr
    assert git("ls-remote", url, token=token).stdout.split()[0] == repo.git.branch("main")


def test_a_push_needs_write_and_the_api_shows_its_commit(
    github: GitHubDouble, installation: Installation, bot: Client, tmp_path: Path
) -> None:
    here, url = str(tmp_path / "clone"), f"{github.url}/octocat/hello.git"
    git("clone", url, here, token=bot.credential)
    (tmp_path / "clone" / "big").write_bytes(os.urandom(2_000_000))
    git("-C", here, "add", "big")
    git("-C", here, "commit", "--message=Big")
    reader = mint(github, bot.http, installation, permissions={"contents": "read"})["token"]
    refused = git("-C", here, "push", "origin", "HEAD:work", token=reader)
    assert refused.returncode != 0
    assert "403" in refused.stderr
    done = git("-C", here, "push", "origin", "HEAD:work", token=bot.credential)
    assert done.returncode == 0, done.stderr
    sha = bot("GET", f"{REPO}/git/ref/heads/work").json()["object"]["sha"]
    assert bot("GET", f"{REPO}/git/commits/{sha}").json()["message"] == "Big\n"


def test_a_renamed_repository_is_still_cloned(
    github: GitHubDouble, repo: Repository, token: str
) -> None:
    repo.rename("hallo")
    assert git("ls-remote", f"{github.url}/octocat/hello.git", token=token).returncode == 0


def test_an_existing_repository_is_served_from_its_own_path(
    github: GitHubDouble, repo: Repository, bot: Client
) -> None:
    again = github.add_repository("hubot/again", path=repo.git.path)
    assert again.git.branch("main") == repo.git.branch("main")
    assert bot("GET", "/repos/hubot/again/git/ref/heads/main").status_code == 200


def test_a_pull_request_from_a_fork_can_be_fetched_here(
    github: GitHubDouble, repo: Repository, bot: Client
) -> None:
    fork = github.fork(repo, "lisa")
    sha = fork.git.commit({"a.py": b"print(3)\nprint(4)\n"}, branch="mine")
    issue = repo.open_pull("lisa", "Mine", head="lisa:mine")
    shown = bot("GET", f"{REPO}/pulls/{issue.number}").json()
    assert (shown["head"]["repo"]["full_name"], shown["head"]["sha"]) == ("lisa/hello", sha)
    assert [shown[name] for name in ("additions", "deletions", "changed_files", "commits")] == [
        2,
        1,
        1,
        1,
    ]
    assert repo.git.sha(f"refs/pull/{issue.number}/head") == sha
    assert bot("GET", f"{REPO}/pulls?head=lisa:mine").json()[0]["number"] == issue.number
