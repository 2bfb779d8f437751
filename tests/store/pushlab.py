"""A push as the store meets it: objects that git has brought, and a landing."""

from __future__ import annotations

from pathlib import Path

from configsvc.core.changes import Author
from configsvc.store.gitstore import GitStore
from configsvc.store.pushes import Landing
from configsvc.store.pushtypes import EVERY_REF, NO_OBJECT, Pusher, RefRights, RefUpdate
from tests.store.gitrepo import WAIT_S, git

PUSHER = Pusher(Author("Ann", "ann@example.com"), lambda changes, before: (), EVERY_REF)
PLAIN = RefRights(may_propose=True, may_tag=True, is_admin=False)


def brought(store: GitStore, clone: Path, ref: str = "refs/for/main") -> RefUpdate:
    """Bring the objects of a clone's HEAD into the store, as git does before it asks for a landing."""
    git(store.root, "fetch", "-q", "--no-write-fetch-head", "--keep", str(clone), "HEAD")
    return RefUpdate(NO_OBJECT, git(clone, "rev-parse", "HEAD"), ref)


def landed(store: GitStore, landing: Landing) -> str:
    outcome = store._writer.submit_landing(landing.land).result(WAIT_S)
    assert outcome.commit_id == git(store.root, "rev-parse", "main")
    return outcome.commit_id
