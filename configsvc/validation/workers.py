"""A small pool of worker processes in which what may be slow runs, within limits of time and memory.

A regular expression holds all threads of its process for as long as it takes,
and nothing but the end of the process stops it.  So what may take long is done
in processes that can be killed: a worker over its limits is, and another one
takes its place.  Callers wait on a socket, which lets other threads run.  Those who wait for
a worker get one in fair turns (see `askers`), and what was over its limits just now is refused
without being tried again.

Workers are started as new interpreters, never forked from this process and its
threads, and only when there is a first job.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from configsvc.core.errors import (
    DocumentInvalid,
    DocumentTooLarge,
    EditTooLarge,
    SchemaTooSlow,
    ServiceClosed,
    Unavailable,
)
from configsvc.core.fairturns import FairTurns
from configsvc.core.names import Format
from configsvc.core.reports import Violation
from configsvc.documents.bounds import Bounds
from configsvc.documents.document import Value
from configsvc.validation.askers import asker
from configsvc.validation.frames import receive_frame, send_frame
from configsvc.validation.jobs import READY, EditJob, Job
from configsvc.validation.schemas import Schema

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
REMEMBERED_S = 30.0
"""How long it is remembered that a job was over its limits: it may have been the machine's other work."""
MAX_REMEMBERED = 1024

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
        now: The monotonic clock, seconds.
    """

    def __init__(
        self,
        *,
        max_workers: int = 2,
        time_limit_s: float = TIME_LIMIT_S,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        max_wait_s: float = MAX_WAIT_S,
        max_waiting: int = MAX_WAITING,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._time_limit_s = time_limit_s
        self._memory_limit_bytes = memory_limit_bytes
        self._turns = FairTurns(
            "validation", most=max_workers, most_waiting=max_waiting, patience_s=max_wait_s
        )
        self._now = now
        self._lock = threading.Lock()  # guards the four fields below
        self._idle: list[_Worker] = []
        self._workers: set[_Worker] = set()
        self._closed = False
        self._refused: OrderedDict[bytes, tuple[float, str]] = OrderedDict()

    def judge(self, value: object, schemas: Sequence[Schema]) -> list[Violation]:
        """Return all violations of a value, as `judge_value` does.

        Raises:
            SchemaTooSlow: It takes more time or memory than one job may.
            QueueFull: No worker was free for too long, or too many jobs wait for one.
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
        with self._lock:
            return sorted(worker.process.pid for worker in self._workers)

    def close(self) -> None:
        """End all workers; jobs under way end with `ServiceClosed`.  Closing twice is harmless."""
        with self._lock:
            self._closed = True
            workers = list(self._workers)
            self._idle.clear()
            self._workers.clear()
        self._turns.close()
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
        key = hashlib.sha256(frame).digest()
        self._refuse_again(key, job)
        try:
            return self._answer(frame, job)
        except (SchemaTooSlow, EditTooLarge) as error:
            self._remember(key, error.message)
            raise

    def _answer(self, frame: bytes, job: Job | EditJob) -> dict[str, object]:
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
        with self._turns.taken(asker()):
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

    def _refuse_again(self, key: bytes, job: Job | EditJob) -> None:
        """Raise for a job that was over its limits a short while ago."""
        with self._lock:
            until_s, message = self._refused.get(key, (-math.inf, ""))
        if self._now() < until_s:
            raise (EditTooLarge if isinstance(job, EditJob) else SchemaTooSlow)(message)

    def _remember(self, key: bytes, message: str) -> None:
        with self._lock:
            self._refused[key] = (self._now() + REMEMBERED_S, message)
            self._refused.move_to_end(key)
            if len(self._refused) > MAX_REMEMBERED:
                self._refused.popitem(last=False)

    def _trouble(self, trouble: str, job: Job | EditJob) -> SchemaTooSlow | EditTooLarge:
        if trouble == "memory":
            return _too_slow(job, f"takes more than {self._memory_limit_bytes >> 20} MiB of memory")
        if trouble == "depth":
            return _too_slow(job, "nests too deep")
        _LOG.error("a worker could not judge: %s by %s", trouble, _names(job))
        return _too_slow(job, "cannot be judged")

    def _borrow(self) -> _Worker:
        """Return a worker: who has a turn finds an idle one, or there may be one more."""
        with self._lock:
            self._refuse_when_closed()
            while self._idle:
                worker = self._idle.pop()
                if worker.process.poll() is None:
                    return worker
                self._workers.discard(worker)
                worker.end()
        return self._start()

    def _start(self) -> _Worker:
        try:
            worker = _started(self._memory_limit_bytes)
        except (OSError, EOFError) as error:  # a TimeoutError is an OSError
            raise Unavailable("validation: a worker process could not be started") from error
        with self._lock:
            if not self._closed:
                self._workers.add(worker)
                return worker
        worker.end()
        raise _closed()

    def _give_back(self, worker: _Worker, *, is_well: bool) -> None:
        with self._lock:
            is_kept = is_well and not self._closed
            if is_kept:
                self._idle.append(worker)
            else:
                self._workers.discard(worker)
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
