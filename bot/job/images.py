"""The images of one job. What is recorded of them is small; their bytes are in memory only, and after a restart they
are fetched again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import structlog

from bot.core.images import MAX_IMAGE_BYTES, MAX_IMAGES, find_images, media_type
from bot.core.types import Image, Job, Prompt
from bot.errors import BadRequest, TinyGenError
from bot.job.house import House

_log = structlog.get_logger()


class Album:
    """`is_shut`: the model would not take them."""

    def __init__(self, house: House, job: Job) -> None:
        self._house, self._job = house, job
        self._contents: dict[str, bytes] = {}
        self.is_shut = False

    def collect(self, texts: Sequence[str], outsiders: Sequence[str] = ()) -> tuple[tuple[Image, ...], tuple[str, ...]]:
        """The images that the texts show, and what of them and of the outsiders' texts the model is not shown, in
        sentences."""
        server_url = self._house.rules.server_url
        found, theirs = find_images(texts, server_url), find_images(outsiders, server_url)
        unseen = len({*theirs.attached, *theirs.elsewhere} - {*found.attached, *found.elsewhere})
        if not self._house.rules.can_see:
            everything = find_images((*texts, *outsiders), server_url)
            return (), _sentences({"since the model is not set as one that sees": len(everything.attached)})
        images = [image for url in found.attached[:MAX_IMAGES] if (image := self._fetched(url))]
        counts = {
            "since they stand in words of people who may not have changes made here": unseen,
            "since they are kept elsewhere than at this GitHub server": len(found.elsewhere),
            f"beyond the first {MAX_IMAGES}": len(found.attached[MAX_IMAGES:]),
            "since they could not be had, or are no PNG, JPEG, GIF or WebP of at most 5 MB": (
                len(found.attached[:MAX_IMAGES]) - len(images)
            ),
        }
        return tuple(images), _sentences(counts)

    def contents(self, prompt: Prompt) -> dict[str, bytes]:
        """The bytes of the prompt's images, by their digests; without those that are there no longer."""
        wanted = {image.sha256: image for message in prompt.messages for image in message.images}
        for sha256, image in wanted.items():
            if sha256 not in self._contents:
                self._fetched(image.url)
        return {sha256: self._contents[sha256] for sha256 in wanted if sha256 in self._contents}

    def _fetched(self, url: str) -> Image | None:
        """None for one that cannot be had: a job does not fail for an image."""
        target = self._job.target
        try:
            github = self._house.github(target)
            content = github.attachment(url, target.issue_number or 0, max_bytes=MAX_IMAGE_BYTES)
            kind = media_type(content)
            if kind is None:
                raise BadRequest("The file is no image that models take.", next_step="Attach a PNG.")
        except TinyGenError as error:
            _log.warning("an image could not be had", error=error.message)
            return None
        image = Image(url, kind, hashlib.sha256(content).hexdigest(), len(content))
        self._contents[image.sha256] = content
        return image


def _sentences(counts: dict[str, int]) -> tuple[str, ...]:
    return tuple(f"Images that were not shown, {why}: {count}." for why, count in counts.items() if count)
