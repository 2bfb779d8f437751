"""Pushes that no git client sends: bytes over HTTP."""

from __future__ import annotations

import http.client
import socket
import struct
import time
import zlib
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.serving import Server
from tests.gitdoor.clones import Clone
from tests.gitdoor.plumbing import NOBODY, pack, pack_header, push_request
from tests.gitdoor.test_fetching import wait_for_no_process
from tests.gitdoor.test_hostile_pushes import quarantines, stored
from tests.store.gitrepo import git

pytestmark = pytest.mark.slow

COMMIT, TREE, BLOB, REF_DELTA = 1, 2, 3, 7
MIB = 1 << 20
MAX_GROWTH_BYTES = 64 * MIB
GOOD_REF = b"refs/heads/raw"


def send(server: Server, body: bytes) -> tuple[int, bytes]:
    """Return status and body of the answer to a push."""
    place = urlsplit(server.url)
    link = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
    try:
        link.request(
            "POST",
            "/config-repo.git/git-receive-pack",
            body,
            {"Content-Type": "application/x-git-receive-pack-request"},
        )
        answer = link.getresponse()
        return answer.status, answer.read()
    finally:
        link.close()


def object_id(kind: str, content: bytes) -> str:
    return sha1(f"{kind} {len(content)}\0".encode() + content).hexdigest()


def commit_of(tree: str, parent: str) -> bytes:
    who = "E <e@example.com> 1700000000 +0000"
    return f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\nRaw\n".encode()


def one_commit(head: str, *more: tuple[int, bytes]) -> tuple[str, list[tuple[int, bytes]]]:
    """Return a commit's id, and the objects of a push of it and of `more` that it does not name."""
    blob = b"raw\n"
    tree = b"100644 raw.txt\0" + bytes.fromhex(object_id("blob", blob))
    commit = commit_of(object_id("tree", tree), head)
    return object_id("commit", commit), [(COMMIT, commit), (TREE, tree), (BLOB, blob), *more]


def sealed(body: bytes) -> bytes:
    return body + sha1(body).digest()


def delta_bomb() -> bytes:
    """64 KiB that a delta blows up to 2 GiB."""
    base = b"\0" * 0x10000
    size = len(base) * 32_768
    delta = _number(len(base)) + _number(size) + b"\x80" * 32_768  # copy 64 KiB from the start
    body = b"PACK" + struct.pack(">II", 2, 2) + pack_header(BLOB, len(base)) + zlib.compress(base)
    body += pack_header(REF_DELTA, len(delta)) + bytes.fromhex(object_id("blob", base)) + zlib.compress(delta)
    return sealed(body)


