"""Who may do what at the git door: the one place that decides, open until principals exist.

Every question of this room goes through `principal_of` and `may`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import TYPE_CHECKING

from configsvc.core.changes import ANONYMOUS, Author
from configsvc.core.names import META_FOLDER, find_document
from configsvc.core.reports import Violation
from configsvc.core.trees import PathChange
from configsvc.store.steptree import StepTree

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

EVERYTHING = "**"
_ADMIN_ROOMS = (f"{META_FOLDER}/schemas/", f"{META_FOLDER}/principals/")
_SERVICES = f"{META_FOLDER}/services/"


class Action(Enum):
    """What somebody wants to do with a path."""

    READ = "read"
    WRITE = "write"
    ADMINISTER = "administer"


def principal_of(environ: WSGIEnvironment) -> Author:
    """Return who makes an HTTP request."""
    return ANONYMOUS


def may(principal: Author, action: Action, path: str, rules: StepTree | None = None) -> bool:
    """Return whether `principal` may do `action` with `path`.

    Args:
        path: A service, a path of the repository, or `EVERYTHING`.
        rules: The tree whose principals decide; None for the newest.
    """
    return True


def needed(path: str) -> tuple[Action, str]:
    """Return what a change of the file at `path` needs: an action, and on what.

    Schemas and principals are an admin's; a document, and what is about it, its writers'.
    """
    if path.startswith(_ADMIN_ROOMS):
        return Action.ADMINISTER, EVERYTHING
    if path.startswith(_SERVICES):
        return Action.WRITE, path.removeprefix(_SERVICES).removesuffix(".yaml")
    document = find_document(path)
    return Action.WRITE, path if document is None else document.service


def refused_changes(
    principal: Author, changes: Sequence[PathChange], before: StepTree
) -> Iterator[Violation]:
    """Yield the changes that `principal` may not make, by the rules in the tree that they start from."""
    for change in changes:
        action, target = needed(change.path)
        if not may(principal, action, target, before):
            yield Violation(
                change.path, f"not allowed to {principal.name} (expected: right to {action.value})"
            )
