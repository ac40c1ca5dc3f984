"""How large the bot of a checkout is, how deep its modules lie, and what one pull request runs through.

    python -m tests.tools.figures ROOT [OUT_DIR]

prints the figures as a table; with OUT_DIR they are also written to `figures.txt` there, and the files and functions of
the pull request to `trace.txt`. Meant for any commit: ROOT may hold other modules than this checkout.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from tests.tools.record import PLUGINS

FIX = "test_a_pull_request_is_opened"
"""The test that has a pull request made; of its cases the one that is told to with `--pr`."""
COUNTED = (tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING)
BREAKS = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
SKIPPED = (*BREAKS, tokenize.NL, tokenize.COMMENT)


@dataclass(frozen=True, slots=True)
class Size:
    """Of code without docstrings and comments."""

    files: int = 0
    tokens: int = 0
    lines: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.files + other.files, self.tokens + other.tokens, self.lines + other.lines)

    @property
    def density(self) -> float:
        return self.tokens / max(1, self.lines)


def sources(root: Path) -> list[Path]:
    return sorted((root / "bot").rglob("*.py"))


def size_of(path: Path) -> Size:
    with tokenize.open(path) as file:
        code = list(_without_docstrings(tokenize.generate_tokens(file.readline)))
    lines = {line for token in code for line in range(token.start[0], token.end[0] + 1)}
    return Size(1, sum(token.type in COUNTED for token in code), len(lines))


def _without_docstrings(tokens: Iterable[tokenize.TokenInfo]) -> Iterator[tokenize.TokenInfo]:
    """A string that is a whole statement is one, after an assignment too."""
    kept = [token for token in tokens if token.type not in (tokenize.NL, tokenize.COMMENT)]
    begins = True
    for token, after in pairwise(kept):
        words = token.type == tokenize.STRING and begins and after.type == tokenize.NEWLINE
        begins = token.type in BREAKS
        if not words and token.type not in SKIPPED:
            yield token


def packages(root: Path) -> dict[str, Size]:
    """By folder under bot/, the files beside them as one package; in the order of their names."""
    found: dict[str, Size] = {}
    for path in sources(root):
        parts = path.relative_to(root / "bot").parts
        package = f"bot/{parts[0]}" if len(parts) > 1 else "bot/*.py"
        found[package] = found.get(package, Size()) + size_of(path)
    return dict(sorted(found.items()))


# ---- imports ---------------------------------------------------------------------------------------------------------


def module_name(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imports(root: Path, *, late: bool = False) -> dict[str, list[str]]:
    """Which modules of the bot each of them imports at its top level, what only type checkers import left out.

    `late`: within functions too.
    """
    paths = {module_name(root, path): path for path in sources(root)}
    return {
        name: sorted(set(_imported(path, paths, late)) - {name}) for name, path in paths.items()
    }


def _imported(path: Path, known: Mapping[str, Path], late: bool) -> Iterator[str]:
    for statement in _statements(ast.parse(path.read_text()).body, late):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names if alias.name in known)
        elif isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                whole = f"{statement.module}.{alias.name}"
                yield from [name for name in (whole, str(statement.module)) if name in known][:1]


def _statements(body: Iterable[ast.AST], late: bool) -> Iterator[ast.AST]:
    """Those that run when the module is imported, but for what only type checkers read; `late`: in functions too."""
    for part in body:
        if isinstance(part, ast.If) and "TYPE_CHECKING" in ast.unparse(part.test):
            yield from _statements(part.orelse, late)
        elif late or not isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield part
            yield from _statements(ast.iter_child_nodes(part), late)


def longest_chain(graph: Mapping[str, Sequence[str]]) -> list[str]:
    """A module, one that it imports, one that this imports, and so on. In a circle each module counts once."""
    under_way: set[str] = set()

    @cache
    def chain(name: str) -> tuple[str, ...]:
        under_way.add(name)
        below = [chain(other) for other in graph[name] if other not in under_way]
        under_way.remove(name)
        return (name, *_longest(below))

    return list(_longest([chain(name) for name in graph]))


def _longest(chains: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    by_length = {len(chain): chain for chain in chains}
    return by_length[max(by_length)] if by_length else ()


# ---- one pull request ------------------------------------------------------------------------------------------------


def trace(root: Path) -> list[str]:
    """`file:function` of all under bot/ that runs from the webhook of `/tinygen --pr` to its pull request."""
    tests = [
        path
        for path in (root / "tests").rglob("test_*.py")
        if re.search(rf"\bdef {FIX}\(", path.read_text())
    ]
    if not tests:
        raise SystemExit(f"no test is named {FIX}")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "trace"
        own = {
            "TRACE_ROOT": str(root),
            "TRACE_OUT": str(out),
            "PYTHONPATH": str(PLUGINS),
            "TRACE_TEST": FIX,
        }
        options = ["-p", "trace_calls", "-p", "no:cacheprovider", *map(str, tests)]
        command = [sys.executable, "-m", "pytest", *options]
        done = subprocess.run(
            command, cwd=root, env=os.environ | own, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        return out.read_text().splitlines()


def trace_totals(functions: Sequence[str]) -> str:
    files = Counter(function.partition(":")[0] for function in functions)
    lifted = sum("<" not in function for function in functions)
    return f"{len(functions)} functions ({lifted} of them neither lambdas nor within others) in {len(files)} files"


# ---- the table -------------------------------------------------------------------------------------------------------


def table(root: Path, functions: Sequence[str]) -> str:
    by_package = packages(root)
    whole = sum(by_package.values(), Size())
    lines = [f"{'package':<16}{'files':>7}{'tokens':>9}{'code lines':>12}{'density':>9}"]
    for package, size in [*by_package.items(), ("bot", whole)]:
        lines.append(
            f"{package:<16}{size.files:>7}{size.tokens:>9}{size.lines:>12}{size.density:>9.2f}"
        )
    chain = longest_chain(imports(root))
    late = longest_chain(imports(root, late=True))
    depth = f"import depth      {len(chain)} ({len(late)} with the imports inside functions)"
    lines += ["", depth, f"one pull request  {trace_totals(functions)}"]
    lines += ["", "longest chain of imports:", *(f"  {name}" for name in chain), ""]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    root = Path(arguments[0]).resolve()
    functions = trace(root)
    page = table(root, functions)
    print(page, end="")
    if arguments[1:]:
        out = Path(arguments[1])
        out.mkdir(parents=True, exist_ok=True)
        (out / "figures.txt").write_text(page)
        (out / "trace.txt").write_text("\n".join([trace_totals(functions), "", *functions, ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
