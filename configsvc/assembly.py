"""The parts of a server that are the same for every command: the store with its gate, and the door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from configsvc.core.changes import Author, Outcome
from configsvc.core.errors import RequestInvalid
from configsvc.core.reports import Violation
from configsvc.core.trees import PathChange
from configsvc.documents.bounds import Bounds
from configsvc.door import Door
from configsvc.edits import commit_edits
from configsvc.settings import Settings
from configsvc.store.gitstore import GitStore
from configsvc.store.steptree import StepTree
from configsvc.validation.gate import judge_changes


def open_store(settings: Settings, *, create: bool = True) -> GitStore:
    """Return the store at `settings.repo`, behind the gate.

    Raises:
        RepositoryUnusable: It cannot be opened as it is; the message says why.
        RepositoryLocked: Another process has it open.
    """
    return GitStore.open(settings.repo, create=create, gate=partial(_judge, settings.bounds))


def open_door(store: GitStore, bounds: Bounds) -> Door:
    """Return the door by which commands on this machine reach `store` while it is held."""

    def commit(request: Mapping[str, object], author: Author) -> Mapping[str, object]:
        outcome = commit_edits(
            store,
            author=author,
            bounds=bounds,
            message=_text(request, "message"),
            paths=_texts(request, "paths"),
            overwrite=request.get("overwrite") is True,
        )
        return outcome_as_json(outcome)

    return Door(store.git_dir, {"commit": commit})


def outcome_as_json(outcome: Outcome) -> dict[str, object]:
    """Return an outcome as plain JSON data."""
    return {
        "revision": outcome.revision,
        "commit_id": outcome.commit_id,
        "changed": outcome.changed,
        "versions": [
            {"service": made.service, "version": made.version, "deleted": made.deleted}
            for made in outcome.versions
        ],
    }


def _judge(bounds: Bounds, changes: Sequence[PathChange], tree: StepTree) -> Sequence[Violation]:
    return judge_changes(changes, tree, bounds=bounds)


def _text(request: Mapping[str, object], name: str) -> str:
    value = request.get(name, "")
    if not isinstance(value, str):
        raise RequestInvalid(f"{name}: {type(value).__name__} (expected: text)")
    return value


def _texts(request: Mapping[str, object], name: str) -> list[str]:
    value = request.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RequestInvalid(f"{name}: {type(value).__name__} (expected: a list of texts)")
    return value
