"""The commands that work on one repository, without the App: the same loop, from a shell."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.config import Config
from bot.core.context import choose_context
from bot.core.edits import apply_edits, read_reply
from bot.core.instructions import read_instructions
from bot.core.loop import solve
from bot.core.repo_settings import MAX_FILE_BYTES, MEND, SETTINGS_FILE, UNCLEAR, read_settings, with_rules
from bot.core.repo_url import read_repo_url
from bot.core.transcript import read_transcript, render_transcript
from bot.core.tree import Snapshot
from bot.core.types import Context, Prompt, Reply, Solution, Task
from bot.errors import BadRequest, NotFound, Unworkable
from bot.ports import Git
from bot.wiring import build_git, build_github, build_judge, build_limits, build_model, set_up_logs, words_dir


@dataclass(frozen=True, slots=True)
class Source:
    """A repository at a commit, wherever it came from."""

    git: Git
    repo: str
    sha: str

    def snapshot(self) -> Snapshot:
        return self.git.snapshot(self.repo, self.sha)


def run(config: Config, options: argparse.Namespace) -> int:
    """The loop; the diff on stdout, progress on stderr."""
    set_up_logs(config)
    source = _open(config, options)
    calls: list[tuple[Prompt, Reply]] = []
    reply_to = _replay(options.replay) if options.replay else _asking(config)

    def ask(prompt: Prompt) -> Reply:
        reply = reply_to(prompt)
        calls.append((prompt, reply))
        if options.transcript:
            _write_file(options.transcript, render_transcript(calls))
        _progress(
            f"  {prompt.purpose}: {reply.prompt_tokens} tokens in, {reply.completion_tokens} out, {reply.seconds:.1f} s"
        )
        return reply

    snapshot = source.snapshot()
    read = read_settings(_settings_file(snapshot), models=config.model_names())
    for mistake in read.mistakes:
        _progress(f"note: {mistake}")
    if "context" in read.unclear:
        raise BadRequest(UNCLEAR["context"], next_step=MEND)
    asked = "\n\n".join(part for part in (read_instructions(snapshot), read.settings.instructions) if part)
    solution = solve(
        Task(source.repo, options.prompt, instructions=asked, language=read.settings.language or ""),
        with_rules(snapshot, read.settings),
        ask,
        lambda changes: source.git.diff(source.repo, source.sha, changes),
        limits=build_limits(config),
        tell=_progress,
        judge=build_judge(),
    )
    last = solution.revisions[-1]
    _progress(last.summary)
    for note in solution.notes:
        _progress(f"note: {note}")
    if options.json:
        _print_json(_solution_page(source, solution, [reply for _prompt, reply in calls]))
    else:
        _print_diff(last.patch.text)
    return 0


def _settings_file(snapshot: Snapshot) -> bytes | None:
    """The repository's own settings, as they are at the commit that the caller named."""
    blob = snapshot.blobs.get(SETTINGS_FILE)
    if blob is None or not blob.mode.startswith("100"):
        return None
    if blob.size_bytes > MAX_FILE_BYTES:
        raise BadRequest(f"`{SETTINGS_FILE}` is larger than {MAX_FILE_BYTES} bytes.", next_step=MEND)
    return next(iter(snapshot.read([blob])))


def _asking(config: Config) -> Callable[[Prompt], Reply]:
    model = build_model(config)
    return lambda prompt: model.ask(prompt, stop=lambda: False, deadline_s=config.call_s)


def _replay(name: str) -> Callable[[Prompt], Reply]:
    replies = iter(read_transcript(_read_file(name)))

    def next_reply(_prompt: Prompt) -> Reply:
        reply = next(replies, None)
        if reply is None:
            raise Unworkable("The transcript has no more replies.", next_step="Record a new one with --transcript.")
        return reply

    return next_reply


def context(config: Config, options: argparse.Namespace) -> int:
    """What the model would be shown, and why; no model is called."""
    set_up_logs(config)
    began = time.monotonic()
    source = _open(config, options)
    chosen = choose_context(source.snapshot(), options.prompt, budget_tokens=options.budget or config.context_tokens)
    seconds = round(time.monotonic() - began, 3)
    if options.json:
        _print_json(_context_page(chosen, seconds))
        return 0
    for part in chosen.shown:
        print(f"{part.path}:{part.start}-{part.end}  {part.tokens} tokens  {part.why}")
    print(f"{chosen.tokens} tokens with the repository in brief, {seconds} s")
    return 0


def apply(config: Config, options: argparse.Namespace) -> int:
    """The diff that a model's reply makes; each edit that cannot be applied is one line on stderr."""
    set_up_logs(config)
    source = _open(config, options)
    snapshot = source.snapshot()
    parts = read_reply(_read_file(options.reply_file), known=snapshot.blobs)
    applied = apply_edits(snapshot, {}, parts.edits)
    _print_diff(source.git.diff(source.repo, source.sha, applied.changes).text)
    if not (parts.edits or parts.problems):
        _progress("The reply holds no edits.")
    faults = [f"{rejection.edit.path}: {rejection.message}" for rejection in applied.rejected] + list(parts.problems)
    for fault in faults:
        _progress(" ".join(fault.split()))
    return 1 if faults else 0


def _open(config: Config, options: argparse.Namespace) -> Source:
    if "://" not in options.repo and Path(options.repo).exists():
        from bot.adapters.git import LocalGit

        local = LocalGit(Path(options.repo), words=words_dir(config))
        return Source(local, Path(options.repo).resolve().name, local.resolve(options.ref))
    if options.repo.startswith(("/", ".", "~")):
        raise NotFound(f"There is no directory {options.repo}.", next_step="Name a git directory or a GitHub URL.")
    repo, ref = read_repo_url(options.repo, config.github_server_url)
    with build_github(config) as github:
        remote = github.connect(repo, None)
        _name, sha = remote.resolve(options.ref or ref)
        git = build_git(config)
        git.fetch(repo, remote.remote(), sha)
    return Source(git, repo, sha)


def _read_file(name: str) -> str:
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise BadRequest(
            f"{name} cannot be read: {error.strerror}.", next_step="Name the file that holds the reply."
        ) from None
    return content.decode("utf-8", "surrogateescape")


def _write_file(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadRequest(
            f"{name} cannot be written: {error.strerror}.", next_step="Name a file that can be made."
        ) from None


def _solution_page(source: Source, solution: Solution, replies: list[Reply]) -> dict[str, object]:
    last = solution.revisions[-1]
    return {
        "diff": last.patch.text,
        "base_sha": source.sha,
        "summary": last.summary,
        "reflections": [
            {"confident": revision.verdict.confident, "reason": revision.verdict.reason}
            for revision in solution.revisions
            if revision.verdict
        ],
        "notes": list(solution.notes),
        "shown": [
            {"path": part.path, "start": part.start, "end": part.end, "why": part.why} for part in solution.shown
        ],
        "usage": {
            "calls": len(replies),
            "prompt_tokens": sum(reply.prompt_tokens for reply in replies),
            "completion_tokens": sum(reply.completion_tokens for reply in replies),
        },
    }


def _context_page(chosen: Context, seconds: float) -> dict[str, object]:
    return {
        "ranking": list(chosen.ranking),
        "shown": [
            {"path": part.path, "start": part.start, "end": part.end, "tokens": part.tokens, "why": part.why}
            for part in chosen.shown
        ],
        "tokens": chosen.tokens,
        "seconds": seconds,
    }


def _print_diff(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def _print_json(page: dict[str, object]) -> None:
    print(json.dumps(page, indent=1))


def _progress(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
