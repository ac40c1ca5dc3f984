"""What a task asks for, as weighed words to look for.

Which files the task names outright: by path, by stack frame, by dotted module name.

A task's text, taken apart: people say what they mean in the title and in prose, and paste the rest.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Literal

from bot.change.context.paths import extension_of, language_of
from bot.change.context.tokenize import (
    LONGEST_WORD,
    is_common,
    is_identifier,
    is_stop_word,
    parts_of,
    word_set,
)

MAX_TASK_CHARS = 48_000
"""Of a longer task the beginning and the end are read: they hold the request; the middle is a
log."""

_FENCE = re.compile(r"\s*(```|~~~)")
_SPAN = re.compile(r"`([^`\n]{1,200})`")
_MAX_COMMENT_CHARS = 5_000
_URL = re.compile(r"\bhttps?://[^\s/]{1,200}(?P<path>/\S{0,500})?")

_BOILERPLATE = re.compile(
    r"(?:merge (?:pull request|branch)\b.{0,200}|\(cherry picked"
    r" from.{0,100}|[\w-]{3,20}-by:.{0,200}"
    r"|change-id:.{0,100}|(?:fix(?:es|ed)?|closes?d?|refs?|see|resolves?):?(?:#\d*+|(?:GHSA|CVE)-\S++|[,\s]++)*+\.?)$",
    re.I,
)
_HEADING = re.compile(
    r"[#*\s-]*(describe the bug|(detailed )?description|steps?(/code)? to reproduce|(how )?to"
    r" reproduce|detail"
    r"|(expected|actual|current)( behaviou?r| results?)?|versions?|environment( info)?|additional"
    r" context|screenshots"
    r"|your project|is your feature request.{0,80}|describe (the solution|alternatives).{0,60}"
    r"|\(?last modified by.{0,60}|feature or bugfix|bugfix|purpose|relates|checklist)[*:)\s]*$",
    re.I,
)
_SURROUNDINGS = re.compile(
    r"\s*+([-*]\s*+)?(os|operating system|platform|python|browser|extra"
    r" tools|environment|system|plugins|rootdir"
    r"|cachedir|collected|darwin|linux|windows|node|npm|java|ruby|[\w-]{1,30}"
    r" (version|extensions)|[\w.-]{1,40}==\d"
    r"|[\w-]{1,30}:? +v?\d+(\.\d+)+)\b.{0,80}$",
    re.I,
)
_CODE_LINE = re.compile(
    r"\t| {4}|>>>|\.\.\. |\$ |.{0,200}[;{}]\s*$"
    r"|\s*(def|class|import|from|return|for|if|with|func|fn|let|const|var|public|private|package|#include)\b"
    r".{0,200}[:({=.;]"
)
_SENTENCE = re.compile(r"[a-z]{3,20} [a-z]{2,20} [a-z]{3,20} [a-z]{3,20}")
_FRAME_LINE = re.compile(
    r"[\s>E]*+(File \"|at"
    r" [\w.$<>]{1,200}\(|(\.\.?/|\S{1,200}\.\w{1,10}:\d))|INTERNALERROR>\s+File \""
)
_ERROR_LINE = re.compile(
    r"(?:[>\s]|E(?=\s))*+[\w.]{0,100}(Error|Exception|Warning|panic|fatal)\b.{0,300}$"
)


@dataclass(frozen=True, slots=True)
class Sections:
    """`code` is what is pasted, `trace` its stack frames, `error` its error messages; `spans` are
    code in prose."""

    title: str
    prose: str
    code: str
    trace: str
    error: str
    spans: str


def split_sections(text: str) -> Sections:
    title, prose, pasted = _prose_and_code(_cleaned(shortened(text)))
    code, trace, error = _sorted_code(pasted)
    error += [line for line in prose if _ERROR_LINE.match(line) and not _SENTENCE.search(line)]
    spans = _SPAN.findall("\n".join((title, *prose)))
    return Sections(
        title,
        "\n".join(prose),
        "\n".join(code),
        "\n".join(trace),
        "\n".join(error),
        "\n".join(spans),
    )


def shortened(text: str) -> str:
    if len(text) <= MAX_TASK_CHARS:
        return text
    return f"{text[: MAX_TASK_CHARS * 2 // 3]}\n{text[-MAX_TASK_CHARS // 3 :]}"


def _cleaned(text: str) -> str:
    """Without what says nothing of the task: templates' words, trailers, the asker's surroundings,
    hosts of links."""
    text = _without_comments(text)
    text = _URL.sub(
        lambda url: f" {url['path']} " if "/blob/" in (url["path"] or "") else " ", text
    )
    noise = (_BOILERPLATE, _HEADING, _SURROUNDINGS)
    return "\n".join(
        line for line in text.split("\n") if not any(kind.match(line) for kind in noise)
    )


def _without_comments(text: str) -> str:
    """Without HTML comments of a usual length; one that is not closed is none."""
    kept: list[str] = []
    done, close = 0, -1
    start = text.find("<!--")
    while start >= 0:
        if close < start + 4:
            close = text.find("-->", start + 4)
        if close < 0:
            break
        if close - start - 4 <= _MAX_COMMENT_CHARS:
            kept.append(text[done:start])
            done = close + 3
        start = text.find("<!--", max(done, start + 1))
    return "".join(kept) + text[done:]


def _prose_and_code(text: str) -> tuple[str, list[str], list[str]]:
    title, _, rest = text.strip().partition("\n")
    prose: list[str] = []
    code: list[str] = []
    fence = ""
    for line in rest.split("\n"):
        mark = _FENCE.match(line)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        elif fence or (_CODE_LINE.match(line) and not _SENTENCE.search(line)):
            code.append(line)
        else:
            prose.append(line)
    return title, prose, code


def _sorted_code(pasted: list[str]) -> tuple[list[str], list[str], list[str]]:
    code: list[str] = []
    trace: list[str] = []
    error: list[str] = []
    after_frame = False
    for line in pasted:
        if _FRAME_LINE.match(line):
            trace.append(line)
            after_frame = True
        elif _ERROR_LINE.match(line):
            error.append(line)
            after_frame = False
        else:
            (trace if after_frame else code).append(line)
            after_frame = False
    return code, trace, error


MAX_TERMS = 250

_SECTION_WEIGHTS = {
    "title": 2.0,
    "prose": 1.0,
    "error": 1.0,
    "spans": 1.0,
    "code": 0.6,
    "trace": 0.2,
}
_DAMPING = 2.0
"""A word said n times in a section weighs n / (n + this)."""

_WORD = re.compile(r"[^\W\d]\w*")
_NAME = re.compile(r"(?<!\w)(?P<name>[A-Za-z_]\w{0,80})\.?(?P<call>\(?)")
_MEMBER = re.compile(r"(?<!\w)([A-Za-z_]\w{0,80})(?=(?:\(\))?(?:\.|::|#)([A-Za-z_]\w{0,80}))")
_IMPORT = re.compile(r"^[\s>.]{0,40}from\s+([\w.]{1,200})\s+import\s+\(?([\w ,]{1,500})", re.M)
_SENTENCE_END = re.compile(r"[.;:()]\s|\n")

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Task:
    """`terms` are stems of words and, as `=name`, whole lower-case identifiers, each with its
    weight. `pairs` are stems that stand side by side in the title or in prose. The names are as
    spelt, for definitions that bear them."""

    terms: Mapping[str, float]
    title_pairs: frozenset[Pair]
    prose_pairs: frozenset[Pair]
    phrases: frozenset[tuple[bytes, ...]]
    """Five words in a row of title or prose: who says them says the same."""
    title_names: frozenset[bytes]
    prose_names: frozenset[bytes]
    members: frozenset[tuple[bytes, bytes]]
    """`Class.method`."""
    imports: tuple[tuple[str, bytes], ...]
    """Module, as a path without extension, and the name that is imported from it."""


def read_task(text: str) -> Task:
    sections = split_sections(text)
    prose = f"{sections.title}\n{sections.prose}"
    everything = f"{prose}\n{sections.code}\n{sections.error}"
    return Task(
        terms=_terms(sections),
        title_pairs=frozenset(_pairs(sections.title)),
        prose_pairs=frozenset(_pairs(sections.prose)),
        phrases=phrases_of([word.encode() for word in re.findall(r"\w+", prose)]),
        title_names=frozenset(_names(sections.title)),
        prose_names=frozenset((*_names(sections.prose), *_names(sections.spans, all_count=True))),
        members=frozenset(
            (one.encode(), other.encode()) for one, other in _MEMBER.findall(everything)
        ),
        imports=tuple(_imports(everything)),
    )


def phrases_of(words: list[bytes]) -> frozenset[tuple[bytes, ...]]:
    return frozenset(zip(*(words[n:] for n in range(5)), strict=False))


def _terms(sections: Sections) -> dict[str, float]:
    weights: dict[str, float] = defaultdict(float)
    for section, weight in _SECTION_WEIGHTS.items():
        counts = Counter(
            _counted(_WORD.findall(getattr(sections, section)), all_count=section == "spans")
        )
        for term, count in counts.items():
            weights[term] += weight * count / (count + _DAMPING)
    best = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:MAX_TERMS]
    return dict(best)


def _counted(words: Iterable[str], *, all_count: bool) -> Iterator[str]:
    """Terms, as often as they count: an identifier says more than a word does."""
    for word in words:
        if len(word) > LONGEST_WORD or (is_common(word.lower()) and not all_count):
            continue
        name = f"={word.lower().strip('_')}"
        yield name
        if is_identifier(word):
            yield name
        yield from (part for part in parts_of(word) if all_count or not is_common(part))


def _pairs(text: str) -> Iterator[Pair]:
    for sentence in _SENTENCE_END.split(text):
        parts = [part for word in re.findall(r"\w+", sentence) for part in parts_of(word)]
        parts = [part for part in parts if not is_stop_word(part)]
        yield from pairwise(parts)


def _names(text: str, *, all_count: bool = False) -> Iterator[bytes]:
    """Words that are spelt, or used, as names."""
    for match in _NAME.finditer(text):
        name = match["name"]
        if is_common(name.lower()) and not (all_count or match["call"] or len(name) == 1):
            continue
        capital = name[0].isupper() and (match.start() > 0 or len(name) == 1)
        if all_count or is_identifier(name) or match["call"] or capital:
            yield name.encode()


def _imports(text: str) -> Iterator[tuple[str, bytes]]:
    for module, names in _IMPORT.findall(text):
        for name in names.split(","):
            if words := name.split():
                yield module.replace(".", "/"), words[0].encode()


How = Literal["path", "name", "deepest frame", "frame", "module"]
"""`path`: at least a directory and a name, or a name in the title; `name`: a file's name alone, as
likely the asker's own file as one of the repository."""

