"""The single writer: takes what is queued, lands it as one batch, answers.

While one batch is being synced the next one gathers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from configsvc.core.changes import Outcome
from configsvc.core.errors import ConfigError, OutcomeUnknown, WriteFailed
from configsvc.store.base import PlanAgain, Write
from configsvc.store.batch import Batch, Draft, NextBatch, Pending, PendingLanding
from configsvc.store.log import CommitLog, Fate
from configsvc.store.publisher import Publisher
from configsvc.store.reader import ObjectReader
from configsvc.store.state import NotedView
from configsvc.store.steptimes import StepTimes
from configsvc.store.writequeue import WriteQueue

TICK_S = 1.0
"""How often an idle writer looks whether `main` moved or a failed disk is back, in seconds."""
_MAX_ATTEMPTS = 3
_GATHER_SHARE = 0.25
"""How much of a batch's time the next may take to gather."""

Waiting = Pending | PendingLanding

logger = logging.getLogger(__name__)


class Writer:
    """Queue, thread and order of steps of all writes.

    Args:
        follow_main: Brings what is published to where `main` is, or raises
            why it may not; called before each batch and on each tick.
        on_idle: Called on each tick after `follow_main`.
        steps: Told of each batch, and of each of its steps when it has ended.
    """

    def __init__(
        self,
        publisher: Publisher,
        log: CommitLog,
        reader: ObjectReader,
        *,
        follow_main: Callable[[], None],
        on_idle: Callable[[], None] = lambda: None,
        steps: StepTimes | None = None,
        tick_s: float = TICK_S,
    ) -> None:
        self._publisher = publisher
        self._log = log
        self._reader = reader
        self._follow_main = follow_main
        self._on_idle = on_idle
        self._steps = StepTimes() if steps is None else steps
        self._tick_s = tick_s
        self.checked_at_s = time.monotonic()
        """When it last made sure that `main` is where what is published says."""
        self._limbo: Batch | None = None
        self._problem: ConfigError | None = None
        self._landing = False
        self._queue: WriteQueue[Waiting] = WriteQueue()
        self._turn = threading.Lock()  # held while a batch is written, and by `exclusively`
        self._thread = threading.Thread(target=self._run, name="configsvc-writer", daemon=True)

    def start(self) -> None:
        """Start to take writes."""
        self._thread.start()

    @property
    def problem(self) -> ConfigError | None:
        """Why writes fail at the moment; None when they do not."""
        return self._problem

    @property
    def queue_length(self) -> int:
        """How many writes wait to be taken."""
        return len(self._queue)

    def is_busy(self) -> bool:
        """Return whether writes are waiting or being landed."""
        return len(self._queue) > 0 or self._landing

    def submit(self, write: Write) -> Future[Outcome]:
        """Plan `write` against the published state and queue it; see `ConfigStore.submit`."""
        future: Future[Outcome] = Future()
        view = NotedView(self._publisher.snapshot())
        try:
            key = write.request_key
            known = None if key is None else self._publisher.requests.find(key)
            plan = None if known is not None else write.plan(view)
        except ConfigError as error:
            if write.request_id is None:
                future.set_exception(error)
                return future
            # The request id may be that of a write in flight, which makes this no refusal.
            plan = None
        self._queue.put(Pending(write, future, plan, view, mark=self._steps.mark()))
        return future

    def submit_landing(self, land: Callable[[Draft], Outcome]) -> Future[Outcome]:
        """Queue what puts commits on a draft by itself; see `PendingLanding`.

        Raises:
            QueueFull, ServiceClosed: As for a write.
        """
        future: Future[Outcome] = Future()
        self._queue.put(PendingLanding(land, future, mark=self._steps.mark()))
        return future

    def exclusively(self, task: Callable[[], None]) -> None:
        """Run `task` while no batch is written."""
        with self._turn:
            task()

    def close(self) -> None:
        """Land what is queued and end the thread.  Closing twice is harmless."""
        self._queue.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while (pending := self._queue.take(self._tick_s)) is not None:
            try:
                with self._turn:
                    if pending:
                        self._landing = True
                        self._land(pending)
                    else:
                        self._tick()
            except Exception:
                logger.exception("writer: a batch failed")
                self._refuse(
                    pending, OutcomeUnknown("write: internal error, see the log; it may have landed")
                )
            finally:
                self._landing = False

    def _tick(self) -> None:
        try:
            if self._problem is not None:
                self._log.probe()
            self._get_ready()
        except ConfigError as error:
            self._fail_with(error)
            return
        self._problem = None
        self._on_idle()

    def _land(self, pending: list[Waiting]) -> None:
        # One that had to wait for the batch before is running already.
        pending = [
            item for item in pending if item.future.running() or item.future.set_running_or_notify_cancel()
        ]
        for _ in range(_MAX_ATTEMPTS):
            try:
                self._get_ready()
                if self._attempt(pending):
                    return
            except ConfigError as error:
                self._fail_with(error)
                self._refuse(pending, error)
                return
        self._refuse(
            pending, WriteFailed("main: moved again and again by another process; nothing was written")
        )

    def _get_ready(self) -> None:
        """Raise why nothing can be written now; return when all earlier doubts are settled."""
        if self._limbo is not None:
            self._settle(self._limbo)
        self._follow_main()
        self.checked_at_s = time.monotonic()

    def _fail_with(self, error: ConfigError) -> None:
        if self._problem is None or self._problem.message != error.message:
            logger.error("writes fail: %s", error)
        self._problem = error

    def _settle(self, batch: Batch) -> None:
        fate = self._log.settle(batch)
        if fate is Fate.UNKNOWN:
            raise WriteFailed("disk: what became of an earlier write is still unknown; nothing was written")
        self._limbo = None
        if fate is Fate.LANDED:
            self._publisher.apply(batch)

    def _attempt(self, pending: list[Waiting]) -> bool:
        """Land `pending` and answer; return False when `main` moved and nothing was done.

        What has to wait for the next batch is put back, and taken from `pending` when this one fails.
        """
        begun_s = time.monotonic()
        self._steps.begin([item.queued_at_s for item in pending], [item.mark for item in pending])
        draft = Draft(self._publisher.snapshot(), self._reader, self._publisher.requests)
        refused: list[tuple[Waiting, Exception]] = []
        deferred: list[Waiting] = []
        for item in pending:
            try:
                draft.take(item)
            except NextBatch:
                deferred.append(item)
            except (ConfigError, PlanAgain) as error:
                refused.append((item, error))
            except Exception as error:
                logger.exception("writer: a plan failed")
                refused.append((item, error))
        batch = draft.batch()
        self._steps("taken")
        if batch is None:
            self._publisher.requests.add(draft.landings())
        else:
            fate = self._log.append(batch)
            if fate is Fate.LOST:
                return False
            if fate is Fate.UNKNOWN:
                self._limbo = batch
                self._queue.put_back(deferred)
                pending[:] = [item for item in pending if not any(item is each for each in deferred)]
                raise OutcomeUnknown(
                    "disk: a sync failed; the write may be there or not (repeat it with its request id)"
                )
            self._publisher.apply(batch)
            self._problem = None
        self._steps("published")
        self._queue.put_back(deferred)
        self._queue.expect(len(refused) + len(draft.accepted), (time.monotonic() - begun_s) * _GATHER_SHARE)
        # Refusals wait for the batch too: they were judged on the state it makes.
        for item, refusal in refused:
            item.future.set_exception(refusal)
        for item, outcome in draft.accepted:
            item.future.set_result(outcome)
        self._steps("answered")
        self._steps.end(len(draft.accepted), len(refused))
        return True

    def _refuse(self, pending: list[Waiting], error: Exception) -> None:
        for item in pending:
            if not item.future.done():
                item.future.set_exception(error)
