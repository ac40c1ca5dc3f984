"""Reads a task's text as a query to the repository: weighted terms, pairs of words and names to
look for, and the files that the text mentions by path or in a stack frame.

People say what they mean in the title and in prose, and paste the rest (code, stack traces, the
environment, templates). So the text is first split into sections of different weight.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Literal

from bot.change.context.tokenize import (
    MAX_WORD_CHARS,
    is_common,
    is_identifier,
    is_stop_word,
    split_stems,
)

MAX_TASK_CHARS = 48_000
"""Only the beginning and the end of a longer task are read: they hold the request; the middle is
usually a log."""

# How a text is split into sections.

_FENCE = re.compile(r"\s*(```|~~~)")
_CODE_SPAN = re.compile(r"`([^`\n]{1,200})`")
_URL = re.compile(r"\bhttps?://[^\s/]{1,200}(?P<path>/\S{0,500})?")
_MAX_COMMENT_CHARS = 5_000
"""A longer HTML comment is kept."""

_BOILERPLATE = re.compile(
    r"(?:merge (?:pull request|branch)\b.{0,200}|\(cherry picked from.{0,100}"
    r"|[\w-]{3,20}-by:.{0,200}|change-id:.{0,100}"
    r"|(?:fix(?:es|ed)?|closes?d?|refs?|see|resolves?):?(?:#\d*+|(?:GHSA|CVE)-\S++|[,\s]++)*+\.?)$",
    re.I,
)
_HEADING = re.compile(
    r"[#*\s-]*(describe the bug|(detailed )?description|steps?(/code)? to reproduce"
    r"|(how )?to reproduce|detail|(expected|actual|current)( behaviou?r| results?)?|versions?"
    r"|environment( info)?|additional context|screenshots|your project"
    r"|is your feature request.{0,80}|describe (the solution|alternatives).{0,60}"
    r"|\(?last modified by.{0,60}|feature or bugfix|bugfix|purpose|relates|checklist)[*:)\s]*$",
    re.I,
)
_SURROUNDINGS = re.compile(
    r"\s*+([-*]\s*+)?(os|operating system|platform|python|browser|extra tools|environment|system"
    r"|plugins|rootdir|cachedir|collected|darwin|linux|windows|node|npm|java|ruby"
    r"|[\w-]{1,30} (version|extensions)|[\w.-]{1,40}==\d|[\w-]{1,30}:? +v?\d+(\.\d+)+)\b.{0,80}$",
    re.I,
)
_NOISE_LINES = (_BOILERPLATE, _HEADING, _SURROUNDINGS)
"""Trailers of commit messages, headings of issue templates, and the asker's environment."""
_CODE_LINE = re.compile(
    r"\t| {4}|>>>|\.\.\. |\$ |.{0,200}[;{}]\s*$"
    r"|\s*(def|class|import|from|return|for|if|with|func|fn|let|const|var|public|private|package"
    r"|#include)\b.{0,200}[:({=.;]"
)
_SENTENCE = re.compile(r"[a-z]{3,20} [a-z]{2,20} [a-z]{3,20} [a-z]{3,20}")
_FRAME_LINE = re.compile(
    r"[\s>E]*+(File \"|at [\w.$<>]{1,200}\(|(\.\.?/|\S{1,200}\.\w{1,10}:\d))"
    r"|INTERNALERROR>\s+File \""
)
_ERROR_LINE = re.compile(
    r"(?:[>\s]|E(?=\s))*+[\w.]{0,100}(Error|Exception|Warning|panic|fatal)\b.{0,300}$"
)

# How the sections become a query.

MAX_TERMS = 250

_CODE_SPANS = "code_spans"
_SECTION_WEIGHTS = {
    "title": 2.0,
    "prose": 1.0,
    "error": 1.0,
    _CODE_SPANS: 1.0,
    "code": 0.6,
    "trace": 0.2,
}
_DAMPING = 2.0
"""A term that a section has n times counts n / (n + this). Both set together with
`ranking.WEIGHTS`, on the same changes; not measured one by one."""
_PHRASE_WORDS = 5