_MAX_SAME = 3
"""A mention that fits more files than this names none of them."""
_MAX_MENTIONS = 500
_MAX_DEPTH = 16
"""How many parts of a path are compared, from its end: as many as `_PATH` finds."""
_STANDS_FOR_DIRECTORY = word_set("__init__ index mod")

_EXTENSION = r"\.[A-Za-z]\w{0,9}\b"
_PATH = re.compile(
    rf"(?<![\w/\\.-])(?P<path>(?:[\w@+~.-]{{0,60}}+[/\\]){{0,15}}[\w@+~.-]{{0,80}}[\w-]{_EXTENSION})"
    r"(?:(?::|\#L)(?P<line>\d{1,7}))?"
)
_FRAME = re.compile(
    rf'File "(?P<python>[^"\n]{{1,300}})", line (?P<python_line>\d{{1,7}})'
    rf"|\bat [^\n(]{{0,200}}\((?P<java>[^\n():]{{1,300}}{_EXTENSION}):(?P<java_line>\d{{1,7}})"
    rf"|^[\s>E]{{0,20}}(?P<other>[^\s:()]{{1,300}}{_EXTENSION}):(?P<other_line>\d{{1,7}})",
    re.M,
)
_NEW_TRACE = re.compile(
    r"Traceback \(most recent call last\)|^_{5,}|Caused by|During handling of", re.M
)
_DOTTED = re.compile(r"(?<![\w.])[^\W\d]\w{0,60}(?:(?:\.|::)[^\W\d]\w{0,60}){1,10}")
_IMPORT_LINE = re.compile(r"^[\s>.]{0,20}(?:from|import)\s.{0,300}", re.M)


