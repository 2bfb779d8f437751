"""Every code that an answer can have, read out of the code."""

from __future__ import annotations

import inspect

from configsvc.api import problems
from configsvc.core import errors

# Raised by subclasses only, or where no request is answered.
NEVER_ANSWERED = {"conflict", "repository-locked", "repository-unusable", "setting-invalid"}
# The original dialect's alone: a POST of what exists.
SEED_ONLY = {"service-exists"}

# Told to git clients.
GIT_ONLY = {"git-busy", "push-refused"}


def error_codes() -> set[str]:
    """Return the codes of all error classes."""
    return {
        each.code
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, errors.ConfigError)
    }


def http_codes() -> set[str]:
    """Return the codes of HTTP statuses that no error class stands for."""
    return set(problems.CODES.values())


def api_codes() -> set[str]:
    """Return the codes that the full API answers."""
    return (error_codes() | http_codes()) - NEVER_ANSWERED - SEED_ONLY - GIT_ONLY
