"""The API's description is valid and complete, and whatever is answered to requests that are made
from it is as it says. So are its page and its Postman collection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin, urlsplit

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.config import SchemathesisConfig

from bot.types import Failure
from bot.types.snapshot import Patch
from bot.web.reference.examples import EXAMPLE_ID
from bot.web.reference.postman import FILE_NAME, postman_collection
from tests import ROOT
from tests.test_web import DIFF, KEYS, OPERATOR_KEY, Web, report

COLLECTION = ROOT / "docs" / FILE_NAME
ADDRESS = "http://127.0.0.1:8000"
KEY = {"Authorization": f"Bearer {OPERATOR_KEY}"}
WITH_KEYS = {"TINYGEN_API_KEYS": ",".join(KEYS), "TINYGEN_OPERATOR_KEYS": OPERATOR_KEY}
BOUNDED = settings(
    max_examples=20,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def busy_web(**given: str) -> Web:
    """With jobs in some states, one of them the example's; calls of /run end at once."""
    web = Web(given)
    web.workers.beat("one")
    web.will_end(patch=Patch("0" * 40, DIFF))
    failed = report("failed", failure=Failure("It broke.", "Mend it."))
    ended = report("done", patch=Patch("0" * 40, DIFF))
    for job_id, each in ((EXAMPLE_ID, ended), ("waits", report("queued")), ("broke", failed)):
        web.reports.save(replace(each, job=replace(each.job, id=job_id)))
    return web


def schema_of(web: Web) -> schemathesis.BaseSchema:
    """400 is for what no schema can say: a repository elsewhere, a ref that no branch can have.
    Parameters that are not described are ignored."""
    accepted = ["2xx", 400, 401, 404]
    config = {
        "checks": {"positive_data_acceptance": {"expected-statuses": accepted}},
        "generation": {"allow-extra-parameters": False},
    }
    return schemathesis.openapi.from_wsgi(
        "/docs/openapi.json", web.app, config=SchemathesisConfig.from_dict(config)
    )


WITH_KEY = schema_of(busy_web(**WITH_KEYS))
LOCAL = schema_of(busy_web())


