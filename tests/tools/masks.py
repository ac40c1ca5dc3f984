"""What differs between two runs of the same code, and the placeholder it is compared as: each rule with its reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mask:
    """`numbered`: within one event the first value is `<name1>`, the next other one `<name2>`, so that it still shows
    which are the same."""

    name: str
    reason: str
    pattern: str
    numbered: bool = False


NEW_LINE = "␤"
TRACEBACK = r"(?:╭─+ )?Traceback \(most recent call last\)(?:[^\"\\]|\\.)*"
"""To the end of the JSON string that it stands in."""
MASKS = (
    Mask(
        "tmp",
        "each run has folders of its own",
        r"/tmp/pytest-of-\w+/pytest-\d+(?:/popen-gw\d+)?|/tmp/tmp\w{8}",
    ),
    Mask("jwt", "signed with a new key, at a time", r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"),
    Mask("basic", "a token, coded", r"(?<=[Bb]asic )[\w+/=]{16,}"),
    Mask("token", "random", r"\b(?:ghs_|ghp_|sb_secret_|sb_publishable_)\w+", numbered=True),
    Mask("code", "random", r"(?<=app-manifests/)\w+|(?<=state=)[\w-]{32}"),
    Mask("signature", "of a body that holds ids and ports", r"\bsha256=[0-9a-f]{64}"),
    Mask("uuid", "random", r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", numbered=True),
    Mask(
        "sha",
        "a commit's holds its time",
        r"\b[0-9a-f]{64}\b|\b[0-9a-f]{40}\b|\b[0-9a-f]{32}\b",
        numbered=True,
    ),
    Mask("short", "begins a sha or a uuid", r"\b[0-9a-f]{8}\b", numbered=True),
    Mask("traceback", "names lines and modules, and is laid out by what is installed", TRACEBACK),
    Mask(
        "seconds",
        "the clock",
        r'(?<=seconds=)[\d.e-]+|(?<=seconds": )[\d.e-]+|(?<=seconds\\": )[\d.e-]+',
    ),
    Mask(
        "seconds",
        "the clock",
        r"\b\d+\.\d+(?= s\b)|(?<= out, )[\d,]+(?= s\b)|(?<=clock: )\d+(?= s\b)",
    ),
    Mask(
        "date",
        "the clock",
        r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?",
    ),
    Mask("date", "the clock", r"\b\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"),
    Mask("time", "the clock", r"(?<=again after )(?:\d{4}-\d\d-\d\d )?\d\d:\d\d"),
    Mask("left", "of the disk", r"\b\d+(?= GB left)"),
    Mask("epoch", "the clock", r"\b1[789]\d{8}(?:\.\d+)?\b"),
    Mask(
        "port",
        "a free one",
        r"(?<=127\.0\.0\.1:)\d+|(?<=localhost:)\d+|(?<=127\.0\.0\.1%3A)\d+|(?<=ssh -L )\d+",
    ),
)


def mask(text: str, root: str) -> str:
    """All rules, one after the other. `root` is the checkout, which may lie anywhere."""
    text = text.replace(root, "<root>").replace("\\n", NEW_LINE)  # a word may begin after it
    for rule in MASKS:
        text = re.sub(rule.pattern, _placeholder(rule), text)
    return text


def _placeholder(rule: Mask) -> Callable[[re.Match[str]], str]:
    seen: dict[str, int] = {}

    def replace(match: re.Match[str]) -> str:
        number = seen.setdefault(match[0], len(seen) + 1)
        return f"<{rule.name}{number if rule.numbered else ''}>"

    return replace
