"""What git alone says of a repository: a second, simple count of versions to hold the server's against."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.store.gitrepo import git, run_git

CLEAN_WITHIN_S = 20.0

_FORMAT = "commit %H%n%(trailers:key=Config-Request-Id,valueonly,separator=%x20)"
_NO_BLOB = "0" * 40

State = tuple[str, str] | None
"""Format and blob id of a version, None for a tombstone."""


@dataclass
class History:
    """Everything on main's first-parent chain.

    Args:
        commits: Commit ids; the one of revision r is at r - 1.
        versions: Per service, each version and the revision that made it.
        request_ids: Request id to the revisions that it landed as.
    """

    commits: list[str] = field(default_factory=list)
    versions: dict[str, list[tuple[int, State]]] = field(default_factory=dict)
    request_ids: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def existing(self) -> set[str]:
        """Return the services that exist at head."""
        return {service for service, made in self.versions.items() if made[-1][1] is not None}


def read_history(root: Path) -> History:
    """Return the history of main as `git log` shows it."""
    log = git(
        root, "log", "--first-parent", "--diff-merges=first-parent", "--reverse", "--root", "--raw",
        "--no-renames", "--no-abbrev", f"--format={_FORMAT}", "main",
    )  # fmt: skip
    history = History()
    for block in ("\n" + log).split("\ncommit ")[1:]:
        commit_id, request_ids, *rest = [*block.split("\n"), ""]
        history.commits.append(commit_id)
        for request_id in request_ids.split():
            history.request_ids[request_id].append(len(history.commits))
        _count_versions(history, [line for line in rest if line.startswith(":")])
    return history


def read_blobs(root: Path, blob_ids: set[str]) -> dict[str, Any]:
    """Return what each of these documents parses to."""
    asked = sorted(blob_ids)
    given = run_git(root, "cat-file", "--batch", stdin="".join(f"{each}\n" for each in asked).encode()).stdout
    values = {}
    for blob_id in asked:
        head, _, given = given.partition(b"\n")
        name, kind, size = head.decode().split(" ")
        assert (name, kind) == (blob_id, "blob")
        values[blob_id] = _parse(given[: int(size)])
        given = given[int(size) + 1 :]
    return values


def wait_until_clean(root: Path) -> None:
    """Return when `git status` has nothing to say; fail when that does not come to be."""
    give_up_at = time.monotonic() + CLEAN_WITHIN_S
    while status := git(root, "--no-optional-locks", "status", "--porcelain"):
        assert time.monotonic() < give_up_at, f"git status after {CLEAN_WITHIN_S:.0f} s: {status[:2000]}"
        time.sleep(0.05)


def _parse(document: bytes) -> Any:
    try:
        return json.loads(document)
    except ValueError:
        return yaml.safe_load(document)


def _count_versions(history: History, lines: list[str]) -> None:
    states: dict[str, State] = {}
    for line in sorted(lines, key=lambda line: line.split("\t")[0].split(" ")[4] != "D"):
        described, path = line.split("\t")
        service, _, format_ = path.rpartition(".")
        if path.startswith(".") or format_ not in ("json", "yaml"):
            continue
        blob_id = described.split(" ")[3]
        states[service] = None if blob_id == _NO_BLOB else (format_, blob_id)
    for service, state in states.items():
        made = history.versions.setdefault(service, [])
        if state != (made[-1][1] if made else None):
            made.append((len(history.commits), state))
