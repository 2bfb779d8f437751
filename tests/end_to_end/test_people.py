"""A person works in the tree of a running server: nothing of theirs is lost, nothing that landed undone."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.client import Client, connected
from tests.end_to_end.history import wait_until_clean
from tests.end_to_end.ledger import Ask, Ledger, Value, audit, audit_served
from tests.end_to_end.load import Writer, create_shared, unanswered, writing
from tests.end_to_end.serving import QUIET, Server, serving
from tests.store.gitrepo import git, run_git

WITHIN_S = 20.0
EDIT = '{"edited": "by hand"}\n'
WRITERS = 4

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


@dataclass
class Desk:
    """A running server, and its repository on somebody's desk."""

    server: Server
    root: Path
    client: Client
    ledger: Ledger

    def put(self, method: str, service: str, value: Value) -> None:
        """Write through the server."""
        ask = Ask(method, service, f"desk-{len(self.ledger.acknowledged)}", value)
        reply = ask.send(self.client)
        assert reply.status in (200, 201), reply
        self.ledger.add(ask, reply)

    def file(self, path: str) -> Path:
        """Return a file of the working tree."""
        return self.root / path

    def wait_for_status(self, expected: str) -> None:
        """Return when `git status` says just this."""
        wait_for(lambda: self.status() == expected, self.status)

    def status(self) -> str:
        """Return what `git status` says."""
        return git(self.root, "--no-optional-locks", "status", "--porcelain")

    def local_edits(self) -> list[str]:
        """Return what `/readyz` tells of edits."""
        reply = self.client.ask("GET", "/readyz")
        assert reply.status == 200
        edits: list[str] = reply.json().get("local_edits", [])
        return edits


