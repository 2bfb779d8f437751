from __future__ import annotations

import os
from hashlib import sha1
from pathlib import Path

import pytest

from configsvc.store.gitindex import GitIndex, IndexCorrupt, IndexEntry, IndexUnsupported
from configsvc.store.objects import object_id
from tests.store.gitrepo import commit_files, git, new_repository, run_git

pytestmark = pytest.mark.slow

FILES: dict[str, str | None] = {
    "a.json": "{}\n",
    "a/b.json": "1\n",
    "a/c.yaml": "c: 1\n",
    "a-b.json": "2\n",
    "z" * 200 + "/" + "y" * 200 + ".json": "long\n",
    "caf\u00e9.json": "utf-8\n",
}
NEW = b"{}\n\n"
NEW_ID = object_id("blob", NEW)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = new_repository(tmp_path / "repository")
    commit_files(root, FILES)
    git(root, "hash-object", "-w", "--stdin", stdin=NEW)
    return root


def load(root: Path) -> GitIndex:
    path = root / ".git" / "index"
    return GitIndex.parse(path.read_bytes(), written_ns=path.stat().st_mtime_ns)


def store(root: Path, index: GitIndex) -> None:
    path = root / ".git" / "index"
    path.write_bytes(index.encode())


def listed(root: Path, *options: str) -> list[str]:
    return git(root, "ls-files", "-z", *(options or ("--stage",))).split("\0")[:-1]


def resealed(data: bytes) -> bytes:
    return data[:-20] + sha1(data[:-20]).digest()


def test_every_entry_is_found_as_git_lists_it(root: Path) -> None:
    index = load(root)
    for line in listed(root):
        about, path = line.split("\t")
        mode, blob_id, stage = about.split()
        entry = index.find(path.encode())
        assert entry == IndexEntry(bytes.fromhex(blob_id), int(mode, 8), int(stage))
    assert len(index.names()) == len(FILES)
    assert index.find(b"a") is None


def test_an_unchanged_index_is_written_back_as_it_was_but_for_its_caches(root: Path) -> None:
    before = listed(root, "--stage", "--debug")
    (root / ".git" / "index").write_bytes(GitIndex.parse((root / ".git" / "index").read_bytes()).encode())
    assert listed(root, "--stage", "--debug") == before
    assert b"TREE" not in (root / ".git" / "index").read_bytes()


def test_a_set_entry_with_stat_data_is_clean_without_a_refresh(root: Path) -> None:
    (root / "a.json").write_bytes(NEW)
    index = load(root)
    index.set(b"a.json", NEW_ID, os.stat(root / "a.json"))
    store(root, index)
    assert git(root, "diff-files", "--raw") == ""
    assert git(root, "status", "--porcelain") == "M  a.json"


def test_a_set_entry_without_stat_data_is_compared_by_content(root: Path) -> None:
    index = load(root)
    index.set(b"a.json", object_id("blob", b"{}\n"), None)
    store(root, index)
    assert git(root, "--no-optional-locks", "status", "--porcelain") == ""
    (root / "a.json").write_bytes(b"[]\n")
    assert git(root, "--no-optional-locks", "status", "--porcelain") == " M a.json"


@pytest.mark.parametrize("path", ["0.json", "a/a.json", "a/b.json.json", "b/new/deep.json", "zz.json"])
def test_a_new_entry_stands_in_git_order(root: Path, path: str) -> None:
    index = load(root)
    index.set(path.encode(), NEW_ID, None)
    assert index.find(path.encode()) == IndexEntry(NEW_ID)
    store(root, index)
    assert f"100644 {NEW_ID.hex()} 0\t{path}" in listed(root)
    assert len(listed(root)) == len(FILES) + 1
    assert git(root, "fsck") == ""


def test_entries_come_and_go_in_one_write(root: Path) -> None:
    index = load(root)
    index.set(b"n1.json", NEW_ID, None, executable=True)
    index.remove(b"a/b.json")
    index.set(b"a/bb.json", NEW_ID, None)
    index.remove(b"n0.json")
    index.set(b"gone.json", NEW_ID, None)
    index.remove(b"gone.json")
    index.remove(b"a.json")
    index.set(b"a.json", NEW_ID, None)
    store(root, index)
    expected = sorted({*FILES, "n1.json", "a/bb.json"} - {"a/b.json"})
    assert listed(root, "--cached") == sorted(expected, key=str.encode)
    assert f"100755 {NEW_ID.hex()} 0\tn1.json" in listed(root)
    assert f"100644 {NEW_ID.hex()} 0\ta.json" in listed(root)


