"""Makes the answers to plain reads that are kept: the first of each kind by Flask, others by its template."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from configsvc.api.seed import is_map
from configsvc.edge.asgi_types import RawHeaders, Scope, raw_headers
from configsvc.edge.environ import make_environ
from configsvc.edge.hot import HotRead, hot_read
from configsvc.edge.hot_requests import HotRequest, target_for
from configsvc.edge.hot_templates import Kind, Template, parts_of, template_of
from configsvc.edge.wsgi_call import WsgiCall
from configsvc.service import ConfigService
from configsvc.store.base import Entry, Snapshot

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


MAX_FILLED_BYTES = 64 << 10
"""Larger documents are left to Flask: many answers are made at one time."""
MAX_AHEAD_BYTES = 16 << 10
LEAST_BULK = 4
"""A command of its own pays for so many documents; fewer are read by the one that stays running."""


class HotMaker:
    """Makes answers, in any thread.

    Args:
        app: What the answers are those of; its own log of requests left out.
    """

    def __init__(self, app: WSGIApplication, service: ConfigService) -> None:
        self._app = app
        self._service = service
        self._templates: dict[Kind, Template] = {}
        self._is_stopped = False

    def ask(self, request: HotRequest, scope: Scope) -> HotRead | None:
        """Return the application's answer to the plain read, or its mark; None when it refuses to answer."""
        asked: RawHeaders = [(b"host", request.host)]
        if request.authorization is not None:
            asked.append((b"authorization", request.authorization))
        call = WsgiCall(self._app, make_environ({**scope, "method": "GET", "headers": asked}, io.BytesIO()))
        try:
            body = call.start()
            is_whole = call.is_done
        finally:
            call.close()
        if call.status != 200:
            return None
        read = hot_read(request.service, raw_headers(call.headers), body if is_whole else None)
        if not read.is_unfit:
            self._learn(read, is_seed=request.is_seed)
        return read

    def fill(self, requests: Sequence[HotRequest]) -> list[HotRead | None]:
        """Return the answers to requests that may be answered; None for one that there is no template for.

        Raises:
            ObjectMissing: The repository is damaged.
        """
        snapshot = self._service.snapshot()
        entries = [self.find(snapshot, request.service, is_seed=request.is_seed) for request in requests]
        wanted = {entry.blob_id for entry in entries if entry is not None and entry.blob_id is not None}
        if len(wanted) < LEAST_BULK:
            texts = {blob_id: snapshot.blob(blob_id) for blob_id in wanted}
        else:
            texts = dict(snapshot.blobs(wanted, max_bytes=MAX_FILLED_BYTES))
        return [
            None
            if entry is None
            else self._fill(entry, texts.get(entry.blob_id or ""), snapshot, is_seed=request.is_seed)
            for request, entry in zip(requests, entries, strict=True)
        ]

    def fill_at_once(self, request: HotRequest, snapshot: Snapshot) -> HotRead | None:
        """Return the answer at `snapshot` if nothing has to be read or parsed, as after a write."""
        entry = None if request.is_seed else self.find(snapshot, request.service, is_seed=False)
        if entry is None or entry.blob_id is None:
            return None
        return self._fill(entry, snapshot.blob_in_memory(entry.blob_id), snapshot, is_seed=False)

    def make_ahead(
        self, services: Collection[str], snapshot: Snapshot, *, is_seed: bool
    ) -> Iterator[tuple[bytes, HotRead]]:
        """Yield targets and answers of those services for which there is a template, until `stop`.

        Raises:
            ObjectMissing: The repository is damaged.
        """
        found = (self.find(snapshot, service, is_seed=is_seed) for service in services)
        entries = [entry for entry in found if entry is not None]
        wanted = {entry.blob_id for entry in entries if entry.blob_id is not None}
        texts = dict(snapshot.blobs(wanted, max_bytes=MAX_AHEAD_BYTES))
        for entry in entries:
            if self._is_stopped:
                return
            made = self._fill(entry, texts.get(entry.blob_id or ""), snapshot, is_seed=is_seed)
            if made is not None:
                yield target_for(entry.service, is_seed=is_seed), made

    def stop(self) -> None:
        """Make no more ahead."""
        self._is_stopped = True

    def find(self, snapshot: Snapshot, service: str, *, is_seed: bool) -> Entry | None:
        """Return the newest version of a service, if there is a template for its answer."""
        entry = snapshot.find(service)
        if entry is None or entry.format is None or (is_seed, entry.format) not in self._templates:
            return None
        return None if is_seed and is_map(entry) else entry

    def _fill(self, entry: Entry, data: bytes | None, snapshot: Snapshot, *, is_seed: bool) -> HotRead | None:
        template = None if entry.format is None else self._templates.get((is_seed, entry.format))
        if template is None or data is None or len(data) > MAX_FILLED_BYTES:
            return None
        parts = parts_of(entry, data, self._service.bounds, is_seed=is_seed)
        return None if parts is None else template.fill(entry.service, parts, snapshot.revision)

    def _learn(self, read: HotRead, *, is_seed: bool) -> None:
        """Make a template of the application's answer, where there is none of its kind."""
        snapshot = self._service.snapshot()
        entry = snapshot.entry(read.service, read.version)
        if entry is None or entry.format is None or (is_seed, entry.format) in self._templates:
            return
        data = self._service.document(snapshot, entry)
        parts = parts_of(entry, data, self._service.bounds, is_seed=is_seed)
        template = None if parts is None else template_of(read, parts)
        if template is not None:
            self._templates[is_seed, entry.format] = template
