from __future__ import annotations

import stat
from pathlib import Path

import pytest

from configsvc.core.errors import RepositoryUnusable
from configsvc.store.gitsettings import add_settings
from configsvc.store.gitstore import GitStore
from tests.store.gitrepo import git, new_repository


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "repo")


@pytest.mark.parametrize(
    "value",
    [
        "true",
        "two words",
        "",
        "  spaces  ",
        'a "quote"',
        "back\\slash",
        "# ; no comment",
        "two\nlines\tand tab",
    ],
)
def test_git_reads_a_setting_as_it_was_given(root: Path, value: str) -> None:
    add_settings(
        root / ".git", {"user.name": [value], "user.email": ["x", "y"], "remote.Far.Away.url": [value]}
    )
    for name in ("user.name", "remote.Far.Away.url"):
        assert git(root, "config", "--local", "-z", name) == f"{value}\0"
    assert git(root, "config", "--local", "--get-all", "user.email") == "x\ny"


def test_what_stood_in_the_settings_stays(root: Path) -> None:
    config = root / ".git/config"
    config.write_text(config.read_text() + "# mine\n[user]\n\tname = Ann")  # no line end, as editors leave it
    config.chmod(0o640)
    add_settings(root / ".git", {"gc.auto": ["0"]})
    assert config.read_text().endswith('# mine\n[user]\n\tname = Ann\n[gc]\n\tauto = "0"\n')
    assert git(root, "config", "user.name") == "Ann"
    assert stat.S_IMODE(config.stat().st_mode) == 0o640


def test_settings_that_are_a_link_stay_one(root: Path) -> None:
    config, elsewhere = root / ".git/config", root.parent / "elsewhere"
    config.rename(elsewhere)
    config.symlink_to(elsewhere)
    add_settings(root / ".git", {"gc.auto": ["0"]})
    assert config.is_symlink()
    assert git(root, "config", "gc.auto") == "0"


def test_settings_that_somebody_is_writing_are_left_alone(root: Path) -> None:
    lock = root / ".git/config.lock"
    lock.write_text("theirs")
    with pytest.raises(FileExistsError):
        add_settings(root / ".git", {"gc.auto": ["0"]})
    assert lock.read_text() == "theirs"


def test_a_failure_leaves_no_lock(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    before = (root / ".git/config").read_bytes()
    with pytest.raises(OSError, match="No space"):
        add_settings(root / ".git", {"gc.auto": ["0"]})
    assert not (root / ".git/config.lock").exists()
    assert (root / ".git/config").read_bytes() == before


def test_a_start_that_cannot_write_its_settings_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "repo"
    GitStore.open(root).close()
    git(root, "config", "--unset", "gc.auto")

    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("configsvc.store.repository.add_settings", fail)
    with pytest.raises(RepositoryUnusable, match=f"repository: {root}: settings could not be written: "):
        GitStore.open(root)
    monkeypatch.undo()
    GitStore.open(root).close()
    assert git(root, "config", "gc.auto") == "0"
