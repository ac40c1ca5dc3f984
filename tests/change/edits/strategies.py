"""Files, changes of them, and replies that say these changes, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.benchmarks.edits_replies import FORMS, FileChange

WORDS = [
    "alpha",
    "beta(x)",
    "return gamma",
    "}",
    "{",
    "# delta",
    '<a href="x">it\'s</a>',
    "ünï – cödé",
    "",
    "",
    "  ",
    "=======",
    "...",
    "```",
    "- item",
    "--- x",
    "+++ y",
    "@@ -1 +1 @@",
]
_INDENTS = ["", "    ", "        ", "\t", "\t\t", "  "]

lines = st.builds(
    lambda indent, word, number: f"{indent}{word}{number}",
    st.sampled_from(_INDENTS),
    st.sampled_from(WORDS),
    st.sampled_from(["", "", " 1", " 2", " 33"]),
)
"""Few enough that they repeat, and among them what looks like markers, fences and headers."""

contents = (
    st.lists(lines, min_size=1, max_size=40)
    .map(lambda found: "\n".join(found) + "\n")
    .filter(str.strip)
)
forms = st.sampled_from(FORMS)


@st.composite
def changes(draw: st.DrawFn, path: str = "src/a.txt") -> FileChange:
    """A file and what some splices make of it."""
    old = draw(contents)
    new = old.split("\n")[:-1]
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(new)))
        end = min(len(new), start + draw(st.integers(0, 3)))
        new[start:end] = draw(st.lists(lines, max_size=4))
    return FileChange(path, old, "".join(f"{line}\n" for line in new))


def changed(change: FileChange) -> bool:
    return change.old != change.new and bool(change.new and change.new.strip())
