"""The repository on disk: made, opened at exactly one folder, its settings pinned."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

from configsvc.core.changes import COMMITTER
from configsvc.core.errors import RepositoryUnusable
from configsvc.core.names import ATTRIBUTES, ATTRIBUTES_FILE
from configsvc.store.batch import commit_time
from configsvc.store.disk import Disk
from configsvc.store.gitcommand import MIN_GIT, GitFailed, git, git_version
from configsvc.store.gitsettings import add_settings
from configsvc.store.hooks import write_hooks
from configsvc.store.objects import CommitObject, Objects, add_object
from configsvc.store.packs import build_pack, write_pack
from configsvc.store.refs import MAIN, RefUnreadable, compare_and_set, read_ref
from configsvc.store.trees import EMPTY_TREE, edited

SETTINGS = {
    "gc.auto": "0",
    "gc.packrefs": "false",
    "maintenance.auto": "false",
    "receive.autogc": "false",
    "receive.advertiseatomic": "false",
    "receive.advertisepushoptions": "false",
    # What may be forced or deleted is decided by the service, which pre-receive asks.
    "receive.denynonfastforwards": "false",
    "receive.denydeletes": "false",
    "receive.denycurrentbranch": "refuse",
    "receive.denydeletecurrent": "refuse",
    "receive.fsckobjects": "true",
    "receive.maxinputsize": "256m",
    "receive.unpacklimit": "1",
    "receive.updateserverinfo": "false",
    "transfer.unpacklimit": "1",
    "uploadpack.allowfilter": "true",
    # Protocol 2 lets a client ask for any object; a partial clone needs that of protocol 0 too.
    "uploadpack.allowanysha1inwant": "true",
    "uploadpackfilter.sparse:oid.allow": "false",
    # Bounds on the memory of a git process: what is larger is streamed, deltas are searched little by little.
    "core.bigfilethreshold": "16m",
    "pack.threads": "1",
    "pack.windowmemory": "32m",
    "pack.deltacachesize": "32m",
    "fetch.writecommitgraph": "false",
    "core.fsync": "all",
    "core.usereplacerefs": "false",
    "core.autocrlf": "false",
    "core.protectntfs": "true",
    "core.protecthfs": "true",
    "core.symlinks": "false",
    "core.splitindex": "false",
    "index.version": "2",
    "transfer.fsckobjects": "true",
}
"""git settings that the store relies on, pinned each time it is opened."""

MULTIPLE_SETTINGS = {
    # Where a push is the writer's business, and not git's.
    "receive.procreceiverefs": ("refs/for/main", "refs/heads/main"),
    # What is nobody's but this machine's: a person's stash, say.
    "uploadpack.hiderefs": ("refs", "!refs/heads", "!refs/tags"),
}
"""The same for settings that have several values, in this order."""

LEFTOVERS = "leftovers"
"""File of our own that is there while the object store may hold what nothing reaches."""

# Where a repository is made before it is given its place.
_MAKING = ".git.new"


def own_folder(git_dir: Path) -> Path:
    """Return the folder for this machine's own files."""
    return git_dir / "configsvc"


def git_dir_of(root: Path) -> Path:
    """Return the `.git` folder of the working tree at exactly `root`.

    Raises:
        RepositoryUnusable: It is no working tree of its own with branch main.
    """
    git_dir = root / ".git"
    if not root.is_dir():
        raise RepositoryUnusable(
            f"repository: {root} is not a folder (expected: a git working tree; `configsvc init` makes one)"
        )
    if not git_dir.is_dir() or git_dir.is_symlink():
        raise RepositoryUnusable(
            f"repository: {root} has no .git folder of its own "
            "(expected: a git working tree; `configsvc init` makes one)"
        )
    _refuse_other_owner(root, git_dir)
    try:
        read_ref(git_dir)
    except RefUnreadable as error:
        raise RepositoryUnusable(
            f"repository: {root}: {error} (expected: at least one commit on branch main)"
        ) from error
    return git_dir


def _refuse_other_owner(root: Path, git_dir: Path) -> None:
    """Raise for what git would not touch: another user's repository (git-config(1), safe.directory)."""
    mine = {os.geteuid()}
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        mine.add(int(os.environ["SUDO_UID"]))
    for path in (root, git_dir):
        owner = path.stat().st_uid
        if owner not in mine:
            raise RepositoryUnusable(
                f"repository: {path} belongs to {_user(owner)}, and this process runs as "
                f"{_user(os.geteuid())} (expected: the same user; start it as that one, or "
                f"`chown -R {os.geteuid()} {root}`)"
            )


def _user(number: int) -> str:
    try:
        return f"user {number} ({pwd.getpwuid(number).pw_name})"
    except KeyError:
        return f"user {number}"


def is_shallow(git_dir: Path) -> bool:
    """Return whether the history is cut off: `.git/shallow` names where (gitrepository-layout(5))."""
    place = git_dir / "shallow"
    return place.exists() and place.stat().st_size > 0


def refuse_shallow(root: Path, git_dir: Path) -> None:
    """Raise for a shallow clone: versions are counted over the whole history, and would have other numbers.

    Raises:
        RepositoryUnusable: It is one.
    """
    if is_shallow(git_dir):
        raise RepositoryUnusable(
            f"repository: {root} is a shallow clone, in which versions have other numbers "
            "(expected: the whole history; `git fetch --unshallow` gets it)"
        )


