"""A repository on this machine as a target: reads without its lock, writes with it.

Reads are of what is committed, so they work beside a running server.  The first write takes the
repository's lock, as a server does, and what is read after that is read from there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from configsvc.assembly import open_gate, open_instance
from configsvc.cli.target.answers import (
    committed,
    deleted,
    item,
    log_entry,
    meta_written,
    preview,
    tag_of,
    verdict,
    version_made,
    written,
)
from configsvc.cli.target.protocol import Change as RevisionChange
from configsvc.cli.target.protocol import Format, LogAsk, LogEntry, NewDocument
from configsvc.client import (
    Committed,
    ConfigItem,
    Deleted,
    Diff,
    Document,
    DocumentText,
    DryRun,
    MetaWritten,
    Verdict,
    Written,
)
from configsvc.core.errors import DocumentInvalid, RepositoryLocked, RequestInvalid
from configsvc.core.names import Format as DocumentFormat
from configsvc.core.names import parse_service
from configsvc.core.tags import parse_precondition
from configsvc.documents.pointer import value_at
from configsvc.documents.rendering import render_value
from configsvc.door import unix_author
from configsvc.service import Ask, ConfigService, Receipt
from configsvc.service.changes import (
    Change,
    DeleteService,
    PatchDocument,
    PatchKind,
    PutDocument,
    Rollback,
    SetMeta,
)
from configsvc.service.lookups import Comparison, find_revision
from configsvc.settings import Settings
from configsvc.store.base import Entry, Snapshot
from configsvc.store.committed import CommittedStore
from configsvc.store.repository import git_dir_of
from configsvc.store.trail import read_trail
from configsvc.watch.interest import interest_in
from configsvc.watch.stream import Stream

LOOK_S = 0.1
"""How often a watch looks whether main has moved, in seconds."""


class PathTarget:
    """The repository at `settings.repo`, opened by the first call that needs it.

    Its writes are by the user who runs this, with every right.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._held = ExitStack()
        self._closed = threading.Event()
        self._opened: ConfigService | None = None
        self._is_holding = False

    @property
    def settings(self) -> Settings:
        """Those that it was made with."""
        return self._settings

    @property
    def place(self) -> str:
        """The repository's folder."""
        return str(self._root)

    def list_all(self, prefix: str = "") -> Iterator[ConfigItem]:
        """Yield the services whose names start with `prefix`."""
        snapshot = self._config.snapshot()
        for service in snapshot.services(prefix):
            entry = snapshot.find(service)
            assert entry is not None
            yield item(snapshot, entry, self._config.meta(snapshot, service))

    def get(
        self, service: str, *, version: int | None = None, at: str | None = None, pointer: str | None = None
    ) -> Document:
        """Return a document's value."""
        snapshot, entry = self._find(service, version, at)
        value: object = self._config.value(snapshot, entry)
        found = value if pointer is None else value_at(value, pointer)
        return Document(service, found, entry.version, snapshot.revision, tag_of(entry) or "")

    def get_text(
        self,
        service: str,
        *,
        version: int | None = None,
        at: str | None = None,
        format: Format | None = None,  # noqa: A002 - as the client has it
    ) -> DocumentText:
        """Return a document as text."""
        snapshot, entry = self._find(service, version, at)
        stored = "" if entry.format is None else entry.format.value
        data = self._config.document(snapshot, entry)
        if format not in (None, stored):
            data = render_value(self._config.value(snapshot, entry), DocumentFormat(format))
        text, told = data.decode(), format or stored
        return DocumentText(service, text, told, entry.version, snapshot.revision, tag_of(entry) or "")

    def put(
        self,
        service: str,
        *,
        text: str,
        text_format: Format = "yaml",
        if_match: str | None = None,
        create_only: bool = False,
        message: str | None = None,
        dry_run: bool = False,
    ) -> Written | DryRun:
        """Create or replace a document."""
        condition = parse_precondition(if_match, "*" if create_only else None)
        document = self._config.read_document(text.encode(), DocumentFormat(text_format))
        change = PutDocument(parse_service(service), document, condition, keep_format=True)
        return self._written(change, message, dry_run)

    def put_many(
        self, documents: Sequence[NewDocument], *, message: str | None = None, dry_run: bool = False
    ) -> Committed | DryRun:
        """Create or replace documents in one commit, all or none."""
        changes = [self._put(document) for document in documents]
        receipt = self._commit(changes, message, dry_run)
        return preview(receipt) if dry_run else committed(receipt)

    def patch(
        self,
        service: str,
        changes: Mapping[str, object] | Sequence[Mapping[str, object]],
        *,
        if_match: str | None = None,
        message: str | None = None,
        dry_run: bool = False,
    ) -> Written | DryRun:
        """Change part of a document."""
        kind = PatchKind.MERGE if isinstance(changes, Mapping) else PatchKind.JSON
        condition = parse_precondition(if_match, None)
        return self._written(PatchDocument(service, changes, kind, condition), message, dry_run)

    def delete(
        self, service: str, *, if_match: str | None = None, message: str | None = None, dry_run: bool = False
    ) -> Deleted | DryRun:
        """Delete a service that is disabled."""
        change = DeleteService(service, parse_precondition(if_match, None))
        receipt = self._commit([change], message, dry_run)
        return preview(receipt) if dry_run else deleted(receipt, service)

    def rollback(
        self,
        service: str,
        version: int,
        *,
        if_match: str | None = None,
        message: str | None = None,
        dry_run: bool = False,
    ) -> Written | DryRun:
        """Make an old version the newest again."""
        change = Rollback(service, version, parse_precondition(if_match, None))
        return self._written(change, message, dry_run)

    def set_enabled(
        self, service: str, enabled: bool, *, message: str | None = None, dry_run: bool = False
    ) -> MetaWritten | DryRun:
        """Enable or disable a service."""
        receipt = self._commit([SetMeta(service, enabled)], message, dry_run)
        return preview(receipt) if dry_run else meta_written(receipt, service)

    def diff(self, service: str, *, start: int | None = None, end: int | None = None) -> Diff:
        """Return the text of a difference."""
        snapshot = self._config.snapshot()
        compared = Comparison(self._config, snapshot, parse_service(service), start, end)
        return Diff(snapshot.revision, text=compared.text())

    def diff_operations(self, service: str, *, start: int | None = None, end: int | None = None) -> Diff:
        """Return the same as the operations of a JSON Patch."""
        snapshot = self._config.snapshot()
        compared = Comparison(self._config, snapshot, parse_service(service), start, end)
        return Diff(snapshot.revision, operations=tuple(compared.operations()))

    def log(self, ask: LogAsk) -> list[LogEntry]:
        """Return commits of main, newest first."""
        git_dir_of(self._root)
        found = read_trail(
            self._root,
            principal=ask.principal,
            since_s=ask.since_s,
            service=parse_service(ask.service) if ask.service else "",
            limit=ask.limit,
        )
        return [log_entry(each) for each in found]

    def validate(self, service: str, *, text: str, text_format: Format = "yaml") -> Verdict:
        """Return what the gate would say of a document."""
        if not text:
            raise RequestInvalid("document: is empty (expected: a document)")
        snapshot = self._config.snapshot()
        return verdict(self._config.judge(snapshot, service, text.encode(), DocumentFormat(text_format)))

    def head(self) -> int:
        """Return the newest revision."""
        return self._config.snapshot().revision

    def watch(
        self, services: Sequence[str] = (), *, prefix: str | None = None, since: int | None = None
    ) -> Iterator[RevisionChange]:
        """Yield each revision that changes what is watched, whoever lands it."""
        newest = self.head()
        if since is not None and since > newest:
            raise RequestInvalid(f"since: {since} (expected: <= {newest}, the newest revision)")
        interest = interest_in([parse_service(service) for service in services], prefix)
        stream = Stream(interest, newest if since is None else since)
        while not self._closed.is_set():
            snapshot = self._config.snapshot()
            for event in stream.step(snapshot, lambda _: True):
                made = tuple(version_made(entry) for entry in event.entries)
                yield RevisionChange(event.revision, snapshot.record(event.revision).commit_id, made)
            if stream.position >= snapshot.revision:
                self._closed.wait(LOOK_S)

    def let_go(self) -> None:
        """Give back the lock, and whatever else is open; the next call opens it again."""
        self._held.close()
        self._opened, self._is_holding = None, False

    def close(self) -> None:
        """Let go of the repository; a watch ends."""
        self._closed.set()
        self._held.close()

    @property
    def _config(self) -> ConfigService:
        if self._opened is None:
            settings = self._settings
            store = self._held.enter_context(closing(CommittedStore(settings.repo)))
            gate = self._held.enter_context(open_gate(settings))
            self._opened = ConfigService(
                store, gate=gate.schemas, editor=gate.workers, bounds=settings.bounds
            )
        return self._opened

    @property
    def _root(self) -> Path:
        return self._settings.repo.absolute()

    def _find(
        self, service: str, version: int | None = None, at: str | None = None
    ) -> tuple[Snapshot, Entry]:
        snapshot = self._config.snapshot()
        if at is None:
            return snapshot, self._config.find_entry(snapshot, service, version)
        if version is not None:
            raise RequestInvalid("version: is given with at (expected: one of them)")
        return snapshot, self._config.find_entry_at(snapshot, service, find_revision(snapshot, at))

    def _put(self, new: NewDocument) -> PutDocument:
        try:
            document = self._config.read_document(new.text.encode(), DocumentFormat(new.format))
        except DocumentInvalid as error:
            # As a server says which one it was.
            found = error.details or ({"message": error.message},)
            error.details = tuple({**each, "service": new.service} for each in found)
            raise
        return PutDocument(new.service, document)

    def _written(
        self, change: PutDocument | PatchDocument | Rollback, message: str | None, dry_run: bool
    ) -> Written | DryRun:
        receipt = self._commit([change], message, dry_run)
        return preview(receipt) if dry_run else written(receipt, change.service)

    def _commit(self, changes: Sequence[Change], message: str | None, dry_run: bool) -> Receipt:
        if not dry_run:
            self._hold()
        ask = Ask(author=unix_author(os.getuid()), message=message or "", dry_run=dry_run)
        return self._config.commit(changes, ask=ask)

    def _hold(self) -> None:
        if self._is_holding:
            return
        try:
            instance = self._held.enter_context(open_instance(self._settings, create=False))
        except RepositoryLocked as error:
            raise RepositoryLocked(
                f"{error.message}; to write through a server that runs, name it with --url"
            ) from error
        self._opened, self._is_holding = instance.service, True
