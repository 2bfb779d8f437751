"""A progress bar, where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

import click

T = TypeVar("T")


def with_progress(items: Iterable[T], label: str, length: int) -> Iterator[T]:
    """Yield `items`; on a terminal, a bar on stderr shows how far it is.

    Args:
        length: How many there are.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(items, length=length, label=label, file=sys.stderr) as bar:
        yield from bar
