"""What a push may use of the processor, and what its client is told when that is too little."""

from __future__ import annotations

import re
import resource
import struct
import subprocess
import zlib
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path

import pytest

from configsvc.gitdoor.cputime import CpuAllowance, CpuLimit
from configsvc.gitdoor.process import GitProcess
from configsvc.gitdoor.report import explained
from configsvc.gitdoor.smart import PUSH_CPU
from tests.gitdoor.plumbing import NOBODY, pack_header, push_request
from tests.store.gitrepo import new_repository

MIB = 1 << 20
REF_DELTA, BLOB = 7, 3
BASE_BYTES = 24 * MIB
DELTAS = 400


def number(value: int) -> bytes:
    """Return a size as deltas have it."""
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def laborious_pack() -> bytes:
    """Return some 100 KB that unpack to 10 GB, each object of which has to be hashed."""
    base = bytes(BASE_BYTES)
    identity = sha1(b"blob %d\0" % BASE_BYTES + base).digest()
    copied = b"".join(
        b"\xff" + struct.pack("<I", at) + struct.pack("<I", 8 * MIB)[:3]
        for at in range(0, BASE_BYTES, 8 * MIB)
    )
    objects = [pack_header(BLOB, BASE_BYTES) + zlib.compress(base, 9)]
    for place in range(DELTAS):
        delta = number(BASE_BYTES) + number(BASE_BYTES + 4) + copied + b"\x04%04d" % place
        objects.append(pack_header(REF_DELTA, len(delta)) + identity + zlib.compress(delta))
    body = b"PACK" + struct.pack(">II", 2, len(objects)) + b"".join(objects)
    return body + sha1(body).digest()


@pytest.mark.slow
def test_a_small_pack_that_is_much_work_is_refused_in_words(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "repo")
    request = push_request([(NOBODY, "1" * 40, b"refs/heads/raw")], laborious_pack())
    assert len(request) < MIB
    arguments = ["receive-pack", "--stateless-rpc", "."]
    allowance = CpuAllowance(1.0, 0.0)
    with GitProcess(root, arguments, environ={}, timeout_s=120, tidy_s=1, cpu=allowance) as git:
        git.feed([request])
        answer = b"".join(explained(iter(git.read, b""), git.find_reason))
        git.wait()
    assert b"\x02push: its objects take more than 1 s of the processor to unpack (expected: " in answer
    assert b"unpack index-pack abnormal exit" in answer
    assert not list((root / ".git/objects").glob("*incoming*"))


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        ["sh", "-c", "cat & wait"], stdin=subprocess.PIPE, start_new_session=True
    ) as process:
        yield process
        process.communicate()


def test_each_mib_that_comes_allows_more_to_what_runs_already(sleeper: subprocess.Popen[bytes]) -> None:
    limit = CpuLimit(sleeper.pid, CpuAllowance(2.0, 1.5))
    seen = []
    for count in (0, 1, MIB - 1, MIB):
        limit.count(count)
        seen.append(resource.prlimit(sleeper.pid, resource.RLIMIT_CPU)[0])
    assert seen == [2, 3, 4, 5]
    assert resource.prlimit(sleeper.pid, resource.RLIMIT_CORE)[0] == 0


def test_honest_pushes_have_a_hundred_times_what_they_need() -> None:
    assert PUSH_CPU.seconds(0) >= 10
    assert PUSH_CPU.seconds(55 * MIB) >= 60


def packets(*contents: bytes) -> bytes:
    return b"".join(b"%04x" % (len(content) + 4) + content for content in contents) + b"0000"


OK, FAILED = b"000eunpack ok\n0000", b"0025unpack index-pack abnormal exit\n0000"


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (packets(b"\x01" + OK), packets(b"\x01" + OK)),
        (packets(b"\x01", b"\x01" + FAILED), packets(b"\x01", b"\x02why\n", b"\x01" + FAILED)),
        (packets(b"unpack index-pack abnormal exit\n"), packets(b"unpack why\n")),
        (packets(b"unpack ok\n"), packets(b"unpack ok\n")),
        (b"no packets\n", b"no packets\n"),
        (b"0009\x01cut", b"0009\x01cut"),
        (b"", b""),
    ],
)
def test_a_report_that_has_no_reason_is_given_one(answer: bytes, expected: bytes, size: int) -> None:
    chunks = [answer[at : at + size] for at in range(0, len(answer), size)]
    assert b"".join(explained(chunks, lambda: "why")) == expected
    assert b"".join(explained(chunks, str)) == answer


def test_another_failure_keeps_the_words_of_git() -> None:
    limit = CpuLimit(999_999_999, CpuAllowance(3.0, 0.0))
    assert limit.find_reason("error: index-pack died of signal 9") == ""
    assert re.search(r"more than 3 s", limit.find_reason("error: index-pack died of signal 24"))
