"""What is typed, and what must stand there after it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Text

from collab.errors import BadRequest
from loadtests.contrast.replica import Replica, roots, section
from loadtests.contrast.script import Script

TRACES = Path(__file__).parents[1] / "data" / "traces"
TALE = Script.record(str(TRACES / "tale.json"))
TRANSACTIONS = len(TALE.transactions)


@given(st.integers(0, 2 * TRANSACTIONS + 5))
def test_a_replica_holds_what_the_script_says_after_any_number_of_edits(presses: int) -> None:
    replica = Replica(TALE, 3)
    for _ in range(presses % 40):
        replica.press()
    assert str(replica.doc.get(section(3), type=Text)) == TALE.after(replica.edits)


def test_typing_goes_on_after_the_last_transaction() -> None:
    replica = Replica(TALE, 0)
    while replica.edits <= TRANSACTIONS + 3:
        replica.press()
    assert str(replica.doc.get(section(0), type=Text)) == TALE.after(replica.edits)
    assert TALE.after(TRANSACTIONS + 3) == TALE.after(3)


def test_the_last_transaction_ends_with_the_recorded_end() -> None:
    whole = Script.record(str(TRACES / "tale.json"))
    assert whole.after(TRANSACTIONS).startswith("# Dreally ie Möwe")


def test_a_trace_of_several_authors_is_refused() -> None:
    with pytest.raises(BadRequest, match="2 authors"):
        Script.record(str(TRACES / "letters.json.gz"))


def test_a_saved_script_is_the_same_script(tmp_path: Path) -> None:
    TALE.save(tmp_path / "script.json")
    assert Script.read(tmp_path / "script.json") == TALE


def test_replicas_that_exchanged_everything_have_one_digest() -> None:
    first, second = Replica(TALE, 0), Replica(TALE, 1)
    for _ in range(20):
        second.merge(first.press())
        first.merge(second.press())
    assert first.digest(roots(2)) == second.digest(roots(2))
    first.press()
    while first.clock == second.clocks().get(first.client):
        first.press()
    assert first.digest(roots(2)) != second.digest(roots(2))


def test_every_keystroke_that_inserts_moves_its_author_s_clock() -> None:
    replica, seen = Replica(TALE, 0), 0
    for _ in range(50):
        before = replica.clock
        replica.press()
        seen += replica.clock > before
    assert seen > 25
    assert replica.clocks()[replica.client] == replica.clock
