"""What is tried again, and what is not: against a small server whose faults are known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from collab_client import Documents, Refused, Unavailable

PROBLEM = {"detail": "not now", "code": "storage_unavailable"}


@asynccontextmanager
async def answering(statuses: Sequence[int | None], wait_s: int = 0) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers each request with the next status, or hangs up for None; yields its URL and the requests."""
    requests: list[bytes] = []
    left = list(statuses)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        status = left.pop(0)
        if status is not None:
            body = json.dumps(PROBLEM if status >= 400 else {"seq": 1, "version": "v", "changed": True}).encode()
            writer.write(b"HTTP/1.1 %d X\r\nretry-after: %d\r\ncontent-length: %d\r\n" % (status, wait_s, len(body)))
            writer.write(b"connection: close\r\n\r\n" + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", requests
    finally:
        server.close()


async def test_trouble_that_may_pass_is_tried_again_under_one_key() -> None:
    """A cut connection and a 503; the server can tell that it is the same call."""
    async with answering([None, 503, 200]) as (url, requests), Documents(url) as docs:
        assert await docs.send("d", b"") == 1
    keys = {line for request in requests for line in request.lower().split(b"\r\n") if b"idempotency-key" in line}
    assert (len(requests), len(keys)) == (3, 1)


async def test_three_times_in_vain_is_told() -> None:
    async with answering([503, 429, 500]) as (url, requests), Documents(url) as docs:
        with pytest.raises(Unavailable, match="not now"):
            await docs.send("d", b"")
    assert len(requests) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422])
async def test_a_refusal_is_not_tried_again(status: int) -> None:
    async with answering([status]) as (url, requests), Documents(url) as docs:
        with pytest.raises(Refused) as refused:
            await docs.send("d", b"")
    assert (len(requests), refused.value.status, refused.value.code) == (1, status, PROBLEM["code"])


async def test_a_deletion_is_not_tried_again() -> None:
    """The second one would say that there is nothing."""
    async with answering([None]) as (url, requests), Documents(url) as docs:
        with pytest.raises(Unavailable):
            await docs.delete("d")
    assert len(requests) == 1


async def test_an_edit_is_tried_again_under_one_key() -> None:
    """The server does it once, however often it comes."""
    async with answering([None, 503, 200]) as (url, requests), Documents(url) as docs:
        assert (await docs.edit("d", [])).changed
    keys = {line for request in requests for line in request.lower().split(b"\r\n") if b"idempotency-key" in line}
    assert (len(requests), len(keys)) == (3, 1)


async def test_a_write_on_a_version_is_not_tried_again() -> None:
    """If the first one arrived, the second would say that somebody else had changed the document."""
    async with answering([None]) as (url, requests), Documents(url) as docs:
        with pytest.raises(Unavailable):
            await docs.write("d", "text", version="v")
    assert len(requests) == 1


async def test_who_is_to_wait_for_an_hour_is_told_at_once() -> None:
    async with answering([429], wait_s=3600) as (url, requests), Documents(url) as docs:
        with pytest.raises(Unavailable) as told:
            await docs.get("d")
    assert (len(requests), told.value.retry_after_s) == (1, 3600)
