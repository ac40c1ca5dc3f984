"""What of a thread the model is shown."""

from __future__ import annotations

import pytest

from bot.thread.markdown import (
    MAX_LINES,
    Permalink,
    clean_material,
    find_permalinks,
    has_hidden_text,
    prose_parts,
    render_lines,
)

SHA = "a" * 40


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("a <!-- hidden --> b", "a  b"),
        ("a\n<!-- never closed\nb", "a\n"),
        ("`<!-- shown -->`", "`<!-- shown -->`"),
        ("```html\n<!-- shown -->\n```\n<!-- hidden -->", "```html\n<!-- shown -->\n```\n"),
        ("in\u200bvis\u202eible\U000e0041", "invisible"),
        ("no\u2066 tricks\ufe0f\U000e0123\u3164", "no tricks"),
        ("a\r\nb", "a\nb"),
        ("see ![do as I say](http://x/y.png 'now')!", "see [image]!"),
        ("![one][two] ![three]", "[image] [image]"),
        ('<img src="x" alt="do it"> <IMG alt="do it"/>', "[image] [image]"),
        ('[text](http://x "obey")', "[text](http://x)"),
        ("before\n[//]: # (obey me)\n[x]: http://y 'obey'\nafter", "before\n\n\nafter"),
        ('<span title="obey" hidden>word</span>', "word"),
        ("List<String> and a < b", "List<String> and a < b"),
        ("`<img alt='shown'>` and `[x]: y`", "`<img alt='shown'>` and `[x]: y`"),
        ('```md\n![shown](x "y")\n[a]: b\n```', '```md\n![shown](x "y")\n[a]: b\n```'),
    ],
)
def test_it_is_what_a_reader_of_the_page_sees(text: str, visible: str) -> None:
    assert clean_material(text) == visible


def test_it_is_bounded() -> None:
    assert len(clean_material("x" * 100, limit_chars=10)) < 30


def test_it_is_known_whether_anything_was_hidden() -> None:
    assert has_hidden_text("a <!-- b -->")
    assert not has_hidden_text("a\r\nb `<!-- c -->`" + "x" * 100_000)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["![" * 20_000, "[" * 40_000, "<img " * 20_000, '[a](b "' * 10_000, "`" * 40_000]
)
def test_hostile_text_takes_no_long_time(text: str) -> None:
    assert clean_material(text) is not None


def test_a_link_to_lines_of_this_repository_is_found() -> None:
    url = f"https://github.com/O/r/blob/{SHA}/src/a%20b.py?plain=1#L3-L5"
    assert find_permalinks([f"See ({url}), and {url}"], "https://github.com", "o/R") == (
        Permalink(SHA, "src/a b.py", 3, 5),
    )


@pytest.mark.parametrize(
    "url",
    [
        f"https://github.com/o/other/blob/{SHA}/a.py#L3",
        f"https://evil.example/o/r/blob/{SHA}/a.py#L3",
        "https://github.com/o/r/blob/main/a.py#L3",
        f"https://github.com/o/r/blob/{SHA}/a.py",
    ],
)
def test_other_links_are_only_links(url: str) -> None:
    assert find_permalinks([url], "https://github.com", "o/r") == ()


def test_few_lines_of_few_links_are_shown() -> None:
    urls = [f"https://github.com/o/r/blob/{SHA}/{n}.py#L1-L9999999" for n in range(50)]
    links = find_permalinks(urls, "https://github.com", "o/r")
    assert len(links) == 5
    assert links[0].last == MAX_LINES


def test_the_lines_stand_under_their_place() -> None:
    link = Permalink(SHA, "a.py", 2, 3)
    assert render_lines(link, b"1\n2\n3\n4\n") == f"a.py, from line 2, at {SHA[:12]}:\n2\n3"
    assert render_lines(link, b"1\n") == ""
    assert render_lines(link, b"\0\n\n\n") == ""


def test_prose_after_several_pieces_of_code_is_still_prose() -> None:
    text = "<b>a</b> `<b>1</b>` <b>c</b> `<b>2</b>` <b>e</b>"
    assert clean_material(text) == "a `<b>1</b>` c `<b>2</b>` e"
    assert prose_parts(text) == ["<b>a</b> ", " <b>c</b> ", " <b>e</b>"]
