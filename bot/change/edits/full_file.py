"""Whether a text can be the whole content of a file: models leave lines out, copy line numbers, send
a part, or put the output of a program in its place. What is not plainly complete is asked about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from bot.change.edits.align import align
from bot.change.edits.lines import Text, is_blank
from bot.change.edits.reply.reasoning import closes_reasoning

MIN_KEPT_SHARE = 0.5
"""Of the old file's lines. Of files that commits change, few keep fewer; each costs one question."""
_MIN_LOST_LINES = 2

_MAX_PLACEHOLDER_CHARS = 120
_COMMENT_SIGN = re.compile(r"#+|//+|/\*+|<!--|--|;+|%+|\{/\*|\(\*|\*|'|rem\b", re.IGNORECASE)
_COMMENT_ENDS = ("*/}", "*/", "-->", "*)")
_DOTS = re.compile(r"\.{3,}|…")
_ONLY_DOTS = re.compile(r"[\s\[\](){}<>]{0,8}(?:\.{3,8}|…)[\s\[\](){}<>]{0,8}")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_KEYS = "existing|unchanged|rest|remaining|remainder|omitted|untouched|elided|truncated|continue[ds]|brevity"
_WEAK_KEYS = "same|previous|original|other|keep|above|before|snip|etc|more"
_KEY = re.compile(_KEYS)
_WEAK_KEY = re.compile(_WEAK_KEYS)
_PLAIN_WORD = re.compile(
    f"{_KEYS}|{_WEAK_KEYS}|a|all|and|are|as|be|been|body|class(?:es)?|code|component"
    "|config(?:uration)?|contents?|data|declarations|definitions|elements|entries|everything"
    "|exactly|fields|files?|for|from|functions?|goes|handlers|helpers|here|identical"
    "|implementations?|imports|in|is|it|items|lines|logic|methods?|module|no|not|of|options|parts?"
    "|properties|remains?|routes|rules|script|sections?|setup|source|statements|stays?|still"
    "|structure|tests|text|that|the|this|to|unmodified|up|was|without|changed?|changes|modified"
    "|with|your"
)
"""What a comment that stands for other lines is made of."""
_CUT_OFF = re.compile(r"(?:\.{3}|…)\s?[\[(<](?:truncated|omitted|snip|cut|elided|more)\b")
_UNCHANGED = re.compile(
    r"\b(?:no changes?|unchanged|not changed|as before|(?:stays?|remains?) the same|omitted)\b"
)
_FOREIGN_KEYS = re.compile(
    "rest de[rs]|restliche|übrige|unverändert|bestehende|wie bisher|bleibt gleich"
    "|reste du|le reste|inchangé|code existant"
    "|resto del|el resto|sin cambios|código existente|igual que antes|demás"
    "|restante|resto d[oa]|sem alteraç|inalterad|invariat|codice esistente"
    "|остальн|без изменений|существующ|решта|reszta|bez zmian|zbytek|beze změny"
    "|rest van|ongewijzigd|bestaande|resten av|oförändrad|geri kalan|değişmedi"
    "|其余|其他代码|其它代码|不变|不變|省略|原有|现有代码|剩余|其餘|保持原样"
    "|残り|変更なし|既存|以下同|以下略|そのまま|나머지|변경 없|기존 코드|기존과|생략"
)
_EDIT_MARKER = re.compile(
    r"\W{0,12}(?:<{5,12}|(?:&lt;){5,12})\s{0,4}\w{0,40}\W{0,12}", re.IGNORECASE
)
"""What opens a conflict, or a search/replace block whose marker is bold or escaped."""
_NUMBERED_LINE = re.compile(r"\s{0,8}L?(\d{1,7})(?:(?:\s?[|:│→]|\t)(.*))?", re.DOTALL)
"""A line that was copied with its number before it."""
_PATH = re.compile(r"(?:[\w.-]{1,60}/){1,8}[\w.-]{1,60}\.[A-Za-z]{1,5}")
_PROGRAM_OUTPUT = re.compile(r"Traceback \(most recent call last\):|@@ -\d|diff --git ")


def full_file_fault(old: Text, new: Text) -> str | None:
    """Why the new text is not the whole file, as the end of a sentence; None if it is by every
    sign. `old` is empty for a new file."""
    placeholder = find_placeholder(old.bodies, new.bodies)
    if placeholder is not None:
        return f"leaves lines out (`{placeholder}`)"
    first = next((body for body in new.bodies if not is_blank(body)), "")
    if first not in old.bodies and _reads_like_edit(first):
        return "reads like an edit or a program's output, not like a file"
    if closes_reasoning(new.bodies) and not closes_reasoning(old.bodies):
        return "holds the end of your reasoning"
    other = _other_file(new.bodies, old.bodies)
    return f"goes on with another file ({other})" if other else _fault_against(old, new)


def _other_file(lines: Sequence[str], known: Sequence[str]) -> str | None:
    """A line that is a comment with nothing but a path, as models write above a file."""
    for line in lines:
        sign, text = _split_comment(line[:_MAX_PLACEHOLDER_CHARS])
        if sign and "/" in text and _PATH.fullmatch(text) and line not in known:
            return text
    return None


