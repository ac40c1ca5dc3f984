"""Twenty made repositories of 20 to 400 files: source in several languages, what lies beside it,
and history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.tools.made.dice import Dice
from tests.tools.made.languages import LANGUAGES, Language, Writer
from tests.tools.made.vocabulary import Vocabulary, camel, pascal, snake, vocabulary

SIZES = (20, 24, 30, 36, 44, 52, 60, 72, 84, 96, 110, 128, 150, 176, 200, 230, 265, 305, 350, 400)
"""How many files the repositories have, about."""
_MAIN = (
    "python", "javascript", "java", "go", "typescript", "rust", "ruby", "php", "c", "csharp",
    "python", "shell", "elixir", "typescript", "java", "python", "go", "javascript",
    "python", "java",
)  # fmt: skip
"""The language of each that most is written in."""
_LAYOUTS = {
    "python": ("{top}/{area}", "src/{top}/{area}", "{area}"),
    "javascript": ("lib/{area}", "packages/{top}-{area}/src", "src/{area}"),
    "typescript": ("src/{area}", "packages/{area}/src"),
    "java": ("src/main/java/org/made/{area}", "core/src/main/java/com/example/{top}/{area}"),
    "go": ("internal/{area}", "pkg/{area}", "{area}"),
    "rust": ("crates/{area}/src", "src/{area}"),
}
_MEMBERS = ("index", "mod", "__init__", "helpers")


@dataclass
class Made:
    """A repository. `history` is messages and paths, newest first."""

    name: str
    language: Language
    words: Vocabulary
    files: dict[str, bytes] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    history: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def sources(self) -> list[str]:
        """The paths of what is written in the main language, tests too, in order."""
        return sorted(path for path in self.files if path.endswith(f".{self.language.extension}"))

    def lines(self, path: str) -> list[str]:
        """The lines of a file, without their ends; bytes that are no UTF-8 are replaced."""
        return self.files[path].decode("utf-8", "replace").splitlines()


def make_repositories() -> Iterator[Made]:
    """All twenty, the smallest first."""
    return (make_repository(number) for number in range(len(SIZES)))


def make_repository(number: int) -> Made:
    """The repository of that number, from 0."""
    main = _MAIN[number]
    dice = Dice(f"repository {number}")
    made = Made(f"{number:02}-{main}", LANGUAGES[main], vocabulary(number))
    _add_sources(made, main, SIZES[number] * 6 // 10, dice)
    _add_other_language(made, dice)
    _add_prose(made, dice)
    _add_settings(made, dice)
    if number % 2:
        _add_copies(made, dice)
    if number % 3 == 1:
        _add_odd_files(made, dice)
    _add_look_alikes(made, number, dice)
    if main == "python":
        _add_test_framework(made, dice)
    while len(made.files) < SIZES[number]:
        _add_page(made, dice)
    _add_history(made, dice, 10 + 3 * number)
    return made


def _add_sources(made: Made, main: str, count: int, dice: Dice) -> None:
    top = dice.pick(made.words.nouns)
    layout = dice.pick(_LAYOUTS.get(main, ("src/{area}", "{top}/{area}")))
    writer = Writer(made.language, made.words, dice, top)
    areas = dice.some(made.words.nouns, 2 + count // 12)
    while count > 0:
        area = dice.pick(areas)
        folder = layout.format(top=top, area=area)
        subject = dice.pick(made.words.nouns)
        name = _name(made, dice, subject)
        path = f"{folder}/{name}.{made.language.extension}"
        if path in made.files:
            path = f"{folder}/{name}{len(made.files)}.{made.language.extension}"
        pieces = dice.number(25, 40) if dice.happens(0.08) else dice.number(1, 8)
        made.files[path] = writer.source(subject, pieces=pieces).encode()
        count -= 1
        if dice.happens(0.4):
            made.files[_test_path(made, folder, name, dice)] = _test(writer, name, subject, dice)
            count -= 1


def _name(made: Made, dice: Dice, subject: str) -> str:
    if dice.happens(0.08):
        return dice.pick(_MEMBERS)
    words = (subject,) if dice.happens(0.5) else (dice.pick(made.words.verbs), subject)
    spelt = pascal if made.language.extension in ("java", "cs", "php") else snake
    return camel(words) if made.language.extension in ("js", "ts") else spelt(words)


def _test_path(made: Made, folder: str, name: str, dice: Dice) -> str:
    file = f"{made.language.test_name.format(name)}.{made.language.extension}"
    if made.language.extension == "java":
        return f"{folder.replace('src/main', 'src/test')}/{file}"
    return f"{dice.pick(('tests', folder, 'test'))}/{file}"


def _test(writer: Writer, name: str, subject: str, dice: Dice) -> bytes:
    return f"{writer.source(subject, pieces=dice.number(1, 4))}{name}\n".encode()


def _add_other_language(made: Made, dice: Dice) -> None:
    """A few files in two other languages."""
    others = [language for language in LANGUAGES.values() if language is not made.language]
    for language in dice.some(others, 2):
        writer = Writer(language, made.words, dice, "extra")
        for _ in range(1 + len(made.files) // 40):
            subject = dice.pick(made.words.nouns)
            path = f"{dice.pick(('scripts', 'web', 'tools'))}/{subject}.{language.extension}"
            made.files[path] = writer.source(subject, pieces=dice.number(1, 6)).encode()


def _add_prose(made: Made, dice: Dice) -> None:
    changes = "".join(f"- {made.words.sentence(dice)}.\n" for _ in range(30))
    made.files["README.md"] = _page(made, dice, "Readme").encode()
    made.files["CHANGELOG.md"] = f"# Changes\n\n{changes}".encode()
    made.files[f"examples/{dice.pick(made.words.nouns)}.{made.language.extension}"] = (
        Writer(made.language, made.words, dice, "example")
        .source(dice.pick(made.words.nouns), pieces=2)
        .encode()
    )


def _page(made: Made, dice: Dice, title: str) -> str:
    parts = (" ".join(f"{made.words.sentence(dice)}." for _ in range(5)) for _ in range(4))
    return f"# {title}\n\n" + "\n\n".join(parts) + "\n"


def _add_page(made: Made, dice: Dice) -> None:
    """One more file, so that there are enough."""
    subject = dice.pick(made.words.nouns)
    folder = dice.pick(("docs", "docs/guide", "locale/de", "config", "data"))
    ending = {"locale/de": "po", "config": "yml", "data": "csv"}.get(folder, "md")
    made.files[f"{folder}/{subject}{len(made.files)}.{ending}"] = _page(
        made, dice, subject
    ).encode()


def _add_settings(made: Made, dice: Dice) -> None:
    words = dice.some(made.words.nouns, 6)
    made.files[".github/workflows/ci.yml"] = (
        f"on: push\njobs:\n  {words[0]}:\n    steps: []\n".encode()
    )
    made.files["Makefile"] = f"{words[1]}:\n\tbuild {words[2]}\n".encode()
    made.files["package-lock.json"] = f'{{"{words[3]}": "1.0.0"}}\n'.encode()
    made.files["settings.toml"] = "".join(
        f"{word} = {dice.number(1, 9)}\n" for word in words
    ).encode()
    made.files["LICENSE"] = b"Do as you like.\n"


def _add_copies(made: Made, dice: Dice) -> None:
    """A vendored copy of a source file, a generated one, and minified code."""
    path = dice.pick(made.sources())
    made.files[f"vendor/{path.rpartition('/')[2]}"] = made.files[path]
    made.files[f"gen/{dice.pick(made.words.nouns)}_pb2.py"] = made.files[path]
    calls = ";".join(f"{camel(made.words.action(dice, 'page'))}()" for _ in range(400))
    made.files["web/app.min.js"] = f"{calls}\n".encode()
    made.files["web/bundle.js"] = f"// {made.words.sentence(dice)}\n{calls}\n".encode()


def _add_odd_files(made: Made, dice: Dice) -> None:
    """What is no text, or no plain file, or is cut in lines in another way."""
    noun = dice.pick(made.words.nouns)
    path = dice.pick(made.sources())
    made.files[f"assets/{noun}.png"] = b"\x89PNG\0" + noun.encode()
    made.files[f"assets/{noun}.raw"] = f"{noun} ".encode() * 5 + b"\0"
    made.files[f"assets/{noun}.txt"] = f"{noun} caf\xe9\n".encode("latin-1")
    made.files[f"{noun}.lfs"] = (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    )
    made.files[f"{noun}_link"] = path.encode()
    made.modes[f"{noun}_link"] = "120000"
    made.files[f"modules/{noun}"] = b""
    made.modes[f"modules/{noun}"] = "160000"
    made.files[f"windows/{noun}.{made.language.extension}"] = made.files[path].replace(
        b"\n", b"\r\n"
    )
    made.files[f"short/{noun}.{made.language.extension}"] = made.files[path].rstrip(b"\n")
    made.files[f"broken\n{noun}.md"] = noun.encode()
    made.files["empty.txt"] = b""
    made.files["data/large.csv"] = f"{noun},1\n".encode() * (1_000_001 // (len(noun) + 3) + 1)
    made.modes[path] = "100755"


def _add_look_alikes(made: Made, number: int, dice: Dice) -> None:
    """Files of one name, files that say the same, a file that only its path can name, and folders
    whose names are spelt in capitals."""
    extension = made.language.extension
    writer = Writer(made.language, made.words, dice, "alike")
    for n in range(3 + number % 2):
        text = writer.source(dice.pick(made.words.nouns), pieces=2)
        made.files[f"{made.words.nouns[n]}/common.{extension}"] = text.encode()
    twin = writer.source(dice.pick(made.words.nouns), pieces=2).encode()
    made.files[f"twins/az.{extension}"] = made.files[f"twins/ba.{extension}"] = twin
    made.files[f"x1/y2.{extension}"] = b"z = 1\n"
    made.files[f"x1/blank.{extension}"] = b"\n()\n"
    for folder in ("Tests", "testing", "upper"):
        text = writer.source(dice.pick(made.words.nouns), pieces=1)
        ending = extension.upper() if folder == "upper" else extension
        made.files[f"{folder}/{dice.pick(made.words.nouns)}.{ending}"] = text.encode()
    if number == 4:
        made.files |= {f"top_{n}.cfg": b"[top]\n" for n in range(45)}


def _add_test_framework(made: Made, dice: Dice) -> None:
    """Source in a folder called `test`: a package that others test with."""
    writer = Writer(made.language, made.words, dice, "framework")
    made.files["framework/test/__init__.py"] = b""
    for noun in dice.some(made.words.nouns, 2):
        made.files[f"framework/test/{noun}.py"] = writer.source(noun, pieces=3).encode()


def _add_history(made: Made, dice: Dice, count: int) -> None:
    paths = [path for path in made.files if made.modes.get(path, "100644").startswith("100")]
    for _ in range(count):
        size = dice.number(31, 50) if dice.happens(0.05) else dice.number(1, 5)
        touched = tuple(sorted(dice.some(paths, size)))
        body = f"\n\n{made.words.sentence(dice)}.\n" if dice.happens(0.3) else "\n"
        made.history.append((made.words.sentence(dice) + body, touched))
    made.history.append(("Move everything\n", ("gone/file.py", *paths[:1])))
