"""The Postman collection of the API, made from its description.

https://schema.postman.com/collection/json/v2.1.0/draft-07/docs/index.html"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from bot.web.reference.description import METHODS

FILE_NAME = "tinygen.postman_collection.json"
_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_LANGUAGES = {"application/json": "json", "application/problem+json": "json"}
_KEEP_JOB_ID = [
    'const location = pm.response.headers.get("Location");',
    'if (location) pm.collectionVariables.set("job_id", location.split("/").pop());',
]
"""What a call names as its job is what the requests about jobs ask for."""


def postman_collection(description: dict[str, Any], address: str) -> dict[str, Any]:
    """A folder for each tag, with a request for each of its operations. `address` is the server's,
    the first value of `baseUrl`."""
    info = description["info"]
    items = {tag["name"]: _folder(tag) for tag in description["tags"]}
    variables = {"baseUrl": address, "apiKey": ""}
    for path, operations in description["paths"].items():
        for method in METHODS:
            if method in operations:
                operation = operations[method]
                items[operation["tags"][0]]["item"].append(_item(method, path, operation))
                variables |= {
                    parameter["name"]: parameter["example"]
                    for parameter in operation.get("parameters", ())
                    if parameter["in"] == "path"
                }
    return {
        "info": {
            "name": info["title"],
            "description": info["description"],
            "schema": _SCHEMA,
        },
        "item": list(items.values()),
        "auth": {
            "type": "bearer",
            "bearer": [{"key": "token", "value": "{{apiKey}}", "type": "string"}],
        },
        "variable": [
            {"key": name, "value": value, "type": "string"} for name, value in variables.items()
        ],
    }


def _folder(tag: dict[str, Any]) -> dict[str, Any]:
    return {"name": tag["name"], "description": tag["description"], "item": []}


def _item(method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    request = _request(method, path, operation)
    item: dict[str, Any] = {
        "name": operation["summary"],
        "request": request,
        "response": [
            _response(int(status), answer, request)
            for status, answer in operation["responses"].items()
        ],
    }
    if method == "post":
        script = {"type": "text/javascript", "exec": _KEEP_JOB_ID}
        item["event"] = [{"listen": "test", "script": script}]
    return item


def _request(method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": method.upper(),
        "header": [
            _choice(parameter)
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "header"
        ],
        "url": _url(path, operation),
        "description": operation["description"],
    }
    if {} in operation.get("security", ()):
        request["auth"] = {"type": "noauth"}
    if "requestBody" in operation:
        ((kind, content),) = operation["requestBody"]["content"].items()
        request["header"].append({"key": "Content-Type", "value": kind})
        request["body"] = {
            "mode": "raw",
            "raw": json.dumps(content["example"], indent=2),
            "options": {"raw": {"language": "json"}},
        }
    return request


def _url(path: str, operation: dict[str, Any]) -> dict[str, Any]:
    # Variables, because a path's `:job_id` goes to the next slash: it would take `.diff` as well.
    filled = path.replace("{", "{{").replace("}", "}}")
    query = [
        _choice(parameter)
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query"
    ]
    url: dict[str, Any] = {
        "raw": "{{baseUrl}}" + filled,
        "host": ["{{baseUrl}}"],
        "path": filled.strip("/").split("/"),
    }
    return url | {"query": query} if query else url


def _choice(parameter: dict[str, Any]) -> dict[str, Any]:
    """A header or a part of the query that is not sent before somebody ticks it."""
    default = parameter.get("schema", {}).get("default", "")
    value = parameter.get("example", default)
    return {
        "key": parameter["name"],
        "value": str(value),
        "description": parameter["description"],
        "disabled": True,
    }


def _response(status: int, answer: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    kind, content = next(iter(answer["content"].items()))
    example = content["example"]
    headers = {"Content-Type": kind} | {
        name: header["example"] for name, header in answer.get("headers", {}).items()
    }
    return {
        "name": f"{status} {HTTPStatus(status).phrase}",
        "originalRequest": request,
        "status": HTTPStatus(status).phrase,
        "code": status,
        "_postman_previewlanguage": _LANGUAGES.get(kind, "text"),
        "header": [{"key": name, "value": str(value)} for name, value in headers.items()],
        "cookie": [],
        "body": example if isinstance(example, str) else json.dumps(example, indent=2),
    }
