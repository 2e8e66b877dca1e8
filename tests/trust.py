"""The world's certificates are read once in a process, not with each `httpx2.get`: that takes 20 ms of the core."""

from __future__ import annotations

import os
from functools import cache
from ssl import SSLContext

import httpcore2

_read = httpcore2.default_ssl_context


def read_once() -> None:
    """For all clients that are made from now on; another SSL_CERT_FILE is read, too."""
    httpcore2.default_ssl_context = _known


def _known(_trust_env: bool = True) -> SSLContext:
    return _of(_trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _of(trust_env: bool, _file: str | None, _folder: str | None) -> SSLContext:
    return _read(_trust_env=trust_env)
