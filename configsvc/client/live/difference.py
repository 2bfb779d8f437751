"""Where two documents differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def changed_pointers(old: object, new: object, pointer: str = "") -> Iterator[str]:
    """Yield the JSON pointers (RFC 6901) of the smallest parts that differ, in the order of `old`."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in (*old, *(key for key in new if key not in old)):
            below = f"{pointer}/{escaped(key)}"
            if key in old and key in new:
                yield from changed_pointers(old[key], new[key], below)
            else:
                yield below
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from changed_pointers(before, after, f"{pointer}/{place}")
    elif type(old) is not type(new) or old != new:
        yield pointer


def escaped(key: object) -> str:
    """Return a key as part of a JSON pointer."""
    return str(key).replace("~", "~0").replace("/", "~1")
