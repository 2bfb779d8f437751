"""Who is told, after each publish step, which paths it touched."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection

Told = Callable[[Collection[str]], None]

_log = logging.getLogger("configsvc.store")


class Listeners:
    """Told by the thread that publishes, so that none of them may block.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held while the tuple is replaced
        self._all: tuple[Told, ...] = ()

    def add(self, told: Told) -> Callable[[], None]:
        """Tell `told` from now on; return what ends that."""
        with self._lock:
            self._all = (*self._all, told)

        def remove() -> None:
            with self._lock:
                self._all = tuple(each for each in self._all if each is not told)

        return remove

    def tell(self, paths: Collection[str]) -> None:
        """Tell everyone; one who fails is logged, since what was published is published."""
        for told in self._all:
            try:
                told(paths)
            except Exception:  # noqa: BLE001 - a commit must not fail because of who hears of it; logged
                _log.exception("a listener failed")
