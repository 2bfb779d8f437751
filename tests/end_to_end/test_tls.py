"""The server with a certificate of its own."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
from pathlib import Path

import pytest

from configsvc.core.errors import SettingInvalid
from configsvc.edge.tls import tls_context
from configsvc.settings import Settings
from tests.end_to_end.serving import serving


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Certificate and key for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    made = (folder / "cert.pem", folder / "key.pem")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    )
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(made[0]), "-keyout", str(made[1])]
    subprocess.run([*command.split(), *more], check=True, capture_output=True)
    return made


def ask(
    url: str, context: ssl.SSLContext, method: str, target: str, body: object = None
) -> http.client.HTTPResponse:
    host, port = url.removeprefix("https://").split(":")
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=20)
    data = None if body is None else json.dumps(body)
    connection.request(method, target, data, {"Content-Type": "application/json", "Connection": "close"})
    return connection.getresponse()


@pytest.mark.thorough
@pytest.mark.slow
def test_writes_and_reads_over_tls(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    flags = ("--tls-certificate", str(pair[0]), "--tls-key", str(pair[1]))
    context = ssl.create_default_context(cafile=str(pair[0]))
    with serving(tmp_path / "repo", *flags) as server:
        assert server.url.startswith("https://")
        value = {"text": "x" * 300_000}
        with ask(server.url, context, "POST", "/config?service=a", value) as made:
            assert made.status == 201
        with ask(server.url, context, "GET", "/config?service=a") as found:
            assert json.loads(found.read()) == value
            assert found.headers["Strict-Transport-Security"] == "max-age=31536000"
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(server.url, ssl.create_default_context(), "GET", "/healthz")
        plain = http.client.HTTPConnection("127.0.0.1", int(server.url.rsplit(":", 1)[1]), timeout=20)
        plain.request("GET", "/healthz")
        with pytest.raises((http.client.BadStatusLine, ConnectionError)):
            plain.getresponse()
        plain.close()
        assert server.stop() == 0


def test_old_protocols_are_not_spoken(pair: tuple[Path, Path]) -> None:
    context = tls_context(Settings(tls_certificate=pair[0], tls_key=pair[1]))
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("case", ["no file", "no key", "key alone", "not PEM", "passphrase"])
def test_what_cannot_be_used_is_refused_at_the_start(
    tmp_path: Path, pair: tuple[Path, Path], case: str
) -> None:
    (tmp_path / "text").write_text("text")
    locked = tmp_path / "locked.pem"
    make = ["openssl", "ec", "-in", str(pair[1]), "-aes128", "-passout", "pass:word", "-out", str(locked)]
    subprocess.run(make, check=True, capture_output=True)
    cases: dict[str, tuple[Path | None, Path | None]] = {
        "no file": (tmp_path / "none", pair[1]),
        "no key": (pair[0], None),
        "key alone": (None, pair[1]),
        "not PEM": (tmp_path / "text", pair[1]),
        "passphrase": (pair[0], locked),
    }
    certificate, key = cases[case]
    with pytest.raises(SettingInvalid, match=r"^tls (key|certificate): .*\(expected: "):
        tls_context(Settings(tls_certificate=certificate, tls_key=key))
