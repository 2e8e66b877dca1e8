"""Reading traces."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from collab.errors import BadRequest
from collab.replay.rehearsal import expected_end, prepare
from collab.replay.trace import Trace, load, parse
from tests.data import make_traces


@pytest.mark.parametrize("name", make_traces.TRACES)
def test_the_traces_of_the_tests_are_what_their_script_makes(name: str) -> None:
    kept = (make_traces.FOLDER / name).read_bytes()
    made = make_traces.encoded(name)
    if name.endswith(".gz"):  # another zlib packs into other bytes
        kept, made = gzip.decompress(kept), gzip.decompress(made)
    assert kept == made
    assert len(kept) < 30_000


@pytest.mark.parametrize("name", make_traces.TRACES)
def test_a_trace_ends_in_its_end_content(name: str) -> None:
    trace = load(str(make_traces.FOLDER / name))
    assert expected_end(trace, range(trace.agent_count)) == trace.end
    assert trace.end and not trace.ascii_only


def test_sequential_patches_follow_the_semantics_of_splice() -> None:
    trace = load(str(make_traces.FOLDER / "tale.json"))
    text = trace.start
    for index in range(len(trace)):
        for position, deleted, inserted in trace.patches(index):
            text = text[:position] + inserted + text[position + deleted :]
    assert text == trace.end
    assert max(len(list(trace.patches(i))) for i in range(len(trace))) > 1


def test_members_may_come_in_any_order_and_a_patch_may_carry_its_time() -> None:
    txns = [
        {"patches": [[0, 0, "ab", "2026-01-01T00:00:00Z"]], "agent": 0, "parents": [], "numChildren": 2},
        {"patches": [[2, 0, "c"]], "agent": 1, "parents": [0], "numChildren": 1},
        {"patches": [[0, 1, ""]], "agent": 0, "parents": [0], "numChildren": 1},
        {"patches": [], "agent": 0, "parents": [1, 2], "numChildren": 0},
    ]
    whole = {"txns": txns, "numAgents": 2, "unknown": {"txns": [1, "}"]}, "kind": "concurrent", "endContent": "bc"}
    trace = parse("t", json.dumps(whole, indent=1))
    assert (len(trace), trace.agent_count, trace.end, trace.ascii_only) == (4, 2, "bc", True)
    assert list(trace.agents) == [0, 1, 0, 0]
    assert [trace.parents(i) for i in range(4)] == [(), (0,), (0,), (1, 2)]
    assert [list(trace.patches(i)) for i in range(4)] == [[(0, 0, "ab")], [(2, 0, "c")], [(0, 1, "")], []]
    assert expected_end(trace, range(trace.agent_count)) == trace.end


def test_a_limit_keeps_the_first_transactions_only() -> None:
    text = json.dumps(
        {"startContent": "", "endContent": "abc", "txns": [{"patches": [[i, 0, "abc"[i]]]} for i in (0, 1, 2)]}
    )
    trace = parse("t", text, limit=2)
    prepare(trace, limited=True)
    assert (len(trace), trace.end, len(trace.client_ids)) == (2, "ab", 1)


@pytest.mark.parametrize("end", ["before", "after"])
def test_a_tie_between_two_authors_is_settled_as_it_was_recorded(end: str) -> None:
    trace = Trace("t", agent_count=2, end={"before": "(xy)", "after": "(yx)"}[end])
    trace.append([(0, 0, "()")], 0)
    trace.append([(1, 0, "x")], 0, [0])
    trace.append([(1, 0, "y")], 1, [0])
    prepare(trace)
    assert expected_end(trace, trace.client_ids) == trace.end


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "{}",
        "[]",
        '{"txns":[]}',
        '{"txns":[{"patches":[[0,0,"a"]]}',
        '{"txns":[{"patches":[[0,"a"]]}]}',
        '{"txns":[{"patches":[[-1,0,"a"]]}]}',
        '{"txns":[{"patches":[[0,0,7]]}]}',
        '{"txns":[7]}',
        '{"txns":[{"agent":1,"patches":[[0,0,"a"]]}],"numAgents":1}',
    ],
)
def test_what_is_no_trace_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="not an editing trace"):
        parse("t", text)


def test_a_position_outside_the_text_is_refused_before_the_engine_panics() -> None:
    trace = Trace("t")
    trace.append([(0, 0, "ab")])
    trace.append([(1, 2, "")])
    with pytest.raises(BadRequest, match="outside a text of 2"):
        expected_end(trace, range(trace.agent_count))


def test_a_file_may_be_gzipped(tmp_path: Path) -> None:
    data = b'{"endContent":"a","txns":[{"patches":[[0,0,"a"]]}]}'
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(data))
    (tmp_path / "b.json").write_bytes(data)
    packed, plain = load(str(tmp_path / "a.json.gz")), load(str(tmp_path / "b.json"))
    assert (packed.name, plain.name) == ("a", "b")
    assert packed.end == plain.end == "a"


TXNS = '"txns": [{"patches": [[0, 0, "a"]], "agent": 0}]'


@pytest.mark.parametrize(
    "text",
    [
        f'{{{TXNS}, "startContent": 1}}',
        f'{{{TXNS}, "endContent": null}}',
        f'{{{TXNS}, "numAgents": "2"}}',
        f'{{{TXNS}, "startContent": "\\ud800"}}',
        '{"txns": [{"patches": [[0, 0, "\\udc00"]], "agent": 0}]}',
        '{"txns": [{"patches": [], "agent": 0, "parents": ["x"]}]}',
        '{"unknown": ' + "[" * 100_000,
    ],
)
def test_json_that_is_no_trace_is_told_so(text: str) -> None:
    with pytest.raises(BadRequest, match="not an editing trace"):
        parse("t", text)


@pytest.mark.parametrize(
    "data",
    [b"\x89PNG", gzip.compress(b"{}" * 99, mtime=0)[:-20], b"\x1f\x8b\x08" + b"x" * 40],
    ids=["picture", "cut", "damaged"],
)
def test_a_file_that_is_no_trace_is_told_so(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "t.json.gz").write_bytes(data)
    with pytest.raises(BadRequest, match="not an editing trace"):
        load(str(tmp_path / "t.json.gz"))


def test_an_address_that_is_none_is_told_so() -> None:
    with pytest.raises(BadRequest, match="no address"):
        load("http://127.0.0.1:8o/t.json")
