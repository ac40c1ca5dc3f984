"""The wrappers that models and servers put around reasoning: edits in it are not meant.

Tags of DeepSeek, Qwen, Mistral, Kimi, Seed, Cohere, Gemma and others; Ollama's and Granite's
sentences; and the channels of gpt-oss (https://cookbook.openai.com/articles/openai-harmony), with
their special tokens or, if a server drops those, without.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Container, Sequence
from dataclasses import dataclass

from bot.change.edits.reply.blocks import opens_block, read_block
from bot.change.edits.reply.fences import Fences

_NAMES = (
    r"(?:\w{1,20}[:_])?(?:think(?:ing)?|thoughts?|thought_process|reasoning|analysis|reflection"
    r"|scratch_?pad|draft|(?:internal|inner)_\w{1,20}|monologue)"
)
_START = re.compile(
    rf"\s*+(?:(?:<|&lt;){_NAMES}(?:\s[^<>]{{0,200}})?(?:>|&gt;)|\[THINK\]|◁think▷"
    r"|<\|(?:begin_of_thought|start_thinking)\|>|<unused94>|<\|channel>thought"
    r"|<details\s[^<>]{0,200}type=.reasoning.[^<>]{0,200}>"
    r"|(?:<details>\s*)?<summary>[^<>]{0,40}(?:thought|think|reason)"
    r"|Thinking\.{3}\s*$|Here(?: i|['’])s my thought process:)",
    re.IGNORECASE,
)
_END = re.compile(
    rf"(?<![`\"'+-])(?:(?:<|&lt;)/{_NAMES}(?:>|&gt;)|\[/THINK\]|◁/think▷|<unused95>|<channel\|>"
    r"|<\|(?:end_of_thought|end_thinking)\|>|\.\.\.done thinking\.)(?![`\"'])",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"\s*+(?:<(?:final_)?(?:answer|response|solution)>"
    r"|<\|(?:begin_of_solution|start_response|begin_of_box)\|>|Here(?: i|['’])s my response:)",
    re.IGNORECASE,
)
"""What begins the answer after reasoning."""
_ANSWER_HEADING = re.compile(
    r"[#*_]{1,6}\s?(?:final )?(?:answer|response)[*_:]{0,4}\s*$", re.IGNORECASE
)
_DETAILS = re.compile(r"\s*+<(?:details|summary)", re.IGNORECASE)
_DETAILS_END = re.compile(r"</details>", re.IGNORECASE)

_CHANNEL = re.compile(
    r"\s*+(?:<\|start\|>)?(?:assistant\s{0,4})?"
    r"(?:<\|channel\|>|(?:analysis|commentary)(?:<\|message\|>|(?=[A-Z\"'*`\n])))"
)
_FINAL_CHANNEL = re.compile(
    r"(?:<\|channel\|>\s{0,4}|assistant\s{0,4})final(?:\s{0,4}<\|constrain\|>\w{1,20})?"
    r"(?:<\|message\|>|:\s|(?!\w)|(?=[A-Z]|[\w-]{1,80}[./]))"
)
_CHANNEL_END = re.compile(r"<\|(?:end|return|call)\|>")
_TOOL_CHANNEL = re.compile(r"(?:commentary|assistant|analysis)\s{0,4}to=")


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply's lines without its reasoning, and those of the reasoning."""

    lines: list[str]
    reasoning: list[str]
    has_end: bool = True
    """False if the last reasoning goes on to the end of the reply."""


