"""The one place where secrets are taken out of what is logged."""

from __future__ import annotations

import re

REDACTED = "[redacted]"

# Longer than any id or path of ours, shorter than any token; a hash of 64 hex digits is no secret.
_TOKEN = re.compile(r"cfg_[A-Za-z0-9_-]{16,}", re.ASCII)
_CREDENTIAL = re.compile(r"\b(bearer|basic)([ :=+]|%20)+[A-Za-z0-9._~+/-]{16,}=*", re.ASCII | re.IGNORECASE)


def redact(text: str) -> str:
    """Return `text` without tokens and without what an Authorization header carries."""
    return _CREDENTIAL.sub(rf"\1 {REDACTED}", _TOKEN.sub(REDACTED, text))
