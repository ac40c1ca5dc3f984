"""What the model is told about an edit that was not applied: why, how the file really reads, and
what to send."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from bot.change.edits.lines import Text, split, unindented
from bot.types.text import close_names

_SHOWN_LINES = 24
_SHOWN_CHARS = 200
_QUOTED_CHARS = 60
_MAX_LINES = 20_000
_MAX_REPEATS = 20
_LEAST_LIKENESS = 0.3


def not_found(path: str, text: Text | None, search: str) -> str:
    """`text` None: there is no looking for what is nearest any more."""
    start = nearest(text, split(search).bodies) if text else None
    if text is None or start is None:
        return (
            f"The search text for {path}{_beginning(search)} is not in the file"
            f"{', nor anything like it' if text else ''}. "
            "Ask to read the file, and send the edit with lines copied exactly."
        )
    return (
        f"The search text for {path}{_beginning(search)} is not in the file. The nearest lines"
        f" are:\n{numbered(text, start, len(split(search).bodies))}\nSend that edit again with the"
        " search copied exactly from these lines, without the numbers."
    )


def _beginning(search: str) -> str:
    """Which one of several edits of a file is meant."""
    first = next((line for line in search.split("\n") if line.strip()), "").strip()
    return f" that begins with `{_printable(first[:_QUOTED_CHARS])}`"


def ambiguous(path: str, text: Text | None, search: str, lines: Sequence[int]) -> str:
    """`text` None: enough was shown already."""
    shown = ", ".join(map(str, lines[:8])) + (", …" if len(lines) > 8 else "")
    first = (
        f" The first is:\n{numbered(text, lines[0] - 3, len(split(search).bodies) + 4)}"
        if text
        else ""
    )
    return (
        f"The search text for {path}{_beginning(search)} stands at {len(lines)} places (lines"
        f" {shown}).{first}\nSend that edit again with more lines above or below, so that it is"
        " found at one place only."
    )


def indentation_unclear(path: str, text: Text, start: int, count: int) -> str:
    return (
        f"The search text for {path} fits only without its indentation, and how deep the new lines"
        f" belong cannot be told. The file reads:\n{numbered(text, start, count)}\nSend that edit"
        " again with the file's own indentation."
    )


def exists_already(path: str) -> str:
    return (
        f"{path} exists already, and an edit without lines to search for makes a new file. Send it"
        " with the lines that it changes or that stand next to it, or send the whole file in a"
        " fence under its path."
    )


def same_sides(path: str) -> str:
    return (
        f"The two sides of an edit of {path} are the same, so it changes nothing. Leave it out, or"
        " send what changes."
    )


def several_dividers(path: str) -> str:
    return (
        f"An edit of {path} holds several `=======` lines, and where its search ends cannot be"
        " told. Send it again with markers of nine signs: `<<<<<<<<< SEARCH`, `=========`,"
        " `>>>>>>>>> REPLACE`."
    )


def partial_edit(path: str) -> str:
    return (
        f"The new text of an edit of {path} leaves lines out. Send it again with every line that is"
        " to stand there."
    )


def unsaid_loss(path: str) -> str:
    return (
        f"An edit of {path} would drop most of the file by leaving lines out. Send every line that"
        " is to go."
    )


def partial_file(path: str, fault: str) -> str:
    return (
        f"The new text of {path} {fault}, so it was not written. Send search/replace edits for the"
        " lines that change, or the whole file with every line; to drop most of a file, delete it"
        " first in the same reply."
    )


def missing_file(path: str, paths: Iterable[str]) -> str:
    near = similar(path, paths)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return (
        f"There is no file {path}.{hint} Send the edit with an existing path, or with an empty"
        " search to make the file."
    )


def gone_file(path: str) -> str:
    return (
        f"{path} was deleted or moved by an earlier edit. Send the edit with the path that the file"
        " has now, or with an empty search to make the file anew."
    )


def similar(path: str, paths: Iterable[str]) -> list[str]:
    """Up to three paths of the repository with the same name, or nearly so."""
    name = path.rsplit("/", 1)[-1].lower()
    by_name: dict[str, list[str]] = defaultdict(list)
    for other in paths:
        by_name[other.rsplit("/", 1)[-1].lower()].append(other)
    names = [name] if name in by_name else close_names(name, by_name, most=2, least_likeness=0.8)
    return [other for found in names for other in by_name[found]][:3]


def numbered(text: Text, start: int, count: int) -> str:
    first = max(0, start)
    last = min(len(text.bodies), first + min(max(count, 4), _SHOWN_LINES))
    return "\n".join(f"{n + 1:>6} | {_printable(text.bodies[n])}" for n in range(first, last))


def nearest(text: Text, search: Sequence[str]) -> int | None:
    """The 0-based line where most lines of the search would stand in place; None where nothing is
    alike."""
    keys = [unindented(line) for line in search[:_MAX_LINES]]
    at: dict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(text.bodies[:_MAX_LINES]):
        at[unindented(line)].append(number)
    votes: Counter[int] = Counter()
    for offset, key in enumerate(keys):
        for number in at[key][:_MAX_REPEATS] if len(key) > 2 else ():
            votes[number - offset] += len(key) // len(at[key]) + 1
    if votes:
        return max(0, votes.most_common(1)[0][0])
    return _most_alike(text.bodies[:_MAX_LINES], max(keys, key=len, default=""))


def _most_alike(lines: Sequence[str], wanted: str) -> int | None:
    words = set(wanted[:_SHOWN_CHARS].split())
    best, found = _LEAST_LIKENESS, None
    for number, line in enumerate(lines):
        own = set(line[:_SHOWN_CHARS].split())
        likeness = len(words & own) / len(words | own) if words and own else 0.0
        if likeness > best:
            best, found = likeness, number
    return found


def _printable(line: str) -> str:
    shown = line if len(line) <= _SHOWN_CHARS else line[:_SHOWN_CHARS] + "…"
    return shown.encode("utf-8", "replace").decode("utf-8")