def split_reasoning(lines: list[str]) -> Answer:
    """The reply without its reasoning, and the reasoning, in time near-linear in the lines. Wrappers
    inside of blocks and closed fences are content, unless reasoning that was not begun
    in such a fence ends there: then the fence is a part of it, and cut."""
    lines = list(lines)
    fences, ends = Fences(lines), closes_reasoning(lines)
    answer: list[str] = []
    reasoning: list[str] = []
    number = 0
    while number < len(lines):
        part_end = _end_of_part(lines, number, fences, ends)
        if part_end > number:
            answer += lines[number:part_end]
            number = part_end
            continue
        wrappers = _read_wrappers(lines[number])
        if wrappers is None:
            answer.append(lines[number])
            number += 1
            continue
        rest, closes_earlier = wrappers
        if closes_earlier:
            reasoning += answer
            answer = []
        found = (number, rest) if rest is not None else _find_end(lines, number)
        if found is None:
            return Answer(answer, reasoning + lines[number:], has_end=False)
        end, rest = found
        reasoning += lines[number:end]
        lines[end] = rest
        number = end
    return Answer(answer, reasoning)


def _end_of_part(lines: Sequence[str], number: int, fences: Fences, ends: Sequence[int]) -> int:
    """The line after the block or the fence that begins at this one; this one if none does."""
    if opens_block(lines[number]):
        return read_block(lines, number).end
    fence = fences.at(number)
    close = fences.close(fence) if fence else None
    if close is None:
        return number
    following = bisect_right(ends, number)
    is_cut = following < len(ends) and ends[following] < close
    return number if is_cut else close + 1


def strip_channels(text: str) -> tuple[str, str]:
    """The text of the final channel, and what the other channels hold beside reasoning, "" if
    nothing. A text without channels comes back as it is; without a final channel, the answer is
    "" ."""
    head = _CHANNEL.match(text)
    if head is None:
        return text, ""
    final = _FINAL_CHANNEL.search(text, head.start())
    if final is None:
        if head[0].endswith("analysis") and text[head.end()] == "\n":
            return text, ""
        end = _CHANNEL_END.search(text)
        answer = text[end.end() :] if end else ""
        return answer, "" if answer.strip() else "reasoning without an answer"
    end = _CHANNEL_END.search(text, final.end())
    answer = text[final.end() : end.start() if end else len(text)]
    called = _TOOL_CHANNEL.search(text, 0, final.start())
    return answer, "a tool call" if called else ""


def _read_wrappers(line: str) -> tuple[str | None, bool] | None:
    """The line after the wrappers at its beginning, None if the last of them goes on below; and
    whether one is closed that was not opened: some servers' chat templates write the opening tag
    themselves, so that everything before it was reasoning. None if the line has no wrapper at its
    beginning, and closes none."""
    position, closes_earlier = 0, False
    if heading := _ANSWER_HEADING.match(line):
        return line[heading.end() :], True
    while True:
        if start := _START.match(line, position):
            closed = _END.search(line, start.end())
            if closed is None:
                return None, closes_earlier
            position = closed.end()
        elif end := _ANSWER.match(line, position) or _END.search(line, position):
            position, closes_earlier = end.end(), True
        else:
            return (line[position:], closes_earlier) if position else None


def _find_end(lines: Sequence[str], start: int) -> tuple[int, str] | None:
    """The first line below `start` that ends the reasoning which begins there, and the rest of that
    line; None if there is none."""
    end_tag = _DETAILS_END if _DETAILS.match(lines[start]) else _END
    for number in range(start + 1, len(lines)):
        end = end_tag.search(lines[number]) or _ANSWER.match(lines[number])
        if end:
            return number, lines[number][end.end() :]
    return None


def holds_reasoning(lines: Sequence[str], known: Container[str]) -> bool:
    """Whether a line is a wrapper of reasoning, and none of the `known` ones."""
    return any(
        line not in known and (_START.fullmatch(line) or _END.fullmatch(line.strip()))
        for line in lines
    )


def closes_reasoning(lines: Sequence[str]) -> list[int]:
    """The lines, ascending, that end reasoning which they do not begin."""
    found = []
    is_open = False
    for number, line in enumerate(lines):
        if _START.match(line):
            is_open = _END.search(line) is None
        elif _END.search(line):
            if not is_open:
                found.append(number)
            is_open = False
    return found
