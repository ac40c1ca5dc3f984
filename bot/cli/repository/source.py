"""The repository that a command is given: a URL or a directory, at one commit, under its own
settings."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.app import SHELL_LIMIT_WAIT_S, build_git, build_github, check_github_server, words_dir
from bot.change.repository import Instructions, prepare_task, read_instructions
from bot.cli.output import print_note
from bot.config import Config
from bot.errors import BadRequest, NotFound, OutsideError
from bot.ports import Git
from bot.thread.settings import (
    UNCLEAR_GUARDS,
    RepoSettings,
    read_settings_of,
    repository_policy,
)
from bot.types import Task
from bot.types.github import Remote
from bot.types.names import read_repo_url
from bot.types.snapshot import RepositoryView, Snapshot, view_repository

_NO_TOKEN = (
    "A private repository needs a GITHUB_TOKEN that may read it, or the App installed on it."  # noqa: S105 - the name of a setting
)
_TOKEN_MAY_NOT = "A private repository needs a GITHUB_TOKEN that may read it: check what yours may."  # noqa: S105 - the name of a setting


@dataclass(frozen=True, slots=True)
class Source:
    """A repository at a commit, wherever it came from. Its settings are those of `settings_sha`:
    the default branch's, or of a directory the same commit's."""

    git: Git
    repo: str
    sha: str
    settings_sha: str
    remote: Callable[[], Remote] | None = None
    """Where earlier contents are fetched from, if they are asked for."""
    count_uncommitted: Callable[[], int] = lambda: 0

    def snapshot(self) -> Snapshot:
        return self.git.snapshot(self.repo, self.sha, self.remote)


@dataclass(frozen=True, slots=True)
class Opened:
    """A repository as its own settings let the model see it."""

    view: RepositoryView
    settings: RepoSettings
    instructions: Instructions

    def task(self, repo: str, prompt: str) -> Task:
        return prepare_task(
            Task(repo, prompt, nonce=secrets.token_hex(4)),
            self.view,
            instructions=self.instructions,
        )


def open_view(config: Config, source: Source, *, shows: bool) -> Opened:
    """`shows`: the model is to be shown files, which needs to be clear about which."""
    own = source.git.snapshot(source.repo, source.settings_sha)
    read = read_settings_of(own, models=config.model_names())
    for mistake in read.mistakes:
        print_note(f"note: {mistake}")
    if shows and "context" in read.unclear:
        where = "Mend it on the default branch" if source.remote else "Mend and commit it"
        raise BadRequest(
            UNCLEAR_GUARDS["context"],
            next_step=f"{where}, and try again; `python -m bot check` tells each mistake.",
        )
    policy = repository_policy(read.settings)
    words = read_instructions(view_repository(own, policy))
    return Opened(view_repository(source.snapshot(), policy), read.settings, words)


def tell_uncommitted(source: Source) -> None:
    """A note, if the working tree holds what is in no commit."""
    count = source.count_uncommitted()
    if count:
        changes = "1 uncommitted change is" if count == 1 else f"{count} uncommitted changes are"
        read = f"the commit {source.sha[:8]}" if source.sha else "commits"
        print_note(f"note: {changes} not read, only {read}. Commit what is to be seen.")


def open_source(config: Config, options: argparse.Namespace) -> Source:
    """The repository that the options name."""
    try:
        local = _open_here(config, options)
    except OSError as error:
        reason = f"{options.repo[:100]} cannot be read: {error.strerror}."
        raise NotFound(
            reason, next_step="Name a git directory that you may read, or a GitHub URL."
        ) from None
    if local is not None:
        return local
    if options.repo.startswith(("/", ".", "~")):
        raise NotFound(
            f"There is no directory {options.repo}.",
            next_step="Name a git directory or a GitHub URL.",
        )
    repo, ref = read_repo_url(options.repo, config.github_server_url)
    check_github_server(config)
    try:
        return _open_remote(config, repo, options.ref or ref)
    except OutsideError as error:
        if error.retry_in_s is None or config.github_token is not None:
            raise
        step = f"{error.next_step} With a GITHUB_TOKEN, GitHub answers more often."
        raise OutsideError(error.message, next_step=step) from error


def _open_remote(config: Config, repo: str, ref: str | None) -> Source:
    with build_github(config, max_limit_wait_s=SHELL_LIMIT_WAIT_S) as github:
        remote = github.connect(repo, None)
        try:
            settings_sha = remote.resolve(None)[1]
        except NotFound as error:
            step = _NO_TOKEN if config.github_token is None else _TOKEN_MAY_NOT
            raise NotFound(error.message, next_step=f"Check the address. {step}") from error
        sha = remote.resolve(ref)[1] if ref else settings_sha
        git, fetched_from = build_git(config), remote.remote()
        for needed in dict.fromkeys((sha, settings_sha)):
            git.fetch(repo, fetched_from, needed)
    return Source(git, repo, sha, settings_sha, lambda: fetched_from)


def _open_here(config: Config, options: argparse.Namespace) -> Source | None:
    """The repository on this machine; None where REPO names no file here."""
    if "://" in options.repo or not Path(options.repo).exists():
        return None
    from bot.adapters.git import LocalGit

    local = LocalGit(Path(options.repo), index_cache_dir=words_dir(config))
    sha = local.resolve(options.ref)
    name = Path(options.repo).resolve().name
    return Source(local, name, sha, sha, count_uncommitted=local.count_uncommitted)
