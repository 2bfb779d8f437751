"""Races, made on purpose: the question whether content is known is asked at the moment that matters."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from configsvc.store import swap
from configsvc.store.objects import object_id
from configsvc.store.workfiles import Kind, WorkFiles

OLD, NEW = b"old\n", b"new\n"
KNOWN = {object_id("blob", OLD), object_id("blob", NEW)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "x.json").write_bytes(OLD)
    return root


@pytest.fixture(params=[True, False], ids=["exchange", "stepwise"])
def files(root: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[WorkFiles]:
    files = WorkFiles(root, tmp_path / "own", can_exchange=request.param)
    with files.opened():
        yield files


def is_known(blob_id: bytes) -> bool:
    return blob_id in KNOWN


def while_judged(*actions: Callable[[], object]) -> Callable[[bytes], bool]:
    """Return an `is_known` that first does the next action, as if somebody did at that moment."""
    waiting = list(actions)

    def known(blob_id: bytes) -> bool:
        if waiting:
            waiting.pop(0)()
        return blob_id in KNOWN

    return known


def save(path: Path, content: bytes) -> None:
    """Write as most editors do: aside, then renamed over."""
    aside = path.with_name("aside")
    aside.write_bytes(content)
    aside.rename(path)


def kept(files: WorkFiles) -> list[bytes]:
    folder = files.kept_folder
    return sorted(path.read_bytes() for path in folder.iterdir()) if folder.is_dir() else []


def leftovers(files: WorkFiles) -> list[str]:
    return os.listdir(files.kept_folder.with_name("tmp"))


def test_known_content_is_replaced(root: Path, files: WorkFiles) -> None:
    stat = files.replace(b"x.json", NEW, is_known)
    # Reading moves the access time, which the two results carry too.
    assert stat == os.stat(root / "x.json")
    assert (root / "x.json").read_bytes() == NEW
    assert leftovers(files) == []


def test_unknown_content_stays(root: Path, files: WorkFiles) -> None:
    (root / "x.json").write_bytes(b"mine\n")
    before = os.stat(root / "x.json")
    assert files.replace(b"x.json", NEW, is_known) is None
    assert not files.remove(b"x.json", is_known)
    assert (root / "x.json").read_bytes() == b"mine\n"
    assert os.stat(root / "x.json").st_ino == before.st_ino
    assert leftovers(files) == []
    assert kept(files) == []


@pytest.mark.parametrize("writes", ["r+b", "ab", "wb"])
def test_a_writer_that_was_there_first_keeps_its_file(root: Path, files: WorkFiles, writes: str) -> None:
    with (root / "x.json").open(writes) as editor:
        assert files.replace(b"x.json", NEW, is_known) is None
        assert not files.remove(b"x.json", is_known)
        editor.write(b"mine\n")
    assert (root / "x.json").read_bytes().endswith(b"mine\n")
    assert leftovers(files) == []


def test_a_save_after_the_exchange_wins(root: Path, files: WorkFiles) -> None:
    files.replace(b"x.json", NEW, while_judged(lambda: save(root / "x.json", b"mine\n")))
    assert (root / "x.json").read_bytes() == b"mine\n"
    assert leftovers(files) == []
    assert kept(files) == []


def test_of_two_saves_around_the_exchange_the_newer_is_in_place_and_the_older_kept(
    root: Path, files: WorkFiles
) -> None:
    save(root / "x.json", b"first\n")
    assert files.replace(b"x.json", NEW, while_judged(lambda: save(root / "x.json", b"second\n"))) is None
    assert (root / "x.json").read_bytes() == b"second\n"
    assert kept(files) == [b"first\n"]
    assert leftovers(files) == []


def test_a_save_while_a_file_is_removed_wins(root: Path, files: WorkFiles) -> None:
    assert files.remove(b"x.json", while_judged(lambda: save(root / "x.json", b"mine\n")))
    assert (root / "x.json").read_bytes() == b"mine\n"


def test_a_save_while_an_edit_was_nearly_removed_wins_and_the_edit_is_kept(
    root: Path, files: WorkFiles
) -> None:
    save(root / "x.json", b"first\n")
    assert not files.remove(b"x.json", while_judged(lambda: save(root / "x.json", b"second\n")))
    assert (root / "x.json").read_bytes() == b"second\n"
    assert kept(files) == [b"first\n"]


def test_what_a_person_deletes_while_an_edit_is_put_back_stays_deleted(root: Path, tmp_path: Path) -> None:
    files = WorkFiles(root, tmp_path / "own")
    save(root / "x.json", b"mine\n")
    with files.opened():
        assert files.replace(b"x.json", NEW, while_judged((root / "x.json").unlink)) is None
    assert not (root / "x.json").exists()
    assert kept(files) == [b"mine\n"]


def test_a_file_saved_anew_gets_no_stat_data_that_would_call_it_clean(root: Path, files: WorkFiles) -> None:
    stat = files.replace(b"x.json", NEW, while_judged(lambda: save(root / "x.json", b"mine\n")))
    if stat is not None:
        assert stat.st_ino != os.stat(root / "x.json").st_ino


def test_a_folder_put_in_place_of_a_file_meanwhile_comes_back(root: Path, files: WorkFiles) -> None:
    (root / "x.json").unlink()
    (root / "x.json").mkdir()
    (root / "x.json" / "note").write_bytes(b"mine\n")
    assert files.replace(b"x.json", NEW, is_known) is None
    assert (root / "x.json" / "note").read_bytes() == b"mine\n"
    assert not files.remove(b"x.json", is_known)
    assert (root / "x.json" / "note").read_bytes() == b"mine\n"


def test_nothing_is_created_over_a_file(root: Path, files: WorkFiles) -> None:
    assert files.create(b"x.json", NEW) is None
    assert (root / "x.json").read_bytes() == OLD
    assert files.create(b"x.json/y.json", NEW) is None
    assert leftovers(files) == []


def test_a_missing_file_is_not_replaced(root: Path, files: WorkFiles) -> None:
    (root / "x.json").unlink()
    assert files.replace(b"x.json", NEW, is_known) is None
    assert files.replace(b"no/x.json", NEW, is_known) is None
    assert files.remove(b"x.json", is_known)
    assert files.remove(b"no/x.json", is_known)
    assert os.listdir(root) == []
    assert leftovers(files) == []


def test_the_system_without_exchange_is_noticed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap, "_renameat2", None)
    files = WorkFiles(root, tmp_path / "own")
    with files.opened():
        assert files.replace(b"x.json", NEW, is_known) is not None
        assert files.create(b"a/y.json", NEW) is not None
        assert files.create(b"a/y.json", OLD) is None
        assert files.look(b"a/y.json").blob_id == object_id("blob", NEW)
    assert (root / "x.json").read_bytes() == NEW


def test_a_look_follows_no_link(root: Path, files: WorkFiles) -> None:
    (root / "link.json").symlink_to("x.json")
    (root / "folder").symlink_to(".")
    assert files.look(b"link.json").kind is Kind.OTHER
    assert files.look(b"folder/x.json").kind is Kind.OTHER
    assert files.look(b"x.json").kind is Kind.FILE
    assert files.look(b"no/x.json").kind is Kind.MISSING


def test_hundreds_of_folders_do_not_stay_open(root: Path, files: WorkFiles) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number in range(200):
        assert files.create(b"%d/%d/x.json" % (number % 20, number), NEW) is not None
    assert len(os.listdir("/proc/self/fd")) < before + 70


def test_a_folder_that_goes_away_meanwhile_is_made_again_at_the_next_try(
    root: Path, files: WorkFiles
) -> None:
    (root / "a/b").mkdir(parents=True)
    assert files.look(b"a/b/x.json").kind is Kind.MISSING
    shutil.rmtree(root / "a")
    assert files.create(b"a/b/x.json", NEW) is None
    assert files.create(b"a/b/x.json", NEW) == os.stat(root / "a/b/x.json")
    assert leftovers(files) == []
