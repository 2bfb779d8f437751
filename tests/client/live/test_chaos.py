"""Forty live configs while everything around them fails."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import logging
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from configsvc.client import (
    AsyncClient,
    AsyncLiveConfig,
    Change,
    Client,
    LiveConfig,
    LiveOptions,
    Retries,
    Timeouts,
)
from configsvc.client.live import configs as configs_module
from configsvc.client.live.disk import LastGood
from configsvc.core.errors import ConfigError
from tests.client.live.badproxy import MODES, BadProxy
from tests.client.live.waiting import eventually
from tests.end_to_end.serving import QUIET, Server, serving

CONFIGS = 20
SERVICES = [f"chaos/s{number:02d}" for number in range(CONFIGS)]
TIMEOUTS = Timeouts(connect_s=1.0, read_s=2.0, write_s=2.0)


@dataclass(frozen=True)
class Settings:
    service: str
    n: int


Config = LiveConfig[Settings] | AsyncLiveConfig[Settings]


class World:
    """A server that can be killed, two ways to it, a disk that can be full and a clock that jumps."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held = contextlib.ExitStack()
        self.server: Server | None = None
        self.proxies = [BadProxy(), BadProxy()]
        self.is_disk_full = False
        self.offset_s = 0.0
        self.random = random.Random(11)

    def start(self) -> None:
        """Start the server on another port; the proxies lead there."""
        self.server = self._held.enter_context(serving(self._folder / "repo", *QUIET))
        for proxy in self.proxies:
            proxy.upstream = int(self.server.url.rpartition(":")[2])

    @contextlib.contextmanager
    def running(self) -> Iterator[World]:
        """Start all of it, and stop it."""
        with self._held:
            for proxy in self.proxies:
                self._held.enter_context(proxy.running())
            self.start()
            yield self

    def kill(self) -> None:
        """Kill the server; it is there again a moment later."""
        assert self.server is not None
        self.server.kill()
        self.start()

    def stop(self) -> None:
        """Stop the server as an operator does; it is there again a moment later."""
        assert self.server is not None
        self.server.stop()
        self.start()

    def spoil(self) -> None:
        """Let each proxy do something bad, to open connections too."""
        for proxy in self.proxies:
            proxy.mode = self.random.choice(("pass", *MODES))
        self.random.choice(self.proxies).cut()

    def fill_disk(self) -> None:
        """Let copies fail for a while."""
        self.is_disk_full = not self.is_disk_full

    def jump(self) -> None:
        """Move the clock by up to ten years."""
        self.offset_s = self.random.uniform(-3e8, 3e8)

    def heal(self) -> None:
        """Let all be well."""
        self.is_disk_full = False
        for proxy in self.proxies:
            proxy.mode = "pass"
            proxy.cut()

    def now_s(self) -> float:
        """Return the time by the clock that jumps."""
        return time.time() + self.offset_s


class Disk(LastGood):
    """Copies on a disk that may be full."""

    world: World

    def _write(self, path: Path, data: bytes) -> None:
        if self.world.is_disk_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super()._write(path, data)


class Application:
    """Reads its configs all the time, and notes what it is told."""

    def __init__(self, configs: list[Config]) -> None:
        self.configs = configs
        self.told: dict[str, list[Change[Settings]]] = {config.service: [] for config in configs}
        self.failures: list[Exception] = []
        for config in configs:
            config.on_change(self._note)

    def _note(self, change: Change[Settings]) -> None:
        self.told[change.service].append(change)

    def read(self, until: threading.Event) -> None:
        """Read each value until told to stop; whatever an application would notice is noted."""
        while not until.wait(0.01):
            try:
                for config in self.configs:
                    assert config.value.service == config.service
                    assert config["n"] >= 0
                    assert config.status.source == "server"
            except Exception as error:  # noqa: BLE001 - that is the question
                self.failures.append(error)

    def check(self, heads: dict[str, int]) -> None:
        """Fail unless every config is at head, and was told of each adopted version once and in order."""
        assert self.failures == []
        for config in self.configs:
            changes = self.told[config.service]
            versions = [change.version for change in changes]
            assert versions == sorted(set(versions))
            assert versions[-1] == config.version == heads[config.service]
            assert changes[-1].new is config.value
            for before, after in pairwise(changes):
                assert (before.new, before.version) == (after.old, after.old_version)


