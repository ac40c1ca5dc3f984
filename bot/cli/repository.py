"""The commands that work on one repository, without the App: the same loop, from a shell."""

from __future__ import annotations

import argparse
import codecs
import re
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.app import (
    build_git,
    build_github,
    build_limits,
    build_model,
    build_parsers,
    set_up_logs,
    words_dir,
)
from bot.change.context import choose_context
from bot.change.edits import apply_edits, read_reply
from bot.change.prompts import generation_prompt, task_words
from bot.change.repository import Instructions, prepare_task, read_instructions
from bot.change.solve import solve
from bot.change.tokens import estimate_tokens
from bot.cli.output import print_diff, print_json, print_line, print_note
from bot.cli.transcript import read_transcript, render_transcript
from bot.config import Config
from bot.errors import BadRequest, NotFound, Unworkable
from bot.ports import Git
from bot.thread.settings import (
    FIX_SETTINGS,
    UNCLEAR_GUARDS,
    RepoSettings,
    read_settings_of,
    repository_policy,
)
from bot.types import Context, Prompt, Reply, Solution, Task
from bot.types.github import Remote
from bot.types.names import read_repo_url
from bot.types.snapshot import RepositoryView, Snapshot, view_repository


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


def _view(config: Config, source: Source, *, shows: bool) -> Opened:
    """`shows`: the model is to be shown files, which needs to be clear about which."""
    own = source.git.snapshot(source.repo, source.settings_sha)
    read = read_settings_of(own, models=config.model_names())
    for mistake in read.mistakes:
        print_note(f"note: {mistake}")
    if shows and "context" in read.unclear:
        raise BadRequest(UNCLEAR_GUARDS["context"], next_step=FIX_SETTINGS)
    policy = repository_policy(read.settings)
    words = read_instructions(view_repository(own, policy))
    return Opened(view_repository(source.snapshot(), policy), read.settings, words)


def run(config: Config, options: argparse.Namespace) -> int:
    """The loop; the diff on stdout, progress on stderr."""
    set_up_logs(config)
    source = _open(config, options)
    opened = _view(config, source, shows=True)
    calls: list[tuple[Prompt, Reply]] = []
    reply_to = _replay(options.replay) if options.replay else _asking(config, opened.settings.model)

    def ask(prompt: Prompt) -> Reply:
        reply = reply_to(prompt)
        calls.append((prompt, reply))
        if options.transcript:
            _write_file(options.transcript, render_transcript(calls))
        cached = f" ({reply.cached_tokens} cached)" if reply.cached_tokens else ""
        print_note(
            f"  {prompt.purpose}: {reply.prompt_tokens} tokens in{cached},"
            f" {reply.completion_tokens} out, {reply.seconds:.1f} s"
        )
        return reply

    solution = solve(
        opened.task(source.repo, options.prompt),
        opened.view,
        ask,
        lambda changes: source.git.diff(source.repo, source.sha, changes),
        limits=build_limits(config),
        report_step=print_note,
        parsers=build_parsers(),
        seed=source.sha,
    )
    last = solution.revisions[-1]
    print_note(last.summary)
    for note in solution.notes:
        print_note(f"note: {note}")
    if options.json:
        print_json(_solution_page(source, solution, [reply for _prompt, reply in calls]), indent=1)
    else:
        print_diff(last.patch.text)
    return 0


def _asking(config: Config, name: str | None) -> Callable[[Prompt], Reply]:
    model = build_model(config)
    return lambda prompt: model.ask(
        prompt, stop=lambda: False, deadline_s=config.call_s, model=name
    )


def _replay(name: str) -> Callable[[Prompt], Reply]:
    replies = iter(read_transcript(_read_file(name)))

    def next_reply(_prompt: Prompt) -> Reply:
        reply = next(replies, None)
        if reply is None:
            raise Unworkable(
                "The transcript has no more replies.",
                next_step="Record a new one with --transcript.",
            )
        return reply

    return next_reply


