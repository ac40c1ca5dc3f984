"""What a page on GitHub shows of a Markdown text.

Hidden text can carry orders into a prompt that a person looked over before giving a command. So the
text is rendered as GitHub renders it, and read off the result: a CommonMark parser with GitHub's
extensions (https://github.github.com/gfm/), then a parser of HTML5 with the tags that GitHub allows
(https://github.com/gjtorikian/html-pipeline). Nothing here looks for hidden text by its form.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin

from bot.thread.markdown.hidden import KNOWN_TAGS, WITHOUT_CONTENT, hidden_kinds, name_set
from bot.thread.markdown.quote import code_span, fence
from bot.types.characters import remove_unseen

MAX_SOURCE_CHARS = 70_000
"""GitHub takes 65,536 characters. What is beyond is not read."""
MAX_SHOWN_CHARS = 60_000

_MAX_NESTING = 100
_MAX_PREFIXES = 12
"""Quotes and lists deeper than this are shown at this depth."""

_FILTERED = re.compile(
    r"<(?=/?(?:title|textarea|style|xmp|iframe|noembed|noframes|script|plaintext)(?:[\s/>]|\Z))",
    re.IGNORECASE,
)
"""Tags that GitHub shows as text: https://github.github.com/gfm/#disallowed-raw-html-extension-"""
_TAG_NAME = re.compile(r"(</?)([A-Za-z][^\s/>]*+)")
"""Of a tag, up to white space or its end."""
_ATTRIBUTES: dict[str, set[str]] = {
    "a": {"href"},
    "img": {"src"},
    "pre": {"lang"},
    "ol": {"start"},
    "em": {"data-mark"},
    "strong": {"data-mark"},
}
_MARKS = ("*", "_", "**", "__")
_LANGUAGES = name_set(
    """asm awk bash bat batch c c# c++ clojure cmake cmd console cpp cs csharp css cuda dart diff
    docker dockerfile dot elixir elm erlang fish fortran fsharp gherkin glsl go gradle graphql groovy
    haskell hcl hlsl html http ini java javascript jinja js json json5 jsonc jsx julia kotlin kt latex
    less lisp log lua make makefile markdown matlab md mermaid nginx nim nix objective-c objc ocaml
    patch perl php plaintext plist powershell prolog properties proto protobuf ps1 py pycon pytb
    python python3 r rb regex rs rst ruby rust sass scala scheme scss sh shell shell-session solidity
    sql suggestion svelte swift tcl terraform tex text toml ts tsx txt typescript v vb verilog vhdl
    vim vue wasm xml yaml yml zig zsh"""
)
"""Of blocks of code. The page does not show it, so another word there is none."""
_BLOCKS = name_set(
    """blockquote caption dd details div dl dt figcaption figure h1 h2 h3 h4 h5 h6 hr li ol p pre
    section summary table tbody tfoot thead tr ul"""
)
_APART = _BLOCKS - {"li", "tr", "thead", "tbody", "tfoot", "dt", "dd", "caption"}
"""Blocks with an empty line around them."""

_CODE = frozenset(("pre", "code", "tt", "samp"))
_OPENING = {
    **{f"h{level}": "#" * level + " " for level in range(1, 7)},
    **dict.fromkeys(("td", "th"), "| "),
    **dict.fromkeys(("del", "s", "strike"), "~~"),
    "hr": "---",
    "img": "[image]",
}
_CLOSING = {
    **dict.fromkeys(("td", "th"), " "),
    **dict.fromkeys(("del", "s", "strike"), "~~"),
    "tr": "|",
}
_SMALL_NUMBER = re.compile(r"\d{1,9}")
_SPACES = re.compile(r"[ \t\f\v]+")
_ODD_LINE_ENDS = dict.fromkeys((0x85, 0x2028, 0x2029), " ")
CUT = "what is beyond the limit of length"
UNSEEN = "characters without a shape"
DRAWN = "what drawings and formulas leave out of their source, which was shown"
_DRAWN = re.compile(
    r"^[ \t>]*+(?:`{3,}|~{3,})\s{0,3}(?:mermaid|math|geojson|topojson|stl)\b"
    r"|\\(?:[hv]?phantom|color|textcolor|def|newcommand)\b",
    re.MULTILINE | re.IGNORECASE,
)
"""The source of what a page draws, without its comments and what is white on white. The model is shown
it."""


@dataclass(frozen=True, slots=True)
class Page:
    """A Markdown text as its page shows it."""

    text: str
    """What a reader sees, with the marks of lists, headings, quotes, tables and code."""
    images: tuple[str, ...] = ()
    """The URLs of the images, in their order."""
    links: tuple[str, ...] = ()
    """The addresses of the links."""
    left_out: tuple[str, ...] = ()
    """The kinds of text that the page does not show, for people."""


