"""TLS as the server speaks it."""

from __future__ import annotations

import ssl

from configsvc.core.errors import SettingInvalid
from configsvc.settings import Settings

STRICT_TRANSPORT = ("Strict-Transport-Security", "max-age=31536000")
"""Browsers come back by HTTPS for a year.  Says nothing of other names below this one."""


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Return how TLS is spoken; None without a certificate.

    Raises:
        SettingInvalid: The certificate or its key cannot be used.
    """
    if settings.tls_certificate is None:
        if settings.tls_key is not None:
            raise SettingInvalid(f"tls key: {settings.tls_key} is without a certificate (expected: both)")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    key = settings.tls_key or settings.tls_certificate
    try:
        # An empty passphrase, or else OpenSSL would ask for one at the terminal.
        context.load_cert_chain(settings.tls_certificate, key, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "not readable"
        raise SettingInvalid(
            f"tls certificate: {settings.tls_certificate} with the key {key} cannot be used: {reason} "
            "(expected: PEM files that belong together, the key without a passphrase)"
        ) from error
    return context
