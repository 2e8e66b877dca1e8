"""SIGHUP: keys, certificate, origins, proxies, limits and log level are read anew, and no socket is closed for it.

From the settings file and the files that the settings name: a process's environment does not change from outside.
"""

from __future__ import annotations

import asyncio
import signal
import ssl

import structlog
import uvicorn
from pydantic import ValidationError

from collab import logs
from collab.errors import UnsafeSettings
from collab.services import Services
from collab.settings import Settings, plain

log = structlog.get_logger(__name__)


class Reload:
    """Of one node."""

    def __init__(self, services: Services, server: uvicorn.Config) -> None:
        self._services = services
        self._server = server
        self._tasks: set[asyncio.Task[bool]] = set()

    def listen(self) -> None:
        """From now on, where the system has the signal."""
        if hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._begin)

    def _begin(self) -> None:
        task = asyncio.get_running_loop().create_task(self.once(), name="reload settings")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def once(self) -> bool:
        """All that can be changed, or nothing: what is wrong is logged, and the node goes on as it was."""
        try:
            settings = self._services.settings.reloaded()
            if self._server.ssl is not None and settings.ssl_certfile is not None:
                load_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), settings)  # before anything has changed
            await self._services.entrance.retrust(settings)
            self._take_certificate(settings)
        except (ValidationError, ValueError, OSError) as error:  # UnsafeSettings is a ValueError
            log.error("settings were not reloaded", reason=plain(error))
            return False
        except Exception:  # nobody waits for this task
            log.exception("settings were not reloaded")
            return False
        self._services.bound(settings)
        logs.configure(settings.log_level)
        log.info("settings were reloaded", open=self._services.entrance.guard.openness.open)
        return True

    def _take_certificate(self, settings: Settings) -> None:
        if self._server.ssl is not None and settings.ssl_certfile is not None:
            load_certificate(self._server.ssl, settings)


def load_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    """Raises UnsafeSettings, naming the files."""
    files = settings.ssl_certfile, settings.ssl_keyfile
    try:
        context.load_cert_chain(files[0] or "", files[1])
    except OSError as error:  # what is wrong in them, too; it names no file by itself
        named = " and ".join(map(str, filter(None, files)))
        raise UnsafeSettings(f"the certificate cannot be used ({named}): {error}") from None
