from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.core.names import Format
from configsvc.core.trees import PathChange
from configsvc.store import history
from configsvc.store.gitcommand import GitFailed
from configsvc.store.history import first_parent_commits
from configsvc.store.versionfile import VersionFileInvalid, load_versions, save_versions
from configsvc.store.versions import CommitChanges, VersionIndex
from tests.store.gitrepo import commit_files, git, new_repository

PATHS = st.sampled_from(["a.json", "a.yaml", "b.json", "x/a.yaml", "README.md", ".configsvc/services/a.yaml"])
COMMITS = st.lists(
    st.dictionaries(PATHS, st.one_of(st.none(), st.sampled_from("12")), max_size=4), max_size=12
)


def index_of(root: Path) -> VersionIndex:
    index = VersionIndex()
    for commit in first_parent_commits(root, git(root, "rev-parse", "main")):
        index.feed(commit)
    return index


def described(index: VersionIndex) -> dict[str, list[object]]:
    return {
        service: [index.entry(service, version, index.revision) for version in range(len(history.revisions))]
        for service, history in index.services.items()
    }


def versions(index: VersionIndex, service: str) -> list[tuple[int, Format | None]]:
    entries = [
        index.entry(service, n, index.revision) for n in range(index.version_count(service, index.revision))
    ]
    return [(entry.revision, entry.format) for entry in entries if entry is not None]


def test_a_version_is_made_only_where_format_or_blob_changes(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "r")
    commit_files(root, {"a.json": "1", "README.md": "x"})
    commit_files(root, {"README.md": "y"})
    commit_files(root, {"a.json": None, "a.yaml": "1"})
    (root / "a.yaml").chmod(0o755)
    commit_files(root, {})
    commit_files(root, {"a.yaml": None})
    commit_files(root, {"a.yaml": "1"})
    assert versions(index_of(root), "a") == [(1, Format.JSON), (3, Format.YAML), (5, None), (6, Format.YAML)]


def test_a_merge_counts_once_at_the_first_parent(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "r")
    commit_files(root, {"a.json": "1"})
    git(root, "checkout", "-q", "-b", "topic")
    commit_files(root, {"a.json": "2"})
    commit_files(root, {"a.json": "3", "b.json": "1"})
    git(root, "checkout", "-q", "main")
    commit_files(root, {"c.json": "1"})
    git(root, "merge", "-q", "--no-ff", "topic", "-m", "Merge")
    index = index_of(root)
    assert index.revision == 3
    assert versions(index, "a") == [(1, Format.JSON), (3, Format.JSON)]
    assert versions(index, "b") == [(3, Format.JSON)]


def test_odd_paths_authors_and_messages_are_read_right(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "r")
    odd = {
        "sp ace.txt": "1",
        "new\nline.txt": "1",
        "tab\t:x": "1",
        ":colon": "1",
        "deep/ü/é.json": "1",
        "ok.json": "1",
    }
    commit_files(root, odd, "subject\n\n:100644 100644 a b M\0".replace("\0", ""))
    (root / b"bad\xff.txt".decode("utf-8", "surrogateescape")).write_text("1")
    commit_files(root, {"ok.json": "2"})
    index = index_of(root)
    assert list(index.services) == ["ok"]
    assert versions(index, "ok") == [(1, Format.JSON), (2, Format.JSON)]
    assert set(index.other_files) >= {"sp ace.txt", "new\nline.txt", "tab\t:x", ":colon", "bad\udcff.txt"}
    assert index.record(2).author == "Ann Author <ann@example.com>"


def test_a_json_file_hides_a_yaml_file_of_the_same_service(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "r")
    commit_files(root, {"a.yaml": "1"})
    commit_files(root, {"a.json": "2"})
    commit_files(root, {"a.yaml": "3"})
    commit_files(root, {"a.json": None})
    index = index_of(root)
    assert versions(index, "a") == [(1, Format.YAML), (2, Format.JSON), (4, Format.YAML)]
    assert index.known("a.yaml", bytes.fromhex(git(root, "rev-parse", "main:a.yaml")))


def test_a_symlink_is_no_document(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "r")
    commit_files(root, {"a.json": "1"})
    (root / "a.json").unlink()
    (root / "a.json").symlink_to("/etc/passwd")
    commit_files(root, {})
    assert versions(index_of(root), "a") == [(1, Format.JSON), (2, None)]


def test_ordinals_follow_the_first_creation_and_path_order_within_a_commit(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "r")
    commit_files(root, {"b.json": "1", "a/x.json": "1", "a-b.json": "1"})
    commit_files(root, {"b.json": None, "a.json": "1"})
    commit_files(root, {"b.json": "1"})
    index = index_of(root)
    assert {service: history.ordinal for service, history in index.services.items()} == {
        "a-b": 1,
        "a/x": 2,
        "b": 3,
        "a": 4,
    }
    assert list(index.counts) == [3, 3, 4]


