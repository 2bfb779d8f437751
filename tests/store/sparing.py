"""Spare files for tests that do not write enough to get some."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from configsvc.store.spares import SpareFiles
from tests.store.gitrepo import wait_until


@contextmanager
def spare_files(folder: Path) -> Iterator[SpareFiles]:
    """Yield spare files of which some are there."""
    with closing(SpareFiles(folder, seldom=0)) as spares:
        assert not spares.put(folder / "none")
        wait_until(lambda: len(spares) > 0)
        yield spares
