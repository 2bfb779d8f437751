"""Whose branches and tags are whose, and how many there may be."""

from __future__ import annotations

import contextlib

import pytest

from configsvc.core.changes import ANONYMOUS, Author
from configsvc.core.errors import PushRefused
from configsvc.store.gitstore import GitStore
from configsvc.store.pushbounds import MAX_BRANCHES_EACH, MAX_TAGS_EACH
from configsvc.store.pushtypes import EVERY_REF, NO_OBJECT, Pusher, RefRights, RefUpdate
from tests.store.gitrepo import git
from tests.store.pushlab import PLAIN

pytestmark = pytest.mark.slow


OTHER = "1" * 40


@pytest.mark.parametrize("ref", ["refs/heads/idea", "refs/tags/v1"])
@pytest.mark.parametrize("old", [NO_OBJECT, OTHER])
@pytest.mark.parametrize("deletes", [False, True], ids=["moved", "deleted"])
def test_a_ref_is_held_to_where_it_is_whatever_its_push_says(
    store: GitStore, ref: str, old: str, deletes: bool
) -> None:
    head = store.snapshot().commit_id
    git(store.root, "update-ref", ref, head)
    anyone = Pusher(ANONYMOUS, lambda changes, before: (), PLAIN)
    with pytest.raises(PushRefused, match=ref):
        store.pushes.judge([RefUpdate(old, NO_OBJECT if deletes else head, ref)], "", anyone)


def test_nobody_takes_over_a_proposal_by_saying_that_it_is_new(store: GitStore) -> None:
    head, ref = store.snapshot().commit_id, "refs/heads/idea"

    def pusher(name: str) -> Pusher:
        author = Author(name, f"{name}@example.com")
        return Pusher(author, lambda changes, before: (), PLAIN)

    store.pushes.judge([RefUpdate(NO_OBJECT, head, ref)], "", pusher("ann"))
    git(store.root, "update-ref", ref, head)
    with pytest.raises(PushRefused, match="fetch and try again"):
        store.pushes.judge([RefUpdate(NO_OBJECT, head, ref)], "", pusher("bob"))
    with pytest.raises(PushRefused, match="expected: ann"):
        store.pushes.judge([RefUpdate(head, NO_OBJECT, ref)], "", pusher("bob"))
    store.pushes.judge([RefUpdate(head, NO_OBJECT, ref)], "", pusher("ann"))


@pytest.mark.parametrize(
    ("ref", "rights", "deletes", "refused"),
    [
        ("refs/heads/idea", RefRights(False, False, False), False, "the role writer on something"),
        ("refs/heads/idea", RefRights(True, False, False), False, ""),
        ("refs/tags/v1", RefRights(True, False, False), False, r"the role writer on \*\*"),
        ("refs/tags/v1", RefRights(True, True, False), False, ""),
        ("refs/tags/v1", RefRights(True, True, False), True, "an admin; a tag is written once"),
        ("refs/tags/v1", EVERY_REF, True, ""),
    ],
)
def test_branches_and_tags_are_for_those_who_may_write(
    store: GitStore, ref: str, rights: RefRights, deletes: bool, refused: str
) -> None:
    head = store.snapshot().commit_id
    if deletes:
        git(store.root, "update-ref", ref, head)
    update = RefUpdate(head, NO_OBJECT, ref) if deletes else RefUpdate(NO_OBJECT, head, ref)
    pusher = Pusher(Author("Ann", "ann@example.com"), lambda changes, before: (), rights)
    with pytest.raises(PushRefused, match=refused) if refused else contextlib.nullcontext():
        store.pushes.judge([update], "", pusher)


@pytest.mark.parametrize(("folder", "most"), [("heads", MAX_BRANCHES_EACH), ("tags", MAX_TAGS_EACH)])
def test_one_principal_takes_no_more_than_its_share_of_the_refs(
    store: GitStore, folder: str, most: int
) -> None:
    head = store.snapshot().commit_id
    ann, bob = (Pusher(Author(n, f"{n}@x"), lambda changes, before: (), PLAIN) for n in ("ann", "bob"))
    admin = Pusher(Author("root", "root@x"), lambda changes, before: (), EVERY_REF)

    def made(name: str, count: int) -> list[RefUpdate]:
        return [RefUpdate(NO_OBJECT, head, f"refs/{folder}/{name}{each}") for each in range(count)]

    with pytest.raises(PushRefused, match=f"{most + 1} .* of ann"):
        store.pushes.judge(made("all", most + 1), "", ann)
    store.pushes.judge(made("all", most), "", ann)
    git(
        store.root,
        "update-ref",
        "--stdin",
        stdin="".join(f"create {each.ref} {head}\n" for each in made("all", most)).encode(),
    )
    with pytest.raises(PushRefused, match="delete old ones first"):
        store.pushes.judge(made("more", 1), "", ann)
    store.pushes.judge(made("bobs", 1), "", bob)
    store.pushes.judge(made("admins", most + 1), "", admin)
