"""Images of a thread, from where they are attached to a model that can see."""

from __future__ import annotations

import base64

import pytest

from tests.doubles.github.attachments import PNG, attach
from tests.doubles.github.faults import unavailable
from tests.doubles.model import Fault, rate_limited
from tests.jobs.conftest import SetScene
from tests.scene import CONFIDENT, LOUDER, Scene, Told

SEES = {"TINYGEN_VISION": "double-1"}


@pytest.fixture
def seeing(set_scene: SetScene) -> Scene:
    """With a model that can see."""
    return set_scene(settings=SEES)


def shown(scene: Scene, request: int = 0) -> list[bytes]:
    """The images in the last message of a request."""
    content = scene.model.requests[request].messages[-1]["content"]
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    return [base64.b64decode(url.partition(";base64,")[2]) for url in urls]


def tell(scene: Scene, words: str = "/tinygen Louder.", *, body: str = "It whispers.") -> Told:
    return scene.tell(words, on=scene.open_issue(body=body))


def test_a_model_that_can_see_is_shown_what_people_attached(seeing: Scene) -> None:
    images = [PNG + bytes([n]) for n in range(3)]
    in_prompt, in_body, in_comment = (attach(seeing.repo, image) for image in images)
    issue = seeing.open_issue(body=f'Look: <img width="9" alt="Obey." src="{in_body}" />')
    seeing.repo.comment(issue.number, "octocat", f"And ![here]({in_comment}).")
    told = seeing.tell(f"/tinygen Like ![this]({in_prompt}).", on=issue)
    assert told.state == "done"
    assert shown(seeing, 0) == images
    assert shown(seeing, 1) == images
    assert "Obey." not in seeing.asked[0]
    assert "not shown" not in told.answer


def test_by_default_no_model_is_shown_any_and_the_report_says_so(scene: Scene) -> None:
    told = tell(scene, body=f"![]({attach(scene.repo, PNG)})")
    assert scene.is_text_only()
    assert (
        "Images that were not shown, since the model is not set as one that sees: 1." in told.answer
    )
    assert not scene.github.requests.of("GET", "/user-attachments/.*")


def test_the_model_that_the_repository_chose_decides(set_scene: SetScene) -> None:
    settings = {"TINYGEN_MODELS": "large", "TINYGEN_VISION": "large"}
    scene = set_scene(
        settings=settings, files={".github/tinygen.yml": b"model: large\n", "greet.py": b"1\n"}
    )
    scene.model_says("No change is needed\n\nAll is well.")
    tell(scene, body=f"![]({attach(scene.repo, PNG)})")
    assert shown(scene) == [PNG]


def test_an_image_kept_elsewhere_is_never_asked_for(seeing: Scene) -> None:
    told = tell(
        seeing,
        body=(
            "![](https://example.com/a.png)"
            f" ![]({seeing.github.url}/octocat/greeter/raw/main/a.png)"
        ),
    )
    assert seeing.is_text_only()
    assert "since they are kept elsewhere than at this GitHub server: 2." in told.answer
    assert not seeing.github.requests.of("GET", "/octocat/greeter/raw/.*")


def test_what_no_reader_would_see_is_not_shown(seeing: Scene) -> None:
    url = attach(seeing.repo, PNG)
    tell(seeing, body=f"<!-- ![]({url}) -->\n```\n![]({url})\n```\nAnd `![]({url})`.")
    assert seeing.is_text_only()


def test_images_of_outsiders_are_not_shown(seeing: Scene) -> None:
    issue = seeing.open_issue()
    seeing.repo.comment(issue.number, "mallory", f"![]({attach(seeing.repo, PNG)})")
    seeing.tell("/tinygen Louder.", on=issue)
    assert seeing.is_text_only()


def test_no_token_goes_where_the_address_leads(seeing: Scene) -> None:
    tell(seeing, body=f"![]({attach(seeing.repo, PNG)})")
    (address,) = seeing.github.requests.of("GET", "/user-attachments/.*")
    (kept,) = seeing.github.requests.of("GET", "/kept/.*")
    assert (address.caller, kept.caller) == ("installation", "anonymous")


def test_of_a_private_repository_the_signed_address_is_found(seeing: Scene) -> None:
    seeing.repo.private = True
    issue = seeing.open_issue()
    seeing.repo.comment(issue.number, "octocat", f"![]({attach(seeing.repo, PNG)})")
    seeing.tell("/tinygen Louder.", on=issue)
    assert shown(seeing) == [PNG]
    (signed,) = seeing.github.requests.of("GET", "/private-user-images/.*")
    assert signed.caller == "anonymous"


@pytest.mark.parametrize("content", [b"<svg/>", b"", PNG + bytes(5_000_000)])
def test_what_is_no_image_or_too_large_is_told_and_costs_nothing_else(
    seeing: Scene, content: bytes
) -> None:
    told = tell(seeing, body=f"![]({attach(seeing.repo, content)}) ![]({attach(seeing.repo, PNG)})")
    assert told.state == "done"
    assert shown(seeing) == [PNG]
    assert (
        "since they could not be had, or are no PNG, JPEG, GIF or WebP of at most 5 MB: 1."
        in told.answer
    )


def test_an_image_that_is_gone_fails_no_job(seeing: Scene) -> None:
    url = attach(seeing.repo, PNG)
    seeing.github.faults.add(unavailable(), path="/user-attachments/")
    told = tell(seeing, body=f"![]({url})")
    assert told.state == "done"
    assert "since they could not be had" in told.answer


def test_of_many_images_the_first_few_are_shown(seeing: Scene) -> None:
    images = [PNG + bytes([n]) for n in range(6)]
    told = tell(seeing, body=" ".join(f"![]({attach(seeing.repo, image)})" for image in images))
    assert shown(seeing) == images[:4]
    assert "Images that were not shown, beyond the first 4: 2." in told.answer


def test_a_model_that_refuses_images_is_asked_once_more_without(seeing: Scene) -> None:
    refusal = Fault(
        400, b'{"error": {"message": "image_url is only supported by certain models."}}'
    )
    seeing.model_says(refusal, LOUDER, CONFIDENT)
    told = tell(seeing, body=f"![]({attach(seeing.repo, PNG)})")
    assert told.state == "done"
    assert shown(seeing, 0) == [PNG]
    assert seeing.is_text_only(1)
    assert seeing.is_text_only(2)
    assert len(seeing.asked) == 3
    assert (
        "All images were left out: The model double-1 takes no images, or not these" in told.answer
    )


def test_a_job_that_goes_on_later_fetches_them_again(seeing: Scene) -> None:
    """Its bytes were in the memory of a process that may be gone."""
    issue = seeing.open_issue(body=f"![]({attach(seeing.repo, PNG)})")
    seeing.model_says(rate_limited(600), LOUDER, CONFIDENT)
    told = seeing.say("/tinygen Louder.", on=issue)
    seeing.wait(seeing.hurry, "the job to be put off")
    assert seeing.ended(told).state == "done"
    assert [shown(seeing, request) for request in (0, 1)] == [[PNG], [PNG]]
    assert len(seeing.github.requests.of("GET", "/user-attachments/.*")) == 2
