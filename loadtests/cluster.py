"""What `compose.yaml` describes, as plain processes on loopback: `uv run --group dev python -m loadtests.cluster`.

Postgres and Valkey come from wheels of the dev group (or the system), nginx from the system's package (without it the
nodes are reached directly). Environment and nginx's configuration are read from compose.yaml itself; only hosts, ports
and credentials are put in the place of the containers' names.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml

from collab.store.open import upgrade
from tests import realservers
from tests.server import Server

COMPOSE = Path(__file__).parent.parent / "compose.yaml"
START_S = 20.0
NODE_NAME = re.compile(r"node\d+$")


@dataclass
class Cluster:
    """The running pieces. `url` is the one address: nginx, or the first node if there is no nginx."""

    url: str
    postgres: realservers.Server
    valkey: realservers.Server
    nodes: list[Server]
    nginx: subprocess.Popen[bytes] | None

    @property
    def socket_url(self) -> str:
        """Base of the sockets."""
        return f"ws{self.url[4:]}/sync"


def compose() -> dict[str, Any]:
    """The file, its anchors resolved."""
    found = yaml.safe_load(COMPOSE.read_text())
    assert isinstance(found, dict)
    return found


def node_names(file: Mapping[str, Any]) -> list[str]:
    """The services that are nodes."""
    return sorted(name for name in file["services"] if NODE_NAME.match(name))


def environment(file: Mapping[str, Any], name: str, postgres_url: str, redis_url: str) -> dict[str, str]:
    """A node's environment in compose.yaml, with the addresses that hold here."""
    said = {key: str(value) for key, value in file["services"][name]["environment"].items()}
    here = {"COLLAB_DATABASE_URL": postgres_url, "COLLAB_REDIS_URL": redis_url, "COLLAB_HOST": "127.0.0.1"}
    return {key: here.get(key, value) for key, value in said.items() if key != "COLLAB_PORT"}


def nginx_configuration(file: Mapping[str, Any], folder: Path, port: int, nodes: Mapping[str, str]) -> str:
    """The configuration in compose.yaml, listening on `port`, with the addresses of the nodes (name to host:port)."""
    text = str(file["configs"]["nginx"]["content"]).replace("$$", "$")
    for name, address in nodes.items():
        text = text.replace(f"server {name}:8000 ", f"server {address} ")
    text = text.replace("listen 8000;", f"listen 127.0.0.1:{port};")
    paths = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in paths)
    text = text.replace("http {", f"http {{\naccess_log off;\n{temporary}", 1)
    return f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n{text}"


def nginx_binary() -> str | None:
    """Debian keeps it where only root's path leads."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def cluster(nodes: int | None = None, extra: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """Everything running until the block ends; `nodes` other than compose.yaml's three leave nginx out."""
    file = compose()
    names = node_names(file)
    chosen = names if nodes is None else [names[0]] * nodes
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="collab-cluster-")))
        postgres = stack.enter_context(realservers.postgres())
        valkey = stack.enter_context(realservers.valkey())
        asyncio.run(upgrade(postgres.url))
        running = []
        for number, name in enumerate(chosen):
            (folder / f"{number}").mkdir()
            env = environment(file, name, postgres.url, valkey.url) | dict(extra or {})
            node = Server(folder / f"{number}", (), env)
            node.start()
            stack.callback(node.kill)
            running.append(node)
        nginx = _nginx(stack, file, folder, names, running) if nodes is None else None
        url = running[0].url if nginx is None else nginx[1]
        yield Cluster(url, postgres, valkey, running, nginx[0] if nginx else None)


def _nginx(
    stack: ExitStack, file: Mapping[str, Any], folder: Path, names: list[str], running: list[Server]
) -> tuple[subprocess.Popen[bytes], str] | None:
    binary = nginx_binary()
    if binary is None:
        return None
    port = realservers.free_port()
    addresses = {name: node.url.removeprefix("http://") for name, node in zip(names, running, strict=True)}
    configuration = folder / "nginx.conf"
    configuration.write_text(nginx_configuration(file, folder, port, addresses))
    process = subprocess.Popen([binary, "-p", str(folder), "-c", str(configuration)], stderr=subprocess.DEVNULL)
    stack.callback(_end, process)
    url = f"http://127.0.0.1:{port}"
    _wait(url, process, folder / "error.log")
    return process, url


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(10)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx2.get(f"{url}/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.02)
    raise RuntimeError(f"nginx does not answer: {log.read_text() if log.exists() else ''}")


def main() -> None:
    """Runs until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    with cluster() as running:
        print(f"one address  {running.url}  ({'nginx' if running.nginx else 'no nginx here: the first node'})")
        for number, node in enumerate(running.nodes, 1):
            print(f"node{number}        {node.url}")
        print(f"postgres     {running.postgres.url}\nvalkey       {running.valkey.url}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
