"""Working files, put in place and removed without losing what a person writes meanwhile.

A file is exchanged with its successor in one step and only then judged: what
came out is dropped if it is committed content and nobody has it open for
writing; else it goes back.  A check before the exchange alone would leave a
moment in which an editor's save is lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from enum import Enum
from hashlib import sha1
from pathlib import Path
from typing import NamedTuple

from configsvc.store.objects import object_id
from configsvc.store.swap import Place, SwapUnsupported, exchange, move_new
from configsvc.store.treefolders import FolderBlocked, TreeFolders

_CHUNK_BYTES = 1 << 20

Known = Callable[[bytes], bool]
"""Says of a blob id whether it was committed at the path in question."""


class Kind(Enum):
    """What stands at a path."""

    MISSING = "missing"
    FILE = "file"
    OTHER = "other"


class Found(NamedTuple):
    """What stands at a path of the working tree.

    Args:
        blob_id: Of a file; None while it changes under the reader's eyes.
        stat: Of a file, taken before it was read.
        what: In words, for `Kind.OTHER`.
    """

    kind: Kind
    blob_id: bytes | None = None
    stat: os.stat_result | None = None
    what: str = ""

    @property
    def executable(self) -> bool:
        """Whether git would call the file executable."""
        return self.stat is not None and bool(self.stat.st_mode & stat.S_IXUSR)


class WorkFiles:
    """The files below `root`.  Not thread-safe.

    Args:
        own: Our folder on the same file system; `tmp` and `kept` are made in it.
        can_exchange: False does without the exchange of two files, as on
            systems that do not have it.
    """

    def __init__(self, root: Path, own: Path, *, can_exchange: bool = True) -> None:
        self.kept_folder = own / "kept"
        self._folders = TreeFolders(root)
        self._temporary_folder = own / "tmp"
        self._temporary = -1
        self._count = 0
        self._can_exchange = can_exchange

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Keep folders open for what is done in the `with` block."""
        try:
            self._temporary = _open_folder(self._temporary_folder)
        except FileNotFoundError:
            self._temporary_folder.mkdir(parents=True)
            self._temporary = _open_folder(self._temporary_folder)
        try:
            yield
        finally:
            os.close(self._temporary)
            self._folders.close()

    def look(self, path: bytes) -> Found:
        """Return what stands at `path`."""
        try:
            place = self._folders.place(path)
            return Found(Kind.MISSING) if place is None else _look(place)
        except FolderBlocked as error:
            return Found(Kind.OTHER, what=str(error))

    def create(self, path: bytes, content: bytes, *, executable: bool = False) -> os.stat_result | None:
        """Put a file where there is none, and the folders it needs.

        Returns:
            Its stat data; None when there was something, or somebody removed its folder meanwhile.
        """
        temporary, made = self._write(content, executable)
        try:
            with contextlib.suppress(FileExistsError, FileNotFoundError, FolderBlocked):
                place = self._folders.place(path, create=True)
                if place is not None:
                    move_new(temporary, place)
                    return _stat_in_place(place, made)
        except BaseException:
            _discard(temporary)
            raise
        _discard(temporary)
        self._folders.close()  # what is held open may be what was removed
        return None

    def replace(
        self, path: bytes, content: bytes, known: Known, *, executable: bool = False
    ) -> os.stat_result | None:
        """Put a file in place of one whose content is known; return its stat data.

        Returns:
            None when something else than known content stood there after
            all, or somebody has it open for writing; it stands there still.
        """
        place = self._folders.place(path)
        if place is None:
            return None
        temporary, made = self._write(content, executable)
        try:
            replaced = self._swap(temporary, place, known)
        except FileNotFoundError:
            _discard(temporary)
            return None
        except BaseException:
            _discard(temporary)
            raise
        return _stat_in_place(place, made) if replaced else None

    def remove(self, path: bytes, known: Known) -> bool:
        """Remove a file whose content is known, and the folders it leaves empty.

        Returns:
            False when it was something else, or somebody has it open for writing; it stands there still.
        """
        place = self._folders.place(path)
        if place is None:
            return True
        temporary = self._temporary_place(bytes(20))
        try:
            os.rename(place[1], temporary[1], src_dir_fd=place[0], dst_dir_fd=temporary[0])
        except FileNotFoundError:
            return True
        if not _is_droppable(temporary, known):
            self._give_back(temporary, place)
            return False
        _discard(temporary)
        self._folders.remove_empty(path)
        return True

    def _swap(self, temporary: Place, place: Place, known: Known) -> bool:
        if not self._can_exchange:
            return self._replace_stepwise(temporary, place, known)
        try:
            exchange(temporary, place)
        except SwapUnsupported:
            self._can_exchange = False
            return self._replace_stepwise(temporary, place, known)
        if _is_droppable(temporary, known):
            _discard(temporary)
            return True
        self._swap_back(temporary, place, known)
        return False

    def _swap_back(self, temporary: Place, place: Place, known: Known) -> None:
        """Put what a person has written back in place of what was written here."""
        try:
            exchange(temporary, place)
            if _is_droppable(temporary, known):
                _discard(temporary)
                return
            # Written again between the two exchanges: the newer one belongs in place.
            exchange(temporary, place)
        except FileNotFoundError:
            pass  # removed meanwhile; nothing may come back in its place
        self._keep(temporary)

    def _replace_stepwise(self, temporary: Place, place: Place, known: Known) -> bool:
        """Replace a file where two cannot be exchanged.

        The file is missing for a moment; a crash in it looks as if a person had deleted it.
        """
        old = self._temporary_place(bytes(20))
        os.rename(place[1], old[1], src_dir_fd=place[0], dst_dir_fd=old[0])
        if not _is_droppable(old, known):
            self._give_back(old, place)
            _discard(temporary)
            return False
        try:
            move_new(temporary, place)
        except FileExistsError:
            _discard(temporary)
            _discard(old)
            return False
        except OSError:
            self._give_back(old, place)
            raise
        _discard(old)
        return True

    def _give_back(self, taken: Place, place: Place) -> None:
        try:
            move_new(taken, place)
        except OSError:
            self._keep(taken)  # somebody made another file of that name meanwhile, or removed its folder

    def _keep(self, temporary: Place) -> None:
        """Keep for a person what has no place any more."""
        self.kept_folder.mkdir(exist_ok=True)
        target = os.fsencode(self.kept_folder / f"{os.fsdecode(temporary[1])}-{time.time_ns()}")
        os.rename(temporary[1], target, src_dir_fd=temporary[0])

    def _write(self, content: bytes, executable: bool) -> tuple[Place, os.stat_result]:
        place = self._temporary_place(object_id("blob", content))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(place[1], flags, 0o777 if executable else 0o666, dir_fd=place[0])
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            return place, os.fstat(descriptor)
        except BaseException:
            _discard(place)
            raise
        finally:
            os.close(descriptor)

    def _temporary_place(self, blob_id: bytes) -> Place:
        """Return a free name; recovery tells by it what was made here and what was moved here."""
        self._count += 1
        return self._temporary, f"{blob_id.hex()}-{os.getpid()}-{self._count}".encode()


