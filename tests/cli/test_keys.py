"""`collab keys` as an operator and as a script use it, on a real database."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner, Result

from collab.cli_keys import app
from tests.auth.test_keys import bytes_in
from tests.server import running_server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--data", str(folder)])


def done(folder: Path, *words: str) -> str:
    result = run(folder, *words)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_script_gets_the_secret_and_nothing_else(folder: Path) -> None:
    secret = done(folder, "create", "backend").strip()
    assert secret.startswith("ck_") and len(secret) == 46
    assert secret.encode() not in bytes_in(folder)


def test_a_key_is_listed_without_its_secret(folder: Path) -> None:
    made = json.loads(
        done(folder, "create", "backend", "--scope", "documents:read", "--documents", "team-a/*", "--json")
    )
    (listed,) = json.loads(done(folder, "list", "--json"))
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert (listed["scopes"], listed["documents"], listed["state"]) == (["documents:read"], ["team-a/*"], "active")
    assert made["key"] not in done(folder, "list")
    assert done(folder, "list").split("\t")[1] == "backend"


def test_a_key_lives_for_the_days_it_was_given(folder: Path) -> None:
    done(folder, "create", "short", "--days", "0.0000001")
    (listed,) = json.loads(done(folder, "list", "--json"))
    assert listed["state"] == "expired"


def test_a_revoked_key_stays_in_the_list(folder: Path) -> None:
    made = json.loads(done(folder, "create", "backend", "--json"))
    assert made["id"] in done(folder, "revoke", made["id"])
    assert json.loads(done(folder, "revoke", made["id"], "--json"))["state"] == "revoked"
    (listed,) = json.loads(done(folder, "list", "--json"))
    assert listed["state"] == "revoked"


def test_without_a_scope_a_key_reads_writes_and_makes_tickets_but_is_no_admin(folder: Path) -> None:
    made = json.loads(done(folder, "create", "backend", "--json"))
    assert made["scopes"] == ["documents:read", "documents:write", "tickets:create"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["revoke", "nobody"], 1),
        (["create", ""], 1),
        (["create", "k", "--scope", "everything"], 2),
        (["create", "k", "--scope", "admin", "--documents", "a/*"], 1),
        (["create", "k", "--days", "-1"], 1),
        (["list", "--database-url", "mysql://x"], 1),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(folder: Path, words: list[str], code: int) -> None:
    result = run(folder, *words)
    assert result.exit_code == code
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_many_keys_are_listed_over_several_pages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collab.cli_keys.PAGE", 2)
    for number in range(5):
        done(folder, "create", f"k{number}")
    assert [key["name"] for key in json.loads(done(folder, "list", "--json"))] == [f"k{n}" for n in range(5)]


def test_keys_are_made_and_revoked_while_the_server_runs(folder: Path) -> None:
    """The first one closes an open server at once; a revoked one is dead at once."""
    with running_server(folder) as server:
        documents = f"{server.url}/api/documents"
        assert httpx2.get(documents).status_code == 200, "it is open"
        made = json.loads(done(folder, "create", "first", "--scope", "admin", "--json"))
        assert httpx2.get(documents).status_code == 401
        bearer = {"authorization": f"Bearer {made['key']}"}
        assert httpx2.get(documents, headers=bearer).status_code == 200
        assert json.loads(done(folder, "list", "--json"))[0]["id"] == made["id"]
        assert done(folder, "create", "second").startswith("ck_")
        assert run(folder, "revoke", "nobody").exit_code == 1
        assert json.loads(done(folder, "revoke", made["id"], "--json"))["state"] == "revoked"
        assert httpx2.get(documents, headers=bearer).status_code == 401
        assert stat.S_IMODE((folder / "collab.db.sock").stat().st_mode) == 0o600
        server.stop()
    assert not (folder / "collab.db.sock").exists()
    assert [key["name"] for key in json.loads(done(folder, "list", "--json"))] == ["first", "second"]


def test_what_an_operator_did_is_in_the_audit(folder: Path) -> None:
    made = json.loads(done(folder, "create", "first", "--scope", "admin", "--json"))
    bearer = {"authorization": f"Bearer {made['key']}"}
    with running_server(folder) as server:
        done(folder, "create", "second")
        wanted = f"{server.url}/api/audit?action=key.create"
        while len(items := httpx2.get(wanted, headers=bearer).json()["items"]) < 2:
            pass
    assert [(item["actor_kind"], item["detail"]["name"]) for item in items] == [("local", "second"), ("local", "first")]


def test_a_socket_that_a_killed_server_left_is_in_nobodys_way(folder: Path) -> None:
    with running_server(folder) as server:
        server.kill()
        assert (folder / "collab.db.sock").exists()
        assert done(folder, "create", "first").startswith("ck_")
        server.start()
        assert done(folder, "create", "second").startswith("ck_")
