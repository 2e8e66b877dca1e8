"""The same without `await`, for scripts: the work is done by an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

from pycrdt import Doc

from collab_client import documents, live, snapshots, text
from collab_client.documents import Access
from collab_client.errors import CollabError
from collab_client.permits import Source

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


class Loop:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="collab_client", daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs it there, waits here; an interrupt here cancels it there. Raises RuntimeError after `close`."""
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("it is closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Ends what still runs there, and the thread; a second time it does nothing."""
        if self._loop.is_closed():
            return
        self.do(_settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _settle() -> None:
    """Cancels everything else in this loop, and waits for its end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others)
    await asyncio.get_running_loop().shutdown_asyncgens()


class _Face(Protocol[A]):
    _loop: Loop
    _behind: A


def _blocking(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[_Face[A], P], T]:
    @wraps(method)
    def call(self: _Face[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._loop.do(method(self._behind, *args, **kwargs))

    return call


def _iterating(
    method: Callable[Concatenate[A, P], AsyncIterator[T]],
) -> Callable[Concatenate[_Face[A], P], Iterator[T]]:
    @wraps(method)
    def call(self: _Face[A], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        items = method(self._behind, *args, **kwargs)
        while True:
            found = self._loop.do(_some(items))
            if not found:
                return
            yield from found

    return call


async def _some(items: AsyncIterator[T]) -> list[T]:
    """The next one; none at the end."""
    async for item in items:
        return [item]
    return []


class Snapshots:
    """See `collab_client.snapshots.Snapshots`."""

    def __init__(self, loop: Loop, behind: snapshots.Snapshots) -> None:
        self._loop = loop
        self._behind = behind

    list = _iterating(snapshots.Snapshots.list)
    page = _blocking(snapshots.Snapshots.page)
    take = _blocking(snapshots.Snapshots.take)
    get = _blocking(snapshots.Snapshots.get)
    relabel = _blocking(snapshots.Snapshots.relabel)
    delete = _blocking(snapshots.Snapshots.delete)
    state = _blocking(snapshots.Snapshots.state)
    read_all = _blocking(snapshots.Snapshots.read_all)
    diff = _blocking(snapshots.Snapshots.diff)
    restore = _blocking(snapshots.Snapshots.restore)


class Documents:
    """See `collab_client.Documents`: `with Documents("http://localhost:8000", key="ck_…") as docs`."""

    def __init__(self, url: str, key: str | None = None, *, tries: int = 3, timeout_s: float = 90.0) -> None:
        self._loop = Loop()
        self._behind = documents.Documents(url, key, tries=tries, timeout_s=timeout_s)
        self.snapshots = Snapshots(self._loop, self._behind.snapshots)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up; a second time it does nothing."""
        with suppress(RuntimeError):
            self._loop.do(self._behind.close())
        self._loop.close()

    def connect(
        self,
        document: str,
        user: str | None = None,
        *,
        name: str | None = None,
        access: Access = "write",
        doc: Doc[Any] | None = None,
    ) -> AbstractContextManager[LiveDocument]:
        """See `collab_client.Documents.connect`."""
        return _opened(self._loop, self._behind.connect(document, user, name=name, access=access, doc=doc))

    list = _iterating(documents.Documents.list)
    page = _blocking(documents.Documents.page)
    create = _blocking(documents.Documents.create)
    get = _blocking(documents.Documents.get)
    rename = _blocking(documents.Documents.rename)
    describe = _blocking(documents.Documents.describe)
    delete = _blocking(documents.Documents.delete)
    undelete = _blocking(documents.Documents.undelete)
    read_all = _blocking(documents.Documents.read_all)
    read = _blocking(documents.Documents.read)
    write = _blocking(documents.Documents.write)
    edit = _blocking(documents.Documents.edit)
    state = _blocking(documents.Documents.state)
    send = _blocking(documents.Documents.send)
    updates = _iterating(documents.Documents.updates)
    presence = _blocking(documents.Documents.presence)
    ticket = _blocking(documents.Documents.ticket)


class LiveDocument:
    """A live document behind a thread: touch `doc` inside `do` only, because pycrdt's objects bear one thread."""

    def __init__(self, loop: Loop, behind: live.LiveDocument) -> None:
        self._loop = loop
        self._behind = behind

    saved = _blocking(live.LiveDocument.saved)
    synced = _blocking(live.LiveDocument.synced)

    @property
    def document(self) -> str:
        """See `collab_client.LiveDocument`."""
        return self._behind.document

    @property
    def access(self) -> str | None:
        """See `collab_client.LiveDocument`."""
        return self._behind.access

    @property
    def error(self) -> CollabError | None:
        """See `collab_client.LiveDocument`."""
        return self._behind.error

    @property
    def status(self) -> live.Status:
        """See `collab_client.LiveDocument`."""
        return self._behind.status

    @property
    def unsaved(self) -> int:
        """See `collab_client.LiveDocument`."""
        return self._behind.unsaved

    def until(self, holds: Callable[[live.LiveDocument], object], timeout_s: float | None = None) -> None:
        """Waits until it holds; called in the document's thread after every change."""
        self._loop.do(self._behind.until(lambda: holds(self._behind), timeout_s))

    def do(self, work: Callable[[live.LiveDocument], T]) -> T:
        """Calls `work` with the live document, in its thread: `live.do(lambda live: live.map("meta").to_py())`."""

        async def there() -> T:
            return work(self._behind)

        return self._loop.do(there())

    def read(self, root: str = "text") -> str:
        """What the text of this root reads."""
        return self.do(lambda behind: text.read(behind.text(root)))

    def rewrite(self, wanted: str, root: str = "text") -> bool:
        """Makes the text read `wanted` by the smallest edits, as one update; False if it did already."""

        def work(behind: live.LiveDocument) -> bool:
            target = behind.text(root)
            with behind.doc.transaction():
                return text.rewrite(target, wanted)

        return self.do(work)


@contextmanager
def connect(
    url: str,
    document: str,
    ticket: Source | None = None,
    *,
    doc: Doc[Any] | None = None,
    open_s: float = 30.0,
    save_s: float = 10.0,
) -> Iterator[LiveDocument]:
    """See `collab_client.connect`: `with connect("http://localhost:8000", "notes") as live`."""
    loop = Loop()
    try:
        with _opened(loop, live.connect(url, document, ticket, doc=doc, open_s=open_s, save_s=save_s)) as opened:
            yield opened
    finally:
        loop.close()


@contextmanager
def _opened(loop: Loop, connection: AbstractAsyncContextManager[live.LiveDocument]) -> Iterator[LiveDocument]:
    behind = loop.do(connection.__aenter__())
    try:
        yield LiveDocument(loop, behind)
    except BaseException:
        with suppress(_Failed):  # not the error itself: an interrupt of this thread would end the other one
            loop.do(connection.__aexit__(_Failed, _Failed(), None))
        raise
    loop.do(connection.__aexit__(None, None, None))


class _Failed(Exception):
    """The block of `connect` did not go well."""
