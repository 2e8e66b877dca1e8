"""What few documents hold and few callers send: each a refusal that says why, or what every reader then sees."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from pycrdt import Doc, Map, Text, XmlElement, XmlFragment, XmlText

from collab.engine.alignment import WORDS_MAX, likeness
from collab.engine.differences import diff
from collab.engine.patch import patch
from collab.engine.reader import DEPTH_MAX
from collab.engine.restore import restore
from collab.engine.views import content_hash, show, show_all
from collab.engine.write import write
from collab.errors import Unprocessable

NOTHING = [b"\0\0"]


def made(fill: Callable[[Doc[Any]], object]) -> list[bytes]:
    """A document with one root `r`."""
    doc: Doc[Any] = Doc(client_id=7)
    fill(doc)
    return [doc.get_update()]


def nested_xml(doc: Doc[Any], levels: int) -> None:
    inner: Any = doc.get("r", type=XmlFragment)
    for _ in range(levels):
        inner = inner.children.append(XmlElement("p"))
    value: Any = 1
    for _ in range(31):
        value = [value]
    inner.attributes["deep"] = value


def nested_maps(doc: Doc[Any], levels: int) -> None:
    inner = doc.get("r", type=Map)
    for _ in range(levels):
        inner["k"] = Map()
        inner = inner["k"]
    inner["end"] = 1


@pytest.mark.parametrize("fill", [nested_xml, nested_maps])
def test_a_document_as_deep_as_can_be_is_read_in_every_way(fill: Callable[[Doc[Any], int], None]) -> None:
    state = made(lambda doc: fill(doc, DEPTH_MAX - 1))
    show_all(state)
    diff(NOTHING, state, None)
    back = restore(state, 5, NOTHING[0])
    assert back is not None
    again = restore([*state, back], 6, state[0])
    assert again is not None and content_hash([*state, back, again]) == content_hash(state)


@pytest.mark.parametrize("fill", [nested_xml, nested_maps])
def test_a_deeper_one_is_refused_in_every_way(fill: Callable[[Doc[Any], int], None]) -> None:
    state = made(lambda doc: fill(doc, DEPTH_MAX + 30))
    for look in (show_all, content_hash, lambda parts: diff(NOTHING, parts, None)):
        with pytest.raises(Unprocessable, match="nested"):
            look(state)


@pytest.mark.parametrize(
    ("kind", "form", "body"),
    [
        ("map", "json", b'{"a":' * 300 + b"1" + b"}" * 300),
        ("array", "json", b"[" * 1000 + b"]" * 1000),
        ("text", "json", b'[{"insert":' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}]"),
        ("text", "json", b'[{"insert":"a","attributes":{"b":' + b"[" * 300 + b"]" * 300 + b"}}]"),
        ("xml", "json", b'[{"type":"p","content":' * 150 + b"[]" + b"}]" * 150),
        ("xml", "xml", b"<p>" * 150 + b"</p>" * 150),
    ],
)
def test_what_is_sent_too_deep_is_refused_and_not_the_end_of_a_worker(kind: str, form: str, body: bytes) -> None:
    with pytest.raises(Unprocessable, match="nested"):
        write(NOTHING, 5, "r", kind, form, body)


def test_a_shared_type_in_an_attribute_is_shown_kept_and_brought_back() -> None:
    """yjs takes it (`YXmlElement.js`, `setAttribute` goes to `typeMapSet`); pycrdt hands it out bare."""
    # made by yjs 13.6: e.setAttribute('m', new Y.Map([['k', 1]])) on the element of a fragment
    state = [
        bytes((1, 3, 7, 0))
        + bytes((7, 1, 1)) + b"r" + bytes((3, 1)) + b"p"
        + bytes((39, 0, 7, 0, 1)) + b"m" + bytes((1,))
        + bytes((40, 0, 7, 1, 1)) + b"k" + bytes((1, 125, 1))
        + bytes((0,))
    ]  # fmt: skip
    wanted = {"type": "doc", "content": [{"type": "p", "attrs": {"m": {"k": 1}}}]}
    assert orjson.loads(show(state, "r", "xml", "json")[1]) == wanted
    edit = patch(state, 5, [{"op": "set", "root": "r", "pointer": "/content/0/attrs/n", "value": "x"}])
    assert edit is not None and orjson.loads(show([*state, edit], "r", "xml", "json")[1])["content"][0]["attrs"] == {
        "m": {"k": 1},
        "n": "x",
    }
    gone = restore(state, 5, NOTHING[0])
    assert gone is not None
    back = restore([*state, gone], 6, state[0])
    assert back is not None and content_hash([*state, gone, back]) == content_hash(state)


@pytest.mark.parametrize(
    "run", [{"insert": {"$binary": "AAEC"}}, {"insert": "a", "attributes": {"x": {"$binary": "AAEC"}}}]
)
def test_what_a_text_keeps_as_json_comes_back_as_it_went_in(run: Any) -> None:
    """Embedded values and formatting are JSON to yjs: bytes in them would become a list of numbers."""
    update = write(NOTHING, 5, "r", "text", "json", orjson.dumps([run]))
    assert update is not None and orjson.loads(show([update], "r", "text", "json")[1]) == [run]


def test_bytes_in_maps_stay_bytes() -> None:
    update = write(NOTHING, 5, "r", "map", None, b'{"a":{"$binary":"AAEC"}}')
    assert update is not None and base64.b64decode("AAEC") in update and b"$binary" not in update


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ({"op": ["insert"], "index": 0, "text": "x"}, "is no operation"),
        ({"op": {}, "pointer": "", "value": 1}, "is no operation"),
        ({"op": "insert", "index": 0, "length": 2, "text": "x"}, "takes no length"),
    ],
)
def test_an_operation_that_says_two_things_or_none_is_refused(operation: dict[str, Any], why: str) -> None:
    state = made(lambda doc: doc.get("r", type=Text).insert(0, "abc"))
    with pytest.raises(Unprocessable, match=why):
        patch(state, 5, [operation])


def test_the_root_without_a_name_is_compared_alone() -> None:
    state = made(lambda doc: (doc.get("", type=Text).insert(0, "a"), doc.get("b", type=Text).insert(0, "b")))
    assert diff(NOTHING, state, "").keys() == {""}


def test_a_diff_for_people_does_not_depend_on_names_that_xml_can_have() -> None:
    def fill(doc: Doc[Any]) -> None:
        element = doc.get("r", type=XmlFragment).children.append(XmlElement("my element"))
        element.children.append(XmlText("one\ntwo"))

    found = diff(NOTHING, made(fill), None)["r"]
    assert found["hunks"][0]["op"] == "add"
    assert '+      "type": "my element"\n' in found["unified"]


def test_each_line_of_a_diff_begins_with_what_became_of_it() -> None:
    def fill(doc: Doc[Any]) -> None:
        doc.get("r", type=XmlFragment).children.append(XmlElement("p")).children.append(XmlText("one\ntwo"))

    found = diff(NOTHING, made(fill), None)["r"]["unified"]
    assert found.splitlines()[3:] == ["+<p>one", "+two</p>"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda state: write(
            state, 5, "r", "xml", "json", b'[{"type":"p"},{"type":"p","content":[{"type":"text","text":"bc"}]}]'
        ),
        lambda state: write(state, 5, "r", "xml", "xml", b"<p/><p>bc</p>"),
        lambda state: patch(
            state, 5, [{"op": "set", "root": "r", "pointer": "/content/1/content/0/text", "value": "bc"}]
        ),
        lambda state: write(state, 5, "r", "xml", "xml", b"<p><b/></p><p>bc</p>"),
    ],
    ids=["json", "xml", "pointer", "beside"],
)
def test_what_is_typed_into_an_emptied_paragraph_meanwhile_is_kept(edit: Callable[[list[bytes]], bytes | None]) -> None:
    """y-prosemirror keeps the empty text of such a paragraph, so that it is not deleted from under somebody's hands."""

    def fill(doc: Doc[Any]) -> None:
        for text in ("", "b"):
            doc.get("r", type=XmlFragment).children.append(XmlElement("p")).children.append(XmlText(text))

    state = made(fill)
    typing: Doc[Any] = Doc(client_id=8)
    typing.apply_update(state[0])
    before = typing.get_state()
    typing.get("r", type=XmlFragment).children[0].children[0].insert(0, "typed")
    update = edit(state)
    assert update is not None
    found = show([*state, update, typing.get_update(before)], "r", "xml", "text")[1]
    assert found == b"typed\nbc"


