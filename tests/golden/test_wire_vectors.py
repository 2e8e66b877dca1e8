"""Every frame in `data/wire-vectors.json`, byte for byte, both ways.

The vectors were captured from real clients (`captured`) or built with lib0 and y-protocols. Each belongs to exactly
one group here; what only a later dialect sends is named in LATER, so that none can be forgotten.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collab.core.awareness import decode_entries, encode_entries
from collab.crdt.gate import check, check_state_vector
from collab.errors import BadFrame, BadUpdate, CollabError
from collab.limits import DEFAULT
from collab.protocol import frames, hocuspocus, messages
from collab.protocol.messages import Kind
from collab.protocol.varint import read_varbytes, read_varuint, write_varbytes, write_varuint

Vector = dict[str, Any]
VECTORS: list[Vector] = json.loads((Path(__file__).parent.parent / "data" / "wire-vectors.json").read_bytes())
PLAIN = ("y-websocket", "y-sweet", "pycrdt")


def data(vector: Vector) -> bytes:
    return bytes.fromhex(vector["hex"])


def of(choose: Callable[[Vector], bool]) -> list[Any]:
    """Parameters: the vectors of one group, named by their ids."""
    return [pytest.param(vector, id=vector["id"]) for vector in VECTORS if choose(vector)]


def good(vector: Vector) -> bool:
    return bool(vector.get("valid", True))


# --- the groups -------------------------------------------------------------------------------------------------


def is_integer(vector: Vector) -> bool:
    return vector["message"] == "varUint"


def is_string(vector: Vector) -> bool:
    return vector["message"] == "varString"


def is_payload(vector: Vector) -> bool:
    return vector["family"] == "yjs"


def is_trailing(vector: Vector) -> bool:
    return vector["message"] == "trailing bytes"


def is_permission_denied(vector: Vector) -> bool:
    return vector["message"] == "auth permission denied"


def is_typed_query_answer(vector: Vector) -> bool:
    """y-sweet answers a query with its own type and a body."""
    return vector["message"] == "query awareness answer"


def is_plain(vector: Vector) -> bool:
    special = is_trailing(vector) or is_permission_denied(vector) or is_typed_query_answer(vector)
    return vector["family"] in PLAIN and good(vector) and not special


def is_bad_plain(vector: Vector) -> bool:
    return vector["family"] in PLAIN and not good(vector)


def inner(vector: Vector) -> bytes:
    """What follows the address of a Hocuspocus frame."""
    _, offset = read_varbytes(data(vector), 0)
    return data(vector)[offset:]


def is_addressed(vector: Vector) -> bool:
    """Hocuspocus frames that are an address and a message of the plain dialect."""
    return (
        vector["family"] == "hocuspocus" and vector["message"] not in ("ping", "pong") and inner(vector)[0] in (0, 1, 3)
    )


def is_hocuspocus(vector: Vector) -> bool:
    """Its own messages, and the two that are whole frames."""
    return vector["family"] == "hocuspocus" and not is_addressed(vector)


LATER = Counter({"varInt": 6})  # only the Hocuspocus client reads these
GROUPS = (is_integer, is_string, is_payload, is_trailing, is_permission_denied, is_typed_query_answer, is_plain)
GROUPS += (is_bad_plain, is_addressed, is_hocuspocus)


def test_every_vector_is_in_one_group_or_named_for_later() -> None:
    left = [vector for vector in VECTORS if not any(group(vector) for group in GROUPS)]
    assert Counter(vector["message"] for vector in left) == LATER
    assert all(sum(group(vector) for group in GROUPS) == 1 for vector in VECTORS if vector not in left)
    assert len(VECTORS) == 103


# --- lib0 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", of(lambda v: is_integer(v) and good(v)))
def test_integers(vector: Vector) -> None:
    assert write_varuint(vector["value"]) == data(vector)
    assert read_varuint(data(vector), 0) == (vector["value"], len(data(vector)))


@pytest.mark.parametrize("vector", of(lambda v: is_integer(v) and not good(v)))
def test_integers_that_are_cut_or_too_large_are_refused(vector: Vector) -> None:
    with pytest.raises(BadFrame):
        read_varuint(data(vector), 0)


@pytest.mark.parametrize("vector", of(is_string))
def test_strings_count_bytes(vector: Vector) -> None:
    assert write_varbytes(vector["value"].encode()) == data(vector)
    assert read_varbytes(data(vector), 0) == (vector["value"].encode(), len(data(vector)))


# --- payloads ---------------------------------------------------------------------------------------------------


def test_state_vectors() -> None:
    vectors = [data(vector) for vector in VECTORS if is_payload(vector) and vector["message"] == "state vector"]
    assert [check_state_vector(vector) for vector in vectors] == [{}, {1: 2}]
    assert vectors[0] == messages.EMPTY_VECTOR


def test_updates() -> None:
    checked = [check(data(vector)) for vector in VECTORS if is_payload(vector) and vector["message"] == "update"]
    assert [(update.runs, update.deletes) for update in checked] == [
        ((), ()),
        (((1, 0, 2),), ()),
        ((), ((1, 0, 1),)),
    ]
    assert checked[0].raw == messages.EMPTY_UPDATE


# --- the plain dialect --------------------------------------------------------------------------------------------

ENCODERS: dict[Kind, Callable[[bytes], bytes]] = {
    Kind.STEP1: messages.encode_step1,
    Kind.STEP2: messages.encode_step2,
    Kind.UPDATE: messages.encode_update,
    Kind.AWARENESS: messages.encode_awareness,
    Kind.STATUS: messages.encode_status,
    Kind.QUERY_AWARENESS: lambda body: b"\x03" + body,
}


def reads_as(frame: bytes) -> Kind:
    """Decodes a frame and its body, and writes both again."""
    kind, body = messages.decode(frame)
    assert ENCODERS[kind](body) == frame
    if kind is Kind.STEP1:
        check_state_vector(body)
    elif kind in (Kind.STEP2, Kind.UPDATE):
        assert check(body).raw == body
    elif kind is Kind.AWARENESS:
        assert encode_entries(decode_entries(body, DEFAULT)) == body
    return kind


FIRST_BYTES = {(0, 0): Kind.STEP1, (0, 1): Kind.STEP2, (0, 2): Kind.UPDATE}
FIRST_BYTE = {1: Kind.AWARENESS, 3: Kind.QUERY_AWARENESS, 0x66: Kind.STATUS}


def expected_kind(frame: bytes) -> Kind:
    return FIRST_BYTES[frame[0], frame[1]] if frame[0] == 0 else FIRST_BYTE[frame[0]]


@pytest.mark.parametrize("vector", of(is_plain))
def test_frames_of_the_plain_dialect(vector: Vector) -> None:
    assert reads_as(data(vector)) is expected_kind(data(vector))


@pytest.mark.parametrize("vector", of(lambda v: "reply" in v and v["family"] in PLAIN))
def test_replies_to_them(vector: Vector) -> None:
    kind, body = messages.decode(data(vector))
    reply = bytes.fromhex(vector["reply"][0].split()[0])
    answers = {
        Kind.STEP1: lambda: messages.encode_step2(messages.EMPTY_UPDATE),
        Kind.STATUS: lambda: messages.encode_status(body),
    }
    assert answers[kind]() == reply


@pytest.mark.parametrize("vector", of(is_addressed))
def test_hocuspocus_wraps_the_same_messages(vector: Vector) -> None:
    assert reads_as(inner(vector)) is expected_kind(inner(vector))


NOTES = write_varbytes(b"notes")
WRITTEN = {  # what is sent to providers, by what the vectors call it
    "authenticated": hocuspocus.encode_authenticated(NOTES, hocuspocus.READ_WRITE),
    "authenticated readonly": hocuspocus.encode_authenticated(NOTES, hocuspocus.READ_ONLY),
    "authenticated session-aware": hocuspocus.encode_authenticated(
        write_varbytes(b"notes\x00abc123"), hocuspocus.READ_WRITE
    ),
    "permission denied": hocuspocus.encode_denied(NOTES, "permission-denied"),
    "token sync request": hocuspocus.encode_token_request(NOTES),
    "close": hocuspocus.encode_close(NOTES, "Reset Connection"),
    "sync status ok": hocuspocus.encode_saved(NOTES),
    "sync status refused": hocuspocus.encode_refused(NOTES),
}
TOKENS = {  # (token, whether a version came with it)
    "auth token": ("tok", True),
    "session-aware auth token": ("tok", True),
    "auth token empty": ("", True),
    "auth token v3": ("tok", False),
    "auth token v2": ("tok", False),
}


@pytest.mark.parametrize(
    "vector", of(lambda v: is_hocuspocus(v) and v["direction"] == "s2c" and v["message"] in WRITTEN)
)
def test_what_hocuspocus_providers_are_sent(vector: Vector) -> None:
    assert list(frames.messages(WRITTEN[vector["message"]])) == [data(vector)]


@pytest.mark.parametrize("vector", of(lambda v: is_hocuspocus(v) and v["message"] in TOKENS))
def test_how_hocuspocus_providers_bring_tokens(vector: Vector) -> None:
    prefix, message = hocuspocus.split(data(vector))
    assert hocuspocus.document_of(prefix) == "notes"
    assert message[0] == hocuspocus.Type.AUTH
    assert hocuspocus.decode_token(message) == TOKENS[vector["message"]]


@pytest.mark.parametrize(
    "vector", of(lambda v: is_hocuspocus(v) and v["message"] not in TOKENS and v["message"] not in ("ping", "pong"))
)
def test_other_messages_of_hocuspocus_have_their_types(vector: Vector) -> None:
    prefix, message = hocuspocus.split(data(vector))
    assert prefix + message == data(vector)
    words = vector["message"].split(" session-aware")[0].upper().replace(" ", "_")
    known = {"CLOSE": 7, "STATELESS": 5, "BROADCAST_STATELESS": 6, "SYNC_REPLY": 4}
    if words in known:
        assert message[0] == known[words] == hocuspocus.Type[words]


@pytest.mark.parametrize("vector", of(lambda v: is_addressed(v) and v["direction"] == "s2c"))
def test_what_a_room_shows_is_wrapped(vector: Vector) -> None:
    wrapping = hocuspocus.Wrapping(NOTES)
    wire = frames.frame(inner(vector))
    assert list(frames.messages(wrapping.wrap(wire + wire))) == [data(vector), data(vector)]
    assert wrapping.wrap(wire) is wrapping.wrap(wire), "made once"


@pytest.mark.parametrize("vector", of(is_typed_query_answer))
def test_an_answer_to_a_query_needs_no_answer(vector: Vector) -> None:
    assert messages.decode(data(vector)) == (Kind.IGNORED, b"")


@pytest.mark.parametrize("vector", of(is_permission_denied))
def test_a_denial(vector: Vector) -> None:
    reason, end = read_varbytes(data(vector), 2)
    assert end == len(data(vector))
    assert messages.encode_denied(reason.decode()) == data(vector)


def test_the_keepalive_is_presence_of_nobody() -> None:
    (keepalive,) = [data(vector) for vector in VECTORS if vector["id"] == "y-websocket/39"]
    assert keepalive == messages.KEEPALIVE


@pytest.mark.parametrize("vector", of(is_trailing))
def test_one_frame_is_one_message(vector: Vector) -> None:
    # JavaScript clients ignore what follows; no client sends it, so here it is a mistake to be told.
    with pytest.raises(BadFrame):
        messages.decode(data(vector))


@pytest.mark.parametrize("vector", of(lambda v: is_bad_plain(v) and v["message"] != "unknown type"))
def test_malformed_frames_are_refused(vector: Vector) -> None:
    with pytest.raises(BadUpdate if vector["message"] == "garbage update" else CollabError):
        read_fully(data(vector))


def read_fully(frame: bytes) -> None:
    kind, body = messages.decode(frame)
    if kind is Kind.STEP1:
        check_state_vector(body)
    elif kind is Kind.AWARENESS:
        decode_entries(body, DEFAULT)
    else:
        check(body)


def test_an_unknown_type_is_ignored() -> None:
    (unknown,) = [data(vector) for vector in VECTORS if vector["message"] == "unknown type"]
    assert messages.decode(unknown) == (Kind.IGNORED, b"")
