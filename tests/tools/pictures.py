"""Makes the pictures of README: plays the demo with the real bot between the stand-ins, and photographs its thread and
the page of its job in Chromium.

    python -m tests.tools.pictures [FOLDER]

writes `thread.png` and `run.png` into FOLDER, `docs` without it. Needs Debian's package chromium.
"""

from __future__ import annotations

import html
import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import cmarkgfm
from cmarkgfm.cmark import Options
from playwright.sync_api import Browser, FloatRect, Page, ViewportSize, sync_playwright

from bot.web.pages.diff_view import colour
from tests import ROOT
from tests.browser.conftest import CHROMIUM_ARGUMENTS
from tests.demo import BODY, COMMAND, ISSUE, REPO, sample_files, scripted
from tests.doubles.model import ModelDouble
from tests.stage import Stage

PUBLIC_URL = "https://bot.example.com"
SCALE = 1.5
THREAD_WIDTH, RUN_WIDTH = 700, 820
SETTINGS = {
    "TINYGEN_API_KEYS": "key-of-the-pictures-0123456789abcdef",  # so that the page is a stranger's, with the link alone
    "OPENAI_MODEL": "example-model",
    "TINYGEN_PUBLIC_URL": PUBLIC_URL,
    "TINYGEN_PRICE_INPUT": "1.25",
    "TINYGEN_PRICE_OUTPUT": "10",
}
LEVELS = 32
FEWER_COLOURS = f"""() => {{
  const levels = Array.from({{length: {LEVELS}}}, (_, n) => n / {LEVELS - 1}).join(" ")
  const channels = ["R", "G", "B"].map(c => `<feFunc${{c}} type="discrete" tableValues="${{levels}}"/>`).join("")
  document.body.insertAdjacentHTML("beforeend", `<svg width="0" height="0" style="position:absolute"><filter id="fewer"
    color-interpolation-filters="sRGB"><feComponentTransfer>${{channels}}</feComponentTransfer></filter></svg>`)
  document.documentElement.style.filter = "url(#fewer)"
}}"""
"""LEVELS of each channel instead of 256: a PNG of half the size."""
STYLE = """\
body { margin: 0; padding: 16px; background: #fff; color: #1f2328;
       font: 13px/1.5 "Liberation Sans", "DejaVu Sans", sans-serif; }
h1 { margin: 0 0 12px; font-size: 18px; font-weight: 600; }
h1 span { color: #59636e; font-weight: 400; }
article { margin-bottom: 14px; border: 1px solid #d6d6d6; border-radius: 6px; overflow: hidden; }
header { padding: 7px 16px; border-bottom: 1px solid #d6d6d6; background: #f6f6f6; color: #59636e; }
header b { color: #1f2328; }
header i { padding: 0 6px; border: 1px solid #d6d6d6; border-radius: 9px; font-size: 11px; font-style: normal; }
.body { padding: 2px 16px; }
.body p { margin: 10px 0; }
a { color: #0969da; text-decoration: none; }
code { padding: 2px 5px; border-radius: 5px; background: #efefef; font: 11px "DejaVu Sans Mono", monospace; }
pre { margin: 10px 0; padding: 12px 16px; border-radius: 6px; background: #f6f6f6; overflow: hidden;
      font: 10.5px/1.4 "DejaVu Sans Mono", monospace; }
table { margin: 10px 0; border-collapse: collapse; }
th, td { padding: 4px 12px; border: 1px solid #d6d6d6; }
.d-gh, .d-gu { color: #59636e; }
.d-gi { background: #dafbe1; color: #116329; }
.d-gd { background: #ffebe9; color: #82071e; }
"""
_DIFF = re.compile(r'<pre[^>]*lang="diff"[^>]*><code>(.*?)</code></pre>', re.DOTALL)


def render_comment(source: str) -> str:
    """A comment as GitHub's own renderer shows it, with the diff coloured as there."""
    options = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_GITHUB_PRE_LANG
    shown = cmarkgfm.github_flavored_markdown_to_html(source, options)
    return _DIFF.sub(lambda found: _colour_files(html.unescape(found[1])), shown)


def _colour_files(diff: str) -> str:
    files = re.split(r"^(?=diff --git )", diff, flags=re.MULTILINE)
    return f"<pre>{''.join(colour(file) for file in files)}</pre>"


def render_thread(title: str, comments: Iterable[tuple[str, bool, str]]) -> str:
    """A page of a thread. Of each comment: its author, whether that is a bot, and its Markdown."""
    shown = []
    for author, is_bot, source in comments:
        mark = " <i>bot</i>" if is_bot else ""
        shown.append(
            f"<article><header><b>{html.escape(author)}</b>{mark} commented</header>"
            f'<div class="body">{render_comment(source)}</div></article>'
        )
    return (
        f"<!DOCTYPE html><meta charset=utf-8><style>{STYLE}</style>"
        f"<h1>{html.escape(title)} <span>#1</span></h1>{''.join(shown)}"
    )


def main(folder: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="tinygen-pictures-") as temporary,
        ModelDouble(scripted) as model,
        Stage(Path(temporary), model.url, SETTINGS) as stage,
        sync_playwright() as playwright,
    ):
        report = _play(stage)
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM_ARGUMENTS
        )
        comments = [
            ("octocat", False, BODY),
            ("octocat", False, COMMAND),
            ("tinygen", True, report),
        ]
        _photograph_thread(browser, render_thread(ISSUE, comments), folder / "thread.png")
        _photograph_run(browser, _page_url(stage, report), folder / "run.png")
        browser.close()


def _play(stage: Stage) -> str:
    """The bot's comment on the demo's command, which has ended."""
    repo = stage.github.add_repository(REPO, files=sample_files(), permissions={"octocat": "admin"})
    stage.github.install(stage.app, "octocat")
    issue = repo.open_issue("octocat", ISSUE, BODY)
    repo.comment(issue.number, "octocat", COMMAND)
    return stage.finished(REPO, issue.number)


def _page_url(stage: Stage, report: str) -> str:
    """Of the job's page, by the signed link in its comment."""
    link = re.search(rf"{re.escape(PUBLIC_URL)}(/jobs/[^\s)]+)", report)
    assert link is not None, "the comment has no link to its page"
    return stage.url + link[1]


def _photograph_thread(browser: Browser, page_html: str, path: Path) -> None:
    page = _open(browser, THREAD_WIDTH)
    page.set_content(page_html)
    page.evaluate(FEWER_COLOURS)
    page.screenshot(path=path, full_page=True)


def _photograph_run(browser: Browser, url: str, path: Path) -> None:
    """Its parts folded: the picture of the thread has the diff, and nobody reads a conversation there."""
    page = _open(browser, RUN_WIDTH)
    page.goto(url)
    page.locator("details").evaluate_all("parts => parts.forEach(part => { part.open = false })")
    page.evaluate(FEWER_COLOURS)
    end = page.locator("#conversation").bounding_box()
    assert end is not None
    clip = FloatRect(x=0, y=0, width=RUN_WIDTH, height=end["y"] - 10)
    page.screenshot(path=path, full_page=True, clip=clip)


def _open(browser: Browser, width: int) -> Page:
    size = ViewportSize(width=width, height=600)
    return browser.new_page(viewport=size, device_scale_factor=SCALE, color_scheme="light")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs")