def test_a_snapshot_without_an_empty_text_is_reached_exactly() -> None:
    empty = made(lambda doc: doc.get("r", type=XmlFragment).children.append(XmlElement("p")).children.append(XmlText()))
    other = made(lambda doc: doc.get("r", type=XmlFragment).children.append(XmlElement("p")))
    update = restore(empty, 5, other[0])
    assert update is not None and content_hash([*empty, update]) == content_hash(other)


def test_what_is_typed_into_a_paragraph_that_is_being_emptied_is_kept() -> None:
    state = made(
        lambda doc: doc.get("r", type=XmlFragment).children.append(XmlElement("p")).children.append(XmlText("b"))
    )
    typing: Doc[Any] = Doc(client_id=8)
    typing.apply_update(state[0])
    before = typing.get_state()
    typing.get("r", type=XmlFragment).children[0].children[0].insert(1, "typed")
    update = write(state, 5, "r", "xml", "json", b'[{"type":"p"}]')
    assert update is not None
    assert show([*state, update, typing.get_update(before)], "r", "xml", "text")[1] == b"typed"


PAGE = (
    '{"type":"doc","content":[{"type":"p","attrs":{"n":1},"content":[{"type":"text","text":"a "},'
    '{"type":"text","text":"b","marks":[{"type":"bold"}]}]},{"type":"ul","content":[{"type":"li"}]}]}'
)


