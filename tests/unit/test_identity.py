"""Presence says who its session is, and shows nothing that could hurt."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collab.core.awareness import decode_entries, encode_entries
from collab.core.identity import honest
from collab.errors import BadFrame
from collab.limits import DEFAULT
from collab.protocol.messages import encode_awareness
from collab.types import ANONYMOUS, Principal, Scope
from tests.unit.test_room import enter, make_room, show

ADA = Principal("u-ada", "jwt", name="Ada")
LENT = Principal("u-bo", "ticket", name="Bo", color="#112233")
BOT = Principal("k-1", "key", name="bot", scopes=frozenset({Scope.DOCUMENTS_READ}))
BACKEND = Principal("k-2", "key", name="backend", scopes=frozenset({Scope.TICKETS_CREATE}))


def shown(state: str, principal: Principal = ANONYMOUS) -> bytes:
    entries = decode_entries(encode_entries([(1, 1, state.encode("utf-8", "surrogatepass"))]), DEFAULT)
    return honest(entries, principal)[0][2]


@pytest.mark.parametrize(
    ("said", "principal", "user"),
    [
        ({"id": "u-eve", "name": "Eve", "mood": "sly"}, ADA, {"id": "u-ada", "name": "Ada", "mood": "sly"}),
        ({}, ADA, {"id": "u-ada", "name": "Ada"}),
        ("Eve", ADA, {"id": "u-ada", "name": "Ada"}),
        (None, ADA, {"id": "u-ada", "name": "Ada"}),
        ({"name": "Eve"}, Principal("u-x", "jwt"), {"id": "u-x", "name": "Eve"}),
        ({}, LENT, {"id": "u-bo", "name": "Bo", "color": "#112233"}),
        ({"color": "#abcdef"}, LENT, {"color": "#abcdef", "id": "u-bo", "name": "Bo"}),
        ({"color": "url(x)"}, LENT, {"id": "u-bo", "name": "Bo", "color": "#112233"}),
        ({"id": "u-ada", "name": "Ada"}, BOT, {"id": "k-1", "name": "bot"}),
        ({"id": "u-ada", "name": "Ada"}, BACKEND, {"id": "u-ada", "name": "Ada"}),
        ({"id": "anyone", "name": "Ann"}, ANONYMOUS, {"id": "anyone", "name": "Ann"}),
    ],
)
def test_who_speaks_is_who_was_let_in(said: Any, principal: Principal, user: dict[str, Any]) -> None:
    state = json.dumps({"cursor": {"anchor": 1}, "user": said})
    assert json.loads(shown(state, principal)) == {"cursor": {"anchor": 1}, "user": user}


def test_a_state_without_a_user_gets_one() -> None:
    assert json.loads(shown("{}", ADA)) == {"user": {"id": "u-ada", "name": "Ada"}}


@pytest.mark.parametrize(
    "color",
    ["#abc", "#ABCDEF80", "red", "rgb(1, 2, 3)", "hsl(120deg 50% 50% / 0.3)", "hsla(1,2%,3%,.4)", "hsl(0.5turn 1% 2%)"],
)
def test_colors_are_colors(color: str) -> None:
    state = json.dumps({"user": {"color": color, "colorLight": color}})
    assert shown(state) == state.encode()


@pytest.mark.parametrize(
    "color",
    [
        "red;background:url(//evil)",
        "url(//evil)",
        "#12345",
        "",
        "x" * 31,
        "expression(1)",
        5,
        None,
        "red\n",
        "\u017fed",
        "rgb(deg",
    ],
)
def test_what_is_no_color_is_left_out(color: object) -> None:
    assert json.loads(shown(json.dumps({"user": {"name": "n", "color": color}}))) == {"user": {"name": "n"}}


@pytest.mark.parametrize(
    ("said", "user"),
    [
        ({"name": "x" * 100}, {"name": "x" * 80}),
        ({"name": "\u202eevil\n"}, {"name": "evil"}),
        ({"name": ["x"]}, {}),
        ({"name": "x" * 3000}, {}),
        ({"id": "x" * 201}, {}),
        ({"id": 42}, {"id": 42}),
        ({"id": True}, {}),
    ],
)
def test_names_and_ids_have_lengths(said: Any, user: Any) -> None:
    assert json.loads(shown(json.dumps({"user": said}))) == {"user": user}


def test_a_key_written_with_escapes_is_the_same_key() -> None:
    assert json.loads(shown('{"\\u0075ser":{"name":"Eve"}}', ADA))["user"]["name"] == "Ada"
    assert json.loads(shown('{"\\u0075ser":{"color":"url(x)"}}'))["user"] == {}
    assert json.loads(shown('{"user":{"name":"Ada"},"user":{"name":"Eve"}}', ADA))["user"]["name"] == "Ada"


@pytest.mark.parametrize(
    "state", ['{"x": 1.0 , "n":99999999999999999999}', '{"user":{"name":"Ada"}, "y":"\\ud800"}', "null", '{"user":"x"}']
)
def test_bytes_that_need_no_change_are_the_bytes_that_came(state: str) -> None:
    assert shown(state) == state.encode()


def test_odd_numbers_and_half_characters_survive_the_stamp() -> None:
    state = shown('{"n":99999999999999999999999,"s":"\\ud800","f":0.1}', ADA)
    user = {"id": "u-ada", "name": "Ada"}
    assert json.loads(state) == {"n": 99999999999999999999999, "s": "\ud800", "f": 0.1, "user": user}
    with pytest.raises(BadFrame):
        shown('{"s":"\\ud800","n":1e999}', ADA)


def test_a_room_shows_its_people_as_they_are() -> None:
    room = make_room()
    (eve, _), (_, to_bo) = enter(room, "eve"), enter(room, "bo")
    eve.principal = Principal("u-eve", "ticket", name="Eve")
    to_bo.take()
    room.receive(eve, encode_awareness(encode_entries([(7, 1, b'{"user":{"id":"u-bo","name":"Bo"}}')])), 0.0)
    show(room)
    honest_state = b'{"user":{"id":"u-eve","name":"Eve"}}'
    assert to_bo.take() == [encode_awareness(encode_entries([(7, 1, honest_state)]))]
    assert room.awareness.people() == [(7, 1, honest_state)]
