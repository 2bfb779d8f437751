"""Everything that can go wrong, one class per cause, each with a stable code.

    ConfigError
      RequestInvalid              the request itself is malformed
        NameInvalid               a service name is not in the grammar
        PatternInvalid            a path pattern is not in the grammar
        DocumentInvalid           a document does not parse or breaks a bound
          DocumentTooLarge
            EditTooLarge          only its whole text can be replaced
        MediaTypeUnsupported
        RequestTooLarge
      Unauthorized                no credential, or one that is not valid here
      Forbidden                   the principal may see it and not change it
      NotFound
        ServiceNotFound
        VersionNotFound
        VersionDeleted            the version is a tombstone
        SchemaNotFound
        RevisionNotFound          no such commit or tag on main's first-parent chain
        ValueNotFound             a pointer leads nowhere in the document that is read
        PrincipalNotFound
      Conflict                    the request is right, the state forbids it
        ServiceExists
        ServiceEnabled            only a disabled service can be deleted
        PrincipalExists
        PrincipalsConflict        nobody would be left to administer, or a credential would be of two
        PathConflict              the file cannot stand where it should
        RequestIdReused           the request id belongs to another write
        PatchFailed               a pointer leads nowhere, or a test does not hold
        DocumentBroken            what is stored does not parse: it was there before the gate
        PushRefused               a push that may not become part of the repository
      PreconditionFailed          compare-and-set: the state is not the one named
        RevisionMismatch          `expected_revision` of a commit is not head
        RevisionUnreached         head is older than `min_revision`
      NotAcceptable               no representation that the client accepts
      SchemaViolated              a document does not conform to a schema, or a schema cannot be used
      SchemaTooSlow               judging takes more time or memory than it may
      Unavailable                 nothing wrong with the request; try again
        WriteFailed               nothing was written
        OutcomeUnknown            written or not: ask again with the request id
        StoreDiverged             main was moved to history the gate refuses
        QueueFull
        RateExceeded              a client asks more often than it may
        GitBusy                   as many clones and pushes are under way as there may be
        ServiceClosed
      RepositoryUnusable          the repository cannot be opened as it is
        RepositoryLocked          another process serves it
      SettingInvalid              a flag, variable or file that sets up the server is wrong

Lower layers raise these and know nothing of HTTP; `configsvc.api.problems`
holds the one table from class to status.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class ConfigError(Exception):
    """Base of all errors of this package.

    Args:
        message: One sentence that names the value and what was expected.
        details: Findings as plain JSON data, for the answer's `details`.
    """

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, details: Sequence[Mapping[str, object]] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)


class RequestInvalid(ConfigError):
    code = "request-invalid"


class NameInvalid(RequestInvalid):
    code = "name-invalid"


class PatternInvalid(RequestInvalid):
    code = "pattern-invalid"


class DocumentInvalid(RequestInvalid):
    code = "document-invalid"


class DocumentTooLarge(DocumentInvalid):
    code = "document-too-large"


class EditTooLarge(DocumentTooLarge):
    code = "edit-too-large"


class MediaTypeUnsupported(RequestInvalid):
    code = "media-type-unsupported"


class RequestTooLarge(RequestInvalid):
    code = "request-too-large"


class Unauthorized(ConfigError):
    code = "unauthorized"


class Forbidden(ConfigError):
    code = "forbidden"


class NotFound(ConfigError):
    code = "not-found"


class ServiceNotFound(NotFound):
    code = "service-not-found"


class VersionNotFound(NotFound):
    code = "version-not-found"


class VersionDeleted(NotFound):
    code = "version-deleted"


class SchemaNotFound(NotFound):
    code = "schema-not-found"


class RevisionNotFound(NotFound):
    code = "revision-not-found"


class ValueNotFound(NotFound):
    code = "value-not-found"


class PrincipalNotFound(NotFound):
    code = "principal-not-found"


class Conflict(ConfigError):
    code = "conflict"


class ServiceExists(Conflict):
    code = "service-exists"


class ServiceEnabled(Conflict):
    code = "service-enabled"


class PrincipalExists(Conflict):
    code = "principal-exists"


class PrincipalsConflict(Conflict):
    code = "principals-conflict"


class PathConflict(Conflict):
    code = "path-conflict"


class RequestIdReused(Conflict):
    code = "request-id-reused"


class PatchFailed(Conflict):
    code = "patch-failed"


class PushRefused(Conflict):
    code = "push-refused"


class DocumentBroken(Conflict):
    code = "document-broken"


class PreconditionFailed(ConfigError):
    code = "precondition-failed"


class RevisionMismatch(PreconditionFailed):
    code = "revision-mismatch"


class RevisionUnreached(PreconditionFailed):
    code = "revision-unreached"


class NotAcceptable(ConfigError):
    code = "not-acceptable"


class SchemaViolated(ConfigError):
    code = "schema-violation"


class SchemaTooSlow(ConfigError):
    code = "schema-too-slow"


class Unavailable(ConfigError):
    code = "unavailable"

    retry_after_s: int = 1
    """In how many seconds to try again."""


class WriteFailed(Unavailable):
    code = "write-failed"


class OutcomeUnknown(Unavailable):
    code = "outcome-unknown"


class StoreDiverged(Unavailable):
    code = "diverged"


class QueueFull(Unavailable):
    code = "queue-full"


class RateExceeded(Unavailable):
    code = "rate-exceeded"


class GitBusy(Unavailable):
    code = "git-busy"


class ServiceClosed(Unavailable):
    code = "shutting-down"


class RepositoryUnusable(ConfigError):
    code = "repository-unusable"


class RepositoryLocked(RepositoryUnusable):
    code = "repository-locked"


class SettingInvalid(ConfigError):
    code = "setting-invalid"
