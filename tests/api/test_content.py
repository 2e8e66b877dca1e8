"""Content as text, JSON and XML: read, replaced, edited in place, merged with what people type meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pycrdt
import pytest

from collab.engine.client import Engine
from collab.protocol.messages import EMPTY_UPDATE, Kind, decode
from tests.api.service import BINARY, Peer, Service, running, until
from tests.backends import Ground

CONTENT = "/api/documents/d/content"
TEXT = {"content-type": "text/plain"}
STROKES_MAX = 200


@pytest.fixture
async def api(ground: Ground) -> AsyncIterator[Service]:
    """A service with a real engine."""
    engine = Engine(workers=1)
    await engine.start()
    try:
        async with running(ground, engine=engine) as service:
            yield service
    finally:
        await engine.close()


class Editor:
    """A real pycrdt document behind a session of the room: what an open editor is."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        peer.ask()
        self.receive()
        self._watching = self.doc.observe(self._send)
        self._receiving = False

    def _send(self, event: Any) -> None:
        if not self._receiving:
            self.peer.edit(bytes(event.update))

    def receive(self) -> None:
        """Applies what the room has shown since the last time."""
        self._receiving = True
        for frame in self.peer.outbox.take():
            kind, body = decode(frame)
            if kind in (Kind.UPDATE, Kind.STEP2) and body != EMPTY_UPDATE:
                self.doc.apply_update(body)
        self._receiving = False

    async def saved(self) -> None:
        """All that was typed is on disk."""
        await self.peer.hub.durable(self.peer.slot, self.peer.slot.room.ledger.entered)

    @property
    def text(self) -> str:
        """The text of the root `default`."""
        self.receive()
        return str(self.doc.get("default", type=pycrdt.Text))

    @property
    def typed(self) -> str:
        """The text of the root `typed`."""
        self.receive()
        return str(self.doc.get("typed", type=pycrdt.Text))


async def put(api: Service, text: str, **headers: str) -> Any:
    """Replaces the text; returns the answer."""
    params = {"root": "default", "type": "text"}
    return await api.client.put(CONTENT, params=params, content=text, headers=TEXT | headers)