class Writer(threading.Thread):
    """Writes all the time, past the proxies."""

    def __init__(self, world: World) -> None:
        super().__init__(name="writer")
        self._world = world
        self._random = random.Random(3)
        self._ended = threading.Event()
        self._client: Client | None = None
        self._url = ""
        self.landed = 0

    def run(self) -> None:
        number = 0
        while not self._ended.wait(self._random.uniform(0.0, 0.03)):
            number += 1
            self.write(self._random.choice(SERVICES), number)

    def write(self, service: str, number: int) -> None:
        """Write if there is a server."""
        with contextlib.suppress(ConfigError):
            self._direct().put(service, {"service": service, "n": number})
            self.landed += 1

    def end(self) -> None:
        """Stop, and write each once more, so that copies are made on a disk that is well."""
        self._ended.set()
        self.join(30)
        for service in SERVICES:
            self.write(service, 1_000_000)
        self._direct().close()

    def _direct(self) -> Client:
        assert self._world.server is not None
        if self._client is None or self._url != self._world.server.url:
            if self._client is not None:
                self._client.close()
            self._url = self._world.server.url
            self._client = Client(self._url, timeouts=TIMEOUTS, retries=Retries(attempts=1))
        return self._client


def options(folder: Path) -> LiveOptions:
    return LiveOptions(cache_dir=folder, first_wait_s=5.0, silence_s=3.0, first_delay_s=0.02, max_delay_s=0.5)


@contextlib.contextmanager
def coroutines(urls: list[str], live: LiveOptions) -> Iterator[list[Config]]:
    """Yield configs that an event loop in another thread follows."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="coroutines")
    thread.start()

    async def make() -> tuple[AsyncClient, list[Config]]:
        client = AsyncClient(urls, timeouts=TIMEOUTS, live=live)
        return client, [await client.config(service, bind=Settings) for service in SERVICES]

    try:
        client, made = asyncio.run_coroutine_threadsafe(make(), loop).result(60)
        try:
            yield made
        finally:
            asyncio.run_coroutine_threadsafe(client.close(), loop).result(30)
    finally:
        asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def suffer(world: World, seconds: float) -> int:
    """Do bad things for so long; return how many."""
    acts = [world.kill, world.stop, world.fill_disk, world.jump, *[world.spoil] * 5, *[world.heal] * 2]
    until, done = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        world.random.shuffle(acts)
        for act in acts:
            act()
            done += 1
            time.sleep(world.random.uniform(0.1, 0.6))
            if time.monotonic() > until:
                break
    return done


@pytest.mark.crash
@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(8.0, marks=[pytest.mark.slow, pytest.mark.thorough]),
        pytest.param(120.0, marks=pytest.mark.soak),
    ],
)
def test_configs_survive_everything_and_end_at_head(
    tmp_path: Path, seconds: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    disk = type("DiskOfThisTest", (Disk,), {"world": world})
    monkeypatch.setattr(configs_module, "LastGood", functools.partial(disk, clock=world.now_s))
    caplog.set_level(logging.INFO, "configsvc.client")
    with world.running():
        assert world.server is not None
        with Client(world.server.url) as direct:
            direct.commit(
                [{"op": "put", "service": each, "value": {"service": each, "n": 0}} for each in SERVICES]
            )
        urls = [proxy.url for proxy in world.proxies]
        writer = Writer(world)
        ended = threading.Event()
        with (
            Client(urls, timeouts=TIMEOUTS, live=options(tmp_path / "threads")) as client,
            coroutines(urls, options(tmp_path / "tasks")) as awaited,
        ):
            by_threads: list[Config] = [client.config(service, bind=Settings) for service in SERVICES]
            applications = [Application(by_threads), Application(awaited)]
            readers = [threading.Thread(target=each.read, args=[ended]) for each in applications]
            for thread in (writer, *readers):
                thread.start()
            acts = suffer(world, seconds)
            world.heal()
            writer.end()
            with Client(world.server.url) as direct:
                heads = {item.service: item.version for item in direct.list_configs(limit=1000).items}
            for application in applications:
                eventually(
                    lambda: all(each.version == heads[each.service] for each in application.configs)  # noqa: B023
                )
                eventually(lambda: all(each.age_s == 0.0 for each in application.configs))  # noqa: B023
            ended.set()
            for thread in readers:
                thread.join(10)
            for application in applications:
                application.check(heads)
        world.server.kill()
        with Client(urls, timeouts=TIMEOUTS, live=options(tmp_path / "threads")) as client:
            for service in SERVICES:
                config = client.config(service, bind=Settings)
                assert (config.source, config.version) == ("disk", heads[service])
                assert f"{service}: works from disk: version {heads[service]}" in caplog.text
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []
    assert "all is read anew" not in caplog.text
    print(f"{seconds:.0f} s: {acts} acts, {writer.landed} writes, {sum(heads.values())} versions")
