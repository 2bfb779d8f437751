"""Git objects as bytes and ids (gitformat-pack(5), git-hash-object(1))."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha1
from typing import Literal

from configsvc.core.changes import Author

Kind = Literal["commit", "tree", "blob"]
Objects = dict[bytes, tuple[Kind, bytes]]
"""Objects of a batch: 20-byte id to kind and content."""

_KIND_PREFIX = {"commit": b"commit ", "tree": b"tree ", "blob": b"blob "}


def object_id(kind: Kind, content: bytes) -> bytes:
    """Return the 20-byte id that git gives an object."""
    digest = sha1(_KIND_PREFIX[kind] + b"%d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.digest()


def add_object(objects: Objects, kind: Kind, content: bytes) -> bytes:
    """Put an object into `objects` and return its 20-byte id."""
    identity = object_id(kind, content)
    objects[identity] = (kind, content)
    return identity


@dataclass(frozen=True, slots=True)
class CommitObject:
    """What a commit object says; times are seconds since the epoch, UTC."""

    tree: bytes
    parents: tuple[bytes, ...]
    author: Author
    committer: Author
    committed_at: int
    message: str
    authored_at: int | None = field(default=None)

    def encode(self) -> bytes:
        """Return the content of the commit object."""
        authored_at = self.committed_at if self.authored_at is None else self.authored_at
        parents = "".join([f"parent {parent.hex()}\n" for parent in self.parents])
        return (
            f"tree {self.tree.hex()}\n{parents}"
            f"author {self.author} {authored_at} +0000\n"
            f"committer {self.committer} {self.committed_at} +0000\n\n{self.message}"
        ).encode("utf-8", "replace")


def commit_tree(content: bytes) -> bytes:
    """Return the 20-byte tree id of a commit object's content."""
    return bytes.fromhex(content[5:45].decode("ascii"))


def commit_message_of(content: bytes) -> str:
    """Return the message of a commit object's content, as UTF-8 whatever it was written in."""
    head, _, message = content.partition(b"\n\n")
    encoding = next((line[9:] for line in head.split(b"\n") if line.startswith(b"encoding ")), b"utf-8")
    try:
        return message.decode(encoding.decode("ascii", "replace"), "replace")
    except LookupError:
        return message.decode("utf-8", "replace")
