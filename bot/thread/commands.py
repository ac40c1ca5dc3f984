"""The grammar of `/tinygen`: which comments hold a command, and what it asks for.

A command begins a line that a reader sees as the writer's own words: outside code, quotes, links
and HTML comments. A Markdown parser finds blocks of code and quotes. It reports no positions inside
a paragraph, so code spans, links and comments there are blanked out here. Mail programs quote
without Markdown's `>`, so everything below the header of a quoted mail is ignored.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import get_args

from markdown_it import MarkdownIt

from bot.errors import BadRequest
from bot.types import SILENT, Command, Verb
from bot.types.names import close_names, is_branch_name

MAX_BODY_CHARS = 262_144
"""A longer comment is not read. GitHub's own limit is 65,536."""

_COMMAND = re.compile(r"^ {0,3}/tinygen(?=\s|\Z)", re.IGNORECASE | re.MULTILINE)
_MENTION = re.compile(r"(?<![\w/@.-])@tinygen(?:-[\w-]++)?(?![\w/])", re.IGNORECASE)
_BACKTICKS = re.compile(r"\\`|`+")
_HTML_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_LINK = re.compile(r"\[[^\[\]]*\](?:\([^()]*\)|\[[^\[\]]*\])")
_MAIL_NAMES = "From|Von|De|Da|Van|Från|Fra|Od|От|От кого|Kimden|发件人|寄件者|差出人|보낸 사람"
_HEADER_LINE = r"\**[^\s:：][^:：\n]{0,30}[:：]"
_QUOTED_MAIL = re.compile(
    # On Monday, 3 June 2024 at 10:00, Mona <mona@example.com> wrote:
    r"^(?=[^\n]{0,300}(?:\n[^\n]{0,200})?\S@\S{1,100}>)(?=[^\n]{0,300}(?:\d{4}|\d{1,2}[:.h]\d{2}))"
    r"[^\n]{1,300}(?:\n[^\n]{1,200})?[:：][ \t]*\n(?!\s*>)"
    # The same without an address, in some languages.
    r"|^(?:On|Am|Le|El|Il|Em)\b[^\n]{1,200}(?:\n[^\n]{0,200})?(?:wrote|schrieb|a écrit|escribió|ha"
    r" scritto|escreveu)[^\n:]{0,100}:[ \t]*\n(?!\s*>)"
    r"|^(?=[^\n]{0,100}\d)[^\n]{1,200}(?:schreef|skrev|napisał|написал|kirjoitti|yazdı|写道|寫道|작성)"
    r"[^\n:：]{0,100}[:：][ \t]*\n(?!\s*>)"
    # --- Original message ---, or the same in any language above a header
    r"|^-{2,} ?(?:Original Message|Forwarded message|Ursprüngliche Nachricht) ?-{2,}"
    rf"|^-{{2,}} ?[^\n-]{{3,60}} ?-{{2,}}[ \t]*\n\s{{0,4}}{_HEADER_LINE}"
    # From: Mona
    # Sent: Monday
    rf"|^\**(?:{_MAIL_NAMES})\**\s?[:：][^\n]{{1,300}}\n(?:[^\n]{{0,300}}\n)?{_HEADER_LINE}",
    re.MULTILINE | re.IGNORECASE,
)
"""The header of a mail that is quoted without `>`, in any language: an address and a date above a
colon, or a block of headers. If `>` follows, Markdown knows the quote."""
_HIDING_TAG = re.compile(
    r"<(/?)(?:blockquote|code|pre|script|style|template|textarea|title|xmp)\b", re.IGNORECASE
)
_HIDING_BLOCK = re.compile(r" {0,3}<(?:!|\?)")
"""Comments, processing instructions, declarations and CDATA, which a page does not show."""
_FLAG = re.compile(r"--(?P<name>[a-z][a-z-]*)(?:=(?P<value>\S+))?(?=\s|\Z)\s*+", re.IGNORECASE)
_VALUE = re.compile(r"([^ \n]*)\s*+")
_END_OF_FLAGS = re.compile(r"--(?=\s|\Z)\s*+")
"""What follows is the prompt, even if its first word is `ask`."""
_ASK = re.compile(r"ask(?::|(?=\s|\Z))\s*+", re.IGNORECASE)
_APPLY_ID = re.compile(r"apply\s{1,10}`?(?P<id>[0-9a-f]{8})`?", re.IGNORECASE)

