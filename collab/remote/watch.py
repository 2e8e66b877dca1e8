"""`collab watch`: who types what, as it happens; who comes and goes."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from collections.abc import AsyncIterator
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from collab.remote import show
from collab.remote.options import HERE, Id, Key, Url
from collab.remote.service import UNAVAILABLE, Refusal, Service, calling, document_path, refusal

if TYPE_CHECKING:
    import httpx2

    from collab.engine.client import Engine

PARTS_MAX = 200  # updates kept beside the state before they are folded into it
RETRY_S_MAX = 10.0
FINAL = {"gone", "forbidden", "unauthorized", "not_found", "lineage_retired"}


def watch(
    document: Id,
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="End after so many edits.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    url: Url = HERE,
    key: Key = None,
) -> None:
    """Follows a document: what is typed and by whom, who comes and goes, snapshots. Ends with Ctrl-C.

    A connection that breaks is made again, and nothing is left out.

    [bold]collab watch notes[/bold]   [bold]collab watch notes --json | jq 'select(.event == "edit")'[/bold]
    """
    with calling(url, key) as service:
        try:
            asyncio.run(_watch(service, document, count, as_json))
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


async def _watch(service: Service, document: str, count: int | None, in_json: bool) -> None:
    from collab import logs
    from collab.engine.client import Engine

    logs.quiet()
    engine = Engine(workers=1)
    tail = Tail(service, document, engine)
    told = Telling(in_json)
    try:
        await tail.begin()
        async for name, data in Stream(service, document):
            if name == "presence":
                told.presence(data)
            elif name == "snapshot":
                told.snapshot(data)
            elif name == "update":
                async for edit in tail.edits():
                    told.edit(edit)
                    if count is not None and told.edits >= count:
                        return
    finally:
        await engine.close()


class Stream:
    """The service's events, over connections that are made again where they broke."""

    def __init__(self, service: Service, document: str) -> None:
        self._service = service
        self._url = f"{service.url}/api/{document_path(document, 'events')}"
        self._last = ""

    async def __aiter__(self) -> AsyncIterator[tuple[str, Any]]:
        import httpx2

        wait_s = 0.2
        async with httpx2.AsyncClient(headers=self._service.headers, timeout=httpx2.Timeout(10.0, read=60.0)) as client:
            while True:
                try:
                    async for name, data in self._events(client):
                        wait_s = 0.2
                        yield name, data
                except httpx2.TransportError:
                    pass
                except Refusal as error:
                    if error.exit_code != UNAVAILABLE:
                        raise
                await asyncio.sleep(random.uniform(0, wait_s))
                wait_s = min(RETRY_S_MAX, 2 * wait_s)

    async def _events(self, client: httpx2.AsyncClient) -> AsyncIterator[tuple[str, Any]]:
        """Of one connection, as text/event-stream is specified. Raises Refusal when the service ends it for good."""
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": self._last} if self._last else {})}
        async with client.stream("GET", self._url, headers=headers) as response:
            if response.status_code >= 400:
                await response.aread()
                raise refusal(response)
            fields: dict[str, str] = {}
            async for line in _lines(response):
                if line:
                    name, _, value = line.partition(":")
                    fields[name] = value.removeprefix(" ")
                elif "event" in fields:
                    yield self._told(fields)
                    fields = {}

    def _told(self, fields: dict[str, str]) -> tuple[str, Any]:
        data = json.loads(fields["data"])
        if fields["event"] == "end":
            raise Refusal(data["detail"], UNAVAILABLE if data["code"] not in FINAL else 3)
        self._last = fields.get("id", self._last)
        return fields["event"], data


