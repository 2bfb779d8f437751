"""Which requests may be answered from what is kept: a plain read, with nothing unusual about it."""

from __future__ import annotations

import re
from typing import NamedTuple

from configsvc.api.problems import SEED_PATH
from configsvc.api.v1.paths import PREFIX
from configsvc.core.names import is_service
from configsvc.edge.asgi_types import RawHeaders, Scope

_SEED = SEED_PATH.encode("ascii") + b"?service="
_API = f"{PREFIX}/configs/".encode("ascii")
_TARGET = re.compile(
    rb"(?:%s|%s)([a-z0-9](?:[a-z0-9._/-]|%%2F){0,199})" % (re.escape(_SEED), re.escape(_API))
)
ONE_TAG = re.compile(rb'"[\x21\x23-\x7e]*"')
_MET = frozenset(
    (
        b"accept",
        b"authorization",
        b"content-length",
        b"host",
        b"if-match",
        b"if-none-match",
        b"transfer-encoding",
    )
)
"""Headers that the answer to a read depends on."""


class HotRequest(NamedTuple):
    """A plain read.

    Args:
        target: In the one spelling that answers are kept under.
        tag: What the client has, by `If-None-Match`; None when it does not say.
    """

    target: bytes
    host: bytes
    authorization: bytes | None
    accept: bytes | None
    tag: bytes | None

    def is_content(self, media_type: bytes) -> bool:
        """Return whether the client takes the form in which a document is stored; `/config` has one only."""
        plain = self.accept in (None, b"", b"*/*", media_type)
        return plain or self.is_seed

    @property
    def is_seed(self) -> bool:
        """Whether `/config` is asked."""
        return self.target.startswith(_SEED)

    @property
    def service(self) -> str:
        """The name of the service; it may be none in the grammar."""
        return self.target.removeprefix(_SEED).removeprefix(_API).decode("ascii")


def is_hot(scope: Scope) -> bool:
    """Return whether method and target are those of a plain read."""
    return scope["method"] in ("GET", "HEAD") and is_hot_target(target_of(scope))


def is_hot_target(target: bytes) -> bool:
    """Return whether a target as it was sent is that of a plain read."""
    return _TARGET.fullmatch(target) is not None


def find_request(sent_target: bytes, headers: RawHeaders) -> HotRequest | None:
    """Return what a request for a hot target asks for; None when there is something unusual about it."""
    target = sent_target.replace(b"%2F", b"/")
    found = _met(headers)
    if found is None or found.keys() & {b"content-length", b"if-match", b"transfer-encoding"}:
        return None
    host, tag = found.get(b"host"), found.get(b"if-none-match")
    if host is None or not (tag is None or ONE_TAG.fullmatch(tag)):
        return None
    return HotRequest(target, host, found.get(b"authorization"), found.get(b"accept"), tag)


def target_for(service: str, *, is_seed: bool) -> bytes:
    """Return the target of a plain read of `service`."""
    return (_SEED if is_seed else _API) + service.encode("ascii")


def is_named(request: HotRequest) -> bool:
    """Return whether the request names what may be a service."""
    return is_service(request.service)


def target_of(scope: Scope) -> bytes:
    """Return path and query as they were sent."""
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


def _met(headers: RawHeaders) -> dict[bytes, bytes] | None:
    """Return the headers that matter; None when one of them is there twice."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _MET:
            if name in found:
                return None
            found[name] = value
    return found
