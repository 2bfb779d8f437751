"""Durable: at the moment an answer leaves, all that it tells of is synced.  Seen from outside, by strace."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.tracing import SyncAudit, read_trace, trace_command, why_no_tracing
from tests.end_to_end.client import Client, connected
from tests.end_to_end.serving import QUIET, serving
from tests.store.gitrepo import git

CLIENTS = 4
LIVES = 4
ANSWERS = LIVES * 8
"""Per client: see `live`."""

Edit = Callable[[str], str]

SOUND = """\
7 1.0 openat(AT_FDCWD</>, "/r/.git/objects/pack/tmp_p", O_CREAT, 0444) = 20</r/.git/objects/pack/tmp_p>
7 1.1 write(20</r/.git/objects/pack/tmp_p>, "PACK\\0\\0", 6) = 6
7 1.2 fsync(20</r/.git/objects/pack/tmp_p> <unfinished ...>
9 1.2 write(15<anon_inode:[eventfd]>, "\\1\\0", 8) = 8
7 1.3 <... fsync resumed>) = 0
7 1.4 rename("/r/.git/objects/pack/tmp_p", "/r/.git/objects/pack/pack-1.pack") = 0
7 1.5 fsync(20</r/.git/objects/pack>) = 0
7 1.6 write(20</r/.git/refs/heads/main.lock>, "COMMIT\\n", 41) = 41
7 1.7 fsync(20</r/.git/refs/heads/main.lock>) = 0
7 1.8 rename("/r/.git/refs/heads/main.lock", "/r/.git/refs/heads/main") = 0
7 1.9 fsync(20</r/.git/refs/heads>) = 0
8 2.0 write(19<socket:[1]>, "HTTP/1.1 201 Created\\r\\nconfig-revision: 2\\r\\n\\r\\n", 50) = 50
7 2.1 write(20</r/.git/objects/pack/tmp_p>, "PACK\\0\\0", 6) = 6
""".replace("COMMIT", "a" * 40)


def without(pattern: str) -> Edit:
    """Return an edit that takes the first matching line out of a trace."""

    def edit(trace: str) -> str:
        lines = trace.splitlines(keepends=True)
        gone = next(number for number, line in enumerate(lines) if re.search(pattern, line))
        # A call that is resumed later is taken out with its end.
        thread = lines[gone].split(" ")[0]
        ends = gone
        if "<unfinished" in lines[gone]:
            ends = next(n for n in range(gone + 1, len(lines)) if lines[n].startswith(f"{thread} "))
        return "".join(line for number, line in enumerate(lines) if number not in (gone, ends))

    return edit


def moved_up(pattern: str, before: str) -> Edit:
    """Return an edit that moves the first matching line to before another."""

    def edit(trace: str) -> str:
        lines = trace.splitlines(keepends=True)
        source = next(number for number, line in enumerate(lines) if re.search(pattern, line))
        target = next(number for number, line in enumerate(lines) if re.search(before, line))
        assert target < source
        lines.insert(target, lines.pop(source))
        return "".join(lines)

    return edit


CRIMES = {
    "a pack that is not synced": without(r"fsync\(\d+<[^>]*tmp[\w-]*p>"),
    "a folder of packs that is not synced": without(r"fsync\(\d+<[^>]*/objects/pack>"),
    "a lock that is not synced": without(r"fsync\(\d+<[^>]*main\.lock>"),
    "a folder of refs that is not synced": without(r"fsync\(\d+<[^>]*/refs/heads>"),
    "a folder synced before its rename": moved_up(r"fsync\(\d+<[^>]*/refs/heads>", r"rename\(.*main\.lock"),
    "an answer before main is there": moved_up(r"HTTP/1.1 201", r"rename\(.*main\.lock"),
    "an answer before main is synced": moved_up(r"HTTP/1.1 201", r"fsync\(\d+<[^>]*/refs/heads>"),
}


def audited(trace: str) -> SyncAudit:
    return SyncAudit("/r/.git", {"a" * 40: 2}, start=1).run(trace)


def test_the_audit_finds_nothing_wrong_with_a_sound_trace() -> None:
    audit = audited(SOUND)
    assert (audit.violations, audit.answers) == ([], [2])
    assert [move.path for move in audit.batches[2]] == [
        "/r/.git/objects/pack/pack-1.pack",
        "/r/.git/refs/heads/main",
    ]


@pytest.mark.parametrize("crime", CRIMES)
def test_the_audit_finds(crime: str) -> None:
    assert len(audited(CRIMES[crime](SOUND)).violations) == 1


@dataclass(frozen=True)
class Traced:
    """A trace of a server under load, and what is needed to judge it."""

    trace: str
    root: Path
    revisions: dict[str, int]

    def audit(self, edit: Edit = lambda trace: trace) -> SyncAudit:
        """Return the audit of the trace, edited."""
        return SyncAudit(str(self.root.resolve() / ".git"), self.revisions, start=1).run(edit(self.trace))


def live(url: str, name: str) -> None:
    """Take a service through its life, and another one beside it."""
    with connected(url) as client:
        succeed(client, "POST", f"{name}/service", {"n": 0})
        succeed(client, "PATCH", f"{name}/service", {"n": 1})
        succeed(client, "GET", f"{name}/service")
        succeed(client, "POST", f"{name}/other", {"n": 0})
        succeed(client, "PATCH", f"{name}/service", query="&enabled=false")
        succeed(client, "DELETE", f"{name}/service")
        succeed(client, "POST", f"{name}/service", {"n": 2})
        succeed(client, "PATCH", f"{name}/other", {"n": 1})


def succeed(client: Client, method: str, service: str, value: object = None, query: str = "") -> None:
    reply = client.config(method, service, value, query=query)
    assert reply.status in (200, 201), reply


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    if why_no_tracing():
        pytest.skip(why_no_tracing())
    folder = tmp_path_factory.mktemp("traced")
    root, output = folder / "repo", folder / "trace"
    with serving(root, *QUIET) as server:
        server.stop()
    with serving(root, *QUIET, prefix=trace_command(output)) as server, ThreadPoolExecutor(CLIENTS) as pool:
        names = [f"c{number}" for number in range(CLIENTS * LIVES)]
        for done in [pool.submit(live, server.url, name) for name in names]:
            done.result()
        assert server.stop() == 0
    commits = git(root, "rev-list", "--first-parent", "--reverse", "main").split("\n")
    revisions = {commit_id: revision for revision, commit_id in enumerate(commits, 1)}
    return Traced(read_trace(output, server.process.pid), root, revisions)


@pytest.mark.slow
def test_durable_everything_that_an_answer_tells_of_is_synced_when_it_leaves(traced: Traced) -> None:
    audit = traced.audit()
    assert audit.violations == []
    assert len(audit.answers) == CLIENTS * ANSWERS
    assert max(audit.batches) == max(audit.answers) == len(traced.revisions)
    for moves in audit.batches.values():
        kinds = [Path(move.path).suffix or Path(move.path).name for move in moves]
        assert kinds == [".pack", ".idx", "main"]
    for path in ("objects/pack/", "refs/heads/main.lock"):  # of files that were made ahead, too
        assert re.search(rf'link\("[^"]*/configsvc/spare/\d+", "[^"]*/{path}', traced.trace)


@pytest.mark.slow
@pytest.mark.parametrize("crime", [*CRIMES, "an index of a pack that is not synced"])
def test_the_audit_of_a_real_trace_finds(crime: str, traced: Traced) -> None:
    edit = CRIMES.get(crime) or without(r"fsync\(\d+<[^>]*tmp[\w-]*i>")
    assert traced.audit(edit).violations != []
