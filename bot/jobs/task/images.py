"""The images of a job's thread. Only their digests are recorded: the bytes are kept in memory, and
fetched again after a restart."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import structlog

from bot.errors import BadRequest, TinyGenError
from bot.jobs.policy import JobContext
from bot.thread.links import MAX_IMAGE_BYTES, MAX_IMAGES, find_images, media_type
from bot.thread.markdown.page import Page
from bot.types import Image, Job, Prompt

_log = structlog.get_logger()


class ImageLoader:
    """Fetches the images of one job."""

    def __init__(self, context: JobContext, job: Job) -> None:
        self._context, self._job = context, job
        self._contents: dict[str, bytes] = {}
        self.are_refused = False
        """Whether the model refused images."""

    def collect(
        self, pages: Sequence[Page], outsiders: Sequence[Page] = ()
    ) -> tuple[tuple[Image, ...], tuple[str, ...]]:
        """The images that the pages show; and sentences about the images, also of the outsiders'
        pages, that the model is not shown."""
        server_url = self._context.policy.server_url
        if not self._context.policy.can_see:
            attached = find_images((*pages, *outsiders), server_url).attached
            return (), _sentences({"since the model is not set as one that sees": len(attached)})
        found, theirs = find_images(pages, server_url), find_images(outsiders, server_url)
        only_theirs = {*theirs.attached, *theirs.elsewhere} - {*found.attached, *found.elsewhere}
        first = found.attached[:MAX_IMAGES]
        images = [image for url in first if (image := self._fetch(url))]
        counts = {
            "since they stand in words of people who may not have changes made here": len(
                only_theirs
            ),
            "since they are kept elsewhere than at this GitHub server": len(found.elsewhere),
            f"beyond the first {MAX_IMAGES}": len(found.attached) - len(first),
            "since they could not be had, or are no PNG, JPEG, GIF or WebP of at most 5 MB": (
                len(first) - len(images)
            ),
        }
        return tuple(images), _sentences(counts)

    def contents(self, prompt: Prompt) -> dict[str, bytes]:
        """The bytes of the prompt's images by their digests, without those that cannot be fetched
        any more."""
        wanted = {image.sha256: image for part in prompt.messages for image in part.images}
        for sha256, image in wanted.items():
            if sha256 not in self._contents:
                self._fetch(image.url)
        return {sha256: self._contents[sha256] for sha256 in wanted if sha256 in self._contents}

    def _fetch(self, url: str) -> Image | None:
        """The image; None if it cannot be fetched, since a job does not fail because of an
        image."""
        target = self._job.target
        try:
            github = self._context.github(target)
            content = github.attachment(url, target.issue_number or 0, max_bytes=MAX_IMAGE_BYTES)
            kind = media_type(content)
            if kind is None:
                raise BadRequest(
                    "The file is no image that models take.", next_step="Attach a PNG."
                )
        except TinyGenError as error:
            _log.warning("an image could not be had", error=error.message)
            return None
        image = Image(url, kind, hashlib.sha256(content).hexdigest(), len(content))
        self._contents[image.sha256] = content
        return image


def _sentences(counts: dict[str, int]) -> tuple[str, ...]:
    return tuple(
        f"Images that were not shown, {why}: {count}." for why, count in counts.items() if count
    )
