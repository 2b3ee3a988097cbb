"""The JSON interface as an OpenAPI document, made of the tables that the server works by."""

from __future__ import annotations

from typing import Any

from eli5 import __version__
from eli5.server.fields import FIELDS, FILES

_ERRORS = {
    "400": "What was sent is not as described; `error` says what was expected",
    "401": "No token, or a wrong one",
    "403": "Asked by a page of another origin, or under another name",
    "404": "What was sent before is not there any more",
    "408": "The request did not come to its end in time",
    "413": "More than 20 MB",
    "415": "No form, no picture, or no table",
    "429": "Too many explanations wait",
    "504": "It took too long",
}


def make_document() -> dict[str, Any]:
    """Return the document, as OpenAPI 3.1 has it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "eli5 serve",
            "version": __version__,
            "description": "Explanations of the models that were named when the server was "
            "started. With a token it is sent as `Authorization: Bearer TOKEN`.",
        },
        "paths": {
            "/api/health": _get("Whether explanations can be asked for, and how many wait"),
            "/api/models": _get("The models, and what can be asked of each"),
            "/api/methods": _get("The methods: what each is good for, and its options"),
            "/api/layers": _get("The layers of a model that can be explained", _query("model")),
            "/api/explain": {"post": _explain()},
            "/api/results/{key}/{ending}": _get(
                "A file of an explanation: html, png, json as `eli5.load` reads it, or mask.png",
                _path("key"),
                _path("ending"),
                kind="application/octet-stream",
            ),
            "/api/examples/{number}": _get(
                "A small picture of an example", _path("number"), kind="image/png"
            ),
        },
    }


def _get(summary: str, *parameters: Any, kind: str = "application/json") -> dict[str, Any]:
    answer = {"description": "The answer", "content": {kind: {}}}
    return {
        "get": {
            "summary": summary,
            "parameters": list(parameters),
            "responses": {"200": answer, **_errors("401", "403", "404")},
        }
    }


def _query(name: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "string"}}


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _errors(*statuses: str) -> dict[str, Any]:
    return {status: {"description": _ERRORS[status]} for status in statuses}


def _explain() -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for field in FIELDS:
        schema = {**field.schema, "description": field.about}
        if field.most > 1:
            schema = {"type": "array", "items": schema, "maxItems": field.most}
            schema["description"] = schema["items"].pop("description")
        properties[field.name] = schema
    for name, about in FILES.items():
        properties[name] = {"type": "string", "format": "binary", "description": about}
    content: dict[str, Any] = {"application/json": {}, "application/x-ndjson": {}}
    return {
        "summary": "Explain a picture, a text or a series",
        "description": "With `Accept: application/x-ndjson` the answer is lines of JSON: "
        "`progress` as often as it changes, at last `result` or `error`. A client that goes away "
        "cancels it.",
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": {"type": "object", "properties": properties}}
            },
        },
        "responses": {
            "200": {"description": "The explanations", "content": content},
            **_errors(*_ERRORS),
        },
    }