def _fault_against(old: Text, new: Text) -> str | None:
    before, after = _telling_lines(old.bodies), _telling_lines(new.bodies)
    kept_count = (Counter(before) & Counter(after)).total()
    if kept_count < len(before) * MIN_KEPT_SHARE:
        return f"keeps {kept_count} of its {len(before)} lines alone"
    pairs = [(-1, -1), *align(before, after), (len(before), len(after))]
    for number, ((i, j), (k, m)) in enumerate(pairwise(pairs)):
        lost, came = before[i + 1 : k], after[j + 1 : m]
        is_at_end = number in (0, len(pairs) - 2)
        if lost and not came and (is_at_end or len(lost) >= _MIN_LOST_LINES):
            return f"lacks {len(lost)} lines, from `{lost[0]}`"
        if len(lost) >= _MIN_LOST_LINES and len(came) == 1 and _is_comment(came[0]):
            return f"has `{came[0]}` in place of {len(lost)} lines"
    return None


def find_placeholder(
    old: Sequence[str],
    new: Sequence[str],
    *,
    elsewhere: Iterable[str] = (),
    is_signed: bool = False,
) -> str | None:
    """A line of `new` that stands for others, such as `# ... rest of the file unchanged ...`, in the
    natural languages that models comment in; or, in any language, a comment in place of the last
    lines. Lines that are `elsewhere` in the file are none. `is_signed`: a diff with
    the right counts says of each line that it is added, so that only words give one away."""
    known = set(map(str.strip, (*old, *elsewhere)))
    before, after = _telling_lines(old), _telling_lines(new)
    loses_lines = (Counter(before) - Counter(after)).total() >= _MIN_LOST_LINES
    for line in after:
        is_known = line in known or (is_signed and _ONLY_DOTS.fullmatch(line))
        if not is_known and _stands_for_lines(line, loses_lines=loses_lines):
            return line
    if not is_signed and before and after and after[-1] not in known and _is_comment(after[-1]):
        return None if before[-1] in after or _is_comment(before[-1]) else after[-1]
    return None


def _stands_for_lines(line: str, *, loses_lines: bool) -> bool:
    if len(line) > _MAX_PLACEHOLDER_CHARS:
        return False
    sign, text = _split_comment(line.lower())
    if _CUT_OFF.search(text):
        return True
    is_bracketed = text[:1] in tuple("([<{") and text[-1:] in tuple(")]>}")
    has_dots = _DOTS.search(text) is not None
    if not (sign or has_dots or is_bracketed):
        return False
    words = _WORD.findall(text)
    if _ONLY_DOTS.fullmatch(text) or (sign and _DOTS.match(text)):
        return bool(sign) or loses_lines
    if loses_lines and sign and (_UNCHANGED.search(text) or text.startswith(("[", "<"))):
        return True
    if _FOREIGN_KEYS.search(text):
        return True
    is_plain = all(map(_PLAIN_WORD.fullmatch, words))
    if any(map(_KEY.fullmatch, words)):
        return is_plain or is_bracketed or (has_dots and text.startswith((".", "…")))
    has_weak_key = any(map(_WEAK_KEY.fullmatch, words))
    return is_plain and has_weak_key and (has_dots or loses_lines)


def _split_comment(line: str) -> tuple[str, str]:
    """The sign that a comment begins with, "" if the line is none, and its text."""
    text = line.strip()
    found = _COMMENT_SIGN.match(text)
    sign = found[0] if found else ""
    text = text[len(sign) :]
    for end in _COMMENT_ENDS if sign else ():
        text = text.removesuffix(end)
    return sign, text.strip()


def _reads_like_edit(line: str) -> bool:
    if len(line) > _MAX_PLACEHOLDER_CHARS:
        return False
    return bool(_EDIT_MARKER.fullmatch(line) or _PROGRAM_OUTPUT.match(line))


def _is_comment(line: str) -> bool:
    return _split_comment(line)[0] not in ("", "*", "'")


def has_line_numbers(text: str) -> bool:
    """Whether a line begins with a number as of a line."""
    return any(
        match and match[2] is not None for match in map(_NUMBERED_LINE.fullmatch, text.split("\n"))
    )


def strip_line_numbers(text: str) -> str:
    """The text without the line numbers, if each line begins with one and they are consecutive:
    models copy them from what they were shown."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    found = [_NUMBERED_LINE.fullmatch(line) for line in lines]
    matches = [match for match in found if match]
    numbers = [int(match[1]) for match in matches]
    is_consecutive = all(after == before + 1 for before, after in pairwise(numbers))
    bodies = [match[2] or "" for match in matches]
    if len(bodies) < len(lines) or not is_consecutive or not any(bodies):
        return text
    gap = all(body.startswith(" ") for body in bodies if body)
    return "".join(body[gap:] + "\n" for body in bodies)


def _telling_lines(lines: Iterable[str]) -> list[str]:
    """Without white space at their ends, and without the blank ones."""
    return [line.strip() for line in lines if not is_blank(line)]
