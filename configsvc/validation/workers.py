"""A small pool of worker processes in which what may be slow runs, within limits of time and memory.

A regular expression holds all threads of its process for as long as it takes,
and nothing but the end of the process stops it.  So what may take long is done
in processes that can be killed: a worker over its limits is, and another one
takes its place.  Callers wait on a socket, which lets other threads run.

Workers are started as new interpreters, never forked from this process and its
threads, and only when there is a first job.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from configsvc.core.errors import (
    DocumentInvalid,
    DocumentTooLarge,
    EditTooLarge,
    QueueFull,
    SchemaTooSlow,
    ServiceClosed,
    Unavailable,
)
from configsvc.core.names import Format
from configsvc.core.reports import Violation
from configsvc.documents.bounds import Bounds
from configsvc.documents.document import Value
from configsvc.validation.frames import receive_frame, send_frame
from configsvc.validation.schemas import Schema
from configsvc.validation.worker import READY, EditJob, Job

TIME_LIMIT_S = 0.9
"""Longest that one job may take, in seconds; a caller has its answer within a second."""
MEMORY_LIMIT_BYTES = 512 << 20
"""Most address space of one worker."""
START_LIMIT_S = 30.0
"""Longest that a worker may take to start, in seconds."""
MAX_WAIT_S = 10.0
"""Longest that a job waits for a free worker, in seconds."""
MAX_WAITING = 10
"""Jobs that wait for a worker; each holds a thread that others need, so more are refused at once."""

_REFUSALS = {each.code: each for each in (DocumentTooLarge, EditTooLarge)}
_LOG = logging.getLogger(__name__)
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; from configsvc.validation.worker import main; "
    "main(int(sys.argv[1]))"
)


class WorkerPool:
    """Judges in worker processes.  Thread-safe.

    Args:
        max_workers: Most processes at one time.
        time_limit_s: Of one job; does not count the wait for a free worker, nor its start.
        memory_limit_bytes: Address space of one worker, its program included.
        max_wait_s: Longest wait for a free worker.
        max_waiting: Most jobs that wait.
    """

    def __init__(
        self,
        *,
        max_workers: int = 2,
        time_limit_s: float = TIME_LIMIT_S,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        max_wait_s: float = MAX_WAIT_S,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._max_workers = max_workers
        self._time_limit_s = time_limit_s
        self._memory_limit_bytes = memory_limit_bytes
        self._max_wait_s = max_wait_s
        self._max_waiting = max_waiting
        self._changed = threading.Condition()  # guards the five fields below
        self._waiting = 0
        self._idle: list[_Worker] = []
        self._workers: set[_Worker] = set()
        self._starting = 0
        self._closed = False

    def judge(self, value: object, schemas: Sequence[Schema]) -> list[Violation]:
        """Return all violations of a value, as `judge_value` does.

        Raises:
            SchemaTooSlow: It takes more time or memory than one job may.
            QueueFull: No worker was free for too long.
            Unavailable: No worker can be started.
            ServiceClosed: The pool was closed.
        """
        return self._judged(Job(tuple(schemas), value, alarm_s=self._alarm_s))

    def check(self, schema: Schema) -> list[Violation]:
        """Return all that is wrong with a schema, as `check_schema` does.

        Raises:
            As `judge`.
        """
        return self._judged(Job((schema,), is_check=True, alarm_s=self._alarm_s))

    def edit(self, old: bytes, format_: Format, value: Value, bounds: Bounds) -> bytes:
        """Return the text for a document whose value becomes `value`, as `edit_document` does.

        Raises:
            DocumentInvalid, EditTooLarge: As `edit_document`; also when it takes too much time or memory.
            QueueFull, Unavailable, ServiceClosed: No worker could edit it.
        """
        answer = self._run(EditJob(old, format_, value, bounds, alarm_s=self._alarm_s))
        text = answer.get("text")
        if isinstance(text, str):
            return text.encode()
        kind = _REFUSALS.get(str(answer.get("refused")), DocumentInvalid)
        details = answer.get("details")
        raise kind(str(answer.get("message")), details if isinstance(details, list) else ())

    @property
    def process_ids(self) -> list[int]:
        """The workers there are."""
        with self._changed:
            return sorted(worker.process.pid for worker in self._workers)

    def close(self) -> None:
        """End all workers; jobs under way end with `ServiceClosed`.  Closing twice is harmless."""
        with self._changed:
            self._closed = True
            workers = list(self._workers)
            self._idle.clear()
            self._workers.clear()
            self._changed.notify_all()
        for worker in workers:
            worker.end()

    @property
    def _alarm_s(self) -> float:
        return 2 * self._time_limit_s + 1

    def _judged(self, job: Job) -> list[Violation]:
        violations = self._run(job)["violations"]
        assert isinstance(violations, list)
        return [Violation(path, message, pointer) for path, message, pointer in violations]

    def _run(self, job: Job | EditJob) -> dict[str, object]:
        frame = pickle.dumps(job, protocol=pickle.HIGHEST_PROTOCOL)
        answer = self._ask(frame, job)
        if answer is None:  # it was gone before it could answer: killed from outside, perhaps
            answer = self._ask(frame, job)
        if answer is None:
            raise _too_slow(job, "ended the process that judged")
        if "trouble" in answer:
            raise self._trouble(str(answer["trouble"]), job)
        return answer

    def _ask(self, frame: bytes, job: Job | EditJob) -> dict[str, object] | None:
        """Return what a worker answers, None when it is gone."""
        worker = self._borrow()
        is_well = False
        try:
            deadline_s = time.monotonic() + self._time_limit_s
            answer = worker.ask(frame, deadline_s)
            # What ran out of memory once is in no good state.
            is_well = answer.get("trouble") != "memory"
        except TimeoutError:
            raise _too_slow(job, f"takes more than {self._time_limit_s:g} s") from None
        except (EOFError, OSError):
            self._refuse_when_closed()
            return None
        finally:
            self._give_back(worker, is_well=is_well)
        return answer

    def _trouble(self, trouble: str, job: Job | EditJob) -> SchemaTooSlow | EditTooLarge:
        if trouble == "memory":
            return _too_slow(job, f"takes more than {self._memory_limit_bytes >> 20} MiB of memory")
        if trouble == "depth":
            return _too_slow(job, "nests too deep")
        _LOG.error("a worker could not judge: %s by %s", trouble, _names(job))
        return _too_slow(job, "cannot be judged")

    def _borrow(self) -> _Worker:
        with self._changed:
            if self._waiting >= self._max_waiting and not self._may_borrow():
                limit = f"(expected: < {self._max_waiting})"
                raise QueueFull(f"validation: {self._waiting} jobs wait for a worker already {limit}")
            self._waiting += 1
            try:
                is_free = self._changed.wait_for(self._may_borrow, self._max_wait_s)
            finally:
                self._waiting -= 1
            self._refuse_when_closed()
            if not is_free:
                raise QueueFull(f"validation: no free worker within {self._max_wait_s:g} s")
            while self._idle:
                worker = self._idle.pop()
                if worker.process.poll() is None:
                    return worker
                self._workers.discard(worker)
                worker.end()
            self._starting += 1
        return self._start()

    def _may_borrow(self) -> bool:
        return self._closed or bool(self._idle) or len(self._workers) + self._starting < self._max_workers

    def _start(self) -> _Worker:
        try:
            worker = _started(self._memory_limit_bytes)
        except (OSError, EOFError) as error:  # a TimeoutError is an OSError
            self._count_started(None)
            raise Unavailable("validation: a worker process could not be started") from error
        if not self._count_started(worker):
            worker.end()
            raise _closed()
        return worker

    def _count_started(self, worker: _Worker | None) -> bool:
        """Note that a start has ended; return whether the pool is still open."""
        with self._changed:
            self._starting -= 1
            if worker is not None and not self._closed:
                self._workers.add(worker)
            self._changed.notify()
            return not self._closed

    def _give_back(self, worker: _Worker, *, is_well: bool) -> None:
        with self._changed:
            is_kept = is_well and not self._closed
            if is_kept:
                self._idle.append(worker)
            else:
                self._workers.discard(worker)
            self._changed.notify()
        if not is_kept:
            worker.end()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise _closed()


class _Worker:
    """One process, and the connection to it."""

    def __init__(self, memory_limit_bytes: int) -> None:
        self._connection, theirs = socket.socketpair()
        paths = [path or os.getcwd() for path in sys.path]
        try:
            # -I: nothing in the environment or the working directory changes what it runs.
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-c", _PROGRAM, str(memory_limit_bytes), *paths],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # a traceback could show what is in a document
                start_new_session=True,
            )
        except BaseException:
            self._connection.close()
            raise
        finally:
            theirs.close()

    def wait_until_ready(self, deadline_s: float) -> None:
        """Return when the process can take a job."""
        if receive_frame(self._connection, deadline_s=deadline_s) != READY:
            raise EOFError("not a worker")

    def ask(self, frame: bytes, deadline_s: float) -> dict[str, object]:
        """Return the answer to one job."""
        send_frame(self._connection, frame, deadline_s=deadline_s)
        answer = json.loads(receive_frame(self._connection, deadline_s=deadline_s))
        return answer if isinstance(answer, dict) else {}

    def end(self) -> None:
        """End the process and wait for that; ending it twice is harmless."""
        self.process.kill()
        self.process.wait()
        self._connection.close()


def _started(memory_limit_bytes: int) -> _Worker:
    worker = _Worker(memory_limit_bytes)
    try:
        worker.wait_until_ready(time.monotonic() + START_LIMIT_S)
    except (OSError, EOFError):
        worker.end()
        raise
    return worker


def _names(job: Job | EditJob) -> str:
    return "an edit" if isinstance(job, EditJob) else ", ".join(schema.name for schema in job.schemas)


def _too_slow(job: Job | EditJob, trouble: str) -> SchemaTooSlow | EditTooLarge:
    if isinstance(job, EditJob):
        return EditTooLarge(f"edit: {trouble} (expected: a quick one; send the whole document instead)")
    what = "check" if job.is_check else "judge this document by"
    return SchemaTooSlow(
        f"schema {_names(job)}: {trouble} (expected: one that is quick to {what}; see its patterns and $refs)"
    )


def _closed() -> ServiceClosed:
    return ServiceClosed("validation ended: the service is shutting down")
