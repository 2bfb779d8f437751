"""What a worker process is asked, as it crosses to it."""

from __future__ import annotations

from typing import NamedTuple

from configsvc.core.names import Format
from configsvc.documents.bounds import Bounds
from configsvc.documents.document import Value
from configsvc.validation.schemas import Schema

READY = b"ready"
"""Says that a worker can be asked."""


class Job(NamedTuple):
    """What a worker is asked.

    Args:
        schemas: To judge `value` by, or to be checked.
        is_check: Whether the schemas themselves are to be checked.
        alarm_s: The worker ends by itself after this time: the service that
            should end it may be gone.
    """

    schemas: tuple[Schema, ...]
    value: object = None
    is_check: bool = False
    alarm_s: float = 10.0


class EditJob(NamedTuple):
    """A document whose text is to be edited; see `edit_document`.

    Args:
        alarm_s: As of a `Job`.
    """

    old: bytes
    format: Format
    value: Value
    bounds: Bounds
    alarm_s: float = 10.0
