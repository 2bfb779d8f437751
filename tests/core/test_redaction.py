from __future__ import annotations

import base64

import pytest

from configsvc.core.redaction import redact

TOKEN = "cfg_Dr6Nv99v7feh5mF58mhmqcMkKF9CShViGjJc_kWY5Jg5-Zm2"
PAIR = base64.b64encode(f"x:{TOKEN}".encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"GET /config?token={TOKEN}&x=1",
        f"Authorization: Bearer {TOKEN}",
        f"authorization: bearer {'a' * 40}",
        f"?h=Bearer%20{'a' * 40}",
        f"Basic {PAIR}",
        f'{{"Authorization": "Basic {PAIR}"}}',
    ],
)
def test_no_credential_is_left(text: str) -> None:
    shown = redact(text)
    assert "[redacted]" in shown
    assert not any(secret in shown for secret in (TOKEN, TOKEN[-20:], PAIR, "a" * 40))


@pytest.mark.parametrize(
    "text", ["", "a basic question", "the bearer of news", "0" * 64, "payments/cfg_x", "cfg_short"]
)
def test_what_is_no_credential_stays(text: str) -> None:
    assert redact(text) == text
