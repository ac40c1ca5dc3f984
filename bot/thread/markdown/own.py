"""TinyGen's own part of a description that people may edit: it stands between two HTML comments, each on
a line of its own, so that it can be brought up to date, and is not shown to the model as words of a
person.
"""

from __future__ import annotations

REPORT = "report"
"""All that TinyGen wrote into the description of a pull request."""
REQUESTS = "requests"
"""In it, the list of the requests that led to the change."""


def marked(name: str, text: str) -> str:
    opening, closing = _marks(name)
    return f"{opening}\n{text}\n{closing}"


def has_marked(name: str, body: str) -> bool:
    return _find(name, body.split("\n")) is not None


def without_marked(name: str, body: str) -> str:
    """The text without its marked part. It stays as it is where one of the marks is missing."""
    return replace_marked(name, body, "").strip() if has_marked(name, body) else body


def replace_marked(name: str, body: str, text: str) -> str:
    """The text with `text` in place of its marked part, marks included."""
    lines = body.split("\n")
    found = _find(name, lines)
    if found is None:
        return body
    first, last = found
    return "\n".join((*lines[:first], text, *lines[last + 1 :]))


def add_to_marked(name: str, body: str, text: str) -> str:
    """The text with a paragraph more at the end of its marked part."""
    lines = body.split("\n")
    found = _find(name, lines)
    if found is None:
        return body
    _first, last = found
    return "\n".join((*lines[:last], "", text, *lines[last:]))


def _find(name: str, lines: list[str]) -> tuple[int, int] | None:
    """The indexes of the lines with the two marks. What is quoted within a line is none."""
    opening, closing = _marks(name)
    bare = [line.strip() for line in lines]
    if opening not in bare:
        return None
    first = bare.index(opening)
    return (first, bare.index(closing, first)) if closing in bare[first:] else None


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- tinygen:{name} -->", f"<!-- /tinygen:{name} -->"
