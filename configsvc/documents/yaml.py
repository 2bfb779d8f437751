"""YAML as configuration is written in it: the core schema of YAML 1.2, `<<`, and a value that JSON can hold.

PyYAML's parser gives the events; the value is built from them here, one by one,
without recursion.  So every bound is checked before the node that would break it
exists, and an alias costs what it stands for although its value is shared.
PyYAML's own composer recurses, in C: 80 KB of `[` end the process.

Refused beyond what is not YAML: tags, more than one document, keys that are not
strings, duplicate keys, recursive aliases, NaN and infinity, `%TAG` (libyaml
takes seconds for a thousand of them a megabyte: quadratic) and the three line
breaks that only YAML 1.1 knows (they would be read as a space).
"""

from __future__ import annotations

import re

import yaml
from yaml.reader import ReaderError

from configsvc.core.errors import DocumentInvalid
from configsvc.documents.bounds import Bounds
from configsvc.documents.composer import Composer
from configsvc.documents.source import decode_source, fault, fault_at

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML was built with it: the same events, about ten times faster."""

_OLD_BREAKS = ("\x85", "\u2028", "\u2029")
_TAG_DIRECTIVE = re.compile(r"(?:\A|[\r\n])%TAG")
_KINDS: dict[type, str] = {list: "a list", str: "a string", bool: "a boolean", type(None): "nothing"}


def parse_yaml(data: bytes, *, bounds: Bounds) -> dict[str, object]:
    """Return the mapping that a YAML text stands for; treat it as read-only, since aliases share their value.

    Raises:
        DocumentTooLarge: More bytes than `bounds.max_bytes`.
        DocumentInvalid: Not YAML as above, or a bound is broken; `details`
            holds the violation with line and column.
    """
    text = decode_source(data, bounds=bounds)
    _check_lines(text)
    value = _compose(text, bounds)
    if not isinstance(value, dict):
        kind = _KINDS.get(type(value), "a number")
        raise fault(f"top level: {kind} (expected: a mapping)", line=1, column=1)
    return value


def _check_lines(text: str) -> None:
    if not text.isascii():
        for character in _OLD_BREAKS:
            offset = text.find(character)
            if offset >= 0:
                code = f"{ord(character):04X}"
                raise fault_at(f"character U+{code} (expected: \\u{code} in double quotes)", text, offset)
    found = _TAG_DIRECTIVE.search(text) if "%TAG" in text else None
    if found is not None:
        raise fault_at("%TAG (expected: no tags)", text, found.end() - len("%TAG"))


def _compose(text: str, bounds: Bounds) -> object:
    composer = Composer(text, bounds=bounds)
    try:
        for event in yaml.parse(text, Loader=LOADER):
            composer.feed(event)
    except yaml.MarkedYAMLError as error:
        raise _syntax_fault(error, composer.pointer, bounds) from error
    except ReaderError as error:
        message = f"character U+{int(error.character):04X} (expected: printable characters)"
        raise fault_at(message, text, text.find(chr(int(error.character)))) from error
    except (ValueError, OverflowError) as error:  # the parser in Python gives any escape to chr()
        raise fault("not YAML: an escape that stands for no character", pointer=composer.pointer) from error
    return composer.value


def _syntax_fault(error: yaml.MarkedYAMLError, pointer: str, bounds: Bounds) -> DocumentInvalid:
    mark = error.problem_mark or error.context_mark
    message = ", ".join(part for part in (error.context, error.problem) if part)
    # Since libyaml 0.2.6 the scanner, which reads ahead of the events, has a limit of its own: 1,000.
    if error.problem == "exceeded maximum nesting depth" and mark is not None:
        expected = f"depth: more than {bounds.max_depth} (expected: <= {bounds.max_depth})"
        return fault(expected, line=mark.line + 1, column=mark.column + 1, pointer=pointer)
    if mark is None:
        return fault(f"not YAML: {message}", pointer=pointer)
    return fault(f"not YAML: {message}", line=mark.line + 1, column=mark.column + 1, pointer=pointer)
