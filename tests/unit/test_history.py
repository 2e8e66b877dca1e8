"""Answers to step 1: made once for all who ask the same."""

from __future__ import annotations

from collab.core.history import ANSWERS_KEPT, History
from collab.crdt.fold import fold
from collab.crdt.gate import check
from collab.crdt.index import StateIndex, build
from collab.metrics import Counters
from tests.updates import typed


def folded() -> tuple[History, Counters]:
    state = fold(None, [typed(1, 0, "hello"), typed(2, 0, "world")])
    history = History(state, StateIndex.decode(build(state), state), 2)
    history.counters = counters = Counters()
    return history, counters


def test_all_who_come_back_with_the_same_vector_get_the_same_bytes() -> None:
    history, counters = folded()
    answers = [history.answer({1: 5, 2: 3}) for _ in range(100)]
    assert all(answer is answers[0] for answer in answers)
    assert counters.answers_made == 1


def test_who_knows_something_else_gets_something_else() -> None:
    history, counters = folded()
    answers = {history.answer({1: clock}) for clock in range(1, 6)} | {history.answer({})}
    assert len(answers) == counters.answers_made == 6


def test_an_answer_is_made_anew_when_the_document_has_changed() -> None:
    history, counters = folded()
    before = history.answer({1: 5, 2: 5})
    more = check(typed(1, 5, "!"))
    history.clocks.advance(more)
    history.add(more.raw)
    after = history.answer({1: 5, 2: 5})
    assert more.raw not in before and more.raw in after
    state = fold(history.base, [more.raw])
    history.rebase(state, StateIndex.decode(build(state), state), 3)
    history.answer({1: 5, 2: 5})
    assert counters.answers_made == 3


def test_few_answers_are_kept() -> None:
    history, counters = folded()
    for clock in range(ANSWERS_KEPT + 1):
        history.answer({1: 1, 3: clock + 1})
    assert len(history._answers) == ANSWERS_KEPT
    history.answer({1: 1, 3: 1})
    assert counters.answers_made == ANSWERS_KEPT + 2
