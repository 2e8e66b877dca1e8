"""What a seed decides before anything runs: who is there, how bad the weather is, and which faults come when."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Plan:
    """Swarm testing: each seed turns features on and off, so that rare ones are not drowned by the common ones.

    Times are virtual seconds, rates are per second, `*_share` is a probability.
    """

    nodes: int  # one has a database of its own, several share one and a bus
    documents: int
    tabs: int
    rest: int
    pollers: int
    seconds: float
    edits_per_s: float
    delete_share: float
    repeat_share: float  # frames sent twice
    relay_share: float  # somebody else's bytes, passed on
    sibling_share: float  # tabs that hear each other directly, as two tabs of one browser do
    latency_s: float
    bandwidth: float  # bytes/s of a slow reader
    slow_share: float
    commit_s: float
    refuse_share: float  # commits refused before they happen
    mute_share: float  # commits that happen and whose answer is lost
    outages: tuple[tuple[float, float], ...]  # (when, for how long) the database takes nothing
    kills: tuple[float, ...]  # SIGKILL of a process
    stops: tuple[float, ...]  # SIGTERM of a process
    cuts: tuple[float, ...]  # power off where the database is: what was not synced is gone
    crashes: tuple[float, ...]  # a database server's process dies: what was written comes back
    exiles: tuple[tuple[float, float], ...]  # (when, for how long) one of several nodes has no database
    freezes: tuple[float, ...]  # a connection goes silent
    drops: tuple[float, ...]  # a connection is cut
    closings: tuple[float, ...]  # a tab is closed for good, with what it had not saved
    evictions: tuple[float, ...]  # a room is ended in mid-work, as after a fault in a tick
    clock_jumps: tuple[float, ...]  # the wall clock goes ten years off
    fold_rows: int
    linger_s: float
    outbox_bytes: int
    rest_s: float  # how long rooms rest between ticks
    home_share: float  # reconnects that reach the node on which the tab was before
    bus_latency_s: float
    bus_loss_share: float  # frames that one receiver never sees
    bus_twice_share: float
    bus_unordered: bool
    broker_deaths: tuple[tuple[float, float], ...]  # (when, for how long)
    partitions: tuple[tuple[float, float], ...]  # (when, for how long) one node is cut off from the bus
    stalls: tuple[float, ...]  # what the bus has for one node comes late, and all at once

    @classmethod
    def draw(cls, random: Random) -> Plan:
        """One plan from the seed's generator."""
        nodes = random.choice((1, 1, 2, 2, 3))
        # Most lives are short, for there can be more of them; some mistakes take a longer one.
        seconds = random.uniform(0.8, 3.0) if random.random() < 0.75 else random.uniform(3.0, 9.0)

        def times(most: int, chance: float = 0.5) -> tuple[float, ...]:
            if random.random() > chance:
                return ()
            return tuple(sorted(random.uniform(0.1, seconds) for _ in range(random.randint(1, most))))

        def sometimes(chance: float, most: float) -> float:
            return random.uniform(0.0, most) if random.random() < chance else 0.0

        def spans(most: int, chance: float, longest_s: float) -> tuple[tuple[float, float], ...]:
            return tuple((at, random.uniform(0.1, longest_s)) for at in times(most, chance))

        return cls(
            nodes=nodes,
            documents=random.choice((1, 1, 2)),
            tabs=random.randint(2, 4),
            rest=random.choice((0, 0, 1)),
            pollers=random.choice((0, 0, 1)),
            seconds=seconds,
            edits_per_s=random.choice((0.5, 2.0, 6.0)),
            delete_share=sometimes(0.5, 0.4),
            repeat_share=sometimes(0.4, 0.2),
            relay_share=sometimes(0.2, 0.1),
            sibling_share=sometimes(0.4, 1.0),
            latency_s=random.choice((0.002, 0.02, 0.2)),
            bandwidth=random.choice((200.0, 1000.0)),
            slow_share=sometimes(0.4, 0.7),
            commit_s=random.choice((0.001, 0.02, 0.3)),
            refuse_share=sometimes(0.4, 0.5),
            mute_share=sometimes(0.4, 0.5),
            outages=spans(2, 0.3, 4.0),
            kills=times(3, 0.5),
            stops=times(2, 0.2),
            cuts=times(2, 0.3),
            crashes=times(2, 0.2) if nodes > 1 else (),
            exiles=spans(2, 0.3, 4.0) if nodes > 1 else (),
            freezes=times(4, 0.4),
            drops=times(6, 0.5),
            closings=times(2, 0.4),
            evictions=times(2, 0.2),
            clock_jumps=times(2, 0.2),
            fold_rows=random.choice((3, 8, 1000)),
            linger_s=random.choice((0.0, 1.0, 30.0)),
            outbox_bytes=random.choice((120, 500, 4000)),
            rest_s=random.choice((0.0, 0.0, 0.02)),
            home_share=random.choice((0.0, 0.8, 1.0)),
            bus_latency_s=random.choice((0.001, 0.02, 0.3)),
            bus_loss_share=sometimes(0.5, 0.4),
            bus_twice_share=sometimes(0.3, 0.3),
            bus_unordered=random.random() < 0.4,
            broker_deaths=spans(2, 0.3, 4.0) if nodes > 1 else (),
            partitions=spans(2, 0.4, 6.0) if nodes > 1 else (),
            stalls=times(2, 0.3) if nodes > 1 else (),
        )
