"""Part one of the report: the seven dimensions in which REST and WebSockets differ, each with what was measured."""

from __future__ import annotations

from typing import Any

from loadtests.contrast.archive import Archive
from loadtests.contrast.blocks import Block, Heading, Table, Text
from loadtests.contrast.medians import by_kind, median_row
from loadtests.contrast.shape import KINDS, TITLES

RUN = "uv run python -m loadtests.contrast --only"
Row = dict[str, Any]


def dimensions(archive: Archive) -> list[Block]:
    """The table, and the figures of the middle of the grid behind it."""
    rows = [
        ("Communication model", *_communication(archive), f"`{RUN} kinds`"),
        ("Data transfer", *_transfer(archive), f"`{RUN} kinds`"),
        ("Use cases", *_uses(archive), f"`{RUN} kinds crud`"),
        ("State", *_state(archive), f"`{RUN} memory restart`"),
        ("Efficiency", *_efficiency(archive), f"`{RUN} kinds edits`"),
        ("Connection handling", *_connections(archive), f"`{RUN} kinds restart tls`"),
        ("Security", *_security(archive), f"`{RUN} security`"),
    ]
    head = ("dimension", "REST", "WebSocket", "measured here", "measure it again")
    return [
        Heading(2, "1. Seven dimensions"),
        Table(head, rows, left=5),
        *_middle(archive),
        *_secured(archive),
        *_tokens(archive),
    ]


