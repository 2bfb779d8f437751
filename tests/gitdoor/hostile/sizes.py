"""Pushes that are too much."""

from __future__ import annotations

from tests.gitdoor.hostile.case import PROPOSAL, Case, file
from tests.gitdoor.plumbing import FILE, Plumber


def _ten_thousand(plumber: Plumber) -> str:
    blob = plumber.blob("{}\n")
    inner = plumber.tree([(FILE, b"s%05d.json" % n, blob) for n in range(10_000)])
    return plumber.files({b"many": ("40000", inner)})


def _nine_megabytes(plumber: Plumber) -> str:
    blob = plumber.blob("x")
    wide = plumber.tree([(FILE, b"%0200d" % n, blob) for n in range(40_000)])
    return plumber.files({b"wide": ("40000", wide)})


def _tree_bomb(plumber: Plumber) -> str:
    """10^12 files in 13 objects."""
    node = (FILE, plumber.blob("x\n"))
    for _ in range(12):
        node = ("40000", plumber.tree([(node[0], b"f%d" % n, node[1]) for n in range(10)]))
    return plumber.files({b"bomb": node})


def _hollow_bomb(plumber: Plumber) -> str:
    """10^12 folders without a single file."""
    node = ("40000", plumber.tree([]))
    for _ in range(12):
        node = ("40000", plumber.tree([(node[0], b"f%d" % n, node[1]) for n in range(10)]))
    return plumber.files({b"bomb": node})


def _deep(plumber: Plumber) -> str:
    node = (FILE, plumber.blob("x\n"))
    for _ in range(500):
        node = ("40000", plumber.tree([(node[0], b"d", node[1])]))
    return plumber.files({b"deep": node})


def _twice(plumber: Plumber) -> str:
    entries = [(mode, name, id_) for name, (mode, id_) in plumber.folder().items()]
    blob = plumber.blob("x\n")
    return plumber.commit(plumber.tree([*entries, (FILE, b"zz", blob), (FILE, b"zz", plumber.blob("y\n"))]))


def _unsorted(plumber: Plumber) -> str:
    entries = [(mode, name, id_) for name, (mode, id_) in plumber.folder().items()]
    return plumber.commit(
        plumber.tree([*reversed(entries), (FILE, b"aa", plumber.blob("x\n"))], is_sorted=False)
    )


SIZES = {
    "10,000 files": Case(_ten_thousand, "files"),
    "10^12 files": Case(_tree_bomb, ""),
    "10^12 folders": Case(_hollow_bomb, "an empty folder"),
    "an empty folder in a proposal": Case(
        lambda p: p.files({b"hollow": ("40000", p.tree([]))}), "an empty folder", (PROPOSAL,)
    ),
    "500 folders deep": Case(_deep, "deeper"),
    "500 folders deep in a proposal": Case(_deep, "deeper", (PROPOSAL,)),
    "a blob of 40 MB": Case(file(b"big.bin", b"\0" * (40 << 20)), "bytes"),
    "a blob of 40 MB in a proposal": Case(file(b"big.bin", b"\0" * (40 << 20)), "bytes", (PROPOSAL,)),
    "a name twice in a folder": Case(_twice, ""),
    "a folder out of order": Case(_unsorted, ""),
    "a folder of 9 MB": Case(_nine_megabytes, "bytes"),
}
