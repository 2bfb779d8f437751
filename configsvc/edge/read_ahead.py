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
from configsvc.store.base import Snapshot

BEGIN_AT = 64
"""How many answers of a dialect are made one by one before the others are made ahead."""
_BATCH_BYTES = 4 << 20
_FIRST_BATCH, _MAX_BATCH = 16, 1024

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
        self._made = {True: 0, False: 0}
        self._tasks: list[asyncio.Task[None]] = []

    def note_made(self, snapshot: Snapshot, *, is_seed: bool) -> None:
        """Count an answer that was asked for and was not there; begin when there were enough of them."""
        self._made[is_seed] += 1
        if self._made[is_seed] == BEGIN_AT:
            task = asyncio.get_running_loop().create_task(self._run(snapshot, is_seed=is_seed))
            self._tasks.append(task)

    def stop(self) -> None:
        """End, done or not."""
        for task in self._tasks:
            task.cancel()

    async def _run(self, snapshot: Snapshot, *, is_seed: bool) -> None:
        loop = asyncio.get_running_loop()
        names = snapshot.services()
        count = _FIRST_BATCH
        while True:
            began_s = loop.time()
            try:
                batch = await loop.run_in_executor(self._pool, self._make, names, count, snapshot, is_seed)
            except ConfigError as error:
                _LOG.warning("reads: none is made ahead: %s", error.message)
                return
            if batch is None or not all(self._reads.keep_ahead(target, read) for target, read in batch):
                return
            size = sum(read.size for _, read in batch)
            count = max(_FIRST_BATCH, min(_MAX_BATCH, _BATCH_BYTES * (len(batch) or 1) // (size or 1)))
            # Some time is left to those who ask meanwhile; what is made spares them more.
            await asyncio.sleep((loop.time() - began_s) / 4)

    def _make(
        self, names: Iterator[str], count: int, snapshot: Snapshot, is_seed: bool
    ) -> list[tuple[bytes, HotRead]] | None:
        """Return the answers of the next services; None when there are no more."""
        services = list(islice(names, count))
        return list(self._maker.make_ahead(services, snapshot, is_seed=is_seed)) if services else None
