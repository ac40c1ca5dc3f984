"""Each form in which models write edits, as asked for."""

from __future__ import annotations

from bot.change.edits import read_reply
from bot.types.reply import Edit, Request
from tests.change.edits.samples import after

APP = "import os\n\n\ndef f(a):\n    return a\n\n\ndef g(b):\n    return b\n"


def test_a_search_replace_block_changes_its_place() -> None:
    reply = "src/app.py\n<<<<<<< SEARCH\n    return a\n=======\n    return a + 1\n>>>>>>> REPLACE\n"
    assert after({"src/app.py": APP}, reply) == {
        "src/app.py": APP.replace("return a\n", "return a + 1\n").encode()
    }


def test_an_empty_search_makes_a_file() -> None:
    reply = "new.py\n```python\n<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE\n```\n"
    assert after({"src/app.py": APP}, reply) == {"new.py": b"x = 1\n"}


def test_an_envelope_adds_updates_moves_and_deletes() -> None:
    reply = """*** Begin Patch
*** Update File: src/app.py
*** Move to: src/main.py
@@ def g(b):
-    return b
+    return b * 2
*** Delete File: old.txt
*** Add File: docs/new.md
+# New
*** End Patch
"""
    assert after({"src/app.py": APP, "old.txt": "x\n"}, reply) == {
        "src/app.py": None,
        "src/main.py": APP.replace("return b\n", "return b * 2\n").encode(),
        "old.txt": None,
        "docs/new.md": b"# New\n",
    }


def test_a_unified_diff_in_a_fence_is_applied() -> None:
    reply = (
        "```diff\n--- a/src/app.py\n+++ b/src/app.py\n@@ -4,2 +4,2 @@\n def f(a):\n-    return a\n+"
        "    return 0\n```\n"
    )
    assert after({"src/app.py": APP}, reply) == {
        "src/app.py": APP.replace("return a\n", "return 0\n").encode()
    }


def test_a_whole_file_stands_in_a_fence_under_its_path() -> None:
    assert after({"src/app.py": APP}, "src/app.py\n```python\nx = 1\n```\n") == {
        "src/app.py": b"x = 1\n"
    }


def test_requests_are_read_beside_edits() -> None:
    parts = read_reply(
        "a.py\n```\nx\n```\nMore:\n```request\nread b.py:3-9\nsearch def \\w+\nlist src\n```\n"
    )
    assert parts.edits == (Edit("write", "a.py", replace="x\n"),)
    assert parts.requests == (
        Request("read", "b.py", 3, 9),
        Request("search", r"def \w+"),
        Request("list", "src"),
    )
    assert parts.prose == "More:"
