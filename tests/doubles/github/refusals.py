"""What GitHub refuses, in its words and shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.doubles.github.state import Json

DOCUMENTATION = "https://docs.github.com/rest"


class Refused(Exception):
    """Answered as GitHub does: `{"message", "documentation_url", "status"}`, with `errors` where
    given."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Sequence[Json | str] = (),
        headers: Mapping[str, str] | None = None,
        extra: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        more = {**({"errors": list(errors)} if errors else {}), **(extra or {})}
        self.json = {
            "message": message,
            **more,
            "documentation_url": DOCUMENTATION,
            "status": str(status),
        }


def not_found() -> Refused:
    return Refused(404, "Not Found")


def empty_repository() -> Refused:
    return Refused(409, "Git Repository is empty.")


def invalid(
    resource: str, code: str, field: str | None = None, message: str | None = None
) -> Refused:
    """422
    https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed"""
    error = {"resource": resource, "code": code, "field": field, "message": message}
    return Refused(
        422, "Validation Failed", errors=[{k: v for k, v in error.items() if v is not None}]
    )
