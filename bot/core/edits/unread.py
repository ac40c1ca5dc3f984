"""What looks like an edit in a form that is not read here: passed over in silence, it would be taken for a reply that
needs no change."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.core.edits.labels import read_label

_MAX_LINE_CHARS = 2_000
_REACH = 12
"""How many lines above a fence its path may stand."""

_MARKS = r"(?:diff --git |@@ -\d|\*{3} (?:Begin Patch|Update File|Add File)|<{5,12} ?SEARCH)"
_LINES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a diff that does not say which file it changes", re.compile(r"@@ -\d|(?:`{3,}|~{3,})\s{0,4}(?:diff|patch)\b")),
    ("edits that are quoted or indented", re.compile(rf"[ \t>]{{1,24}}{_MARKS}")),
    ("edits whose signs are escaped", re.compile(rf"(?:.{{0,400}}\\n{_MARKS}|.{{0,40}}(?:&lt;){{5}})", re.IGNORECASE)),
    ("a context diff", re.compile(r"\*{15}\s*")),
    (
        "tags in place of edits",
        re.compile(r"\s{0,12}</?(?:file|edit|search|replace|old_str|new_str|invoke|write_to_file|apply_diff)\b"),
    ),
    ("a shell command that writes a file", re.compile(r"\s{0,12}(?:cat|tee)\b[^<|]{0,200}<<-?\s*['\"]?\w{1,40}")),
)
_PATH_KEY = re.compile(r'"(?:path|file|file_?path|file_?name)"\s*:')
_TEXT_KEY = re.compile(r'"(?:content|search|replace|old_str(?:ing)?|new_str(?:ing)?|diff|patch|edits|changes)"\s*:')
_CALL = re.compile(r'"(?:arguments|input|cmd|command)"\s*:.{0,400}\*{3} Begin Patch')


def unread_form(lines: Sequence[str]) -> str | None:
    """What of a reply without edits looks like some, as the object of a sentence; None where nothing does."""
    labelled_to = -1
    for number, line in enumerate(lines):
        found = next((what for what, sign in _LINES if sign.match(line[:_MAX_LINE_CHARS])), None)
        if found:
            return found
        if not line.lstrip().startswith(("```", "~~~")):
            labelled_to = number + _REACH if read_label(line) else labelled_to
        elif number <= labelled_to:
            return "code below a file's path, though not right below it"
    return "JSON in place of edits" if _is_json_edit(lines) else None


def _is_json_edit(lines: Sequence[str]) -> bool:
    short = [line[:_MAX_LINE_CHARS] for line in lines]
    if any(map(_CALL.search, short)):
        return True
    return any(map(_PATH_KEY.search, short)) and any(map(_TEXT_KEY.search, short))
