"""Where a reply says which file it means: the decorations that models put around a path, taken off again."""

from __future__ import annotations

import re
from collections.abc import Container

_MAX_CHARS = 400

_KNOWN_NAMES = frozenset(
    word
    for line in (
        "makefile gnumakefile dockerfile containerfile jenkinsfile vagrantfile procfile rakefile gemfile guardfile",
        "brewfile podfile fastfile justfile license licence copying notice authors contributors maintainers owners",
        "codeowners readme changelog changes history news todo install version cname build workspace pipfile gradlew",
        "mvnw configure",
    )
    for word in line.split()
)
"""Names of files that have no extension, lower-cased."""

_NOT_PATHS = frozenset({"node.js", "vue.js", "next.js", "asp.net", "vb.net", "e.g", "i.e", "...", "…", ".", ".."})

_COMMENTS = (
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
_VERSION = re.compile(r"v?\d+(?:\.\d+)*")
_LINK = re.compile(r"\[([^\]]+)\](?:\([^)]*\))?")
_TAG = re.compile(
    r"<(?:file|edit|change|patch|update|create|write|document|source)\s+(?:path|name|file|filename)\s*+=\s*+[\"']?"
    r"([^\"'<>]{1,400}+)[\"']?\s*/?>|<(?:path|file|file_?path|file_?name)>([^<>]{1,400})</\w{1,20}>"
)
"""As in `<file path="src/a.py">` and `<path>src/a.py</path>`."""
_LIST_MARK = re.compile(r"(?:[-*+>]|\d{1,3}[.)])\s+")
_WORDS = re.compile(
    r"(?:(?:new|updated?|modified|full|complete|create|edit|modify|change|changes to|rewrite|add|in|a|the|to)\s+)*"
    r"(?:(?:file\s?name|file\s?path|file|path)\s*[:=]\s*|(?:file\s?name|file\s?path|file|path)\s|(?<=\s))\s*",
    re.IGNORECASE,
)
_REMARK = re.compile(r"(?<=[\w`*\"'])\s+\([^()]{1,60}\)$|(?<=[`*\"'])\s+[-–—]\s+.{1,120}$")
"""What follows a path: `(new file)`, `- adds the flag`."""
_LINES = re.compile(r"(?<=\w)[:#]L?\d{1,7}(?:[-–]L?\d{1,7})?$")
_QUOTES = ("===", "---", "**", "__", "`", "*", '"', "'")
_EXTENSION = re.compile(r"[^./\s]?\.[A-Za-z0-9_+-]{1,16}$")
_QUOTED = re.compile(r"`([^`\n]{1,400})`")
_CITED = re.compile(r"^\d{1,7}:\d{1,7}:")
"""First and last line, as some editors cite code."""
_INFO_KEY = re.compile(r"^(?:title|file|filename|file_name|path|name|src)=", re.IGNORECASE)


def looks_like_path(text: str) -> bool:
    """Whether a lone word is meant as a file's path: it has a directory, an extension, or a known name."""
    if not text or len(text) > _MAX_CHARS or text.lower() in _NOT_PATHS or "://" in text:
        return False
    if text.startswith(("//", "(")) or _VERSION.fullmatch(text):
        return False
    if any(sign in text for sign in '\t\r\n`<>|"') or text.endswith(("/", ",", ";", ")", "(")):
        return False
    if " " in text:
        return "/" in text.split(" ", 1)[0] and _EXTENSION.search(text) is not None
    name = text.rsplit("/", 1)[-1]
    return (
        "/" in text
        or (name.startswith(".") and len(name) > 1)
        or bool(_EXTENSION.search(name))
        or name.lower() in _KNOWN_NAMES
    )


def read_label(line: str, known: Container[str] = frozenset()) -> str | None:
    """The path, where the line holds a path and nothing else but decoration: list and heading marks, bold, code,
    quotes, a comment's signs, a tag, `File:`, a trailing colon, a remark such as `(new file)`. Those of `known` are
    paths whatever they look like."""
    text = line.strip()
    if len(text) > _MAX_CHARS * 2:
        return None
    if text in known:
        return text
    text = _LINES.sub("", text)
    if looks_like_path(text) and text[0] not in "#*`'\"_->;%[" and not text.endswith(":"):
        return _shortened(text)
    tag = _TAG.fullmatch(text)
    if tag:
        return _shortened((tag[1] or tag[2]).strip())
    text = _strip_list_mark(_strip_comment(text))
    for _ in range(4):
        text, before = _strip_layer(text, known), text
        if text == before:
            break
    return _shortened(text) if text in known or looks_like_path(text) else None


def read_mention(line: str) -> str | None:
    """The path that a sentence names, where it names exactly one: in backticks, or else with its directory."""
    line = line[: _MAX_CHARS * 4]
    words = [word.strip("\"'*()[],:;").removesuffix(".") for word in line.split()]
    for named in (_QUOTED.findall(line), [word for word in words if "/" in word and _EXTENSION.search(word)]):
        paths = {_shortened(name.strip()) for name in named if looks_like_path(name.strip())}
        if paths:
            return paths.pop() if len(paths) == 1 else None
    return None


def read_info(info: str) -> str | None:
    """The path in a fence's info string: "python src/a.py", "python:src/a.py", "src/a.py", 'js title="a.js"'."""
    for number, word in enumerate(info.split()):
        if word.startswith("{."):
            continue
        value = _CITED.sub("", _INFO_KEY.sub("", word.strip("{}")).strip("\"'`"))
        _, colon, rest = value.partition(":")
        if looks_like_path(value := rest if number == 0 and colon else value):
            return _shortened(value)
    return None


def read_comment(line: str) -> str | None:
    """The path that a comment line at the top of a fence consists of."""
    text = line.strip()
    bare = _strip_comment(text)
    if bare == text:
        return None
    path = read_label(bare)
    is_named = path and ("/" in path or _EXTENSION.search(path) or path.endswith("file") or path.isupper())
    return path if is_named else None


def _shortened(path: str) -> str:
    """Without `./`, which stays before a directory named as a diff's prefix: it says that none is meant."""
    while path.startswith("./") and not path.startswith(("./a/", "./b/")):
        path = path[2:]
    return path


def _strip_comment(text: str) -> str:
    for start, end in _COMMENTS:
        if text.startswith(start) and text.endswith(end) and len(text) > len(start) + len(end):
            text = text[len(start) : len(text) - len(end)]
            return text.lstrip(start[-1]).strip() if not end else text.strip()
    return text


def _strip_list_mark(text: str) -> str:
    return _LIST_MARK.sub("", text, count=1) if _LIST_MARK.match(text) else text


def _strip_layer(text: str, known: Container[str]) -> str:
    text = text.strip()
    link = _LINK.fullmatch(text)
    if link:
        return link.group(1)
    text = text.removesuffix(":").rstrip()
    text = _LINES.sub("", _REMARK.sub("", text))
    for quote in _QUOTES:
        if len(text) > 2 * len(quote) and text.startswith(quote) and text.endswith(quote):
            return text[len(quote) : -len(quote)].strip()
    plain = re.sub(r"^\*\*([^*]{1,40})\*\*", r"\1", text)
    words = _WORDS.match(plain)
    if words and words.end():
        name = _unquoted(plain[words.end() :])
        return plain[words.end() :] if name in known or looks_like_path(name) else text
    return text


def _unquoted(text: str) -> str:
    return text.strip().removesuffix(":").strip("`*\"' ")