def context(config: Config, options: argparse.Namespace) -> int:
    """What the model would be shown, and why; no model is called."""
    set_up_logs(config)
    began = time.monotonic()
    source = _open(config, options)
    opened = _view(config, source, shows=True)
    task = opened.task(source.repo, options.prompt)
    budget_tokens = options.budget or config.context_tokens
    chosen = choose_context(opened.view, task_words(task), budget_tokens=budget_tokens)
    tokens = sum(
        estimate_tokens(message.text) for message in generation_prompt(task, chosen).messages
    )
    seconds = round(time.monotonic() - began, 3)
    if options.json:
        print_json(
            _context_page(chosen, mapped_files(chosen, opened.view), tokens, seconds), indent=1
        )
        return 0
    for part in chosen.shown:
        print_line(f"{part.path}:{part.start}-{part.end}  {part.tokens} tokens  {part.why}")
    print_line(f"{tokens} tokens in the whole first request, {seconds} s")
    return 0


def mapped_files(chosen: Context, view: RepositoryView) -> list[str]:
    """The files that the repository in brief names with their definitions."""
    heads = re.findall(r"^(.+) \(\d+ lines\)$", chosen.map, re.MULTILINE)
    return [path for path in heads if path in view.blobs]


def apply(config: Config, options: argparse.Namespace) -> int:
    """The diff that a model's reply makes; each edit that cannot be applied is one line on
    stderr."""
    set_up_logs(config)
    source = _open(config, options)
    view = _view(config, source, shows=False).view
    parts = read_reply(_read_file(options.reply_file), known=view.blobs)
    applied = apply_edits(view, {}, parts.edits, check_syntax=build_parsers().check_syntax)
    print_diff(source.git.diff(source.repo, source.sha, applied.changes).text)
    faults = [
        f"{rejection.edit.path}: {rejection.message}" for rejection in applied.rejected
    ] + list(parts.problems)
    for fault in faults:
        print_note(" ".join(fault.split()))
    if not (applied.applied or faults):
        print_note("The reply says that nothing needs to change.")
    return 1 if faults else 0


def _open(config: Config, options: argparse.Namespace) -> Source:
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
    with build_github(config) as github:
        remote = github.connect(repo, None)
        named = options.ref or ref
        _name, sha = remote.resolve(named)
        settings_sha = remote.resolve(None)[1] if named else sha
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
    return Source(local, Path(options.repo).resolve().name, sha, sha)


def _read_file(name: str) -> str:
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise BadRequest(
            f"{name} cannot be read: {error.strerror}.",
            next_step="Name the file that holds the reply.",
        ) from None
    has_mark = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if has_mark or content[:1_000].count(b"\0") > len(content[:1_000]) // 3:
        raise BadRequest(
            f"{name} is not UTF-8; it looks like UTF-16.",
            next_step="Save it as UTF-8, and try again.",
        )
    return content.decode("utf-8", "surrogateescape")


def _write_file(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadRequest(
            f"{name} cannot be written: {error.strerror}.",
            next_step="Name a file that can be made.",
        ) from None


def _solution_page(source: Source, solution: Solution, replies: list[Reply]) -> dict[str, object]:
    last = solution.revisions[-1]
    return {
        "diff": last.patch.text,
        "base_sha": source.sha,
        "summary": last.summary,
        "reflections": [
            asdict(revision.verdict) for revision in solution.revisions if revision.verdict
        ],
        "notes": list(solution.notes),
        "shown": [
            {"path": part.path, "start": part.start, "end": part.end, "why": part.why}
            for part in solution.shown
        ],
        "usage": {
            "calls": len(replies),
            "prompt_tokens": sum(reply.prompt_tokens for reply in replies),
            "cached_tokens": sum(reply.cached_tokens for reply in replies),
            "completion_tokens": sum(reply.completion_tokens for reply in replies),
        },
    }


def _context_page(
    chosen: Context, mapped: list[str], tokens: int, seconds: float
) -> dict[str, object]:
    return {
        "ranking": list(chosen.ranking),
        "shown": [
            {
                "path": part.path,
                "start": part.start,
                "end": part.end,
                "tokens": part.tokens,
                "why": part.why,
            }
            for part in chosen.shown
        ],
        "map": mapped,
        "tokens": tokens,
        "seconds": seconds,
    }
