"""What a person sees while `run` works: one line that changes, on a terminal; else a line for each step
and each reply."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, Protocol

from bot.cli.output import allow_rich, print_note
from bot.types import Purpose, Reply, ShownFile, Solution

if TYPE_CHECKING:
    from rich.text import Text

_STEPS: Mapping[Purpose, str] = {
    "choose": "choosing what to read",
    "generate": "writing the change",
    "repair": "having edits sent again",
    "more": "showing more",
    "reflect": "reviewing",
    "compare": "comparing two versions",
}
"""By the purpose of the call that is waited for."""
_FRAMES = "|/-\\"
_FRAMES_PER_S = 4


class Progress(Protocol):
    def step(self, name: str) -> None: ...

    def asking(self, purpose: Purpose) -> None: ...

    def replied(self, purpose: Purpose, reply: Reply, /) -> None: ...

    def shown(self, files: Sequence[ShownFile]) -> None: ...

    def stop(self) -> None:
        """Clears the line: from here on, results are printed."""

    def finished(self, solution: Solution) -> None:
        """To be called last, after the diff was printed."""


@contextmanager
def open_progress() -> Iterator[Progress]:
    """The line is cleared at the end, however that comes."""
    if not sys.stderr.isatty():
        yield PlainProgress()
        return
    allow_rich()
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    if console.is_dumb_terminal:
        yield PlainProgress()
        return
    progress = LiveProgress()
    signal.signal(signal.SIGTERM, _end)
    # What is printed on stderr meanwhile, logs too, goes above the line.
    with Live(
        get_renderable=progress.render,
        console=console,
        transient=True,
        redirect_stdout=False,
        refresh_per_second=_FRAMES_PER_S,
    ) as live:
        progress.clear_line = live.stop
        yield progress


def _end(number: int, _frame: object) -> NoReturn:
    """Unlike the default, it lets the terminal have its cursor back."""
    raise SystemExit(128 + number)


class PlainProgress:
    def step(self, name: str) -> None:
        print_note(name)

    def asking(self, purpose: Purpose) -> None: ...

    def replied(self, purpose: Purpose, reply: Reply) -> None:
        cached = f" ({reply.cached_tokens} cached)" if reply.cached_tokens else ""
        print_note(
            f"  {purpose}: {reply.prompt_tokens} tokens in{cached},"
            f" {reply.completion_tokens} out, {reply.seconds:.1f} s"
        )

    def shown(self, files: Sequence[ShownFile]) -> None: ...

    def stop(self) -> None: ...

    def finished(self, solution: Solution) -> None: ...


class LiveProgress:
    """Counts what happens. All words of the line are ours: of repositories and models it has numbers
    alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._began_s = clock, clock()
        self._step = "reading the repository"
        self._files = frozenset[str]()
        self._calls = self._tokens_in = self._tokens_out = 0
        self._cost_usd: float | None = None
        self.clear_line: Callable[[], None] = lambda: None

    def step(self, name: str) -> None: ...

    def asking(self, purpose: Purpose) -> None:
        self._step = _STEPS[purpose]

    def replied(self, _purpose: Purpose, reply: Reply) -> None:
        self._calls += 1
        self._tokens_in += reply.prompt_tokens
        self._tokens_out += reply.completion_tokens
        if reply.cost_usd is not None:
            self._cost_usd = (self._cost_usd or 0.0) + reply.cost_usd

    def shown(self, files: Sequence[ShownFile]) -> None:
        self._files |= {file.path for file in files}

    def render(self) -> Text:
        from rich.text import Text

        frame = _FRAMES[int(self._clock() * _FRAMES_PER_S) % len(_FRAMES)]
        line = f"{frame} {self._step}: {self._seconds():.0f} s"
        if self._files:
            line += f", {_count(len(self._files), 'file')} shown"
        if self._calls:
            line += f", {self._tokens_in + self._tokens_out:,} tokens"
        return Text(line, no_wrap=True, overflow="ellipsis")

    def stop(self) -> None:
        self.clear_line()

    def finished(self, solution: Solution) -> None:
        files = solution.revisions[-1].patch.files
        added, removed = sum(file.added for file in files), sum(file.removed for file in files)
        change = f"{_count(len(files), 'file')} changed, +{added} -{removed}"
        cost = "" if self._cost_usd is None else f", ${self._cost_usd:.2f}"
        print_note(
            f"{change if files else 'No change'}: {self._seconds():.0f} s,"
            f" {_count(len(self._files), 'file')} shown, {_count(self._calls, 'call')},"
            f" {self._tokens_in:,} tokens in, {self._tokens_out:,} out{cost}"
        )

    def _seconds(self) -> float:
        return self._clock() - self._began_s


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
