"""A repository whose main is moved past index and working files, as the writer does it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from configsvc.store.objects import object_id
from configsvc.store.worktree import WorkTree
from tests.store.gitrepo import git, new_repository, run_git

V0, V1, V2, V3 = '{"v": 0}\n', '{"v": 1}\n', '{"v": 2}\n', '{"v": 3}\n'
MINE = '{"mine": true}\n'

Edits = Mapping[str, str | bytes | None]


class Lab:
    """The repository, and what is committed in it (`Committed`), by git's own commands."""

    def __init__(self, root: Path) -> None:
        self.root = new_repository(root)
        self.git_dir = root / ".git"
        self._heads: dict[str, bytes] = {}
        self._known: dict[str, set[bytes]] = {}
        self._contents: dict[bytes, bytes] = {}
        self.land({"README.md": "A store\n"})
        git(root, "read-tree", "HEAD")
        git(root, "checkout-index", "-a", "-u")

    def blob_at(self, path: str) -> bytes | None:
        return self._heads.get(path)

    def known(self, path: str, blob_id: bytes) -> bool:
        return blob_id in self._known.get(path, ())

    def content(self, blob_id: bytes) -> bytes:
        return self._contents[blob_id]

    def land(self, edits: Edits, *, mode: str = "100644") -> list[str]:
        """Commit edits on main; index and working files stay behind.  Return their paths."""
        stream = [
            b"commit refs/heads/main\ncommitter Ann <ann@example.com> 1700000000 +0000\ndata 6\nChange\n"
        ]
        if self._known:
            stream.append(b"from refs/heads/main^0\n")
        for path, content in sorted(edits.items(), key=lambda edit: edit[1] is not None):
            if content is None:
                del self._heads[path]
                stream.append(f"D {path}\n".encode())
                continue
            data = content if isinstance(content, bytes) else content.encode()
            self.pretend(path, data)
            stream.append(f"M {mode} inline {path}\ndata {len(data)}\n".encode() + data + b"\n")
        git(self.root, "fast-import", "--quiet", stdin=b"".join(stream))
        return list(edits)

    def pretend(self, path: str, content: str | bytes) -> None:
        """Take content as committed at head, without a commit: as fast as a test wants it."""
        data = content if isinstance(content, bytes) else content.encode()
        blob_id = object_id("blob", data)
        self._contents[blob_id] = data
        self._known.setdefault(path, set()).add(blob_id)
        self._heads[path] = blob_id

    def worktree(
        self,
        *,
        can_exchange: bool = True,
        lock_patience_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> WorkTree:
        """Return a working tree as a process that starts sees it, reconciled once."""
        tree = WorkTree(
            self.root,
            self.git_dir,
            self,
            can_exchange=can_exchange,
            lock_patience_s=lock_patience_s,
            clock=clock,
        )
        assert tree.reconcile()
        return tree

    def follow(self, tree: WorkTree, edits: Edits) -> None:
        """Land edits and bring the working tree to them."""
        assert tree.update(self.land(edits)) == frozenset()
        assert tree.write_index()

    def write(self, path: str, content: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def status(self) -> str:
        """Return what `git status` says, without the refresh it would do to the index."""
        return git(self.root, "--no-optional-locks", "status", "--porcelain", "--untracked-files=all")

    def staged(self, path: str) -> str | None:
        """Return the content that the index has for a path."""
        done = run_git(self.root, "cat-file", "blob", f":{path}")
        return done.stdout.decode() if done.returncode == 0 else None

    def assert_clean(self) -> None:
        """Fail unless index and files are at head, down to stat data, and nothing is left over."""
        assert self.status() == ""
        assert git(self.root, "diff-files", "--raw") == ""
        assert self.leftovers() == []

    def leftovers(self) -> list[str]:
        """Return what lies in our folder of temporaries, and what was kept for a person."""
        own = self.git_dir / "configsvc"
        return [str(path) for folder in ("tmp", "kept") for path in (own / folder).glob("*")]
