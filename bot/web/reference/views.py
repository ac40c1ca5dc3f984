"""What the page of the reference shows: each operation and schema of the description."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from bot.web.reference.description import METHODS
from bot.web.reference.responses import SCHEMAS

_MARKDOWN = MarkdownIt("commonmark", {"html": False})


@dataclass(frozen=True, slots=True)
class FieldView:
    """A parameter, a header, or a property of a schema."""

    name: str
    place: str
    """Where it is sent; "" for a property."""
    kind: Markup
    required: bool
    about: Markup
    example: str = ""


@dataclass(frozen=True, slots=True)
class ContentView:
    media_type: str
    kind: Markup
    example: str


@dataclass(frozen=True, slots=True)
class AnswerView:
    status: str
    phrase: str
    about: Markup
    headers: tuple[FieldView, ...]
    contents: tuple[ContentView, ...]

    @property
    def is_problem(self) -> bool:
        return int(self.status) >= 400


@dataclass(frozen=True, slots=True)
class OperationView:
    id: str
    tag: str
    method: str
    path: str
    summary: str
    about: Markup
    authorization: Markup
    parameters: tuple[FieldView, ...]
    body: tuple[ContentView, ...]
    command: str
    answers: tuple[AnswerView, ...]


@dataclass(frozen=True, slots=True)
class SchemaView:
    name: str
    about: Markup
    fields: tuple[FieldView, ...]


def operation_views(description: dict[str, Any], address: str) -> tuple[OperationView, ...]:
    """In the description's order. `address` is the server's, for the commands."""
    return tuple(
        _operation_view(method, path, operations[method], address)
        for path, operations in description["paths"].items()
        for method in METHODS
        if method in operations
    )


def schema_views(description: dict[str, Any]) -> tuple[SchemaView, ...]:
    schemas = description["components"]["schemas"]
    return tuple(
        SchemaView(
            name,
            prose(schema.get("description", "")),
            tuple(
                FieldView(
                    field,
                    "",
                    kind_words(value),
                    field in schema.get("required", ()),
                    prose(value.get("description", "")),
                )
                for field, value in schema["properties"].items()
            ),
        )
        for name, schema in sorted(schemas.items())
    )


def prose(markdown: str) -> Markup:
    """The words as HTML. They are ours, and none of their HTML is taken."""
    return Markup(_MARKDOWN.render(markdown))  # noqa: S704


def kind_words(schema: dict[str, Any]) -> Markup:
    """The type of a schema in words, with links to what it names: `array of JobRow`."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(SCHEMAS)
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    if "anyOf" in schema:
        return Markup(" or ").join(kind_words(each) for each in schema["anyOf"])
    if "const" in schema:
        return escape(json.dumps(schema["const"]))
    if "enum" in schema:
        return Markup(" or ").join(escape(json.dumps(each)) for each in schema["enum"])
    if schema.get("type") == "array":
        return Markup("array of ") + kind_words(schema["items"])
    return escape(", ".join([schema["type"], *_limits(schema)]))


def _limits(schema: dict[str, Any]) -> Iterable[str]:
    if "maxLength" in schema:
        yield f"{schema.get('minLength', 0)} to {schema['maxLength']:,} characters"
    if "maximum" in schema:
        yield f"{schema['minimum']:g} to {schema['maximum']:g}"
    if "default" in schema and schema["default"] not in (None, ""):
        yield f"{schema['default']} without it"


def _operation_view(
    method: str, path: str, operation: dict[str, Any], address: str
) -> OperationView:
    body = operation.get("requestBody", {}).get("content", {})
    return OperationView(
        operation["operationId"],
        operation["tags"][0],
        method.upper(),
        path,
        operation["summary"],
        prose(operation["description"]),
        _authorization(operation.get("security")),
        tuple(
            _field_view(parameter["name"], parameter["in"], parameter)
            for parameter in operation.get("parameters", ())
        ),
        _contents(body),
        curl_command(method, path, operation, address),
        tuple(
            _answer_view(status, answer)
            for status, answer in sorted(operation["responses"].items())
        ),
    )


def curl_command(method: str, path: str, operation: dict[str, Any], address: str) -> str:
    """The command, for a shell where $KEY is the key."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
    parts = ["curl -sS " + shlex.quote(address + path)]
    if method != "get":
        parts[0] += f" -X {method.upper()}"
    if {} not in operation.get("security", ()):
        parts.append('-H "Authorization: Bearer $KEY"')
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"-H 'Content-Type: {kind}'")
        parts.append(f"-d {shlex.quote(json.dumps(content['example']))}")
    return " \\\n  ".join(parts)


def _authorization(security: list[dict[str, object]] | None) -> Markup:
    names = [name for option in security or [{"bearerKey": []}] for name in (option or {"": []})]
    words = {"": "none", "bearerKey": "a key", "signedLink": "the `key` of a signed link"}
    return prose(f"Authorization: {' or '.join(words[name] for name in names)}.")


def _answer_view(status: str, answer: dict[str, Any]) -> AnswerView:
    return AnswerView(
        status,
        HTTPStatus(int(status)).phrase,
        prose(answer["description"]),
        tuple(_field_view(name, "", header) for name, header in answer.get("headers", {}).items()),
        _contents(answer["content"]),
    )


def _contents(contents: dict[str, Any]) -> tuple[ContentView, ...]:
    return tuple(
        ContentView(kind, kind_words(content["schema"]), _example_text(content["example"]))
        for kind, content in contents.items()
    )


def _example_text(example: object) -> str:
    if isinstance(example, str):
        return example
    return json.dumps(example, indent=2, ensure_ascii=False)


def _field_view(name: str, place: str, value: dict[str, Any]) -> FieldView:
    return FieldView(
        name,
        place,
        kind_words(value["schema"]),
        value.get("required", False),
        prose(value["description"]),
        str(value.get("example", "")),
    )
