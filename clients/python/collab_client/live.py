"""A live document: what others type appears in it, what you change in it goes to them, and it says what is on disk."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from httpx2 import TransportError
from pycrdt import Array, Doc, Map, Text, XmlFragment
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from collab_client import errors
from collab_client.backoff import Backoff
from collab_client.connection import Connection
from collab_client.errors import BrokenDocument, CollabError, NotAllowed, Unavailable, Unsaved
from collab_client.permits import Permit, Source, fetch
from collab_client.presence import Presence
from collab_client.wire import Kind

log = logging.getLogger("collab_client")

Status = Literal["connecting", "live", "offline", "ended"]
EXPIRED = 4401  # the close code of a session whose permission is over
STEADY_S = 5.0  # a connection that ends sooner was none: the next waits longer
NOTHING = b"\x00"  # the state vector of an empty document
FRAME_BYTES_MAX = 64 * 1024 * 1024  # a first answer may hold a whole document; servers allow 50 MB


class LiveDocument:
    """Made by `connect`; use it in one event loop.

    `doc` is the `pycrdt.Doc`. `status` is "live" while synced, "offline" between tries: edits are kept in `doc` then
    and sent on return. "ended" is for good, and `error` says why.
    """

    def __init__(self, url: str, document: str, permit: Source | None = None, doc: Doc[Any] | None = None) -> None:
        self.document = document
        self.doc: Doc[Any] = Doc() if doc is None else doc
        self.presence = Presence(self.doc)
        self.status: Status = "connecting"
        self.error: CollabError | None = None
        self._address = socket_address(url, document)
        self._source = permit
        self._connection: Connection | None = None
        self._edits, self._saved_edits = int(self.doc.get_state() != NOTHING), 0  # what it brings counts as one
        self._trouble: CollabError | None = None  # why it is not live now
        self._lived = False
        self._applying = False
        self._opened_at = 0.0  # of the session, on the monotonic clock
        self._news = asyncio.Event()
        self._backoff = Backoff()
        self._watching = self.doc.observe(self._on_change)

    @property
    def unsaved(self) -> int:
        """How many of your edits (transactions on `doc`) are not known to be on the server's disk."""
        return self._edits - self._saved_edits

    @property
    def access(self) -> str | None:
        """What the server has said one may do: "write", "comment" or "read"; None while not connected."""
        return self._connection.access if self._connection is not None else None

    def text(self, root: str = "text") -> Text:
        """The root of this name as a text; `collab_client.text` edits it by characters."""
        found: Text = self.doc.get(root, type=Text)
        return found

    def map(self, root: str) -> Map[Any]:
        """The root of this name as a map."""
        found: Map[Any] = self.doc.get(root, type=Map)
        return found

    def array(self, root: str) -> Array[Any]:
        """The root of this name as an array."""
        found: Array[Any] = self.doc.get(root, type=Array)
        return found

    def xml(self, root: str) -> XmlFragment:
        """The root of this name as an XML fragment, as ProseMirror and Tiptap keep it."""
        found: XmlFragment = self.doc.get(root, type=XmlFragment)
        return found

    async def synced(self, timeout_s: float | None = None) -> None:
        """Waits until it is live. Raises what ended it, or Unavailable after the timeout."""
        await self._within(
            self._live(), timeout_s, lambda: Unavailable(f"{self.document!r} was not live in time{self._why}")
        )

    async def saved(self, timeout_s: float | None = None) -> None:
        """Waits until everything that `doc` holds now is on the server's disk, across reconnects.

        Raises ReadOnly if what you typed was not taken, what ended the connection, or Unsaved after the timeout.
        """
        late = f"{self.document!r}: the server did not say in time that all edits are on disk"
        await self._within(self._saved(), timeout_s, lambda: Unsaved(late + self._why))

    async def until(self, holds: Callable[[], object], timeout_s: float | None = None) -> None:
        """Waits until a condition on `doc` or `presence` is true; it is looked at after every change."""
        late = f"{self.document!r}: what was waited for did not come in time"
        await self._within(self._until(holds), timeout_s, lambda: Unavailable(late + self._why))

    # --- the connection, again and again

    async def run(self) -> None:
        """Keeps it connected until cancelled, or until it is ended for good. `connect` runs this."""
        fresh = asyncio.create_task(self.presence.keep_fresh())
        try:
            while self.error is None:
                self._set("connecting")
                try:
                    await self._connect()
                except CollabError as error:
                    await self._lost(error)
        except Exception as error:
            log.exception("%r ended by a fault", self.document)
            self.error = CollabError(f"the connection ended by a fault: {error!r}")
        finally:
            fresh.cancel()
            await asyncio.wait({fresh})
            self._set("ended")

    def close(self) -> None:
        """Lets go of the document; `run` must be over."""
        self.doc.unobserve(self._watching)  # a watched Doc is never freed

    async def _connect(self) -> None:
        permit = await self._permit()
        try:
            await self._dial(permit)
        except NotAllowed as error:
            if error.status != EXPIRED or not self._may_begin_again(permit):
                raise
            raise Unavailable("the session is over; a new one begins") from None

    def _may_begin_again(self, permit: Permit) -> bool:
        """Whether a session just ran out, and was not taken back: then a fresh ticket opens the next one."""
        if not callable(self._source):
            return False
        if permit.life_s is None:  # nobody said how long it would last
            return self.status == "live"
        return time.monotonic() >= self._opened_at + permit.life_s - 1.0

    async def _dial(self, permit: Permit) -> None:
        self._opened_at = time.monotonic()
        headers = {} if permit.secret is None else {"Authorization": f"Bearer {permit.secret}"}
        try:
            async with open_socket(
                self._address, additional_headers=headers, compression=None, max_size=FRAME_BYTES_MAX
            ) as socket:
                await self._serve(Connection(socket, self, permit), permit)
            raise errors.of_close(socket.close_code or 1006, socket.close_reason or "")
        except ConnectionClosed as closed:
            received = closed.rcvd
            raise errors.of_close(received.code if received else 1006, received.reason if received else "") from None
        except InvalidStatus as refused:
            raise _of_handshake(refused) from None
        except (OSError, InvalidHandshake, EOFError) as error:  # TimeoutError is an OSError
            raise Unavailable(str(error) or "the server did not answer") from None

    async def _permit(self) -> Permit:
        try:
            return await fetch(self._source)
        except (OSError, TransportError) as error:
            raise Unavailable(f"no ticket can be had now: {error}") from None
        except CollabError:
            raise
        except Exception as error:
            if not self._lived:
                raise  # a mistake in the function, most likely: said at once
            log.warning("no fresh ticket for %r", self.document, exc_info=True)
            raise Unavailable(f"no ticket can be had now: {error!r}") from None

    async def _serve(self, connection: Connection, permit: Permit) -> None:
        self._connection = connection
        self.presence.attach(lambda entries: connection.send(Kind.AWARENESS, entries))
        beside = {asyncio.create_task(self._announce(connection)), asyncio.create_task(self._renew(connection, permit))}
        try:
            await connection.run()
        finally:
            self._connection = None
            self.presence.detach()
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)

    async def _announce(self, connection: Connection) -> None:
        await connection.synced.wait()
        self._lived, self._trouble = True, None
        self._set("live")
        await asyncio.sleep(STEADY_S)
        self._backoff.reset()

    async def _renew(self, connection: Connection, permit: Permit) -> None:
        """Shows fresh tickets before the session ends; if none can be had, it ends and a new one is begun."""
        while permit.renew_in_s is not None and callable(self._source):
            await asyncio.sleep(permit.renew_in_s)
            try:
                permit = await fetch(self._source)
            except Exception:
                log.warning("no fresh ticket for %r", self.document, exc_info=True)
                return
            connection.renew(permit)
            self._opened_at = time.monotonic()

    async def _lost(self, error: CollabError) -> None:
        if not isinstance(error, Unavailable):
            self.error = error
            return
        self._trouble = error
        wait_s = max(self._backoff.next_s(), error.retry_after_s or 0.0)
        log.info("%r is offline (%s), next try in %.1f s", self.document, error.detail, wait_s)
        self._set("offline")
        await asyncio.sleep(wait_s)

    # --- what the connection asks of the document

    def vector(self) -> bytes:
        """See Replica."""
        return self.doc.get_state()

    def lacking(self, vector: bytes) -> bytes:
        """See Replica."""
        return self.doc.get_update(vector)

    def apply(self, update: bytes) -> None:
        """See Replica."""
        self._applying = True
        try:
            self.doc.apply_update(update)
        except (KeyboardInterrupt, SystemExit, asyncio.CancelledError):
            raise
        except BaseException as error:  # a panic of the engine is no Exception
            raise BrokenDocument(f"the local document could not take an update: {error}") from None
        finally:
            self._applying = False
        self._tell()

    def show(self, entries: bytes) -> None:
        """See Replica."""
        self.presence.receive(entries)
        self._tell()

    def notice(self) -> None:
        """See Replica."""
        self._tell()

    def _on_change(self, event: Any) -> None:
        """Of a transaction that ended. One of yours that also took in something of others is sent whole: harmless."""
        if self._applying:
            return
        self._edits += 1
        if self._connection is not None:
            self._connection.send(Kind.UPDATE, bytes(event.update))
        self._tell()

    # --- waiting

    async def _live(self) -> None:
        await self._until(lambda: self._connection is not None and self._connection.synced.is_set())

    async def _saved(self) -> None:
        wanted = self._edits
        while self._saved_edits < wanted or wanted == 0:
            await self._live()
            connection, sent = self._connection, self._edits
            assert connection is not None
            try:
                await connection.acknowledged()
            except Unavailable:
                await self._until(lambda gone=connection: self._connection is not gone)  # type: ignore[misc]
                continue
            self._saved_edits = max(self._saved_edits, sent)
            return

    async def _until(self, holds: Callable[[], object]) -> None:
        while not holds():
            if self.error is not None:
                raise self.error
            await self._news.wait()

    @property
    def _why(self) -> str:
        return "" if self._trouble is None else f" ({self._trouble.detail})"

    async def _within(self, waiting: Awaitable[None], timeout_s: float | None, late: Callable[[], CollabError]) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await waiting
        except TimeoutError:
            raise late() from None

    def _set(self, status: Status) -> None:
        self.status = status
        self._tell()

    def _tell(self) -> None:
        """Wakes everyone who waits."""
        news, self._news = self._news, asyncio.Event()
        news.set()


