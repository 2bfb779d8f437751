"""The worker process: judges what the service hands it, one job after the other, within its limits.

It has one connection, its standard input, and ends when that ends.  It holds
no secrets, opens no files and writes nothing; whoever started it may kill it
at any moment.
"""

from __future__ import annotations

import json
import pickle
import resource
import signal
import socket
import sys
import threading

from configsvc.core.errors import DocumentInvalid
from configsvc.documents.edit import edit_document
from configsvc.validation.compiled import check_schema
from configsvc.validation.frames import receive_frame, send_frame
from configsvc.validation.jobs import READY, EditJob, Job
from configsvc.validation.judge import judge_value

# A value of depth 64 takes some five calls a level; what it takes in a chain of schemas is more.
_MAX_CALLS = 20_000
_STACK_BYTES = 64 << 20


def main(memory_limit_bytes: int) -> None:
    """Serve jobs until the connection ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal goes to every process
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, whatever it is at
    _limit_memory(memory_limit_bytes)
    sys.setrecursionlimit(_MAX_CALLS)
    threading.stack_size(_STACK_BYTES)
    thread = threading.Thread(target=_serve, args=(socket.socket(fileno=0),))
    thread.start()
    thread.join()


def _limit_memory(limit_bytes: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = limit_bytes if hard == resource.RLIM_INFINITY else min(limit_bytes, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    except (OSError, ValueError):  # macOS does not have this limit; the time limit stays
        return


def _serve(connection: socket.socket) -> None:
    send_frame(connection, READY)
    while True:
        try:
            frame = receive_frame(connection)
        except EOFError:
            return
        answer = _answer(frame)
        send_frame(connection, json.dumps(answer).encode())
        signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(frame: bytes) -> dict[str, object]:
    """Return the violations, or what kept the worker from finding them."""
    try:
        job = pickle.loads(frame)  # noqa: S301 - from the service that started this process
        signal.setitimer(signal.ITIMER_REAL, job.alarm_s)
        return _edited(job) if isinstance(job, EditJob) else _judged(job)
    except MemoryError:
        return {"trouble": "memory"}
    except RecursionError:
        return {"trouble": "depth"}
    except Exception as error:  # noqa: BLE001 - the edge of the process; the service logs it
        return {"trouble": type(error).__name__}


def _judged(job: Job) -> dict[str, object]:
    violations = (
        [violation for schema in job.schemas for violation in check_schema(schema)]
        if job.is_check
        else judge_value(job.value, job.schemas)
    )
    return {"violations": [(each.path, each.message, each.pointer) for each in violations]}


def _edited(job: EditJob) -> dict[str, object]:
    try:
        return {"text": edit_document(job.old, job.format, job.value, bounds=job.bounds).decode()}
    except DocumentInvalid as error:
        return {"refused": error.code, "message": error.message, "details": list(error.details)}
