"""Slices of the two proofs that are commands: `loadtests.tickets` and `loadtests.revocation`."""

from __future__ import annotations

from loadtests import revocation, tickets
from tests.access.realm import Realm


async def test_a_ticket_has_one_winner_at_whatever_door(land: Realm) -> None:
    land.ask("admin", "POST", "/api/documents", json={"id": tickets.DOCUMENT})
    outcome = await tickets.run(land, rounds=60, seed=5)
    assert dict(outcome.winners) == {1: 60}
    assert set(outcome.refusals) == {401}


async def test_who_types_is_stopped_when_the_permission_is_taken_back(land: Realm) -> None:
    """Timing is for the command; here it must end with the right code, and nothing comes in afterwards."""
    assert len(await revocation.measure(land, land, rounds=6)) == 6
