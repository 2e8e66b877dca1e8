"""Spans of a real server, as a collector gets them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from collab.telemetry import template
from tests.server import running_server, wait_until

TRACE = "0af7651916cd43dd8448eb211c80319c"


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """An address for OTLP over HTTP, and the bodies that came."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_request_is_a_span_of_its_callers_trace_and_quotes_nothing(tmp_path: Path) -> None:
    with collector() as (endpoint, bodies):
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        with running_server(tmp_path, env=env) as server:
            headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "x-request-id": "mine-1"}
            httpx2.get(f"{server.url}/api/documents/private-name?token=secret-word", headers=headers)
            wait_until(lambda: any(bytes.fromhex(TRACE) in body for body in bodies), what="the span")
        told = b"".join(bodies)
    assert b"GET /api/documents/{document}" in told and b"mine-1" in told and b"collab" in told
    assert b"private-name" not in told and b"secret-word" not in told and b"readyz" not in told


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/api/documents/a%2Fb/snapshots/latest/diff", "/api/documents/{document}/snapshots/{snapshot}/diff"),
        ("/api/documents", "/api/documents"),
        ("/api/keys/0197", "/api/keys/{key}"),
        ("/d/somebody", "/"),
    ],
)
def test_ids_are_not_told(path: str, shown: str) -> None:
    assert template(path) == shown
