from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from configsvc.store.gitstore import GitStore
from tests.store.gitrepo import put

pytestmark = pytest.mark.slow


def packs_taken_away_but_held() -> list[str]:
    """Return the packs that are gone and still mapped by a `cat-file` of this process."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            maps = (process / "maps").read_text() if b"cat-file" in command else ""
        except OSError:
            continue  # it has ended meanwhile
        if int(parent) == os.getpid():
            found += [
                line for line in maps.splitlines() if ".git/objects/pack" in line and "(deleted)" in line
            ]
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what a process has mapped")
def test_bounded_packs_that_a_repack_took_away_are_let_go_of(root: Path) -> None:
    with GitStore.open(root) as store:
        for number in range(20):
            put(store, {"a.json": b'{"n": %d}\n' % number})
        blobs = [entry.blob_id for entry in store.snapshot().entries("a")]

        def read_all() -> None:
            for blob_id in blobs:
                assert blob_id is not None
                assert store._reader.read(bytes.fromhex(blob_id))

        read_all()
        with store._reader._repo() as at_work:  # while packs are taken away
            at_work.git.get_object_header("HEAD")
            store._maintenance.repack()
            assert store._maintenance.pack_count() < 10
        read_all()
        assert packs_taken_away_but_held() == []
