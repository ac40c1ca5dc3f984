"""Which images of a thread may be shown, and what an image is."""

from __future__ import annotations

import pytest

from bot.thread.markdown import find_images, media_type

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
    "form", ["![alt]({})", "![]( <{}> 'title')", '<img src="{}">', "<IMG width=2 SRC={} />"]
)
def test_what_is_attached_at_the_server_is_found(url: str, server_url: str, form: str) -> None:
    found = find_images([form.format(url)], server_url)
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
        "file:///etc/passwd",
    ],
)
def test_nothing_else_is(url: str) -> None:
    found = find_images([f"![]({url}) and ![]({GITHUB}/user-attachments/assets/{UUID})"], GITHUB)
    assert found.attached == (f"{GITHUB}/user-attachments/assets/{UUID}",)
    assert found.elsewhere == (url,)


def test_the_hosts_of_github_com_are_not_those_of_another_server() -> None:
    url = f"https://user-images.githubusercontent.com/583231/{UUID}.png"
    assert find_images([f"![]({url})"], OWN).elsewhere == (url,)


def test_an_image_that_is_shown_twice_is_one() -> None:
    url = f"{GITHUB}/user-attachments/assets/{UUID}"
    assert find_images([f"![a]({url})", f'<img src="{url}">'], GITHUB).attached == (url,)


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