@WITH_KEY.parametrize()
@BOUNDED
def test_with_a_key_every_answer_is_as_described(case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(headers=KEY)


@WITH_KEY.parametrize()
@BOUNDED
def test_without_a_key_every_answer_is_as_described(case: schemathesis.Case[Any]) -> None:
    case.call_and_validate()


@LOCAL.parametrize()
@BOUNDED
def test_on_the_same_machine_every_answer_is_as_described(case: schemathesis.Case[Any]) -> None:
    case.call_and_validate()


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    described: dict[str, Any] = Web().client.get("/docs/openapi.json").get_json()
    return described


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def contents(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for answer in operation["responses"].values():
        yield from answer["content"].values()


def fields(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parameters, and the headers of the answers."""
    yield from operation.get("parameters", ())
    for answer in operation["responses"].values():
        yield from answer.get("headers", {}).values()


def test_it_is_valid_openapi_3_1(description: dict[str, Any]) -> None:
    assert description["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(description).validate()


def test_it_describes_every_address_of_the_api(description: dict[str, Any]) -> None:
    assert {name for name, _ in operations(description)} == {
        "POST /run",
        "GET /jobs",
        "GET /jobs/{job_id}",
        "DELETE /jobs/{job_id}",
        "GET /jobs/{job_id}.diff",
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
    }


def test_every_operation_says_what_it_does_and_how_it_fails(description: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in description["tags"]}
    for name, operation in operations(description):
        for part in ("operationId", "summary", "description"):
            assert operation[part], f"{name} has no {part}"
        assert set(operation["tags"]) <= tags
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert set(answer["content"]) == {"application/problem+json"}
        assert "500" in operation["responses"]


def test_every_body_and_field_has_an_example_that_conforms(description: dict[str, Any]) -> None:
    for name, operation in operations(description):
        for each in (*contents(operation), *fields(operation)):
            example = each.get("example", each["schema"].get("default"))
            assert example is not None, f"{name} has no example of {each}"
            schema = {**each["schema"], "components": description["components"]}
            jsonschema.Draft202012Validator(schema).validate(example)


@pytest.mark.parametrize(
    ("operation", "status", "headers"),
    [
        ("POST /run", "200", {"Location"}),
        ("POST /run", "202", {"Location", "Preference-Applied"}),
        ("POST /run", "401", {"WWW-Authenticate"}),
        ("POST /run", "429", {"Location", "Retry-After"}),
        ("GET /jobs", "503", {"Retry-After"}),
        ("DELETE /jobs/{job_id}", "202", {"Location"}),
    ],
)
def test_the_headers_of_an_answer_are_described(
    description: dict[str, Any], operation: str, status: str, headers: set[str]
) -> None:
    answer = dict(operations(description))[operation]["responses"][status]
    assert set(answer["headers"]) == headers


def test_a_key_is_asked_everywhere_but_where_a_link_or_nothing_will_do(
    description: dict[str, Any],
) -> None:
    assert description["security"] == [{"bearerKey": []}]
    assert set(description["components"]["securitySchemes"]) == {"bearerKey", "signedLink"}
    asked = {name: each.get("security") for name, each in operations(description)}
    assert {name for name, options in asked.items() if options and {} in options} == {
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
    }
    assert {
        name for name, options in asked.items() if options and {"signedLink": []} in options
    } == {
        "GET /jobs/{job_id}",
        "GET /jobs/{job_id}.diff",
    }


def test_run_can_be_asked_not_to_wait(description: dict[str, Any]) -> None:
    (prefer,) = description["paths"]["/run"]["post"]["parameters"]
    assert (prefer["in"], prefer["name"], prefer["example"]) == (
        "header",
        "Prefer",
        "respond-async",
    )


class TestPage:
    def test_it_shows_every_operation_with_its_command(self, description: dict[str, Any]) -> None:
        shown = Web().client.get("/docs/", headers={"Host": "bot.example.com"}).text
        for name, operation in operations(description):
            assert f'<h3 id="{operation["operationId"]}"><code>{name}</code>' in shown
        assert "curl -sS http://bot.example.com/run -X POST" in shown
        assert "Authorization: Bearer $KEY" in shown

    def test_it_shows_every_field_of_every_schema(self, description: dict[str, Any]) -> None:
        shown = Web().client.get("/docs/").text
        for name, schema in description["components"]["schemas"].items():
            part = shown.partition(f'<h3 id="schema-{name}">')[2].partition("</section>")[0]
            assert set(schema["properties"]) <= set(re.findall(r"<code>(\w+)</code>", part))

    def test_its_links_lead_somewhere_here(self) -> None:
        web = Web()
        shown = web.client.get("/docs/").text
        ids = set(re.findall(r'id="([^"]+)"', shown))
        for link in re.findall(r'(?:src|href)="([^"]+)"', shown):
            assert not urlsplit(link).netloc
            if link.startswith("#"):
                assert link[1:] in ids
            else:
                answer = web.client.get(urljoin("/docs/", link))
                answer.close()
                assert answer.status_code == 200 or link == "/readyz", link

    def test_it_needs_no_script_and_no_key(self) -> None:
        answer = Web(WITH_KEYS).client.get("/docs/")
        assert answer.status_code == 200
        assert "<script" not in answer.text
        assert 'href="/login?next=/docs/">Authorize</a>' in answer.text

    def test_it_says_who_is_authorized(self) -> None:
        web = Web(WITH_KEYS)
        web.client.post("/login", data={"api_key": OPERATOR_KEY})
        assert re.search(
            r"authorized as <strong>key [0-9a-f]{12}</strong>", web.client.get("/docs/").text
        )

    def test_the_address_without_a_slash_leads_to_it(self) -> None:
        answer = Web().client.get("/docs", follow_redirects=True)
        assert (answer.status_code, answer.request.path) == (200, "/docs/")

    def test_nothing_of_another_reference_is_served(self) -> None:
        served = {rule.rule for rule in Web().app.url_map.iter_rules()}
        assert {rule for rule in served if rule.startswith("/docs")} == {
            "/docs/",
            "/docs/openapi.json",
            f"/docs/{FILE_NAME}",
        }


class TestCollection:
    """https://schema.getpostman.com/json/collection/v2.1.0/collection.json"""

    def test_the_file_is_the_one_that_the_description_makes(
        self, description: dict[str, Any]
    ) -> None:
        assert COLLECTION.read_text() == rendered(description), (
            "write it anew by `python -m tests.test_api_description`"
        )

    def test_the_server_gives_it_with_its_own_address(self, description: dict[str, Any]) -> None:
        answer = Web().client.get(f"/docs/{FILE_NAME}", headers={"Host": "bot.example.com"})
        assert answer.get_json() == postman_collection(description, "http://bot.example.com")
        assert FILE_NAME in answer.headers["Content-Disposition"]

    def test_it_has_what_the_format_asks_for(self, description: dict[str, Any]) -> None:
        jsonschema.Draft202012Validator(FORMAT).validate(postman_collection(description, ADDRESS))

    def test_it_calls_every_operation_with_its_example(self) -> None:
        """As Postman does: the variables filled in, what is not ticked left out."""
        web = busy_web(**WITH_KEYS)
        collection = json.loads(COLLECTION.read_text())
        values = {each["key"]: each["value"] for each in collection["variable"]}
        values |= {"baseUrl": "", "apiKey": OPERATOR_KEY}
        for item in (each for folder in collection["item"] for each in folder["item"]):
            asked = item["request"]
            url = re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], asked["url"]["raw"])
            sent = {
                each["key"]: each["value"] for each in asked["header"] if not each.get("disabled")
            }
            answer = web.client.open(
                url,
                method=asked["method"],
                headers={**KEY, **sent},
                data=asked.get("body", {}).get("raw"),
            )
            expected = 400 if asked["method"] == "DELETE" else 200  # the example's job has ended
            assert answer.status_code == expected, answer.text


TEXT = {"type": "string"}
PAIRS = {"type": "array", "items": {"required": ["key", "value"], "properties": {"value": TEXT}}}
REQUEST = {
    "required": ["method", "url", "header"],
    "properties": {
        "method": {"enum": ["GET", "POST", "DELETE"]},
        "header": PAIRS,
        "description": TEXT,
        "body": {
            "required": ["mode", "raw"],
            "properties": {"mode": {"const": "raw"}, "raw": TEXT},
        },
        "auth": {"properties": {"type": {"enum": ["noauth", "bearer"]}}, "required": ["type"]},
        "url": {
            "required": ["raw", "host", "path"],
            "properties": {
                "raw": TEXT,
                "host": {"type": "array", "items": TEXT},
                "path": {"type": "array", "items": TEXT},
                "query": PAIRS,
            },
        },
    },
}
RESPONSE = {
    "required": ["name", "originalRequest", "status", "code", "header", "body"],
    "properties": {
        "originalRequest": REQUEST,
        "status": TEXT,
        "code": {"type": "integer"},
        "header": PAIRS,
        "cookie": {"type": "array"},
        "body": TEXT,
    },
}
ITEM = {
    "required": ["name", "request", "response"],
    "properties": {
        "request": REQUEST,
        "response": {"type": "array", "items": RESPONSE, "minItems": 2},
        "event": {"type": "array", "items": {"required": ["listen", "script"]}},
    },
}
FORMAT = {
    "type": "object",
    "required": ["info", "item", "auth", "variable"],
    "properties": {
        "info": {
            "required": ["name", "schema"],
            "properties": {
                "schema": {
                    "const": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
                }
            },
        },
        "item": {
            "type": "array",
            "minItems": 1,
            "items": {
                "required": ["name", "item"],
                "properties": {"item": {"type": "array", "items": ITEM, "minItems": 1}},
            },
        },
        "auth": {
            "required": ["type", "bearer"],
            "properties": {"type": {"const": "bearer"}, "bearer": PAIRS},
        },
        "variable": PAIRS,
    },
}


def rendered(description: dict[str, Any]) -> str:
    return json.dumps(postman_collection(description, ADDRESS), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    COLLECTION.write_text(rendered(Web().client.get("/docs/openapi.json").get_json()))
