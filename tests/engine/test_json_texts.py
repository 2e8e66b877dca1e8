"""JSON that yjs writes and pycrdt cannot read: halves of surrogate pairs, and integers of more than 64 bits."""

from __future__ import annotations

import orjson
import pytest

from collab.engine.client import Engine
from collab.engine.surrogates import mend
from collab.protocol.varint import write_varbytes

HALF = rb'{"a":"x\ud83d y"}'


def embedded(json: bytes) -> bytes:
    """An update that embeds it into the text `t`."""
    return b"\x01\x01\x07\x00\x05\x01\x01t" + write_varbytes(json) + b"\x00"


@pytest.mark.parametrize(
    ("json", "mended"),
    [
        (HALF, rb'{"a":"x\ufffd y"}'),
        (rb'"\uDE00"', rb'"\ufffd"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\\\ud83d"', rb'"\\\ufffd"'),
        (b"9223372036854775807", b"9223372036854775807"),
        (b"[9223372036854776000,-9223372036854775809]", b"[9.223372036854776e+18,-9.223372036854776e+18]"),
        (b'"9223372036854776000"', b'"9223372036854776000"'),
        (b"9223372036854776000.5", b"9223372036854776000.5"),
    ],
)
def test_only_halves_are_replaced(json: bytes, mended: bytes) -> None:
    assert mend([embedded(json)]) == [embedded(mended)]


def test_text_that_looks_like_an_escape_stays() -> None:
    typed = b"\x01\x01\x07\x00\x04\x01\x01t" + write_varbytes(rb"\ud83d") + b"\x00"
    assert mend([typed]) == [typed]


async def test_the_engine_reads_the_rest_of_such_a_document(engine: Engine) -> None:
    content = await engine.read([embedded(HALF)], root="t", format="json")
    assert orjson.loads(content.body) == [{"insert": {"a": "x\ufffd y"}}]
    content = await engine.read([embedded(b'{"a":9223372036854776000}')], root="t", format="json")
    assert orjson.loads(content.body) == [{"insert": {"a": 9223372036854775808.0}}]
