"""Laws of content work: whatever is there, what is written is read again, by the smallest edit, beside all others.

COLLAB_EXAMPLES says how many examples of each (25 if it is not set).
"""

from __future__ import annotations

import os
import re
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from collab.crdt.gate import check
from collab.engine.patch import patch
from collab.engine.restore import restore
from collab.engine.views import content_hash, show, show_all
from collab.engine.write import write
from collab.errors import Unprocessable

PATIENT = settings(max_examples=int(os.environ.get("COLLAB_EXAMPLES", "25")), deadline=None)
LETTERS = "aé😀字\u0301\n 🏳️‍🌈"
MARKS = "\ue000\ue001"  # what a second person types: occurs nowhere else
texts = st.text(st.sampled_from(LETTERS), max_size=24) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=MARKS), max_size=12
)
words = st.text("abcdefgh😀", min_size=1, max_size=6)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | texts
)
plain = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)


def text_of(parts: list[bytes]) -> str:
    return show(parts, "r", "text", "text")[1].decode()


def json_of(parts: list[bytes], kind: str) -> Any:
    return orjson.loads(show(parts, "r", kind, "json")[1])


def put(parts: list[bytes], kind: str, form: str, body: bytes, client: int = 1) -> list[bytes]:
    """The parts after a PUT; whatever update it makes passes the gate."""
    update = write(parts, client, "r", kind, form, body)
    if update is None:
        return parts
    check(update)
    return [*parts, update]


def typed(text: str, client: int = 7) -> list[bytes]:
    """A document whose root `r` reads so."""
    doc: Doc[Any] = Doc(client_id=client)
    doc["r"] = Text(text)
    return [doc.get_update()]


def inserted(update: bytes) -> int:
    """How many clocks an update takes: UTF-16 units of text, one for each format mark."""
    return sum(end - start for _, start, end in check(update).runs)


@PATIENT
@given(texts, texts)
def test_a_text_that_is_put_is_what_is_read(old: str, new: str) -> None:
    parts = put(put([], "text", "text", old.encode(), 1), "text", "text", new.encode(), 2)
    assert text_of(parts) == new
    assert write(parts, 3, "r", "text", "text", new.encode()) is None, "and putting it again is no edit"


@PATIENT
@given(plain.filter(lambda value: isinstance(value, dict)), st.dictionaries(texts, plain, max_size=4))
def test_a_map_that_is_put_is_what_is_read(old: Any, new: Any) -> None:
    parts = put(put([], "map", "json", orjson.dumps(old), 1), "map", "json", orjson.dumps(new), 2)
    assert json_of(parts, "map") == new
    assert write(parts, 3, "r", "map", "json", orjson.dumps(new)) is None


@PATIENT
@given(st.lists(plain, max_size=5), st.lists(plain, max_size=5))
def test_an_array_that_is_put_is_what_is_read(old: Any, new: Any) -> None:
    parts = put(put([], "array", "json", orjson.dumps(old), 1), "array", "json", orjson.dumps(new), 2)
    assert json_of(parts, "array") == new
    assert write(parts, 3, "r", "array", "json", orjson.dumps(new)) is None


marks = st.lists(st.sampled_from(["bold", "italic"]), max_size=2, unique=True)
run = st.builds(
    lambda text, kinds: (
        {"type": "text", "text": text} | ({"marks": [{"type": k} for k in sorted(kinds)]} if kinds else {})
    ),
    st.text("abc 😀é", min_size=1, max_size=6),
    marks,
)


def _joined(runs: list[Any]) -> list[Any]:
    """Neighbours of equal marks are one run, as ProseMirror has it."""
    out: list[Any] = []
    for each in runs:
        if out and out[-1].get("marks") == each.get("marks"):
            out[-1] = {**out[-1], "text": out[-1]["text"] + each["text"]}
        else:
            out.append(each)
    return out


paragraph = st.lists(run, min_size=1, max_size=3).map(lambda runs: {"type": "paragraph", "content": _joined(runs)})
pages = st.lists(
    paragraph | st.lists(paragraph, min_size=1, max_size=2).map(lambda inner: {"type": "blockquote", "content": inner}),
    min_size=1,
    max_size=4,
).map(lambda blocks: {"type": "doc", "content": blocks})


@PATIENT
@given(pages, pages)
def test_a_page_of_prosemirror_that_is_put_is_what_is_read(old: Any, new: Any) -> None:
    parts = put(put([], "xml", "json", orjson.dumps(old), 1), "xml", "json", orjson.dumps(new), 2)
    assert json_of(parts, "xml") == new
    xml = show(parts, "r", "xml", "xml")[1]
    assert write(parts, 3, "r", "xml", "xml", xml) is None, "its XML says the same"


@PATIENT
@given(st.lists(words, min_size=3, max_size=12), st.data())
def test_a_word_changed_is_one_small_edit_and_formats_elsewhere_stay(all_words: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(all_words) - 1))
    word = data.draw(words.filter(lambda new: new != all_words[at]))
    formats = data.draw(st.lists(st.sampled_from([{}, {"bold": True}, {"link": "x"}]), min_size=12, max_size=12))
    delta = [{"insert": f"{w} ", "attributes": f} for w, f in zip(all_words, formats, strict=False)]
    parts = put([], "text", "json", orjson.dumps(delta))
    new = "".join(f"{word if n == at else w} " for n, w in enumerate(all_words))
    update = write(parts, 2, "r", "text", "text", new.encode())
    assert update is not None
    assert inserted(update) <= len(word.encode("utf-16-le")) // 2
    assert text_of([*parts, update]) == new
    wanted = _spread([{**part, "insert": f"{word} "} if n == at else part for n, part in enumerate(delta)])
    found = _spread(json_of([*parts, update], "text"))
    start = sum(len(w) + 1 for w in all_words[:at])
    assert found[:start] == wanted[:start]
    assert found[start + len(word) :] == wanted[start + len(word) :]