_WORD = re.compile(r"[^\W\d]\w*")
_NAME = re.compile(r"(?<!\w)(?P<name>[A-Za-z_]\w{0,80})\.?(?P<call>\(?)")
_SENTENCE_END = re.compile(r"[.;:()]\s|\n")

# How files are mentioned.

_MAX_FILES_PER_MENTION = 3
"""A mention that fits more files than this is ignored."""
_MAX_MENTIONS = 500
"""Of each way of mentioning."""
_MAX_PATH_PARTS = 16
"""Parts of a path that are compared, from its end: as many as `_PATH` matches."""
_EXTENSION = r"\.[A-Za-z]\w{0,9}\b"
_PATH = re.compile(
    r"(?<![\w/\\.-])(?P<path>(?:[\w@+~.-]{0,60}+[/\\]){0,15}[\w@+~.-]{0,80}[\w-]"
    rf"{_EXTENSION})(?:(?::|\#L)(?P<line>\d{{1,7}}))?"
)
_FRAME = re.compile(
    rf'File "(?P<python>[^"\n]{{1,300}})", line (?P<python_line>\d{{1,7}})'
    rf"|\bat [^\n(]{{0,200}}\((?P<java>[^\n():]{{1,300}}{_EXTENSION}):(?P<java_line>\d{{1,7}})"
    rf"|^[\s>E]{{0,20}}(?P<other>[^\s:()]{{1,300}}{_EXTENSION}):(?P<other_line>\d{{1,7}})",
    re.M,
)

StemPair = tuple[str, str]
Phrase = tuple[bytes, ...]

MentionKind = Literal["path", "name", "frame"]
"""`path`: a directory and a name at least, or a name in the title; `name`: a file's name alone,
which is as likely a file of the asker as one of the repository; `frame`: in a stack trace."""


@dataclass(frozen=True, slots=True)
class Sections:
    """A task's text in parts. `code` is what was pasted, except stack frames (`trace`) and error
    messages (`error`); `code_spans` are the words between backticks in title and prose."""

    title: str
    prose: str
    code: str
    trace: str
    error: str
    code_spans: str


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for in the repository's files. Names are in the task's spelling."""

    terms: Mapping[str, float]
    """Weights by term: stems, and whole words in lower case as `=word`."""
    pairs: frozenset[StemPair]
    """Stems of words that stand side by side in title and prose; stop words are skipped."""
    phrases: frozenset[Phrase]
    """Every five successive words of title and prose: a file that has them quotes the same text."""
    names: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Mention:
    """A file that the task mentions, with the line if one is given."""

    path: str
    kind: MentionKind
    weight: float = 1.0
    """1, shared among the files that fit equally well."""
    line: int | None = None


def read_task(text: str) -> Query:
    """The task as a query."""
    sections = split_sections(text)
    prose = f"{sections.title}\n{sections.prose}"
    names = {*_find_names(prose), *_find_names(sections.code_spans, keep_common=True)}
    return Query(
        terms=_weigh_terms(sections),
        pairs=frozenset(_find_pairs(prose)),
        phrases=find_phrases([word.encode() for word in re.findall(r"\w+", prose)]),
        names=frozenset(names),
    )


def split_sections(text: str) -> Sections:
    """The text's sections, without what says nothing about the task."""
    title, prose, pasted = _split_prose(_remove_noise(_shorten(text)))
    code, trace, error = _split_pasted(pasted)
    error += [line for line in prose if _ERROR_LINE.match(line) and not _SENTENCE.search(line)]
    code_spans = _CODE_SPAN.findall("\n".join((title, *prose)))
    return Sections(
        title=title,
        prose="\n".join(prose),
        code="\n".join(code),
        trace="\n".join(trace),
        error="\n".join(error),
        code_spans="\n".join(code_spans),
    )


def _shorten(text: str) -> str:
    if len(text) <= MAX_TASK_CHARS:
        return text
    return f"{text[: MAX_TASK_CHARS * 2 // 3]}\n{text[-MAX_TASK_CHARS // 3 :]}"


