"""Live configs on a real server over TCP: threads, coroutines, gevent, forks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from configsvc.client import Change, Client, LiveOptions
from configsvc.testing import FakeServer
from configsvc.testing.server import RunningServer
from tests.client.live.test_async_live import eventually as soon
from tests.client.live.waiting import PATIENCE_S, eventually
from tests.client.servers import KINDS, server_of
from tests.end_to_end.serving import QUIET, ROOT, Server, serving

pytestmark = pytest.mark.slow

NONE_KEPT = LiveOptions(cache_dir=None)


@dataclass(frozen=True)
class Settings:
    n: int


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server | RunningServer]:
    with server_of(request.param, tmp_path_factory.mktemp("live")) as running:
        yield running


@pytest.fixture
def client(server: Server | RunningServer) -> Iterator[Client]:
    with Client(server.url, live=NONE_KEPT) as made:
        yield made


def test_every_version_is_told_in_order(client: Client) -> None:
    client.put("order/api", {"n": 0})
    config = client.config("order/api", bind=Settings)
    changes: list[Change[Settings]] = []
    config.on_change(changes.append)
    eventually(lambda: config.age_s == 0.0)
    for number in range(1, 6):
        client.put("order/api", {"n": number})
        eventually(lambda: config.value.n == number)  # noqa: B023 - called in this round only
    eventually(lambda: len(changes) == 5)
    assert [(change.version, change.new.n) for change in changes] == [(n, n) for n in range(1, 6)]


def test_many_services_by_prefix_and_a_deletion(client: Client) -> None:
    names = [f"many/s{number}" for number in range(20)]
    client.commit([{"op": "put", "service": name, "value": {"n": 0}} for name in names])
    configs = [client.config(name, bind=Settings) for name in names]
    eventually(lambda: all(config.age_s == 0.0 for config in configs))
    client.commit([{"op": "put", "service": name, "value": {"n": 1}} for name in names])
    eventually(lambda: all(config.value.n == 1 for config in configs))
    client.patch_meta(names[0], {"enabled": False})
    client.delete(names[0])
    eventually(lambda: "deleted by version 2" in configs[0].status.problem)


def test_a_dead_server_is_passed_over_for_another_one(server: Server | RunningServer) -> None:
    with Client(["http://127.0.0.1:1", server.url], live=NONE_KEPT) as client:
        client.put("two/api", {"n": 0})
        config = client.config("two/api", bind=Settings)
        eventually(lambda: config.age_s == 0.0)
        client.put("two/api", {"n": 1})
        eventually(lambda: config.value.n == 1)


def test_the_asynchronous_client_follows_over_tcp(server: Server | RunningServer, client: Client) -> None:
    from configsvc.client import AsyncClient

    client.put("later/api", {"n": 0})

    async def main() -> None:
        async with AsyncClient(server.url, live=NONE_KEPT) as waiting:
            first = await waiting.config("later/api", bind=Settings)
            second = await waiting.config("later/new", default={"n": 9})
            await soon(lambda: first.age_s == 0.0)
            await waiting.put("later/api", {"n": 1})
            await waiting.put("later/new", {"n": 2})
            await soon(lambda: first.value.n == 1 and second["n"] == 2)

    asyncio.run(main())


FORKING = """
import os, signal, sys, threading
from configsvc.client import Client, LiveOptions

signal.alarm(60)
client = Client(sys.argv[1], live=LiveOptions(cache_dir=None))
client.put("fork/api", {"n": 0})
config = client.config("fork/api")
told = threading.Event()
config.on_change(lambda change: change.new["n"] == 1 and told.set())
stop = threading.Event()
# A fork may come at any moment, also while a lock is held by a thread that the child has not.
busy = [threading.Thread(target=lambda: [config.status for _ in iter(stop.is_set, True)]) for _ in range(2)]
for thread in busy:
    thread.start()
ready, go = os.pipe(), os.pipe()
children = []
for _ in range(5):
    child = os.fork()
    if child == 0:
        assert config["n"] == 0
        client.get("fork/api")
        os.write(ready[1], b"x")
        assert told.wait(30), config.status
        assert config.value == {"n": 1}
        client.close()
        os._exit(0)
    children.append(child)
stop.set()
for thread in busy:
    thread.join()
for _ in children:
    os.read(ready[0], 1)
client.put("fork/api", {"n": 1})
assert told.wait(30)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
client.put("fork/api", {"n": 2})
while config["n"] != 2:
    threading.Event().wait(0.002)
client.close()
print(codes)
"""

GREENLETS = """
import sys
from gevent import monkey

monkey.patch_all()
import gevent, signal, threading
from configsvc.client import Client, LiveOptions

signal.alarm(60)
turns = 0

def others():
    global turns
    while True:
        turns += 1
        gevent.sleep(0.001)

