"""Clones of a server's repository, as people have them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.end_to_end.serving import Server
from tests.store.gitrepo import git, git_processes, run_git

RPC = "--stateless-rpc"
FOR_MAIN = "HEAD:refs/for/main"


class Pushed(NamedTuple):
    """How a push ended, and all that git said."""

    ok: bool
    text: str

    @property
    def remote(self) -> list[str]:
        """What the server said, a line each."""
        lines = self.text.splitlines()
        return [line.removeprefix("remote: ").rstrip() for line in lines if line.startswith("remote: ")]


class Clone:
    """A working tree somewhere else."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        """Return what git prints; fail when it fails."""
        return git(self.root, *arguments, stdin=stdin)

    def commit(self, files: Mapping[str, str | None], message: str = "Change") -> str:
        """Commit files (None removes one) and return the commit id."""
        for path, text in files.items():
            place = self.root / path
            if text is None:
                place.unlink()
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head

    @property
    def head(self) -> str:
        """Commit id of HEAD."""
        return self.git("rev-parse", "HEAD")

    def push(self, *arguments: str, remote: str = "origin") -> Pushed:
        """Push and return how it ended; without arguments HEAD for main."""
        done = run_git(self.root, "push", remote, *(arguments or (FOR_MAIN,)))
        return Pushed(done.returncode == 0, done.stderr.decode("utf-8", "replace"))

    def pull(self) -> None:
        """Bring the clone to the server's main, by fast-forward alone."""
        self.git("pull", "-q", "--ff-only", "origin", "main")

    def reset(self) -> None:
        """Forget what was not pushed."""
        self.git("fetch", "-q", "origin")
        self.git("reset", "-q", "--hard", "origin/main")
        self.git("clean", "-fdxq")


def repository_url(server: Server) -> str:
    """Return what git clones."""
    return f"{server.url}/config-repo.git"


def clone(source: str | Path, folder: Path, *options: str, config: str = "gc.auto=0") -> Clone:
    """Return a fresh clone; `config` is one setting of the git that makes it."""
    git(folder.parent, "-c", config, "clone", "-q", *options, str(source), str(folder))
    return Clone(folder)


def client_processes(root: Path) -> list[int]:
    """Return the git processes that serve clients of the repository at `root`."""
    return git_processes(root, RPC)
