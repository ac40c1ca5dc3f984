"""Which kinds of text of a Markdown source its page does not show, for the people who are told so.

What the model is shown comes from the page alone; this only says what is missing from it.
"""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from urllib.parse import unquote


def name_set(names: str) -> frozenset[str]:
    return frozenset(names.split())


KNOWN_TAGS = name_set(
    """a abbr b bdo blockquote br caption cite code dd del details dfn div dl dt em figcaption
    figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p picture pre q rt ruby s samp
    section small source span strike strong sub summary sup table tbody td tfoot th thead time
    tr tt ul var wbr"""
)
"""The tags that GitHub lets through: https://github.com/gjtorikian/html-pipeline"""
WITHOUT_CONTENT = name_set("script style rp")
"""Elements whose content a page does not show as text."""

_COMMENTS = "HTML comments and declarations"
_DESCRIPTIONS = "descriptions of images"
_TITLES = "titles of links and images"
_ADDRESSES = "addresses behind the text of links"
_FENCE_WORDS = "words behind the language of a block of code"
_TAGS = "HTML tags that no page knows, and attributes"
_ELEMENTS = "HTML elements that have no text of their own"
_UNUSED = "definitions, labels, footnotes or cells that stand nowhere on the page"

_SHAPING = name_set(
    """align width height start dir open type checked disabled data-mark src srcset border colspan
    rowspan valign id class"""
)
"""Attributes that a page obeys, or that our own rendering adds."""
_KIND_OF = {"title": _TITLES, "alt": _DESCRIPTIONS, "href": _ADDRESSES, "lang": _FENCE_WORDS}
_WORD = re.compile(r"[^\W_]++")


def hidden_kinds(source: str, rendered: str, shown: str) -> list[str]:
    """`rendered` is the source as HTML, before anything was taken out of it; `shown` is the text of
    the page."""
    reader = _HiddenReader(_Words(shown))
    reader.feed(rendered)
    reader.close()
    known = _Words(f"{shown} {' '.join(reader.words)}")
    if known.lacks(html.unescape(source)):
        reader.kinds[_UNUSED] = None
    return list(reader.kinds)


class _Words:
    """The words of a text. A word within another counts: `a**b**c` shows `abc`."""

    def __init__(self, text: str) -> None:
        words = _words(text)
        self._words, self._text = set(words), "".join(words)

    def lacks(self, text: str) -> bool:
        return any(
            word not in self._words and word not in self._text
            for word in dict.fromkeys(_words(text))
        )


def _words(text: str) -> list[str]:
    """Without numbers, of which a page makes others: those of lists and footnotes."""
    return [word for word in _WORD.findall(text.casefold()) if not word.isdecimal()]


class _HiddenReader(HTMLParser):
    """Reads what HTML holds beside its text."""

    def __init__(self, shown: _Words) -> None:
        super().__init__(convert_charrefs=True)
        self._shown = shown
        self._without_content = 0
        self.kinds: dict[str, None] = {}
        self.words: list[str] = []
        """What was found, and all that is no words: names of tags and attributes, addresses."""

    def _note(self, kind: str, text: str) -> None:
        self.words.append(text)
        if self._shown.lacks(text):
            self.kinds[kind] = None

    def handle_comment(self, data: str) -> None:
        self._note(_COMMENTS, data)

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """As HTML5 reads `<![`: to the next `>`. The library raises an error at some."""
        return self.parse_bogus_comment(i, bool(report))

    def handle_decl(self, decl: str) -> None:
        self._note(_COMMENTS, decl)

    handle_pi = unknown_decl = handle_comment

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._without_content += tag in WITHOUT_CONTENT
        if tag in KNOWN_TAGS or tag in WITHOUT_CONTENT:
            self.words.append(tag)
        else:
            self._note(_TAGS, tag.removeprefix("x-"))
        for name, value in attrs:
            self.words.append(name)
            text = unquote(value or "").removeprefix("mailto:")
            if name in _SHAPING or text.startswith("#fn"):
                self.words.append(text)
            else:
                self._note(_KIND_OF.get(name, _TAGS), text)

    def handle_endtag(self, tag: str) -> None:
        self._without_content -= tag in WITHOUT_CONTENT

    def handle_data(self, data: str) -> None:
        if self._without_content > 0:
            self._note(_ELEMENTS, data)