def _number(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def zeros(size: int) -> bytes:
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(b"\0" * MIB) for _ in range(size // MIB)) + packer.flush()
    return sealed(b"PACK" + struct.pack(">II", 2, 1) + pack_header(BLOB, size) + body)


def lying_size() -> bytes:
    return sealed(b"PACK" + struct.pack(">II", 2, 1) + pack_header(BLOB, 1 << 40) + zlib.compress(b"x"))


Build = Callable[[str], tuple[list[tuple[str, str, bytes]], bytes]]


def _packed(data: bytes) -> Build:
    return lambda head: ([(NOBODY, "1" * 40, GOOD_REF)], data)


def _zeros(head: str) -> tuple[list[tuple[str, str, bytes]], bytes]:
    return _packed(zeros(512 * MIB))(head)  # not before they are wanted: they take seconds


def _ref(ref: bytes) -> Build:
    def build(head: str) -> tuple[list[tuple[str, str, bytes]], bytes]:
        commit_id, objects = one_commit(head)
        return [(NOBODY, commit_id, ref)], pack(objects)

    return build


def _stray(head: str) -> tuple[list[tuple[str, str, bytes]], bytes]:
    commit_id, objects = one_commit(head, (BLOB, b"stray\n"))
    return [(NOBODY, commit_id, GOOD_REF)], pack(objects)


def _missing(head: str) -> tuple[list[tuple[str, str, bytes]], bytes]:
    commit_id, objects = one_commit(head)
    return [(NOBODY, commit_id, GOOD_REF)], pack(objects[:2])


def _missing_parent(head: str) -> tuple[list[tuple[str, str, bytes]], bytes]:
    commit_id, objects = one_commit("2" * 40)
    return [(NOBODY, commit_id, b"refs/for/main")], pack(objects)


def _thousand_refs(head: str) -> tuple[list[tuple[str, str, bytes]], bytes]:
    commit_id, objects = one_commit(head)
    return [(NOBODY, commit_id, b"refs/heads/r%d" % n) for n in range(1001)], pack(objects)


def _one_too_many_objects(head: str) -> tuple[list[tuple[str, str, bytes]], bytes]:
    commit_id, objects = one_commit(head, *((BLOB, b"%d" % n) for n in range(100_001)))
    return [(NOBODY, commit_id, GOOD_REF)], pack(objects)


def _folder_as_file(head: str) -> tuple[list[tuple[str, str, bytes]], bytes]:
    """A folder with a link in it, which is called a file first."""
    link = b"/etc/passwd"
    folder = b"120000 l\0" + bytes.fromhex(object_id("blob", link))
    place = bytes.fromhex(object_id("tree", folder))
    top = b"100644 a\0" + place + b"40000 b\0" + place
    commit = commit_of(object_id("tree", top), head)
    objects = [(COMMIT, commit), (TREE, top), (TREE, folder), (BLOB, link)]
    return [(NOBODY, object_id("commit", commit), GOOD_REF)], pack(objects)


def _many_names(head: str) -> tuple[list[tuple[str, str, bytes]], bytes]:
    """8 folders of 150,000 names each, whose files are one."""
    leaf = b"100644 f\0" + bytes.fromhex(object_id("blob", b"x\n"))
    entry = bytes.fromhex(object_id("tree", leaf))
    folders = [b"".join(b"40000 %d%06d\0" % (f, n) + entry for n in range(150_000)) for f in range(8)]
    top = b"".join(b"40000 %d\0" % f + bytes.fromhex(object_id("tree", raw)) for f, raw in enumerate(folders))
    commit = commit_of(object_id("tree", top), head)
    objects = [(COMMIT, commit), (TREE, top), (TREE, leaf), (BLOB, b"x\n"), *((TREE, raw) for raw in folders)]
    return [(NOBODY, object_id("commit", commit), GOOD_REF)], pack(objects)


CASES: dict[str, Build] = {
    "no pack": _packed(b""),
    "no pack at all": _packed(b"rubbish" * 1000),
    "a pack that is cut short": lambda head: (_ref(GOOD_REF)(head)[0], _ref(GOOD_REF)(head)[1][:-30]),
    "a pack with another checksum": lambda head: (
        _ref(GOOD_REF)(head)[0],
        _ref(GOOD_REF)(head)[1][:-1] + b"\0",
    ),
    "a pack that says it has 4 billion objects": _packed(pack([(BLOB, b"x")], count=0xFFFFFFFF)),
    "a pack of another version": _packed(sealed(b"PACK" + struct.pack(">II", 9, 0))),
    "an object that the pack has not": _packed(pack([(BLOB, b"x")])),
    "a size that is a lie": _packed(lying_size()),
    "2 GiB by a delta": _packed(delta_bomb()),
    "512 MiB of zeros": _zeros,
    "objects that nothing names": _stray,
    "a file that is missing": _missing,
    "a parent that is missing": _missing_parent,
    "1,001 branches": _thousand_refs,
    "a folder that is called a file": _folder_as_file,
    "1.2 million names": _many_names,
    "100,004 objects": _one_too_many_objects,
} | {
    f"the ref {ref!a}": _ref(ref)
    for ref in (
        b"HEAD", b"main", b"refs/heads/../../config", b"refs/heads/a.lock", b"refs/heads/\x1b[2J",
        b"refs/heads/", b"refs/heads/a b", b"refs/heads/a\nb", b"refs/heads/-x", b"refs/heads/a//b",
        b"refs/heads/.git", b"", b"refs/heads/a..b", b"refs/heads/a.",
        b"refs/heads/@{1}", b"refs", b"config", b"../x", b"refs/heads/\xff",
    )
}  # fmt: skip


def memory(server: Server) -> int:
    """Return how many bytes of memory the server holds."""
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


LARGE = ("1.2 million names", "512 MiB of zeros", "100,004 objects")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.thorough] if name in LARGE else []) for name in CASES],
)
def test_a_raw_push_is_refused_and_leaves_nothing(server: Server, served: Path, name: str) -> None:
    refs, objects, before = git(served, "show-ref"), stored(served), memory(server)
    updates, packed = CASES[name](git(served, "rev-parse", "main"))
    status, answer = send(server, push_request(updates, packed))
    assert status in (200, 400, 413, 503), answer
    assert b"unpack ok" not in answer or b"ng " in answer, answer
    wait_for_no_process(served)
    assert git(served, "show-ref") == refs
    assert stored(served) == objects
    assert quarantines(served) == []
    assert memory(server) - before < MAX_GROWTH_BYTES


@pytest.mark.parametrize(
    "body", [b"", b"0000", b"zzzz", b"ffff", b"0004", b"0003", b"00", b"0032" + b"x" * 46 + b"0000"]
)
def test_a_body_that_is_no_push_does_nothing(server: Server, served: Path, body: bytes) -> None:
    refs = git(served, "show-ref")
    status, _ = send(server, body)
    assert status == (200 if body == b"0000" else 400)
    assert git(served, "show-ref") == refs
    wait_for_no_process(served)


def test_clients_that_hang_up_while_they_push_leave_nothing(server: Server, served: Path) -> None:
    place = urlsplit(server.url)
    # A process is started for what is more than the first 64 KiB.
    noise = Random(1).randbytes(1 << 17)
    begun = b"PACK" + struct.pack(">II", 2, 5) + pack_header(BLOB, len(noise)) + zlib.compress(noise)
    body = push_request([(NOBODY, "1" * 40, GOOD_REF)], begun)
    head = (
        b"POST /config-repo.git/git-receive-pack HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/x-git-receive-pack-request\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    for _ in range(10):
        with socket.create_connection((place.hostname or "", place.port or 0)) as link:
            link.sendall(head + b"%x\r\n%s\r\n" % (len(body), body))
            give_up_at = time.monotonic() + 20
            while not quarantines(served):
                assert time.monotonic() < give_up_at
                time.sleep(0.01)
        wait_for_no_process(served)
    assert quarantines(served) == []


def test_a_good_push_works_after_them(here: Clone) -> None:
    here.commit({"after.json": "{}\n"})
    assert here.push().ok
