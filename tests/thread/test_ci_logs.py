"""The logs of failed checks."""

from __future__ import annotations

from bot.thread.ci_logs import MAX_CHARS, MAX_LINES, fingerprint, tail_of

STAMP = "2026-11-22T10:00:00.1234567Z "


def test_a_tail_ends_at_the_last_error_without_stamps_and_colours() -> None:
    log = f"{STAMP}one\r\n{STAMP}\x1b[31mtwo\x1b[0m\n{STAMP}##[error]three\n{STAMP}tidied up\n"
    assert tail_of(log) == "one\ntwo\n##[error]three"


def test_without_an_error_it_is_the_end() -> None:
    assert tail_of("".join(f"{number}\n" for number in range(1_000))).split("\n")[-1] == "999"
    assert tail_of("") == ""


def test_it_is_bounded() -> None:
    assert len(tail_of("x" * 1_000_000)) == MAX_CHARS
    assert len(tail_of("a\n" * 5_000).split("\n")) == MAX_LINES


def test_the_same_error_at_another_time_and_place_is_the_same() -> None:
    assert fingerprint(("a.py:12 at 0x7f3a, 1.52s, deadbeef1",)) == fingerprint(
        ("a.py:9 at 0x11, 0.7s, c0ffee1",)
    )
    assert fingerprint(("a.py:12: KeyError",)) != fingerprint(("a.py:12: TypeError",))
