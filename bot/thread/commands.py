"""The grammar of `/tinygen`: which comments are commands, and what they ask.

A command stands at the start of a line, where a reader would see it as the writer's own words: not
in code, a quote, a link or an HTML comment. What Markdown holds to be code or a quote is asked of a
Markdown parser; its inline level does not report positions, so code spans, links and comments
inside a paragraph are blanked out here. Mail programs quote without Markdown's marks: below the
head of a quoted mail nothing is the writer's own.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import get_args

from markdown_it import MarkdownIt

from bot.types import Command, Verb
from bot.types.text import close_names

MAX_BODY_CHARS = 262_144
"""GitHub's own bound for a comment is 65,536; what is longer than this is not read at all."""

_COMMAND = re.compile(r"^ {0,3}/tinygen(?=\s|\Z)", re.IGNORECASE | re.MULTILINE)
_BACKTICKS = re.compile(r"\\`|`+")
_HTML_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_LINK = re.compile(r"\[[^\[\]]*\](?:\([^()]*\)|\[[^\[\]]*\])")
_QUOTED_MAIL = re.compile(
    r"^(?:On|Am|Le|El|Il|Em)\b[^\n]{1,200}(?:\n[^\n]{0,200})?(?:wrote|schrieb|a écrit|escribió|ha"
    r" scritto|escreveu)"
    r"[^\n:]{0,100}:[ \t]*\n(?!\s*>)"
    r"|^-{2,} ?(?:Original Message|Forwarded message|Ursprüngliche Nachricht) ?-{2,}"
    r"|^\**From:[^\n]{1,300}\n(?:[^\n]{0,300}\n)?\**(?:Sent|Date|To):",
    re.MULTILINE | re.IGNORECASE,
)
"""The head above a mail that a reply quotes without `>`. Where `>` follows, Markdown tells quote
from answer."""
_FLAG = re.compile(r"--(?P<name>[a-z][a-z-]*)(?:=(?P<value>\S+))?(?=\s|\Z)\s*+", re.IGNORECASE)
_VALUE = re.compile(r"([^ \n]*)\s*+")
_BRANCH = re.compile(
    r"(?![-/.])(?!.*(?:\.\.|//|@\{|\.lock(?:/|\Z)|/\.))[^\s~^:?*\[\\\x00-\x1f\x7f]{1,200}(?<![/.])"
)
"""What `git check-ref-format --branch` takes, a little narrower.
https://git-scm.com/docs/git-check-ref-format"""

_APPLY_ID = re.compile(r"apply\s{1,10}`?(?P<id>[0-9a-f]{8})`?", re.IGNORECASE)

_LONE_WORDS: tuple[Verb, ...] = tuple(
    verb for verb in get_args(Verb) if verb not in ("solve", "withdraw")
)
_OTHER_WORDS: dict[str, Verb] = {
    "stop": "cancel",
    "abort": "cancel",
    "again": "retry",
    "rerun": "retry",
    "redo": "retry",
    "deliver": "apply",
    "commands": "help",
    "usage": "help",
    "state": "status",
    "progress": "status",
}
"""What people say of these commands elsewhere."""
_FLAGS = ("pr", "diff", "base", "new")
_MAX_WORD_CHARS = 40
"""No longer word is a misspelt command."""


def parse_command(body: str) -> Command | None:
    """The command in a comment's Markdown; None where there is none. Everything after `/tinygen`
    and its flags is the prompt, verbatim but for white space around it."""
    found = None if len(body) > MAX_BODY_CHARS else _COMMAND.search(body)
    if found is None:
        return None
    # With nothing before it, it can be in no code, quote or comment.
    start = _command_end(body) if body[: found.start()].strip() else found.end()
    return None if start is None else parse_words(body[start:])


def parse_words(words: str) -> Command:
    """The command that the words after `/tinygen` make."""
    rest, command = words.strip(), Command("solve")
    if rest.casefold() in _LONE_WORDS:
        return Command(next(verb for verb in _LONE_WORDS if verb == rest.casefold()))
    if named := _APPLY_ID.fullmatch(rest):
        return Command("apply", named["id"].lower())
    at = 0
    while (flag := _FLAG.match(rest, at)) and not command.problem:
        name, value, at = flag["name"].casefold(), flag["value"], flag.end()
        if name == "base" and value is None and (word := _VALUE.match(rest, at)):
            value, at = word[1], word.end()
        command = _with_flag(command, name, value)
    return replace(command, prompt=rest[at:], problem=command.problem or _doubt(rest[at:]))


