"""Live configs of coroutines, on a server in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

import pytest

from configsvc.client import (
    Answer,
    AsyncClient,
    AsyncLiveConfig,
    Change,
    ClientClosed,
    LiveOptions,
    NotReady,
    Request,
)
from configsvc.testing import FakeServer
from configsvc.testing.fake import AsyncFakeServerTransport
from tests.client.live.waiting import PATIENCE_S


@dataclass(frozen=True)
class Settings:
    timeout_s: float


async def eventually(is_so: Callable[[], object]) -> None:
    """Return once `is_so` says yes; fail when it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it did not become so"
        await asyncio.sleep(0.002)


def run(main: Coroutine[None, None, None]) -> None:
    """Run a test; no task may be left over."""

    async def watched() -> None:
        await main
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left

    asyncio.run(watched())


def test_a_change_is_told_to_functions_and_to_coroutines_in_order() -> None:
    server = FakeServer({"pay/api": {"timeout_s": 0}})

    async def main() -> None:
        async with server.async_client() as client:
            config = await client.config("pay/api", bind=Settings)
            assert (config.value, config.source) == (Settings(0.0), "server")
            told: list[tuple[str, int]] = []

            async def slowly(change: Change[Settings]) -> None:
                await asyncio.sleep(0.001)
                told.append(("slowly", change.version))

            def at_once(change: Change[Settings]) -> None:
                told.append(("at once", change.version))

            config.on_change(slowly)
            config.on_change(at_once)
            await eventually(lambda: config.status.is_connected)
            for number in range(1, 4):
                server.put("pay/api", {"timeout_s": number})
                await eventually(lambda: len(told) == 2 * number)  # noqa: B023 - called in this round only
            assert told == [(name, number) for number in range(1, 4) for name in ("slowly", "at once")]

    run(main())


def test_an_outage_is_survived_and_the_copy_on_disk_is_used(tmp_path: Path) -> None:
    server = FakeServer({"pay/api": {"timeout_s": 0}})
    live = LiveOptions(cache_dir=tmp_path, first_delay_s=0.005, max_delay_s=0.02)

    async def main() -> None:
        async with server.async_client(live=live) as client:
            config: AsyncLiveConfig[Settings] = await client.config("pay/api", bind=Settings)
            server.go_down()
            await eventually(lambda: not config.status.is_connected)
            server.put("pay/api", {"timeout_s": 1})
            server.come_up()
            await eventually(lambda: config.value == Settings(1.0))
        server.go_down()
        async with server.async_client(live=live) as client:
            config = await client.config("pay/api", bind=Settings)
            assert (config.value, config.source) == (Settings(1.0), "disk")
            nothing = await client.config("pay/none")
            with pytest.raises(NotReady):
                await nothing.wait_ready(0.01)
            server.come_up()
            await config.wait_ready(PATIENCE_S, from_server=True)

    run(main())


def test_a_config_that_comes_later_misses_nothing() -> None:
    server = FakeServer({"pay/api": {"n": 0}, "zoo/api": {"n": 0}})

    async def main() -> None:
        async with server.async_client() as client:
            first = await client.config("pay/api")
            await eventually(lambda: first.status.is_connected)
            second = await client.config("zoo/api")
            server.put("zoo/api", {"n": 1})
            await eventually(lambda: second["n"] == 1)
            assert server.watches == 1

    run(main())


def test_a_config_that_nobody_waits_for_any_more_is_not_followed() -> None:
    server = FakeServer({"pay/api": {"n": 0}, "zoo/api": {"n": 0}})

    class Hanging(AsyncFakeServerTransport):
        async def send(self, base_url: str, request: Request) -> Answer:
            if "zoo" in request.path:
                asked.set()
                await asyncio.sleep(PATIENCE_S)
            return await super().send(base_url, request)

    asked = asyncio.Event()

    async def main() -> None:
        options = LiveOptions(cache_dir=None)
        async with AsyncClient(server.url, transport=Hanging(server), live=options) as client:
            config = await client.config("pay/api")
            made = asyncio.ensure_future(client.config("zoo/api"))
            await asked.wait()
            made.cancel()
            await asyncio.wait([made])
            server.cut()
            await eventually(lambda: config.status.is_connected)
            server.put("pay/api", {"n": 1})
            await eventually(lambda: config["n"] == 1)
        assert [path for _, path in server.requests if "zoo" in path] == []

    run(main())


def test_a_callback_may_close_the_client() -> None:
    server = FakeServer({"pay/api": {"n": 0}})

    async def main() -> None:
        client = server.async_client()
        config = await client.config("pay/api")
        closed = asyncio.Event()

        async def close(change: object) -> None:
            await client.close()
            closed.set()

        config.on_change(close)
        server.put("pay/api", {"n": 1})
        async with asyncio.timeout(PATIENCE_S):
            await closed.wait()
        await eventually(lambda: len(asyncio.all_tasks()) == 1)
        with pytest.raises(ClientClosed):
            await client.config("pay/api")

    run(main())


def test_a_callback_whose_own_task_was_cancelled_does_not_end_the_following(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = FakeServer({"pay/api": {"n": 0}})

    async def main() -> None:
        async with server.async_client() as client:
            config = await client.config("pay/api")

            async def give_up(change: object) -> None:
                task = asyncio.ensure_future(asyncio.sleep(PATIENCE_S))
                task.cancel()
                await task

            config.on_change(give_up)
            await eventually(lambda: config.status.is_connected)
            for number in (1, 2):
                server.put("pay/api", {"n": number})
                await eventually(lambda: caplog.text.count("CancelledError\n") == number)  # noqa: B023

    run(main())


def test_a_callback_that_waits_is_cancelled_with_the_loop() -> None:
    server = FakeServer({"pay/api": {"n": 0}})

    async def main() -> None:
        client = server.async_client()
        config = await client.config("pay/api")
        waits = asyncio.Event()

        async def wait(change: object) -> None:
            waits.set()
            await asyncio.sleep(PATIENCE_S)

        config.on_change(wait)
        await eventually(lambda: config.status.is_connected)
        server.put("pay/api", {"n": 1})
        await waits.wait()

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S / 2))


def test_a_callback_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeServer({"pay/api": {"n": 0}})

    async def main() -> None:
        async with server.async_client() as client:
            config = await client.config("pay/api")

            async def broken(change: object) -> None:
                raise RuntimeError("broken on purpose")

            config.on_change(broken)
            server.put("pay/api", {"n": 1})
            await eventually(lambda: "broken on purpose" in caplog.text)
            config.forget(broken)
            server.put("pay/api", {"n": 2})
            await eventually(lambda: config["n"] == 2)

    run(main())
