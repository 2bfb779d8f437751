"""Which refs a push may move, and how.

`main` is the writer's.  Branches are proposals, which serve nothing: whoever
made one, or an admin, may force or delete it.  Tags are written once, and deleted by an admin.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from configsvc.core.errors import PushRefused
from configsvc.core.names import DEVICE_NAMES
from configsvc.store.disk import Disk
from configsvc.store.gitcommand import GitFailed
from configsvc.store.pushbounds import MAX_BRANCHES_EACH, MAX_REFS, MAX_TAGS_EACH
from configsvc.store.pushtypes import LANDING_REF, NO_OBJECT, Pusher, RefUpdate
from configsvc.store.quarantine import Quarantine
from configsvc.store.refs import MAIN

MAX_REF_CHARS = 200
_BRANCHES, _TAGS = "refs/heads/", "refs/tags/"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+#@=,-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.+#@=,-]*)*", re.ASCII)
_ID = re.compile(r"[0-9a-f]{40}")
# With these in front git may take the name for something else, when a person types it.
_TAKEN = ("main", "head", "refs", "heads", "tags", "remotes", "origin", "for")


def is_for_main(ref: str) -> bool:
    """Return whether a push to `ref` is one that lands on main."""
    return ref in (MAIN, LANDING_REF)


def check_ref(update: RefUpdate) -> None:
    """Raise `PushRefused` when nobody may move this ref this way."""
    ref = update.ref
    if not _ID.fullmatch(update.old) or not _ID.fullmatch(update.new):
        raise PushRefused(f"{ref!a}: no object ids (expected: 40 hex digits)")
    if is_for_main(ref):
        if update.is_deletion:
            raise PushRefused(f"{ref}: not to be deleted (expected: commits)")
        return
    if not ref.startswith((_BRANCHES, _TAGS)):
        raise PushRefused(
            f"{ref[:MAX_REF_CHARS]!a}: not to be pushed (expected: {LANDING_REF}, a branch or a tag)"
        )
    if update.is_creation and update.is_deletion:
        raise PushRefused(f"{ref}: from nothing to nothing (expected: one that is made, moved or deleted)")
    problem = _name_problem(ref.split("/", 2)[2], is_long=len(ref) > MAX_REF_CHARS)
    if problem is not None and (update.is_creation or not _is_name(ref)):
        raise PushRefused(f"{ref[:MAX_REF_CHARS]!a}: {problem}")
    if ref.startswith(_TAGS) and not (update.is_creation or update.is_deletion):
        raise PushRefused(f"{ref}: is there already (expected: a new tag; one is written once)")


def check_right(update: RefUpdate, pusher: Pusher) -> None:
    """Raise `PushRefused` when `pusher` may do nothing of that kind; whose a branch is, is not looked at."""
    ref, rights, name = update.ref, pusher.rights, pusher.author.name
    if is_for_main(ref):
        return
    if not ref.startswith(_TAGS):
        if not rights.may_propose:
            raise PushRefused(f"{ref}: not to be pushed by {name} (expected: the role writer on something)")
    elif update.is_deletion and not rights.is_admin:
        raise PushRefused(f"{ref}: not to be deleted by {name} (expected: an admin; a tag is written once)")
    elif not rights.may_tag:
        raise PushRefused(f"{ref}: not to be made by {name} (expected: the role writer on **)")


def _name_problem(name: str, *, is_long: bool) -> str | None:
    """Return why no new branch or tag may have this name, None when one may."""
    if is_long or not _is_name(name):
        return f"name (expected: segments of A-Z a-z 0-9 _ . + # @ = , - and <= {MAX_REF_CHARS} characters)"
    segments = name.lower().split("/")
    if segments[0] in _TAKEN or segments[0].endswith("_head") or _ID.fullmatch(name.lower()):
        return "too much like main, HEAD, another ref or a commit id (expected: another name)"
    if any(segment.partition(".")[0] in DEVICE_NAMES for segment in segments):
        return "has a device name of Windows as a segment (expected: another name)"
    if any(segment.endswith((".git", ".lock")) for segment in segments):
        return "has a segment that ends in .git or .lock (expected: another name)"
    return None


def _is_name(name: str) -> bool:
    """Return whether a branch or tag may have this name: stricter than git-check-ref-format(1)."""
    if ".." in name or any(part.endswith((".", ".lock")) for part in name.split("/")):
        return False
    return _NAME.fullmatch(name) is not None


class Proposals:
    """Who pushed which branch or tag first, in a file of this machine's own.  Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()  # guards the file

    def check(self, updates: Sequence[RefUpdate], pusher: Pusher, objects: Quarantine) -> None:
        """Raise `PushRefused` for branches that `pusher` may not move, and too many refs; note the new ones.

        Args:
            objects: Where the commits are found.
        """
        others = [update for update in updates if not is_for_main(update.ref)]
        created = {update.ref for update in others if update.is_creation}
        with self._lock:
            owners = self._load()
            for update in others:
                if not update.is_creation and update.ref.startswith(_BRANCHES):
                    self._check_owner(update, owners.get(update.ref), pusher, objects)
            if created:
                refs = set(_refs(objects)) | created
                owners |= dict.fromkeys(created, str(pusher.author))
                owners = {ref: owner for ref, owner in owners.items() if ref in refs}
                _check_count(owners, pusher)
                self._save(owners)

    @staticmethod
    def _check_owner(update: RefUpdate, owner: str | None, pusher: Pusher, objects: Quarantine) -> None:
        may_replace = pusher.rights.is_admin or owner == str(pusher.author)
        if not may_replace and _loses_commits(update, objects):
            raise PushRefused(
                f"{update.ref}: not to be forced or deleted by {pusher.author.name} "
                f"(expected: {owner or 'nobody known'}, or an admin)"
            )

    def _load(self) -> dict[str, str]:
        with contextlib.suppress(FileNotFoundError, ValueError):
            loaded = json.loads(self._path.read_text())
            return {str(ref): str(owner) for ref, owner in loaded.items()}
        return {}

    def _save(self, owners: dict[str, str]) -> None:
        temporary = self._path.with_name(self._path.name + ".tmp")
        disk = Disk()
        disk.write(temporary, json.dumps(owners, indent=1).encode())
        disk.rename(temporary, self._path)


