"""The thread that tells what becomes of the configuration while a program runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from configsvc.cli.running.rendering import Given, Rendering
from configsvc.cli.target.protocol import Target
from configsvc.core.errors import ConfigError, NotFound, RequestInvalid, Unavailable

AGAIN_S = 1.0
"""Pause before a version that could not be read is asked for again, in seconds."""
FOLLOW_AGAIN_S = 30.0
"""Pause before a service is followed again after it was refused, in seconds: rights come and go."""

_log = logging.getLogger("configsvc.exec")


class Feed:
    """Follows one service; what is newest is told in the end, whatever comes in between.

    Args:
        since: Revision that is known already.
        told: Called by the thread with what is new.
    """

    def __init__(
        self, target: Target, rendering: Rendering, since: int, told: Callable[[Given], None]
    ) -> None:
        self._target = target
        self._rendering = rendering
        self._since = since
        self._told = told
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="configsvc-exec", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Tell nothing any more; the thread ends when the target is closed."""
        self._closed.set()

    def _run(self) -> None:
        told = ""
        while not self._closed.is_set():
            try:
                self._follow()
                return
            except ConfigError as error:
                why = error.message
            except Exception as error:  # noqa: BLE001 - the edge of a thread
                why = repr(error)
            if why != told and not self._closed.is_set():
                _log.warning("%s is not followed now: %s; trying again", self._rendering.service, why)
            told = why
            self._closed.wait(FOLLOW_AGAIN_S)

    def _follow(self) -> None:
        for change in self._target.watch([self._rendering.service], since=self._since):
            if self._closed.is_set():
                return
            if change.services[0].deleted:
                _log.warning("%s was deleted; the program keeps what it has", self._rendering.service)
            else:
                self._tell(change.services[0].version)
            self._since = change.revision

    def _tell(self, version: int) -> None:
        while not self._closed.is_set():
            try:
                self._told(self._rendering.read(self._target, version))
            except Unavailable as error:
                _log.warning("version %d: %s; trying again", version, error.message)
                self._closed.wait(AGAIN_S)
                continue
            except (RequestInvalid, NotFound) as error:
                _log.warning(
                    "version %d is not taken; the program keeps what it has: %s", version, error.message
                )
            return