def _remove_noise(text: str) -> str:
    """The text without comments, boilerplate, and links except for the paths of linked files."""
    text = _URL.sub(_replace_link, _remove_comments(text))
    lines = text.split("\n")
    return "\n".join(line for line in lines if not any(noise.match(line) for noise in _NOISE_LINES))


def _replace_link(url: re.Match[str]) -> str:
    path = url["path"] or ""
    return f" {path} " if "/blob/" in path else " "


def _remove_comments(text: str) -> str:
    """The text without HTML comments; one that is not closed, or too long, is kept."""
    kept: list[str] = []
    copied_to = 0
    close = -1
    start = text.find("<!--")
    while start >= 0:
        if close < start + 4:  # else no comment ends before it: each end is searched once
            close = text.find("-->", start + 4)
        if close < 0:
            break
        if close - start - 4 <= _MAX_COMMENT_CHARS:
            kept.append(text[copied_to:start])
            copied_to = close + 3
        start = text.find("<!--", max(copied_to, start + 1))
    return "".join(kept) + text[copied_to:]


def _split_prose(text: str) -> tuple[str, list[str], list[str]]:
    """The title, the lines of prose, and the lines of code: fenced, or code by their looks."""
    title, _, rest = text.strip().partition("\n")
    prose: list[str] = []
    code: list[str] = []
    open_fence = ""
    for line in rest.split("\n"):
        fence = _FENCE.match(line)
        if fence and open_fence in ("", fence[1]):
            open_fence = "" if open_fence else fence[1]
        elif open_fence or (_CODE_LINE.match(line) and not _SENTENCE.search(line)):
            code.append(line)
        else:
            prose.append(line)
    return title, prose, code


def _split_pasted(pasted: list[str]) -> tuple[list[str], list[str], list[str]]:
    """The lines of code, of stack traces (each frame and the line after it), and of errors."""
    code: list[str] = []
    trace: list[str] = []
    error: list[str] = []
    after_frame = False
    for line in pasted:
        is_frame = _FRAME_LINE.match(line) is not None
        if is_frame:
            trace.append(line)
        elif _ERROR_LINE.match(line):
            error.append(line)
        elif after_frame:
            trace.append(line)
        else:
            code.append(line)
        after_frame = is_frame
    return code, trace, error


def _weigh_terms(sections: Sections) -> dict[str, float]:
    """The `MAX_TERMS` terms of most weight."""
    weights: dict[str, float] = defaultdict(float)
    for section, weight in _SECTION_WEIGHTS.items():
        words = _WORD.findall(getattr(sections, section))
        counts = Counter(_split_query_terms(words, keep_common=section == _CODE_SPANS))
        for term, count in counts.items():
            weights[term] += weight * count / (count + _DAMPING)
    best = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return dict(best[:MAX_TERMS])


def _split_query_terms(words: Iterable[str], *, keep_common: bool) -> Iterator[str]:
    """Every term as often as it counts: an identifier counts twice, since it says more than a
    word."""
    for word in words:
        if len(word) > MAX_WORD_CHARS:
            continue
        if is_common(word.lower()) and not keep_common:
            continue
        whole_word = f"={word.lower().strip('_')}"
        yield whole_word
        if is_identifier(word):
            yield whole_word
        for stem in split_stems(word):
            if keep_common or not is_common(stem):
                yield stem


def _find_pairs(text: str) -> Iterator[StemPair]:
    for sentence in _SENTENCE_END.split(text):
        stems = [stem for word in re.findall(r"\w+", sentence) for stem in split_stems(word)]
        yield from pairwise(stem for stem in stems if not is_stop_word(stem))


def find_phrases(words: list[bytes]) -> frozenset[Phrase]:
    """Every five successive words."""
    return frozenset(zip(*(words[n:] for n in range(_PHRASE_WORDS)), strict=False))