def test_thousands_of_random_changes_give_what_a_dictionary_gives(root: Path) -> None:
    index, expected = GitIndex(), dict[bytes, bytes]()
    state = 12345
    for step in range(4000):
        state = (state * 1103515245 + 12345) % 2**31
        path = b"%d/%d.json" % (state % 7, state // 7 % 90)
        blob_id = object_id("blob", b"%d" % step)
        if state // 1000 % 3:
            index.set(path, blob_id, None)
            expected[path] = blob_id
        else:
            index.remove(path)
            expected.pop(path, None)
        if step % 500 == 0:
            index = GitIndex.parse(index.encode())
    assert [(path, entry.blob_id) for path, entry in index.entries()] == sorted(expected.items())
    store(root, index)
    assert listed(root, "--cached") == [path.decode() for path in sorted(expected)]


def test_flags_stay_when_an_entry_changes(root: Path) -> None:
    git(root, "update-index", "--assume-unchanged", "a.json")
    git(root, "update-index", "--skip-worktree", "a/b.json")
    (root / "later.json").write_text("later\n")
    git(root, "add", "-N", "later.json")
    index = load(root)
    entry, later = index.find(b"a/b.json"), index.find(b"later.json")
    assert entry is not None
    assert entry.skip_worktree
    assert later is not None
    assert later.intent_to_add
    before = listed(root, "-v")
    for path in (b"a.json", b"a/b.json", b"0.json"):
        index.set(path, NEW_ID, None)
    store(root, index)
    assert {"h a.json", "S a/b.json", "H later.json"} < set(before)
    assert listed(root, "-v") == ["H 0.json", *before]
    assert git(root, "status", "--porcelain", "later.json") == " A later.json"


def test_conflict_stages_stay_and_cannot_be_set(root: Path) -> None:
    git(root, "checkout", "-q", "-b", "other")
    commit_files(root, {"a.json": "theirs\n"})
    git(root, "checkout", "-q", "main")
    commit_files(root, {"a.json": "ours\n"})
    assert run_git(root, "merge", "other").returncode == 1
    index = load(root)
    entry = index.find(b"a.json")
    assert entry is not None
    assert entry.stage == 1
    with pytest.raises(ValueError, match="in conflict"):
        index.set(b"a.json", NEW_ID, None)
    unmerged = listed(root, "--unmerged")
    index.set(b"0.json", NEW_ID, None)
    store(root, index)
    assert listed(root, "--unmerged") == unmerged
    index.remove(b"a.json")
    store(root, index)
    assert listed(root, "--unmerged") == []


@pytest.mark.parametrize(
    ("path", "collides"),
    [
        (b"a.json/x.json", True),
        (b"a", True),
        (b"new", True),
        (b"new/x.json/y.json", True),
        (b"a/d.json", False),
        (b"gone", False),
    ],
)
def test_a_path_that_would_be_file_and_folder_collides(root: Path, path: bytes, collides: bool) -> None:
    index = load(root)
    index.set(b"gone/x.json", NEW_ID, None)
    index = GitIndex.parse(index.encode())
    index.remove(b"gone/x.json")
    index.set(b"new/x.json", NEW_ID, None)
    assert index.collides(path) is collides


def same_tick(path: Path, content: bytes) -> None:
    """Change a file as if in the tick in which it was last changed; the size stays."""
    stat = os.stat(path)
    assert len(content) == stat.st_size
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def set_times(path: Path, time_s: float) -> None:
    os.utime(path, ns=(int(time_s * 1e9), int(time_s * 1e9)))


@pytest.mark.parametrize(("written_s", "racy"), [(99.9, True), (100.0, True), (100.9, True), (101.0, False)])
def test_entries_are_racy_that_are_not_seconds_older_than_the_index(
    root: Path, written_s: float, racy: bool
) -> None:
    """Most builds of git compare whole seconds, whatever finer times the file system has."""
    set_times(root / "a.json", 100.5)
    git(root, "update-index", "--refresh")
    set_times(root / ".git" / "index", written_s)
    index = load(root)
    assert index.racy().get(b"a.json") == (100_500_000_000 if racy else None)
    index.trust(b"a.json")
    assert b"a.json" not in index.racy()


def test_an_entry_is_racy_when_it_was_just_set(root: Path) -> None:
    index = GitIndex()
    index.set(b"a.json", NEW_ID, os.stat(root / "a.json"))
    index.set(b"b.json", NEW_ID, None)
    assert list(index.racy()) == [b"a.json"]
    index.remove(b"a.json")
    assert index.racy() == {}


def test_an_edit_that_left_no_trace_in_the_stat_data_is_seen_when_its_entry_is_distrusted(root: Path) -> None:
    set_times(root / "a.json", 100.5)
    index = load(root)
    index.set(b"a.json", object_id("blob", b"{}\n"), os.stat(root / "a.json"))
    (root / "a.json").write_bytes(b"[]\n")
    set_times(root / "a.json", 100.5)
    index.distrust(b"a.json")
    index.distrust(b"no.json")
    store(root, index)
    assert b"a.json" not in index.racy()
    assert git(root, "status", "--porcelain") == " M a.json"


def test_an_index_written_without_a_checksum_is_read(root: Path) -> None:
    data = (root / ".git" / "index").read_bytes()[:-20] + bytes(20)
    assert len(GitIndex.parse(data).names()) == len(FILES)


def test_an_empty_index_is_one_that_git_reads(root: Path) -> None:
    store(root, GitIndex())
    assert listed(root) == []


def test_version_4_is_left_to_git(root: Path) -> None:
    git(root, "update-index", "--index-version", "4")
    with pytest.raises(IndexUnsupported, match="version 4"):
        load(root)


def test_a_split_index_is_left_to_git(root: Path) -> None:
    git(root, "update-index", "--split-index")
    with pytest.raises(IndexUnsupported, match="link"):
        load(root)


@pytest.mark.parametrize("damage", [
    lambda data: b"",
    lambda data: data[:20],
    lambda data: b"DIRX" + data[4:],
    lambda data: data[:-1],
    lambda data: data[:100] + b"\x01" + data[101:],
    lambda data: resealed(data[:8] + b"\0\0\xff\xff" + data[12:]),
    lambda data: resealed(data[:-20] + b"TREE\0\0\xff\xff" + bytes(20)),
    lambda data: resealed(data.replace(b"a/b.json", b"\xff/b.json")),
    lambda data: bytes(len(data)),
])  # fmt: skip
def test_a_damaged_index_is_refused(root: Path, damage: object) -> None:
    assert callable(damage)
    data = (root / ".git" / "index").read_bytes()
    with pytest.raises(IndexCorrupt):
        GitIndex.parse(damage(data))