_LONE_WORDS: tuple[Verb, ...] = tuple(
    verb for verb in get_args(Verb) if verb not in ("solve", "ask", *SILENT)
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
    "revert": "undo",
    "close": "undo",
    "question": "ask",
    "explain": "ask",
}
"""Words of other tools for the same commands, to suggest ours."""
_FLAGS = ("pr", "diff", "base", "new", "force")
_MAX_WORD_CHARS = 40
"""A longer word is not taken for a misspelt command."""


def parse_command(body: str) -> Command | None:
    """The command in a comment's Markdown; None if there is none. The prompt is all text after
    `/tinygen` and its flags, verbatim except for white space around it."""
    if len(body) > MAX_BODY_CHARS:
        return None
    found = _COMMAND.search(body)
    if found is None:
        return None
    if not body[: found.start()].strip():
        # Nothing is before it, so it is in no code, quote or comment: the common case, and cheap.
        return parse_words(body[found.end() :])
    end = _find_in_own_words(_COMMAND, body)
    return None if end is None else parse_words(body[end:])


def is_mentioned(body: str) -> bool:
    """Whether the comment names TinyGen, or an App whose name begins so, in the writer's own
    words."""
    if len(body) > MAX_BODY_CHARS or "@tinygen" not in body.casefold():
        return False
    return _find_in_own_words(_MENTION, body) is not None


def unreadable(command: Command) -> BadRequest:
    """For a command with a `problem`."""
    return BadRequest(command.problem, next_step="`/tinygen help` shows all commands.")


def parse_words(words: str) -> Command:
    """The command of the words after `/tinygen`."""
    rest = words.strip()
    for verb in _LONE_WORDS:
        if rest.casefold() == verb:
            return Command(verb)
    apply = _APPLY_ID.fullmatch(rest)
    if apply:
        return Command("apply", apply["id"].lower())

    command, at = _parse_flags(rest)
    end = _END_OF_FLAGS.match(rest, at)
    if end or command.problem:
        return replace(command, prompt=rest[end.end() if end else at :])
    question = _ASK.match(rest, at)
    if question:
        return _question(replace(command, verb="ask", prompt=rest[question.end() :]))
    prompt = rest[at:]
    return replace(command, prompt=prompt, problem=_misspelt(prompt))


def _parse_flags(words: str) -> tuple[Command, int]:
    """The command with its flags, and the offset after them. It has a `problem` at the first flag
    that is not understood."""
    command = Command("solve")
    at = 0
    while not command.problem:
        flag = _FLAG.match(words, at)
        if flag is None:
            break
        name, value, at = flag["name"].casefold(), flag["value"], flag.end()
        if name == "base" and value is None:  # `--base BRANCH`, without `=`
            word = _VALUE.match(words, at)
            if word:
                value, at = word[1], word.end()
        command = _with_flag(command, name, value)
    return command, at


def _question(command: Command) -> Command:
    """An answer is no change, so a flag that says how a change is delivered contradicts it."""
    if command.mode is None:
        return command
    return replace(
        command,
        problem=(
            f"`--{command.mode}` asks for a change, and `ask` for an answer. Write `/tinygen ask"
            f" QUESTION`, or `/tinygen --{command.mode} -- ask …` for a task that begins with"
            " this word."
        ),
    )


def is_same_command(one: Command | None, other: Command | None) -> bool:
    """Whether both ask for the same. White space in the prompt makes no difference."""
    if one is None or other is None:
        return one is other
    if one.prompt.split() != other.prompt.split():
        return False
    return replace(one, prompt="") == replace(other, prompt="")


def _with_flag(command: Command, name: str, value: str | None) -> Command:
    if name == "pr" and value is None:
        return replace(command, mode="pr")
    if name == "diff" and value is None:
        return replace(command, mode="diff")
    if name == "new" and value is None:
        return replace(command, fresh=True)
    if name == "force" and value is None:
        return replace(command, force=True)
    if name == "base":
        if value and is_branch_name(value):
            return replace(command, base=value)
        return replace(
            command, problem="`--base` needs the name of a branch after it, as in `--base main`."
        )
    near = close_names(name, _FLAGS, most=1, least_likeness=0.5)
    hint = f" Did you mean `--{near[0]}`?" if near else ""
    return replace(
        command,
        problem=(
            f"`--{name}` is not one of `--pr`, `--diff`, `--base BRANCH`, `--new`, `--force`.{hint}"
        ),
    )


