"""Where a reply says which file it means: the decorations that models put around a path, taken off
again.

Which file is meant at a line of a reply: named there, above it, or before.

Which paths an edit may name: inside the repository, never git's own directory, and the same file
everywhere.

Git refuses most disguises of `.git` itself (`core.protectNTFS`, `core.protectHFS`); GitHub's API
and other people's machines are behind it, so all are refused here on every system.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence

from bot.change.edits.fences import Fences
from bot.change.edits.lines import composed
from bot.errors import BadRequest
from bot.types.snapshot import Blob, Changes

_MAX_CHARS = 400

_KNOWN_NAMES = frozenset(
    word
    for line in (
        (
            "makefile gnumakefile dockerfile containerfile jenkinsfile vagrantfile procfile"
            " rakefile gemfile guardfile"
        ),
        (
            "brewfile podfile fastfile justfile license licence copying notice authors contributors"
            " maintainers owners"
        ),
        (
            "codeowners readme changelog changes history news todo install version cname build"
            " workspace pipfile gradlew"
        ),
        "mvnw configure",
    )
    for word in line.split()
)
"""Names of files that have no extension, lower-cased."""

_NOT_PATHS = frozenset(
    {"node.js", "vue.js", "next.js", "asp.net", "vb.net", "e.g", "i.e", "...", "…", ".", ".."}
)

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
    r"(?:(?:new|updated?|modified|full|complete|create|edit|modify|change|changes"
    r" to|rewrite|add|in|a|the|to)\s+)*"
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
    """Whether a lone word is meant as a file's path: it has a directory, an extension, or a known
    name."""
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
    """The path, where the line holds a path and nothing else but decoration: list and heading
    marks, bold, code, quotes, a comment's signs, a tag, `File:`, a trailing colon, a remark such as
    `(new file)`. Those of `known` are paths whatever they look like."""
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
    """The path that a sentence names, where it names exactly one: in backticks, or else with its
    directory."""
    line = line[: _MAX_CHARS * 4]
    words = [word.strip("\"'*()[],:;").removesuffix(".") for word in line.split()]
    for named in (
        _QUOTED.findall(line),
        [word for word in words if "/" in word and _EXTENSION.search(word)],
    ):
        paths = {_shortened(name.strip()) for name in named if looks_like_path(name.strip())}
        if paths:
            return paths.pop() if len(paths) == 1 else None
    return None


def read_info(info: str) -> str | None:
    """The path in a fence's info string: "python src/a.py", "python:src/a.py", "src/a.py", 'js
    title="a.js"'."""
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
    is_named = path and (
        "/" in path or _EXTENSION.search(path) or path.endswith("file") or path.isupper()
    )
    return path if is_named else None


def _shortened(path: str) -> str:
    """Without `./`, which stays before a directory named as a diff's prefix: it says that none is
    meant."""
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


REACH = 12
"""How many lines above a block its path may stand, prose between."""


class Naming:
    """`known` are paths that exist: a line that is one of them names it, whatever it looks like."""

    def __init__(self, lines: Sequence[str], fences: Fences, known: Container[str]) -> None:
        self._lines = lines
        self._fences = fences
        self._known = known
        self.region = 0
        """The line after the last thing that was read: a path above it belongs to that."""
        self.last: str | None = None
        """The file that was meant last."""

    def label(self, line: str) -> str | None:
        return read_label(line, self._known)

    def of_block(self, number: int, named: str) -> str | None:
        """The file of the block at `number`: named by its own first line, by the nearest line above
        it that is a path, by a sentence above it that names one, or by the block before it."""
        own = self.label(named) if named else None
        if own:
            return own
        above = range(number - 1, max(self.region, number - REACH) - 1, -1)
        for reads in (self._of_line, self._of_sentence):
            found = next((path for line in above if (path := reads(line))), None)
            if found:
                return found
        return self.last

    def right_above(self, number: int) -> str | None:
        for line in range(number - 1, max(self.region, number - 3) - 1, -1):
            if self._lines[line].strip():
                return None if self._fences.at(line) else self.label(self._lines[line])
        return None

    def by_comment(self, number: int) -> str | None:
        return read_comment(self._lines[number]) if number < len(self._lines) else None

    def _of_line(self, number: int) -> str | None:
        fence = self._fences.at(number)
        return read_info(fence.info) if fence else self.label(self._lines[number])

    def _of_sentence(self, number: int) -> str | None:
        return None if self._fences.at(number) else read_mention(self._lines[number])