def _check_count(owners: Mapping[str, str], pusher: Pusher) -> None:
    """Raise `PushRefused` when one that is no admin would have too many of the refs that there may be."""
    if pusher.rights.is_admin:
        return
    mine = [ref for ref, owner in owners.items() if owner == str(pusher.author)]
    for kind, folder, most in (("branches", _BRANCHES, MAX_BRANCHES_EACH), ("tags", _TAGS, MAX_TAGS_EACH)):
        count = sum(ref.startswith(folder) for ref in mine)
        if count > most:
            raise PushRefused(
                f"push: {count} {kind} of {pusher.author.name} (expected: <= {most}; delete old ones first)"
            )


def check_old_ids(updates: Sequence[RefUpdate], objects: Quarantine) -> None:
    """Raise `PushRefused` when a ref is elsewhere than its push says: the rules go by where it is."""
    refs = _refs(objects)
    for update in updates:
        found = refs.get(update.ref, NO_OBJECT)
        if not is_for_main(update.ref) and update.old != found:
            raise PushRefused(
                f"{update.ref}: is at {found[:12]}, not {update.old[:12]} (expected: fetch and try again)"
            )


def check_refs_together(updates: Sequence[RefUpdate], objects: Quarantine) -> None:
    """Raise `PushRefused` when there would be more refs than there may be, or one below another."""
    created = {update.ref for update in updates if update.is_creation and not is_for_main(update.ref)}
    refs = set(_refs(objects)) | created if created else set()
    spelled = {part.lower(): part for ref in sorted(refs - created) for part in _parts(ref)}
    for ref in sorted(created):
        for part in _parts(ref):
            other = spelled.setdefault(part.lower(), part)
            if other != part:
                raise PushRefused(f"{ref}: differs only by case from {other} (expected: another name)")
        above = ref.rpartition("/")[0]
        while above.count("/") >= 2:
            if above in refs:
                raise PushRefused(f"{ref}: {above} is there (expected: a name that is not below another)")
            above = above.rpartition("/")[0]
        if any(other.startswith(ref + "/") for other in refs):
            raise PushRefused(f"{ref}: there are names below it (expected: another name)")
    count = len(refs)
    if count > MAX_REFS:
        raise PushRefused(f"push: {count} branches and tags (expected: <= {MAX_REFS}; delete old ones first)")


def _refs(objects: Quarantine) -> dict[str, str]:
    """Return the ids that the server's own refs have."""
    listed = objects.git("for-each-ref", "--format=%(refname) %(objectname)").decode("utf-8", "replace")
    return dict(line.rsplit(" ", 1) for line in listed.splitlines())


def _parts(ref: str) -> list[str]:
    """Return a ref and the folders that it stands in."""
    return list(itertools.accumulate(ref.split("/"), "{}/{}".format))


def _loses_commits(update: RefUpdate, objects: Quarantine) -> bool:
    if update.is_deletion:
        return True
    try:
        objects.git("merge-base", "--is-ancestor", update.old, update.new)
    except GitFailed:
        return True
    return False
