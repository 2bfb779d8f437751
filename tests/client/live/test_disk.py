"""The last good copy, and what may happen to it."""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
from pathlib import Path

import pytest

from configsvc.client.live.disk import LEFT_OVER_AFTER_S, LastGood, server_name
from configsvc.client.results import Document
from tests.crash.smalldisk import fill_bytes, small_disk

DOCUMENT = Document("payments/api", {"timeout_s": 10, "ü": [None]}, 3, 9, '"3-x-json"')


def test_a_copy_is_found_again_with_its_age(tmp_path: Path) -> None:
    now_s = 1_000_000.0
    copies = LastGood(tmp_path / "made", "http://one", clock=lambda: now_s)
    assert copies.find("payments/api") is None
    assert copies.save(DOCUMENT)
    copies.confirm(["payments/api", "missing"])
    now_s += 90.0
    kept = copies.find("payments/api")
    assert kept is not None
    assert kept.document == DOCUMENT
    assert kept.age_s == 90.0


def test_half_a_surrogate_pair_is_kept_too(tmp_path: Path) -> None:
    copies = LastGood(tmp_path, "server")
    document = Document("pay/api", {"name": "\ud800"}, 0, 1, '"0"')
    assert copies.save(document)
    kept = copies.find("pay/api")
    assert kept is not None
    assert kept.document == document


def test_a_clock_that_went_back_makes_no_copy_of_the_future(tmp_path: Path) -> None:
    now_s = 1_000_000.0
    copies = LastGood(tmp_path, "http://one", clock=lambda: now_s)
    copies.save(DOCUMENT)
    copies.confirm(["payments/api"])
    now_s = 0.0
    kept = copies.find("payments/api")
    assert kept is not None
    assert kept.age_s == 0.0


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        copies = LastGood(tmp_path / "cache", "http://one")
        copies.save(DOCUMENT)
    finally:
        os.umask(before)
    path = copies.path("payments/api")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_a_copy_that_others_may_touch_is_not_used(
    tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    copies = LastGood(tmp_path, "http://one")
    copies.save(DOCUMENT)
    copies.path("payments/api").chmod(mode)
    assert copies.find("payments/api") is None
    assert f"mode {mode:04o} (expected: 0600)" in caplog.text


def test_a_copy_of_another_owner_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    copies = LastGood(tmp_path, "http://one")
    copies.save(DOCUMENT)
    os.chown(copies.path("payments/api"), 12345, 12345)
    assert copies.find("payments/api") is None
    assert "owner 12345 (expected: 0)" in caplog.text


def test_no_link_is_followed_and_no_pipe_is_waited_for(tmp_path: Path) -> None:
    copies = LastGood(tmp_path, "http://one")
    copies.save(DOCUMENT)
    path = copies.path("payments/api")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert copies.find("payments/api") is None
    path.unlink()
    os.mkfifo(path, 0o600)
    assert copies.find("payments/api") is None


def test_a_copy_torn_anywhere_is_not_used(tmp_path: Path) -> None:
    copies = LastGood(tmp_path, "http://one")
    copies.save(DOCUMENT)
    path = copies.path("payments/api")
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert copies.find("payments/api") is None
    for torn in (whole.replace(b"10", b"99"), whole[:-30] + b"\0" * 30, b"[]", b"{}", b'{"sha256": 1}'):
        path.write_bytes(torn)
        assert copies.find("payments/api") is None
    path.write_bytes(whole)
    assert copies.find("payments/api") is not None


def test_a_copy_belongs_to_one_service_of_one_server(tmp_path: Path) -> None:
    copies, others = LastGood(tmp_path, "http://one"), LastGood(tmp_path, "http://two")
    copies.save(DOCUMENT)
    assert others.find("payments/api") is None
    for path in (copies.path("payments/other"), others.path("payments/api")):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(copies.path("payments/api").read_bytes())
        path.chmod(0o600)
    assert copies.find("payments/other") is None
    assert others.find("payments/api") is None


def test_the_name_of_a_server_has_no_password_and_no_order() -> None:
    assert server_name(["http://b", "https://me:hidden@a/x"]) == "http://b https://a/x"


@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_copy_before_and_is_told_once(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    copies = LastGood(tmp_path, "http://one")
    copies.save(DOCUMENT)
    newer = Document("payments/api", {}, 4, 10, '"4"')

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        where: object = Path if step == "replace" else os
        patched.setattr(where, step, fail)
        assert not copies.save(newer)
        assert not copies.save(newer)
    kept = copies.find("payments/api")
    assert kept is not None
    assert kept.document == DOCUMENT
    assert [path.name for path in copies.path("payments/api").parent.iterdir()] == ["payments%2Fapi.json"]
    assert len([each for each in caplog.records if each.levelno == logging.WARNING]) == 1
    assert "No space left on device" in caplog.text
    assert copies.save(newer)


@pytest.mark.crash
def test_a_full_disk_keeps_the_copy_before(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        copies = LastGood(disk, "http://one")
        assert copies.save(DOCUMENT)
        fill_bytes(disk)
        assert not copies.save(Document("payments/api", {"n": "x" * 9000}, 4, 10, '"4"'))
        kept = copies.find("payments/api")
        assert kept is not None
        assert kept.document == DOCUMENT


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    copies = LastGood(tmp_path / "file" / "cache", "http://one")
    assert not copies.save(DOCUMENT)
    assert copies.find("payments/api") is None
    assert "no copy is kept" in caplog.text


def test_what_a_killed_process_left_behind_is_swept(tmp_path: Path) -> None:
    copies = LastGood(tmp_path, "http://one")
    folder = copies.path("x").parent
    folder.mkdir()
    old, young = folder / ".1-aa.tmp", folder / ".2-bb.tmp"
    old.write_text("")
    young.write_text("")
    past_s = old.stat().st_mtime - LEFT_OVER_AFTER_S - 60.0
    os.utime(old, (past_s, past_s))
    copies.save(DOCUMENT)
    assert not old.exists()
    assert young.exists()


def test_a_copy_says_what_it_is(tmp_path: Path) -> None:
    copies = LastGood(tmp_path, "http://one")
    copies.save(DOCUMENT)
    record = json.loads(copies.path("payments/api").read_bytes())
    assert (record["server"], record["service"], record["version"]) == ("http://one", "payments/api", 3)
