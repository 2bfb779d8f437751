"""Headers that every answer carries."""

from __future__ import annotations

REVISION = "Config-Revision"
VERSION = "Config-Version"

SECURITY = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
)
"""No browser shall guess a type, frame, embed or run what this service answers."""