async def read(api: Service, **params: str) -> str:
    """The content as text."""
    answer = await api.client.get(CONTENT, params={"root": "default", "type": "text"} | params)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_a_text_is_put_and_read(api: Service) -> None:
    """Any characters; the answer names the version that holds it."""
    await api.create()
    text = "zwölf 😀 Boxkämpfer\n🏳️‍🌈 jagen"
    answer = await put(api, text)
    assert (answer.status_code, answer.json()["seq"], answer.json()["changed"]) == (200, 1, True)
    found = await api.client.get(CONTENT, params={"root": "default"})
    assert (found.text, found.headers["content-type"]) == (text, "text/plain; charset=utf-8")
    assert found.headers["etag"] == f'"{answer.json()["version"]}"'
    unchanged = await api.client.get(CONTENT, headers={"if-none-match": found.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


async def test_a_word_changed_is_one_small_edit(api: Service) -> None:
    """The same text again is none at all."""
    await api.create()
    text = "the quick brown fox " * 500
    await put(api, text)
    assert (await put(api, text)).json()["changed"] is False
    before = (await api.client.get("/api/documents/d")).json()["bytes"]
    assert (await put(api, text.replace("quick", "slow", 1))).json()["changed"] is True
    assert (await api.client.get("/api/documents/d")).json()["bytes"] - before < 200
    assert (await read(api)).startswith("the slow brown")


async def test_everything_at_once(api: Service) -> None:
    """Without parameters: all roots as one JSON object."""
    await api.create(content={"default": {"type": "text", "value": "hi"}, "meta": {"type": "map", "value": {"n": 1}}})
    assert (await api.client.get(CONTENT)).json() == {
        "default": {"type": "text", "content": "hi"},
        "meta": {"type": "map", "content": {"n": 1}},
    }


@pytest.mark.parametrize(
    ("kind", "body", "media_type"),
    [
        ("map", b'{"title":"x","todo":[1,{"done":false}]}', "application/json"),
        ("array", b'[1,"two",[3],null]', "application/json"),
        ("xml", b'<paragraph align="left">hello <b>you</b></paragraph>', "application/xml"),
    ],
)
async def test_other_types_go_in_and_come_out(api: Service, kind: str, body: bytes, media_type: str) -> None:
    """Maps and arrays as JSON, fragments as XML."""
    await api.create()
    headers = {"content-type": media_type}
    answer = await api.client.put(CONTENT, params={"root": "r", "type": kind}, content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    form = "xml" if kind == "xml" else "json"
    found = await api.client.get(CONTENT, params={"root": "r", "type": kind, "format": form})
    assert found.headers["content-type"].startswith(media_type)
    assert found.text == body.decode() if kind == "xml" else found.json() == json.loads(body)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({"r": {"type": "text", "value": 7}}, 422),
        ({"r": {"type": "map", "value": [1]}}, 422),
        ({"r": {"type": "xml", "format": "xml", "value": "<broken"}}, 422),
        ({"r": {"type": "tree", "value": {}}}, 422),
        ({"r": {"value": ""}}, 422),
        ({str(number): {"type": "text", "value": "x"} for number in range(33)}, 422),
    ],
)
async def test_first_content_that_does_not_fit_creates_nothing(api: Service, content: Any, status: int) -> None:
    """It is made before the document is."""
    answer = await api.client.post("/api/documents", json={"id": "d", "content": content})
    assert answer.status_code == status, answer.text
    assert (await api.client.get("/api/documents/d")).status_code == 404


@pytest.mark.parametrize(
    ("body", "media_type", "params", "status"),
    [
        (b"x", "image/png", {"root": "default", "type": "text"}, 415),
        (b"\xff", "text/plain", {"root": "default", "type": "text"}, 422),
        (b"{", "application/json", {"root": "m", "type": "map"}, 422),
        (b"<a>", "application/xml", {"root": "x", "type": "xml"}, 422),
        (b"x", "text/plain", {"root": "default", "type": "tree"}, 422),
        (b"x", "text/plain", {"root": "nowhere"}, 404),
        (b"{}", "application/json", {"root": "default", "type": "map"}, 422),
    ],
)
async def test_content_that_does_not_fit_is_refused(
    api: Service, body: bytes, media_type: str, params: dict[str, str], status: int
) -> None:
    """And nothing is changed."""
    await api.create()
    await put(api, "text")
    answer = await api.client.put(CONTENT, params=params, content=body, headers={"content-type": media_type})
    assert answer.status_code == status, answer.text
    assert (await api.client.get("/api/documents/d")).json()["seq"] == 1


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_numbers_that_json_has_not_are_refused_alike_by_put_and_patch(api: Service, number: str) -> None:
    """Not kept as null: Python reads them, JavaScript does not."""
    await api.create()
    params, headers = {"root": "m", "type": "map"}, {"content-type": "application/json"}
    edits = [
        f'{{"op":"set","pointer":"/a","value":{number}}}',
        f'{{"op":"set","pointer":"/a","value":{{"b":[1,{number}]}}}}',
        f'{{"op":"insert","root":"t","type":"text","index":0,"text":"x","attributes":{{"bold":{number}}}}}',
    ]
    bodies = [("PUT", f'{{"a":{number}}}'), *(("PATCH", f"[{edit}]") for edit in edits)]
    for method, body in bodies:
        answer = await api.client.request(method, CONTENT, params=params, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable"), (body, answer.text)
        assert "no JSON" in answer.json()["detail"]
    assert (await api.client.get("/api/documents/d")).json()["seq"] == 0


@pytest.mark.one_node
async def test_if_match_guards_against_what_others_wrote(api: Service) -> None:
    """Also against what was typed a moment ago and is not on disk yet; refused, it changes nothing."""
    await api.create()
    etag = f'"{(await put(api, "one")).json()["version"]}"'
    assert (await put(api, "two", **{"if-match": etag})).status_code == 200
    stale = await put(api, "three", **{"if-match": etag})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    etag = (await api.client.get(CONTENT)).headers["etag"]
    async with api.socket() as peer:
        editor = Editor(peer)
        editor.doc.get("default", type=pycrdt.Text).insert(0, "typed ")
        assert (await put(api, "four", **{"if-match": etag})).status_code == 412
    assert (await put(api, "five", **{"if-match": "*"})).status_code == 200
    assert await read(api) == "five"


@pytest.mark.everywhere
async def test_of_concurrent_puts_with_one_etag_one_wins(api: Service) -> None:
    """The comparison is made under the lock of the document's row, so that it does not matter where they come in."""
    await api.create()
    etag = f'"{(await put(api, "start")).json()["version"]}"'
    answers = await asyncio.gather(*(put(api, f"writer {n}", **{"if-match": etag}) for n in range(6)))
    won = [n for n, answer in enumerate(answers) if answer.status_code == 200]
    assert [answer.status_code for answer in answers].count(412) == 5
    assert await read(api) == f"writer {won[0]}"


async def test_operations_are_all_done_or_none(api: Service) -> None:
    """By position in code points, by quoted text, by pointer."""
    await api.create()
    await put(api, "hello 😀 world")
    operations: list[dict[str, Any]] = [
        {"op": "insert", "index": 5, "text": ","},
        {"op": "replace", "find": "world", "text": "people"},
        {"op": "delete", "index": 7, "length": 2},
        {"op": "set", "root": "meta", "type": "map", "pointer": "/title", "value": "T"},
    ]
    answer = await api.client.patch(CONTENT, params={"root": "default"}, json=operations)
    assert answer.status_code == 200, answer.text
    assert await read(api) == "hello, people"
    assert (await api.client.get(CONTENT, params={"root": "meta"})).json() == {"title": "T"}
    operations = [operations[0], {"op": "delete", "find": "?"}]
    wrong = await api.client.patch(CONTENT, params={"root": "default"}, json=operations)
    assert (wrong.status_code, "operation 1" in wrong.json()["detail"]) == (422, True)
    assert await read(api) == "hello, people"


async def test_a_repeated_patch_is_done_once(api: Service) -> None:
    """An insertion is not idempotent by itself."""
    await api.create()
    await put(api, "a")
    call = {"params": {"root": "default"}, "json": [{"op": "insert", "index": 1, "text": "b"}]}
    answers = [await api.client.patch(CONTENT, **call, headers={"idempotency-key": "k"}) for _ in range(3)]
    assert answers[0].json() == answers[1].json() == answers[2].json()
    assert await read(api) == "ab"


async def test_rest_writers_and_typing_editors_lose_nothing(api: Service) -> None:
    """Two editors type at the ends while REST changes words in the middle: everyone sees everything."""
    await api.create()
    await put(api, "[" + " ".join(f"word{n}" for n in range(10)) + "]")
    async with api.socket() as one, api.socket() as two:
        ann, bob = Editor(one), Editor(two)
        for n in range(10):
            ann.doc.get("default", type=pycrdt.Text).insert(0, "a")
            bob.receive()
            bob.doc.get("default", type=pycrdt.Text).__iadd__("b")
            operation = {"op": "replace", "find": f"word{n}", "text": f"changed{n}"}
            answer = await api.client.patch(CONTENT, params={"root": "default"}, json=[operation])
            assert answer.status_code == 200, answer.text
        await ann.saved()
        expected = "a" * 10 + "[" + " ".join(f"changed{n}" for n in range(10)) + "]" + "b" * 10
        await bob.saved()
        await until(lambda: ann.text == bob.text == expected)
    assert await read(api) == expected


SNAPSHOTS = "/api/documents/d/snapshots"


def fill(doc: pycrdt.Doc[Any]) -> None:
    """Text, map, array and nested XML."""
    doc["default"] = pycrdt.Text("the text of the snapshot")
    doc["meta"] = pycrdt.Map({"title": "T", "deep": pycrdt.Map({"list": pycrdt.Array([1, 2])})})
    doc["todo"] = pycrdt.Array(["one", pycrdt.Map({"done": False})])
    doc["page"] = page = pycrdt.XmlFragment()
    section = page.children.append(pycrdt.XmlElement("section", {"id": "s"}))
    paragraph = section.children.append(pycrdt.XmlElement("paragraph"))
    paragraph.children.append(pycrdt.XmlText("nested"))


async def test_restore_while_two_editors_type(api: Service) -> None:
    """Over all roots: the content equals the snapshot plus what was typed after; what was there is kept first."""
    await api.create()
    source: pycrdt.Doc[Any] = pycrdt.Doc()
    fill(source)
    await api.client.post("/api/documents/d/updates", content=source.get_update(), headers=BINARY)
    snapshot = (await api.client.post(SNAPSHOTS, json={"label": "good"})).json()["id"]
    then = (await api.client.get(f"{SNAPSHOTS}/{snapshot}/content")).json()
    async with api.socket() as one, api.socket() as two:
        ann, bob = Editor(one), Editor(two)
        ann.doc.get("default", type=pycrdt.Text).clear()
        del ann.doc.get("meta", type=pycrdt.Map)["deep"]
        bob.doc.get("todo", type=pycrdt.Array).append("spoilt")
        del bob.doc.get("page", type=pycrdt.XmlFragment).children[0]
        await ann.saved()
        await bob.saved()
        restoring = asyncio.create_task(api.client.post(f"{SNAPSHOTS}/{snapshot}/restore"))
        strokes = 0
        while strokes < STROKES_MAX and not restoring.done():
            stroke(ann, bob)  # each without seeing the other: merging them costs their product
            strokes += 1
            await asyncio.sleep(0)
        answer = await restoring
        assert answer.status_code == 200, answer.text
        stroke(ann, bob)  # the earlier ones may all have come before the restore read the document, and so be undone
        await ann.saved()
        await bob.saved()
        await until(lambda: ann.typed == bob.typed)
        now = (await api.client.get(CONTENT)).json()
        typed = ann.typed
        assert typed == bob.typed == now.pop("typed")["content"]
        assert set(typed) == {"a", "b"}
    assert now == then
    kept = (await api.client.get(f"{SNAPSHOTS}/{answer.json()['before']}/content")).json()
    assert "default" not in kept or kept["default"]["content"] == ""
    assert kept["todo"]["content"][-1] == "spoilt"
    undone = kept["typed"]["content"] if "typed" in kept else ""
    assert len(typed) + len(undone) >= 2 * (strokes + 1), "a stroke is neither there nor in what was kept"


def stroke(ann: Editor, bob: Editor) -> None:
    """One letter by each."""
    ann.doc.get("typed", type=pycrdt.Text).insert(0, "a")
    bob.doc.get("typed", type=pycrdt.Text).insert(0, "b")


async def test_comparing_snapshots(api: Service) -> None:
    """With now, with another one; hunks and a unified diff."""
    await api.create()
    await put(api, "one\ntwo\n")
    first = (await api.client.post(SNAPSHOTS)).json()["id"]
    await put(api, "one\n2\n")
    second = (await api.client.post(SNAPSHOTS)).json()["id"]
    for to in ({}, {"to": second}, {"root": "default"}):
        answer = await api.client.get(f"{SNAPSHOTS}/{first}/diff", params=to)
        difference = answer.json()["roots"]["default"]
        assert difference["type"] == "text"
        assert difference["hunks"]
        assert "-two" in difference["unified"] and "+2" in difference["unified"]
    assert (await api.client.get(f"{SNAPSHOTS}/{second}/diff")).json() == {"roots": {}}
    assert (await api.client.get(f"{SNAPSHOTS}/{first}/diff", params={"to": "nothing"})).status_code == 404
    assert (await api.client.get(f"{SNAPSHOTS}/{first}/diff", params={"root": "nothing"})).status_code == 404


async def test_a_snapshot_is_read_like_a_document(api: Service) -> None:
    """And restoring what is there already changes nothing."""
    await api.create()
    await put(api, "then")
    await api.client.post(SNAPSHOTS)
    answer = await api.client.post(f"{SNAPSHOTS}/latest/restore")
    assert (answer.status_code, answer.json()["changed"]) == (200, False)
    await put(api, "now")
    found = await api.client.get(f"{SNAPSHOTS}/latest/content", params={"root": "default"})
    assert found.text == "then"


async def test_a_repeated_restore_is_done_once(api: Service) -> None:
    """One snapshot of what was there, one edit."""
    await api.create()
    await put(api, "then")
    snapshot = (await api.client.post(SNAPSHOTS)).json()["id"]
    await put(api, "now")
    headers = {"idempotency-key": "k"}
    answers = [await api.client.post(f"{SNAPSHOTS}/{snapshot}/restore", headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len((await api.client.get(SNAPSHOTS)).json()["items"]) == 2


async def test_an_engine_past_its_limits_costs_that_call_alone(api: Service) -> None:
    """503, typed; nothing is changed, open editors do not notice, and a later call works."""
    await api.create()
    await put(api, "before")
    hasty = Engine(workers=1, call_s_max=0.000_001)
    await hasty.content.warm()
    api.app.state.parts = replace(api.parts, engine=hasty)
    try:
        answer = await put(api, "lost")
        assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable")
        async with api.socket() as peer:
            editor = Editor(peer)
            assert editor.text == "before"
            editor.doc.get("default", type=pycrdt.Text).insert(0, "still ")
            await editor.saved()
        assert (await api.client.get("/api/documents/d")).json()["seq"] == 2
    finally:
        await hasty.close()
        api.app.state.parts = api.parts
    assert await read(api) == "still before"
