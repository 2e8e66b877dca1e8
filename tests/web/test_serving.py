"""How the pages are served, built or not."""

from __future__ import annotations

import gzip
from pathlib import Path

from starlette.applications import Starlette
from starlette.testclient import TestClient

from collab.web import pages


def client(folder: Path) -> TestClient:
    return TestClient(Starlette(routes=pages.routes(folder)))


def test_every_address_gives_the_page_under_a_strict_policy(built: None) -> None:
    served = client(pages.STATIC)
    for address in ("/", "/d/notes", "/d/a%2Fb", "/contrast/notes", "/console"):
        answer = served.get(address)
        assert answer.status_code == 200 and '<div id="app">' in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy


def test_assets_are_cached_for_ever_and_packed(built: None) -> None:
    served = client(pages.STATIC)
    name = next(f"/assets/{path.name[:-3]}" for path in (pages.STATIC / "assets").glob("*.js.gz"))
    packed, plain = served.get(name), served.get(name, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip" and packed.text == plain.text
    assert "immutable" in plain.headers["cache-control"] and "content-encoding" not in plain.headers


def test_the_built_page_asks_nobody_else_for_anything(built: None) -> None:
    page = (pages.STATIC / "index.html").read_text()
    assert "//" not in page.replace("<!doctype html>", "")


def test_pages_that_were_not_built_say_so_and_how_to_build_them(tmp_path: Path) -> None:
    (tmp_path / "why-not.txt").write_text("npm said <no>")
    answer = client(tmp_path).get("/")
    assert answer.status_code == 503
    assert "uv sync --reinstall-package collab" in answer.text and "npm said &lt;no&gt;" in answer.text


def test_a_half_packed_folder_is_served_plain(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>page</p>")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a.js").write_text("1")
    (tmp_path / "assets" / "b.js").write_text("2" * 2000)
    (tmp_path / "assets" / "b.js.gz").write_bytes(gzip.compress(b"2" * 2000))
    served = client(tmp_path)
    assert served.get("/assets/a.js").text == "1"
    assert served.get("/assets/b.js").headers["content-encoding"] == "gzip"
