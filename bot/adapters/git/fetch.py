"""Fetches one commit from a remote into a bare repository, and explains why a remote refuses."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from bot.adapters.git.objects import make_bare
from bot.adapters.git.process import GitFailed, Runner
from bot.errors import LimitReached, NotFound, OutsideError, TinyGenError
from bot.types.github import Remote
from bot.types.snapshot import MAX_PAST_COMMITS

_FETCH_COMMIT = "fetch --depth=1 --no-tags --no-write-fetch-head --quiet --"
_FETCH_HISTORY = f"fetch --depth={MAX_PAST_COMMITS} --filter=blob:none --no-tags --no-write-fetch-head --quiet --"
_FETCH_BLOBS = "fetch --filter=blob:none --no-tags --no-write-fetch-head --quiet --"
_MAX_BLOBS_BYTES = 16 << 20
_MAX_HISTORY_BYTES = 128 << 20
"""A server that does not know the filter would send every file of all those commits."""
_RETRY_WAITS_S = (0.5, 2.0)

# What git prints if the remote does not give the commit.
_NO_ACCESS = re.compile(
    r"repository '[^']*' not found|Repository not found|does not appear to be a git repository"
    r"|could not read Username|Authentication failed|returned error: (401|403|404)"
)
_NO_COMMIT = re.compile(r"not our ref|couldn't find remote ref|unadvertised object")
_MOVED = re.compile(r"returned error: 30\d|unable to update url base from redirection")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WantedCommit:
    """`repo` is a repository's id or `owner/name`."""

    repo: str
    remote: Remote
    sha: str

    @property
    def repo_name(self) -> str:
        """The repository's name for messages; from the remote's URL if `repo` is an id."""
        if "/" in self.repo:
            return self.repo
        return urlsplit(self.remote.url).path.strip("/").removesuffix(".git")

    @property
    def ref(self) -> str:
        """The ref under which a repository holds the commit."""
        return f"refs/tinygen/{self.sha}"


@dataclass(frozen=True, slots=True)
class Fetcher:
    """`lock_fd` in the methods is the descriptor of the repository's lock. git inherits it, so the
    lock is held until git has ended, even if this process is killed."""

    runner: Runner
    protocols: tuple[str, ...]
    max_bytes: int
    """The largest pack that a commit may need."""
    wait: Callable[[float], None]

    def fetch_commit(self, git_dir: Path, wanted: WantedCommit, lock_fd: int) -> None:
        """The commit's trees and files. GitFailed if another attempt may help; otherwise the error
        to show."""
        try:
            self._run(git_dir, _FETCH_COMMIT, wanted, lock_fd, self.max_bytes)
        except GitFailed as error:
            refusal = _explain_refusal(error.stderr, wanted, self.max_bytes)
            if refusal is not None:
                raise refusal from error
            raise

    def fetch_commit_with_retries(self, git_dir: Path, wanted: WantedCommit, lock_fd: int) -> None:
        for wait_s in (*_RETRY_WAITS_S, None):
            try:
                self.fetch_commit(git_dir, wanted, lock_fd)
                return
            except GitFailed as error:
                _log.warning("git could not fetch", repo=wanted.repo_name, said=error.stderr)
                if wait_s is None:
                    raise OutsideError(
                        f"git could not fetch {wanted.repo_name}.",
                        next_step="Try again in a few minutes.",
                    ) from error
                self.wait(wait_s)

    def fetch_history(self, git_dir: Path, wanted: WantedCommit, lock_fd: int) -> None:
        """The earlier commits without their files, into a repository of their own, since the
        missing files would make the commit's repository look damaged. If it fails, there is no
        history, and the repository is removed."""
        try:
            if not git_dir.exists():
                git_dir.mkdir()
                make_bare(git_dir)
            self._run(git_dir, _FETCH_HISTORY, wanted, lock_fd, _MAX_HISTORY_BYTES)
        except OutsideError as error:
            _log.warning(
                "the past commits cannot be fetched", repo=wanted.repo_name, error=error.message
            )
            shutil.rmtree(git_dir, ignore_errors=True)

    def fetch_blobs(
        self, git_dir: Path, wanted: WantedCommit, oids: list[str], lock_fd: int
    ) -> None:
        """Blobs of earlier commits, into the repository that `fetch_history` made."""
        self._run(git_dir, _FETCH_BLOBS, wanted, lock_fd, _MAX_BLOBS_BYTES, oids)

    def _run(
        self,
        git_dir: Path,
        command: str,
        wanted: WantedCommit,
        lock_fd: int,
        max_bytes: int,
        refs: Sequence[str] = (),
    ) -> None:
        """Fetches the wanted commit, or instead of it the `refs`."""
        environment = {"GIT_ALLOW_PROTOCOL": ":".join(self.protocols)}
        environment.update(_token_environment(wanted.remote))
        runner = replace(
            self.runner,
            max_file_bytes=max_bytes,
            inherited_fds=(lock_fd,),
            environment=environment,
        )
        refs = refs or (f"+{wanted.sha}:{wanted.ref}",)
        runner.run(git_dir, *command.split(), wanted.remote.url, *refs)


def _token_environment(remote: Remote) -> dict[str, str]:
    """The token as git configuration in environment variables: other users can list a process's
    arguments, and git prints URLs.

    https://git-scm.com/docs/git-config#Documentation/git-config.txt-GITCONFIGCOUNT
    https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation
    """
    if remote.token is None:
        return {}
    credentials = base64.b64encode(f"x-access-token:{remote.token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{remote.url}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {credentials}",
    }


def _explain_refusal(stderr: str, wanted: WantedCommit, max_bytes: int) -> TinyGenError | None:
    """The error to raise if trying again does not help; None if the network or the cache may be the
    cause."""
    repo = wanted.repo_name
    if _NO_COMMIT.search(stderr):
        return NotFound(
            f"{repo} has no commit {wanted.sha[:12]}.",
            next_step="It may be gone: ask again on the present branch.",
        )
    if _MOVED.search(stderr):
        return NotFound(f"{repo} has moved.", next_step="Use its present name.")
    if _NO_ACCESS.search(stderr):
        return NotFound(
            f"There is no repository {repo}, or no access to it.",
            next_step="Check its name and access.",
        )
    if "File too large" in stderr:
        return LimitReached(
            f"{repo} is larger than {max_bytes >> 20} MB at that commit.",
            next_step="Ask for a smaller one.",
        )
    return None
