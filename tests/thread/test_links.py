"""What a thread links to that the model is shown: attached images, and lines of code."""

from __future__ import annotations

import pytest

from bot.thread.links import (
    MAX_LINES,
    Permalink,
    find_images,
    find_permalinks,
    media_type,
    render_lines,
)
from bot.thread.markdown.page import read_page

SHA = "a" * 40
UUID = "0b3a1c5e-1f2d-4c3b-8a9e-0123456789ab"
GITHUB, OWN = "https://github.com", "https://git.example.org"


@pytest.mark.parametrize(
    ("url", "server_url"),
    [
        (f"{GITHUB}/user-attachments/assets/{UUID}", GITHUB),
        (f"{GITHUB}/octocat/hello/assets/583231/{UUID}", GITHUB),
        (f"https://user-images.githubusercontent.com/583231/{UUID}.png", GITHUB),
        (f"https://private-user-images.githubusercontent.com/1/2-{UUID}.png?jwt=a.b-c.d_e", GITHUB),
        (f"{OWN}/user-attachments/assets/{UUID}", OWN),
        (f"{OWN}/storage/user/5/files/{UUID}", OWN),
        (f"https://media.git.example.org/user/5/files/{UUID}?token=AbC", OWN),
    ],
)
@pytest.mark.parametrize(
    "form", ["![alt]({})", "![]( <{}> 'title')", '<img src="{}">', "<IMG width=2 SRC='{}' />"]
)
def test_what_is_attached_at_the_server_is_found(url: str, server_url: str, form: str) -> None:
    found = find_images([read_page(form.format(url))], server_url)
    assert (found.attached, found.elsewhere) == ((url,), ())


@pytest.mark.parametrize(
    "url",
    [
        f"http://github.com/user-attachments/assets/{UUID}",
        f"https://github.com.example.org/user-attachments/assets/{UUID}",
        f"https://github.com@example.org/user-attachments/assets/{UUID}",
        f"https://example.org/https://github.com/user-attachments/assets/{UUID}",
        f"{GITHUB}/user-attachments/assets/../../octocat/hello/{UUID}",
        f"{GITHUB}/user-attachments/assets/{UUID}?x=1",
        f"{GITHUB}/logout",
        f"https://evil.user-images.githubusercontent.com/{UUID}.png",
        f"https://user-images.githubusercontent.com:8080/{UUID}.png",
        f"https://media.github.com.example.org/user/5/files/{UUID}",
        f"{OWN}/user-attachments/assets/{UUID}",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_nothing_else_is(url: str) -> None:
    found = find_images(
        [read_page(f"![]({url}) and ![]({GITHUB}/user-attachments/assets/{UUID})")], GITHUB
    )
    assert found.attached == (f"{GITHUB}/user-attachments/assets/{UUID}",)
    assert found.elsewhere == (url,)


def test_the_hosts_of_github_com_are_not_those_of_another_server() -> None:
    url = f"https://user-images.githubusercontent.com/583231/{UUID}.png"
    assert find_images([read_page(f"![]({url})")], OWN).elsewhere == (url,)


def test_an_image_that_is_shown_twice_is_one() -> None:
    url = f"{GITHUB}/user-attachments/assets/{UUID}"
    assert find_images(
        [read_page(f"![a]({url})"), read_page(f'<img src="{url}">')], GITHUB
    ).attached == (url,)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\nrest", "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x10\n\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", None),
        (b"<svg onload=x>", None),
        (b"<!doctype html>GIF89a", None),
        (b"", None),
    ],
)
def test_an_image_is_what_its_first_bytes_say(content: bytes, kind: str | None) -> None:
    assert media_type(content) == kind


def test_a_link_to_lines_of_this_repository_is_found() -> None:
    url = f"https://github.com/O/r/blob/{SHA}/src/a%20b.py?plain=1#L3-L5"
    assert find_permalinks(
        [read_page(f"See ({url}), and [here]({url})")], "https://github.com", "o/R"
    ) == (Permalink(SHA, "src/a b.py", 3, 5),)


@pytest.mark.parametrize(
    "url",
    [
        f"https://github.com/o/other/blob/{SHA}/a.py#L3",
        f"https://evil.example/o/r/blob/{SHA}/a.py#L3",
        "https://github.com/o/r/blob/main/a.py#L3",
        f"https://github.com/o/r/blob/{SHA}/a.py",
        f"https://github.com/o/r/blob/{SHA}/docs/../private/a.py#L1",
        f"https://github.com/o/r/blob/{SHA}/docs/%2e%2e/private/a.py#L1",
        f"https://github.com/o/r/blob/{SHA}/./a.py#L1",
        f"https://github.com/o/r/blob/{SHA}/%2e%2e%2fcontents%2fa.py#L1",
        f"https://github.com/o/r/blob/{SHA}/x%2f..%2fa.py#L1",
        f"https://github.com/o/r/blob/{SHA}//a.py#L1",
        f"https://github.com/o/r/blob/{SHA}/a/#L1",
        f"https://github.com/o/r/blob/{SHA}/a%5cb.py#L1",
        f"https://github.com/o/r/blob/{SHA}/a%00.py#L1",
    ],
)
def test_other_links_are_only_links(url: str) -> None:
    assert find_permalinks([read_page(url)], "https://github.com", "o/r") == ()


def test_few_lines_of_few_links_are_shown() -> None:
    urls = [f"https://github.com/o/r/blob/{SHA}/{n}.py#L1-L9999999" for n in range(50)]
    links = find_permalinks(map(read_page, urls), "https://github.com", "o/r")
    assert len(links) == 5
    assert links[0].last == MAX_LINES


def test_the_lines_stand_under_their_place() -> None:
    link = Permalink(SHA, "a.py", 2, 3)
    assert render_lines(link, b"1\n2\n3\n4\n") == f"a.py, from line 2, at {SHA[:12]}:\n2\n3"
    assert render_lines(link, b"1\n") == ""
    assert render_lines(link, b"\0\n\n\n") == ""


def test_lines_are_counted_as_git_does() -> None:
    link = Permalink("a" * 40, "a.txt", 2, 3)
    content = "1\x0c\u2028\u0085\n2\n3\n4\n".encode()
    assert render_lines(link, content).endswith(":\n2\n3")
