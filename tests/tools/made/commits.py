"""Commits on made repositories: small changes of the kinds that people make, as a real git
history."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.tools.made.dice import Dice
from tests.tools.made.languages import Writer
from tests.tools.made.repositories import Made

COMMITS = 8
Files = dict[str, bytes]


def make_history(made: Made, number: int, git_dir: Path) -> None:
    """Writes the repository and `COMMITS` changes of it as the branch `main` of a new bare git
    repository."""
    dice = Dice(f"commits {number}")
    files = {path: content for path, content in made.files.items() if path not in made.modes}
    stream = [_commit("Begin", {**files})]
    for n in range(COMMITS):
        changed: dict[str, bytes | None] = {}
        for _ in range(dice.number(1, 3)):
            change = _CHANGES[(number * COMMITS + n + len(changed)) % len(_CHANGES)]
            changed |= change(made, files, dice)
        stream.append(_commit(f"Change {n}", changed))
        for path, content in changed.items():
            files.pop(path, None)
            if content is not None:
                files[path] = content
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(git_dir)], check=True)
    command = ["git", "-C", str(git_dir), "fast-import", "--quiet"]
    subprocess.run(command, input=b"".join(stream), check=True)


def _commit(message: str, changed: dict[str, bytes | None]) -> bytes:
    lines = [b"commit refs/heads/main\ncommitter A <a@example.com> 0 +0000\n"]
    lines.append(b"data %d\n%s\n" % (len(message), message.encode()))
    for path, content in changed.items():
        name = b'"%s"' % path.replace("\n", "\\n").encode()
        if content is None:
            lines.append(b"D %s\n" % name)
        else:
            lines.append(b"M 100644 inline %s\ndata %d\n%s\n" % (name, len(content), content))
    return b"".join(lines)


def _chosen(made: Made, files: Files, dice: Dice) -> tuple[str, list[str]]:
    """A file with more than a few lines, and its lines with their ends."""
    paths = [path for path in made.sources() if path in files and files[path].count(b"\n") > 8]
    path = dice.pick(paths or sorted(path for path in files if path.endswith(".md")))
    return path, files[path].decode().splitlines(keepends=True)


def _joined(path: str, lines: list[str]) -> dict[str, bytes | None]:
    return {path: "".join(lines).encode()}


def _change_words(made: Made, files: Files, dice: Dice) -> dict[str, bytes | None]:
    path, lines = _chosen(made, files, dice)
    for at in dice.some(range(len(lines)), dice.number(1, 4)):
        words = lines[at].split(" ")
        words[-1] = words[-1].replace("\n", f" {dice.pick(made.words.nouns)}\n")
        lines[at] = " ".join(words)
    return _joined(path, lines)


def _insert_piece(made: Made, files: Files, dice: Dice) -> dict[str, bytes | None]:
    path, lines = _chosen(made, files, dice)
    text = Writer(made.language, made.words, dice, "more").source("change", pieces=1)
    piece = text.partition("\n\n")[2]
    blank = [at for at, line in enumerate(lines) if not line.strip()]
    at = dice.pick(blank or [len(lines)])
    end = "\r\n" if lines[0].endswith("\r\n") else "\n"
    return _joined(path, [*lines[:at], end, *_ended(piece, end), *lines[at:]])


def _ended(text: str, end: str) -> list[str]:
    return [f"{line}{end}" for line in text.splitlines()]


def _delete_lines(made: Made, files: Files, dice: Dice) -> dict[str, bytes | None]:
    path, lines = _chosen(made, files, dice)
    at = dice.number(1, len(lines) - 4)
    return _joined(path, [*lines[:at], *lines[at + dice.number(1, 4) :]])


def _indent_lines(made: Made, files: Files, dice: Dice) -> dict[str, bytes | None]:
    path, lines = _chosen(made, files, dice)
    at = dice.number(0, len(lines) - 5)
    moved = [f"    {line}" if line.strip() else line for line in lines[at : at + 5]]
    return _joined(path, [*lines[:at], *moved, *lines[at + 5 :]])


def _move_lines(made: Made, files: Files, dice: Dice) -> dict[str, bytes | None]:
    path, lines = _chosen(made, files, dice)
    at = dice.number(0, len(lines) - 5)
    taken, left = lines[at : at + 3], [*lines[:at], *lines[at + 3 :]]
    to = dice.number(0, len(left) - 1)
    return _joined(path, [*left[:to], *taken, *left[to:]])


def _new_file(made: Made, files: Files, dice: Dice) -> dict[str, bytes | None]:
    subject = dice.pick(made.words.nouns)
    folder = dice.pick(made.sources()).rpartition("/")[0]
    text = Writer(made.language, made.words, dice, "fresh").source(subject, pieces=3)
    path = f"{folder}/fresh_{subject}{len(files)}.{made.language.extension}"
    return {path: text.encode()}


def _delete_file(made: Made, files: Files, dice: Dice) -> dict[str, bytes | None]:
    path, _ = _chosen(made, files, dice)
    return {path: None}


def _change_prose(made: Made, files: Files, dice: Dice) -> dict[str, bytes | None]:
    lines = files["README.md"].decode().splitlines(keepends=True)
    at = dice.number(1, len(lines) - 1)
    lines[at:at] = [f"* It's {made.words.sentence(dice)} -- “{made.words.nouns[0]}” …\n"]
    return _joined("README.md", lines)


_CHANGES: tuple[Callable[[Made, Files, Dice], dict[str, bytes | None]], ...] = (
    _change_words,
    _insert_piece,
    _delete_lines,
    _new_file,
    _change_words,
    _indent_lines,
    _move_lines,
    _change_prose,
    _delete_file,
    _insert_piece,
    _change_words,
)
