"""Secrets come from the environment or a file; there is no default, and none is empty, short or plainly invented."""

from __future__ import annotations

from pathlib import Path

from collab.errors import UnsafeSettings

SECRET_BYTES_MIN = 32  # HS256 wants as many as its hash has (RFC 7518 3.2)
DISTINCT_MIN = 10  # 32 random hex digits have fewer once in 10^4; `aaaa…`, `changeme` repeated have fewer always
FILE_BYTES_MAX = 64 * 1024


def read_secret(name: str, value: str | None, file: Path | None) -> bytes | None:
    """The secret, or None if neither is given. Raises UnsafeSettings; its message never contains the secret.

    `name` is the setting's name for messages. A line break at the end of a file does not count.
    """
    if value is None and file is None:
        return None
    if value is not None and file is not None:
        raise UnsafeSettings(f"{name} is given both as a value and as a file; give one")
    secret = value.encode() if value is not None else read_file(name, file).rstrip(b"\r\n")
    if len(secret) < SECRET_BYTES_MIN:
        raise UnsafeSettings(f"{name} has {len(secret)} bytes, at least {SECRET_BYTES_MIN} are needed")
    if len(set(secret)) < DISTINCT_MIN:
        raise UnsafeSettings(f"{name} is not random; make one with `openssl rand -base64 48`")
    return secret


def read_file(name: str, file: Path | None) -> bytes:
    """A small file of the administrator's. Raises UnsafeSettings if it cannot be read or is too large."""
    if file is None:
        raise UnsafeSettings(f"{name} needs a file")
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise UnsafeSettings(f"{name}: {file} cannot be read ({error.strerror})") from None
    if len(content) > FILE_BYTES_MAX:
        raise UnsafeSettings(f"{name}: {file} is larger than {FILE_BYTES_MAX} bytes")
    return content
