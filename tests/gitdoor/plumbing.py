"""Commits that no honest git makes: trees and commits as raw bytes."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.gitdoor.clones import Clone

FILE = "100644"
NOBODY = "0" * 40

Node = tuple[str, str]
"""Mode and object id."""


@dataclass
class Plumber:
    """Makes objects in a clone, past every check."""

    clone: Clone

    def blob(self, content: bytes | str) -> str:
        """Return the id of a blob."""
        return self.put("blob", content.encode() if isinstance(content, str) else content)

    def put(self, kind: str, content: bytes) -> str:
        """Return the id of an object of any content."""
        return self.clone.git("hash-object", "-t", kind, "-w", "--literally", "--stdin", stdin=content)

    def tree(self, entries: Sequence[tuple[str, bytes, str]], *, is_sorted: bool = True) -> str:
        """Return the id of a folder."""
        ordered = sorted(entries, key=_git_order) if is_sorted else entries
        raw = b"".join(
            mode.encode() + b" " + name + b"\0" + bytes.fromhex(id_) for mode, name, id_ in ordered
        )
        return self.put("tree", raw)

    def folder(self, name: str = "") -> dict[bytes, Node]:
        """Return what is in a folder of HEAD."""
        listed = self.clone.git("ls-tree", "-z", f"HEAD:{name}").split("\0")[:-1]
        found = {}
        for line in listed:
            about, _, path = line.partition("\t")
            mode, _, id_ = about.split(" ")
            found[path.encode()] = (mode.removeprefix("0"), id_)
        return found

    def root(self, files: Mapping[bytes, Node | None]) -> str:
        """Return the id of HEAD's tree with files set at paths, or removed."""
        return self._edited("", dict(files))

    def _edited(self, folder: str, files: dict[bytes, Node | None]) -> str:
        try:
            entries = self.folder(folder)
        except AssertionError:
            entries = {}
        below: dict[bytes, dict[bytes, Node | None]] = {}
        for path, node in files.items():
            name, slash, rest = path.partition(b"/")
            if slash:
                below.setdefault(name, {})[rest] = node
            elif node is None:
                entries.pop(name, None)
            else:
                entries[name] = node
        for name, deeper in below.items():
            inner = f"{folder}/{name.decode('utf-8', 'surrogateescape')}".lstrip("/")
            entries[name] = ("40000", self._edited(inner, deeper))
        return self.tree([(mode, name, id_) for name, (mode, id_) in entries.items()])

    def commit(
        self,
        tree: str,
        *parents: str,
        message: bytes = b"Change\n",
        who: bytes = b"Eve <eve@example.com>",
        when: int = 1_700_000_000,
        committer: bytes | None = None,
    ) -> str:
        """Return the id of a commit; without parents its parent is HEAD."""
        lines = [b"tree " + tree.encode()]
        lines += [b"parent " + parent.encode() for parent in (parents or (self.clone.head,))]
        stamp = b" %d +0000" % when
        lines += [b"author " + who + stamp, b"committer " + (committer or who) + stamp]
        return self.put("commit", b"\n".join(lines) + b"\n\n" + message)

    def files(self, files: Mapping[bytes, bytes | Node | None], *parents: str) -> str:
        """Return the id of a commit with regular files, or other nodes, on HEAD's tree."""
        nodes = {
            path: (FILE, self.blob(content)) if isinstance(content, bytes) else content
            for path, content in files.items()
        }
        return self.commit(self.root(nodes), *parents)


def pack(objects: Sequence[tuple[int, bytes]], *, count: int | None = None) -> bytes:
    """Return a pack of whole objects (kind number and content)."""
    body = b"PACK" + struct.pack(">II", 2, len(objects) if count is None else count)
    for kind, content in objects:
        body += pack_header(kind, len(content)) + zlib.compress(content)
    return body + hashlib.sha1(body).digest()


def pack_header(kind: int, size: int) -> bytes:
    """Return how an object of a pack begins."""
    byte = (kind << 4) | (size & 15)
    size >>= 4
    out = b""
    while size:
        out += bytes([byte | 0x80])
        byte, size = size & 0x7F, size >> 7
    return out + bytes([byte])


def push_request(updates: Sequence[tuple[str, str, bytes]], packed: bytes) -> bytes:
    """Return the body of a push over HTTP."""
    body = b""
    for place, (old, new, ref) in enumerate(updates):
        line = old.encode() + b" " + new.encode() + b" " + ref
        line += b"" if place else b"\0report-status side-band-64k agent=test"
        body += b"%04x" % (len(line) + 4) + line
    return body + b"0000" + packed


def _git_order(entry: tuple[str, bytes, str]) -> bytes:
    return entry[1] + b"/" if entry[0] in ("40000", "040000") else entry[1]
