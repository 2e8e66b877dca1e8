"""What can go wrong: each begins, lasts for a spell, and is healed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis

from tests.cluster.faults.stage import NODES, Stage
from tests.cluster.links import Link
from tests.patience import PATIENCE_S

SLOW_S = 0.05
LONG_S = 30.0
Fault = Callable[[Stage], "Iterator[None]"]


def node_killed(stage: Stage) -> Iterator[None]:
    """SIGKILL, and started again."""
    number = stage.random.randrange(NODES)
    stage.down.add(number)
    stage.nodes[number].kill()
    yield
    stage.nodes[number].start()
    stage.down.discard(number)


def node_stopped(stage: Stage) -> Iterator[None]:
    """SIGSTOP: it holds its sockets and says nothing."""
    number = stage.random.randrange(NODES)
    stage.down.add(number)
    os.kill(stage.nodes[number].pid, signal.SIGSTOP)
    yield
    os.kill(stage.nodes[number].pid, signal.SIGCONT)
    stage.down.discard(number)


def node_stopped_long(stage: Stage) -> Iterator[None]:
    """The same for 30 seconds: whatever the node holds, the others must go on without it."""
    return node_stopped(stage)


def redis_killed(stage: Stage) -> Iterator[None]:
    """Gone, and back with nothing."""
    stage.valkey.kill()
    yield
    stage.valkey.restart()


def redis_stopped(stage: Stage) -> Iterator[None]:
    """Takes connections and answers nothing."""
    os.kill(stage.valkey.process.pid, signal.SIGSTOP)
    yield
    os.kill(stage.valkey.process.pid, signal.SIGCONT)


def redis_flushed(stage: Stage) -> Iterator[None]:
    """FLUSHALL, and every client of it thrown out."""
    with redis.Redis.from_url(stage.valkey.url) as client:
        client.flushall()
        client.execute_command("CLIENT", "KILL", "TYPE", "PUBSUB")
        client.execute_command("CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")
    yield


def postgres_restarted(stage: Stage) -> Iterator[None]:
    """As by `pg_ctl stop -m immediate`: no checkpoint, recovery at the start."""
    stage.postgres.process.send_signal(signal.SIGQUIT)
    stage.postgres.process.wait(PATIENCE_S)
    yield
    stage.postgres.restart()


def _one(stage: Stage, links: list[Link]) -> Link:
    return stage.random.choice(links)


def _cut(stage: Stage, link: Link) -> Iterator[None]:
    link.refusing = True
    stage.loop.call(link.cut)
    yield
    link.heal()


def _slow(link: Link) -> Iterator[None]:
    link.delay_s = SLOW_S
    yield
    link.heal()


def _stalled(stage: Stage, link: Link) -> Iterator[None]:
    link.stalled = True
    yield
    link.heal()
    stage.loop.call(link.cut)


def redis_cut(stage: Stage) -> Iterator[None]:
    """One node cannot reach Redis, the others can."""
    return _cut(stage, _one(stage, stage.to_redis))


def redis_slow(stage: Stage) -> Iterator[None]:
    """50 ms each way for one node."""
    return _slow(_one(stage, stage.to_redis))


def redis_stalled(stage: Stage) -> Iterator[None]:
    """One node's packets to Redis vanish."""
    return _stalled(stage, _one(stage, stage.to_redis))


def postgres_cut(stage: Stage) -> Iterator[None]:
    """One node loses its connections to Postgres, in the middle of commits, too."""
    return _cut(stage, _one(stage, stage.to_postgres))


def postgres_slow(stage: Stage) -> Iterator[None]:
    """50 ms each way for one node."""
    return _slow(_one(stage, stage.to_postgres))


def client_cut(stage: Stage) -> Iterator[None]:
    """One client is thrown out and cannot come back for a while."""
    return _cut(stage, _one(stage, stage.to_clients))


def client_offline(stage: Stage) -> Iterator[None]:
    """A client goes offline, edits, and comes back."""
    person = stage.random.choice(stage.persons)
    puppet = stage.random.choice(stage.puppets)
    stage.loop.run(person.leave())
    puppet.do("disconnect")
    yield
    person.online = True
    puppet.do("reconnect")


CHEAP = (redis_flushed, redis_stopped, redis_killed, redis_cut, redis_slow, redis_stalled, postgres_cut, postgres_slow,
         client_cut, client_offline, node_stopped)  # fmt: skip
DEAR = (node_killed, postgres_restarted)  # seconds each, for a server must start
ALL = (*CHEAP, *DEAR)
SPELL_S = {node_stopped_long: LONG_S}  # those that last as long whatever is asked for


@contextmanager
def during(stage: Stage, fault: Fault) -> Iterator[None]:
    """The block runs while the fault lasts; it is healed after it, come what may."""
    course = fault(stage)
    next(course)
    try:
        yield
    finally:
        next(course, None)
