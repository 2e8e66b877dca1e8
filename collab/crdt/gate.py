"""The gate: no update enters the log, or reaches another client, that could harm a reader of it.

Each rule and its reason is in docs/codec.md. `check` takes time linear in the bytes; a keystroke takes the fast path.
What depends on other updates (gaps, unknown clocks, foreign author ids) is for the room, by `clocks` and `split`.
"""

from __future__ import annotations

from bisect import bisect_right

from collab.crdt.checked import NOTHING_NEEDED, Checked
from collab.crdt.content import DELETED, FORMAT, GC, SKIP, TYPE
from collab.crdt.decode import Id, Section, Struct, Update, decode
from collab.crdt.ids import IdRanges, Range
from collab.crdt.keystroke import read_keystroke
from collab.crdt.order import Settling
from collab.crdt.varints import read_varuint
from collab.errors import BadUpdate
from collab.limits import DEFAULT, Limits

__all__ = ["Checked", "check", "check_state_vector", "summarise"]


def check(update: bytes, limits: Limits = DEFAULT) -> Checked:
    """Raises BadUpdate unless the bytes are one whole V1 update that keeps every rule."""
    return read_keystroke(update, limits) or summarise(decode(update, limits), limits)


def check_state_vector(vector: bytes, limits: Limits = DEFAULT) -> dict[int, int]:
    """Decodes a state vector (count, then client and clock pairs). Raises BadUpdate."""
    if len(vector) > limits.state_vector_bytes_max:
        raise BadUpdate(f"a state vector of {len(vector)} bytes")
    try:
        clocks, end = _read_state_vector(vector, limits)
    except IndexError:
        raise BadUpdate("the state vector ends early", len(vector)) from None
    if end != len(vector):
        raise BadUpdate("bytes follow the state vector", end)
    return clocks


def _read_state_vector(vector: bytes, limits: Limits) -> tuple[dict[int, int], int]:
    count, offset = read_varuint(vector, 0)
    if 2 * count > len(vector) - offset:
        raise BadUpdate(f"{count} clients announced in a state vector", offset)
    clocks: dict[int, int] = {}
    for _ in range(count):
        client, offset = read_varuint(vector, offset)
        clock, offset = read_varuint(vector, offset)
        if client > limits.client_id_max or clock > limits.clock_max or client in clocks:
            raise BadUpdate("a client or clock is too large, or a client listed twice", offset)
        clocks[client] = clock
    return clocks, offset


def summarise(update: Update, limits: Limits = DEFAULT) -> Checked:
    """What the room must know of a decoded update; refuses what only a look at several structs can tell."""
    runs: list[Range] = []
    needs: dict[int, int] = {}
    parents: list[Id] = []
    several: list[Range] = []
    for section in update.sections:
        _runs(section, runs)
        _needs(section, needs, parents, several)
    if max(len(needs), len(runs)) > limits.clients_max:
        raise BadUpdate(f"it refers to, or is in, more than {limits.clients_max} pieces")
    if parents:
        _check_parents(update, parents)
    # A key has one value; yjs throws when it collects half of several. Replaced ones may be one struct, but deleted.
    if several and not IdRanges.of(update.deletes).covers(several):
        raise BadUpdate("several values of a key that are not deleted")
    if needs and len(update.sections) > 1:
        _check_order(update)
    if len(parents) > limits.type_nesting_max:
        _check_depth(update, limits)
    count = sum(len(section.structs) for section in update.sections)
    body = update.sections[0].start if update.sections else update.tail
    return Checked(update.data, tuple(runs), needs or NOTHING_NEEDED, tuple(update.deletes), count, body, update.tail)


def _runs(section: Section, runs: list[Range]) -> None:
    start = section.clock
    for struct in section.structs:
        if struct.info == SKIP:
            if struct.clock > start:
                runs.append((section.client, start, struct.clock))
            start = struct.end
    if section.end > start:
        runs.append((section.client, start, section.end))


def _needs(section: Section, needs: dict[int, int], parents: list[Id], several: list[Range]) -> None:
    """Gathers what the structs of one client refer to, and those that are several values of one key."""
    own = section.client
    for struct in section.structs:
        for reference in (struct.origin, struct.right):
            if reference is not None and reference[0] != own and reference[1] >= needs.get(reference[0], 0):
                needs[reference[0]] = reference[1] + 1
        parent = struct.parent
        if parent is None:
            continue
        if struct.key is not None:
            kind = struct.info & 31
            if kind == FORMAT:  # yrs cannot read a map that holds one
                raise BadUpdate("a format as the value of a key", struct.start)
            if kind != DELETED and struct.end - struct.clock > 1:
                several.append((own, struct.clock, struct.end))
        if isinstance(parent, tuple):
            parents.append(parent)
            if parent[0] != own and parent[1] >= needs.get(parent[0], 0):
                needs[parent[0]] = parent[1] + 1


def _check_parents(update: Update, parents: list[Id]) -> None:
    """Refuses structs inside of what is no type: yrs stops half way through the update."""
    structs = {section.client: section.structs for section in update.sections}
    for client, clock in set(parents):
        row = structs.get(client, [])
        at = bisect_right(row, clock, key=_end)
        if at < len(row) and row[at].clock <= clock and row[at].info & 31 not in (TYPE, DELETED, GC, SKIP):
            raise BadUpdate("a struct inside of something that is no type", row[at].start)


def _end(struct: Struct) -> int:
    return struct.end


def _check_order(update: Update) -> None:
    """Refuses circular references: every reader would hold the structs as pending for ever."""
    rows = {section.client: section.structs for section in update.sections}
    taken = Settling(rows, {}, alone=True).run().taken
    for client, structs in rows.items():
        if taken[client] < len(structs):
            raise BadUpdate("structs refer to each other in a circle", structs[taken[client]].start)


def _check_depth(update: Update, limits: Limits) -> None:
    """Refuses long chains of types in types: JavaScript's stack ends at some thousand, and with it every reader."""
    parents = {
        (section.client, struct.clock): struct.parent
        for section in update.sections
        for struct in section.structs
        if struct.info & 31 == TYPE and isinstance(struct.parent, tuple)
    }
    depths: dict[Id, int] = {}
    for holder in parents:
        chain = []
        while holder in parents and holder not in depths:
            chain.append(holder)
            holder = parents[holder]
        depth = depths.get(holder, 0)
        for holder in reversed(chain):
            depth += 1
            depths[holder] = depth
        if depth > limits.type_nesting_max:
            raise BadUpdate("types are nested too deeply")
