"""The wrappers that models and servers put around reasoning: edits in it are not meant.

Tags of DeepSeek, Qwen, Mistral, Kimi, Seed, Cohere, Gemma and others; Ollama's and Granite's
sentences; and the channels of gpt-oss (https://cookbook.openai.com/articles/openai-harmony), with
their special tokens or, if a server drops those, without.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass

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
    rf"(?<![`\"'])(?:(?:<|&lt;)/{_NAMES}(?:>|&gt;)|\[/THINK\]|◁/think▷|<unused95>|<channel\|>"
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
    r"(?:<\|message\|>|:\s|(?!\w)|(?=[A-Z]))"
)
_CHANNEL_END = re.compile(r"<\|(?:end|return|call)\|>")
_TOOL_CHANNEL = re.compile(r"(?:commentary|assistant|analysis)\s{0,4}to=")


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The wrappers in a line of prose."""

    rest: str | None
    """The line after them; None if the last of them goes on below."""
    closes_earlier: bool
    """One is closed that was not opened: everything before it was reasoning. Some servers' chat
    templates write the opening tag themselves."""


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


def read_reasoning(line: str) -> Reasoning | None:
    """None if the line has no wrapper at its beginning, and closes none."""
    position, closes_earlier = 0, False
    if heading := _ANSWER_HEADING.match(line):
        return Reasoning(line[heading.end() :], closes_earlier=True)
    while True:
        if start := _START.match(line, position):
            closed = _END.search(line, start.end())
            if closed is None:
                return Reasoning(None, closes_earlier)
            position = closed.end()
        elif end := _ANSWER.match(line, position) or _END.search(line, position):
            position, closes_earlier = end.end(), True
        elif position:
            return Reasoning(line[position:], closes_earlier)
        else:
            return None


def find_reasoning_end(lines: Sequence[str], start: int) -> tuple[int, str] | None:
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