def _misspelt(prompt: str) -> str:
    """The problem with a prompt that is one word and similar to a command; "" if there is none."""
    if len(prompt) > _MAX_WORD_CHARS or len(prompt.split()) != 1:
        return ""
    word = prompt.casefold().strip(".!?`'\"")
    near = close_names(word, (*_LONE_WORDS, *_OTHER_WORDS), most=1, least_likeness=0.75)
    if not near:
        return ""
    meant = _OTHER_WORDS.get(near[0], near[0])
    words = f"{meant} QUESTION" if meant == "ask" else meant
    return (
        f"`{word}` is no command. Did you mean `/tinygen {words}`? A task takes more than one word."
    )


def _find_in_own_words(pattern: re.Pattern[str], body: str) -> int | None:
    """The offset in `body` after the first match in the writer's own words, or None."""
    text = re.sub(r"\r(?!\n)", "\n", body)  # the line ends of Markdown, at unchanged offsets
    mail = _QUOTED_MAIL.search(text.replace("\r", " "))
    if mail:
        text = text[: mail.start()]
    line_offsets = [0]
    for line in text.split("\n"):
        line_offsets.append(line_offsets[-1] + len(line) + 1)
    for first, last in _prose_ranges(text):
        start = line_offsets[first]
        found = pattern.search(_without_code(text[start : line_offsets[last]]))
        if found:
            return start + found.end()
    return None


def _prose_ranges(text: str) -> list[tuple[int, int]]:
    """The line ranges (first, past the last) of text outside quotes and code. Headings count:
    Markdown takes a paragraph above a line of dashes for one; and blocks of HTML, which go on below
    `<img>` or `</details>` up to a blank line."""
    lines = text.split("\n")
    ranges: list[tuple[int, int]] = []
    quote_depth = hiding_tags = 0
    for token in _parser().parse(text):
        if token.type in ("blockquote_open", "blockquote_close"):
            quote_depth += token.nesting
        elif token.type == "html_block" and token.map:
            first, last = token.map
            is_shown = not quote_depth and not _HIDING_BLOCK.match(lines[first])
            for number in range(first, last):
                if is_shown and not hiding_tags:
                    ranges.append((number, number + 1))
                tags = [tag[1] for tag in _HIDING_TAG.finditer(lines[number])]
                hiding_tags = max(0, hiding_tags + len(tags) - 2 * tags.count("/"))
        elif token.type in ("paragraph_open", "heading_open") and token.map:
            ranges += [] if quote_depth or hiding_tags else [(token.map[0], token.map[1])]
    return ranges


def _without_code(paragraph: str) -> str:
    """The paragraph with NUL for each character in code spans, links and HTML comments. Offsets stay
    unchanged."""
    pieces: list[str] = []
    done = 0
    for start, end in _code_spans(paragraph):
        pieces.append(paragraph[done:start])
        pieces.append(_blank(paragraph[start:end]))
        done = end
    text = "".join(pieces) + paragraph[done:]
    for hidden in (_HTML_COMMENT, _LINK):
        text = hidden.sub(lambda found: _blank(found[0]), text)
    return text


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", "\0", text)


def _code_spans(text: str) -> list[tuple[int, int]]:
    """The (start, end) of each code span. A run of backticks opens one, the next run of the same
    length closes it. https://spec.commonmark.org/0.31.2/#code-spans"""
    runs = [run.span() for run in _BACKTICKS.finditer(text) if run[0][0] == "`"]
    last_of_length = {end - start: index for index, (start, end) in enumerate(runs)}
    spans: list[tuple[int, int]] = []
    index = 0
    while index < len(runs):
        start, end = runs[index]
        length = end - start
        if last_of_length[length] > index:  # a closing run exists
            index += 1
            while runs[index][1] - runs[index][0] != length:
                index += 1
            spans.append((start, runs[index][1]))
        index += 1
    return spans


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").disable("inline")
