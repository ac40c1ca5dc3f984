"""The API's OpenAPI 3.1 description: the operations as their routes tell them, and what all share.

Paths and parameters are as flask-openapi3 has collected them. It would drop parts of the schemas,
so these come from pydantic itself.
https://spec.openapis.org/oas/v3.1.0"""

from __future__ import annotations

from typing import Any

from flask_openapi3.openapi import OpenAPI
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from bot.thread.page_links import LINK_S, PARAMETER
from bot.types.quota import DAY_S
from bot.version import version
from bot.web.answers import Accepted, JobAnswer, JobsAnswer, RunAnswer
from bot.web.calls import RunRequest
from bot.web.health import Alive, Ready
from bot.web.problems import Problem
from bot.web.reference.examples import EXAMPLE_REQUEST
from bot.web.reference.responses import SCHEMAS

METHODS = ("get", "post", "put", "patch", "delete")
_MODELS = (RunRequest, RunAnswer, Accepted, JobAnswer, JobsAnswer, Alive, Ready, Problem)
_INFO = """\
TinyGen changes a repository on GitHub as a prompt says, and answers with the diff.

**Authorize** every call with a key of this server, as `Authorization: Bearer KEY`. Its operator sets
the keys: `TINYGEN_API_KEYS` and `TINYGEN_OPERATOR_KEYS`. Where none is set, programs on the same
machine need none, and nobody else is answered. A signed link to a job, as its comment on GitHub
carries it, needs no key for that job.

**Errors** are problems (RFC 9457) as `application/problem+json`; `detail` says what to do. A method
that an address does not take is 405, and `Allow` names those that it takes.

A browser, which accepts `text/html` before JSON, gets a page instead of JSON."""
_SECURITY_SCHEMES = {
    "bearerKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "One of `TINYGEN_API_KEYS` or `TINYGEN_OPERATOR_KEYS`.",
    },
    "signedLink": {
        "type": "apiKey",
        "in": "query",
        "name": PARAMETER,
        "description": f"The signature of a link to a job: it reads that job, for {LINK_S / DAY_S:.0f} days.",
    },
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`respond-async`: answer at once, with the job instead of its diff (RFC 7240).",
    "schema": {"type": "string"},
    "example": "respond-async",
}


def describe(app: OpenAPI) -> dict[str, Any]:
    """The description of the routes that `app` has now."""
    paths = {
        path: item.model_dump(mode="json", by_alias=True, exclude_unset=True)
        for path, item in app.paths.items()
    }
    run = paths["/run"]["post"]
    run["parameters"] = [_PREFER]
    run["requestBody"]["content"]["application/json"]["example"] = EXAMPLE_REQUEST
    return {
        "openapi": "3.1.0",
        "info": {"title": "TinyGen", "version": version(), "description": _INFO},
        "servers": [{"url": "/", "description": "This server."}],
        "security": [{"bearerKey": []}],
        "tags": [tag.model_dump(exclude_unset=True) for tag in app.tags],
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": _SECURITY_SCHEMES},
    }


class _Schemas(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """Never: a field has its name."""
        return False


def _schemas() -> dict[str, Any]:
    _of_models, document = models_json_schema(
        [(model, "validation") for model in _MODELS],
        schema_generator=_Schemas,
        ref_template=SCHEMAS + "{model}",
    )
    schemas: dict[str, Any] = document["$defs"]
    return schemas
