"""What a push sends when main has moved on: what is new, not the history."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from configsvc.gitdoor.haves import named_revisions, with_lines
from tests.end_to_end.serving import Server
from tests.gitdoor.clones import FOR_MAIN, clone, repository_url
from tests.store.gitrepo import assert_sound, git

REFS = "/config-repo.git/info/refs?service="


def sent(text: str) -> int:
    """Return how many objects a push sent, by what git told of its progress."""
    found = re.search(r"Writing objects: 100% \(\d+/(\d+)\)", text)
    assert found, text
    return int(found[1])


@pytest.mark.thorough
@pytest.mark.slow
def test_a_push_from_behind_sends_what_is_new(server: Server, served: Path, tmp_path: Path) -> None:
    for number in range(200):
        server.ask("POST", f"/config?service=old/s{number}", {"n": number})
    here = clone(repository_url(server), tmp_path / "clone")
    for number in range(40):
        server.ask("PATCH", "/config?service=nginx", {"port": 1000 + number})
    here.commit({"new/service.json": '{"n": 1}\n'}, "New")
    pushed = here.push("--progress", FOR_MAIN)
    assert pushed.ok, pushed.text
    assert sent(pushed.text) <= 4  # a commit, two folders, a file
    assert_sound(served)


@pytest.mark.thorough
@pytest.mark.slow
def test_a_push_from_far_behind_sends_little_more_than_what_is_new(
    server: Server, served: Path, tmp_path: Path
) -> None:
    here = clone(repository_url(server), tmp_path / "clone")
    base = here.head
    for number in range(300):
        server.ask("PATCH", "/config?service=nginx", {"port": 2000 + number})
    here.git("fetch", "-q", "origin")
    here.git("reset", "-q", "--hard", "origin/main~293")
    assert here.git("rev-list", "--count", f"{base}..HEAD") == "7"
    here.git("update-ref", "-d", "refs/remotes/origin/main")
    here.git("reflog", "expire", "--expire=now", "--all")
    here.git("repack", "-q", "-a", "-d")
    here.git("prune", "--expire=now")
    here.commit({"far/service.json": '{"n": 1}\n'}, "Far")
    pushed = here.push("--progress", FOR_MAIN)
    assert pushed.ok, pushed.text
    assert sent(pushed.text) <= 4 + 3 * 5
    assert_sound(served)


@pytest.mark.slow
def test_commits_are_named_to_who_pushes_alone(server: Server, served: Path) -> None:
    assert " .have\n" not in server.ask("GET", REFS + "git-upload-pack").text
    lines = server.ask("GET", REFS + "git-receive-pack").text
    named = re.findall(r"0033([0-9a-f]{40}) \.have\n", lines)
    older = git(served, "rev-list", "--first-parent", "main~1").split()
    assert named[:64] == older[:64]
    assert lines.endswith(" .have\n0000")


def test_what_is_named_becomes_sparser_with_its_age() -> None:
    for newest in (0, 1, 2, 64, 65, 1_000, 1_000_000):
        named = list(named_revisions(newest))
        assert named[:64] == [newest - back for back in range(1, min(newest, 65))]
        assert all(0 < revision < newest for revision in named)
        assert all(before - after <= max(1, (newest - after) / 64) for before, after in pairwise(named))
    assert len(list(named_revisions(1_000_000))) < 800


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 100])
def test_lines_come_before_the_end_however_it_is_cut(size: int) -> None:
    whole = b"0020one line of an advertisement0000"
    chunks = [whole[start : start + size] for start in range(0, len(whole), size)]
    assert b"".join(with_lines(chunks, b"LINES")) == whole[:-4] + b"LINES0000"


@pytest.mark.parametrize("chunks", [[], [b""], [b"00"], [b"0008half", b"000"], [b"ERR upload"]])
def test_what_does_not_end_as_it_should_gets_no_lines(chunks: list[bytes]) -> None:
    assert b"".join(with_lines(chunks, b"LINES")) == b"".join(chunks)
