"""The Dockerfile, the unit and the proxies' examples: linted, and tried where the machine has what they are for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from collab_client import connect, text
from tests.conftest import Service
from tests.operate.dockerfile import ROOT, stages
from tests.operate.image import TOLD, Steps
from tests.patience import PATIENCE_S
from tests.realservers import free_port
from tests.server import wait_until

EXAMPLES = ROOT / "docs" / "examples"


def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_small_unprivileged_and_watched() -> None:
    final = stages()[-1]
    words = [one.word for one in final.instructions]
    (user,) = final.all("USER")
    assert user.rest.isdecimal() and int(user.rest) >= 1000  # a number: Kubernetes can see that it is not root
    assert words.index("USER") > max(at for at, word in enumerate(words) if word in ("RUN", "COPY"))
    assert {"HEALTHCHECK", "VOLUME", "STOPSIGNAL", "EXPOSE"} <= set(words) and "ADD" not in words
    assert all(one.rest.startswith("--from=build ") for one in final.all("COPY"))
    assert all(one.command for word in ("ENTRYPOINT", "CMD", "HEALTHCHECK") for one in final.all(word))


def test_every_step_of_the_image_can_be_tried_without_an_engine() -> None:
    """By `python -m tests.operate.image`, which takes minutes and fetches everything: done by hand."""
    found = stages()
    known = {name[1:].upper() for name in vars(Steps) if name.startswith("_")} | TOLD
    assert {one.word for stage in found for one in stage.instructions} <= known
    named = {stage.name for stage in found}
    assert all(stage.base in named or re.fullmatch(r"debian:[a-z]+-slim", stage.base) for stage in found)


def test_what_the_image_is_built_from_is_let_in() -> None:
    """.dockerignore lets nothing else in, and all of what COPY names."""
    copied = [one.rest.split()[:-1] for stage in stages() for one in stage.all("COPY")]
    named = {name.removeprefix("./") for names in copied for name in names}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert named - {"--from=build", "/opt/collab"} == let_in
    assert all((ROOT / name).exists() for name in let_in)


def test_the_health_check_of_the_image_works(service: Service) -> None:
    (check,) = stages()[-1].all("HEALTHCHECK")
    for url, status in ((service.url, 0), ("http://127.0.0.1:9", 1)):
        command = [sys.executable, "-c", check.command[2].replace("http://127.0.0.1:8000", url)]
        assert subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == status


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here to verify the unit with")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "collab.service"
    unit.write_text((EXAMPLES / "collab.service").read_text().replace("/opt/collab/bin/collab", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert "collab.service" not in done.stderr


@contextmanager
def nginx(folder: Path, upstream: str) -> Iterator[str]:
    """The example in front of a service, without its TLS; yields its URL."""
    port = free_port()
    site = (EXAMPLES / "nginx.conf").read_text().replace("127.0.0.1:8000", upstream.removeprefix("http://"))
    site = re.sub(r"\n *ssl_\S+ .*;", "", site.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};"))
    (folder / "site.conf").write_text(site)
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi"))
    temporary += f"uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;"
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log;"
        f"events {{}} http {{ access_log off; {temporary} include {folder}/site.conf; }}"
    )
    command = [str(shutil.which("nginx") or "/usr/sbin/nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(url), what="nginx")
        yield url
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def caddy(folder: Path, upstream: str) -> Iterator[str]:
    """The same with the example for Caddy, on plain HTTP; its own state stays in the folder."""
    port = free_port()
    site = (EXAMPLES / "Caddyfile").read_text().replace("127.0.0.1:8000", upstream.removeprefix("http://"))
    site = site.replace("collab.example.com {", f"http://127.0.0.1:{port} {{")
    (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + site)
    command = [str(shutil.which("caddy")), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ | homes)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(url), what="caddy")
        yield url
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    """Whether anything does."""
    try:
        return httpx2.get(f"{url}/healthz").status_code == 200
    except httpx2.TransportError:
        return False


NGINX = shutil.which("nginx") or (Path("/usr/sbin/nginx").exists() or None)


PROXIES = [
    pytest.param(nginx, marks=pytest.mark.skipif(NGINX is None, reason="no nginx here: apt-get install nginx-light")),
    pytest.param(
        caddy, marks=pytest.mark.skipif(shutil.which("caddy") is None, reason="no Caddy here: apt-get install caddy")
    ),
]


@pytest.mark.parametrize("proxy", PROXIES, ids=["nginx", "caddy"])
async def test_everything_goes_through_a_proxy(proxy: Any, service: Service, document: str, tmp_path: Path) -> None:
    """REST with an encoded slash in the id, sockets both ways, an event stream that is not held back, a large body."""
    with proxy(tmp_path, service.url) as url:
        headers = {"Authorization": f"Bearer {service.admin}"}
        async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S) as client:
            made = await client.post("/api/documents", json={"id": document})
            assert made.status_code == 201
            path = f"/api/documents/{quote(document, safe='')}"
            assert (await client.get(path)).json()["id"] == document
            async with (
                connect(url, document, service.admin) as ada,
                connect(service.url, document, service.admin) as bob,
            ):
                text.insert(ada.text(), 0, "through")
                await ada.saved(10)
                await bob.until(lambda: text.read(bob.text()) == "through", PATIENCE_S)
                text.insert(bob.text(), 7, " it")
                await ada.until(lambda: text.read(ada.text()) == "through it", PATIENCE_S)
            async with client.stream("GET", f"{path}/events") as stream:
                lines = stream.aiter_lines()
                assert (await anext(lines)).startswith("event: ")
            large = await client.put(
                f"{path}/content?root=text", content="x" * 3_000_000, headers={"Content-Type": "text/plain"}
            )
            assert large.status_code == 200
            assert (await client.get("/metrics")).status_code == 200  # from this machine
