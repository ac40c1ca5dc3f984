from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.thread.page_links import is_link_valid, page_path, sign_link

KEY, OTHER = b"k" * 32, b"o" * 32


def test_a_link_opens_its_own_job_until_it_expires() -> None:
    signature = sign_link(KEY, "job-1", 1_000.0)
    assert is_link_valid(KEY, "job-1", signature, 999.0)
    assert is_link_valid(KEY, "job-1", signature, 1_000.0)
    assert not is_link_valid(KEY, "job-1", signature, 1_001.0)
    assert not is_link_valid(KEY, "job-2", signature, 999.0)
    assert not is_link_valid(OTHER, "job-1", signature, 999.0)


def test_a_link_to_a_diff_opens_no_page_nor_the_other_way_round() -> None:
    page, diff = (sign_link(KEY, "job-1", 1_000.0, scope) for scope in ("page", "diff"))
    assert is_link_valid(KEY, "job-1", diff, 999.0, "diff")
    assert not is_link_valid(KEY, "job-1", diff, 999.0, "page")
    assert not is_link_valid(KEY, "job-1", page, 999.0, "diff")


def test_its_time_cannot_be_changed() -> None:
    signature = sign_link(KEY, "job-1", 1_000.0)
    assert not is_link_valid(KEY, "job-1", signature.replace("1000-", "9000-"), 999.0)


@given(st.text())
def test_no_other_text_is_a_link(text: str) -> None:
    assert not is_link_valid(KEY, "job-1", text, 0.0)


def test_the_path_of_a_diff_has_the_signature_too() -> None:
    assert page_path("j") == "/jobs/j"
    assert page_path("j", "5-a", suffix=".diff") == "/jobs/j.diff?key=5-a"
