"""Files that people attached in a thread.

Their addresses on the site serve only browsers where the repository is private: no token opens
them. What GitHub renders of the thread holds addresses that are signed, and good for some minutes.
https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#media-types
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, RootModel

from bot.adapters.github.calls import Call, Calls, Server
from bot.adapters.github.shapes import PAGE_ITEMS
from bot.errors import BadRequest, NotFound, OutsideError

RENDERED = "application/vnd.github.full+json"

_HOPS = 3
_SECONDS = 30.0
_DOING = "fetch an attached file"
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class _Rendered(BaseModel):
    body_html: str = ""


class _RenderedPage(RootModel[Annotated[list[_Rendered], Field(max_length=PAGE_ITEMS)]]):
    pass


class Attachments:
    """Those of one repository's threads. `site` is the server's URL: nothing but that is sent the
    token."""

    def __init__(self, server: Server, calls: Calls, repo: str, site: str) -> None:
        self._server, self._calls, self._site = server, calls, site
        self._at = f"/repos/{repo}"

    def fetch(self, url: str, number: int, token: str | None, *, max_bytes: int) -> bytes:
        """See `bot.ports.GitHub.attachment`."""
        on_site = url.startswith(f"{self._site}/")
        try:
            return self._download(url, token if on_site else None, max_bytes)
        except NotFound:
            signed = next(self._signed(url, number), None) if on_site else None
            if signed is None:
                raise
            return self._download(signed, None, max_bytes)

    def _download(self, url: str, token: str | None, max_bytes: int) -> bytes:
        """What GitHub leads to is fetched without the token."""
        scheme = urlsplit(url).scheme
        for _ in range(_HOPS):
            with self._server.stream(url, _DOING, token) as response:
                onward = response.next_request
                if onward is None:
                    return _body(
                        self._server, response.status_code, response.iter_bytes(), max_bytes
                    )
            if onward.url.scheme != scheme:
                break
            url, token = str(onward.url), None
        raise OutsideError(
            f"TinyGen could not {_DOING}: GitHub led nowhere.", next_step="Attach it again."
        )

    def _signed(self, url: str, number: int) -> Iterator[str]:
        """The file's signed addresses in the thread as GitHub renders it."""
        uuid = _UUID.search(url)
        if uuid is None:
            return
        signed = _signed_addresses(self._site)
        for words in self._rendered(number):
            for found in signed.finditer(words.body_html):
                if uuid[0] in found["path"]:
                    yield html.unescape(found[0])

    def _rendered(self, number: int) -> Iterator[_Rendered]:
        """The thread's opening, its comments and, on a pull request, those on lines."""
        doing = "read a thread as it is shown"
        yield self._calls.read(
            _Rendered, Call("GET", f"{self._at}/issues/{number}", doing, accept=RENDERED)
        )
        for kind in ("issues", "pulls"):
            call = Call("GET", f"{self._at}/{kind}/{number}/comments", doing, accept=RENDERED)
            with suppress(NotFound):  # an issue has none on lines
                for page in self._calls.pages(_RenderedPage, call):
                    yield from page.root


def _signed_addresses(site: str) -> re.Pattern[str]:
    hosts = "|".join(map(re.escape, ("https://private-user-images.githubusercontent.com", site)))
    return re.compile(rf"(?:{hosts})/(?P<path>[\w./-]++)\?[\w.=&;%-]+")


def _body(server: Server, status: int, chunks: Iterator[bytes], max_bytes: int) -> bytes:
    if status >= 400:
        kind = NotFound if status < 500 else OutsideError
        raise kind(
            f"TinyGen could not {_DOING}: GitHub answered {status}.", next_step="Attach it again."
        )
    content, until = b"", server.clock() + _SECONDS
    for chunk in chunks:
        content += chunk
        if len(content) > max_bytes:
            raise BadRequest(
                f"An attached file is larger than {max_bytes} bytes.",
                next_step="Attach a smaller one.",
            )
        if server.clock() > until:
            raise OutsideError(
                f"TinyGen could not {_DOING}: it took too long.", next_step="Try again."
            )
    return content
