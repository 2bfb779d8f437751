"""What a call can fail with.

ConfigError
  Refused             a server answered with an error; also of the class of its code,
                      such as `configsvc.core.errors.ServiceNotFound`
  NoAnswer            no server answered in time
  AnswerInvalid       an answer that is not one of this API
  ClientClosed        the client was used after it was closed
  NotReady            a live config has no value yet
  BindingFailed       a document does not fit the type that it is bound to
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from configsvc.client.messages import Answer
from configsvc.core.errors import ConfigError, Unavailable


class NoAnswer(Unavailable):
    """No server answered; a write may have landed or not."""

    code = "no-answer"


class AnswerInvalid(ConfigError):
    """Something answered that does not speak this API: a proxy, say."""

    code = "answer-invalid"


class ClientClosed(ConfigError):
    code = "client-closed"


class NotReady(ConfigError):
    """Neither server, nor disk, nor a default had a value so far."""

    code = "not-ready"


class BindingFailed(ConfigError):
    """A document that does not fit; `details` has the pointer and the message of each finding.

    Where the message is of somebody else's code, a validator's say, it may have a value in it; such a finding
    has its type as `kind` too.
    """

    code = "binding-failed"


class Refused(ConfigError):
    """An error that a server answered.

    An instance is also of the core's class for its code, so that
    `except ServiceNotFound` and `except Refused` both take it.

    Args:
        status: Of the answer.
    """

    def __init__(self, message: str, details: Sequence[Mapping[str, object]] = (), *, status: int) -> None:
        super().__init__(message, details)
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return _revive, (self.code, self.message, self.details, self.status)


def refusal_of(answer: Answer) -> Refused:
    """Return the error that an answer of 400 or more tells."""
    problem = _problem(answer.body)
    code, details = problem.get("code"), problem.get("details")
    message = problem.get("detail") or problem.get("title") or f"status: {answer.status} (expected: success)"
    found = [item for item in details if isinstance(item, dict)] if isinstance(details, list) else []
    return _revive(code if isinstance(code, str) else _plain_code(answer), str(message), found, answer.status)


def _problem(body: bytes) -> Mapping[str, object]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _plain_code(answer: Answer) -> str:
    # A proxy in between knows no codes of ours.
    return "unavailable" if answer.status in {429, 502, 503, 504} else "internal"


def _revive(code: str, message: str, details: Sequence[Mapping[str, object]], status: int) -> Refused:
    return _refused_class(code)(message, details, status=status)


@cache
def _refused_class(code: str) -> type[Refused]:
    base = _core_classes().get(code)
    if base is None:
        return type("Refused", (Refused,), {"code": code})
    return type(base.__name__, (Refused, base), {"code": code})


@cache
def _core_classes() -> Mapping[str, type[ConfigError]]:
    return {found.code: found for found in _below(ConfigError) if found.__module__ == ConfigError.__module__}


def _below(base: type[ConfigError]) -> Iterator[type[ConfigError]]:
    for child in base.__subclasses__():
        yield child
        yield from _below(child)
