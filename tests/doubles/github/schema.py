"""Checks the double's answers and webhooks against GitHub's published schema.

From npm's `@octokit/openapi` (tests/package.json); read by tests alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from jsonschema import Draft4Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT4

from tests import ROOT
from tests.doubles.github.state import Json

PACKAGE = ROOT / "tests" / "node_modules" / "@octokit" / "openapi"
_HERE = "urn:github"

Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


@cache
def description() -> Json:
    """OpenAPI 3.0. The file without references resolved: a fifth of the size.

    One mistake of it is corrected: the list of installations alone says that an account is a user and an
    enterprise at once.
    """
    read: Json = json.loads((PACKAGE / "generated" / "api.github.com.json").read_bytes())
    listed = read["paths"]["/app/installations"]["get"]["responses"]["200"]["content"][
        "application/json"
    ]["schema"]
    account = listed["items"]["properties"]["account"]
    account["anyOf"] = account.pop("allOf")
    return read


@cache
def _judge() -> tuple[Any, Registry[Any]]:
    """A validator that knows OpenAPI's `nullable`, and the whole schema to resolve references in."""

    def or_null(keyword: Keyword) -> Keyword:
        def check(
            validator: Any, value: Any, instance: Any, schema: Any
        ) -> Iterator[ValidationError]:
            if instance is not None or not schema.get("nullable"):
                yield from keyword(validator, value, instance, schema) or ()

        return check

    bent = ("type", "enum", "allOf", "anyOf", "oneOf")
    validator = extend(
        Draft4Validator, {name: or_null(Draft4Validator.VALIDATORS[name]) for name in bent}
    )  # type: ignore[no-untyped-call]
    resource = DRAFT4.create_resource(description())
    return validator, Registry().with_resource(_HERE, resource)


def _problems(pointer: str, value: object) -> list[str]:
    """One line for each place where `value` differs from the schema at `pointer`."""
    validator, registry = _judge()
    found = validator({"$ref": f"{_HERE}#{pointer}"}, registry=registry).iter_errors(value)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in found]


@cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    """Fewest parameters first, so that `/issues/comments/1` is not taken for an issue's."""
    templates = sorted(description()["paths"], key=lambda path: (path.count("{"), path))
    many = {"ref", "basehead", "branch", "path"}

    def catch(match: re.Match[str]) -> str:
        return ".+" if match[1] in many else "[^/]+"

    return [
        (re.compile(re.sub(r"\\{(\w+)\\}", catch, re.escape(path))), path) for path in templates
    ]


def answer_problems(method: str, path: str, status: int, body: object) -> list[str]:
    """The differences of an answer from the schema; a status that the schema lacks is one as well."""
    template = next((template for pattern, template in _paths() if pattern.fullmatch(path)), None)
    operation = description()["paths"].get(template, {}).get(method.lower())
    if operation is None:
        return [f"{method} {path} is not described"]
    if str(status) not in operation["responses"]:
        return [f"{method} {template} does not answer {status}"]
    answer = operation["responses"][str(status)]
    base = f"/paths/{_escape(str(template))}/{method.lower()}/responses/{status}"
    if "$ref" in answer:
        base = answer["$ref"].removeprefix("#")
        answer = description()["components"]["responses"][base.rpartition("/")[2]]
    if "application/json" not in answer.get("content", {}):
        return []
    return _problems(f"{base}/content/{_escape('application/json')}/schema", body)


def webhook_problems(event: str, payload: Json) -> list[str]:
    """`event` as in X-GitHub-Event."""
    name = f"{event}-{payload['action']}".replace("_", "-")
    if name not in description()["x-webhooks"]:
        return [f"{name} is not described"]
    content = f"/post/requestBody/content/{_escape('application/json')}/schema"
    return _problems(f"/x-webhooks/{name}{content}", payload)


def _escape(text: str) -> str:
    """A JSON pointer's segment within a URI's fragment."""
    return text.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
