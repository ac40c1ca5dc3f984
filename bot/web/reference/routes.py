"""`/docs/`: the API's description, its page, and its Postman collection."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from flask import Response
from flask_openapi3.openapi import OpenAPI

from bot.web.pages import page
from bot.web.reference.description import describe
from bot.web.reference.postman import FILE_NAME, postman_collection
from bot.web.reference.views import OperationView, operation_views, prose, schema_views


def add_reference(app: OpenAPI, address: Callable[[], str]) -> None:
    """`address` gives this server's, as callers reach it. The routes that are added later are not
    described."""

    @cache
    def description() -> dict[str, Any]:
        return describe(app)

    @lru_cache(maxsize=4)  # without an address of its own, it is the one that a caller names
    def operations(own_address: str) -> tuple[OperationView, ...]:
        return operation_views(description(), own_address)

    @app.get("/docs/", doc_ui=False)
    def docs() -> Response:
        described = description()
        return page(
            "reference.html",
            info=prose(described["info"]["description"]),
            tags=described["tags"],
            operations=operations(address()),
            schemas=schema_views(described),
            collection_name=FILE_NAME,
        )

    @app.get("/docs/openapi.json", doc_ui=False)
    def openapi() -> dict[str, Any]:
        return description()

    @app.get(f"/docs/{FILE_NAME}", doc_ui=False)
    def collection() -> tuple[dict[str, Any], dict[str, str]]:
        headers = {"Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
        return postman_collection(description(), address()), headers
