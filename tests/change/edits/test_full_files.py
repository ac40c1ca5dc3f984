"""Full files that a reply writes, and replies that only seem to write one."""

from __future__ import annotations

import pytest

from tests.change.edits.samples import LONG, contents_after, rejection_of
from tests.doubles.edit_blocks import fenced_block

APP = """import os
import sys


class Greeter:
    def greet(self):
        return "Hello"


def main():
    print(Greeter().greet())


main()
"""


def test_an_empty_search_on_a_file_with_content_is_refused_unless_it_reads_so() -> None:
    assert "exists already" in rejection_of({"a.py": "x\n"}, fenced_block("a.py", "", "y\n"))
    assert contents_after({"a.py": "x\n"}, fenced_block("a.py", "", "x\n")) == {}


def test_an_empty_file_may_be_filled() -> None:
    assert contents_after({"a.py": ""}, fenced_block("a.py", "", "y\n")) == {"a.py": b"y\n"}


def test_a_write_that_drops_most_of_a_large_file_is_refused() -> None:
    assert "keeps 0 of its 200 lines" in rejection_of({"a.txt": LONG}, "a.txt\n```\nshort\n```\n")


def test_a_write_of_an_excerpt_is_refused() -> None:
    excerpt = "".join(f"line {number} of the file\n" for number in range(5, 15))
    content = "".join(LONG.splitlines(keepends=True)[:30])
    assert "was not written" in rejection_of({"a.txt": content}, f"a.txt\n```\n{excerpt}```\n")


def test_an_excerpt_below_an_edit_of_its_file_is_a_quote() -> None:
    block = fenced_block("a.txt", "line 7 of the file\n", "line seven\n")
    quote = "a.txt\n```\nline 6 of the file\nline seven\nline 8 of the file\n```\n"
    assert contents_after({"a.txt": LONG}, block + "\n" + quote) == {
        "a.txt": LONG.replace("line 7 of the file", "line seven").encode()
    }


def test_a_large_file_may_be_dropped_by_deleting_it_first() -> None:
    reply = "*** Begin Patch\n*** Delete File: a.txt\n*** End Patch\n\na.txt\n```\nshort\n```\n"
    assert contents_after({"a.txt": LONG}, reply) == {"a.txt": b"short\n"}


@pytest.mark.parametrize(
    "line",
    [
        "# ... rest of the code unchanged ...",
        "// ... existing code ...",
        "...rest of the file...",
        "<!-- … remaining items -->",
    ],
)
def test_a_write_that_leaves_lines_out_is_refused(line: str) -> None:
    assert "leaves lines out" in rejection_of(
        {"a.py": "a\nb\nc\n"}, f"a.py\n```\na\n{line}\nd\n```\n"
    )


@pytest.mark.parametrize(
    "part",
    [
        '    def greet(self):\n        return "Bye"\n',
        "def main():\n    print(Greeter().greet().upper())\n\n\nmain()\n",
    ],
    ids=["of the middle", "of the end"],
)
def test_part_of_a_file_is_not_the_file(part: str) -> None:
    assert "was not written" in rejection_of({"app.py": APP}, f"app.py\n```python\n{part}```\n")


@pytest.mark.parametrize("output", ["15 passed in 0.1s\n", ""])
def test_what_a_file_prints_is_not_the_file(output: str) -> None:
    assert "keeps 0 of its" in rejection_of({"app.py": APP * 2}, f"app.py:\n```text\n{output}```\n")


def test_most_of_a_file_does_not_go_with_lines_that_a_search_leaves_out() -> None:
    reply = fenced_block("a.txt", "line 0 of the file\n...\nline 199 of the file\n", "short\n")
    assert "not in the file" in rejection_of({"a.txt": LONG}, reply)
    assert contents_after({"a.txt": LONG}, fenced_block("a.txt", LONG, "short\n")) == {
        "a.txt": b"short\n"
    }


def test_a_file_may_become_shorter() -> None:
    short = APP.replace("class Greeter:\n    def greet(self):\n", "def greet():\n    if 1:\n")
    assert contents_after({"app.py": APP}, f"app.py\n```python\n{short}```\n") == {
        "app.py": short.encode()
    }


@pytest.mark.parametrize(
    "marker",
    ["<<<<<<< HEAD", "**<<<<<<< SEARCH**", "&lt;&lt;&lt;&lt;&lt;&lt;&lt; SEARCH", "# <<<<<<< ORIG"],
)
@pytest.mark.parametrize("path", ["app.py", "new.py"])
def test_a_block_with_odd_markers_is_not_the_file(path: str, marker: str) -> None:
    reply = f"{path}\n```python\n{marker}\nimport os\n=======\nimport re\n>>>>>>> updated\n```\n"
    assert "was not written" in rejection_of({"app.py": APP}, reply)


def test_a_file_that_begins_with_a_marker_may_go_on_doing_so() -> None:
    conflict = "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> topic\n"
    reply = f"a.txt\n```\n{conflict.replace('b', 'c')}```\n"
    assert contents_after({"a.txt": conflict}, reply) == {
        "a.txt": conflict.replace("b", "c").encode()
    }


@pytest.mark.parametrize("language", ["bash", "sh", "console"])
def test_a_command_below_a_path_is_not_the_file(language: str) -> None:
    reply = (
        fenced_block("app.py", "import os\n", "import re\n")
        + f"\nRun `app.py`:\n\napp.py:\n```{language}\npython app.py\n```\n"
    )
    assert contents_after({"app.py": APP}, reply) == {
        "app.py": APP.replace("import os", "import re").encode()
    }


def test_a_script_may_be_written_in_the_shells_language() -> None:
    assert contents_after({}, "run.sh\n```bash\nmake\n```\n") == {"run.sh": b"make\n"}


@pytest.mark.parametrize("sign", ["#", "//", "/* */", "--", "<!-- -->"])
def test_a_comment_without_words_is_no_placeholder(sign: str) -> None:
    edit = fenced_block("app.py", "import os\nimport sys\n", f"{sign}\nimport re\n")
    assert (
        contents_after({"app.py": APP}, edit)["app.py"]
        == APP.replace("import os\nimport sys", f"{sign}\nimport re").encode()
    )
