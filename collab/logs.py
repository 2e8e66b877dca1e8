"""Structured logs: one JSON line per event, or readable lines on a terminal."""

from __future__ import annotations

import logging
import sys
from typing import cast

import orjson
import structlog

from collab.auth.credentials import scrub_line


def configure(level: str) -> None:
    """Sets up structlog, and sends the standard library's loggers (uvicorn, alembic) through it."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(_dumps)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer, _without_secrets],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for noisy in ("uvicorn.error", "uvicorn.access", "alembic"):
        logging.getLogger(noisy).setLevel(max(number, logging.WARNING))


def _without_secrets(logger: object, name: str, line: structlog.types.EventDict) -> str:
    # The access log cleans its own lines; this is for what errors quote of a request.
    return scrub_line(cast(str, line))


def quiet() -> None:
    """For commands: warnings only, on standard error; standard output is for what was asked for."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def _dumps(event: object, **_: object) -> str:
    # JSON escapes control characters, so that nothing in a name can start a second line
    return orjson.dumps(event, default=str).decode()