@asynccontextmanager
async def connect(
    url: str,
    document: str,
    ticket: Source | None = None,
    *,
    doc: Doc[Any] | None = None,
    open_s: float = 30.0,
    save_s: float = 10.0,
) -> AsyncIterator[LiveDocument]:
    """The document of this id, live until the block ends: `async with connect("http://localhost:8000", "notes") as l`.

    `ticket` is a ticket, a token or an API key, or a function that fetches one for every try to connect (async if you
    like): see `Documents.ticket`. `doc` may be a document of yours that goes on where it was. Returns once it is
    synced; raises Refused, or Unavailable after `open_s`. At the end of a block that went well it waits up to `save_s`
    for your edits to be on disk, and raises Unsaved or ReadOnly if they are not.
    """
    live = LiveDocument(url, document, ticket, doc)
    running = asyncio.create_task(live.run(), name=f"collab {document}")
    try:
        await live.synced(open_s)
        yield live
        if live.unsaved:
            await live.saved(save_s)
    finally:
        running.cancel()
        await asyncio.wait({running})
        live.close()


def socket_address(url: str, document: str) -> str:
    """Where a document's socket is: `http://host:8000` and `notes/today` make `ws://host:8000/sync/notes%2Ftoday`."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    if scheme not in ("ws", "wss") or not parts.netloc:
        raise ValueError(f"not the address of a service: {url!r} (like https://collab.example.com)")
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/sync/{quote(document, safe='')}"


def _of_handshake(refused: InvalidStatus) -> CollabError:
    response = refused.response
    detail = (response.body or b"").decode(errors="replace").strip() or response.reason_phrase
    return errors.of_status(response.status_code, detail[:500], "refused")
