"""Who may do what at the git door: its questions, put to the one decision.

Whoever clones has everything, so cloning, fetching and pushing need the role reader on all of the
repository.  What a push changes is asked of the very tree that each commit starts from, so
that a push can give itself no right.  Who may write nothing at all pushes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from configsvc.access.decide import Access, Action, Admission
from configsvc.access.landing import require_at
from configsvc.core.changes import Author
from configsvc.core.errors import Forbidden, NotFound, PushRefused, Unauthorized
from configsvc.core.patterns import EVERYTHING
from configsvc.core.principals import Principal
from configsvc.core.reports import Violation
from configsvc.core.trees import REGULAR, PathChange
from configsvc.service.rights import right_for_path
from configsvc.store.pushtypes import RefRights
from configsvc.store.steptree import StepTree


def admit_unix_user(access: Access, user: Author) -> Admission:
    """Return by which right a user of this machine pushes, without HTTP.

    Args:
        user: As `door.unix_author` names it.

    Raises:
        PushRefused: There are principals, and none is this user.
    """
    name = user.email.removesuffix("@localhost")
    principal = access.find_unix_user(name)
    if principal is None:
        raise PushRefused(
            f"push: the Unix user {name} is no principal "
            f"(expected: one with unix_user: {name}, or a push over HTTP with a token)"
        )
    return Admission(principal, access.epoch)


def refused_changes(
    admission: Admission, changes: Sequence[PathChange], before: StepTree
) -> Iterator[Violation]:
    """Yield the changes that may not be made, by the principals in the tree that they start from."""
    files = _Files(before)
    for change in changes:
        action, target = right_for_path(change.path)
        try:
            require_at(files, admission, action, target)
        except (Unauthorized, Forbidden, NotFound):
            name = admission.principal.name
            yield Violation(
                change.path, f"not allowed to {name} (expected: the role {action.value} on {target})"
            )


def ref_rights(access: Access, principal: Principal) -> RefRights:
    """Return what somebody may do to branches and tags, which serve nothing but stay for all to fetch."""
    return RefRights(
        may_propose=access.may_somewhere(principal, Action.WRITE),
        may_tag=access.may(principal, Action.WRITE, EVERYTHING),
        is_admin=access.may(principal, Action.ADMINISTER, EVERYTHING),
    )


class _Files:
    """A tree's files as `require_at` reads them."""

    def __init__(self, tree: StepTree) -> None:
        self._tree = tree

    def read(self, path: str) -> bytes | None:
        return self._tree.read(path) if self._tree.mode(path) in REGULAR else None

    def names(self, folder: str) -> frozenset[str]:
        return frozenset(self._tree.names(folder))