@dataclass(frozen=True, slots=True)
class Named:
    """A file that the task names; `weight` is shared between files that fit equally well; `line`
    where it is given."""

    path: str
    how: How
    weight: float = 1.0
    line: int | None = None


def find_named(text: str, paths: Iterable[str]) -> tuple[Named, ...]:
    """Every file named in the task's text; a file may come several times."""
    text = shortened(text)
    frames = list(islice(_FRAME.finditer(text), _MAX_MENTIONS))
    spoken = _FRAME.sub(" ", text)
    places = list(islice(_PATH.finditer(spoken), _MAX_MENTIONS))
    modules = [
        re.split(r"\.|::", name)
        for name in _DOTTED.findall(_IMPORT_LINE.sub("", spoken))[:_MAX_MENTIONS]
    ]
    names = {_place(match)[-1:] for match in (*frames, *places)}
    known = _Paths(
        paths,
        names={name.lower() for parts in names for name in parts},
        modules={name for parts in modules for name in parts[1:]},
    )
    title_end = len(spoken.strip().partition("\n")[0])
    return (
        *_from_traces(text, frames, known),
        *_from_paths(places, title_end, known),
        *_from_modules(modules, known),
    )


def _place(match: re.Match[str]) -> tuple[str, ...]:
    """The parts of the path in a match of `_FRAME` or `_PATH`."""
    found = match.groupdict()
    path = found["path"] if "path" in found else found["python"] or found["java"] or found["other"]
    return tuple(part for part in re.split(r"[/\\]", path) if part not in ("", ".", ".."))


