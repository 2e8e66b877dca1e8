"""The OpenAPI description: what FastAPI derives, and what it cannot know."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from collab.api.edge import API
from collab.api.problems import Problem, answers
from collab.api.samples import curl
from collab.api.snapshots import NewSnapshot
from collab.errors import Unprocessable

UNMENTIONED = (Problem, NewSnapshot)
"""Models that calls refer to by name only."""
BEARER = "An API key or a JSON web token; not needed while the service is open."

DESCRIPTION = """
Edit over WebSockets (`/sync/{document}`, any `y-websocket` client), or with these calls; both go one way, and what
was answered is on disk.

* Refusals are [problem details](https://www.rfc-editor.org/rfc/rfc9457): `code` is stable, `may_retry` says whether
  the same request may succeed later.
* The ETag of state and content is `"<lineage>.<seq>"`: seq counts a document's updates, lineage changes when a
  document is purged and made anew.
* Document ids are percent-encoded in paths, `/` included.
"""
TAGS = [
    {"name": "documents", "description": "Documents as things with a name."},
    {"name": "state", "description": "A document's bytes, for clients that speak Yjs."},
    {"name": "updates", "description": "Edits as Yjs updates, and the log of them."},
    {"name": "content", "description": "A document's content as text, JSON or XML, for clients that do not."},
    {"name": "snapshots", "description": "Named, immutable states."},
    {"name": "live", "description": "What happens now: events and presence."},
    {"name": "access", "description": "Tickets for sockets, API keys, taking permissions back, and the audit."},
    {"name": "health", "description": "For operators."},
]


def install(app: FastAPI) -> None:
    """Replaces the application's `openapi` by one that is complete."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    summary=app.summary,
                    description=app.description,
                    tags=app.openapi_tags,
                    routes=app.routes,
                )
            )
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _complete(schema: dict[str, Any]) -> dict[str, Any]:
    components = schema["components"]
    for model in UNMENTIONED:
        made = model.model_json_schema(ref_template="#/components/schemas/{model}")
        components["schemas"] |= made.pop("$defs", {}) | {model.__name__: made}
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "description": BEARER}}
    for path, methods in schema["paths"].items():
        for method, call in methods.items():
            _complete_call(method, path, call)
    return schema


def _complete_call(method: str, path: str, call: dict[str, Any]) -> None:
    call["x-codeSamples"] = [{"lang": "Shell", "source": curl(call["operationId"], method, path)}]
    if path.startswith(API):
        call["security"] = [{}, {"bearer": []}]
    for parameter in call.get("parameters", ()):
        parameter["schema"] = _present(parameter["schema"])
    invalid = call["responses"].get("422", {}).get("content", {})
    if "HTTPValidationError" in str(invalid.get("application/json")):  # FastAPI's own, where we said nothing
        del call["responses"]["422"]
        if any(parameter["in"] != "path" for parameter in call["parameters"]):
            call["responses"] |= {str(status): answer for status, answer in answers(Unprocessable).items()}
    for answer in call["responses"].values():
        if answer.get("description") == "Successful Response":
            answer["description"] = "Done."


def _present(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema without null, which in a query or header would be the word."""
    kept = [kind for kind in schema.pop("anyOf", []) if kind.get("type") != "null"]
    return {**(kept[0] if kept else {}), **schema}
