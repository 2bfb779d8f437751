"""Writing git's own file of settings: many in one step, where `git config` is a process for each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from configsvc.store.disk import Disk

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"})


def add_settings(git_dir: Path, settings: Mapping[str, Sequence[str]]) -> None:
    """Add settings to those of a repository, under git's own lock; values that are there are not taken away.

    Args:
        settings: By names such as `gc.auto`, each with its values in order.

    Raises:
        OSError: The file cannot be written, or somebody holds `config.lock`.
    """
    if not settings:
        return
    config = (git_dir / "config").resolve()
    lock = config.with_name(config.name + ".lock")
    disk = Disk()
    try:
        disk.write(lock, _with_settings(config.read_bytes(), settings), exclusive=True)
        lock.chmod(config.stat().st_mode)
        disk.rename(lock, config)
    except FileExistsError:
        raise
    except BaseException:
        disk.discard(lock)
        raise


def _with_settings(content: bytes, settings: Mapping[str, Sequence[str]]) -> bytes:
    sections: dict[str, str] = {}
    for name, values in settings.items():
        section, _, rest = name.partition(".")
        subsection, _, key = rest.rpartition(".")
        head = f'[{section} "{subsection.translate(_ESCAPES)}"]\n' if subsection else f"[{section}]\n"
        lines = (f'\t{key} = "{value.translate(_ESCAPES)}"\n' for value in values)
        sections[head] = sections.get(head, head) + "".join(lines)
    gap = b"" if content.endswith(b"\n") or not content else b"\n"
    return content + gap + os.fsencode("".join(sections.values()))
