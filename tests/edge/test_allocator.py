"""Small objects are allocated by the C library or by Python, and may be freed under either."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from tests.end_to_end.serving import ROOT

BEGIN = """
import os, re, sys, tempfile, threading, tracemalloc
from configsvc.edge.allocator import CrowdAllocator

def pieces():
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        sys._debugmallocstats()
        os.dup2(kept, 2)
        os.close(kept)
        file.seek(0)
        return int(re.search(rb"arenas allocated total += +([0-9,]+)", file.read())[1].replace(b",", b""))

allocator = CrowdAllocator()
"""


def run(program: str, **variables: str) -> str:
    """Run a program with an allocator of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + textwrap.dedent(program)],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_the_c_library_allocates_is_none_of_pythons_pieces() -> None:
    assert run("""
        before = pieces()
        assert allocator.use_libc(True)
        crowd = [[number, {}] for number in range(100_000)]
        assert not allocator.use_libc(False)
        print(pieces() - before)
        del crowd
        again = [[number, {}] for number in range(100_000)]
        print(pieces() - before > 10)
    """).split() == ["0", "True"]


def test_objects_live_on_and_grow_when_the_other_allocates() -> None:
    assert (
        run("""
        kept = []
        for turn in range(40):
            allocator.use_libc(turn % 2 == 0)
            kept.append({"list": [turn], "bytes": bytearray(b"x"), "text": str(turn) * 5})
            for each in kept:
                each["list"].append(object())
                each["bytes"] += b"y" * 17
                each[turn] = turn / 7
            if turn % 5 == 4:
                del kept[::3]
        for each in kept:
            first = each["list"][0]
            assert each["text"] == str(first) * 5
            assert len(each["list"]) == 41 - first == 1 + (len(each["bytes"]) - 1) // 17
            assert all(each[turn] == turn / 7 for turn in range(first, 40))
        print(len(kept) > 3)
    """)
        == "True"
    )


def test_threads_allocate_while_it_is_changed() -> None:
    assert (
        run("""
        sys.setswitchinterval(1e-5)
        is_over, wrong = threading.Event(), []

        def work():
            while not is_over.is_set():
                made = [{"n": number, "t": str(number)} for number in range(200)]
                if [each["t"] for each in made] != [str(number) for number in range(200)]:
                    wrong.append(made)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for turn in range(500):
            allocator.use_libc(turn % 2 == 0)
            [str(number) for number in range(300)]
        is_over.set()
        for thread in threads:
            thread.join()
        print(wrong)
    """)
        == "[]"
    )


@pytest.mark.parametrize("chosen", ["malloc", "debug", "pymalloc_debug", "malloc_debug"])
def test_an_allocator_that_somebody_chose_is_left_alone(chosen: str) -> None:
    assert run("print(allocator.use_libc(True), allocator.use_libc(False))", PYTHONMALLOC=chosen) == (
        "False False"
    )


def test_who_counts_every_block_goes_on_counting() -> None:
    assert (
        run("""
        tracemalloc.start()
        print(CrowdAllocator().use_libc(True))
        tracemalloc.stop()
        assert allocator.use_libc(True)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        allocator.use_libc(False)
        crowd = [[number] for number in range(10_000)]
        print(tracemalloc.get_traced_memory()[0] - before > 100_000)
    """)
        == "False\nTrue"
    )
