"""Files attached in threads: their addresses, and where GitHub keeps them.

Of a public repository the address leads to a storage that refuses whoever sends a token as well; of
a private one it opens to no token, and only what is rendered of a thread holds an address that
does.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from tests.doubles.github.state import Json, World
from tests.doubles.server import Request, Response

if TYPE_CHECKING:
    from tests.doubles.github.repository import Repository

_UUID = r"([0-9a-f-]{36})"
_ADDRESS = re.compile(rf"/user-attachments/assets/{_UUID}")
_KEPT = re.compile(rf"/(?:kept/|private-user-images/\d+/\d+-){_UUID}\.png")
_KEY = "jwt=eyJhbGciOi.eyJpc3Mi.c2lnbmVk"

PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)
"""An image, as far as its first bytes tell."""


def attach(repo: Repository, content: bytes) -> str:
    """The address that a comment gets."""
    name = str(uuid.uuid4())
    repo.world.attachments[name] = (content, repo.private)
    return f"{repo.world.url}/user-attachments/assets/{name}"


def rendered(shown: Json) -> Json:
    """The issue or comment with its words as a page shows them."""
    body = _ADDRESS.sub(
        rf"/private-user-images/1/2-\1.png?{_KEY}", (shown["body"] or "").replace("&", "&amp;")
    )
    return {**shown, "body_html": f"<p>{body}</p>", "body_text": ""}


def answer_file(world: World, request: Request) -> Response | None:
    """None where it asks for no attached file."""
    if found := _ADDRESS.fullmatch(request.path):
        _content, private = world.attachments[found[1]]
        return (
            Response(404)
            if private
            else Response(302, b"", {"Location": f"{world.url}/kept/{found[1]}.png"})
        )
    if found := _KEPT.fullmatch(request.path):
        content, private = world.attachments[found[1]]
        is_barred = "Authorization" in request.headers or (private and request.query_string != _KEY)
        return Response(400) if is_barred else Response(200, content, {"Content-Type": "image/png"})
    return None
