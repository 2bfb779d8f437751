from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from configsvc.store.disk import Disk
from configsvc.store.objects import Kind, Objects, add_object
from configsvc.store.packs import build_pack, write_pack
from tests.store.gitrepo import git, new_repository


class FullDisk(Disk):
    """Refuses the nth operation, and every one after it until it is told that there is room."""

    def __init__(self, nth: int) -> None:
        super().__init__()
        self.left = nth

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(28, "No space left on device")

    def write_all(self, descriptor: int, content: bytes) -> None:
        self._count()
        super().write_all(descriptor, content)

    def rename(self, source: Path, target: Path) -> None:
        self._count()
        super().rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        self._count()
        super().sync_folder(folder)


def some_objects() -> Objects:
    objects = Objects()
    for size in (0, 1, 15, 16, 2047, 2048, 300_000):
        add_object(objects, "blob", os.urandom(size))
    blob_id = add_object(objects, "blob", b"of many names")
    for files in (1, 1_500, 4_000):  # the last is of more than one stored block
        folder = b"".join(b"100644 svc-%06d.json\0" % each + blob_id for each in range(files))
        add_object(objects, "tree", folder)
    return objects


def test_git_finds_every_object_of_a_pack_and_calls_it_sound(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "repo")
    objects = some_objects()
    pack = build_pack(objects)
    write_pack(root / ".git/objects/pack", pack, Disk())
    git(root, "verify-pack", f".git/objects/pack/{pack.name}.idx")
    git(root, "index-pack", "--strict", f".git/objects/pack/{pack.name}.pack")
    for identity, (_, content) in objects.items():
        assert int(git(root, "cat-file", "-s", identity.hex())) == len(content)


@pytest.mark.parametrize("kind", ["tree", "blob"])
@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 0xFFFE, 0xFFFF, 0x10000, 2 * 0xFFFF, 2 * 0xFFFF + 1])
def test_an_object_of_any_size_is_a_sound_stream(size: int, kind: Kind) -> None:
    content = os.urandom(size)
    pack = build_pack({bytes(20): (kind, content)})
    header = 1 + (size > 0xF) + (size > 0x7FF) + (size > 0x3FFFF)
    stream = zlib.decompressobj()
    assert stream.decompress(pack.pack_bytes[12 + header : -20]) == content
    assert stream.eof
    assert stream.unused_data == b""


def test_a_large_document_is_compressed() -> None:
    content = b"key: value\n" * 1000
    pack = build_pack({bytes(20): ("blob", content)})
    assert len(pack.pack_bytes) < len(content) / 10


@pytest.mark.parametrize("nth", range(5))
def test_a_disk_that_refuses_leaves_no_file_behind(tmp_path: Path, nth: int) -> None:
    with pytest.raises(OSError, match="No space"):
        write_pack(tmp_path, build_pack(some_objects()), FullDisk(nth))
    assert list(tmp_path.iterdir()) == []


def test_a_pack_written_again_in_vain_stays_whole(tmp_path: Path) -> None:
    pack = build_pack(some_objects())
    write_pack(tmp_path, pack, Disk())
    with pytest.raises(OSError, match="No space"):
        write_pack(tmp_path, pack, FullDisk(4))
    assert (tmp_path / f"{pack.name}.pack").read_bytes() == pack.pack_bytes
    assert (tmp_path / f"{pack.name}.idx").read_bytes() == pack.index_bytes
