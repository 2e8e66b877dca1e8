"""The generator's own HTTP and WebSocket clients, on real sockets, and the kernel's count of their bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.contrast.origin import Origin
from loadtests.contrast.rest import HttpError, Rest
from loadtests.contrast.traffic import Traffic, established
from loadtests.contrast.websocket import BINARY, Refused, WebSocket, frame, masked

Serve = Callable[[socket.socket], None]


@contextmanager
def serving(*visits: Serve) -> Iterator[Origin]:
    """A server that treats its first connection as the first function says, the second as the second …"""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def work() -> None:
            for visit in visits:
                connection, _ = listener.accept()
                with connection:
                    visit(connection)

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        yield Origin(f"http://127.0.0.1:{listener.getsockname()[1]}")
        worker.join(5)


def request_of(connection: socket.socket) -> bytes:
    """Reads up to the end of the headers."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(4096)
    return data


def answering(*answers: bytes) -> Serve:
    """Answers so many requests, then hangs up."""

    def serve(connection: socket.socket) -> None:
        for answer in answers:
            request_of(connection)
            connection.sendall(answer)

    return serve


PLAIN = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "a.1"\r\n\r\nhello'
UNCHANGED = b'HTTP/1.1 304 Not Modified\r\nETag: "a.1"\r\n\r\n'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"


def test_answers_on_one_kept_connection() -> None:
    traffic = Traffic()
    with serving(answering(PLAIN, UNCHANGED, CHUNKED)) as origin:
        rest = Rest(origin, traffic)
        answers = [rest.call("GET", "/") for _ in range(3)]
        rest.close()
    assert [(answer.status, answer.body) for answer in answers] == [
        (200, b"hello"),
        (304, b""),
        (200, b"abc0123456789abcdef"),
    ]
    assert answers[0].headers["etag"] == '"a.1"'
    assert traffic.opened == 1


def test_a_connection_that_the_server_closed_is_made_again() -> None:
    traffic = Traffic()
    with serving(answering(PLAIN), answering(PLAIN)) as origin:
        rest = Rest(origin, traffic)
        rest.call("GET", "/")
        connection = rest._connection
        assert connection is not None and connection.recv(1) == b"" and not established(connection)
        assert rest.call("GET", "/").body == b"hello"
        rest.close()
    assert traffic.opened == 2


def test_a_new_connection_for_each_call_if_asked() -> None:
    traffic = Traffic()
    with serving(answering(PLAIN), answering(PLAIN)) as origin:
        rest = Rest(origin, traffic, kept=False)
        assert [rest.call("GET", "/").status for _ in range(2)] == [200, 200]
    assert (traffic.opened, traffic.held) == (2, 0)


def test_an_answer_that_is_cut_short_is_an_error() -> None:
    with serving(answering(PLAIN[:-2])) as origin, pytest.raises(HttpError):
        Rest(origin, Traffic()).call("GET", "/")


def test_a_stream_gives_its_chunks() -> None:
    with serving(answering(CHUNKED)) as origin:
        rest = Rest(origin, Traffic())
        assert list(rest.stream("/")) == [b"abc", b"0123456789abcdef"]
        rest.close()


def test_the_kernel_counts_what_was_said() -> None:
    heard: list[int] = []

    def serve(connection: socket.socket) -> None:
        heard.append(len(request_of(connection)))
        connection.sendall(PLAIN)

    traffic = Traffic()
    with serving(serve) as origin:
        rest = Rest(origin, traffic)
        rest.call("GET", "/")
        rest.close()
    total = traffic.total()
    assert total.down in (len(PLAIN), len(PLAIN) + 1)  # the kernel counts the end of the stream as a byte
    assert total.up in (heard[0], heard[0] + 1)  # and its beginning
    assert total.segments_up >= 2


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_masking_twice_gives_the_payload(payload: bytes, mask: bytes) -> None:
    assert masked(masked(payload, mask), mask) == payload
    assert masked(payload, mask) == bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_frames_of_every_length_come_back(size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    payload = payload[:size]

    def serve(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        sent = frame(BINARY, payload)
        received = b""
        while len(received) < len(sent):
            received += connection.recv(1 << 20)
        head = len(sent) - size - 4
        mask, body = received[head : head + 4], received[head + 4 :]
        unmasked = bytes((received[0], received[1] & 0x7F)) + received[2:head] + masked(body, mask)
        connection.sendall(unmasked + b"\x88\x02\x03\xe9")

    with serving(serve) as origin:
        link = WebSocket(origin, "/", Traffic())
        link.send(payload)
        assert list(link.messages()) == [payload]
        assert link.close_code == 1001
        link.close()


def test_a_refused_handshake_says_why_and_leaves_no_connection() -> None:
    traffic = Traffic()
    with serving(answering(b"HTTP/1.1 401 Unauthorized\r\n\r\n")) as origin, pytest.raises(Refused, match="401"):
        WebSocket(origin, "/", traffic)
    assert traffic.held == 0
