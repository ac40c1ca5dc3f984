"""A task's text, taken apart: people say what they mean in the title and in prose, and paste the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_TASK_CHARS = 48_000
"""Of a longer task the beginning and the end are read: they hold the request; the middle is a log."""

_FENCE = re.compile(r"\s*(```|~~~)")
_SPAN = re.compile(r"`([^`\n]{1,200})`")
_COMMENT = re.compile(r"<!--.{0,5000}?-->", re.S)
_URL = re.compile(r"\bhttps?://[^\s/]{1,200}(?P<path>/\S{0,500})?")

_BOILERPLATE = re.compile(
    r"(?:merge (?:pull request|branch)\b.{0,200}|\(cherry picked from.{0,100}|[\w-]{3,20}-by:.{0,200}|change-id:.{0,100}"
    r"|(?:fix(?:es|ed)?|closes?d?|refs?|see|resolves?):?(?:#\d*+|(?:GHSA|CVE)-\S++|[,\s]++)*+\.?)$",
    re.I,
)
_HEADING = re.compile(
    r"[#*\s-]*(describe the bug|(detailed )?description|steps?(/code)? to reproduce|(how )?to reproduce|detail"
    r"|(expected|actual|current)( behaviou?r| results?)?|versions?|environment( info)?|additional context|screenshots"
    r"|your project|is your feature request.{0,80}|describe (the solution|alternatives).{0,60}"
    r"|\(?last modified by.{0,60}|feature or bugfix|bugfix|purpose|relates|checklist)[*:)\s]*$",
    re.I,
)
_SURROUNDINGS = re.compile(
    r"\s*+([-*]\s*+)?(os|operating system|platform|python|browser|extra tools|environment|system|plugins|rootdir"
    r"|cachedir|collected|darwin|linux|windows|node|npm|java|ruby|[\w-]{1,30} (version|extensions)|[\w.-]{1,40}==\d"
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
    r"[\s>E]*+(File \"|at [\w.$<>]{1,200}\(|(\.\.?/|\S{1,200}\.\w{1,10}:\d))|INTERNALERROR>\s+File \""
)
_ERROR_LINE = re.compile(r"(?:[>\s]|E(?=\s))*+[\w.]{0,100}(Error|Exception|Warning|panic|fatal)\b.{0,300}$")


@dataclass(frozen=True, slots=True)
class Sections:
    """`code` is what is pasted, `trace` its stack frames, `error` its error messages; `spans` are code in prose."""

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
    return Sections(title, "\n".join(prose), "\n".join(code), "\n".join(trace), "\n".join(error), "\n".join(spans))


def shortened(text: str) -> str:
    if len(text) <= MAX_TASK_CHARS:
        return text
    return f"{text[: MAX_TASK_CHARS * 2 // 3]}\n{text[-MAX_TASK_CHARS // 3 :]}"


def _cleaned(text: str) -> str:
    """Without what says nothing of the task: templates' words, trailers, the asker's surroundings, hosts of links."""
    text = _URL.sub(lambda url: f" {url['path']} " if "/blob/" in (url["path"] or "") else " ", _COMMENT.sub("", text))
    noise = (_BOILERPLATE, _HEADING, _SURROUNDINGS)
    return "\n".join(line for line in text.split("\n") if not any(kind.match(line) for kind in noise))


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