def needs_creation(root: Path) -> bool:
    """Return whether `root` is a place where `create_repository` may make a repository.

    True for a missing or empty folder, and for one that holds nothing but a README
    and what an earlier, interrupted making left.
    """
    if not root.exists():
        return True
    return root.is_dir() and all(_may_stand_there(entry) for entry in root.iterdir())


def create_repository(root: Path, *, now_s: float) -> None:
    """Make a working tree on branch main whose first commit holds what is there.

    `.git` comes into being last and whole, so that a making that was
    interrupted, by a kill or a power cut, is made again by the next.

    Raises:
        RepositoryUnusable: The folder holds other files, or git failed.
    """
    new_folders = [folder for folder in root.resolve().parents if not folder.exists()]
    # Whoever may read the folder reads past all access control.
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in new_folders:
        Disk().sync_folder(folder.parent)
    with _alone_in(root):
        if (root / ".git").exists():
            return  # another process has just made it
        if not needs_creation(root):
            raise RepositoryUnusable(
                f"repository: {root} is not empty "
                "(expected: an empty folder; for an existing git repository use `configsvc init --adopt`)"
            )
        making = root / _MAKING
        shutil.rmtree(making, ignore_errors=True)
        try:
            _make_git_dir(making, root, now_s)
            sync_everything(root)
            making.rename(root / ".git")
            Disk().sync_folder(root)
            git(root, "update-index", "-q", "--refresh")
        except (GitFailed, OSError) as error:
            shutil.rmtree(making, ignore_errors=True)
            raise RepositoryUnusable(f"repository: {root} could not be made: {error}") from error


def pin_settings(root: Path, git_dir: Path) -> None:
    """Set the git settings and the hook that the store relies on, where they differ.

    Raises:
        RepositoryUnusable: git is too old or cannot write its settings.
    """
    version = git_version()
    if version < MIN_GIT:
        raise RepositoryUnusable(
            f"git version: {'.'.join(map(str, version))} (expected: >= {'.'.join(map(str, MIN_GIT))})"
        )
    try:
        write_hooks(own_folder(git_dir) / "hooks")
        current = local_settings(root)
        wanted = wanted_settings(git_dir)
        for name, values in wanted.items():
            if name in current and current[name] != values:
                git(root, "config", "--local", "--replace-all", name, values[0])
                for value in values[1:]:
                    git(root, "config", "--local", "--add", name, value)
        add_settings(git_dir, {name: wanted[name] for name in wanted if name not in current})
    except (GitFailed, OSError) as error:
        raise RepositoryUnusable(f"repository: {root}: settings could not be written: {error}") from error


def wanted_settings(git_dir: Path) -> dict[str, list[str]]:
    """Return every git setting that is pinned, with its values in order."""
    wanted = {name: [value] for name, value in SETTINGS.items()}
    wanted |= {name: list(values) for name, values in MULTIPLE_SETTINGS.items()}
    return wanted | {"core.hookspath": [str(own_folder(git_dir) / "hooks")]}


def sync_everything(root: Path) -> None:
    """Sync every file and folder of a new repository, and the folder it stands in."""
    disk = Disk()
    for folder, _, files in os.walk(root):
        for name in files:
            descriptor = os.open(Path(folder) / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        disk.sync_folder(Path(folder))
    disk.sync_folder(root.resolve().parent)


def _may_stand_there(entry: Path) -> bool:
    if entry.name == ATTRIBUTES_FILE:
        return entry.is_file() and entry.read_bytes() == ATTRIBUTES
    return entry.name == _MAKING or (entry.name.lower().startswith("readme") and entry.is_file())


@contextlib.contextmanager
def _alone_in(root: Path) -> Iterator[None]:
    """Keep other processes from making a repository here meanwhile."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_git_dir(git_dir: Path, root: Path, now_s: float) -> None:
    """Make what is to be the `.git` folder of `root`, with a first commit of what stands there."""
    git(root, "init", "--quiet", "--bare", "--initial-branch=main", "--template=", git_dir.name)
    objects = Objects()
    files = {entry.name: entry.read_bytes() for entry in root.iterdir() if entry.is_file()}
    files[ATTRIBUTES_FILE] = ATTRIBUTES
    edits = {os.fsencode(name): add_object(objects, "blob", content) for name, content in files.items()}
    tree = edited(EMPTY_TREE, edits, lambda identity: objects[identity][1], objects)
    when = commit_time(now_s, 0)
    commit = CommitObject(tree.id, (), COMMITTER, COMMITTER, when, "Start the repository\n")
    identity = add_object(objects, "commit", commit.encode())
    pack_folder = git_dir / "objects" / "pack"
    pack_folder.mkdir(parents=True, exist_ok=True)
    disk = Disk()
    write_pack(pack_folder, build_pack(objects), disk)
    compare_and_set(git_dir, None, identity.hex(), disk, MAIN)
    git(git_dir, "read-tree", "HEAD")
    add_settings(git_dir, wanted_settings(root / ".git") | {"core.logallrefupdates": ["true"]})
    # It was made bare because git would note the working tree's place in it otherwise.
    git(git_dir, "config", "core.bare", "false")
    attributes = git_dir / ATTRIBUTES_FILE
    attributes.write_bytes(ATTRIBUTES)
    attributes.rename(root / ATTRIBUTES_FILE)


def local_settings(root: Path) -> dict[str, list[str]]:
    """Return the repository's own git settings: lower-case name to its values."""
    settings: dict[str, list[str]] = {}
    for line in git(root, "config", "--local", "--list", "-z").decode("utf-8", "surrogateescape").split("\0"):
        name, _, value = line.partition("\n")
        settings.setdefault(name, []).append(value)
    return settings
