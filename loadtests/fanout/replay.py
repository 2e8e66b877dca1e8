"""Independent proof that clients converged: what sampled clients received, replayed into real documents.

The generator counts clocks; this looks at content. Each sampled client's frames, with its own keystrokes
where it wrote, go into a fresh pycrdt document; its text must be the one that all writers' keystrokes give.
Runs as a child process (`python -m loadtests.fanout.replay FOLDER DIALECT`): a hostile or broken server could
make the engine panic, and that must end this check, not the campaign.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pycrdt import Doc, Text

from collab.protocol.varint import read_varbytes, read_varuint, write_varbytes, write_varuint

REPLAY_S_MAX = 300.0
ROOT = "text"
ALPHABET = bytes(range(ord("a"), ord("z") + 1))
SYNC, SYNC_REPLY = 0, 4
STEP_1 = 0


def replay_in_child(folder: Path, dialect: str, run: str = "load") -> str:
    """Returns "ok: ..." or what is wrong, in one line."""
    if run == "presence":
        return "ok: presence has no content to replay"
    command = [sys.executable, "-m", "loadtests.fanout.replay", str(folder), dialect]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=REPLAY_S_MAX, cwd=Path(__file__).parents[2]
        )
    except subprocess.TimeoutExpired:
        return f"the replay took longer than {REPLAY_S_MAX:.0f} s"
    lines = (done.stdout.strip() or done.stderr.strip() or f"the replay ended with {done.returncode}").splitlines()
    return lines[-1]


def typed(client: int, edits: int) -> bytes:
    """All edits of one of the generator's clients as one Yjs V1 update: it types at the end of what it typed before.

    Each edit is a letter behind the last one of the same client, so that together they are one run of text.
    """
    letters = ALPHABET * (edits // len(ALPHABET)) + ALPHABET[: edits % len(ALPHABET)]
    place = b"\x04\x01" + write_varbytes(ROOT.encode())
    return b"\x01\x01" + write_varuint(client) + b"\x00" + place + write_varbytes(letters) + b"\x00"


def sync_parts(message: bytes, dialect: str) -> tuple[int, bytes] | None:
    """Step and body of a sync message; None for awareness, acks and the like."""
    offset = 0
    if dialect == "hocuspocus":
        if len(message) == 1:  # a ping has no address
            return None
        _, offset = read_varbytes(message, 0)
    kind, offset = read_varuint(message, offset)
    if kind != SYNC and not (dialect == "hocuspocus" and kind == SYNC_REPLY):
        return None
    step, offset = read_varuint(message, offset)
    body, _ = read_varbytes(message, offset)
    return step, body


def updates_in(message: bytes, dialect: str) -> Iterator[bytes]:
    """The update that one received message carries, if any."""
    parts = sync_parts(message, dialect)
    if parts and parts[0] != STEP_1:
        yield parts[1]


def messages_in(path: Path) -> Iterator[bytes]:
    """The recorded messages of one client: each behind its length, four bytes, little-endian."""
    data, offset = path.read_bytes(), 0
    while offset < len(data):
        (size,) = struct.unpack_from("<I", data, offset)
        yield data[offset + 4 : offset + 4 + size]
        offset += 4 + size


def _apply(updates: Iterator[bytes]) -> Doc[Text]:
    doc: Doc[Text] = Doc()
    doc.get(ROOT, type=Text)
    with doc.transaction():
        for update in updates:
            doc.apply_update(update)
    return doc


class Replay:
    """The writers of each room, with what they wrote, and the samples to hold against it."""

    def __init__(self, folder: Path, dialect: str) -> None:
        self.folder = folder
        self.dialect = dialect
        self.writers: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
        for line in (folder / "writers-0-0").read_text().splitlines():
            room, seat, client, edits = map(int, line.split())
            self.writers[room][seat] = (client, edits)

    def expected(self, room: int) -> str:
        """The room's text when every keystroke of every writer is in."""
        everything = (typed(client, edits) for client, edits in self.writers[room].values() if edits)
        return str(_apply(everything).get(ROOT, type=Text))

    def text_of(self, path: Path, room: int, seat: int) -> str:
        """The text that one sampled client ends with."""

        def all_updates() -> Iterator[bytes]:
            for message in messages_in(path):
                yield from updates_in(message, self.dialect)
            client, edits = self.writers[room].get(seat, (0, 0))
            if edits:
                yield typed(client, edits)

        return str(_apply(all_updates()).get(ROOT, type=Text))

    def verdict(self) -> str:
        """One line: "ok: ..." or the first sample that differs."""
        texts: dict[int, str] = {}
        samples = sorted(self.folder.glob("client-*-*"))
        for path in samples:
            room, seat = map(int, path.name.split("-")[1:])
            if room not in texts:
                texts[room] = self.expected(room)
            found, wanted = self.text_of(path, room, seat), texts[room]
            if found != wanted:
                sizes = f"{len(found)} characters, expected {len(wanted)}"
                return f"client {seat} of room {room} ended with another text: {sizes}"
        if not samples:
            return "no client was sampled"
        return f"ok: {len(samples)} clients replayed, {sum(map(len, texts.values()))} characters compared"


def joined_text(recorded: Path, dialect: str) -> str:
    """The text of a client that only joined, from the messages it received."""
    updates = (update for message in messages_in(recorded) for update in updates_in(message, dialect))
    return str(_apply(updates).get(ROOT, type=Text))


def main() -> None:
    """Prints the verdict on the folder and dialect given as arguments."""
    print(Replay(Path(sys.argv[1]), sys.argv[2]).verdict())


if __name__ == "__main__":
    main()
