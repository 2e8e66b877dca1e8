"""What hostile bytes are thrown at, and what must hold whatever they are.

A target takes one case and returns True if the bytes were taken. It raises CollabError if they were refused, which is
right, and anything else (AssertionError for a law that does not hold) if there is something to find.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pycrdt

from collab.core.awareness import Awareness, decode_entries, encode_entries
from collab.crdt.clocks import Clocks
from collab.crdt.decode import decode
from collab.crdt.gate import check, check_state_vector
from collab.crdt.merge import merge
from collab.crdt.split import split
from collab.errors import BadUpdate, CollabError
from collab.limits import DEFAULT
from collab.protocol import frames, hocuspocus, messages
from collab.protocol.messages import Kind
from collab.protocol.varint import read_varbytes
from tests.hostile import grammar
from tests.hostile.grammar import Liar

Target = Callable[[Liar, bytes], bool]


class EngineRefused(CollabError):
    """The engine cannot read what the gate let in."""

    code = "engine_refused"


class EngineGarbled(CollabError):
    """What the engine makes of it does not pass the gate again."""

    code = "engine_garbled"


def update(liar: Liar, data: bytes) -> bool:
    """The gate; what it says of what it lets in lies within what ids and clocks may be."""
    checked = check(data)
    assert checked.raw == data
    assert all(0 <= client <= DEFAULT.client_id_max for client, _, _ in (*checked.runs, *checked.deletes))
    assert all(0 <= clock < end <= DEFAULT.clock_max for _, clock, end in checked.runs)
    return True


def merged(liar: Liar, data: bytes) -> bool:
    """What the gate lets in can be merged: the result can be read, and says all that its parts say.

    It need not pass the gate: parts that contradict each other do so only once they are in one update.
    """
    parts = [data, *(grammar.update(liar) for _ in range(liar.randint(1, 3)))]
    taken = [part for part in parts if _passes(part)]
    whole = merge(taken)
    try:
        ends = {section.client: section.end for section in decode(whole).sections}
    except BadUpdate as error:
        raise AssertionError(f"the merge cannot be read: {error}") from None
    assert all(ends[client] >= end for part in taken for client, _, end in check(part).runs)
    return bool(taken)


def _passes(data: bytes) -> bool:
    try:
        check(data)
    except BadUpdate:
        return False
    return True


def engine(liar: Liar, data: bytes) -> bool:
    """What would be taken into an empty document kills and stalls no engine; that it refuses some is counted."""
    ready, _ = split(check(data), Clocks())
    if ready is None:
        return False
    document = pycrdt.Doc[pycrdt.Text]()
    try:
        document.apply_update(ready)
        again = document.get_update()
    except (ValueError, RuntimeError):
        raise EngineRefused from None
    try:
        check(again)
    except BadUpdate:
        raise EngineGarbled from None
    return True


def vector(liar: Liar, data: bytes) -> bool:
    """A state vector is a map of ids to clocks."""
    clocks = check_state_vector(data)
    assert all(client <= DEFAULT.client_id_max and clock <= DEFAULT.clock_max for client, clock in clocks.items())
    return True


def presence(liar: Liar, data: bytes) -> bool:
    """Presence that is taken can be told on, and the table stays within its bounds."""
    entries = decode_entries(data, DEFAULT)
    assert decode_entries(encode_entries(entries), DEFAULT) == entries
    table = Awareness()
    table.receive("another node", entries)
    assert len(table) <= DEFAULT.awareness_clients_max
    told = table.drain()
    assert told is None or decode_entries(told, DEFAULT)
    return True


def frame(liar: Liar, data: bytes) -> bool:
    """A frame, and then what is in it."""
    kind, body = messages.decode(data)
    assert len(body) <= len(data)
    inner = INSIDE.get(kind)
    return inner is None or inner(liar, body)


def addressed(liar: Liar, data: bytes) -> bool:
    """A frame of the Hocuspocus dialect, as a socket takes it apart; what is in it is for the plain decoder."""
    prefix, message = hocuspocus.split(data)
    assert message and data.endswith(message) and len(prefix) <= hocuspocus.ADDRESS_BYTES_MAX + 2
    assert read_varbytes(prefix, 0)[1] == len(prefix)
    assert "\x00" not in hocuspocus.document_of(prefix)
    wrapped = list(frames.messages(hocuspocus.Wrapping(prefix).wrap(frames.frame(message))))
    assert wrapped == [prefix + message]
    if message[0] == hocuspocus.Type.AUTH:
        token, _ = hocuspocus.decode_token(message)
        return token.isascii() or "\ufffd" in token
    plain = message[0] in (hocuspocus.Type.SYNC, hocuspocus.Type.AWARENESS)
    return not plain or frame(liar, message)


INSIDE: Mapping[Kind, Target] = {
    Kind.STEP1: vector,
    Kind.STEP2: update,
    Kind.UPDATE: update,
    Kind.AWARENESS: presence,
}
TARGETS: Mapping[str, tuple[Target, Callable[[Liar], bytes]]] = {
    "update": (update, grammar.update),
    "merge": (merged, grammar.update),
    "engine": (engine, grammar.fresh_update),
    "vector": (vector, grammar.state_vector),
    "presence": (presence, grammar.presence),
    "frame": (frame, grammar.frame),
    "addressed": (addressed, grammar.addressed),
}
"""Each target and the grammar of what it is meant to take."""
