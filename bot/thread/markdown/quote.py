"""Quotes words of models, servers and people so that they have no effect where we repeat them.

The rules are GitHub's: https://github.github.com/gfm/ for layout and links,
https://docs.github.com/en/get-started/writing-on-github for mentions, references and formulas, and
https://docs.github.com/en/actions/how-tos/manage-workflow-runs/skip-workflow-runs for commits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.types.characters import escape_unseen

MAX_QUOTED_CHARS = 4_000

_SURROGATE = re.compile("[\ud800-\udfff]")
_INVISIBLE_BREAK = "\u200b"
_ACTIVE = re.compile(
    r"(?P<mention>@)(?=\w)"
    r"|(?P<number>#|\bGH-|/(?:issues|pull|discussions|commit)/)(?=\w)"
    r"|(?P<tag><)(?=[A-Za-z/!?])"
    r"|(?P<link>!?\[|\](?=[(:\[]))"
    r"|(?P<url>:(?=//)|www(?=\.))"
    r"|(?P<entity>&)(?=[A-Za-z#])"
    r"|(?P<formula>\$)",
    re.IGNORECASE,
)
"""What GitHub would make a mention, a reference, a tag, a link, an image, a character or a
formula."""
_OPENING = re.compile(
    r"(?P<indent>[ \t]*+)(?P<ticks>`{3,}+|~{3,}+)[ \t]*+(?P<language>[^\s`]*+)[^`]*+"
)
_LANGUAGE = re.compile(r"[A-Za-z0-9+#-]{1,20}")
_ACTING_LANGUAGES = frozenset(
    ("suggestion", "mermaid", "math", "geojson", "topojson", "stl", "diff")
)
"""What GitHub draws or offers to commit; and `diff`, by which programs find a comment's one
result."""
_FENCE = re.compile(r"`(?=``)|~(?=~~)")
_BLOCK = re.compile(
    r"^(?P<head>[ \t]*+(?:(?:[-*+]|\d{1,9}[.)])[ \t]++)*+)"
    r"(?=#{1,6}(?:\s|$)|>|/[A-Za-z]|\||[-=_*|:][-=_*|: \t]*+$)",
    re.MULTILINE,
)
"""Beginnings of lines that would be headings, quotes, rules, rows of tables, or commands of other
bots. Lists are left."""
_SLASH = re.compile(r"^[ \t]*+/(?=[A-Za-z])", re.MULTILINE)
_BACKTICKS = re.compile(r"`++")

_ACTIVE_IN_COMMIT = re.compile(
    r"[@#](?=\w)|\bGH-(?=\d)|:(?=//)|/(?=(?:issues|pull)/\d)|\[(?=\s*+(?:skip|ci|no|actions)\b|[^\]\n]{0,30}\bskip\b)"
    r"|\*(?=\*\*NO_CI)|^(?=---)|^[ \t]*+(?:[A-Za-z]++(?:-[A-Za-z]++)++|BREAKING CHANGE)(?=:)",
    re.IGNORECASE | re.MULTILINE,
)
"""Mentions, references, words that skip checks, trailers such as `Release-As:`, and the line below
which git reads none."""


def neutralize(text: str, *, limit_chars: int = MAX_QUOTED_CHARS) -> str:
    """The text as Markdown for a comment, cut to a limit, with an invisible break wherever GitHub
    would act on it or the layout would break. Its lists and its code within a line stay. A character
    that a reader would not see is escaped."""
    text = shorten(_visible(text), limit_chars)
    text = _FENCE.sub(rf"\g<0>{_INVISIBLE_BREAK}", text)
    text = _BLOCK.sub(rf"\g<head>{_INVISIBLE_BREAK}", text)
    # A backslash would end what follows as code, or not.
    text = text.replace("\\`", f"\\{_INVISIBLE_BREAK}`")
    return "\n".join("".join(_neutral_parts(line)) for line in text.split("\n"))


def split_fences(text: str) -> Iterator[tuple[str | None, str]]:
    """The text as prose (None, text) and blocks of code (language, text), in their order. A block
    that nothing closes goes on to the end. The language is "" unless it is one of plain code: GitHub
    draws some, and offers others as a button."""
    prose: list[str] = []
    code: list[str] = []
    opening: re.Match[str] | None = None
    for line in _visible(text).split("\n"):
        if opening is None:
            opening = _OPENING.fullmatch(line)
            if opening is None:
                prose.append(line)
            else:
                yield None, "\n".join(prose)
                prose = []
        elif _closes(line, opening["ticks"]):
            yield _code_language(opening["language"]), "\n".join(code)
            opening, code = None, []
        else:
            code.append(line.removeprefix(opening["indent"]))
    if opening is None:
        yield None, "\n".join(prose)
    else:
        yield _code_language(opening["language"]), "\n".join(code)


def _closes(line: str, ticks: str) -> bool:
    run = line.strip()
    return len(run) >= len(ticks) and not run.strip(ticks[0])


def _code_language(name: str) -> str:
    is_plain = _LANGUAGE.fullmatch(name) and name.lower() not in _ACTING_LANGUAGES
    return name if is_plain else ""


def plain_words(text: str) -> str:
    """The text for a commit or a title, which are no Markdown: cut to a limit, with a space where
    GitHub or git would act on it."""
    return _ACTIVE_IN_COMMIT.sub(r"\g<0> ", shorten(_visible(text), MAX_QUOTED_CHARS))


def _visible(text: str) -> str:
    return escape_unseen(_SURROGATE.sub("\ufffd", text).replace("\r\n", "\n"))


def _neutral_parts(line: str) -> Iterator[str]:
    """Code within the line as it is; a backtick that opens or closes none is escaped, so that it
    pairs with none of another line. https://spec.commonmark.org/0.31.2/#code-spans"""
    runs = list(_BACKTICKS.finditer(line))
    last_of_length = {len(run[0]): index for index, run in enumerate(runs)}
    done = index = 0
    while index < len(runs):
        run = runs[index]
        yield _ACTIVE.sub(_break, line[done : run.start()])
        if last_of_length[len(run[0])] == index:
            yield "\\`" * len(run[0])
            done = run.end()
        else:
            index = next(at for at in range(index + 1, len(runs)) if runs[at][0] == run[0])
            done = runs[index].end()
            yield line[run.start() : done]
        index += 1
    yield _ACTIVE.sub(_break, line[done:])