@pytest.mark.parametrize(
    ("operation", "xml"),
    [
        ({"op": "insert", "pointer": "/content/1/content/-", "value": {"type": "li", "content": []}},
         '<p n="1">a <bold>b</bold></p><ul><li/><li/></ul>'),
        ({"op": "remove", "pointer": "/content/0/content/1/marks"}, '<p n="1">a b</p><ul><li/></ul>'),
        ({"op": "remove", "pointer": "/content"}, ""),
        ({"op": "set", "pointer": "", "value": {"type": "doc"}}, ""),
        ({"op": "set", "pointer": "", "value": [{"type": "hr"}]}, "<hr/>"),
        ({"op": "set", "pointer": "/content/0/attrs", "value": None}, "<p>a <bold>b</bold></p><ul><li/></ul>"),
        ({"op": "set", "pointer": "/content/0/attrs/m", "value": None}, '<p n="1">a <bold>b</bold></p><ul><li/></ul>'),
        ({"op": "set", "pointer": "/content/0/content/0/text", "value": ""},
         '<p n="1"><bold>b</bold></p><ul><li/></ul>'),
    ],
)  # fmt: skip
def test_rich_text_may_be_written_in_other_words_than_it_is_read(operation: dict[str, Any], xml: str) -> None:
    """Empty lists, nulls and texts cut in two mean what ProseMirror takes them for."""
    page = write(NOTHING, 4, "r", "xml", "json", PAGE.encode())
    assert page is not None
    update = patch([page], 5, [{"root": "r", **operation}])
    parts = [page] if update is None else [page, update]
    assert show(parts, "r", "xml", "xml")[1].decode() == xml


def test_so_may_rich_text_in_a_map() -> None:
    state = made(lambda doc: doc.get("r", type=Map).update({"page": XmlFragment([XmlElement("p")])}))
    value = {"type": "doc", "content": [{"type": "p", "content": []}, {"type": "hr", "attrs": {}}]}
    update = patch(state, 5, [{"op": "set", "root": "r", "pointer": "/page", "value": value}])
    assert update is not None
    found = orjson.loads(show([*state, update], "r", "map", "json")[1])
    assert found == {"page": {"type": "doc", "content": [{"type": "p"}, {"type": "hr"}]}}


@pytest.mark.parametrize("names", [("link", "bold"), ("bold", "link"), ("link", "link"), ("code", "bold", "link")])
def test_marks_may_be_named_in_any_order(names: tuple[str, ...]) -> None:
    """ProseMirror names them in the order of its schema: a link before what is bold."""
    marks = [{"type": name, "attrs": {"n": number}} for number, name in enumerate(names)]
    body = [{"type": "p", "content": [{"type": "text", "text": "a", "marks": marks}]}]
    update = write(NOTHING, 5, "r", "xml", "json", orjson.dumps(body))
    assert update is not None
    found = orjson.loads(show([update], "r", "xml", "json")[1])["content"][0]["content"][0]["marks"]
    assert sorted(found, key=orjson.dumps) == sorted(marks, key=orjson.dumps)
    assert write([update], 6, "r", "xml", "json", orjson.dumps(body)) is None


def test_long_texts_are_paired_by_how_they_begin() -> None:
    """Otherwise a word replaced in each of 140 long paragraphs would take longer than a call may."""
    beginning = "word " * WORDS_MAX
    assert likeness(beginning + "one", beginning + "two " * 100_000) == 1.0
    assert likeness("one two", "two three four") == 0.4
    assert likeness("", "") == 1.0
