from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configsvc.core.errors import PathConflict
from configsvc.core.trees import FILE
from configsvc.store.objects import Objects, object_id
from configsvc.store.trees import EMPTY_TREE, Tree, edited, find_entry, find_folder, walk

NAMES = st.sampled_from(["a", "a-b", "a.b", "a0", "b", "ab", "a-", "z"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join).map(lambda stem: f"{stem}.json")
EDITS = st.lists(st.tuples(PATHS, st.one_of(st.none(), st.binary(max_size=4))), max_size=30)


class Store:
    """Objects by id, as a repository would hold them."""

    def __init__(self) -> None:
        self.objects = Objects()

    def load(self, identity: bytes) -> bytes:
        return self.objects[identity][1]

    def edit(self, root: Tree, path: str, content: bytes | None) -> Tree:
        blob_id = None if content is None else object_id("blob", content)
        return edited(root, {path.encode(): blob_id}, self.load, self.objects)


def git_tree_id(folder: Path, files: dict[str, bytes]) -> str:
    subprocess.run(["git", "init", "-q", folder], check=True)
    lines = []
    for path, content in files.items():
        made = subprocess.run(
            ["git", "-C", folder, "hash-object", "-w", "--stdin"],
            input=content,
            capture_output=True,
            check=True,
        )
        lines.append(f"100644 {made.stdout.decode().strip()}\t{path}")
    subprocess.run(["git", "-C", folder, "read-tree", "--empty"], check=True)
    listing = "\n".join(lines).encode() + b"\n" if lines else b""
    subprocess.run(["git", "-C", folder, "update-index", "--index-info"], input=listing, check=True)
    return subprocess.run(
        ["git", "-C", folder, "write-tree"], capture_output=True, check=True, text=True
    ).stdout.strip()


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(edits=EDITS)
def test_any_edits_give_the_tree_that_git_would_write(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, bytes | None]]
) -> None:
    store, root, files = Store(), EMPTY_TREE, {}
    for path, content in edits:
        root = store.edit(root, path, content)
        files[path] = content
    present = {path: content for path, content in files.items() if content is not None}
    assert root.id.hex() == git_tree_id(tmp_path_factory.mktemp("git"), present)
    assert {path.decode(): entry.id for path, entry in walk(root, store.load)} == {
        path: object_id("blob", content) for path, content in present.items()
    }


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(before=EDITS, edits=st.dictionaries(PATHS, st.one_of(st.none(), st.binary(max_size=4)), max_size=30))
def test_many_edits_at_once_give_the_tree_that_they_give_one_by_one(
    before: list[tuple[str, bytes | None]], edits: dict[str, bytes | None]
) -> None:
    store, root = Store(), EMPTY_TREE
    for path, content in before:
        root = store.edit(root, path, content)
    blobs = {
        path.encode(): None if content is None else object_id("blob", content)
        for path, content in edits.items()
    }
    at_once = edited(root, blobs, store.load, store.objects)
    for path, content in edits.items():
        root = store.edit(root, path, content)
    assert at_once.raw == root.raw
    assert at_once.names() == Tree(at_once.raw, at_once.id).names()


def test_thousands_of_new_files_in_one_folder_are_put_at_once() -> None:
    store = Store()
    edits = {b"big/s%05d.json" % number: b"1" * 20 for number in range(4900)}
    started = time.thread_time()
    root = edited(EMPTY_TREE, edits, store.load, store.objects)
    emptied = edited(root, dict.fromkeys(edits), store.load, store.objects)
    assert time.thread_time() - started < 1  # one by one they take 20 s
    assert emptied.id == EMPTY_TREE.id


@pytest.mark.slow
def test_an_edit_goes_on_while_readers_enter_folders_of_the_same_tree() -> None:
    store = Store()
    edits = {b"f%04d/a.json" % number: b"1" * 20 for number in range(2000)}
    whole = edited(EMPTY_TREE, edits, store.load, store.objects)
    shared = [Tree(whole.raw, whole.id) for _ in range(8)]  # as read from disk: no folder was entered
    with switching_often():
        reader = threading.Thread(
            target=lambda: [find_folder(tree, path[:5], store.load) for tree in shared for path in edits]
        )
        reader.start()
        for number, tree in enumerate(shared):
            while len(tree._folders) < len(edits):
                after = edited(tree, {b"f0000/b.json": b"2" * 20}, store.load, store.objects)
                assert len(after) == len(edits), number
        reader.join()


