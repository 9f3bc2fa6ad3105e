"""Tasks that Luigi would wait for without end: their process is gone and no result will come.

Two cases. A child left with status 0 and no result (`os._exit(0)`, closed descriptors): seen by the worker itself between two
looks at its queue. A child wrote into Luigi's result pipe: the worker then never comes back from reading it, and only
another thread can see that no task process is alive.
"""

from __future__ import annotations

import multiprocessing.queues
import os
import threading
import time
from collections.abc import Iterator

from plumbline_luigi.events import EventLog

QUIET = 2.0
STUCK = 3.0
LOOK_EVERY = 1.0
EXIT_TASK_FAILED = 30


class WatchedQueue(multiprocessing.queues.Queue):
    """Luigi's queue of results, which knows until when its reader meant to wait."""

    plumbline_until: float | None = None

    def get(self, block=True, timeout=None):
        self.plumbline_until = None if timeout is None else time.monotonic() + timeout
        try:
            return super().get(block, timeout)
        finally:
            self.plumbline_until = None


class StallWatch:
    """Watches one worker. It starts no thread before a task runs in a process of its own."""

    def __init__(self, worker, events: EventLog):
        self._worker = worker
        self._events = events
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._worker._task_result_queue.__class__ = WatchedQueue
            self._thread = threading.Thread(target=self._look, name="plumbline-stalls", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def dead_without_result(self) -> Iterator[tuple[str, str]]:
        """Tasks whose process ended well some time ago while no result is on its way, each with the reason in words."""
        for task_id, process in list(self._worker._running_tasks.items()):
            if not process.use_multiprocessing or process.is_alive() or process.exitcode != 0:
                continue
            since = process.__dict__.setdefault("plumbline_dead_since", time.monotonic())
            if time.monotonic() - since > QUIET and self._worker._task_result_queue.empty():
                process.plumbline_dead_since = float("inf")
                yield task_id, f"Task {task_id} ended its process with exit code 0 and gave no result"

    def _look(self) -> None:
        seen_stuck = False
        while not self._stop.wait(LOOK_EVERY):
            stuck = self._is_stuck()
            if stuck and seen_stuck:
                self._give_up()
            seen_stuck = stuck

    def _is_stuck(self) -> bool:
        until = self._worker._task_result_queue.plumbline_until
        if until is None or time.monotonic() < until + STUCK:
            return False
        return not any(process.is_alive() for process in list(self._worker._running_tasks.values()))

    def _give_up(self) -> None:
        why = "the worker reads a result that never ends and no task process is alive: a task wrote into Luigi's own pipe"
        for task_id in list(self._worker._running_tasks):
            self._events.emit("stalled", task=task_id, why=why)
        os._exit(EXIT_TASK_FAILED)
