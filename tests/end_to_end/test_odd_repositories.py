"""Repositories made by hand: odd, and legal.  Each is served, written to, and left as it was otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.client import connected
from tests.end_to_end.history import read_history, wait_until_clean
from tests.end_to_end.ledger import audit_served
from tests.end_to_end.serving import QUIET, serving
from tests.store.gitrepo import NO_HOOKS, assert_sound, commit_files, git, new_repository

NGINX = '{\n  "n": 0\n}\n'

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


def merge_commits(root: Path) -> None:
    """Two branches merged, one of them twice, and an octopus."""
    for branch in ("left", "right", "third"):
        git(root, "switch", "-q", "-c", branch, "main")
        commit_files(root, {f"{branch}/one.json": "{}\n"})
        commit_files(root, {f"{branch}/one.json": '{"a": 1}\n'})
    git(root, "switch", "-q", "main")
    commit_files(root, {"nginx.json": '{"n": 1}\n'})
    git(root, *NO_HOOKS, "merge", "-q", "--no-edit", "left")
    git(root, *NO_HOOKS, "merge", "-q", "--no-edit", "right", "third")


def executables_and_links_beside(root: Path) -> None:
    """A README and a script that can be run."""
    commit_files(root, {"README.md": "Run me\n", "bin/check.sh": "#!/bin/sh\n"})
    for name in ("README.md", "bin/check.sh"):
        (root / name).chmod(0o755)
    git(root, "add", "-A")
    git(root, *NO_HOOKS, "commit", "-q", "-m", "Make them run")


def odd_names(root: Path) -> None:
    """Spaces, quotes, letters of the world, a line break, a leading dash, bytes that are no text."""
    commit_files(
        root,
        {
            "docs/two words.md": "a\n",
            'docs/"quoted".md': "b\n",
            "docs/конфигурация.md": "c\n",
            "docs/\N{GRINNING FACE}.txt": "d\n",
            "docs/line\nbreak.txt": "e\n",
            "docs/-dash.txt": "f\n",
            "docs/tab\t.txt": "g\n",
        },
    )
    with open(os.path.join(os.fsencode(root), b"docs", b"latin-\xe9.txt"), "wb") as file:
        file.write(b"h\n")
    git(root, "add", "-A")
    git(root, *NO_HOOKS, "commit", "-q", "-m", "Bytes")


def empty_commits_and_tags(root: Path) -> None:
    """Commits that change nothing, tags of both kinds, a commit from the distant past."""
    for number in range(3):
        git(root, *NO_HOOKS, "commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "")
        git(root, "tag", f"light-{number}")
        git(root, "tag", "-a", "-m", "A tag", f"v{number}")
    git(root, *NO_HOOKS, "commit", "-q", "--allow-empty", "-m", "Old", "--date", "1990-01-01T00:00:00Z")


def packed_refs_and_many_branches(root: Path) -> None:
    """A thousand branches, main and all of them in packed-refs."""
    head = git(root, "rev-parse", "main")
    git(
        root,
        "update-ref",
        "--stdin",
        stdin="".join(f"create refs/heads/b/{n} {head}\n" for n in range(1000)).encode(),
    )
    git(root, "pack-refs", "--all", "--prune")
    assert not (root / ".git/refs/heads/main").exists()


def packed_and_loose(root: Path) -> None:
    """Packed with deltas, a commit-graph, a bitmap, and loose objects on top."""
    for number in range(20):
        commit_files(root, {"nginx.json": f'{{"n": {number}}}\n'})
    git(root, "gc", "-q", "--aggressive", "--prune=now")
    git(root, "commit-graph", "write", "--reachable")
    git(root, "repack", "-q", "-a", "-d", "--write-bitmap-index")
    commit_files(root, {"nginx.json": '{"n": 99}\n'})


def formats_and_deletions(root: Path) -> None:
    """A service that changes its format, goes, comes back; YAML with comments; hand-made JSON."""
    commit_files(root, {"api.json": "{}\n", "web.yaml": "# ours\na: 1 # one\n"})
    commit_files(root, {"api.json": None, "api.yaml": "a: 1\n"})
    commit_files(root, {"api.yaml": None})
    commit_files(root, {"api.json": '{"b":2,   "a":1}'})


def working_tree_elsewhere(root: Path) -> None:
    """The person was on another branch, with an edit, when the server came."""
    git(root, "switch", "-q", "-c", "mine")
    (root / "notes.txt").write_text("mine\n")


ODDITIES: list[Callable[[Path], None]] = [
    merge_commits,
    executables_and_links_beside,
    odd_names,
    empty_commits_and_tags,
    packed_refs_and_many_branches,
    packed_and_loose,
    formats_and_deletions,
]


def others_of(root: Path) -> str:
    """Return all files that are no service's, with their modes and content."""
    listed = git(root, "ls-tree", "-r", "-z", "main").split("\0")
    return "\n".join(sorted(line for line in listed if not line.endswith((".json", ".yaml"))))


@pytest.mark.parametrize("oddity", ODDITIES, ids=lambda oddity: oddity.__name__)
def test_a_repository_made_by_hand_is_served_as_git_has_it(
    tmp_path: Path, oddity: Callable[[Path], None]
) -> None:
    root = new_repository(tmp_path / "repo")
    commit_files(root, {"nginx.json": NGINX})
    oddity(root)
    before, others = read_history(root), others_of(root)
    refs = git(root, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/b", "refs/tags")
    with serving(root, *QUIET) as server, connected(server.url) as client:
        assert client.ask("GET", "/readyz").json() == {"status": "ready", "revision": len(before.commits)}
        audit_served(client, root, before)
        reply = client.config("PATCH", "nginx", {"n": "new"})
        assert (reply.status, reply.version) == (200, len(before.versions["nginx"]))
        assert client.config("POST", "made/by/api", {"n": 0}).status == 201
        after = read_history(root)
        audit_served(client, root, after)
        wait_until_clean(root)
        assert server.stop() == 0
    assert git(root, "status", "--porcelain") == ""
    assert after.commits[:-2] == before.commits
    assert others_of(root) == others
    assert git(root, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/b", "refs/tags") == refs
    assert_sound(root)


def test_a_tree_that_is_on_another_branch_is_left_there_and_said_so(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "repo")
    commit_files(root, {"nginx.json": NGINX})
    working_tree_elsewhere(root)
    with serving(root, *QUIET) as server, connected(server.url) as client:
        assert client.config("PATCH", "nginx", {"n": 1}).status == 200
        assert "not on main" in client.ask("GET", "/readyz").json()["notes"]["working-tree-elsewhere"]
        assert server.stop() == 0
    assert (root / "nginx.json").read_text() == NGINX
    assert (root / "notes.txt").read_text() == "mine\n"
    assert git(root, "symbolic-ref", "HEAD") == "refs/heads/mine"
