from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from configsvc import __version__
from tests.end_to_end.serving import ROOT, Server, serving
from tests.store.gitrepo import git

REFUSED_WITHIN_S = 30
STOP_LIMIT_S = 10


def run_serve(*flags: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a `configsvc serve` that refuses to start."""
    return subprocess.run(
        [sys.executable, "-m", "configsvc.cli", "serve", *flags],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=REFUSED_WITHIN_S,
    )


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=STOP_LIMIT_S)


def wait_until_refused(url: str) -> None:
    """Return when the server no longer accepts connections."""
    with contextlib.suppress(ConnectionError):
        while True:
            connect(url).close()


@pytest.mark.slow
def test_one_line_tells_that_the_server_is_ready_and_where(tmp_path: Path) -> None:
    repo = tmp_path / "config-repo"
    with serving(repo) as server:
        port = server.url.rsplit(":", 1)[1]
        assert server.ready == (
            f"configsvc {__version__} serving {repo} at http://127.0.0.1:{port} (revision 1)\n"
        )
        assert server.ask("GET", "/readyz").status == 200
        assert server.stop() == 0


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_does_not_wait_for_idle_and_slow_connections(tmp_path: Path, signal_number: int) -> None:
    with serving(tmp_path / "repo") as server:
        assert server.ask("POST", "/config?service=a", {"n": 1}).status == 201
        with connect(server.url) as kept, connect(server.url) as slow_head, connect(server.url) as slow_body:
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert kept.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
            slow_head.sendall(b"GET /hea")
            slow_body.sendall(
                b"POST /config?service=b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
            )
            began = time.monotonic()
            server.process.send_signal(signal_number)
            assert server.process.wait(STOP_LIMIT_S) == 0
            assert time.monotonic() - began < STOP_LIMIT_S
    with serving(tmp_path / "repo") as server:
        assert server.ask("GET", "/config?service=a").text == '{"n": 1}'


@pytest.mark.slow
def test_a_request_under_way_is_answered_before_the_server_stops(tmp_path: Path) -> None:
    body = b'{"n": 1}'
    head = (
        b"POST /config?service=late HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body)
    )
    with serving(tmp_path / "repo") as server, connect(server.url) as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        server.process.terminate()
        wait_until_refused(server.url)
        connection.sendall(body)
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
        assert answer.startswith(b"HTTP/1.1 201 ")
        assert server.process.wait(STOP_LIMIT_S) == 0
    with serving(tmp_path / "repo") as server:
        assert server.ask("GET", "/config?service=late").text == '{"n": 1}'


@pytest.mark.slow
def test_settings_come_from_flags_variables_and_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('max_document_bytes = 20\nhost_name = ["mine.example"]\nlog_level = "error"\n')
    environ = {"CONFIGSVC_MAX_DOCUMENT_BYTES": "30", "CONFIGSVC_MAX_DEPTH": "2"}
    with serving(tmp_path / "repo", "--config", str(file), "--max-depth", "1", environ=environ) as server:
        assert server.ask("POST", "/config?service=a", {"n": "x" * 10}).status == 201
        assert server.ask("POST", "/config?service=b", {"n": "x" * 30}).status == 413
        assert server.ask("POST", "/config?service=c", {"n": {}}).status == 400
        with connect(server.url) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: mine.example\r\nConnection: close\r\n\r\n")
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--listen", "nonsense"], "--listen: 'nonsense' (expected: HOST:PORT"),
        (["--listen", "no-such-host.invalid:0"], "listen: no-such-host.invalid has no address"),
        (["--max-depth", "0"], "--max-depth: '0' (expected: an integer from 1 to 200)"),
        (["--config", "/nonexistent.toml"], "/nonexistent.toml: cannot be read"),
    ],
)
def test_a_start_that_must_not_be_is_refused_in_one_line(
    tmp_path: Path, flags: list[str], message: str
) -> None:
    result = run_serve("--repo", str(tmp_path / "repo"), *flags)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("configsvc: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "repo").exists()


def get(server: Server, target: str, token: str = "") -> int:
    """Return the status of a GET, with a token as credential when there is one."""
    port = int(server.url.rsplit(":", 1)[1])
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=STOP_LIMIT_S)
    with contextlib.closing(connection):
        connection.request("GET", target, headers=headers)
        return connection.getresponse().status


@pytest.mark.slow
def test_a_server_that_others_can_reach_makes_an_admin_and_asks_for_a_token(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    repo = tmp_path / "repo"
    kept = repo / ".git/configsvc/admin-token"
    with serving(repo, "--listen", "0.0.0.0:0") as server:
        token = kept.read_text().strip()
        assert kept.stat().st_mode & 0o777 == 0o600
        assert get(server, "/config?service=a") == 401
        assert get(server, "/config?service=a", token) == 404
        assert get(server, "/healthz") == 200
    said = capfd.readouterr().err
    assert f"configsvc: made the principal admin; its token is in {kept}\n" in said
    assert token not in said
    assert token not in git(repo, "show", "main:.configsvc/principals/admin.yaml")
    with serving(repo, "--listen", "0.0.0.0:0", "--open") as server:  # the second start makes no other
        assert get(server, "/config?service=a", token) == 404
        assert get(server, "/config?service=a") == 401
    assert "made the principal" not in capfd.readouterr().err


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("listen", ["127.0.0.1:0", "0.0.0.0:0"])
def test_the_first_admin_has_the_token_that_the_operator_chose(tmp_path: Path, listen: str) -> None:
    chosen = tmp_path / "token"
    chosen.write_text("an-operators-own-token-of-some-length\n")
    environ = {"CONFIGSVC_ADMIN_TOKEN_FILE": str(chosen)}
    with serving(tmp_path / "repo", "--listen", listen, environ=environ) as server:
        assert get(server, "/config?service=a", "an-operators-own-token-of-some-length") == 404
        assert get(server, "/config?service=a") == 401
    assert not (tmp_path / "repo/.git/configsvc/admin-token").exists()


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("content", ["short\n", "", None])
def test_a_server_that_would_have_no_admin_does_not_start(tmp_path: Path, content: str | None) -> None:
    chosen = tmp_path / "token"
    if content is not None:
        chosen.write_text(content)
    flags = ["--listen", "0.0.0.0:0", "--admin-token-file", str(chosen)]
    result = run_serve("--repo", str(tmp_path / "repo"), *flags)
    assert result.returncode == 2
    assert result.stderr.startswith("configsvc: admin token file: ")
    assert "short" not in result.stderr


@pytest.mark.slow
def test_a_server_that_is_told_to_be_open_makes_no_admin(tmp_path: Path) -> None:
    with serving(tmp_path / "repo", "--listen", "0.0.0.0:0", "--open") as server:
        assert get(server, "/config?service=a") == 404
    assert not (tmp_path / "repo/.git/configsvc/admin-token").exists()


@pytest.mark.slow
def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run_serve("--repo", str(tmp_path / "repo"), "--listen", f"127.0.0.1:{port}")
    assert (result.returncode, result.stderr) == (
        2,
        f"configsvc: listen: 127.0.0.1:{port} cannot be listened on: Address already in use\n",
    )


@pytest.mark.slow
def test_a_folder_that_is_no_repository_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("something")
    result = run_serve("--repo", str(tmp_path), "--listen", "127.0.0.1:0")
    assert result.returncode == 6
    assert result.stderr.startswith("configsvc: ")
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_a_log_in_json_has_one_object_a_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "configsvc.cli", "serve", "--repo", str(tmp_path / "repo")]
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", "--log-format", "json"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CONFIGSVC_REPOSITORY": "misspelt"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split(" at ")[1].split()[0]
        with connect(url) as connection:
            connection.sendall(
                b"GET /config?service=x%1b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            while connection.recv(1 << 16):
                pass
        process.terminate()
        assert process.stderr is not None
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    (warning,) = [line for line in lines if line["level"] == "WARNING"]
    assert warning["message"] == "CONFIGSVC_REPOSITORY: is not a setting of the server, ignored"
    (access,) = [line for line in lines if line["logger"] == "configsvc.access"]
    assert access["level"] == "INFO"
    assert access["time"].endswith("+00:00")
    assert (access["method"], access["path"], access["status"]) == ("GET", "/config?service=x%1b", 400)
