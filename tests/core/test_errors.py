from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from configsvc.core import errors
from configsvc.core.errors import ConfigError


def subclasses(kind: type[ConfigError]) -> Iterator[type[ConfigError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from subclasses(child)


CLASSES = [kind for kind in subclasses(ConfigError) if kind.__module__ == errors.__name__]


def drawn_tree() -> dict[str, str]:
    """Return class to parent, as the module's docstring draws them."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"( {4,})([A-Z][A-Za-z]+)(?: {2}|$)", line)
        if found is None:
            continue
        indent, name = len(found[1]), found[2]
        while above and above[-1][0] >= indent:
            above.pop()
        parents[name] = above[-1][1] if above else ""
        above.append((indent, name))
    return parents


def test_every_class_has_a_code_of_its_own() -> None:
    codes = [kind.__dict__.get("code") for kind in CLASSES]
    assert None not in codes
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_codes_are_in_kebab_case(kind: type[ConfigError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)


def test_the_docstring_draws_exactly_the_classes_there_are() -> None:
    real = {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES if kind is not ConfigError}
    assert drawn_tree() == {"ConfigError": "", **real}


def test_an_error_carries_its_message_and_details() -> None:
    error = errors.DocumentInvalid("depth: 70 (expected: <= 64)", [{"line": 1}])
    assert str(error) == error.message == "depth: 70 (expected: <= 64)"
    assert error.details == ({"line": 1},)