@contextlib.contextmanager
def switching_often() -> Iterator[None]:
    """Have threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def test_new_names_that_differ_only_by_case_from_each_other_are_refused() -> None:
    store = Store()
    edits = {b"Notes": b"1" * 20, b"notes": b"1" * 20, b"other": b"1" * 20}
    with pytest.raises(PathConflict, match="differ only by case"):
        edited(EMPTY_TREE, edits, store.load, store.objects)
    root = store.edit(EMPTY_TREE, "Notes", b"")
    renamed = edited(root, {b"Notes": None, b"notes": b"1" * 20}, store.load, store.objects)
    assert renamed.names() == [b"notes"]


def test_an_edit_shares_what_it_does_not_touch_and_leaves_the_old_root_as_it_was() -> None:
    store = Store()
    before = store.edit(store.edit(EMPTY_TREE, "a/x.json", b"1"), "b/y.json", b"2")
    after = store.edit(before, "a/x.json", b"3")
    assert find_folder(after, b"b", store.load) is find_folder(before, b"b", store.load)
    old = find_entry(before, b"a/x.json", store.load)
    assert old is not None
    assert old.id == object_id("blob", b"1")


def test_a_tree_that_git_wrote_with_other_modes_is_read_right() -> None:
    raw = b"120000 link\0" + b"1" * 20 + b"40000 sub\0" + b"4" * 20 + b"100755 tool\0" + b"\0" * 20
    tree = Tree(raw, object_id("tree", raw))
    assert [(name, tree.find(name)) for name in tree.names()] == [
        (b"link", (0o120000, b"1" * 20)),
        (b"sub", (0o40000, b"4" * 20)),
        (b"tool", (0o100755, b"\0" * 20)),
    ]


def test_a_file_in_place_of_an_executable_becomes_an_ordinary_file() -> None:
    raw = b"100755 a.json\0" + b"1" * 20
    store = Store()
    root = store.edit(Tree(raw, object_id("tree", raw)), "a.json", b"2")
    entry = root.find(b"a.json")
    assert entry is not None
    assert entry.mode == FILE


def test_removing_what_is_not_there_changes_nothing() -> None:
    store = Store()
    root = store.edit(EMPTY_TREE, "a/x.json", b"1")
    assert store.edit(root, "a/y.json", None) is root
    assert store.edit(root, "q/y.json", None) is root


@pytest.mark.parametrize("path", ["payments/api.json", "Payments"])
def test_names_that_differ_only_by_case_are_refused(path: str) -> None:
    store = Store()
    root = store.edit(EMPTY_TREE, "Payments/README.md" if path != "Payments" else "payments/x.json", b"")
    with pytest.raises(PathConflict, match="differ only by case"):
        store.edit(root, path, b"1")


def test_a_file_makes_room_for_a_folder_of_its_name_in_one_step_and_back() -> None:
    store = Store()
    one, two = object_id("blob", b"1"), object_id("blob", b"2")
    before = edited(EMPTY_TREE, {b"a": one, b"z": one}, store.load, store.objects)
    folder = edited(before, {b"a/b": two, b"a": None}, store.load, store.objects)
    assert [path for path, _ in walk(folder, store.load)] == [b"a/b", b"z"]
    assert edited(folder, {b"a": one, b"a/b": None}, store.load, store.objects).id == before.id


def test_many_edits_at_once_leave_no_object_that_nothing_names() -> None:
    store = Store()
    edits = {f"a/b{n % 3}/x{n}.json".encode(): object_id("blob", b"%d" % n) for n in range(12)}
    edited(EMPTY_TREE, edits, store.load, store.objects)
    assert len(store.objects) == 5
