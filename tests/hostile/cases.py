"""Cases: the nth one of a seed is always the same bytes, so that a number is all there is to keep of a finding."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.hostile.grammar import Liar
from tests.hostile.mutation import mutate

APPETITES = (0.0, 0.005, 0.02, 0.1, 0.5)
CAPTURED = Path(__file__).parent.parent / "data" / "wire-vectors.json"


@cache
def captured() -> tuple[bytes, ...]:
    """What real clients sent, as grafts and as things to mutate."""
    return tuple(bytes.fromhex(vector["hex"]) for vector in json.loads(CAPTURED.read_bytes()))


def liar_of(seed: int, target: str, number: int) -> Liar:
    """The random numbers of one case."""
    liar = Liar(f"{seed}/{target}/{number}")
    liar.case = number
    return liar


def make(liar: Liar, grammar: Callable[[Liar], bytes]) -> bytes:
    """Half of the cases lie in their grammar, half are whole bytes that were damaged afterwards."""
    if liar.random() < 0.5:
        liar.appetite = liar.choice(APPETITES)
        return grammar(liar)
    whole = grammar(liar) if liar.random() < 0.8 else liar.choice(captured())
    return mutate(liar, whole, liar.choice(captured()))
