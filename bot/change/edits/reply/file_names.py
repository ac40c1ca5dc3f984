"""Which file a reply means: models write a path above a block, in a fence's info string, in a
comment or in a sentence, with all kinds of decoration around it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence

from bot.change.edits.reply.fences import Fence, Fences

LABEL_REACH_LINES = 12
"""How many lines above a block its path may stand."""

_MAX_PATH_CHARS = 400
_MAX_SENTENCE_CHARS = 1_600
_FILES_WITHOUT_EXTENSION = {
    "makefile", "gnumakefile", "dockerfile", "containerfile", "jenkinsfile", "vagrantfile",
    "procfile", "rakefile", "gemfile", "guardfile", "brewfile", "podfile", "fastfile", "justfile",
    "license", "licence", "copying", "notice", "authors", "contributors", "maintainers", "owners",
    "codeowners", "readme", "changelog", "changes", "history", "news", "todo", "install",
    "version", "cname", "build", "workspace", "pipfile", "gradlew", "mvnw", "configure",
}  # fmt: skip
"""In lower case."""
_NOT_PATHS = frozenset(
    {"node.js", "vue.js", "next.js", "asp.net", "vb.net", "e.g", "i.e", "...", "…", ".", ".."}
)
_COMMENT_SIGNS = (
    ("<!--", "-->"),
    ("/*", "*/"),
    ("{#", "#}"),
    ("(*", "*)"),
    ("//", ""),
    ("--", ""),
    (";", ""),
    ("%", ""),
    ("#", ""),
)
_QUOTE_SIGNS = ("===", "---", "**", "__", "`", "*", '"', "'")
_VERSION = re.compile(r"v?\d+(?:\.\d+)*")
_LINK = re.compile(r"\[([^\]]+)\](?:\([^)]*\))?")
_TAG = re.compile(
    r"<(?:file|edit|change|patch|update|create|write|document|source)\s+"
    r"(?:path|name|file|filename)\s*+=\s*+[\"']?([^\"'<>]{1,400}+)[\"']?\s*/?>"
    r"|<(?:path|file|file_?path|file_?name)>([^<>]{1,400})</\w{1,20}>"
)
"""As in `<file path="src/a.py">` and `<path>src/a.py</path>`."""
_ANGLE_BRACKETS = re.compile(r"<[^<>\s=]{1,400}\.\w{1,16}>")
_LIST_MARK = re.compile(r"(?:[-*+>]|\d{1,3}[.)])\s+")
_LEADING_WORDS = re.compile(
    r"(?:(?:new|updated?|modified|full|complete|create|edit|modify|change|changes"
    r" to|rewrite|add|in|a|the|to)\s+)*"
    r"(?:(?:file\s?name|file\s?path|file|path)\s*[:=]\s*"
    r"|(?:file\s?name|file\s?path|file|path)\s|(?<=\s))\s*",
    re.IGNORECASE,
)
_LEADING_BOLD = re.compile(r"^\*\*([^*]{1,40})\*\*")
_TRAILING_NOTE = re.compile(r"(?<=[\w`*\"'])\s+\([^()]{1,60}\)$|(?<=[`*\"'])\s+[-–—]\s+.{1,120}$")
"""What follows a path: `(new file)`, `- adds the flag`."""
_LINE_NUMBERS = re.compile(r"(?<=\w)[:#]L?\d{1,7}(?:[-–]L?\d{1,7})?$")
_EXTENSION = re.compile(r"[^./\s]?\.[A-Za-z0-9_+-]{1,16}$")
_CODE_SPAN = re.compile(r"`([^`\n]{1,400})`")
_LINE_RANGE = re.compile(r"^\d{1,7}:\d{1,7}:")
"""First and last line, as some editors cite code."""
_INFO_KEY = re.compile(r"^(?:title|file|filename|file_name|path|name|src)=", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"(?:application|audio|font|image|model|multipart|text|video)/")


class FileNames:
    """Finds the file that is meant at a line of a reply. `known` are existing paths: a line that is
    one of them names it, whatever it looks like."""

    def __init__(self, lines: Sequence[str], fences: Fences, known: Container[str]) -> None:
        self._lines = lines
        self._fences = fences
        self._known = known
        self.first_line = 0
        """The line after the last part that was read: a path above it belongs to that part."""
        self.last_path: str | None = None
        """The file of the last edit."""

    def read_label(self, line: str) -> str | None:
        return read_label(line, self._known)

    def read_info(self, fence: Fence) -> str | None:
        return _read_info(fence.info, self._known)

    def of_block(self, number: int, label: str) -> str | None:
        """The file of the block at line `number`: its own `label`, the one that is named above, or
        that of the last edit."""
        path = self.read_label(label) if label else None
        if path:
            return path
        return self.named_above(number) or self.last_path

    def named_above(self, number: int) -> str | None:
        """The path of the nearest line above that is one, or else of the nearest sentence."""
        above = range(number - 1, max(self.first_line, number - LABEL_REACH_LINES) - 1, -1)
        for read_line in (self._read_line, self.read_sentence):
            for line in above:
                path = read_line(line)
                if path:
                    return path
        return None

    def right_above(self, number: int) -> str | None:
        """The path that the nearest line above consists of."""
        above = self.text_above(number)
        return None if above is None else self.read_label(self._lines[above])

    def text_above(self, number: int) -> int | None:
        """The nearest line above that is not blank, at most three lines up, unless it is a
        fence."""
        for above in range(number - 1, max(self.first_line, number - 3) - 1, -1):
            if self._lines[above].strip():
                return None if self._fences.at(above) else above
        return None

    def read_sentence(self, number: int) -> str | None:
        """The path that the sentence in this line names, if it names exactly one: in backticks, or
        else one that exists or has its directory."""
        paths = set() if self._fences.at(number) else self._mentioned(self._lines[number])
        return paths.pop() if len(paths) == 1 else None

    def mentions_file(self, line: str) -> bool:
        return bool(self._mentioned(line))

    def _mentioned(self, line: str) -> set[str]:
        line = line[:_MAX_SENTENCE_CHARS]
        in_backticks = self._paths_of(_CODE_SPAN.findall(line))
        if in_backticks:
            return in_backticks
        words = (word.strip("\"'*()[],:;").removesuffix(".") for word in line.split())
        return self._paths_of(
            word
            for word in words
            if word in self._known or ("/" in word and _EXTENSION.search(word))
        )

    def in_comment(self, number: int) -> str | None:
        """The path that the comment in this line, at the top of a fence, consists of."""
        text = self._lines[number].strip() if number < len(self._lines) else ""
        comment = _strip_comment(text)
        return self.read_label(comment) if comment != text else None

    def _read_line(self, number: int) -> str | None:
        fence = self._fences.at(number)
        return self.read_info(fence) if fence else self.read_label(self._lines[number])

    def _paths_of(self, names: Iterable[str]) -> set[str]:
        stripped = (name.strip() for name in names)
        return {name for name in stripped if name in self._known or _looks_like_path(name)}


def read_label(line: str, known: Container[str] = frozenset()) -> str | None:
    """The path, if the line holds a path and nothing else but decoration: list and heading marks,
    bold, code, quotes, comment signs, a tag, `File:`, a trailing colon, a note such as
    `(new file)`. Those of `known` are paths whatever they look like."""
    if len(line) > _MAX_PATH_CHARS * 2:
        return None
    text = line.strip().replace("\\_", "_")
    if _ANGLE_BRACKETS.fullmatch(text):
        text = text[1:-1]
    if text in known:
        return text
    text = _LINE_NUMBERS.sub("", text)
    is_decorated = text[:1] in tuple("#*`'\"_->;%[") or text.endswith(":")
    if not is_decorated and _looks_like_path(text):
        return text
    tag = _TAG.fullmatch(text)
    if tag:
        return (tag[1] or tag[2]).strip()
    text = strip_list_mark(_strip_comment(text))
    for _ in range(4):
        before = text
        text = _strip_decoration(text, known)
        if text == before:
            break
    return text if text in known or _looks_like_path(text) else None


def _read_info(info: str, known: Container[str]) -> str | None:
    """The path in a fence's info string: "python src/a.py", "python:src/a.py", "src/a.py", 'js
    title="a.js"'. A first word that may be the name of a language or a media type is a path only if
    it is known."""
    for number, word in enumerate(info.split()):
        value = _LINE_RANGE.sub("", _INFO_KEY.sub("", word.strip("{}")).strip("\"'`"))
        value = _LINE_NUMBERS.sub("", value)
        _, colon, after_colon = value.partition(":")
        if number == 0 and colon:
            value = after_colon
        is_tag = "/" not in value or _MEDIA_TYPE.match(value)
        if number == 0 and value == word and is_tag and value not in known:
            continue
        if value in known or _looks_like_path(value):
            return value
    return None


def _looks_like_path(text: str) -> bool:
    """Whether the text alone may be a file's path: it has a directory, an extension, or a known
    name."""
    if not text or len(text) > _MAX_PATH_CHARS or text.lower() in _NOT_PATHS or "://" in text:
        return False
    if text.startswith(("//", "(")) or _VERSION.fullmatch(text):
        return False
    if any(sign in text for sign in '\t\r\n`<>|"') or text.endswith(("/", ",", ";", ")", "(")):
        return False
    if " " in text:
        first, rest = text.split(" ", 1)
        return "/" in first and "/" not in rest and _EXTENSION.search(text) is not None
    if "/" in text:
        return True
    is_dot_file = text.startswith(".") and len(text) > 1
    return is_dot_file or bool(_EXTENSION.search(text)) or text.lower() in _FILES_WITHOUT_EXTENSION


def _strip_comment(text: str) -> str:
    for start, end in _COMMENT_SIGNS:
        if text.startswith(start) and text.endswith(end) and len(text) > len(start) + len(end):
            text = text.removeprefix(start).removesuffix(end)
            if not end:
                text = text.lstrip(start[-1])
            return text.strip()
    return text


def strip_quotes(text: str, signs: Sequence[str] = ("`", '"', "'")) -> str:
    """The text without the first of the signs that is at both of its ends."""
    for sign in signs:
        is_longer = len(text) > 2 * len(sign)
        if is_longer and text.startswith(sign) and text.endswith(sign):
            return text[len(sign) : -len(sign)]
    return text


def strip_list_mark(text: str) -> str:
    mark = _LIST_MARK.match(text)
    return text[mark.end() :] if mark else text


def _strip_decoration(text: str, known: Container[str]) -> str:
    """The text without its outermost link, quotes or leading words, whichever comes first."""
    text = text.strip()
    link = _LINK.fullmatch(text)
    if link:
        return link.group(1)
    text = text.removesuffix(":").rstrip()
    text = _LINE_NUMBERS.sub("", _TRAILING_NOTE.sub("", text))
    unquoted = strip_quotes(text, _QUOTE_SIGNS)
    if unquoted != text:
        return unquoted.strip()
    without_bold = _LEADING_BOLD.sub(r"\1", text)
    words = _LEADING_WORDS.match(without_bold)
    if words and words.end():
        rest = without_bold[words.end() :]
        name = rest.strip().removesuffix(":").strip("`*\"' ")
        return rest if name in known or _looks_like_path(name) else text
    return text