def wait_for(condition: Callable[[], bool], describe: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < give_up_at, describe()
        time.sleep(0.02)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    root, ledger = tmp_path / "repo", Ledger()
    with serving(root, *QUIET) as server, connected(server.url) as client:
        desk = Desk(server, root, client, ledger)
        for service in ("nginx", "payments/api"):
            desk.put("POST", service, {"n": 0})
        wait_until_clean(root)
        yield desk
        history = audit(root, ledger)
        audit_served(client, root, history)
        assert server.stop() == 0


def test_an_edit_stays_while_others_write_and_while_its_own_service_is_written(desk: Desk) -> None:
    desk.file("nginx.json").write_text(EDIT)
    desk.put("PATCH", "payments/api", {"n": 1})
    desk.put("PATCH", "nginx", {"n": 1})
    wait_for(lambda: desk.file("payments/api.json").read_text() == '{\n  "n": 1\n}\n', desk.status)
    wait_for(lambda: desk.local_edits() == ["nginx.json"], desk.local_edits)
    desk.wait_for_status(" M nginx.json")
    assert desk.file("nginx.json").read_text() == EDIT
    assert desk.client.config("GET", "nginx", query="&version=1").json() == {"n": 1}


def test_a_staged_edit_stays_staged(desk: Desk) -> None:
    desk.file("nginx.json").write_text(EDIT)
    git(desk.root, "add", "nginx.json")
    desk.put("PATCH", "nginx", {"n": 1})
    desk.put("PATCH", "payments/api", {"n": 1})
    desk.wait_for_status("M  nginx.json")
    assert git(desk.root, "show", ":nginx.json") == EDIT.strip()


def test_a_commit_is_refused_names_the_way_and_keeps_what_was_staged(desk: Desk) -> None:
    head = git(desk.root, "rev-parse", "main")
    desk.file("nginx.json").write_text(EDIT)
    git(desk.root, "add", "nginx.json")
    refused = run_git(desk.root, "commit", "--message", "By hand")
    assert refused.returncode != 0
    assert b"configsvc commit" in refused.stderr
    assert git(desk.root, "rev-parse", "main") == head
    assert desk.file("nginx.json").read_text() == EDIT
    assert git(desk.root, "show", ":nginx.json") == EDIT.strip()
    desk.put("PATCH", "nginx", {"n": 1})


def test_a_hard_reset_takes_back_edits_and_nothing_that_landed(desk: Desk) -> None:
    desk.put("PATCH", "nginx", {"n": 1})
    desk.file("payments/api.json").write_text(EDIT)
    git(desk.root, "reset", "--quiet", "--hard")
    desk.wait_for_status("")
    assert desk.file("payments/api.json").read_text() == '{\n  "n": 0\n}\n'
    wait_for(lambda: not desk.local_edits(), desk.local_edits)


@pytest.mark.parametrize("target", ["HEAD~1", "HEAD~2"])
def test_a_reset_to_the_past_is_refused(desk: Desk, target: str) -> None:
    desk.put("PATCH", "nginx", {"n": 1})
    desk.wait_for_status("")
    head = git(desk.root, "rev-parse", "main")
    assert run_git(desk.root, "reset", "--quiet", "--hard", target).returncode != 0
    assert git(desk.root, "rev-parse", "main") == head
    desk.wait_for_status("")
    desk.put("PATCH", "nginx", {"n": 2})
    desk.wait_for_status("")


def test_a_checked_out_old_version_of_a_file_is_a_persons_until_it_is_taken_back(desk: Desk) -> None:
    desk.put("PATCH", "nginx", {"n": 1})
    desk.wait_for_status("")
    git(desk.root, "checkout", "--quiet", "HEAD~1", "--", "nginx.json")
    desk.put("PATCH", "payments/api", {"n": 1})
    desk.put("PATCH", "nginx", {"n": 2})
    git(desk.root, "checkout", "--quiet", "HEAD", "--", "nginx.json")
    desk.wait_for_status("")
    assert desk.file("nginx.json").read_text() == '{\n  "n": 2\n}\n'


def test_a_stash_comes_back_as_it_went(desk: Desk) -> None:
    desk.file("nginx.json").write_text(EDIT)
    git(desk.root, "stash", "--quiet")
    desk.put("PATCH", "payments/api", {"n": 1})
    desk.wait_for_status("")
    git(desk.root, "stash", "pop", "--quiet")
    assert desk.file("nginx.json").read_text() == EDIT
    desk.put("PATCH", "payments/api", {"n": 2})
    desk.wait_for_status(" M nginx.json")


def test_a_deleted_file_stays_deleted_and_the_service_lives(desk: Desk) -> None:
    desk.file("nginx.json").unlink()
    desk.put("PATCH", "nginx", {"n": 1})
    desk.put("PATCH", "payments/api", {"n": 1})
    wait_for(lambda: desk.local_edits() == ["nginx.json"], desk.local_edits)
    assert not desk.file("nginx.json").exists()
    git(desk.root, "checkout", "--quiet", "HEAD", "--", "nginx.json")
    desk.wait_for_status("")


def test_a_file_of_their_own_stays(desk: Desk) -> None:
    desk.file("notes.txt").write_text("mine")
    desk.file("payments/draft.json").write_text(EDIT)
    desk.put("PATCH", "payments/api", {"n": 1})
    desk.wait_for_status("?? notes.txt\n?? payments/draft.json")


def test_another_branch_is_theirs_and_main_is_caught_up_with_later(desk: Desk) -> None:
    git(desk.root, "switch", "--quiet", "--create", "mine")
    desk.file("nginx.json").write_text(EDIT)
    git(desk.root, "commit", "--quiet", "--all", "--message", "On my branch")
    desk.put("PATCH", "nginx", {"n": 1})
    desk.put("PATCH", "payments/api", {"n": 1})
    assert desk.file("nginx.json").read_text() == EDIT
    git(desk.root, "switch", "--quiet", "main")
    desk.wait_for_status("")
    assert desk.file("nginx.json").read_text() == '{\n  "n": 1\n}\n'
    assert git(desk.root, "show", "mine:nginx.json") == EDIT.strip()


BUSY_HANDS = [
    "git gc --quiet",
    "git gc --quiet --prune=now",
    "git repack -a -d -q",
    "git pack-refs --all",
    "git status",
    "git reset --quiet --hard",
    "git stash --quiet && git stash drop --quiet",
    "git add --all",
    "git checkout --quiet HEAD -- .",
    "git commit --all --message mine",
    "git reset --quiet HEAD~3",
    "git fsck",
]


@pytest.mark.parametrize("rounds", [2, pytest.param(50, marks=pytest.mark.soak)])
def test_reads_survive_and_nothing_is_lost_while_a_person_runs_git_under_load(
    tmp_path: Path, rounds: int
) -> None:
    root, ledger = tmp_path / "repo", Ledger()
    writers = [Writer(str(number), ledger) for number in range(WRITERS)]
    with serving(root, *QUIET) as server:
        with connected(server.url) as client:
            create_shared(client, ledger)
        with writing(writers, server.url):
            for command in BUSY_HANDS * rounds:
                subprocess.run(["sh", "-c", command], cwd=root, capture_output=True, timeout=60)
                ledger.wait_for_more(5)
            for writer in writers:
                writer.stop()
        assert [refusal for writer in writers for refusal in writer.refusals] == []
        assert unanswered(writers) == []
        history = audit(root, ledger)
        with connected(server.url) as client:
            audit_served(client, root, history)
            # What a person staged meanwhile is for that person to take back.
            git(root, "reset", "--quiet", "--hard")
            wait_until_clean(root)
            assert client.ask("GET", "/readyz").status == 200
        assert server.stop() == 0
