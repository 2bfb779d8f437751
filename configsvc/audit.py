"""The audit log: who changed what by which door, and who was refused.

One JSON object an act, through the logger `configsvc.audit`.  Git's history is the lasting record of
what was changed; this one has besides what was refused, and from where it was asked.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from configsvc.core.errors import ConfigError

LOGGER = "configsvc.audit"
MAX_CHARS = 512
"""Most of one member; names and addresses are shorter, what a client makes up need not be."""

_log = logging.getLogger(LOGGER)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an act was asked for.

    Args:
        door: `api`, `git` or `local`.
        remote: Address of the client; empty on this machine.
        request_id: As in the access log; empty where there is none.
    """

    door: str
    remote: str = ""
    request_id: str = ""


LOCAL = Origin("local")


@dataclass(frozen=True, slots=True)
class Act:
    """What was done or refused.

    Args:
        principal: Who; empty when nobody was known.
        action: What was asked for, such as `PUT`, `push` or `principals.rotate`.
        path: Service or path it was about; empty for the repository.
        code: Stable code of the error; empty when it was done.
        status: Of the answer over HTTP; 0 by another door.
        revision: That it made; 0 for none.
    """

    origin: Origin
    principal: str
    action: str
    path: str = ""
    code: str = ""
    status: int = 0
    revision: int = 0
    commit_id: str = ""


_ORIGIN_MEMBERS = tuple(each.name for each in fields(Origin))
_ACT_MEMBERS = tuple(each.name for each in fields(Act) if each.name != "origin")


def note(act: Act) -> None:
    """Write an act to the audit log."""
    if not _log.isEnabledFor(logging.INFO):
        return
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line: dict[str, object] = {"time": moment, "outcome": "refused" if act.code else "done"}
    line |= _members(act.origin, _ORIGIN_MEMBERS) | _members(act, _ACT_MEMBERS)
    # As `Logger.info` does, but for the search of the stack for who calls it: every write is noted.
    _log.handle(_log.makeRecord(LOGGER, logging.INFO, __file__, 0, "%s", (json.dumps(line),), None))


def noted(
    origin: Origin, principal: str, action: str, path: str, do: Callable[[], Mapping[str, object]]
) -> Mapping[str, object]:
    """Return what `do` returns, an answer with `revision` and `commit_id`; note it, or its refusal.

    Raises:
        ConfigError: As `do` does.
    """
    try:
        answer = do()
    except ConfigError as error:
        note(Act(origin, principal, action, path, error.code))
        raise
    revision, commit_id = answer.get("revision"), answer.get("commit_id")
    made = revision if isinstance(revision, int) else 0
    note(Act(origin, principal, action, path, revision=made, commit_id=str(commit_id or "")))
    return answer


def _members(of: Origin | Act, names: tuple[str, ...]) -> dict[str, object]:
    """Return what is known; text is cut."""
    known = ((name, value) for name in names if (value := getattr(of, name)))
    return {name: value[:MAX_CHARS] if isinstance(value, str) else value for name, value in known}