class Tail:
    """The document as far as it was told, as the parts that the engine compares."""

    def __init__(self, service: Service, document: str, engine: Engine) -> None:
        self._service = service
        self._document = document
        self._engine = engine
        self._parts: list[bytes] = []
        self._seq = 0

    async def begin(self) -> None:
        """From now on. Raises Refusal."""
        answer = await asyncio.to_thread(self._service.call, "GET", document_path(self._document, "state"))
        self._parts = [answer.content]
        self._seq = int(answer.headers["etag"].strip('"').rpartition(".")[2])

    async def edits(self) -> AsyncIterator[dict[str, Any]]:
        """What has come since, one for each run of updates by the same author."""
        while True:
            path = document_path(self._document, "updates")
            page = await asyncio.to_thread(self._service.json, "GET", path, params={"after": self._seq})
            for author, run in groupby(page["items"], key=lambda update: update["author"]):
                yield await self._edit(author, [*run])
            if page["next_after"] is None:
                break
        if len(self._parts) > PARTS_MAX:  # not read afresh: what came since the last page would never be told
            self._parts = [(await self._engine.fold(None, self._parts))[0]]

    async def _edit(self, author: str, run: list[dict[str, Any]]) -> dict[str, Any]:
        after = [*self._parts, *(base64.b64decode(update["update"]) for update in run)]
        roots = await self._compared(self._parts, after)
        self._parts, self._seq = after, run[-1]["seq"]
        seqs = {"first_seq": run[0]["seq"], "last_seq": run[-1]["seq"]}
        return {"event": "edit", "author": author, "at": run[-1]["created_at"], **seqs, "roots": roots}

    async def _compared(self, before: list[bytes], after: list[bytes]) -> Any:
        """Nothing, if it cannot be compared: the tail goes on."""
        from collab.errors import CollabError

        try:
            return json.loads(await self._engine.diff(before, after))
        except CollabError:
            return {}


class Telling:
    """What the person, or the program, is told."""

    def __init__(self, in_json: bool) -> None:
        self.edits = 0
        self._json = in_json
        self._here: dict[int, str] = {}

    def edit(self, edit: dict[str, Any]) -> None:
        """Who typed, and the lines that differ."""
        self.edits += edit["last_seq"] - edit["first_seq"] + 1
        if self._json:
            self._line(edit)
            return
        first, last = edit["first_seq"], edit["last_seq"]
        self._say(edit["at"], f"{edit['author']} · {first if first == last else f'{first}-{last}'}")
        for name, difference in edit["roots"].items():
            lines = [line for line in show.changes(difference["unified"]) if line[:1] in ("+", "-")]
            show.difference(f"{line[0]} {f'{name}: ' if len(edit['roots']) > 1 else ''}{line[1:]}" for line in lines)

    def presence(self, data: dict[str, Any]) -> None:
        """Who came, who went."""
        if self._json:
            self._line({"event": "presence", **data})
            return
        here = {person["client_id"]: _name(person) for person in data["people"]}
        for client, name in here.items():
            if client not in self._here:
                self._say(None, f"{name} is here")
        for client in self._here.keys() - here.keys():
            self._say(None, f"{self._here[client]} left")
        self._here = here

    def snapshot(self, data: dict[str, Any]) -> None:
        """One was taken."""
        if self._json:
            self._line({"event": "snapshot", **data})
        else:
            self._say(data["created_at"], f"{data['created_by']} took a snapshot: {data['label'] or data['id']}")

    def _line(self, value: object) -> None:
        show.as_json(value)

    def _say(self, at: str | None, what: str) -> None:
        clock = at[11:19] if at is not None else time.strftime("%H:%M:%S", time.gmtime())
        typer.secho(f"{clock}  {show.plain(what)}", bold=show.on_terminal())


async def _lines(response: httpx2.Response) -> AsyncIterator[str]:
    """Lines as the service ends them; `aiter_lines` would also end one at U+2028, which may stand in JSON."""
    rest = b""
    async for chunk in response.aiter_bytes():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode()


def _name(person: dict[str, Any]) -> str:
    user = person["state"].get("user")
    name = user.get("name") if isinstance(user, dict) else None
    return str(name) if name else f"client {person['client_id']}"
