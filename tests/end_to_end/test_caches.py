"""`.git/configsvc` and git's index hold caches: without them, or with rubbish in them, all is as before."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.client import connected
from tests.end_to_end.history import read_history, wait_until_clean
from tests.end_to_end.ledger import audit_served
from tests.end_to_end.serving import QUIET, serving
from tests.store.gitrepo import assert_sound, git

VERSIONS = ".git/configsvc/versions"
INDEX = ".git/index"

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

Damage = Callable[[Path], None]


def overwritten(name: str, content: bytes) -> Damage:
    def damage(root: Path) -> None:
        (root / name).write_bytes(content)

    return damage


def cut(name: str) -> Damage:
    def damage(root: Path) -> None:
        data = (root / name).read_bytes()
        (root / name).write_bytes(data[: len(data) // 2])

    return damage


def flipped(name: str) -> Damage:
    def damage(root: Path) -> None:
        data = bytearray((root / name).read_bytes())
        data[len(data) // 2] ^= 0xFF
        (root / name).write_bytes(data)

    return damage


def blob_mistaken(root: Path) -> None:
    """Flip one bit of the version index: in the id of a document, where only a checksum can tell."""
    data = (root / VERSIONS).read_bytes()
    blob_id = bytes.fromhex(git(root, "rev-parse", "main:nginx.json"))
    assert blob_id in data
    mistaken = bytes([blob_id[0] ^ 1]) + blob_id[1:]
    (root / VERSIONS).write_bytes(data.replace(blob_id, mistaken))


def removed(name: str) -> Damage:
    def damage(root: Path) -> None:
        place = root / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()

    return damage


def files_gone(root: Path) -> None:
    """Remove index and working files, as a copy of `.git` alone has it."""
    (root / INDEX).unlink()
    for path in root.glob("*.json"):
        path.unlink()


DAMAGES: dict[str, Damage] = {
    "no version index": removed(VERSIONS),
    "an empty version index": overwritten(VERSIONS, b""),
    "rubbish for a version index": overwritten(VERSIONS, b"\xff" * 5000),
    "half a version index": cut(VERSIONS),
    "a flipped bit in the version index": blob_mistaken,
    "no folder of ours": removed(".git/configsvc"),
    "no index": removed(INDEX),
    "an empty index": overwritten(INDEX, b""),
    "rubbish for an index": overwritten(INDEX, b"\x00" * 5000),
    "half an index": cut(INDEX),
    "a flipped bit in the index": flipped(INDEX),
    "no index and no files": files_gone,
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with some history, its server stopped."""
    root = tmp_path_factory.mktemp("sound") / "repo"
    with serving(root, *QUIET) as server, connected(server.url) as client:
        for service in ("nginx", "payments/api", "web"):
            assert client.config("POST", service, {"n": 0}).status == 201
            assert client.config("PATCH", service, {"n": 1}).status == 200
        assert client.config("PATCH", "web", query="&enabled=false").status == 200
        assert client.config("DELETE", "web").status == 200
        assert server.stop() == 0
    return root


@pytest.mark.parametrize("name", DAMAGES)
def test_reads_survive_a_damaged_cache_and_it_is_made_anew(tmp_path: Path, sound: Path, name: str) -> None:
    root = shutil.copytree(sound, tmp_path / "repo")
    history = read_history(root)
    DAMAGES[name](root)
    with serving(root, *QUIET) as server, connected(server.url) as client:
        audit_served(client, root, history)
        assert client.config("PATCH", "nginx", {"n": 2}).version == 2
        wait_until_clean(root)
        assert server.stop() == 0
    assert git(root, "status", "--porcelain") == ""
    assert_sound(root)
