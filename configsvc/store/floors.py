"""The oldest releases of libraries that are safe to serve with."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

from configsvc.core.errors import RepositoryUnusable

FLOORS: dict[str, tuple[int, ...]] = {
    # CVE-2026-42215, -44243, -44244, -78676 and several ways around its guards of options.
    "GitPython": (3, 1, 62),
    # Bombs of multipart bodies, the debugger, names of devices: CVE-2024-49767, -34069, 2026-21860, -27199.
    "Werkzeug": (3, 1, 6),
}


def library_version(name: str) -> tuple[int, ...]:
    """Return the release of an installed library; empty when it has none that can be read."""
    try:
        found = version(name)
    except PackageNotFoundError:
        return ()
    match = re.match(r"\d+(?:\.\d+)*", found)
    return tuple(map(int, match[0].split("."))) if match else ()


def floor_problem(name: str) -> str:
    """Return what is wrong with an installed library of `FLOORS`; empty when nothing is."""
    found, floor = library_version(name), FLOORS[name]
    if found >= floor:
        return ""
    return (
        f"{name}: {_shown(found) or 'not known'} (expected: >= {_shown(floor)}, older ones have known holes)"
    )


def check_floors() -> None:
    """Raise `RepositoryUnusable` when a library is older than is safe."""
    problems = [problem for problem in map(floor_problem, FLOORS) if problem]
    if problems:
        raise RepositoryUnusable("; ".join(problems))


def _shown(release: tuple[int, ...]) -> str:
    return ".".join(map(str, release))
