"""What a write may ask for, as values: each is one change of one service or schema."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from configsvc.access.decide import Admission
from configsvc.core.changes import ANONYMOUS, Author, commit_message
from configsvc.core.tags import ALWAYS, Precondition
from configsvc.documents.document import Document


class Existence(Enum):
    """What a write of a document expects of its service."""

    ABSENT = "absent"
    PRESENT = "present"
    EITHER = "either"


class PatchKind(Enum):
    """How a patch is written."""

    MERGE = "merge-patch"
    """RFC 7396"""
    JSON = "json-patch"
    """RFC 6902"""


class PutDocument(NamedTuple):
    """Create or replace a document; an equal value and format changes nothing.

    Args:
        enabled: Set the flag in the same commit; None leaves it.
        keep_format: A document that is a value, sent as JSON or made by nobody's hand, edits a YAML one
            that stands there, instead of replacing it.
    """

    service: str
    document: Document
    precondition: Precondition = ALWAYS
    existence: Existence = Existence.EITHER
    enabled: bool | None = None
    keep_format: bool = False


class PatchDocument(NamedTuple):
    """Change parts of a document; what the patch does not touch keeps its text.

    Args:
        patch: As parsed.
    """

    service: str
    patch: object
    kind: PatchKind
    precondition: Precondition = ALWAYS


class DeleteService(NamedTuple):
    """Delete a disabled service and its file below `.configsvc/services`."""

    service: str
    precondition: Precondition = ALWAYS


class Rollback(NamedTuple):
    """Make a new version with the document of an old one, byte for byte."""

    service: str
    version: int
    precondition: Precondition = ALWAYS


class SetMeta(NamedTuple):
    """Set what is known of a service besides its document; None leaves a member.  No version is made."""

    service: str
    enabled: bool | None = None
    owner: str | None = None
    description: str | None = None
    precondition: Precondition = ALWAYS


class PutSchema(NamedTuple):
    """Create or replace a schema of the repository.

    Args:
        path: Below the schemas' folder: `payments/api.json`, `payments/_default.json`.
        data: JSON text as sent.
    """

    path: str
    data: bytes
    precondition: Precondition = ALWAYS


class DeleteSchema(NamedTuple):
    """Delete a schema of the repository."""

    path: str
    precondition: Precondition = ALWAYS


ServiceChange = PutDocument | PatchDocument | DeleteService | Rollback | SetMeta
Change = ServiceChange | PutSchema | DeleteSchema


class Ask(NamedTuple):
    """What every write may say besides its changes.

    Args:
        author: Who asks; the author of the commit.
        admission: By which right; asked again of the state that the write lands on.  None: by
            the right of the one who runs the process.
        message: Commit message; empty for a default that names the changes.
        request_id: Makes a repeat happen once; see `is_request_id`.
        dry_run: Say what would come of it, and write nothing.
    """

    author: Author = ANONYMOUS
    admission: Admission | None = None
    message: str = ""
    request_id: str | None = None
    dry_run: bool = False

    @property
    def commit_message(self) -> str | None:
        """The message in the form that a commit takes; None for a default."""
        first, _, body = self.message.strip().partition("\n")
        return commit_message(first, body) if first else None

    @property
    def asker(self) -> str | None:
        """Who takes what is shared fairly; None where nobody in particular asks."""
        return None if self.admission is None else self.admission.asker


PLAIN = Ask()
"""Anonymous, with a default message."""
