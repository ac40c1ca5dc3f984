"""The commands that work on one repository, without the App: the same loop, from a shell."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from dataclasses import asdict

from bot.app import (
    build_limits,
    build_parsers,
    build_shell_model,
    check_model_server,
    set_up_logs,
)
from bot.change.context import choose_context
from bot.change.edits import apply_edits, read_reply
from bot.change.prompts import generation_prompt, task_words
from bot.change.solve import solve
from bot.change.tokens import estimate_tokens
from bot.cli.files import read_prompt, read_reply_file, write_file
from bot.cli.output import print_diff, print_json, print_line, print_note
from bot.cli.repository.progress import Progress, open_progress
from bot.cli.repository.source import Source, open_source, open_view, tell_uncommitted
from bot.cli.repository.transcript import read_transcript, render_transcript
from bot.config import Config
from bot.errors import Unworkable
from bot.types import Context, Prompt, Reply, Solution
from bot.types.snapshot import RepositoryView


def run(config: Config, options: argparse.Namespace) -> int:
    """The loop; the diff on stdout, progress on stderr."""
    prompt = read_prompt(options.prompt)
    with open_progress() as progress:
        set_up_logs(config)
        reply_to = _replay(options.replay) if options.replay else None
        if reply_to is None:
            check_model_server(config)
        source = open_source(config, options)
        tell_uncommitted(source)
        opened = open_view(config, source, shows=True)
        calls: list[tuple[Prompt, Reply]] = []
        solution = solve(
            opened.task(source.repo, prompt),
            opened.view,
            _recording(
                reply_to or _asking(config, opened.settings.model),
                calls,
                progress,
                options.transcript,
            ),
            lambda changes: source.git.diff(source.repo, source.sha, changes),
            limits=build_limits(config),
            report_step=progress.step,
            report_shown=progress.shown,
            parsers=build_parsers(),
            seed=source.sha,
        )
        progress.stop()
        _print_solution(config, options, source, solution, [reply for _prompt, reply in calls])
        progress.finished(solution)
    return 0


def _print_solution(
    config: Config,
    options: argparse.Namespace,
    source: Source,
    solution: Solution,
    replies: list[Reply],
) -> None:
    last = solution.revisions[-1]
    print_note(last.summary)
    for note in solution.notes:
        print_note(f"note: {note}")
    if not last.patch.text:
        print_note("No change was made: the diff is empty.")
    if options.json:
        print_json(_solution_page(source, solution, replies), indent=1)
    else:
        print_diff(last.patch.text, has_colors=config.no_color is None)


def _recording(
    ask: Callable[[Prompt], Reply],
    calls: list[tuple[Prompt, Reply]],
    progress: Progress,
    transcript: str | None,
) -> Callable[[Prompt], Reply]:
    """`ask`, with each call added to `calls`, to the transcript and to the progress."""

    def ask_and_record(prompt: Prompt) -> Reply:
        progress.asking(prompt.purpose)
        reply = ask(prompt)
        calls.append((prompt, reply))
        if transcript:
            write_file(transcript, render_transcript(calls))
        progress.replied(prompt.purpose, reply)
        return reply

    return ask_and_record


def _asking(config: Config, name: str | None) -> Callable[[Prompt], Reply]:
    model = build_shell_model(config)
    return lambda prompt: model.ask(
        prompt, stop=lambda: False, deadline_s=config.call_s, model=name
    )


def _replay(name: str) -> Callable[[Prompt], Reply]:
    replies = iter(read_transcript(read_reply_file(name)))

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
    prompt = read_prompt(options.prompt)
    began = time.monotonic()
    source = open_source(config, options)
    tell_uncommitted(source)
    opened = open_view(config, source, shows=True)
    task = opened.task(source.repo, prompt)
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
    source = open_source(config, options)
    view = open_view(config, source, shows=False).view
    parts = read_reply(read_reply_file(options.reply_file), known=view.blobs)
    applied = apply_edits(view, {}, parts.edits, check_syntax=build_parsers().check_syntax)
    patch = source.git.diff(source.repo, source.sha, applied.changes)
    print_diff(patch.text, has_colors=config.no_color is None)
    faults = [
        f"{rejection.edit.path}: {rejection.message}" for rejection in applied.rejected
    ] + list(parts.problems)
    for fault in faults:
        print_note(" ".join(fault.split()))
    if not (applied.applied or faults):
        print_note("The reply says that nothing needs to change.")
    return 1 if faults else 0


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
