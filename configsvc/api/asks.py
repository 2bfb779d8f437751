"""Who asks for a write, and what they say of it besides its changes."""

from __future__ import annotations

from flask import request

from configsvc.api.guard import admission_of_write
from configsvc.api.parameters import Query, write_message
from configsvc.service import Ask


def read_ask(query: Query, *, message: str | None = None) -> Ask:
    """Return what the request says of the write that it asks for.

    Args:
        query: `message` and `dry_run` are read from it where it allows them.
        message: Commit message that its body had; None when the message comes from elsewhere.

    Raises:
        RequestInvalid: A part of it is malformed.
        Unauthorized: It carries no credential that is valid.
    """
    by = admission_of_write()
    return Ask(
        author=by.principal.author,
        admission=by,
        message=write_message(query, request.headers) if message is None else message,
        request_id=request.headers.get("Config-Request-Id"),
        dry_run=query.flag("dry_run") or False,
    )
