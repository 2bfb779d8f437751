"""The services that are measured: their names, and documents of about 1 KB."""

from __future__ import annotations

import json

SERVICES_A_FOLDER = 200
_FOLDERS_A_FOLDER = 25
_SETTINGS = 26

# Made once: a client that shares the interpreter with the store must not take its time to write JSON.
_VALUE = {f"setting-{key:02d}": f"value {key * 7919 % 1000:03d} of it" for key in range(_SETTINGS)}
_TAIL = json.dumps(_VALUE, indent=2).encode()[1:] + b"\n"


def service_name(number: int) -> str:
    """Return the name of service `number`, which counts from 0; some 200 share a folder."""
    folder = number // SERVICES_A_FOLDER
    return f"a{folder // _FOLDERS_A_FOLDER:02d}/b{folder % _FOLDERS_A_FOLDER:02d}/svc-{number:06d}"


def document_path(number: int) -> str:
    """Return the path of service `number` in the working tree."""
    return service_name(number) + ".json"


def document(number: int, edition: int) -> bytes:
    """Return the document of service `number`, as the store keeps JSON; each edition is another one."""
    return b'{\n  "service": "%s",\n  "edition": %d,' % (service_name(number).encode(), edition) + _TAIL
