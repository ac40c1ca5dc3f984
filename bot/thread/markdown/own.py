"""TinyGen's own part of a description that people may edit: it stands between two HTML comments, so
that it can be brought up to date, and is not shown to the model as words of a person.
"""

from __future__ import annotations

REPORT = "report"
"""All that TinyGen wrote into the description of a pull request."""
REQUESTS = "requests"
"""In it, the list of the requests that led to the change."""


def marked(name: str, text: str) -> str:
    opening, closing = _markers(name)
    return f"{opening}\n{text}\n{closing}"


def without_marked(name: str, body: str) -> str:
    """The text without its marked part. It stays as it is where one of the marks is missing."""
    return replace_marked(name, body, "").strip() if has_marked(name, body) else body


def has_marked(name: str, body: str) -> bool:
    opening, closing = _markers(name)
    start = body.find(opening)
    return start >= 0 and body.find(closing, start) >= 0


def replace_marked(name: str, body: str, text: str) -> str:
    """The text with `text` in place of its marked part, marks included."""
    opening, closing = _markers(name)
    before, _, rest = body.partition(opening)
    after = rest.partition(closing)[2]
    return f"{before}{text}{after}"


def add_to_marked(name: str, body: str, text: str) -> str:
    """The text with a paragraph more at the end of its marked part."""
    closing = _markers(name)[1]
    before, _, after = body.rpartition(closing)
    return f"{before.rstrip()}\n\n{text}\n{closing}{after}"


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- tinygen:{name} -->", f"<!-- /tinygen:{name} -->"
