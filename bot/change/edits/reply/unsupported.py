"""Changes in forms that are not read: tool calls as text, JSON, shell commands, other editors'
markers. They are found in what is left of a reply, so that the model can be asked for them by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_MAX_SEARCHED_CHARS = 2_000
"""Of each line."""
_MARKERS = r"(?:diff --git |@@ -\d|\*{3} (?:Begin Patch|Update File|Add File)|<{5,12} ?SEARCH)"
_TARGET = r"(?!/dev/null|/tmp/|&)[\w./\"'~-]"

_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("git's conflict markers", re.compile(r"\s{0,12}(?:<{7}|>{7})(?![<>])")),
    ("edits that are quoted or indented", re.compile(rf"[ \t>]{{1,24}}{_MARKERS}")),
    (
        "edits whose signs are escaped",
        re.compile(rf"(?:.{{0,400}}\\n{_MARKERS}|.{{0,40}}(?:&lt;){{5}})", re.IGNORECASE),
    ),
    ("a diff that does not say which file it changes", re.compile(r"@@ -\d")),
    ("a context diff", re.compile(r"\*{15}\s*$")),
    (
        "a line of a patch that does not exist",
        re.compile(r"\s{0,12}\*{3} (?:Create|Rename|Modify|Replace|Insert|New|Edit)\b"),
    ),
    (
        "a tool call",
        re.compile(
            r".{0,200}<[|｜‖]{0,2}\s?/?[\w.:-]{0,40}\s?[|｜‖]{0,2}\s?"
            r"(?:tool[_▁ ]?(?:calls?|use)|function(?:_?calls?)?|invoke|parameter|python_tag)"
            r"(?:[\s=>|｜‖▁_]|$)"
            r"|.{0,200}\[(?:TOOL_CALLS?|/?TOOL_REQUEST)\]",
            re.IGNORECASE,
        ),
    ),
    (
        "tags in place of edits",
        re.compile(
            r"\s{0,12}<(?:file|edit|search|replace|old|new|old_\w{1,12}|new_\w{1,12}|write_to_file"
            r"|create_file|write_file|edit_file|apply_diff|replace_in_file|insert_content|patch|diff"
            r"|str_replace\w{0,12}|delete_file|find|content|code_edit|artifact|update|change)"
            r"(?:\s[^<>]{0,400})?>",
            re.IGNORECASE,
        ),
    ),
    (
        "a shell command that changes files",
        re.compile(
            r"(?:[\s$>#]{0,12}|.{0,200}(?:&&|;|\|)\s{0,4})(?:sudo )?(?:"
            r"sed\s(?:.{0,80}\s)?-\w{0,4}i|perl\s(?:.{0,40}\s)?-\w{0,4}i|awk\s.{0,20}-i inplace"
            r"|git (?:mv|rm|apply)\b|patch\s+-|(?:mv|cp|rm|touch|truncate|mkdir|chmod|ln)\s+\S"
            rf"|(?:cat|tee|echo|printf)\b[^|]{{0,400}}(?:>{{1,2}}|tee(?: -a)?)\s{{0,4}}{_TARGET}"
            rf"|(?:cat|tee)\b[^<|]{{0,200}}<<-?\s{{0,4}}['\"]?\w{{1,40}}|tee (?:-a )?{_TARGET}"
            r"|ed(?:\s+-s)?\s+\S{1,200}\s*(?:<<.{0,40})?$)"
        ),
    ),
    (
        "a program that writes a file",
        re.compile(
            r".{0,400}(?:\.write_text\(|\bwriteFile(?:Sync)?\(|\bopen\([^()]{1,200},\s{0,4}"
            r"(?:mode=)?[\"'][wa])"
        ),
    ),
)
"""What begins a line of a change in a form that is not read."""
_JSON_PATH_KEY = re.compile(
    r"[\"'](?:path|file|file_?path|file_?name|target_file|uri|relative_workspace_path)[\"']\s{0,4}:"
)
_JSON_TEXT_KEY = re.compile(
    r"[\"'](?:content|contents|text|code|code_edit|search|replace|old\w{0,12}|new\w{0,12}|diff|patch"
    r"|edits|changes|value|replacement|find|line|insert)[\"']\s{0,4}:"
)
_JSON_PATCH = re.compile(r"[\"']op[\"']\s{0,4}:\s{0,4}[\"'](?:replace|add|remove|move)[\"']")
_JSON_CALL = re.compile(
    r"[\"'](?:arguments|input|cmd|command|parameters)[\"']\s{0,4}:.{0,400}"
    r"(?:\*{3} Begin Patch|\"path|\\\"path|file_?path|str_replace)"
)
_YAML_PATH_KEY = re.compile(r"\s{0,12}(?:- )?(?:path|file|filename|file_path): \S")
_YAML_TEXT_KEY = re.compile(r"\s{0,12}(?:- )?(?:content|search|replace|old|new|diff|patch|edits):")


def find_unsupported(lines: Sequence[str]) -> list[str]:
    """What in the lines looks like a change, each once, as the object of a sentence."""
    beginnings = [line[:_MAX_SEARCHED_CHARS] for line in lines]
    found = dict.fromkeys(form for line in beginnings for form in _forms_in(line))
    if _holds_json_edits(beginnings):
        found["JSON or YAML in place of edits"] = None
    return list(found)


def _forms_in(line: str) -> Iterator[str]:
    for form, pattern in _FORMS:
        if pattern.match(line):
            yield form
            return


def _holds_json_edits(lines: Sequence[str]) -> bool:
    def holds(pattern: re.Pattern[str]) -> bool:
        return any(map(pattern.search, lines))

    if holds(_JSON_PATCH) or holds(_JSON_CALL):
        return True
    if holds(_JSON_PATH_KEY) and holds(_JSON_TEXT_KEY):
        return True
    return any(map(_YAML_PATH_KEY.match, lines)) and any(map(_YAML_TEXT_KEY.match, lines))
