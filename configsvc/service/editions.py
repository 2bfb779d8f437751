"""What is costly to work out about a document, remembered by what it was worked out from.

A plan is made again under contention, in the writer's turn: it should find there what
its first making worked out, and be put off where that would take long.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from configsvc.core.errors import DocumentBroken, DocumentInvalid
from configsvc.core.names import Format
from configsvc.documents.bounds import Bounds
from configsvc.documents.document import Document, Value, fingerprint, parse_document
from configsvc.documents.edit import check_editable, edit_document
from configsvc.store.base import PlanAgain
from configsvc.store.objects import object_id

QUICK_EDIT_BYTES = 8 << 10
"""A larger text is edited by a worker, and never in the writer's turn."""

_NO_VALUE = b""


class FingerprintCache:
    """The newest fingerprints by blob id.  Thread-safe."""

    def __init__(self, max_entries: int = 8192) -> None:
        self._max_entries = max_entries
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()  # guards the mapping above

    def of(self, document: Document) -> bytes:
        """Return the fingerprint of a document's value."""
        blob_id = object_id("blob", document.data).hex()
        return self._get(blob_id, lambda: fingerprint(document.value))

    def of_stored(self, blob_id: str, data: bytes, bounds: Bounds) -> bytes:
        """Return the fingerprint of a JSON text; of one that does not parse, what equals no other."""

        def parse() -> bytes:
            try:
                return fingerprint(parse_document(data, Format.JSON, bounds=bounds))
            except DocumentInvalid:
                return _NO_VALUE  # committed by hand before the gate: equal to nothing, so it can be replaced

        return self._get(blob_id, parse)

    def _get(self, blob_id: str, compute: Callable[[], bytes]) -> bytes:
        with self._lock:
            known = self._known.get(blob_id)
        if known is not None:
            return known
        computed = compute()
        with self._lock:
            self._known[blob_id] = computed
            if len(self._known) > self._max_entries:
                self._known.popitem(last=False)
        return computed


class Editor(Protocol):
    """Where large texts are edited; see `WorkerPool`."""

    def edit(self, old: bytes, format_: Format, value: Value, bounds: Bounds) -> bytes: ...


class LocalEditor:
    """Edits in the thread that asks."""

    def edit(self, old: bytes, format_: Format, value: Value, bounds: Bounds) -> bytes:
        """Return the text for a document whose value becomes `value`; see `edit_document`."""
        return edit_document(old, format_, value, bounds=bounds)


class Editions:
    """The texts that one change makes of the documents that it meets, by their blob ids.

    Args:
        change: Returns the new value for an old one.
        editor: Edits what is large.
    """

    def __init__(self, change: Callable[[Value], Value], bounds: Bounds, editor: Editor) -> None:
        self._change = change
        self._bounds = bounds
        self._editor = editor
        self._made: dict[str, Document] = {}

    def of(self, old: bytes, format_: Format, blob_id: str, *, may_wait: bool) -> Document:
        """Return the document to store instead of `old`: only what changes in it is written anew.

        Raises:
            PlanAgain: It would take long, and `may_wait` is false.
            EditTooLarge: It is a YAML text that is too large to be edited.
            PatchFailed: The change does not apply.
            DocumentBroken: The old text does not parse.
        """
        known = self._made.get(blob_id)
        if known is not None:
            return known
        if not may_wait and len(old) > QUICK_EDIT_BYTES:
            raise PlanAgain
        check_editable(old, format_)
        before = stored_value(old, format_, self._bounds)
        value = self._change(before)
        if len(old) > QUICK_EDIT_BYTES:
            data = self._editor.edit(old, format_, value, self._bounds)
        else:
            data = edit_document(old, format_, value, bounds=self._bounds, was=before)
        made = self._made[blob_id] = Document(format_, data, value)
        return made


def stored_value(data: bytes, format_: Format, bounds: Bounds) -> Value:
    """Return what a stored text parses to.

    Raises:
        DocumentBroken: It does not parse: it was there before the gate, or before a bound was lowered.
    """
    try:
        return parse_document(data, format_, bounds=bounds)
    except DocumentInvalid as error:
        raise DocumentBroken(f"the stored document is broken: {error.message}", error.details) from error
