"""Watches over HTTP against what git says: nobody misses a version, and nobody is told of one twice."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.end_to_end.serving import QUIET, Server, serving
from tests.gitdoor.clones import Clone, clone, repository_url
from tests.store.gitrepo import git

WATCHERS = 50
RETURNING = 1000
SERVICES = ("web", "db", "a/x", "a/y", "a/b/z", "ab")
PATIENCE_S = 60.0

Told = tuple[int, tuple[tuple[str, int], ...]]
"""A revision, and service and version of what it changed."""

pytestmark = pytest.mark.slow


def landed(root: Path) -> list[Told]:
    """Return what each revision changed, by git alone."""
    versions = Counter[str]()
    found: list[Told] = []
    # Each commit, its paths; without renames, and against the first parent.
    options = ("--first-parent", "--diff-merges=first-parent", "--root", "--reverse", "--no-renames")
    log = git(root, "log", *options, "--name-only", "--format=@%H", "main")
    for revision, commit in enumerate(log.split("@")[1:], start=1):
        paths = [line for line in commit.splitlines()[1:] if line]
        services = sorted(
            path.removesuffix(".json") for path in paths if re.fullmatch(r"[a-z/]+\.json", path)
        )
        made = []
        for service in services:
            made.append((service, versions[service]))
            versions[service] += 1
        if made:
            found.append((revision, tuple(made)))
    return found


@dataclass
class Watcher:
    """A client that follows `services` and `prefixes`, leaves at any moment, and comes again.

    Args:
        port: Where the server is; it changes with each restart.
    """

    port: list[int]
    query: str
    services: tuple[str, ...]
    prefix: str | None
    since: int = 0
    told: list[Told] = field(default_factory=list)

    def expected(self, all_told: list[Told], since: int) -> list[Told]:
        """Return what it has to be told after revision `since`."""
        found = []
        for revision, made in all_told:
            mine = tuple(each for each in made if self.is_mine(each[0]))
            if mine and revision > since:
                found.append((revision, mine))
        return found

    def is_mine(self, service: str) -> bool:
        return service in self.services or (self.prefix is not None and service.startswith(self.prefix))

    async def follow(self, until: int | None = None) -> None:
        """Take what comes: until revision `until`, or until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port[0])
        try:
            target = f"/api/v1/watch?{self.query}since={self.since}"
            writer.write(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            event: dict[str, str] = {}
            while until is None or self.since < until:
                line = await reader.readline()
                if not line:
                    return
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    event[name] = value
                    continue
                self._take(event)
                event = {}
        finally:
            writer.transport.abort()

    def _take(self, event: dict[str, str]) -> None:
        assert event.get("event") != "error", event
        if event.get("event") == "change":
            told = json.loads(event["data"])
            assert int(event["id"]) == told["revision"]
            made = tuple((each["service"], each["version"]) for each in told["services"])
            self.told.append((told["revision"], made))
            self.since = told["revision"]

    async def come_and_go(self, chance: random.Random, done: asyncio.Event) -> None:
        """Follow for moments, again and again; the server may be away."""
        while not done.is_set():
            try:
                await asyncio.wait_for(self.follow(), chance.uniform(0.02, 0.8))
            except (TimeoutError, OSError):
                await asyncio.sleep(chance.uniform(0.0, 0.05))


def a_watcher(port: list[int], chance: random.Random) -> Watcher:
    kind = chance.randrange(3)
    if kind == 0:
        return Watcher(port, "", (), "")
    if kind == 1:
        return Watcher(port, "prefix=a&", (), "a")
    services = tuple(chance.sample(SERVICES, 2))
    return Watcher(port, "".join(f"service={each}&" for each in services), services, None)


def act(server: Server, mine: Clone, chance: random.Random) -> None:
    """Change something, through any door; some of it is refused, as it may be."""
    service, value = chance.choice(SERVICES), {"n": chance.random()}
    kind = chance.randrange(6)
    if kind == 0:
        services = chance.sample(SERVICES, 3)
        changes = [{"op": "put", "service": each, "value": value} for each in services]
        server.ask("POST", "/api/v1/commits", {"changes": changes})
    elif kind == 1:
        server.ask("PATCH", f"/config?service={service}&enabled=false")
        server.ask("DELETE", f"/config?service={service}")
    elif kind == 2:
        mine.reset()
        mine.commit({f"{service}.json": json.dumps(value) + "\n", "README.md": f"{value}\n"})
        mine.push()
    else:
        server.ask("PUT", f"/api/v1/configs/{service}", value)


async def gather_all(watchers: list[Watcher], last: int) -> None:
    """Let each be told all up to revision `last`, if anything of it is for it."""
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(each.follow(last) for each in watchers))


@pytest.mark.thorough
def test_every_watcher_is_told_exactly_what_landed_since_it_came(tmp_path: Path) -> None:
    root, chance = tmp_path / "repo", random.Random(7)
    port = [0]

    async def live(is_killed: bool, watchers: list[Watcher]) -> None:
        with serving(root, *QUIET) as server:
            port[0] = int(server.url.rpartition(":")[2])
            folder = tmp_path / f"clone-{chance.random()}"
            mine = await asyncio.to_thread(clone, repository_url(server), folder)
            if not watchers:
                watchers += [a_watcher(port, chance) for _ in range(WATCHERS)]
            done = asyncio.Event()
            moods = [random.Random(chance.random()) for _ in watchers]
            following = [
                asyncio.create_task(each.come_and_go(mood, done))
                for each, mood in zip(watchers, moods, strict=True)
            ]
            for _ in range(20):
                await asyncio.to_thread(act, server, mine, chance)
            done.set()
            await (asyncio.to_thread(server.kill) if is_killed else asyncio.to_thread(server.stop))
            await asyncio.gather(*following)

    async def run() -> list[Watcher]:
        watchers: list[Watcher] = []
        for is_killed in (False, True):
            await live(is_killed, watchers)
        with serving(root, *QUIET) as server:
            port[0] = int(server.url.rpartition(":")[2])
            truth = landed(root)
            for each in watchers:
                mine = each.expected(truth, 0)
                async with asyncio.timeout(PATIENCE_S):
                    await each.follow(mine[-1][0] if mine else 0)
        return watchers

    watchers = asyncio.run(run())
    truth = landed(root)
    assert len(truth) > 20
    for each in watchers:
        assert each.told == each.expected(truth, 0), each.query


def test_a_thousand_watchers_that_come_again_at_once_after_a_restart_miss_nothing(tmp_path: Path) -> None:
    root, port = tmp_path / "repo", [0]
    watchers = [Watcher(port, "", (), "") for _ in range(RETURNING)]

    async def run() -> None:
        for number in range(2):
            with serving(root, *QUIET) as server:
                port[0] = int(server.url.rpartition(":")[2])
                for turn in range(3):
                    await asyncio.to_thread(
                        server.ask, "PUT", "/api/v1/configs/web", {"life": number, "turn": turn}
                    )
                last = landed(root)[-1][0]
                following = asyncio.create_task(gather_all(watchers, last + 1))
                await asyncio.to_thread(server.ask, "PUT", "/api/v1/configs/web", {"life": number})
                await following
                server.kill()

    asyncio.run(run())
    truth = landed(root)
    assert len(truth) == 8
    for each in watchers:
        assert each.told == truth
