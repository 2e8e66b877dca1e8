"""A network between clients and a server that can be cut for real: what was under way is lost, and nobody is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Network:
    """Relays TCP to one address. `cut` silences every connection that is open, without a FIN or RST to either side."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._links: list[Link] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def port(self) -> int:
        """Where clients connect to."""
        port: int = self._listener.getsockname()[1]
        return port

    def cut(self) -> None:
        """New connections get through."""
        for link in self._links:
            link.cut = True

    def close(self) -> None:
        """Ends everything."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes whoever accepts
        self._listener.close()
        self._accepting.join(5.0)
        for link in self._links:
            link.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._links.append(Link(client, socket.create_connection(self._target)))


class Link:
    """One connection through the network."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.cut = False
        self._ends = (client, server)
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._relay, args=(source, sink), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while True:
                data = source.recv(65536)
                if self.cut:
                    return  # and both ends stay open
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)

    def close(self) -> None:
        """Lets both ends know."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def network(url: str) -> Iterator[Network]:
    """In front of the server of this URL."""
    host, port = url.partition("//")[2].split("/")[0].rsplit(":", 1)
    between = Network((host, int(port)))
    try:
        yield between
    finally:
        between.close()
