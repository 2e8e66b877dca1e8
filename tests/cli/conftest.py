"""The command line as a script calls it, on the shared service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import structlog
from typer.testing import CliRunner

from collab.main import app
from tests.conftest import Service


class Cli(NamedTuple):
    """Runs commands with the admin's key."""

    env: dict[str, str]

    def __call__(self, *words: str, code: int = 0, given: str | None = None, **env: str) -> str:
        """What the command printed; it must have ended with this code, and said why if it is not 0."""
        result = CliRunner().invoke(app, words, env={**self.env, **env}, input=given)
        assert result.exit_code == code, (words, result.output, result.exception)
        if code:
            assert result.stderr.startswith("collab: ") and result.stderr.count("\n") == 1, result.stderr
            return result.stderr
        return result.stdout

    def json(self, *words: str, **env: str) -> Any:
        """The same command with --json, read."""
        return json.loads(self(*words, "--json", **env))


@pytest.fixture
def cli(service: Service) -> Cli:
    return Cli({"COLLAB_URL": service.url, "COLLAB_KEY": service.admin})


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Commands that need the engine make logs quiet, for the whole process."""
    yield
    structlog.reset_defaults()
