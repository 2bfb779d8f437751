"""An edit, with a look at what it says."""

from __future__ import annotations

import copy
from typing import Any

from configsvc.core.names import Format
from configsvc.documents.document import fingerprint, parse_document
from configsvc.documents.edit import edit_document

Value = dict[str, Any]


def edited(text: str | bytes, new: object, format_: Format = Format.YAML) -> str:
    """Return the text for `new`, after a look at what it says."""
    assert isinstance(new, dict)
    data = text.encode() if isinstance(text, str) else text
    before = copy.deepcopy(new)
    result = edit_document(data, format_, new)
    assert fingerprint(parse_document(result, format_)) == fingerprint(new) == fingerprint(before)
    return result.decode()
