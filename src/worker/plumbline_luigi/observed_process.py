"""One run of one task: in a process of its own with several workers, in the worker itself with one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from typing import TYPE_CHECKING

from luigi.worker import ContextManagedTaskProcess

from plumbline_luigi.events import EventLog
from plumbline_luigi.observed_task import observe_tasks
from plumbline_luigi.process_tree import die_with_parent
from plumbline_luigi.standard_output import write_whole_lines
from plumbline_luigi.trace import describe

if TYPE_CHECKING:
    # A run that no gateway knows does without them, and starts faster.
    from plumbline_luigi.task_guard import RunGuard, TaskGuard


class ObservedTaskProcess(ContextManagedTaskProcess):
    """Luigi's task process; `observe` turns one into it. The class is importable by name, so forkserver can pickle it."""

    plumbline_events: EventLog
    plumbline_guard: TaskGuard | None = None
    plumbline_began: float | None = None

    @classmethod
    def observe(
        cls, process: ContextManagedTaskProcess, events: EventLog, guard: RunGuard | None = None
    ) -> ObservedTaskProcess:
        process.__class__ = cls
        process.plumbline_events = events
        process.plumbline_guard = None if guard is None else guard.guard(process)
        return process

    def start(self):
        self.plumbline_began = time.monotonic()
        super().start()

    def run(self):
        if self.use_multiprocessing:
            _end_with_worker()
            write_whole_lines()
            observe_tasks(self.plumbline_events)
        else:
            self.plumbline_began = time.monotonic()
        if self.plumbline_guard is None:
            self._tell_start()
            self._run()
            return
        # Before anything of the task's is asked, its dependencies' complete() included: that may reach for a cloud.
        with self.plumbline_guard.identity(self.task) as identity:
            self.plumbline_guard.gate.enter(self._tell_start, identity.end)
            self._run()

    def _run(self):
        try:
            super().run()
        except KeyboardInterrupt as error:
            # The one exception that Luigi does not take for a failure of the task.
            self.plumbline_events.emit("failure", task=self.task.task_id, **describe(error))
            raise

    def seconds(self) -> float | None:
        return None if self.plumbline_began is None else round(time.monotonic() - self.plumbline_began, 6)

    def _tell_start(self) -> None:
        self.plumbline_events.emit("start", task=self.task.task_id, worker=os.getpid())

    def _handle_run_exception(self, ex):
        self.plumbline_events.emit("failure", task=self.task.task_id, **describe(ex))
        return super()._handle_run_exception(ex)


def _end_with_worker() -> None:
    """From here on this process dies with the one that forked it, even if that has happened a moment ago."""
    die_with_parent(signal.SIGKILL)
    worker = multiprocessing.parent_process()
    if worker is not None and not worker.is_alive():
        os._exit(128 + signal.SIGKILL)