def test_history_after_a_commit_that_is_not_on_the_chain_is_empty(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "r")
    first = commit_files(root, {"a.json": "1"})
    git(root, "checkout", "-q", "-b", "topic")
    side = commit_files(root, {"a.json": "2"})
    git(root, "checkout", "-q", "main")
    commit_files(root, {"b.json": "1"})
    git(root, "merge", "-q", "--no-ff", "topic", "-m", "Merge")
    head = git(root, "rev-parse", "main")
    assert len(list(first_parent_commits(root, head, after=first))) == 2
    assert list(first_parent_commits(root, head, after=side)) == []


@pytest.mark.slow
@pytest.mark.parametrize("piece_commits", [1, 2, 3, 6, 7])
def test_a_long_history_is_the_same_in_pieces_of_any_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece_commits: int
) -> None:
    root = new_repository(tmp_path / "r")
    commit_files(root, {"a.json": "1", "README.md": "x"})
    git(root, "checkout", "-q", "-b", "topic")
    commit_files(root, {"b.json": "1"})
    git(root, "checkout", "-q", "main")
    for number in range(4):
        commit_files(root, {"a.json": f"{number}", f"{number % 2}.yaml": "1" if number < 2 else None})
    git(root, "merge", "-q", "--no-ff", "topic", "-m", "Merge")
    head = git(root, "rev-parse", "main")
    whole = list(first_parent_commits(root, head))
    monkeypatch.setattr(history, "PIECE_COMMITS", piece_commits)
    assert list(first_parent_commits(root, head)) == whole
    assert len(whole) == 6


def test_a_history_with_a_missing_tree_is_told_of_in_whichever_piece_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = new_repository(tmp_path / "r")
    for number in range(6):
        commit_files(root, {"a.json": f"{number}"})
    tree = git(root, "rev-parse", "main~2^{tree}")
    (root / ".git/objects" / tree[:2] / tree[2:]).unlink()
    monkeypatch.setattr(history, "PIECE_COMMITS", 2)
    commits = first_parent_commits(root, git(root, "rev-parse", "main"))
    assert [next(commits).commit_id.hex() for _ in range(2)] == [
        git(root, "rev-parse", f"main~{5 - n}") for n in range(2)
    ]
    with pytest.raises(GitFailed, match=tree):
        list(commits)


def commit_changes(number: int, files: dict[str, str | None]) -> CommitChanges:
    changes = (
        PathChange(path, None if text is None else 0o100644, None if text is None else text.encode() * 20)
        for path, text in files.items()
    )
    return CommitChanges(bytes([number]) * 20, 1000 + number, "A <a@b>", tuple(changes))


@pytest.mark.slow
@settings(max_examples=60)
@given(commits=COMMITS, cut=st.integers(0, 12))
def test_saved_in_between_and_fed_on_gives_the_same_index(
    tmp_path_factory: pytest.TempPathFactory, commits: list[dict[str, str | None]], cut: int
) -> None:
    path = tmp_path_factory.mktemp("index") / "versions"
    whole, part = VersionIndex(), VersionIndex()
    for number, files in enumerate(commits):
        if number == cut:
            save_versions(part, path)
            part = load_versions(path)
        whole.feed(commit_changes(number, files))
        part.feed(commit_changes(number, files))
    assert described(part) == described(whole)
    assert (part.counts, part.commits, part.times) == (whole.counts, whole.commits, whole.times)
    assert part.other_files == whole.other_files


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other magic", "missing"])
def test_a_damaged_file_is_not_used(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "versions"
    index = VersionIndex()
    index.feed(commit_changes(1, {"a.json": "1"}))
    save_versions(index, path)
    content = path.read_bytes()
    damaged = {
        "cut": content[:-7],
        "flip": content[:60] + bytes([content[60] ^ 1]) + content[61:],
        "empty": b"",
        "other magic": b"x" + content,
    }
    path.unlink() if damage == "missing" else path.write_bytes(damaged[damage])
    with pytest.raises(VersionFileInvalid):
        load_versions(path)


def test_a_reader_at_an_old_revision_sees_nothing_newer() -> None:
    index = VersionIndex()
    index.feed(commit_changes(1, {"a.json": "1"}))
    index.feed(commit_changes(2, {"a.json": "2", "b.json": "1"}))
    old = index.find("a", 1)
    assert old is not None
    assert old.version == 0
    assert index.find("b", 1) is None
    assert index.entry("a", 1, 1) is None
    assert list(index.names("", 1)) == ["a"]
    assert list(index.names("", 2)) == ["a", "b"]
