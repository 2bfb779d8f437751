"""Whose fault it is when git ends before it has answered anything: the request's, or this machine's."""

from __future__ import annotations

import re

from configsvc.core.errors import ConfigError, RequestInvalid, Unavailable

MAX_SHOWN_CHARS = 200
_FATAL_CODE = 128
_LINE = re.compile(r"^(?:fatal|BUG): .*", re.MULTILINE)
# What ends too early, or is not in git's protocol, whatever code git ends with.
_MALFORMED = re.compile(r"protocol error|hung up unexpectedly|bad line length|early EOF")
# How git begins when this machine or the repository fails it; what a client sent stands further on.
_OURS = re.compile(
    r"fatal: (?:git upload-pack: )?(?:"
    r"out of memory|data too large|fork|mmap|unable to (?:access|create|fork|mmap|open|read|start|write)|"
    r"cannot (?:allocate|create|exec|fork|mmap|open|pread|run|store|use)|"
    r"could not (?:create|open|read|start|write)|failed to (?:copy|open|read|write)|"
    r"(?:write|read) error|(?:loose|packed) object|pack |index file|not a git repository|"
    r"detected dubious ownership|bad (?:config|object|tree)|missing (?:blob|tree|commit)"
    r")",
    re.IGNORECASE,
)


def fault_of(code: int, words: str) -> ConfigError:
    """Return how a git that has answered nothing is told to its client.

    Args:
        code: What it ended with; negative for a signal.
        words: What it said on stderr.
    """
    lines = _LINE.findall(words)
    line = lines[-1] if lines else words.splitlines()[-1] if words else ""
    if line.startswith("BUG:"):
        # git meets some unexpected packets with an assertion; where in its source is nobody's business.
        return RequestInvalid("body: not understood by git (expected: a request as git clients make them)")
    shown = line[:MAX_SHOWN_CHARS]
    is_refusal = code == _FATAL_CODE and line.startswith("fatal: ") and not _OURS.match(line)
    if is_refusal or _MALFORMED.search(line):
        return RequestInvalid(f"body: not understood by git: {shown}")
    return Unavailable(f"git: {shown or 'ended without a word'}")
