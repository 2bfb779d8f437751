"""Clones and fetches by real git, and the HTTP around them."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.serving import Server
from tests.gitdoor.clones import Clone, client_processes, clone, repository_url
from tests.store.gitrepo import git, run_git

pytestmark = pytest.mark.slow

ENDS_WITHIN_S = 15.0
FETCH = "application/x-git-upload-pack-request"


@contextlib.contextmanager
def connection(server: Server) -> Iterator[http.client.HTTPConnection]:
    place = urlsplit(server.url)
    link = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    try:
        yield link
    finally:
        link.close()


def ask(
    server: Server, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    with connection(server) as link:
        link.request(method, path, body, headers or {})
        answer = link.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def want(commit_id: str) -> bytes:
    """Return the request of protocol 0 for one commit and all it reaches."""
    line = f"want {commit_id} ofs-delta side-band-64k\n"
    return f"{len(line) + 4:04x}{line}00000009done\n".encode()


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_a_clone_has_all_of_main_by_every_version_of_the_protocol(
    server: Server, served: Path, tmp_path: Path, version: str
) -> None:
    made = clone(repository_url(server), tmp_path / "clone", config=f"protocol.version={version}")
    assert made.head == git(served, "rev-parse", "main")
    assert made.git("fsck", "--strict", "--no-dangling") == ""
    server.ask("PATCH", "/config?service=nginx", {"version": version})
    made.git("-c", f"protocol.version={version}", "pull", "-q", "--ff-only")
    assert made.head == git(served, "rev-parse", "main")


def test_a_shallow_clone_has_one_commit_and_can_be_deepened(
    server: Server, served: Path, tmp_path: Path
) -> None:
    made = clone(repository_url(server), tmp_path / "clone", "--depth=1")
    assert made.git("rev-list", "--count", "HEAD") == "1"
    made.git("fetch", "-q", "--unshallow")
    assert made.git("rev-list", "--count", "HEAD") == git(served, "rev-list", "--count", "main")


@pytest.mark.parametrize("version", ["0", "2"])
def test_a_partial_clone_fetches_documents_when_it_needs_them(
    server: Server, tmp_path: Path, version: str
) -> None:
    options = ("--filter=blob:none", "--no-checkout")
    made = clone(repository_url(server), tmp_path / "clone", *options, config=f"protocol.version={version}")
    missing = made.git("rev-list", "--objects", "--missing=print", "HEAD").count("?")
    assert missing > 0
    made.git("-c", f"protocol.version={version}", "checkout", "-q", "main")
    assert (made.root / "nginx.json").exists()


def test_what_is_this_machines_own_is_not_shown(server: Server, served: Path, tmp_path: Path) -> None:
    git(served, "update-ref", "refs/stash", "main")
    git(served, "update-ref", "refs/notes/private", "main")
    shown = git(tmp_path, "ls-remote", repository_url(server))
    assert {line.split("\t")[1] for line in shown.splitlines()} <= {"HEAD", "refs/heads/main"}


@pytest.mark.parametrize(
    "path",
    [
        "/config-repo.git",
        "/config-repo.git/",
        "/config-repo.git/HEAD",
        "/config-repo.git/config",
        "/config-repo.git/index",
        "/config-repo.git/logs/HEAD",
        "/config-repo.git/objects/info/packs",
        "/config-repo.git/info/refs",
        "/config-repo.git/info/refs?service=git-upload-archive",
        "/config-repo.git/info/refs?service=git-upload-pack&x=1",
        "/config-repo.git/info/refs?service=upload-pack",
        "/config-repo.git/git-upload-archive",
        "/config-repo.git/../.git/config",
    ],
)
def test_nothing_but_the_smart_protocol_is_served(server: Server, path: str) -> None:
    status, headers, _ = ask(server, "GET", path)
    assert status == 404
    assert headers["content-type"] == "application/problem+json"


def test_answers_to_git_are_not_cached_and_carry_what_every_answer_does(server: Server) -> None:
    status, headers, body = ask(server, "GET", "/config-repo.git/info/refs?service=git-upload-pack")
    assert status == 200
    assert headers["content-type"] == "application/x-git-upload-pack-advertisement"
    assert headers["cache-control"].startswith("no-cache")
    assert headers["x-content-type-options"] == "nosniff"
    assert "config-revision" in headers
    assert body.startswith(b"001e# service=git-upload-pack\n0000")


@pytest.mark.parametrize("header", ["version=3", "version=2\u00e9", "x" * 5000, "version=1;rm", "a:b:c"])
def test_an_odd_protocol_header_means_protocol_0(server: Server, header: str) -> None:
    status, _, body = ask(
        server,
        "GET",
        "/config-repo.git/info/refs?service=git-upload-pack",
        headers={"Git-Protocol": header},
    )
    assert status == 200
    assert b"version" not in body[:60]


def test_another_host_is_refused_here_too(server: Server) -> None:
    status, _, _ = ask(
        server,
        "GET",
        "/config-repo.git/info/refs?service=git-upload-pack",
        headers={"Host": "evil.example"},
    )
    assert status == 421


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b"0000", 415),
        ({"Content-Type": FETCH, "Content-Encoding": "br"}, b"0000", 415),
        ({"Content-Type": FETCH}, b"zzzz", 400),
        ({"Content-Type": FETCH, "Content-Encoding": "gzip"}, b"not gzip", 400),
        ({"Content-Type": FETCH, "Content-Encoding": "gzip"}, gzip.compress(b"0000")[:-6], 400),
    ],
    ids=["type", "encoding", "no packet", "no gzip", "cut short"],
)
def test_a_malformed_request_to_fetch_is_refused_in_words(
    server: Server, served: Path, headers: dict[str, str], body: bytes, status: int
) -> None:
    found, _, text = ask(server, "POST", "/config-repo.git/git-upload-pack", body, headers)
    assert found == status, text
    wait_for_no_process(served)


def test_a_gzipped_request_is_understood(server: Server, served: Path) -> None:
    asked = gzip.compress(want(git(served, "rev-parse", "main")))
    headers = {"Content-Type": FETCH, "Content-Encoding": "gzip"}
    status, _, body = ask(server, "POST", "/config-repo.git/git-upload-pack", asked, headers)
    assert status == 200
    assert b"PACK" in body


@pytest.mark.thorough
def test_a_client_that_hangs_up_leaves_no_process_behind(
    server: Server, served: Path, tmp_path: Path
) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(range(256)) * 4)
    blob = git(served, "hash-object", "-w", "--stdin", stdin=_noise(30 << 20))
    tree = git(served, "mktree", stdin=f"100644 blob {blob}\tbig\n".encode())
    commit = run_git(served, "commit-tree", "-m", "big", tree).stdout.decode().strip()
    with connection(server) as link:
        link.request("POST", "/config-repo.git/git-upload-pack", want(commit), {"Content-Type": FETCH})
        assert link.getresponse().read(1000)
        assert client_processes(served)
    wait_for_no_process(served)


def test_a_request_that_unpacks_to_more_than_it_may_is_cut_off(server: Server, served: Path) -> None:
    head = git(served, "rev-parse", "main")
    line = f"want {head} ofs-delta side-band-64k\n"
    haves = f"0032have {'1' * 40}\n".encode() * ((40 << 20) // 50)
    bomb = gzip.compress(f"{len(line) + 4:04x}{line}0000".encode() + haves)
    status, _, _ = ask(
        server,
        "POST",
        "/config-repo.git/git-upload-pack",
        bomb,
        {"Content-Type": FETCH, "Content-Encoding": "gzip"},
    )
    assert status == 413
    wait_for_no_process(served)


def _noise(size: int) -> bytes:
    done = subprocess.run(["head", "-c", str(size), "/dev/urandom"], capture_output=True, check=True)
    return done.stdout


def wait_for_no_process(root: Path) -> None:
    give_up_at = time.monotonic() + ENDS_WITHIN_S
    while found := client_processes(root):
        assert time.monotonic() < give_up_at, found
        time.sleep(0.05)


def test_clones_and_api_see_the_same_history(server: Server, here: Clone) -> None:
    for number in range(3):
        server.ask("PATCH", "/config?service=nginx", {"number": number})
    here.pull()
    assert (here.root / "nginx.json").read_text() == '{\n  "number": 2\n}\n'
    subjects = here.git("log", "--format=%an %s", "-3").splitlines()
    assert subjects == ["anonymous Update nginx"] * 3
