"""Real yjs, in one long-lived Node process that is asked in batches."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterable
from types import TracebackType
from typing import Any, NamedTuple

from tests import node_tools
from tests.patience import PATIENCE_S


class Loaded(NamedTuple):
    """What a yjs document holds: its encoded state and vector, all content as JSON, whether anything is pending."""

    state: bytes
    vector: bytes
    content: str
    pending: bool


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def _loaded(answer: dict[str, Any]) -> Loaded:
    return Loaded(_bytes(answer["state"]), _bytes(answer["vector"]), answer["content"], answer["pending"])


class Oracle:
    """Each method takes a batch and returns a list of answers; a JavaScript exception comes back as RuntimeError."""

    def __init__(self) -> None:
        node_tools.node_modules()
        self._process = subprocess.Popen(
            [node_tools.node_executable(), node_tools.FOLDER / "oracle.cjs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Oracle:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=PATIENCE_S)

    def ask(self, commands: list[list[Any]]) -> list[Any]:
        """Raw answers; those that failed are `{"error": …}`."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(commands) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the oracle ended with {self._process.wait(timeout=PATIENCE_S)}")
        answers: list[Any] = json.loads(line)
        return answers

    def _ask(self, commands: list[list[Any]]) -> list[Any]:
        answers = self.ask(commands)
        for answer in answers:
            if isinstance(answer, dict) and "error" in answer:
                raise RuntimeError(answer["error"])
        return answers

    def histories(self, options: Iterable[dict[str, Any]]) -> list[tuple[list[bytes], list[bytes]]]:
        """For each (updates that peers sent, answers to state vectors)."""
        answers = self._ask([["history", each] for each in options])
        return [([*map(_bytes, a["updates"])], [*map(_bytes, a["diffs"])]) for a in answers]

    def load(self, batches: Iterable[list[bytes]]) -> list[Loaded]:
        """For each batch a fresh document that applies its updates in order."""
        return [_loaded(answer) for answer in self._ask([["load", [*map(_text, updates)]] for updates in batches])]

    def try_load(self, batches: Iterable[list[bytes]]) -> list[Loaded | None]:
        """The same; None where yjs throws."""
        answers = self.ask([["load", [*map(_text, updates)]] for updates in batches])
        return [None if "error" in answer else _loaded(answer) for answer in answers]

    def vector(self, batches: Iterable[list[bytes]]) -> list[bytes]:
        """For each batch the state vector of a document that holds it."""
        return [_bytes(answer) for answer in self._ask([["vector", [*map(_text, updates)]] for updates in batches])]

    def merge(self, batches: Iterable[list[bytes]]) -> list[bytes]:
        """yjs' own `mergeUpdates`."""
        return [_bytes(answer) for answer in self._ask([["merge", [*map(_text, updates)]] for updates in batches])]

    def diff(self, pairs: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """yjs' own `diffUpdate` of (update, state vector)."""
        return [_bytes(answer) for answer in self._ask([["diff", _text(u), _text(v)] for u, v in pairs])]