def _break(found: re.Match[str]) -> str:
    before = _INVISIBLE_BREAK if found["formula"] else ""
    return f"{before}{found[0]}{_INVISIBLE_BREAK}"


def fence(text: str, language: str) -> str:
    """The text as a block of code, in a fence longer than any run of backticks in it.
    https://spec.commonmark.org/0.31.2/#fenced-code-blocks"""
    ticks = "`" * max(3, 1 + _longest_backticks(text))
    line_end = "" if text.endswith("\n") else "\n"
    return f"{ticks}{language}\n{text}{line_end}{ticks}"


def quote_code(text: str, language: str = "") -> str:
    """Somebody's text as a block of code. Where a line begins as a command of a bot, which may read
    the source of a comment, it has an invisible break; a character that a reader would not see is
    escaped."""
    return fence(_SLASH.sub(rf"{_INVISIBLE_BREAK}\g<0>", _visible(text)), language)


def code_span(text: str | None) -> str:
    """The text as code within a line; line ends become spaces, and a character that a reader would
    not see is escaped."""
    words = escape_unseen(re.sub(r"[\r\n\t]+", " ", text or ""))
    line = words.encode("utf-8", "backslashreplace").decode()
    ticks = "`" * (1 + _longest_backticks(line))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def _longest_backticks(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def shorten(text: str, limit_chars: int) -> str:
    """The text, with "…" at its end if it was cut to `limit_chars`."""
    return text if len(text) <= limit_chars else text[: limit_chars - 1].rstrip() + "…"