def _open_folder(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _look(place: Place) -> Found:
    try:
        found = os.stat(place[1], dir_fd=place[0], follow_symlinks=False)
    except FileNotFoundError:
        return Found(Kind.MISSING)
    if not stat.S_ISREG(found.st_mode):
        return Found(Kind.OTHER, what=_kind_in_words(found.st_mode))
    try:
        descriptor = _open(place)
    except FileNotFoundError:
        return Found(Kind.MISSING)
    try:
        found = os.fstat(descriptor)
        return Found(Kind.FILE, _blob_id(descriptor), found)
    finally:
        os.close(descriptor)


def _is_droppable(place: Place, known: Known) -> bool:
    """Return whether a file that was moved away is known content that nobody is writing to."""
    try:
        descriptor = _open(place)
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode) or not _lease(descriptor):
            return False
        blob_id = _blob_id(descriptor)
        return blob_id is not None and known(blob_id)
    finally:
        os.close(descriptor)


def _lease(descriptor: int) -> bool:
    """Return False when a process has the file open for writing; true when none can be found.

    A read lease (fcntl(2)) is refused in just that case, and holds until the
    descriptor is closed.  The signal to give it up is made one that is ignored.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return False
    except (OSError, AttributeError):
        return True  # another user's file, or no leases here: its content has to do
    return True


def _open(place: Place) -> int:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.open(place[1], flags, dir_fd=place[0])


def _blob_id(descriptor: int) -> bytes | None:
    """Return the blob id of an open file, None when its size is not what is read."""
    size = os.fstat(descriptor).st_size
    digest = sha1(b"blob %d\0" % size, usedforsecurity=False)
    read = 0
    while chunk := os.read(descriptor, _CHUNK_BYTES):
        read += len(chunk)
        if read > size:
            return None
        digest.update(chunk)
    return digest.digest() if read == size else None


def _stat_in_place(place: Place, made: os.stat_result) -> os.stat_result:
    """Return the stat data of a file just put in place, for the index.

    If a person was there in between, those from before the move: against them
    git sees that the file differs.
    """
    try:
        found = os.stat(place[1], dir_fd=place[0], follow_symlinks=False)
    except FileNotFoundError:
        return made
    same = (found.st_ino, found.st_size, found.st_mtime_ns) == (made.st_ino, made.st_size, made.st_mtime_ns)
    return found if same else made


def _discard(place: Place) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place[1], dir_fd=place[0])


def _kind_in_words(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link stands there"
    if stat.S_ISDIR(mode):
        return "a folder stands there"
    return "something that is no file stands there"