def _find_names(text: str, *, keep_common: bool = False) -> Iterator[bytes]:
    """Words that are spelt as names (`read_file`, `Parser`) or used as names (`parse(`)."""
    for match in _NAME.finditer(text):
        name = match["name"]
        is_called = bool(match["call"])
        is_letter = len(name) == 1
        may_skip = not (keep_common or is_called or is_letter)
        if may_skip and is_common(name.lower()):
            continue
        # The text's first word is in upper case anyway.
        is_capitalized = name[0].isupper() and (match.start() > 0 or is_letter)
        if keep_common or is_called or is_capitalized or is_identifier(name):
            yield name.encode()


def find_mentions(text: str, paths: Iterable[str]) -> tuple[Mention, ...]:
    """Every mention of one of the `paths` in the task's text; a file may be mentioned
    repeatedly."""
    text = _shorten(text)
    frames = list(islice(_FRAME.finditer(text), _MAX_MENTIONS))
    without_frames = _FRAME.sub(" ", text)
    path_matches = list(islice(_PATH.finditer(without_frames), _MAX_MENTIONS))
    file_names: set[str] = set()
    for match in (*frames, *path_matches):
        file_names.update(part.lower() for part in _path_parts(match)[-1:])
    lookup = _PathLookup(paths, file_names)
    title_end = len(without_frames.strip().partition("\n")[0])
    return (*_find_frames(frames, lookup), *_find_paths(path_matches, title_end, lookup))


def _path_parts(match: re.Match[str]) -> tuple[str, ...]:
    """The parts of the path in a match of `_FRAME` or `_PATH`."""
    groups = match.groupdict()
    path = groups.get("path") or groups.get("python") or groups.get("java") or groups.get("other")
    return tuple(part for part in re.split(r"[/\\]", path or "") if part not in ("", ".", ".."))


class _PathLookup:
    """Finds files by the last parts of their path. Only files with one of the names (in lower case)
    are kept."""

    def __init__(self, paths: Iterable[str], file_names: set[str]) -> None:
        self._by_suffix: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            if path.rpartition("/")[2].lower() in file_names:
                for suffix in _path_suffixes(path.lower()):
                    self._by_suffix[suffix].append(path)

    def find_path(self, parts: Sequence[str]) -> tuple[int, list[str]]:
        """How many of the last parts agree with a file's path, at most, and the files with which so
        many agree."""
        for depth in range(min(len(parts), _MAX_PATH_PARTS), 0, -1):
            found = self._by_suffix.get("/".join(parts[-depth:]).lower())
            if found:
                return depth, found
        return 0, []


def _path_suffixes(path: str) -> Iterator[str]:
    """The path's last part, its last two parts, and so on."""
    start = len(path)
    for _ in range(_MAX_PATH_PARTS):
        start = path.rfind("/", 0, start)
        yield path[start + 1 :]
        if start < 0:
            break


def _find_frames(frames: Iterable[re.Match[str]], lookup: _PathLookup) -> Iterator[Mention]:
    """The frames that are in one file of the repository, and in no other."""
    for frame in frames:
        parts = _path_parts(frame)
        depth, found = lookup.find_path(parts)
        if len(found) == 1 and depth >= min(2, len(parts)):
            line = int(frame["python_line"] or frame["java_line"] or frame["other_line"])
            yield Mention(found[0], "frame", line=line)


def _find_paths(
    matches: Sequence[re.Match[str]], title_end: int, lookup: _PathLookup
) -> Iterator[Mention]:
    for match in matches:
        parts = _path_parts(match)
        depth, found = lookup.find_path(parts)
        if not found or len(found) > _MAX_FILES_PER_MENTION:
            continue
        agrees_fully = depth == len(parts)
        ends_with_full_path = depth > 1 and any(path.count("/") + 1 == depth for path in found)
        is_specific = depth > 1 or match.start() < title_end
        is_path = (agrees_fully or ends_with_full_path) and is_specific
        line = int(match["line"]) if match["line"] else None
        for path in found:
            yield Mention(path, "path" if is_path else "name", 1 / len(found), line)
