"""Principals made, rotated and revoked while others write: nothing is lost, and nobody is locked out."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from configsvc.access.credentials import make_token, token_hash
from configsvc.client import Client, Written
from configsvc.core.errors import ConfigError, Unauthorized
from tests.end_to_end.serving import QUIET, serving
from tests.store.gitrepo import assert_sound, git

WRITERS = 4
ROUNDS = 5

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


@dataclass
class Steady:
    """A principal that writes until it is stopped, with a right that nobody takes away."""

    url: str
    name: str
    token: str
    written: list[Written] = field(default_factory=list)
    trouble: list[ConfigError] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with Client(self.url, token=self.token) as client:
            while not self.stopped.is_set():
                try:
                    made = client.put(f"load/{self.name}", {"n": len(self.written)})
                except ConfigError as error:
                    self.trouble.append(error)
                    return
                assert isinstance(made, Written)
                self.written.append(made)


def may_write(url: str, token: str) -> bool:
    with Client(url, token=token) as client:
        try:
            client.put("probe/x", {"by": token_hash(token)}, dry_run=True)
        except Unauthorized:
            return False
    return True


def live_through(client: Client, url: str, number: int) -> int:
    """Make a principal, rotate its token and revoke all of it; return the commits that this made."""
    name, first, second = f"guest-{number}", make_token(), make_token()
    client.create_principal(name, {"probe/**": "writer"}, token_hash(first))
    assert may_write(url, first)
    client.rotate_token(name, token_hash(second), overlap_s=3600)
    assert may_write(url, first)
    assert may_write(url, second)
    client.revoke_token(name, token_hash(first)[:8])
    assert not may_write(url, first)
    assert may_write(url, second)
    client.delete_principal(name)
    assert not may_write(url, second)
    return 4


def test_create_rotate_and_revoke_under_write_load_lose_nothing_and_lock_nobody_out(tmp_path: Path) -> None:
    repo, admin = tmp_path / "repo", make_token()
    with serving(repo, *QUIET) as server, Client(server.url, token=admin) as client:
        client.create_principal("admin", {"**": "admin"}, token_hash(admin))
        steady = [Steady(server.url, f"s{number}", make_token()) for number in range(WRITERS)]
        for each in steady:
            client.create_principal(each.name, {f"load/{each.name}": "writer"}, token_hash(each.token))
        threads = [threading.Thread(target=each.run) for each in steady]
        for thread in threads:
            thread.start()
        changes = sum(live_through(client, server.url, number) for number in range(ROUNDS))
        own = make_token()
        client.rotate_token("admin", token_hash(own), overlap_s=0)
        assert not may_write(server.url, admin)
        assert may_write(server.url, own)
        for each in steady:
            each.stopped.set()
        for thread in threads:
            thread.join()
    assert [each.trouble for each in steady] == [[]] * WRITERS
    for each in steady:
        assert [made.version for made in each.written] == list(range(len(each.written)))
    administered = git(repo, "log", "--format=%s", "main", "--", ".configsvc/principals").splitlines()
    assert len(administered) == 1 + WRITERS + changes + 1
    written = sum(len(each.written) for each in steady)
    assert written >= WRITERS
    assert len(git(repo, "log", "--format=%h", "main", "--", "load").splitlines()) == written
    assert_sound(repo)
