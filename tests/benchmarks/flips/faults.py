"""The faults that are planted: one line of a commit is changed, or one of its places is left as it
was."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_OPERATORS = (
    (r" == ", " != "), (r" != ", " == "), (r" <= ", " < "), (r" >= ", " > "), (r" < ", " >= "),
    (r" > ", " <= "), (r" and ", " or "), (r" or ", " and "), (r" is not None", " is None"),
    (r" is None", " is not None"), (r"\bif not ", "if "), (r" && ", " || "), (r" \|\| ", " && "),
    (r" === ", " !== "), (r" !== ", " === "), (r" not in ", " in "), (r"\bif !", "if "),
    (r" \+ ", " - "),
)  # fmt: skip
_BOUNDS: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"(?<![\w.'\"])(\d+)(?![\w.'\"])", lambda match: str(int(match[1]) + 1)),
    (r"\blen\((\w+)\) - 1", lambda match: f"len({match[1]})"),
    (r" <= (?=\w)", lambda _match: " < "), (r" < (?=\w)", lambda _match: " <= "),
    (r" >= (?=\w)", lambda _match: " > "), (r" > (?=\w)", lambda _match: " >= "),
)  # fmt: skip
_LAST_ARGUMENT = re.compile(r"[\w\])]\(([^()]*), ?([^(),]+)\)")


def plant(
    kind: str, path: str, lines: Sequence[str], line: int, removed: Sequence[str]
) -> list[str]:
    """What stands at the line (1-based) instead. `removed` are the lines that the commit replaced
    there, for the kind "missing caller"."""
    if kind == "missing caller":
        return list(removed)
    return [_PLANT[kind](path, lines[line - 1])]


def _change_operator(_path: str, line: str) -> str:
    for pattern, new in _OPERATORS:
        if match := re.search(pattern, _without_strings(line)):
            return line[: match.start()] + new + line[match.end() :]
    raise ValueError(line)


def _change_bound(_path: str, line: str) -> str:
    for pattern, replace in _BOUNDS:
        if match := re.search(pattern, _without_strings(line)):
            return line[: match.start()] + replace(match) + line[match.end() :]
    raise ValueError(line)


def _swallow_error(path: str, line: str) -> str:
    text = line.strip()
    indent = line[: len(line) - len(line.lstrip())]
    suffix = path.rpartition(".")[2]
    if suffix == "py":
        return f"{indent}return None"
    if suffix == "go":
        return indent + re.sub(r"\berr\b(?!.*\berr\b)", "nil", text)
    if suffix == "rs":
        return f"{indent}let _ = {text[:-2]};"
    if re.match(r"(return )?(callback|cb|next|done|reject)\(err\w*", text):
        return indent + re.sub(r"\((err\w*)", "(null", text)
    return f"{indent}return" + ("" if suffix == "rb" else ";")


def _drop_argument(_path: str, line: str) -> str:
    code = _without_strings(line)
    match = [each for each in _LAST_ARGUMENT.finditer(code) if "\0" not in each[2]][-1]
    return line[: match.start(2)].rstrip().rstrip(",") + line[match.end(2) :]


def _without_strings(line: str) -> str:
    return re.sub(r"(\"[^\"]*\"|'[^']*')", lambda match: "\0" * len(match[0]), line)


_PLANT: dict[str, Callable[[str, str], str]] = {
    "operator": _change_operator,
    "off by one": _change_bound,
    "swallowed error": _swallow_error,
    "dropped argument": _drop_argument,
}
