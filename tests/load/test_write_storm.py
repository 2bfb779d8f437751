"""Two hundred clients write as fast as they can: reads and probes go on, and no write is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.history import wait_until_clean
from tests.end_to_end.serving import QUIET, Server, serving
from tests.load.storm import Seen, Storm, raise_storm
from tests.store.gitrepo import assert_sound

WRITERS = 200
READ = "calm"
READS = {
    "hot read": f"/config?service={READ}",
    "read through Flask": f"/api/v1/configs/{READ}?version=0",
    "probe": "/readyz",
}


def storm(server: Server, seconds: float, *, writers: int = WRITERS) -> Seen:
    """Let clients write, and hold the server to what it acknowledged."""
    assert server.ask("POST", f"/config?service={READ}", {"a": 1}).status == 201
    port = int(server.url.rpartition(":")[2])
    calm = raise_storm(Storm(port, 0, 2.0, READS))
    print(f"\nwithout writers: {calm.report()}")
    seen = raise_storm(Storm(port, writers, seconds, READS))
    print(f"{writers} clients write for {seen.seconds:.0f} s: {seen.report()}")
    assert seen.trouble + calm.trouble == []
    for service, acknowledged in seen.acknowledged.items():
        if not acknowledged:
            assert server.ask("GET", f"/api/v1/configs/{service}").status == 404, service
            continue
        newest = server.ask("GET", f"/api/v1/configs/{service}/-/versions?limit=1").json()
        assert isinstance(newest, dict)
        assert newest["items"][0]["version"] == acknowledged - 1, service
        document = server.ask("GET", f"/api/v1/configs/{service}").json()
        assert document == {"number": acknowledged - 1}, service
    return seen


@pytest.mark.thorough
@pytest.mark.slow
def test_reads_go_on_in_a_write_storm_and_no_acknowledged_write_is_lost(tmp_path: Path) -> None:
    with serving(tmp_path / "repo", *QUIET, "--max-queued-writes", "40") as server:
        seen = storm(server, 5.0)
        assert server.stop() == 0
    assert set(seen.refused) == {"queue-full"}
    assert sum(seen.acknowledged.values()) > 100
    assert all(len(seen.latencies_ms[name]) > 10 for name in READS)
    wait_until_clean(tmp_path / "repo")
    assert_sound(tmp_path / "repo")


@pytest.mark.soak
@pytest.mark.parametrize("queue", ["512", "40"])
def test_a_write_storm_of_half_a_minute_leaves_reads_fast(tmp_path: Path, queue: str) -> None:
    with serving(tmp_path / "repo", *QUIET, "--max-queued-writes", queue) as server:
        seen = storm(server, 30.0)
        assert server.stop() == 0
    assert ("queue-full" in seen.refused) is (queue == "40")
    assert seen.percentile_ms("hot read", 99) < 50.0
    assert_sound(tmp_path / "repo")
