"""Answers made before they are asked for, once many of their kind were.

After a start nothing is kept, and the reads of all services come at once; one git command
reads many documents in the time that one takes alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import Executor
from itertools import islice

from configsvc.core.errors import ConfigError
from configsvc.edge.hot import HotRead, HotReads
from configsvc.edge.hot_maker import HotMaker
from configsvc.edge.hot_requests import HotRequest
from configsvc.store.base import Snapshot

BEGIN_AT = 64
"""How many services are asked for in a dialect before the others are made ahead."""
LEAST_BYTES = 1 << 20
"""With less memory nothing is made ahead: there is hardly room for what is asked for."""
_BATCH = 1024

_LOG = logging.getLogger(__name__)


class ReadAhead:
    """Fills `reads` in the background, at most once for each dialect.  Used by the event loop only.

    Args:
        pool: Where answers are made.
    """

    def __init__(self, maker: HotMaker, reads: HotReads, pool: Executor) -> None:
        self._maker = maker
        self._reads = reads
        self._pool = pool
        self._asked: dict[bool, set[bytes]] = {True: set(), False: set()}
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopped = reads.max_bytes < LEAST_BYTES

    def note_made(self, request: HotRequest, snapshot: Snapshot) -> None:
        """Note what was asked for and was not there; begin when there were enough of them."""
        asked = self._asked[request.is_seed]
        if self._is_stopped or len(asked) == BEGIN_AT:
            return
        asked.add(request.target)
        if len(asked) == BEGIN_AT:
            task = asyncio.get_running_loop().create_task(self._run(snapshot, is_seed=request.is_seed))
            task.add_done_callback(_tell)
            self._tasks.append(task)

    def stop(self) -> None:
        """End, done or not, and begin no more."""
        self._is_stopped = True
        for task in self._tasks:
            task.cancel()

    async def _run(self, snapshot: Snapshot, *, is_seed: bool) -> None:
        loop = asyncio.get_running_loop()
        names = snapshot.services()
        while True:
            began_s = loop.time()
            batch = await loop.run_in_executor(self._pool, self._make, names, snapshot, is_seed)
            if batch is None or not all(self._reads.keep_ahead(target, read) for target, read in batch):
                return
            # Some time is left to those who ask meanwhile; what is made spares them more.
            await asyncio.sleep((loop.time() - began_s) / 4)

    def _make(
        self, names: Iterator[str], snapshot: Snapshot, is_seed: bool
    ) -> list[tuple[bytes, HotRead]] | None:
        """Return the answers of the next services; None when there are no more."""
        services = list(islice(names, _BATCH))
        return list(self._maker.make_ahead(services, snapshot, is_seed=is_seed)) if services else None


def _tell(task: asyncio.Task[None]) -> None:
    """Log why no more is made ahead."""
    error = None if task.cancelled() else task.exception()
    if isinstance(error, ConfigError):
        _LOG.warning("reads: none is made ahead: %s", error.message)
    elif error is not None:
        _LOG.error("reads: none is made ahead", exc_info=error)
