"""A logger for a library that logs each connection's chatter."""

from __future__ import annotations

import logging


class QuietLogger:
    """picows makes one logging.Logger per connection unless it is given something that is not one."""

    name = "picows"

    def isEnabledFor(self, level: int) -> bool:
        return level >= logging.WARNING

    def log(self, *args: object, **kwargs: object) -> None:
        """Connection chatter is not logged."""

    debug = info = log

    def warning(self, message: str, *args: object, **kwargs: object) -> None:
        logging.getLogger("picows").warning(message, *args)

    error = exception = warning


QUIET = QuietLogger()