def _spread(delta: list[Any]) -> list[tuple[str, Any]]:
    """Each code point with its formatting."""
    return [(char, part.get("attributes") or {}) for part in delta for char in part["insert"]]


@PATIENT
@given(texts, texts, st.data())
def test_what_others_type_meanwhile_is_kept(old: str, new: str, data: st.DataObject) -> None:
    parts = typed(old)
    other: Doc[Any] = Doc(client_id=8)
    other.apply_update(parts[0])
    live = other.get("r", type=Text)
    before = other.get_state()
    place = data.draw(st.integers(0, len(old)))
    live.insert(len(old[:place].encode()), MARKS)
    update = write(parts, 2, "r", "text", "text", new.encode())
    merged = text_of([*parts, other.get_update(before), *([] if update is None else [update])])
    assert MARKS in merged
    assert merged.replace(MARKS, "") == new


@PATIENT
@given(texts, st.data())
def test_places_are_code_points(old: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(old)))
    length = data.draw(st.integers(0, len(old) - start))
    new = data.draw(texts.filter(bool))
    operations = [
        {"op": "insert", "root": "r", "type": "text", "index": start, "text": new},
        {"op": "delete", "root": "r", "index": start + len(new), "length": length},
    ]
    update = patch(typed(old), 2, operations)
    assert update is not None
    check(update)
    assert text_of([*typed(old), update]) == old[:start] + new + old[start + length :]


@PATIENT
@given(texts.filter(bool), st.data())
def test_of_a_list_of_operations_all_are_done_or_none(old: str, data: st.DataObject) -> None:
    good = [{"op": "insert", "root": "r", "index": 0, "text": "x"} for _ in range(data.draw(st.integers(0, 4)))]
    bad = data.draw(
        st.sampled_from(
            [
                {"op": "insert", "root": "r", "index": len(old) + 99, "text": "x"},
                {"op": "delete", "root": "r", "find": "\ue00f"},
                {"op": "delete", "root": "r", "index": -1, "length": 1},
                {"op": "explode"},
                {"op": "set", "root": "m", "type": "map", "pointer": "/a/b/c", "value": 1},
                7,
            ]
        )
    )
    with pytest.raises(Unprocessable) as refused:
        patch(typed(old), 2, [*good, bad])
    assert refused.value.extra["index"] == len(good)


edits = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3), words), max_size=12)


def edit(doc: Doc[Any], what: int, where: int, word: str) -> None:
    """One of many things that an editor may do, over text, map, array and nested XML."""
    text, meta = doc.get("text", type=Text), doc.get("map", type=Map)
    todo, page = doc.get("array", type=Array), doc.get("xml", type=XmlFragment)
    if what == 0:
        text.insert(0, word, {"bold": bool(where % 2)})
    elif what == 1 and len(text):
        text.clear()
    elif what == 2:
        meta[word] = [where, {"deep": word}]
    elif what == 3 and len(meta):
        del meta[next(iter(meta))]
    elif what == 4:
        todo.insert(min(where, len(todo)), Map({"item": Text(word)}))
    elif what == 5 and len(todo):
        del todo[min(where, len(todo) - 1)]
    elif what == 6:
        page.children.append(XmlElement("p", {"id": word})).children.append(XmlText(word))
    elif what == 7 and len(page.children):
        del page.children[0]
    elif what == 8 and len(page.children):
        page.children[0].children.insert(0, XmlElement(word.replace("😀", "e")))


@PATIENT
@given(edits, edits, edits)
def test_any_document_goes_back_to_any_of_its_snapshots(before: Any, after: Any, meanwhile: Any) -> None:
    doc: Doc[Any] = Doc(client_id=5)
    for each in before:
        edit(doc, *each)
    snapshot = doc.get_update()
    for each in after:
        edit(doc, *each)
    now = [doc.get_update()]
    update = restore(now, 6, snapshot)
    back = [*now, *([] if update is None else [update])]
    assert content_hash(back) == content_hash([snapshot])
    assert restore(back, 9, snapshot) is None, "it is there already"
    other: Doc[Any] = Doc(client_id=4)
    other.apply_update(now[0])
    state = other.get_state()
    other.get("typed", type=Text).insert(0, "meanwhile")
    merged = orjson.loads(show_all([*back, other.get_update(state)]))
    assert merged.pop("typed")["content"] == "meanwhile"
    assert merged == orjson.loads(show_all([snapshot]))


def test_halves_of_a_character_are_never_cut() -> None:
    """Two emoji that share their first UTF-16 half differ in the second only: a naive diff would keep the first."""
    one, other = "\U0001f600", "\U0001f601"
    parts = typed(f"a{one}b")
    update = write(parts, 2, "r", "text", "text", f"a{other}b".encode())
    assert update is not None
    assert text_of([*parts, update]) == f"a{other}b"
    assert re.search("[\ud800-\udfff]", text_of([*parts, update])) is None