def is_same(one: Command | None, other: Command | None) -> bool:
    """Whether both ask for the same: white space makes no difference."""
    if one is None or other is None:
        return one is other
    return one.prompt.split() == other.prompt.split() and replace(one, prompt="") == replace(
        other, prompt=""
    )


def is_branch(name: str) -> bool:
    """Whether `name` may be a branch's name."""
    return _BRANCH.fullmatch(name) is not None


def _with_flag(command: Command, name: str, value: str | None) -> Command:
    if name == "pr" and value is None:
        return replace(command, mode="pr")
    if name == "diff" and value is None:
        return replace(command, mode="diff")
    if name == "new" and value is None:
        return replace(command, fresh=True)
    if name == "base":
        if value and is_branch(value):
            return replace(command, base=value)
        return replace(
            command, problem="`--base` needs the name of a branch after it, as in `--base main`."
        )
    near = close_names(name, _FLAGS, most=1, least_likeness=0.5)
    meant = f" Did you mean `--{near[0]}`?" if near else ""
    return replace(
        command,
        problem=f"`--{name}` is not one of `--pr`, `--diff`, `--base BRANCH`, `--new`.{meant}",
    )


def _doubt(prompt: str) -> str:
    """Why a single word is no prompt, though nothing else: it is near one of the commands that are
    words."""
    if len(prompt) > _MAX_WORD_CHARS or len(prompt.split()) != 1:
        return ""
    word = prompt.casefold().strip(".!?`'\"")
    near = close_names(word, (*_LONE_WORDS, *_OTHER_WORDS), most=1, least_likeness=0.75)
    if not near:
        return ""
    meant = _OTHER_WORDS.get(near[0], near[0])
    return (
        f"`{word}` is no command. Did you mean `/tinygen {meant}`? A task takes more than one word."
    )


def _command_end(body: str) -> int | None:
    """Where the first command's word ends in `body`, or None."""
    text = re.sub(r"\r(?!\n)", "\n", body)  # Markdown's line ends, at unchanged offsets
    mail = _QUOTED_MAIL.search(text.replace("\r", " "))
    text = text[: mail.start()] if mail else text
    offsets = [0]
    for line in text.split("\n"):
        offsets.append(offsets[-1] + len(line) + 1)
    for first, last in _prose_ranges(text):
        start = offsets[first]
        found = _COMMAND.search(_without_code(text[start : offsets[last]]))
        if found:
            return start + found.end()
    return None


def _prose_ranges(text: str) -> list[tuple[int, int]]:
    """The line ranges (first, past the last) of paragraphs that are the writer's own words. A
    paragraph above a line of dashes is a heading to Markdown, and no less the writer's."""
    ranges: list[tuple[int, int]] = []
    quotes = 0
    for token in _parser().parse(text):
        if token.type in ("blockquote_open", "blockquote_close"):
            quotes += token.nesting
        elif token.type in ("paragraph_open", "heading_open") and token.map and not quotes:
            ranges.append((token.map[0], token.map[1]))
    return ranges


def _without_code(paragraph: str) -> str:
    """The paragraph with code spans, links and HTML comments blanked out, every character in its
    place."""
    pieces, done = [], 0
    for start, end in _code_spans(paragraph):
        pieces += [paragraph[done:start], _blank(paragraph[start:end])]
        done = end
    text = "".join(pieces) + paragraph[done:]
    for hidden in (_HTML_COMMENT, _LINK):
        text = hidden.sub(lambda found: _blank(found[0]), text)
    return text


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", "\0", text)


def _code_spans(text: str) -> list[tuple[int, int]]:
    """A run of backticks opens a span that the next run of the same length closes.
    https://spec.commonmark.org/0.31.2/#code-spans"""
    runs = [run.span() for run in _BACKTICKS.finditer(text) if run[0][0] == "`"]
    last_of_length = {end - start: index for index, (start, end) in enumerate(runs)}
    spans: list[tuple[int, int]] = []
    index = 0
    while index < len(runs):
        start, end = runs[index]
        length = end - start
        if last_of_length[length] > index:
            index = next(
                i for i in range(index + 1, len(runs)) if runs[i][1] - runs[i][0] == length
            )
            spans.append((start, runs[index][1]))
        index += 1
    return spans


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").disable("inline")
