"""Every bound in one place, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that hold for hostile and honest callers alike. Bytes, counts, seconds; units are last in the name."""

    # --- bytes of a client
    frame_bytes_max: int = 1 * MIB  # one message in; far above any keystroke or paste that an editor makes
    sync_frame_bytes_max: int = 50 * MIB  # a returning client's step 2, or pycrdt's echo of it, may be a whole document
    document_bytes_max: int = 50 * MIB  # beyond it browsers stop being usable
    document_stored_bytes_max: int = 4 * 1024 * MIB  # log, segments, checkpoints and snapshots; 0: any
    nesting_max: int = 32  # ContentAny depth; 28,000 levels kill an interpreter, honest editors stay below 10
    structs_max: int = 1_000_000  # in one update; each takes 2 bytes of it and some 250 once it is parsed
    type_nesting_max: int = 256  # types within types that one update may bring; readers recurse to show and delete them
    clock_max: int = 2**31 - 1  # yrs wraps above it
    client_id_max: int = 2**53 - 1  # what a JavaScript number holds
    deleted_run_max: int = 2**24  # clocks of one GC or deletion, which 12 bytes could make 2^31 for a victim
    clients_max: int = 65_536  # listed, referred to or deleted from by one update; the room looks each of them up
    deleted_ranges_max: int = 500_000  # in one update; large texts of many years have some 10,000s
    state_vector_bytes_max: int = 1 * MIB
    status_bytes_max: int = 1 * KIB  # the payload of message 102, kept until it is answered; clients send a counter
    inline_bytes_max: int = 4 * KIB  # sync bodies checked on the event loop; what is larger is checked elsewhere
    dear_bytes_max: int = 1 * KIB  # the same for those that announce many structs or clients: 0.7 ms at the very worst
    dear_structs: int = 256

    # --- what is held for a document
    document_clients_max: int = 100_000  # CRDT client ids; their state vector has to stay below the bound above
    pending_structs_max: int = 1_000  # updates ahead of their dependencies
    pending_bytes_max: int = 1 * MIB
    contests_max: int = 8  # ids of live others that one update may claim; what more it claims is left to their owners
    contest_bytes_max: int = 1 * MIB  # what is held of each until it is decided

    # --- one socket
    frames_per_s: float = 200.0
    frames_burst: int = 400
    bytes_per_s: float = 1 * MIB
    bytes_burst: int = 64 * MIB  # a returning client's whole document, and something over
    debt_told_s: float = 5.0  # a socket that owes so much time is told why it is slow
    debt_s_max: float = 60.0  # and ended beyond this
    fragments_max: int = 64
    new_clients_per_session: int = 4  # CRDT client ids a session may introduce at once; then one a minute
    new_clients_per_s: float = 1 / 60
    awareness_bytes_max: int = 4 * KIB  # per client id
    awareness_per_s: float = 20.0
    awareness_burst: int = 60
    awareness_clients_max: int = 64  # ids one session may speak for (sibling tabs)
    awareness_bytes_per_s: float = 64 * KIB  # everybody in the room gets each of them
    awareness_bytes_burst: int = 512 * KIB
    awareness_document_bytes_max: int = 8 * MIB  # states of all people of a document, which every joiner is sent
    outbox_bytes_max: int = 1 * MIB
    stuck_s: float = 30.0  # a slow reader that has not drained in this time is told to come back
    handshake_s: float = 5.0

    # --- one user over all sockets (each socket by itself while nobody has proven who they are)
    work_share: float = 0.01  # of the event loop's time, for frames that cost it more than `work_counts_s`
    work_burst_s: float = 0.25
    work_counts_s: float = 0.001  # a keystroke costs a hundredth of it
    work_s_per_struct: float = 1e-6  # what a child process spends on a large frame counts, too
    work_s_per_byte: float = 2e-8
    user_new_clients_per_s: float = 0.2  # CRDT client ids; reconnecting does not make new ones free
    user_new_clients: int = 400
    preload_bytes_max: int = 64 * KIB  # what a socket may send before it is admitted; honest ones send nothing

    # --- one socket of the Hocuspocus dialect
    socket_documents_max: int = 200  # addresses at once, open or not; each open one counts as a session, too
    unopened_bytes_max: int = (
        1 * MIB
    )  # edits for documents whose token is still being fetched, or that are being opened

    # --- REST
    body_bytes_max: int = 50 * MIB
    json_bytes_max: int = 8 * MIB
    document_id_chars_max: int = 200
    title_chars_max: int = 500
    metadata_bytes_max: int = 16 * KIB
    page_size_max: int = 500
    wait_s_max: float = 60.0

    # --- a node
    sessions_per_document_max: int = 5_000
    sessions_per_user_max: int = 200  # tabs of one person, or one script that forgot to close; 0: any
    sessions_per_address_max: int = 2_000  # a large office behind one address; 0: any
    sessions_max: int = 50_000  # sockets of the Hocuspocus dialect count, too, besides their documents
    arriving_bytes_max: int = 512 * MIB  # of large frames and bodies that are not complete yet
    arriving_s_max: float = 60.0  # for one of them to be complete
    arriving_bytes_per_s: float = 16 * MIB  # read of large frames: 4 % of a core at most
    arriving_bytes_burst: int = 4 * MIB  # what most imports are smaller than; one of 16 MB takes 0.75 s
    header_bytes_max: int = 64 * KIB
    inspected_bytes_max: int = 256 * MIB  # of complete ones that wait for their check


DEFAULT = Limits()
