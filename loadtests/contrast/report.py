"""Writes `contrast.md` and `contrast.html` from the raw figures."""

from __future__ import annotations

from pathlib import Path

from loadtests.contrast.archive import Archive
from loadtests.contrast.blocks import Block, Bullets, Code, Heading, Text, markdown, page
from loadtests.contrast.decisions import decisions
from loadtests.contrast.dimensions import dimensions
from loadtests.contrast.remarks import generator_note, surprises
from loadtests.contrast.scale import scale


def write(archive: Archive, folder: Path) -> None:
    """Both files, into the folder where the plots are."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks = [*_preamble(archive), *dimensions(archive), *decisions(archive, folder), *scale(archive)]
    blocks += [*surprises(archive), *generator_note(archive), *_method(), *_notes(archive)]
    (folder / "contrast.md").write_text(markdown(blocks))
    (folder / "contrast.html").write_text(page(blocks))


def _preamble(archive: Archive) -> list[Block]:
    facts = archive.facts
    machine = "; ".join(f"{name}: {value}" for name, value in facts.get("machine", {}).items())
    counted = sum("void" not in row for row in archive.rows.values())
    return [
        Heading(1, "REST polling against WebSockets: when is a socket worth it?"),
        Text(
            f"The same people typing the same recorded text (`{facts.get('trace', '?')}`) into the same documents, "
            "once over sockets, once over each way of doing it with REST. Every run that counts ended with every "
            f"person's content equal to the server's, and the server's equal to what was typed: {counted} runs did, "
            f"{len(archive.voids())} are void and left out."
        ),
        Text(f"Taken {facts.get('started', '?')} in {facts.get('minutes', 0):.0f} minutes with"),
        Code(str(facts.get("command", "?"))),
        *([Text(f"**{facts['note']}**")] if facts.get("note") else []),
        Text(
            f"Machine: {machine}. Server on one core, people and probe on another, loopback only; windows of "
            f"{facts.get('window_s', 0):g} s or more, medians of {facts.get('rounds', 1)} in the middle of the grid."
        ),
    ]


def _method() -> list[Block]:
    return [
        Heading(2, "How it was measured"),
        Bullets(
            [
                "**Staleness** runs from the moment of a key press to the moment when another person's replica has "
                "it. A keystroke is stamped by its Yjs name (author id and clock), which costs no byte.",
                "**Bytes** are counted by the kernel (`TCP_INFO` of every client connection): headers, handshakes, "
                "TLS records and frames; headers are those of Chrome, without cookies. Where “on the wire” is said, 40 "
                "bytes are added for each segment.",
                "**Processor time** is that of the server's threads and child processes (`schedstat`), over the window "
                "only; **memory** is the growth of the proportional set size from nobody to everybody joined.",
                "**A server that is mostly idle is dear per request:** each finds cold caches and sleeping threads, "
                "so costs per edit and per poll fall as the load grows (first row of the cost curves). What a poll "
                "costs on a full core is shown by `python -m loadtests.polls`, an edit by "
                "`python -m loadtests.fanout`; the scale on paper uses the fitted costs and errs on the dear side.",
                "**Delivered edit:** one edit on one other person's screen. **Messages:** requests, frames and stream "
                "events, both directions.",
                "Typing is an open loop with random pauses: nobody waits for the server before the next key press.",
            ]
        ),
    ]


def _notes(archive: Archive) -> list[Block]:
    notes = [f"Void: `{key}`: {why}" for key, why in archive.voids()]
    notes += [f"Not measured, the time was over: `{key}`" for key in archive.facts.get("skipped", [])]
    return [Heading(2, "Left out"), Bullets(notes)] if notes else []
