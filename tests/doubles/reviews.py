"""What a model says in a review and in a comparison."""

from __future__ import annotations


def fault(given: str, place: str, result: str) -> str:
    """A counterexample, in the form that the review asks for."""
    return f"Input: {given}\nPlace: {place}\nResult: {result}\n"


def choice(asked: str, line: str, why: str = "Traced it.") -> str:
    """The answer to a comparison that chooses the version that has the line."""
    line = line.removesuffix("\n")
    versions = [each for each in "AB" if f"\n{each} {line}\n" in asked]
    assert len(versions) == 1, asked
    return f"{why} [{versions[0]}]"