def read_page(source: str) -> Page:
    """The page of a Markdown text. Its text is cut at `MAX_SHOWN_CHARS`."""
    source = source.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    rendered = _parser().render(source[:MAX_SOURCE_CHARS])
    clean = nh3.clean(
        rendered,
        tags=set(KNOWN_TAGS),
        clean_content_tags=set(WITHOUT_CONTENT),
        attributes=_ATTRIBUTES,
        link_rel=None,
        strip_comments=True,
    )
    reader = _PageReader()
    reader.feed(clean)
    reader.close()
    shown = reader.text()
    text = remove_unseen(shown.translate(_ODD_LINE_ENDS))
    kinds = hidden_kinds(source[:MAX_SOURCE_CHARS], rendered, shown)
    if _DRAWN.search(source):
        kinds.append(DRAWN)
    if text != shown or remove_unseen(source) != source:
        kinds.append(UNSEEN)
    if len(source) > MAX_SOURCE_CHARS or len(text) > MAX_SHOWN_CHARS:
        kinds.append(CUT)
        text = text[:MAX_SHOWN_CHARS] + "\n[cut here]"
    return Page(text, tuple(reader.images), tuple(reader.links), tuple(kinds))


def read_line(source: str) -> Page:
    """A text that is no Markdown, such as a title: only characters that a reader does not see are left
    out."""
    source = source.replace("\r\n", "\n")
    text = remove_unseen(source.translate(_ODD_LINE_ENDS))
    return Page(text, left_out=(UNSEEN,) if text != source else ())


def join_kinds(pages: Iterable[Page]) -> tuple[str, ...]:
    """The kinds of text that any of the pages does not show."""
    return tuple(dict.fromkeys(kind for page in pages for kind in page.left_out))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": _MAX_NESTING})
    parser.enable(["table", "strikethrough"])
    parser.use(footnote_plugin, inline=False)
    parser.core.ruler.before("footnote_tail", "first_footnotes", _keep_first_footnotes)
    # GitHub makes a link without an address of an address that it does not allow.
    parser.validateLink = _take_any_address  # type: ignore[method-assign]
    for name in ("html_inline", "html_block"):
        parser.add_render_rule(name, _render_html)
    for name in ("em_open", "strong_open"):
        parser.add_render_rule(name, _render_emphasis)
    parser.add_render_rule("fence", _render_fence)
    return parser


def _keep_first_footnotes(state: StateCore) -> None:
    """Of several footnotes with one label GitHub shows the first."""
    kept: list[Token] = []
    labels: set[str] = set()
    is_kept = True
    for token in state.tokens:
        if token.type == "footnote_reference_open":
            is_kept = token.meta["label"] not in labels
            labels.add(token.meta["label"])
        if is_kept:
            kept.append(token)
        is_kept = is_kept or token.type == "footnote_reference_close"
    state.tokens = kept


def _take_any_address(url: str) -> bool:  # noqa: ARG001
    return True


