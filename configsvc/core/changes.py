"""A write as a value: what to change, who asks, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_REQUEST_ID_CHARS = 128
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~:/+=-]{1,128}", re.ASCII)
# Unicode's line separators, bidi controls and zero-width characters reorder or
# hide text on a reader's terminal; C0 and C1 controls forge headers.
_UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a change, as git records it.

    Characters that git's own header cannot hold (controls, `<`, `>`) are
    dropped, so that no name can forge another line.
    """

    name: str
    email: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _header_text(self.name) or "unknown")
        object.__setattr__(self, "email", _header_text(self.email))

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, slots=True)
class Plan:
    """The exact outcome of a write against one state of the repository.

    Args:
        edits: Path to its new bytes, or to None to remove it.  Empty when
            the state is already the one asked for.
        message: Commit message; the first line is the subject.
        trailers: Name to value, one line each; what is put at the message's end.
    """

    edits: Mapping[str, bytes | None]
    message: str
    trailers: Mapping[str, str] = field(default_factory=dict)

    def full_message(self, trailers: Mapping[str, str]) -> str:
        """Return the message with its own trailers and then `trailers`."""
        return self.message + _trailer_paragraph({**self.trailers, **trailers})


class ServiceVersion(NamedTuple):
    """The version of one service that a commit made."""

    service: str
    version: int
    deleted: bool = False


class Outcome(NamedTuple):
    """What came of a write.

    Args:
        revision: Revision the write landed as; the one it was judged at when
            it changed nothing.
        commit_id: Commit of that revision.
        versions: One entry per service whose version this write made.
        changed: False when the state was already the one asked for.
    """

    revision: int
    commit_id: str
    versions: tuple[ServiceVersion, ...]
    changed: bool = True


def commit_message(subject: str, body: str = "", trailers: Mapping[str, str] | None = None) -> str:
    """Return a commit message whose trailers are ours alone.

    Control, bidirectional and invisible characters are dropped from `subject`
    and `body`.  Lines of the body are indented by two spaces when they could be read
    as a trailer (git-interpret-trailers(1)), so client text forges none.

    Args:
        subject: One line; cut at 200 characters, line breaks become spaces.
        body: Free text, may be empty.
        trailers: Name to value, in order; values are one line.
    """
    first = _clean(subject).replace("\n", " ").strip()[:200] or "(no message)"
    parts = [first]
    text = _clean(body).strip("\n")
    if text:
        parts.append("\n".join(_unforged(line) for line in text.split("\n")))
    return "\n\n".join(parts) + "\n" + _trailer_paragraph(trailers or {})


def is_request_id(text: str) -> bool:
    """Return whether `text` may be a request id: 1 to 128 of `A-Z a-z 0-9 . _ ~ : / + = -`."""
    return _REQUEST_ID.fullmatch(text) is not None


def _trailer_paragraph(trailers: Mapping[str, str]) -> str:
    lines = [f"{name}: {_clean(value)}".replace("\n", " ") for name, value in trailers.items()]
    return "\n" + "\n".join(lines) + "\n" if lines else ""


def _unforged(line: str) -> str:
    return (
        "  " + line
        if re.match(r"[A-Za-z0-9-]+\s*:|\(cherry picked from|Signed-off-by", line)
        else line.rstrip()
    )


def _clean(text: str) -> str:
    return _UNSAFE.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))


def _header_text(text: str) -> str:
    return re.sub(r"[<>\n]", "", _clean(text)).strip(" .,:;\"'\\")


ANONYMOUS = Author("anonymous", "anonymous@configsvc.invalid")
"""Author of a write on a server without principals (RFC 2606 `.invalid`)."""

COMMITTER = Author("configsvc", "configsvc@configsvc.invalid")
"""Committer of every commit that the writer makes."""