def number(value: float) -> str:
    """Three digits that count, no exponents."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(row: Row, name: str, times: float = 1.0) -> str:
    """A figure, with the lowest and highest of its repetitions if there are some."""
    low, high = row.get("spread", {}).get(name, [row[name]] * 2)
    shown = number(row[name] * times)
    return shown if low == high else f"{shown} ({number(low * times)}-{number(high * times)})"


def _pair(
    rows: dict[str, Row], name: str, times: float = 1.0, kinds: tuple[str, ...] = ("socket", "diff", "poll")
) -> str:
    told = [
        f"{TITLES[kind]} {number(rows[kind][name] * times)}" for kind in kinds if kind in rows and name in rows[kind]
    ]
    return ", ".join(told) or "not measured"


def _communication(archive: Archive) -> tuple[str, str, str]:
    rows = by_kind(archive, "kinds")
    return (
        "The client asks, the server answers; news waits until somebody asks",
        "Either side speaks at any time; one message in makes one frame to everybody",
        f"From key press to another screen, p50 in ms: {_pair(rows, 'p50_ms', kinds=KINDS)}",
    )


def _transfer(archive: Archive) -> tuple[str, str, str]:
    rows = by_kind(archive, "kinds")
    return (
        "Every exchange carries headers of its own; the answer is a whole state or a difference",
        "Headers once, then two to six bytes in front of each update",
        f"Bytes up per delivered edit: {_pair(rows, 'up_per_delivery')}; down: {_pair(rows, 'down_per_delivery')}",
    )


def _uses(archive: Archive) -> tuple[str, str, str]:
    calls = next(iter(archive.section("crud")), {}).get("calls", {})
    told = ", ".join(f"{name} {number(ms)}" for name, (_, ms) in calls.items()) or "not measured"
    rows = by_kind(archive, "kinds")
    return (
        "Documents as resources: create, list, rename, snapshot, restore; callers that come once",
        "People who type at the same time and watch each other do it",
        f"Median ms of REST calls that have no like on a socket: {told}. Typing, p95 in ms: {_pair(rows, 'p95_ms')}",
    )


def _state(archive: Archive) -> tuple[str, str, str]:
    memory = by_kind(archive, "memory")
    return (
        "None between requests; what a client knows travels with each (ETag, state vector)",
        "The connection is the state: who is here, what was sent, a bounded outbox",
        f"Server KiB for one more idle person: {_pair(memory, 'bytes_per_user', 1 / 1024, KINDS)}",
    )


def _efficiency(archive: Archive) -> tuple[str, str, str]:
    rows = by_kind(archive, "kinds")
    empty = ", ".join(
        f"{TITLES[kind]} {100 * rows[kind]['empty_share']:.0f} %" for kind in ("diff", "poll") if kind in rows
    )
    return (
        "Pays per question, also for those that find nothing; many edits share one answer",
        "Pays per edit and reader; idle costs next to nothing",
        f"Server CPU ms per 1,000 delivered edits: {_pair(rows, 'cpu_s_per_1k', 1000, KINDS)}. "
        f"Polls that found nothing: {empty or 'not measured'}",
    )


def _connections(archive: Archive) -> tuple[str, str, str]:
    rows, storms = by_kind(archive, "kinds"), by_kind(archive, "restart")
    return (
        "Short or kept; a kept one is closed after 5 s of silence and made again",
        "One, for as long as the person stays; a restart breaks all at once",
        f"Opened per minute by all: {_pair(rows, 'opened_per_min')}. After a kill of the server, seconds from ready "
        f"until all are current: {_pair(storms, 'current_s', kinds=KINDS)}",
    )


def _security(archive: Archive) -> tuple[str, str, str]:
    told = next(iter(archive.section("security")), None)
    measured = "not measured"
    if told:
        measured = (
            f"A revoked key is refused by REST after {_seconds(told, 'revoked_rest_s')}; a socket opened with it ends "
            f"after {_seconds(told, 'revoked_socket_s')}"
        )
    return ("The credential is judged at every request", "It is judged at the handshake", measured)


def _seconds(told: Row, name: str) -> str:
    value = told[name]
    return f"{value:.2f} s" if value is not None else f"more than {told['watched_s']:.0f} s (it was still open then)"


def _middle(archive: Archive) -> list[Block]:
    rows = by_kind(archive, "kinds")
    if not rows:
        return []
    shape = next(iter(rows.values()))["shape"]
    head = (
        "",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "messages per edit",
        "bytes up",
        "bytes down",
        "CPU ms per 1,000",
        "empty polls",
        "opened/min",
    )
    table = [
        (
            TITLES[kind],
            *(spread(rows[kind], name) for name in ("p50_ms", "p95_ms", "p99_ms", "messages_per_delivery")),
            *(spread(rows[kind], name) for name in ("up_per_delivery", "down_per_delivery")),
            spread(rows[kind], "cpu_s_per_1k", 1000),
            f"{100 * rows[kind]['empty_share']:.0f} %",
            f"{rows[kind]['opened_per_min']:.0f}",
        )
        for kind in KINDS
        if kind in rows
    ]
    return [
        Heading(3, "The middle of the grid, all kinds"),
        Text(
            f"{shape['users']} people in documents of {shape['members']}, of whom {shape['writers']} type "
            f"{shape['edits_s']:g} edits a second each; polls every {shape['interval_s']:g} s; documents of "
            f"{shape['document_bytes'] / 1024:g} KiB. Per delivered edit: one edit on one other person's screen. "
            "Medians, with the lowest and highest run in brackets."
        ),
        Table(head, table),
    ]


def _secured(archive: Archive) -> list[Block]:
    """The same people in the clear and with TLS; polls over kept connections, and with a new one for each."""
    rows = [median_row(rounds) for rounds in archive.rounds("tls")]
    if not rows:
        return []
    head = ("", "connections", "", "p50 ms", "p95 ms", "bytes up", "bytes down", "CPU ms per 1,000", "opened/min")
    table = [
        (
            TITLES[row["shape"]["kind"]],
            "kept" if row["shape"]["kept"] else "one for each call",
            "TLS" if row["shape"]["tls"] else "in the clear",
            *(spread(row, name) for name in ("p50_ms", "p95_ms", "up_per_delivery", "down_per_delivery")),
            spread(row, "cpu_s_per_1k", 1000),
            f"{row['opened_per_min']:,.0f}",
        )
        for row in rows
    ]
    return [
        Heading(3, "With TLS"),
        Text("The middle of the grid again; a socket pays for TLS once, a poll for each connection it opens."),
        Table(head, table, left=3),
    ]


def _tokens(archive: Archive) -> list[Block]:
    told = next(iter(archive.section("security")), None)
    if not told:
        return []
    code = f", close code {told['revoked_close_code']}" if told["revoked_close_code"] else ""
    rows = [
        (
            "travels",
            f"in the Authorization header of every request ({told['token_bytes_per_request']} bytes each time)",
            "once, in the handshake: the same header from servers; browsers cannot set it there and send a ticket "
            "(query or subprotocol), so it must be short-lived: addresses end up in logs",
        ),
        (
            "is missing or wrong",
            f"status {told['refused_status']}",
            f"{told['refused_upgrade']}, before a socket exists",
        ),
        (
            "expires",
            f"refused {_seconds(told, 'expired_rest_s')} after its end",
            f"the open socket ends after {_seconds(told, 'expired_socket_s')}",
        ),
        (
            "is revoked",
            f"refused {_seconds(told, 'revoked_rest_s')} after the command returned",
            f"the open socket ends after {_seconds(told, 'revoked_socket_s')}{code}; a new handshake is refused after "
            f"{_seconds(told, 'revoked_upgrade_s')}",
        ),
        (
            "is stolen by another site",
            "not sent by itself; the browser's same-origin rules apply",
            "those rules do not apply to sockets: the server must check Origin itself, and does",
        ),
    ]
    return [Heading(3, "A credential on both"), Table(("the credential", "REST", "WebSocket"), rows, left=3)]
