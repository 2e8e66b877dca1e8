"""OpenTelemetry, when its endpoint is set (OTEL_EXPORTER_OTLP_ENDPOINT): a span per request, without what it quotes.

Names and attributes hold templates, never an id, a query or a secret. The usual OTEL_ variables say everything else:
service name, headers, sampling.
"""

from __future__ import annotations

import os
import re
from typing import Any

from collab.errors import UnsafeSettings

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
QUIET = ("/healthz", "/readyz", "/metrics")  # asked every few seconds by machines
_PARTS = (
    (re.compile(r"^(/api/documents/)[^/]+"), r"\1{document}"),
    (re.compile(r"(/snapshots/)[^/]+"), r"\1{snapshot}"),
    (re.compile(r"^(/api/keys/)[^/]+"), r"\1{key}"),
)


def wanted() -> bool:
    """Whether somebody waits for spans."""
    return any(os.environ.get(name) for name in ENDPOINTS) and os.environ.get("OTEL_SDK_DISABLED") != "true"


class Traced:
    """ASGI application around another one."""

    def __init__(self, app: Any, node: str) -> None:
        """Raises UnsafeSettings if the endpoint is set and the libraries are not there."""
        try:
            from opentelemetry import trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError:
            raise UnsafeSettings("for OpenTelemetry install its libraries: pip install 'collab[otel]'") from None
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "collab"}
        self._provider = TracerProvider(resource=Resource.create({**named, "service.instance.id": node}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("collab")
        self._propagator = TraceContextTextMapPropagator()
        self._kind, self._status = trace.SpanKind.SERVER, trace.StatusCode.ERROR
        self._app = app

    def close(self) -> None:
        """Sends what is left; blocks for seconds at most."""
        self._provider.shutdown()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Passes the request on."""
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        route = template((scope.get("raw_path") or b"").decode("latin-1"))
        attributes = {"http.request.method": scope["method"], "http.route": route}
        with self._tracer.start_as_current_span(
            f"{scope['method']} {route}", self._propagator.extract(carrier), self._kind, attributes
        ) as span:

            async def answer(message: Any) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(self._status)
                    for name, value in message.get("headers", ()):
                        if name == b"x-request-id":
                            span.set_attribute("collab.request", value.decode("latin-1"))
                await send(message)

            await self._app(scope, receive, answer)


def template(path: str) -> str:
    """The path with names in the place of ids; whatever is not ours is one thing."""
    for part, name in _PARTS:
        path = part.sub(name, path)
    return path if path.startswith("/api/") and len(path) < 100 else "/"
