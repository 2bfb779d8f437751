"""How large a run is, and what a measurement is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.repositories import Repositories


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes and durations of a run.

    Args:
        sizes: Services in the repositories that are written to.
        clients: Clients that write at the same time.
        rounds: How often each method gets its turn; the median counts.
        round_s: Seconds of a turn of ours.
        rival_s: Seconds of a turn of a rival, which makes two commits at least.
        sustained_s: Seconds of writing without a pause.
        history: Services and commits of the repository with a long history.
        reads: Reads of old versions by each number of clients.
        packs: Writes, and so packs, that land on the packed history before it is read.
        starts: How often the server is started in each state.
        restart_services: Services of the repository whose server is killed.
        memory_services: Services of the server whose memory is looked at.
        watchers: Clients that wait at one time.
        crowd_s: Seconds of reading beside them.
        java_peers: Whether peers that run on Java, and are fetched, are read from.
    """

    sizes: tuple[int, ...]
    clients: tuple[int, ...]
    rounds: int
    round_s: float
    rival_s: float
    sustained_s: float
    history: tuple[int, int]
    reads: int
    packs: int
    starts: int
    restart_services: int
    memory_services: int
    watchers: int
    crowd_s: float
    java_peers: bool
    live_configs: int
    live_commits: int

    @property
    def usual_size(self) -> int:
        """Services of the repository that most goals are about."""
        return self.sizes[len(self.sizes) // 2]


FULL = Scale(
    sizes=(100, 10_000, 100_000),
    clients=(1, 8, 64),
    rounds=5,
    round_s=3.0,
    rival_s=4.0,
    sustained_s=30.0,
    history=(10_000, 100_000),
    reads=10_000,
    packs=150,
    starts=5,
    restart_services=1_000,
    memory_services=10_000,
    watchers=10_000,
    crowd_s=15.0,
    java_peers=True,
    live_configs=200,
    live_commits=500,
)
QUICK = Scale(
    sizes=(100, 1_000),
    clients=(1, 8),
    rounds=1,
    round_s=0.3,
    rival_s=0.3,
    sustained_s=0.5,
    history=(200, 1_000),
    reads=100,
    packs=5,
    starts=1,
    restart_services=100,
    memory_services=100,
    watchers=50,
    crowd_s=1.5,
    java_peers=False,
    live_configs=20,
    live_commits=20,
)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a measurement is given.

    Args:
        say: Told what is being done, for whoever waits.
    """

    repositories: Repositories
    scale: Scale
    say: Callable[[str], None]
