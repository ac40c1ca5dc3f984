"""What a page shows of Markdown: all of it, nothing else, and what is missing is said by kind."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from bot.thread.markdown.page import MAX_SHOWN_CHARS, read_line, read_page

W = "OBEYME"
HIDDEN = {
    "comment": f"a <!-- {W} --> b",
    "comment without end": f"a\n<!-- {W}\nb",
    "comment between escaped backticks": f"\\` <!-- {W} --> \\`",
    "comment in a false fence": f"```x`y\n<!-- {W} -->\n```\n",
    "comment after a fence that a shorter one does not close": f"````\n```\n````\n<!-- {W} -->",
    "comment between unequal backticks": f"`` <!-- {W} --> `",
    "comment between backticks of attributes": f'<b title="`"> <!-- {W} --> <b title="`">',
    "comment in a fence of a block of HTML": f"<div>\n```\n<!-- {W} -->\n```\n</div>",
    "processing instruction": f"a <?{W}?> b",
    "declaration": f"a <!X {W}> b",
    "CDATA": f"a <![CDATA[{W}]]> b",
    "attribute of an unknown tag": f'a <foo x="{W}">b</foo>',
    "attribute of an allowed tag": f'<dl title="{W}"><dd>b</dd></dl>',
    "attribute with a bracket": f'<span title="> {W}">b</span>',
    "attribute over lines": f'<div\n  title="{W}"\n>b</div>',
    "attribute over 4,000 characters": '<span title="' + "x " * 2100 + f'{W}">b</span>',
    "attribute of a closing tag in a block": f"<div>\na</div {W}> b",
    "name of a tag": f"a <{W}> b",
    "words behind a language": f"```py {W}\ncode\n```",
    "words in place of a language": f"~~~ {W}\ncode\n~~~",
    "words behind a tab": f"```\t{W}\ncode\n```",
    "words behind a language in a quote": f"> ```py {W}\n> c\n> ```",
    "definition": f'[x]: http://y "{W}"',
    "definition with its title below": f'[x]: http://y\n  "{W}"\n\nb',
    "definition with a label over lines": f"[x\n{W}]: http://y\n\nb",
    "definition in a list": f'- [x]: http://y "{W}"\n\nb',
    "address": f"[t](http://x/{W})",
    "title": f'[t](http://x "{W}")',
    "title over lines": f'[t](http://x\n"{W}\nx")',
    "title behind parentheses": f'[t](http://x/(a) "{W}")',
    "title of a definition that is used": f'[t][r]\n\n[r]: /x "{W}"',
    "label that is used": f"[t][{W}]\n\n[{W}]: /x",
    "description": f"![{W}](http://x)",
    "description over lines": f"![a\n{W}](http://x)",
    "description with brackets": f"![a [b [c {W}] d] e](http://x)",
    "description in HTML": f'<img src="x" alt="> {W}">',
    "cell beyond the head": f"|a|\n|-|\n|b|{W}|",
    "cell beyond a head without outer bars": f"a|b\n-|-\n1|2|{W}",
    "footnote that is not used": f"b\n\n[^1]: {W}",
    "second paragraph of one": f"b\n\n[^1]: x\n\n    {W}",
    "second footnote of a label": f"b[^1]\n\n[^1]: ok\n\n[^1]: {W}",
    "label of a footnote": f"b[^{W}]\n\n[^{W}]: ok",
    "ruby's fallback": f"<ruby>a<rp>{W}</rp></ruby>",
    "value": f'<input value="{W}">',
    "name of an anchor": f'<a name="{W}"></a>b',
    "tag letters": "a" + "".join(chr(0xE0000 + ord(letter)) for letter in W),
    "variation selectors": "a" + "".join(chr(0xE0100 + ord(letter)) for letter in W),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_the_page_does_not_show_is_left_out_and_told(name: str) -> None:
    page = read_page(HIDDEN[name])
    assert W not in page.text.upper()
    assert page.left_out


SHOWN = {
    "log line": ("[ERROR]: words here", "[ERROR]: words here"),
    "form title": ("[Bug]: Crash on start", "[Bug]: Crash on start"),
    "code": ("`<!-- shown -->` and `[x]: y`", "`<!-- shown -->` and `[x]: y`"),
    "block of code": ("```html\n<b title='x'>\n```", "```html\n<b title='x'>\n```"),
    "indented code": ("a\n\n    <!-- x -->", "a\n\n```\n<!-- x -->\n```"),
    "fence in a fence": ("````\n```\n````", "````\n```\n````"),
    "comparison": ("if a < b > c: 1<2 and 3>2", "if a < b > c: 1<2 and 3>2"),
    "escapes": ("\\<b> &lt;i&gt; &amp;copy; \\![a]", "<b> <i> &copy; ![a]"),
    "bold name": ("__init__.py and *this*", "__init__.py and *this*"),
    "array": ("vec![1, 2] and x[0] (zero)", "vec![1, 2] and x[0] (zero)"),
    "address": ("<https://x.org> me@x.org", "https://x.org me@x.org"),
    "emoji": ("Nice \u2764\ufe0f 1\ufe0f\u20e3 \U0001f468\u200d\U0001f469\u200d\U0001f467", None),
    "Persian": ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", None),
    "Hebrew": ("\u05e9\u05dc\u05d5\u05dd\u200f (x)", None),
    "tasks": ("- [ ] one\n- [x] two", "- [ ] one\n- [x] two"),
    "lists": ("1. a\n   - b\n   - c\n2. d", "1. a\n   - b\n   - c\n2. d"),
    "later number": ("7. a\n8. b", "7. a\n8. b"),
    "quote": ("> a\n>\n> b", "> a\n>\n> b"),
    "heading": ("# A\n## B\nc", "# A\n\n## B\n\nc"),
    "table": ("|a|b|\n|-|-|\n|1|2|", "| a | b |\n| --- | --- |\n| 1 | 2 |"),
    "details": ("<details><summary>S</summary>\n\nb\n\n</details>", "S\n\nb"),
    "breaks": ("a<br>b  \nc\nd", "a\nb\nc\nd"),
    "keys": ("Press <kbd>Ctrl</kbd>, H<sub>2</sub>O", "Press Ctrl, H2O"),
    "struck": ("~~old~~ <del>x</del>", "~~old~~ ~~x~~"),
    "shown tag": ("the <style> tag", "the <style> tag"),
    "lone CR": ("a\rb", "a\nb"),
    "regular expressions": ("re.sub([^a-z], '') and [^1]", "re.sub([^a-z], '') and [^1]"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_what_the_page_shows_stays_and_is_not_told(name: str) -> None:
    source, shown = SHOWN[name]
    page = read_page(source)
    assert page.text == (source if shown is None else shown)
    assert page.left_out == ()


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("List<String>", "List"),
        ("a <vector>b</vector> <in >c", "a b c"),
        ("a\u2028b\u200bc\x1b[0m", "a bc[0m"),
        ("see ![do](x)!", "see [image]!"),
        ("A[^1]\n\n[^1]: Note\n\n    more", "A[1]\n\n---\n\n1. Note\n\n   more ↩︎"),
        ("[text](http://x 'obey')", "text"),
        ("The <select> tag\n\nSteps: <svg>1</svg>", "The tag\n\nSteps: 1"),
        ("<code>rm a<br>rm b</code>", "`rm a rm b`"),
        ("<table><tr><td><p>a</p><p>b</p></td></tr></table>", "| a b |"),
        ("```Python\nx\n```", "```python\nx\n```"),
    ],
)
def test_the_rest_of_a_text_with_hidden_parts_stays(source: str, shown: str) -> None:
    assert read_page(source).text == shown


def test_images_and_links_are_those_that_the_page_has() -> None:
    page = read_page(
        "![a](one) `![b](no)` <img src='two'> ![c][r] <!-- ![d](no) -->\n\n"
        "|a|\n|-|\n|b|![e](no)|\n\n[t](three) <https://four.org>\n\n[r]: five"
    )
    assert page.images == ("one", "two", "five")
    assert page.links == ("three", "https://four.org")


@pytest.mark.parametrize(
    "source", ["```mermaid\n%% obey\n```", "$\\phantom{obey}$", "> ~~~ math\n> x % obey\n> ~~~"]
)
def test_what_a_page_draws_is_named(source: str) -> None:
    assert (
        "what drawings and formulas leave out of their source, which was shown"
        in read_page(source).left_out
    )


def test_a_line_is_no_markdown() -> None:
    assert read_line("[Bug]: <b>x</b>").text == "[Bug]: <b>x</b>"
    assert read_line("a\u200bb").text == "ab"
    assert read_line("a\u200bb").left_out


@pytest.mark.parametrize("source", ["<![<table>\n", "<div>\n<![a\n", "<![CDATA[\n", "a\ud800b \0"])
def test_no_text_is_too_odd_to_be_read(source: str) -> None:
    read_page(source).text.encode()


def test_a_long_text_is_cut_and_that_is_told() -> None:
    page = read_page("x " * MAX_SHOWN_CHARS)
    assert len(page.text) < MAX_SHOWN_CHARS + 30
    assert page.left_out == ("what is beyond the limit of length",)


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found += re.findall(r"\w+", data)


@pytest.mark.parametrize("name", [name for name in SHOWN if name != "tasks"])
def test_its_words_are_those_of_githubs_own_renderer(name: str) -> None:
    source, _shown = SHOWN[name]
    options = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
    reader = _Words()
    reader.feed(cmarkgfm.github_flavored_markdown_to_html(source, options))
    reader.close()
    numbers_and_languages = re.compile(r"^\s*\d+\. |(?<=```)html$", re.MULTILINE)
    ours = re.findall(r"[^\W_]", numbers_and_languages.sub("", read_page(source).text))
    assert sorted(ours) == sorted("".join(reader.found).replace("_", ""))
