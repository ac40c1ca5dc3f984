"""Files that people attached in a thread.

In a private repository their addresses on the site serve browsers only: no token opens them. The
HTML that GitHub renders of the thread holds signed addresses, which are valid for some minutes.
https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#media-types
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, Field, RootModel

from bot.adapters.github.client import ApiClient, ApiRequest, Transport
from bot.adapters.github.schemas import PAGE_ITEMS
from bot.errors import BadRequest, NotFound, OutsideError

_RENDERED_HTML = "application/vnd.github.full+json"
_MAX_REDIRECTS = 3
_MAX_DOWNLOAD_S = 30.0
_PURPOSE = "fetch an attached file"
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class _RenderedText(BaseModel):
    body_html: str = ""


class _RenderedPage(RootModel[Annotated[list[_RenderedText], Field(max_length=PAGE_ITEMS)]]):
    pass


class Attachments:
    """The attachments of one repository's threads. `server_url` is GitHub's site: the token is sent
    nowhere else."""

    def __init__(self, transport: Transport, api: ApiClient, repo: str, server_url: str) -> None:
        self._transport = transport
        self._api = api
        self._path = f"/repos/{repo}"
        self._server_url = server_url

    def fetch(self, url: str, number: int, token: str | None, *, max_bytes: int) -> bytes:
        """See `bot.ports.GitHub.attachment`."""
        if not url.startswith(f"{self._server_url}/"):
            return self._download(url, None, max_bytes)
        try:
            return self._download(url, token, max_bytes)
        except NotFound:
            signed_url = self._find_signed_url(url, number)
            if signed_url is None:
                raise
            return self._download(signed_url, None, max_bytes)

    def _download(self, url: str, token: str | None, max_bytes: int) -> bytes:
        """Redirects are followed without the token, and only with the same scheme."""
        scheme = urlsplit(url).scheme
        for _ in range(_MAX_REDIRECTS):
            with self._transport.open_stream(url, _PURPOSE, token) as response:
                redirected = response.next_request
                if redirected is None:
                    return self._read_body(response, max_bytes)
            if redirected.url.scheme != scheme:
                break
            url, token = str(redirected.url), None
        raise OutsideError(
            f"TinyGen could not {_PURPOSE}: GitHub led nowhere.", next_step="Attach it again."
        )

    def _read_body(self, response: httpx.Response, max_bytes: int) -> bytes:
        status = response.status_code
        if status >= 400:
            error_type = NotFound if status < 500 else OutsideError
            message = f"TinyGen could not {_PURPOSE}: GitHub answered {status}."
            raise error_type(message, next_step="Attach it again.")
        content = b""
        deadline = self._transport.clock() + _MAX_DOWNLOAD_S
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > max_bytes:
                message = f"An attached file is larger than {max_bytes} bytes."
                raise BadRequest(message, next_step="Attach a smaller one.")
            if self._transport.clock() > deadline:
                message = f"TinyGen could not {_PURPOSE}: it took too long."
                raise OutsideError(message, next_step="Try again.")
        return content

    def _find_signed_url(self, url: str, number: int) -> str | None:
        """The file's first signed address in the thread as GitHub renders it."""
        uuid = _UUID.search(url)
        if uuid is None:
            return None
        signed_addresses = _signed_addresses(self._server_url)
        for text in self._fetch_rendered(number):
            for found in signed_addresses.finditer(text.body_html):
                if uuid[0] in found["path"]:
                    return html.unescape(found[0])
        return None

    def _fetch_rendered(self, number: int) -> Iterator[_RenderedText]:
        """The thread's body, its comments and, on a pull request, those on lines."""
        purpose = "read a thread as it is shown"
        path = f"{self._path}/issues/{number}"
        yield self._api.read(_RenderedText, ApiRequest("GET", path, purpose, accept=_RENDERED_HTML))
        for kind in ("issues", "pulls"):
            path = f"{self._path}/{kind}/{number}/comments"
            request = ApiRequest("GET", path, purpose, accept=_RENDERED_HTML)
            with suppress(NotFound):  # an issue has no comments on lines
                for page in self._api.read_pages(_RenderedPage, request):
                    yield from page.root


def _signed_addresses(server_url: str) -> re.Pattern[str]:
    hosts = ("https://private-user-images.githubusercontent.com", server_url)
    either = "|".join(map(re.escape, hosts))
    return re.compile(rf"(?:{either})/(?P<path>[\w./-]++)\?[\w.=&;%-]+")