def _render_html(_renderer: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    return _TAG_NAME.sub(_rename_unknown, _FILTERED.sub("&lt;", tokens[index].content))


def _rename_unknown(tag: re.Match[str]) -> str:
    """An unknown tag is left out, and what it holds is shown. nh3 leaves out also what those hold
    that have the names of MathML's or SVG's, as `<in>` and `<vector>`."""
    name = tag[2].lower()
    return tag[0] if name in KNOWN_TAGS or name in WITHOUT_CONTENT else f"{tag[1]}x-{name}"


def _render_emphasis(_renderer: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    """With the signs that were written, since they may be meant: `__init__` is bold on the page."""
    return f'<{tokens[index].tag} data-mark="{tokens[index].markup}">'


def _render_fence(_renderer: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    info, content = html.escape(tokens[index].info.strip()), html.escape(tokens[index].content)
    return f'<pre lang="{info}"><code>{content}</code></pre>\n'


@dataclass(slots=True)
class _Prefix:
    """What stands before the lines of an open quote or list item: before the next one, and before
    those after it."""

    next: str
    rest: str
    is_begun: bool = False


class _PageReader(HTMLParser):
    """Reads the text, the images and the links of clean HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.images: list[str] = []
        self.links: list[str] = []
        self._lines: list[str] = []
        self._line: list[str] = []
        self._is_apart = False
        """Whether an empty line is due before the next one."""
        self._prefixes: list[_Prefix] = []
        self._too_deep = 0
        """How many open quotes and list items have no prefix."""
        self._numbers: list[int | None] = []
        """For each open list the number of its next item; None if it has no numbers."""
        self._marks: list[str] = []
        """The signs of the open emphases."""
        self._code: list[str] = []
        """The text so far of the open code."""
        self._open_code: list[str] = []
        """The open `pre`, `code`, `tt` and `samp`, the first of which is shown as code."""
        self._language = ""
        self._cells = 0
        """Of the first row of the table."""
        self._is_in_row = False

    def text(self) -> str:
        self._end_line()
        return "\n".join(self._lines)

    def handle_data(self, data: str) -> None:
        if self._open_code:
            self._code.append(data)
            return
        if self._is_in_row:
            data = data.replace("\n", " ")
        first, *others = data.split("\n")
        self._line.append(first)
        for line in others:  # a comment's page keeps its line ends
            self._end_line()
            self._line.append(line)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _CODE:
            self._begin_code(tag, given)
        elif self._open_code:
            self._code.append("\n" if tag == "br" or tag in _BLOCKS else "")
        elif self._is_in_row and (tag == "br" or tag in _BLOCKS - {"tr"}):
            self._line.append(" ")
        else:
            self._begin(tag, given)
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "img" and given.get("src"):
            self.images.append(given["src"])

    def _begin(self, tag: str, given: Mapping[str, str]) -> None:
        self._end_block_line(tag)
        self._is_in_row |= tag == "tr"
        self._line.append(_OPENING.get(tag, ""))
        if tag in ("ol", "ul"):
            self._begin_list(tag, given.get("start", "1"))
        elif tag == "li":
            self._begin_item()
        elif tag == "blockquote":
            self._push("> ", "> ")
        elif tag in ("td", "th"):
            self._cells += 1
        elif tag in ("em", "strong"):
            self._begin_emphasis(given.get("data-mark", ""))
        elif tag == "br":
            self._end_line(even_empty=True)

    def handle_endtag(self, tag: str) -> None:
        if tag in _CODE:
            self._end_code(tag)
        elif self._is_in_row and tag in _BLOCKS - {"tr", "table", "thead", "tbody", "tfoot"}:
            self._line.append(" ")
        elif not self._open_code:
            self._end(tag)

    def _end(self, tag: str) -> None:
        self._line.append(_CLOSING.get(tag, ""))
        if tag in ("em", "strong") and self._marks:
            self._line.append(self._marks.pop())
        self._is_in_row &= tag not in ("tr", "table")
        if tag in ("ol", "ul") and self._numbers:
            self._numbers.pop()
        self._end_block_line(tag)
        if tag in ("li", "blockquote"):
            self._pop()
        elif tag == "thead":
            self._line.append("| --- " * self._cells + "|")
            self._end_line()
        elif tag == "table":
            self._cells = 0

    def _end_block_line(self, tag: str) -> None:
        if tag in _BLOCKS and not self._is_in_row:
            is_nested = tag in ("ol", "ul") and bool(self._numbers)
            self._end_line(apart=tag in _APART and not is_nested)

    def _begin_emphasis(self, mark: str) -> None:
        self._marks.append(mark if mark in _MARKS else "")
        self._line.append(self._marks[-1])

    def _begin_list(self, tag: str, start: str) -> None:
        first = int(start) if _SMALL_NUMBER.fullmatch(start) else 1
        self._numbers.append(first if tag == "ol" else None)

    def _begin_item(self) -> None:
        number = self._numbers[-1] if self._numbers else None
        bullet = "- " if number is None else f"{number}. "
        if number is not None:
            self._numbers[-1] = number + 1
        self._push(bullet, " " * len(bullet))

    def _push(self, first: str, rest: str) -> None:
        if len(self._prefixes) < _MAX_PREFIXES:
            self._prefixes.append(_Prefix(first, rest))
        else:
            self._too_deep += 1

    def _pop(self) -> None:
        if self._too_deep:
            self._too_deep -= 1
        elif self._prefixes:
            self._prefixes.pop()

    def _begin_code(self, tag: str, given: Mapping[str, str]) -> None:
        if not self._open_code:
            self._code = []
            language = (given.get("lang", "").lower().split() or [""])[0]
            self._language = language if language in _LANGUAGES else ""
            if tag == "pre":
                self._end_line(apart=True)
        self._open_code.append(tag)

    def _end_code(self, tag: str) -> None:
        if not self._open_code:
            return
        self._open_code.pop()
        if self._open_code:
            return
        code = "".join(self._code)
        if tag != "pre":
            self._line.append(code_span(code) if code.strip() else code)
            return
        for line in fence(code, self._language).split("\n"):
            self._line.append(line)
            self._end_line(even_empty=True, as_is=True)
        self._is_apart = True

    def _end_line(
        self, *, apart: bool = False, even_empty: bool = False, as_is: bool = False
    ) -> None:
        """Ends the line, if it holds anything; `apart` puts an empty line before the next one."""
        line, self._line = "".join(self._line), []
        if not as_is:
            line = _SPACES.sub(" ", line).strip()
        if line or even_empty:
            if self._is_apart and self._lines:
                begun = (each.rest for each in self._prefixes if each.is_begun)
                self._lines.append("".join(begun).rstrip())
            self._is_apart = False
            self._lines.append(("".join(each.next for each in self._prefixes) + line).rstrip(" "))
            for each in self._prefixes:
                each.next, each.is_begun = each.rest, True
        self._is_apart |= apart
