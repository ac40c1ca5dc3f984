"""Hostile words of models, servers and people in every place where TinyGen repeats them: on the page
that GitHub makes of it nothing acts but what our own words made.

The page is rendered by GitHub's own renderer. What GitHub adds after it (mentions, references, closing
keywords, formulas) is looked for by its documented rules:
https://docs.github.com/en/get-started/writing-on-github
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from bot.cli.output import escape_controls
from bot.logs import redact_value
from bot.thread.render import (
    render_comment,
    render_commit_message,
    render_help,
    render_outsiders_refusal,
    render_permission_refusal,
    render_pull_body,
    render_reflection,
    render_short_comment,
    render_status,
    render_title,
)
from bot.thread.suggestion import suggest
from bot.types import (
    Command,
    Counterexample,
    FailedCheck,
    Failure,
    Job,
    Outsider,
    Reference,
    Report,
    ReviewComment,
    ShownFile,
    Target,
    Task,
    Usage,
    Verdict,
)
from bot.types.snapshot import FileStat, Patch
from bot.web.answers import job_answer

JOB = Job("d-1", "comment", Target("o/r", 9, 3, comment_id=7), Command("solve", "fix"), "ada", 5)
DONE = Report(
    JOB,
    "done",
    base_ref="main",
    base_sha="b" * 40,
    patch=Patch("b" * 40, "diff --git a/x b/x\n", (FileStat("x", 1, 1, "modified"),)),
    model="m",
    usage=Usage(2, 100, 20, 0, 0.0123, 3.2),
)

ASKED = replace(
    DONE,
    job=replace(JOB, command=Command("ask", "why")),
    patch=None,
    references=(Reference("x:1", "x", 1, 1),),
    repository_url="https://github.com/o/r",
)

WORDS = (
    "@ada", "@org/team", "(@ada)", "&commat;ada", "&#64;ada", "fixes #12", "closes &num;12", "closes: o/r#12",
    "resolves GH-12", "fixes https://github.com/o/r/issues/12", "o&sol;r&num;1", "https://evil.example",
    "_https://evil.example_", "1https://evil.example", "www.evil.example", "_www.evil.example_", "me@evil.example",
    "mailto:me@evil.example", "ftp://evil.example", "<https://evil.example>", "![i](https://x/y.png)", "[l](https://x)",
    "[a]: https://x\n\n[a]", "<img src=x>", "<!-- x", "<!-- tinygen:job=other state=done -->", "</details>", "<b>x</b>",
    "```\nopen", "~~~\nopen", "# Approved", "x\n# Approved", "Approved\n===", "x\n---", "***", "> quoted",
    "a|b\n-|-\n1|2",
    "| a |\n|---|", "- [ ] task", "- # Heading in a list", "$\\color{white}{x}$", "$$x$$", "/assign @ada", "x\n/close",
    "/tinygen do it", "` @ada `` @bob `", "a ` b\n@ada ` c", "\\`@ada\\`", "x\r\n\r\n# y", "\u202e\u200b\x1b[31m",
)  # fmt: skip

ACTING = ("a", "img", "h1", "h2", "h3", "hr", "table", "blockquote", "input", "details", "pre", "b")
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]")

Sink = Callable[[str], str]


def _pull(words: str) -> str:
    return render_pull_body(replace(DONE, summary=f"T\n\n{words}", notes=(words,)), ci_fixes=1)


def _by(check: str) -> Job:
    return replace(JOB, trigger="failed check", check=FailedCheck(1, check, "a" * 40))


PAGES: dict[str, Sink] = {
    "summary": lambda words: render_comment(replace(DONE, summary=words)),
    "explanation": lambda words: render_comment(replace(DONE, summary=f"Title\n\n{words}")),
    "no change": lambda words: render_comment(
        replace(DONE, patch=Patch("b" * 40, ""), summary=words)
    ),
    "note": lambda words: render_comment(replace(DONE, notes=(words, words))),
    "verdict": lambda words: render_comment(
        replace(
            DONE,
            reflections=(
                render_reflection(Verdict(False, words, (Counterexample(words, words, words),))),
                words,
            ),
        )
    ),
    "not shown": lambda words: render_comment(replace(DONE, left_out=(words,))),
    "why shown": lambda words: render_comment(replace(DONE, shown=(ShownFile("x", 1, 2, words),))),
    "path shown": lambda words: render_comment(replace(DONE, shown=(ShownFile(words, 1, 2, "w"),))),
    "path changed": lambda words: render_comment(
        replace(DONE, patch=Patch("b" * 40, "d\n", (FileStat(words, 1, 1, "modified"),) * 2))
    ),
    "branch": lambda words: render_comment(replace(DONE, base_ref=words)),
    "model": lambda words: render_comment(replace(DONE, model=words)),
    "failure": lambda words: render_comment(
        replace(DONE, state="failed", failure=Failure(words, words, retryable=True))
    ),
    "refusal": lambda words: render_comment(
        replace(DONE, state="refused", failure=Failure(words, words))
    ),
    "permission": lambda words: render_comment(
        replace(DONE, state="refused", failure=render_permission_refusal(words, "read", "write"))
    ),
    "outsider": lambda words: render_comment(replace(DONE, rests_on=(Outsider(words, "w"),))),
    "outsiders refused": lambda words: render_comment(
        replace(
            DONE, state="refused", failure=render_outsiders_refusal((Outsider(words, "comments"),))
        )
    ),
    "short comment": lambda words: render_short_comment(replace(DONE, summary=f"T\n\n{words}")),
    "status": lambda words: render_status(
        [(replace(DONE, job=replace(JOB, command=Command("solve", words))), 1.0)]
    ),
    "conflict": lambda words: render_comment(
        replace(DONE, state="failed", failure=Failure("m", "n", details=words))
    ),
    "answer": lambda words: render_comment(
        replace(ASKED, summary=f"First, `x:1`.\n\n!`x:1` {words}")
    ),
    "short answer": lambda words: render_short_comment(replace(ASKED, summary=f"```\n{words}")),
    "code in an answer": lambda words: render_comment(
        replace(ASKED, summary=f"First, `x:1`.\n\n````py\n{words}\n````\n\nLast.")
    ),
    "requests": lambda words: render_pull_body(
        DONE, requests=[replace(DONE, job=replace(JOB, command=Command("solve", words)))] * 2
    ),
    "help": lambda words: render_help(words, "write", "issue", "diff"),
    "pull request": _pull,
    "its asker": lambda words: render_pull_body(replace(DONE, job=replace(JOB, actor=words))),
    "its check": lambda words: render_pull_body(replace(DONE, job=_by(words))),
    "diff": lambda words: render_comment(
        replace(DONE, patch=replace(DONE.patch or Patch("", ""), text=f"+{words}\n"))
    ),
    "withheld": lambda words: render_comment(
        replace(DONE, commit_url="https://h/o/r/commit/1", withheld=Patch("b" * 40, f"+{words}\n"))
    ),
    "first version": lambda words: render_comment(
        replace(DONE, first_patch=Patch("b" * 40, f"+{words}\n"))
    ),
    "suggestion": lambda words: render_comment(
        replace(
            DONE,
            suggestion=suggest(
                ReviewComment(7, "x", "@@", 1, None, "RIGHT", "b" * 40, "w"),
                b"old\n",
                f"{words}\n".encode(),
            )
            or "none offered\n",
        )
    ),
}


class Page(HTMLParser):
    """What a page has: its elements, and its text outside code."""

    def __init__(self, markdown: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.text = ""
        self._in_code = 0
        html = cmarkgfm.github_flavored_markdown_to_html(
            markdown, Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
        )
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self._in_code += tag in ("code", "pre")

    def handle_endtag(self, tag: str) -> None:
        self._in_code -= tag in ("code", "pre")

    def handle_comment(self, data: str) -> None:
        self.tags["a"] += "tinygen:" in data  # by which TinyGen knows its comments

    def handle_data(self, data: str) -> None:
        if not self._in_code:
            self.text += data

    def acts(self) -> Counter[str]:
        """What acts on it: elements by their tag, and what GitHub makes of the text."""
        found = Counter({tag: count for tag, count in self.tags.items() if tag in ACTING})
        patterns = {
            "mention": r"(?<![\w`/])@[A-Za-z0-9]",
            "reference": r"(?<![\w`])(?:[\w.-]+/[\w.-]+)?#\d|\bGH-\d|/(?:issues|pull)/\d",
            "formula": r"(?:^|[\s(])\$\$?\S[^$\n]*\S?\$",
        }
        for name, pattern in patterns.items():
            found[name] += len(re.findall(pattern, self.text, re.IGNORECASE | re.MULTILINE))
        return +found


@pytest.mark.parametrize("sink", PAGES)
@pytest.mark.parametrize("words", WORDS)
def test_on_a_page_nothing_acts_but_our_own_words(sink: str, words: str) -> None:
    body, ours = PAGES[sink](words), PAGES[sink]("plain words")
    acts, ours_acts = Page(body).acts(), Page(ours).acts()
    if sink == "answer":  # its blocks of code stay
        del acts["pre"], ours_acts["pre"]
    assert acts == ours_acts
    outside = re.sub(r"^(`{3,})(?:diff|patch|suggestion)\n.*?^\1$", "", body, flags=re.M | re.S)
    assert not re.search(r"^\s*/[a-z]", outside, re.MULTILINE)
    assert not UNSEEN.search(outside)


PLAIN_WORDS = (
    *WORDS, "[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]", "***NO_CI***",
    "x\n\nskip-checks: true",
    "x\n\nRelease-As: 9.9.9", "x\n\nSigned-off-by: Mona <m@x.org>", "x\n\nCo-authored-by: Mona <m@x.org>",
    "x\n\nBREAKING CHANGE: all", "x\n\nChange-Id: I1",
)  # fmt: skip
COMMIT_ACTS = re.compile(
    r"@[A-Za-z0-9]|#\d|\bGH-\d|://|/(?:issues|pull)/\d|\[(?:skip ci|ci skip|no ci|skip actions|actions skip)\]"
    r"|\*\*\*NO_CI"
    r"|^(?:skip-checks|Release-As|Signed-off-by|Change-Id|BREAKING CHANGE):",
    re.IGNORECASE | re.MULTILINE,
)


@pytest.mark.parametrize("words", PLAIN_WORDS)
def test_in_a_title_and_a_commit_nothing_acts(words: str) -> None:
    title = render_title(words, Task("o/r", words, words))
    report = replace(DONE, summary=f"{words}\n\n{words}")
    message = render_commit_message(report, title, server_host="github.com")
    ours = "Co-authored-by: ada <5+ada@users.noreply.github.com>"
    assert not COMMIT_ACTS.search(title)
    assert not COMMIT_ACTS.search(message.replace(ours, ""))
    assert not UNSEEN.search(message)
    trailers = subprocess.run(
        ["git", "interpret-trailers", "--parse"],
        input=message,
        capture_output=True,
        text=True,
        check=True,
    )
    assert trailers.stdout.splitlines() == [ours]


def test_a_login_that_is_none_makes_no_co_author() -> None:
    report = replace(DONE, job=replace(JOB, actor="eve\n\nSigned-off-by: x"))
    assert "Signed-off-by" not in render_commit_message(report, "t", server_host="h")


@pytest.mark.parametrize("character", ["\x1b", "\u202e", "\u200b", "\u3164", "\U000e0041", "\x9b"])
def test_logs_and_terminals_show_what_a_reader_would_not_see(character: str) -> None:
    escaped = character.encode("unicode_escape").decode()
    assert redact_value(f"a{character}b", lambda text: text) == f"a{escaped}b"
    assert escape_controls(f"a{character}b") == f"a{escaped}b"


def test_a_jobs_json_holds_words_as_values_alone() -> None:
    words = "\n".join(WORDS)
    page = job_answer(replace(DONE, summary=words, notes=(words,)), "https://github.com")
    assert page.result is not None
    assert page.result.summary == words
    assert "\x1b" not in page.model_dump_json()
