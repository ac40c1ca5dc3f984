"""What the model is told about an edit that was not applied: why, how the file really reads, and
what to send instead."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from bot.change.edits.lines import Text, split_lines, unindented

_MIN_SHOWN_LINES = 4
_MAX_SHOWN_LINES = 24
_MAX_SHOWN_CHARS = 200
_MAX_QUOTED_CHARS = 60
_MAX_LISTED_PLACES = 8

_MAX_COMPARED_LINES = 20_000
_MAX_COMPARED_REPEATS = 20
_MIN_SIMILARITY = 0.3


def not_found(path: str, text: Text | None, search: str) -> str:
    """`text` is None if the nearest lines are not to be searched for."""
    search_lines = split_lines(search).bodies
    start = _find_nearest(text, search_lines) if text else None
    if text is None or start is None:
        return (
            f"The search text for {path}{_beginning(search)} is not in the file"
            f"{', nor anything like it' if text else ''}. "
            "Ask to read the file, and send the edit with lines copied exactly."
        )
    return (
        f"The search text for {path}{_beginning(search)} is not in the file. The nearest lines"
        f" are:\n{_numbered(text, start, len(search_lines))}\nSend that edit again with the"
        " search copied exactly from these lines, without the numbers."
    )


def ambiguous(path: str, text: Text | None, search: str, lines: Sequence[int]) -> str:
    """`lines` are 1-based; `text` is None if no lines are to be shown."""
    listed = ", ".join(map(str, lines[:_MAX_LISTED_PLACES]))
    if len(lines) > _MAX_LISTED_PLACES:
        listed += ", …"
    first = ""
    if text:
        size = len(split_lines(search).bodies)
        first = f" The first is:\n{_numbered(text, lines[0] - 3, size + 4)}"
    return (
        f"The search text for {path}{_beginning(search)} stands at {len(lines)} places (lines"
        f" {listed}).{first}\nSend that edit again with more lines above or below, so that it is"
        " found at one place only."
    )


def indentation_unclear(path: str, text: Text, start: int, count: int) -> str:
    return (
        f"The search text for {path} fits only without its indentation, and how deep the new lines"
        f" belong cannot be told. The file reads:\n{_numbered(text, start, count)}\nSend that edit"
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


def wrong_heading(path: str, heading: str) -> str:
    return (
        f"The lines of a hunk of {path} stand above its heading `{_printable(heading)}`. Send that"
        " hunk again with the heading that stands above them, or as a search/replace block."
    )


def undoes_earlier(path: str) -> str:
    return (
        f"An edit of {path} undoes what your earlier edits of it do. If none of them is meant, say"
        " [NO CHANGE]; otherwise send the ones that are."
    )


def other_content(path: str) -> str:
    return (
        f"The lines to delete are not those of {path}, so it was not deleted. To delete it, send"
        f" `*** Delete File: {path}` in a patch."
    )


def partial_edit(path: str) -> str:
    return (
        f"The new text of an edit of {path} leaves lines out, or has line numbers or your reasoning"
        " in it. Send it again"
        " with every line as it is to stand there."
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


def missing_file(path: str, similar: Sequence[str]) -> str:
    """`similar` are paths that may be meant."""
    hint = f" Did you mean {' or '.join(similar)}?" if similar else ""
    return (
        f"There is no file {path}.{hint} Send the edit with an existing path, or with an empty"
        " search to make the file."
    )


def may_be_other_file(path: str, other: str) -> str:
    return (
        f"{path} would be a new file, but it may be {other} that is meant. Send the edit with that"
        " path, or, to make the file, as a search/replace block with an empty search under"
        f" `./{path}`."
    )


def no_file_named(code: str) -> str:
    return (
        f"The code{_beginning(code)} is shown without the path of its file. If it is meant as a"
        " change, send it as a search/replace block under the file's path; if it is only an example,"
        " leave it out."
    )


def unclear_quote(path: str, code: str) -> str:
    return (
        f"The code{_beginning(code)} is not in {path} as it stands, and no edit says where it"
        " belongs. If it is meant as a change, send it as a search/replace block under the file's"
        " path; if it is only an example, leave it out."
    )


def removed_file(path: str) -> str:
    return (
        f"{path} was deleted or moved by an earlier edit. Send the edit with the path that the file"
        " has now, or with an empty search to make the file anew."
    )


def _beginning(search: str) -> str:
    """Tells which of several edits of a file is meant."""
    first = next((line for line in search.split("\n") if line.strip()), "").strip()
    return f" that begins with `{_printable(first[:_MAX_QUOTED_CHARS])}`"


def _numbered(text: Text, start: int, count: int) -> str:
    """About `count` lines from the 0-based `start`, each with its 1-based number."""
    first = max(0, start)
    count = min(max(count, _MIN_SHOWN_LINES), _MAX_SHOWN_LINES)
    shown = text.bodies[first : first + count]
    return "\n".join(
        f"{number:>6} | {_printable(line)}" for number, line in enumerate(shown, first + 1)
    )


def _printable(line: str) -> str:
    shown = line if len(line) <= _MAX_SHOWN_CHARS else line[:_MAX_SHOWN_CHARS] + "…"
    return shown.encode("utf-8", "replace").decode("utf-8")


def _find_nearest(text: Text, search: Sequence[str]) -> int | None:
    """The 0-based line from which most lines of the search are in their place, rare lines counting
    more; or the line most similar to its longest one. None if nothing is similar."""
    keys = [unindented(line) for line in search[:_MAX_COMPARED_LINES]]
    places: dict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(text.bodies[:_MAX_COMPARED_LINES]):
        places[unindented(line)].append(number)
    votes: Counter[int] = Counter()
    for offset, key in enumerate(keys):
        if len(key) <= 2:
            continue
        found = places[key]
        for number in found[:_MAX_COMPARED_REPEATS]:
            votes[number - offset] += len(key) // len(found) + 1
    if votes:
        return max(0, votes.most_common(1)[0][0])
    longest = max(keys, key=len, default="")
    return _find_most_similar(text.bodies[:_MAX_COMPARED_LINES], longest)


def _find_most_similar(lines: Sequence[str], sought: str) -> int | None:
    """The line that shares the largest part of its words with `sought`."""
    sought_words = set(sought[:_MAX_SHOWN_CHARS].split())
    best, found = _MIN_SIMILARITY, None
    for number, line in enumerate(lines):
        words = set(line[:_MAX_SHOWN_CHARS].split())
        if not words or not sought_words:
            continue
        similarity = len(sought_words & words) / len(sought_words | words)
        if similarity > best:
            best, found = similarity, number
    return found