class _Paths:
    """Files by the end of their path and by module name; of those that are called by one of `names`
    (lower-case) or `modules`."""

    def __init__(self, paths: Iterable[str], names: set[str], modules: set[str]) -> None:
        self._by_end: dict[str, list[str]] = defaultdict(list)
        self._by_module: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            name = path.rpartition("/")[2]
            if name.lower() in names:
                for end in _ends(path.lower()):
                    self._by_end[end].append(path)
            stem = name.rpartition(".")[0]
            if (stem in modules or (modules and stem in _STANDS_FOR_DIRECTORY)) and language_of(
                path
            ):
                module = path[: -len(extension_of(path)) - 1]
                if stem in _STANDS_FOR_DIRECTORY:
                    module = module.rpartition("/")[0]
                for end in _ends(module) if module.rpartition("/")[2] in modules else ():
                    self._by_module[end].append(path)

    def ending_as(self, parts: Sequence[str]) -> tuple[int, list[str]]:
        """The files whose path agrees with the end of `parts` as far back as any file's does, and
        how far."""
        for depth in range(min(len(parts), _MAX_DEPTH), 0, -1):
            if found := self._by_end.get("/".join(parts[-depth:]).lower()):
                return depth, found
        return 0, []

    def module(self, parts: Sequence[str]) -> list[str]:
        """The files that the longest beginning of a dotted name stands for, of two names at
        least."""
        for length in range(len(parts), 1, -1):
            if found := self._by_module.get("/".join(parts[:length])):
                return found
        return []


def _ends(path: str) -> Iterator[str]:
    """The path's last part, its last two, and so on."""
    start = len(path)
    for _ in range(_MAX_DEPTH):
        start = path.rfind("/", 0, start)
        yield path[start + 1 :]
        if start < 0:
            break


def _from_traces(text: str, frames: Sequence[re.Match[str]], known: _Paths) -> Iterator[Named]:
    """The repository's frames of each trace, the deepest first: Python prints it last, others
    first."""
    heads = [match.start() for match in _NEW_TRACE.finditer(text)]
    traces: list[list[re.Match[str]]] = []
    for frame in frames:
        begins = not traces or any(traces[-1][-1].start() < head < frame.start() for head in heads)
        traces.append([frame]) if begins else traces[-1].append(frame)
    for trace in traces:
        if trace[0]["python"]:
            trace.reverse()
        seen: set[str] = set()
        for frame in trace:
            line = int(frame["python_line"] or frame["java_line"] or frame["other_line"])
            for path in _of_the_repository(_place(frame), known):
                yield Named(path, "frame" if seen - {path} else "deepest frame", line=line)
                seen.add(path)


def _of_the_repository(parts: Sequence[str], known: _Paths) -> list[str]:
    if not parts:
        return []
    depth, found = known.ending_as(parts)
    return found if len(found) == 1 and depth >= min(2, len(parts)) else []


def _from_paths(places: Sequence[re.Match[str]], title_end: int, known: _Paths) -> Iterator[Named]:
    for match in places:
        parts = _place(match)
        depth, found = known.ending_as(parts) if parts else (0, [])
        if not found or len(found) > _MAX_SAME:
            continue
        whole = depth == len(parts) or (
            depth > 1 and any(path.count("/") + 1 == depth for path in found)
        )
        sure = whole and (depth > 1 or match.start() < title_end)
        for path in found:
            yield Named(
                path,
                "path" if sure else "name",
                1 / len(found),
                int(match["line"]) if match["line"] else None,
            )


def _from_modules(modules: Sequence[Sequence[str]], known: _Paths) -> Iterator[Named]:
    for parts in modules:
        found = known.module(parts)
        if len(found) <= _MAX_SAME:
            yield from (Named(path, "module", 1 / len(found)) for path in found)