_MAX_PATH_BYTES = 1000
_MAX_NAME_BYTES = 255
_IGNORED_BY_HFS = dict.fromkeys(
    [
        *range(0x200C, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x206A, 0x2070),
        0xFEFF,
        0x200B,
        0x2060,
        0x00AD,
    ]
)
"""https://github.com/git/git/blob/master/utf8.c (next_hfs_char), and further signs that cannot be
seen."""
_SHORT_GIT = re.compile(r"\.?git~\d+")
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:[. ].*)?", re.IGNORECASE
)
"""https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file"""
_UNPORTABLE = frozenset('<>:"|?*')


def check_path(path: str) -> None:
    """Raises BadRequest where no file of this path may be made in any repository."""
    fault = path_fault(path) or new_path_fault(path)
    if fault:
        raise BadRequest(
            f"The path {path[:200]!r} {fault}.", next_step="Name a file inside the repository."
        )


def path_fault(path: str) -> str | None:
    """What forbids any edit of `path`, as the end of a sentence; None where nothing does."""
    if path.startswith(("/", "~/")) or re.match(r"[A-Za-z]:", path):
        return "is not relative to the repository's root"
    if "\\" in path:
        return "has a backslash; use `/`"
    if any(unicodedata.category(sign) == "Cc" for sign in path):
        return "has control characters"
    try:
        size_bytes = len(path.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return "has characters that no path can hold"
    if size_bytes > _MAX_PATH_BYTES:
        return f"is longer than {_MAX_PATH_BYTES} bytes"
    return next((fault for part in path.split("/") if (fault := _part_fault(part))), None)


def new_path_fault(path: str) -> str | None:
    """What forbids making `path` anew, though a repository that already has it may keep it: names
    that Windows cannot hold, and signs that make a name look like another."""
    for part in path.split("/"):
        if _RESERVED.fullmatch(part):
            return f"has the name {part!r}, which Windows reserves"
        if part != part.rstrip(". ") or part != part.lstrip():
            return "has a part that begins with a space or ends in a dot or a space"
        if _UNPORTABLE.intersection(part):
            return "has a character that Windows forbids in names"
        if part != part.translate(_IGNORED_BY_HFS):
            return "has invisible characters"
    return None


def _part_fault(part: str) -> str | None:
    if not part:
        return "has an empty part"
    if part in (".", ".."):
        return f"has a part `{part}`"
    if len(part.encode("utf-8", "surrogateescape")) > _MAX_NAME_BYTES:
        return f"has a part longer than {_MAX_NAME_BYTES} bytes"
    name = unicodedata.normalize("NFKC", part.translate(_IGNORED_BY_HFS)).casefold()
    name = re.split(r"[:\\]", name, maxsplit=1)[0].rstrip(". ")
    if name == ".git" or _SHORT_GIT.fullmatch(name):
        return "is inside git's own directory"
    return None


class Tree:
    """Which paths exist: the base's, with the changes so far."""

    def __init__(self, blobs: Mapping[str, Blob], changes: Changes) -> None:
        self._blobs = blobs
        self._changes = changes
        self._names: _Names | None = None
        self._prefixes: set[str] = set()

    def has(self, path: str) -> bool:
        change = self._changes.get(path)
        return change.content is not None if change else path in self._blobs

    def resolve(self, path: str) -> str:
        """The path that is meant by `./x`, or by `a/x` and `b/x` where a diff's prefix was left on
        it: such a file is there without the prefix, or its directory is, or another path of the
        reply showed that prefixes were left."""
        if path.startswith("./"):
            return path[2:]
        prefix, short = path[:2], path[2:]
        if not self.is_doubtful(path):
            return path if self.has(path) else self.names.spelling(path)
        if self.has(short):
            self._prefixes.add(prefix)
        return short if prefix in self._prefixes or self.is_dir(short.partition("/")[0]) else path

    def is_doubtful(self, path: str) -> bool:
        """Whether a diff's prefix may have been left on the path: nothing is known of a directory
        of that name."""
        known = self.has(path) or path[:1] in self._blobs or self.is_dir(path[:1])
        return path[:2] in ("a/", "b/") and len(path) > 2 and not known

    def is_dir(self, path: str) -> bool:
        return self.names.dirs[path] > 0

    @property
    def names(self) -> _Names:
        if self._names is None:
            gone = {path for path, change in self._changes.items() if change.content is None}
            self._names = _Names(
                path for path in {**self._blobs, **self._changes} if path not in gone
            )
        return self._names

    def note(self, path: str, *, exists: bool) -> None:
        """Tells of a change before it is made."""
        if self._names is not None and self.has(path) != exists:
            self._names.note(path, 1 if exists else -1)

    def link_above(self, path: str) -> str | None:
        """The symlink or submodule that the path leads through or is."""
        for part in (*_parents(path), path):
            blob = self._blobs.get(part)
            if blob and blob.mode in ("120000", "160000"):
                return part
        return None

    def place_fault(self, path: str, leaving: Collection[str] = ()) -> str | None:
        """What is in the way of a new file at `path`, as the end of a sentence; `leaving` are files
        that will go."""
        above = next(
            (part for part in _parents(path) if self.has(part) and part not in leaving), None
        )
        if above:
            return f"needs a directory where `{above}` is a file"
        going = {other for other in leaving if self.has(other)}
        if self.names.stays_dir(path, going):
            return "is a directory"
        twins = (self.names.twin(part, going) for part in (*_parents(path), path))
        twin = next((twin for twin in twins if twin), None)
        return (
            f"differs from `{twin}` only in case, which many systems cannot keep apart"
            if twin
            else None
        )


class _Names:
    """Counts of the files under each directory, and all names without regard to case."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.dirs: Counter[str] = Counter()
        self._files: Counter[str] = Counter()
        self._twins: dict[str, set[str]] = {}
        for path in paths:
            self.note(path, 1)

    def note(self, path: str, step: int) -> None:
        self._files[path] += step
        self._twins.setdefault(_fold(path), set()).add(path)
        for part in _parents(path):
            if part not in self.dirs:
                self._twins.setdefault(_fold(part), set()).add(part)
            self.dirs[part] += step

    def spelling(self, path: str) -> str:
        """The path as an existing file spells it in other code points: macOS decomposes what others
        compose."""
        same = composed(path)
        others = () if path.isascii() else self._twins.get(_fold(path), ())
        found = [other for other in others if self._files[other] > 0 and composed(other) == same]
        return found[0] if len(found) == 1 else path

    def stays_dir(self, path: str, going: Collection[str]) -> bool:
        count = self.dirs[path]
        return count > 0 and count > sum(other.startswith(f"{path}/") for other in going)

    def twin(self, path: str, going: Collection[str]) -> str | None:
        """Another name that only case tells from `path`, and that is there once `going` is gone."""
        twins = self._twins.get(_fold(path), ())
        others = sorted(other for other in twins if other != path and other not in going)
        return next(
            (other for other in others if self._files[other] > 0 or self.stays_dir(other, going)),
            None,
        )


def _parents(path: str) -> Iterator[str]:
    slash = path.find("/")
    while slash >= 0:
        yield path[:slash]
        slash = path.find("/", slash + 1)


def _fold(path: str) -> str:
    return path.lower() if path.isascii() else composed(path).casefold()
