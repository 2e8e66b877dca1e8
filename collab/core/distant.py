"""Who writes as a client id on a socket of another node: in contests it stands in that session's place."""

from __future__ import annotations

from collections.abc import Callable

from collab.errors import CollabError

ANSWER_S = 0.5  # how long its node has to say that it asks there; then it has as long as a socket here


class Distant:
    """One holder of one id. It is its own outbox: a ping asks its node, and its node's answer is a sign of life."""

    __slots__ = ("answered", "node", "ping")

    def __init__(self, node: str, ping: Callable[[], None]) -> None:
        self.node = node
        self.ping = ping
        self.answered = False

    @property
    def outbox(self) -> Distant:
        """See Session."""
        return self

    def close(self, error: CollabError) -> None:
        """Its own node ends its connection, when that does not answer there either."""
