"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.samples import percentile

_SYNCS = 200
_SYNC_BYTES = 4096


def facts(folder: Path, command: str) -> list[tuple[str, str]]:
    """Return name and value of what a reader of the figures has to know.

    Args:
        folder: Where the repositories are made.
        command: What was called.
    """
    git = subprocess.run(["git", "version"], capture_output=True, check=True, text=True).stdout
    return [
        ("command", f"`{command}`"),
        ("date", datetime.now(UTC).strftime("%Y-%m-%d")),
        ("processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("system", f"{platform.system()} {platform.release()}"),
        ("python, git", f"{platform.python_version()}, {git.split()[2]}"),
        ("file system", _file_system(folder)),
        ("new file of 4 KB written and synced", f"p50 {_sync_ms(folder):.2f} ms"),
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else "unknown"


def _file_system(folder: Path) -> str:
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return "unknown"
    best = ("", "unknown")
    for line in lines:
        place, kind = line.split()[4], line.partition(" - ")[2].split()[0]
        if folder.resolve().is_relative_to(place) and len(place) >= len(best[0]):
            best = (place, kind)
    return best[1]


def _sync_ms(folder: Path) -> float:
    """Return the median time that a new, synced file takes: the floor under every durable write."""
    times = []
    path = folder / "sync"
    for _ in range(_SYNCS):
        started = time.perf_counter()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, b"\0" * _SYNC_BYTES)
        os.fsync(descriptor)
        times.append((time.perf_counter() - started) * 1000)
        os.close(descriptor)
        path.unlink()
    return percentile(sorted(times), 50)