gevent.spawn(others)
with Client(sys.argv[1], live=LiveOptions(cache_dir=None)) as client:
    client.put("green/api", {"n": 0})
    config = client.config("green/api")
    told = threading.Event()
    config.on_change(lambda change: told.set())
    while config.age_s != 0.0:
        gevent.sleep(0.002)
    before = turns
    gevent.sleep(0.1)  # the watch waits, and holds nobody up
    assert turns > before + 10, turns - before
    client.put("green/api", {"n": 1})
    assert told.wait(30)
    print(config.value, type(gevent.getcurrent()).__name__)
"""


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("program", "printed"),
    [(FORKING, "[0, 0, 0, 0, 0]"), (GREENLETS, "{'n': 1} greenlet")],
    ids=["fork", "gevent"],
)
def test_it_follows_in_forked_processes_and_in_greenlets(
    server: Server | RunningServer, program: str, printed: str
) -> None:
    assert printed_by(program, server.url) == printed


def printed_by(program: str, url: str) -> str:
    """Return what a program prints that ends well."""
    command = [sys.executable, "-c", program, url]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def watching_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "configsvc-watch"]


@pytest.mark.thorough
def test_closing_ends_the_thread_that_waits_for_bytes(server: Server | RunningServer) -> None:
    with Client(server.url, live=NONE_KEPT) as client:
        client.put("close/api", {"n": 0})
        config = client.config("close/api")
        eventually(lambda: config.age_s == 0.0)
    assert watching_threads() == []
    assert config.status.is_connected is False


@pytest.mark.thorough
def test_it_follows_forks_and_closes_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    openssl = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    )
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key]
    subprocess.run([*openssl.split(), *more], check=True, capture_output=True)
    flags = (*QUIET, "--tls-certificate", certificate, "--tls-key", key)
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    with serving(tmp_path / "repo", *flags) as secure:
        with Client(secure.url, live=NONE_KEPT) as client:
            client.put("tls/api", {"n": 0})
            config = client.config("tls/api")
            eventually(lambda: config.age_s == 0.0)
            client.put("tls/api", {"n": 1})
            eventually(lambda: config["n"] == 1)
        assert watching_threads() == []
        assert printed_by(FORKING, secure.url) == "[0, 0, 0, 0, 0]"


def test_what_a_fake_server_says_is_what_a_real_one_says(server: Server | RunningServer) -> None:
    def seen(client: Client) -> list[object]:
        """Return all that an application can see of one story."""
        story: list[object] = []
        missing = client.config("same/none", default={"n": -1})
        client.put("same/api", {"n": 0})
        config = client.config("same/api", bind=Settings)
        config.on_change(story.append)
        eventually(lambda: config.age_s == 0.0)
        client.put("same/api", {"n": 1})
        eventually(lambda: story)
        client.put("same/api", {"n": "x"})
        eventually(lambda: config.status.refusals)
        problem = config.status.problem
        client.put("same/api", {"n": 2})
        eventually(lambda: len(story) == 2)
        return [*story, problem, config.version, missing.value, missing.status.problem]

    with Client(server.url, live=NONE_KEPT) as real, FakeServer().client() as fake:
        assert seen(real) == seen(fake)


def test_the_fake_waits_no_longer_than_is_needed() -> None:
    with FakeServer({"a": {}}).client() as client:
        client.config("a").wait_ready(PATIENCE_S)


SAMPLES = Path(__file__).with_name("typing")


@pytest.mark.thorough
def test_user_code_is_checked_by_mypy_in_strict_mode(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path)]
    ran = subprocess.run(
        [
            *command,
            "--no-error-summary",
            "--hide-error-context",
            str(SAMPLES / "good.py"),
            str(SAMPLES / "bad.py"),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=250,
    )
    lines = (SAMPLES / "bad.py").read_text().splitlines()
    expected = {
        (number, line.partition("# error: ")[2])
        for number, line in enumerate(lines, 1)
        if "# error: " in line
    }
    found = set()
    for line in ran.stdout.splitlines():
        path, number, kind, rest = line.split(":", 3)
        assert (Path(path).name, kind.strip()) == ("bad.py", "error") or kind.strip() == "note", line
        if kind.strip() == "error":
            found.add((int(number), rest.rpartition("[")[2].rstrip("]")))
    assert found == expected, ran.stdout
    assert len(expected) >= 8


def test_a_rejection_is_in_the_log_of_the_server_and_nothing_of_the_value(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path / "repo") as server, Client(server.url, live=NONE_KEPT) as client:
        client.put("told/api", {"n": "hunter2"})
        config = client.config("told/api", bind=Settings, default=Settings(1))
        rejections = "configsvc_rejections_total 1.0"
        eventually(lambda: rejections in server.ask("GET", "/metrics").text)
        assert config.value == Settings(1)
        assert server.stop() == 0
    log = capfd.readouterr().err
    assert (
        "told/api: version 0 is not adopted by an application (anonymous, 127.0.0.1): "
        "/n: a string (expected: a whole number)" in log
    )
    assert "hunter2" not in log
