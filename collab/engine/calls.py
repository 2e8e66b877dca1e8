"""What a worker can do, by name: arguments and blobs in, a JSON value and blobs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collab.crdt.clocks import Clocks
from collab.crdt.decode import STORED
from collab.crdt.fold import condense, fold, verify
from collab.crdt.gate import check, check_state_vector
from collab.crdt.index import StateIndex, build
from collab.crdt.splice import splice
from collab.crdt.split import only_client, split, without_clients
from collab.engine import summary
from collab.engine.differences import diff
from collab.engine.formats import loads
from collab.engine.nodes import dumps
from collab.engine.patch import patch
from collab.engine.restore import restore
from collab.engine.views import content_hash, roots, show, show_all
from collab.engine.write import write
from collab.limits import DEFAULT
from collab.protocol.messages import EMPTY_UPDATE

Arguments = dict[str, Any]
Answer = tuple[Any, list[bytes]]
Call = Callable[[Arguments, list[bytes]], Answer]


def _echo(args: Arguments, blobs: list[bytes]) -> Answer:
    return args, blobs


def _fold(args: Arguments, blobs: list[bytes]) -> Answer:
    base = blobs.pop(0) if args["base"] else None
    state = fold(base, blobs)
    verify(state, base, blobs)
    return None, [state, build(state)]


def _join(args: Arguments, blobs: list[bytes]) -> Answer:
    base = StateIndex.decode(blobs.pop(1), blobs.pop(0)) if args["base"] else None
    joined = splice(base, [check(update, STORED) for update in blobs])
    return None, [joined.state, joined.encode()]


def _condense(args: Arguments, blobs: list[bytes]) -> Answer:
    condensed = fold(None, blobs) if args["whole"] else condense(blobs)
    verify(condensed, None, blobs)
    return None, [condensed]


def _check(args: Arguments, blobs: list[bytes]) -> Answer:
    return summary.encode(check(blobs[0], STORED if args["stored"] else DEFAULT))


def _check_state_vector(args: Arguments, blobs: list[bytes]) -> Answer:
    return None, [summary.encode_clocks(check_state_vector(blobs[0]))]


def _split(args: Arguments, blobs: list[bytes]) -> Answer:
    update, known = blobs
    return _parts(*split(check(update), Clocks(summary.decode_clocks(known))))


def _without(args: Arguments, blobs: list[bytes]) -> Answer:
    return _parts(without_clients(blobs[0], set(args["clients"])))


def _only(args: Arguments, blobs: list[bytes]) -> Answer:
    return _parts(only_client(blobs[0], args["client"]))


def _parts(*updates: bytes | None) -> Answer:
    values: list[list[int] | None] = []
    out: list[bytes] = []
    for update in updates:
        if update is None or update == EMPTY_UPDATE:
            values.append(None)
        else:
            value, about = summary.encode(check(update))
            values.append(value)
            out += (update, *about)
    return values, out


def _roots(args: Arguments, blobs: list[bytes]) -> Answer:
    return roots(blobs), []


def _show(args: Arguments, blobs: list[bytes]) -> Answer:
    about, body = show(blobs, args["root"], args["type"], args["format"])
    return about, [body]


def _show_all(args: Arguments, blobs: list[bytes]) -> Answer:
    return None, [show_all(blobs)]


def _content_hash(args: Arguments, blobs: list[bytes]) -> Answer:
    return content_hash(blobs), []


def _diff(args: Arguments, blobs: list[bytes]) -> Answer:
    before = args["before"]
    return None, [dumps(diff(blobs[:before], blobs[before:], args["root"]))]


def _write(args: Arguments, blobs: list[bytes]) -> Answer:
    *parts, body = blobs
    return _update(write(parts, args["client_id"], args["root"], args["type"], args["format"], body))


def _patch(args: Arguments, blobs: list[bytes]) -> Answer:
    *parts, operations = blobs
    return _update(patch(parts, args["client_id"], loads(operations)))


def _restore(args: Arguments, blobs: list[bytes]) -> Answer:
    *parts, snapshot = blobs
    return _update(restore(parts, args["client_id"], snapshot))


def _update(update: bytes | None) -> Answer:
    return None, [] if update is None else [update]


CALLS: dict[str, Call] = {
    "echo": _echo,
    "check": _check,
    "check_state_vector": _check_state_vector,
    "split": _split,
    "without": _without,
    "only": _only,
    "join": _join,
    "fold": _fold,
    "condense": _condense,
    "roots": _roots,
    "show": _show,
    "show_all": _show_all,
    "content_hash": _content_hash,
    "diff": _diff,
    "write": _write,
    "patch": _patch,
    "restore": _restore,
}
