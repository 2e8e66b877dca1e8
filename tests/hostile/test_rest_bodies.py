"""Bodies and names that are meant to hurt: typed refusals, one line in the log, and the server goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from tests.patience import PATIENCE_S
from tests.server import Server, running_server

JSON = {"content-type": "application/json"}
DEEP = (b"[" * 100_000, b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"metadata":' * 50_000)
NAMES = (
    "..",
    ".",
    "a\0b",
    "a\u202eb",
    "a\nb",
    "a\r\n\x1b[31mb",
    "x" * 10_240,
    "\ud800".encode("utf-8", "surrogatepass"),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{server.url}/api", timeout=PATIENCE_S) as client:
        yield client


@pytest.mark.parametrize("body", DEEP, ids=range(len(DEEP)))
def test_json_that_nests_without_end_is_refused(client: httpx2.Client, body: bytes) -> None:
    answer = client.post("/documents", content=body, headers=JSON)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("bad_request", "unprocessable")
    assert client.get("/documents").status_code == 200


def test_first_content_that_is_no_text_is_refused(client: httpx2.Client) -> None:
    body = b'{"content": {"t": {"type": "text", "value": "\\ud800"}}}'
    answer = client.post("/documents", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")


def test_a_body_that_is_too_large_is_refused_before_it_is_read(client: httpx2.Client) -> None:
    answer = client.post("/documents", content=b" " * (9 * 1024 * 1024), headers=JSON)
    assert answer.status_code == 413


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names_that_are_no_names_are_refused(client: httpx2.Client, name: str | bytes) -> None:
    if name not in (".", ".."):  # which the client would resolve away
        answer = client.get(f"/documents/{quote(name, safe='')}")
        assert answer.status_code in (400, 404, 422), answer.text
    if isinstance(name, str):
        assert client.post("/documents", json={"id": name}).status_code in (400, 422)


def test_nothing_that_is_sent_begins_a_line_of_the_log(server: Server, client: httpx2.Client) -> None:
    evil = 'x\r\n{"event":"forged"}\x1b[31m'
    client.get(f"/documents/{quote(evil, safe='')}", headers={"user-agent": "a\x1b[31mb", "x-request-id": "r\tforged"})
    client.post("/documents", json={"id": "logged", "title": evil})
    client.get("/healthz")
    lines = [line for line in server.output if line.startswith("{")]
    assert not any("\x1b" in line or json.loads(line).get("event") == "forged" for line in lines)


def test_the_server_is_well_after_all_that(server: Server, tmp_path: Path) -> None:
    assert httpx2.get(f"{server.url}/readyz", timeout=PATIENCE_S).status_code == 200
