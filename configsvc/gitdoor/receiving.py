"""What the hooks of a push ask the service, and its answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from configsvc.access.decide import Access
from configsvc.audit import LOCAL, Act, Origin, note
from configsvc.core.changes import Author, Outcome
from configsvc.core.errors import ConfigError, PushRefused, RequestInvalid
from configsvc.core.principals import ANYONE
from configsvc.door import Answer
from configsvc.gitdoor.admission import admit_unix_user, ref_rights, refused_changes
from configsvc.gitdoor.pushers import Pushers
from configsvc.store.pushes import Pushes
from configsvc.store.pushtypes import Pusher, RefUpdate

_SHOWN_VERSIONS = 20


def push_answers(pushes: Pushes, pushers: Pushers, access: Access) -> Mapping[str, Answer]:
    """Return the answers of a door to the hooks of pushes."""

    def pusher(request: Mapping[str, object], unix_user: Author) -> Pusher:
        push_id = str(request.get("push", ""))
        admission = pushers.find(push_id) if push_id else admit_unix_user(access, unix_user)
        principal = admission.principal
        author = principal.author if push_id or principal is not ANYONE else unix_user
        return Pusher(author, partial(refused_changes, admission), ref_rights(access, principal))

    def judge(request: Mapping[str, object], author: Author) -> Mapping[str, object]:
        quarantine = request.get("quarantine")
        if not isinstance(quarantine, str):
            raise RequestInvalid("quarantine: missing (expected: a folder, or empty)")
        updates = _updates(request)
        with _refusals_told(pushers, request, author):
            pushes.judge(updates, quarantine, pusher(request, author))
        return {"message": ""}

    def land(request: Mapping[str, object], author: Author) -> Mapping[str, object]:
        updates = _updates(request)
        if len(updates) != 1:
            raise RequestInvalid(f"updates: {len(updates)} (expected: 1)")
        with _refusals_told(pushers, request, author):
            outcome = pushes.land(updates[0], pusher(request, author))
        act = _act(pushers, request, author)
        note(replace(act, revision=outcome.revision, commit_id=outcome.commit_id))
        return {"message": describe(outcome)}

    return {"judge-push": judge, "land-push": land}


@contextlib.contextmanager
def _refusals_told(pushers: Pushers, request: Mapping[str, object], unix_user: Author) -> Iterator[None]:
    """Note in the audit log what the block refuses."""
    try:
        yield
    except ConfigError as error:
        note(replace(_act(pushers, request, unix_user), code=error.code))
        raise


def _act(pushers: Pushers, request: Mapping[str, object], unix_user: Author) -> Act:
    refs = " ".join(update.ref for update in _updates(request))
    push_id = str(request.get("push", ""))
    if not push_id:
        return Act(LOCAL, str(unix_user), "push", refs)
    try:
        return Act(pushers.origin(push_id), pushers.find(push_id).principal.name, "push", refs)
    except PushRefused:  # its client has hung up
        return Act(Origin("git"), "", "push", refs)


def describe(outcome: Outcome) -> str:
    """Return what a pusher is told of a landing."""
    if not outcome.changed:
        return f"nothing to land: all of it is on main (revision {outcome.revision})"
    lines = [f"landed as revision {outcome.revision}, commit {outcome.commit_id[:12]}"]
    shown = outcome.versions[:_SHOWN_VERSIONS]
    lines += [
        f"  {made.service} version {made.version}{' (deleted)' if made.deleted else ''}" for made in shown
    ]
    if len(outcome.versions) > len(shown):
        lines.append(f"  ... and {len(outcome.versions) - len(shown)} more")
    return "\n".join(lines)


def _updates(request: Mapping[str, object]) -> list[RefUpdate]:
    given = request.get("updates")
    if not isinstance(given, list) or not all(
        isinstance(each, list) and len(each) == 3 and all(isinstance(part, str) for part in each)
        for each in given
    ):
        raise RequestInvalid("updates: malformed (expected: a list of [old, new, ref])")
    return [RefUpdate(*each) for each in given]
