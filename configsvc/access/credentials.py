"""Tokens: how they are made, how a request carries one, and the form in which one is kept.

A token is `cfg_` and 48 characters of base64url: 32 random bytes and a CRC-32 of
them, so that a scanner for leaked secrets can tell a token from what looks like one without
asking anybody.  Only the SHA-256 of its text is kept: with 256 random bits there is nothing to guess,
so a slow or salted hash would only cost time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets

from configsvc.core.errors import Unauthorized

PREFIX = "cfg_"
RANDOM_BYTES = 32
MIN_TOKEN_CHARS = 32
MAX_TOKEN_CHARS = 200
MAX_HEADER_CHARS = 1000

# RFC 6750, b64token.
_TOKEN = re.compile(rf"[A-Za-z0-9._~+/-]{{{MIN_TOKEN_CHARS},{MAX_TOKEN_CHARS}}}={{0,2}}", re.ASCII)
_HEADER = re.compile(r"([A-Za-z]{1,20}) {1,8}([\x21-\x7e]+) {0,8}", re.ASCII)


def make_token() -> str:
    """Return a new token: 256 random bits."""
    body = secrets.token_bytes(RANDOM_BYTES)
    return PREFIX + base64.urlsafe_b64encode(body + _checksum(body)).decode("ascii")


def is_own_token(text: str) -> bool:
    """Return whether `text` is a token as `make_token` makes them."""
    try:
        data = base64.b64decode(text.removeprefix(PREFIX), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    body, checksum = data[:RANDOM_BYTES], data[RANDOM_BYTES:]
    return text.startswith(PREFIX) and len(body) == RANDOM_BYTES and checksum == _checksum(body)


def is_token(text: str) -> bool:
    """Return whether `text` may be a token, one that an operator chose included."""
    return _TOKEN.fullmatch(text) is not None


def token_hash(token: str) -> str:
    """Return the form in which a token is kept: 64 hex digits, as `printf %s TOKEN | sha256sum` says."""
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def parse_authorization(header: str | None) -> str:
    """Return the token that an Authorization header carries.

    `Bearer TOKEN`, or `Basic` with the token as password; its user name is not looked at, since nothing
    but the token says who asks.

    Raises:
        Unauthorized: There is no header, or it carries no token.  The message holds nothing of it.
    """
    if not header:
        raise Unauthorized("credential: none (expected: Authorization with a token of a principal)")
    match = _HEADER.fullmatch(header) if len(header) <= MAX_HEADER_CHARS else None
    scheme, text = (match[1].lower(), match[2]) if match else ("", "")
    token = text if scheme == "bearer" else _password(text) if scheme == "basic" else ""
    if not is_token(token):
        raise Unauthorized(
            "credential: not readable (expected: Bearer TOKEN, or Basic with the token as password)"
        )
    return token


def _password(text: str) -> str:
    try:
        pair = base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""
    return pair.partition(":")[2]


def _checksum(body: bytes) -> bytes:
    return binascii.crc32(body).to_bytes(4, "big")
