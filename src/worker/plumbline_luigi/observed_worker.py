"""Luigi's worker, telling what it learns: the graph, starts, ends, and what ends without a word."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import luigi.worker
from luigi.parameter import ParameterVisibility

from plumbline_luigi.events import EventLog
from plumbline_luigi.exit_record import signal_name
from plumbline_luigi.observed_process import ObservedTaskProcess
from plumbline_luigi.stall_watch import StallWatch
from plumbline_luigi.trace import describe, describe_text

if TYPE_CHECKING:
    # A run that no gateway knows does without them, and starts faster.
    from plumbline_luigi.task_guard import RunGuard

DONE, FAILED, PENDING, DISABLED = "DONE", "FAILED", "PENDING", "DISABLED"


class ObservedWorker(luigi.worker.Worker):
    """Every override calls Luigi's own method and adds an event; none changes what Luigi does, but for a stalled task."""

    def __init__(self, *args, events: EventLog, guard: RunGuard | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self._events = events
        self._guard = guard
        self._stalls = StallWatch(self, events)
        self._described: set[str] = set()
        self._unfinished: set[str] = set()
        self._elsewhere: set[str] = set()
        self._members: dict[str, list[str]] = {}
        self._public: dict[type, frozenset[str]] = {}

    # The graph

    def _add(self, task, is_complete):
        try:
            yield from super()._add(task, is_complete)
        except Exception as error:
            # What Luigi does not catch here, it does not survive: a dependency that is no task, for example.
            self._tell_unschedulable(task, "deps", describe(error))
            raise

    def _log_complete_error(self, task, tb):
        self._tell_unschedulable(task, "complete", describe_text(tb))
        super()._log_complete_error(task, tb)

    def _log_dependency_error(self, task, tb):
        error = sys.exc_info()[1]
        self._tell_unschedulable(task, "requires", describe_text(tb) if error is None else describe(error))
        super()._log_dependency_error(task, tb)

    def _tell_unschedulable(self, task, phase, trace):
        self._events.emit(
            "unschedulable", task=getattr(task, "task_id", None), family=task.task_family, phase=phase, **trace
        )

    def _add_task(self, *args, **kwargs):
        super()._add_task(*args, **kwargs)
        if kwargs["runnable"] is not None and kwargs.get("family") is not None:
            self._tell_task(kwargs)
        elif kwargs.get("new_deps"):
            self._events.emit("deps", task=kwargs["task_id"], deps=kwargs["new_deps"])
        else:
            self._tell_end(kwargs["task_id"], kwargs["status"], kwargs.get("expl"))

    def _tell_task(self, told):
        task_id, task = told["task_id"], self._scheduled_tasks.get(told["task_id"])
        self._described.add(task_id)
        if told["status"] == DONE:
            self._unfinished.discard(task_id)
        else:
            self._unfinished.add(task_id)
        public = self._public_names(type(task))
        self._events.emit(
            "task",
            task=task_id,
            family=told["family"],
            module=told["module"],
            params={name: text for name, text in told["params"].items() if name in public},
            deps=told["deps"] or [],
            status=told["status"],
            runnable=bool(told["runnable"]),
            external=luigi.worker._is_external(task),
        )

    def _public_names(self, family: type) -> frozenset[str]:
        names = self._public.get(family)
        if names is None:
            declared = family.get_params()
            names = frozenset(name for name, one in declared if one.visibility == ParameterVisibility.PUBLIC)
            self._public[family] = names
        return names

    # The run

    def run(self):
        try:
            return super().run()
        finally:
            self._stalls.stop()
            self._sweep()
            self._tell_disabled()

    def _get_work_task_id(self, get_work_response):
        task_id = super()._get_work_task_id(get_work_response)
        members = get_work_response.get("batch_task_ids")
        if task_id is not None and members:
            self._members[task_id] = members
            self._events.emit("batch", task=task_id, members=members)
        return task_id

    def _run_task(self, task_id):
        if task_id not in self._described:
            self._tell_loaded(task_id)
        super()._run_task(task_id)

    def _tell_loaded(self, task_id):
        """A task that was never added here: the scheduler made it (a batch) or handed it out (an assistant)."""
        task = self._scheduled_tasks[task_id]
        self._tell_task(
            {
                "task_id": task_id,
                "family": task.task_family,
                "module": task.task_module,
                "params": task.to_str_params(),
                "deps": [],
                "status": PENDING,
                "runnable": True,
            }
        )

    def _create_task_process(self, task):
        process = ObservedTaskProcess.observe(super()._create_task_process(task), self._events, self._guard)
        if process.use_multiprocessing:
            self._stalls.start()
        return process

    def _purge_children(self):
        super()._purge_children()
        self._sweep()
        for task_id, why in self._stalls.dead_without_result():
            self._events.emit("stalled", task=task_id, why=why)
            self._task_result_queue.put((task_id, FAILED, why, [], []))

    def _sweep(self):
        """A task's process that was killed could not remove the files of its identity."""
        if self._guard is not None:
            self._guard.sweep()

    # The end

    def _tell_end(self, task_id, status, explanation):
        if status is None:
            # A task process that was interrupted: no end, Luigi runs it again.
            return
        process = self._running_tasks.get(task_id)
        if status == FAILED:
            self._tell_silent_death(task_id, process, explanation)
            status = self._status_after_failure(task_id)
        seconds = process.seconds() if isinstance(process, ObservedTaskProcess) else None
        for ended in [task_id, *self._members.pop(task_id, ())]:
            if status == DONE:
                self._unfinished.discard(ended)
            self._events.emit("end", task=ended, status=status, seconds=seconds)

    def _tell_silent_death(self, task_id, process, explanation):
        """Failures that no exception tells of: Luigi puts them into words itself."""
        why = _text_of(explanation)
        code = None if process is None or not process.use_multiprocessing else process.exitcode
        if code and why == f"Task {task_id} died unexpectedly with exit code {code}":
            if code < 0:
                self._events.emit("died", task=task_id, signal=signal_name(-code))
            else:
                self._events.emit("died", task=task_id, exitCode=code)
        elif why.startswith(f"Task {task_id} timed out after "):
            self._events.emit("failure", task=task_id, type="Timeout", message=why, traceback="", frames=[])
        elif process is None:
            self._events.emit("failure", task=task_id, **describe_text(why))

    def _status_after_failure(self, task_id) -> str:
        state = getattr(self._scheduler, "_state", None)
        known = None if state is None else state.get_task(task_id)
        return DISABLED if known is not None and known.status == DISABLED else FAILED

    def _tell_disabled(self):
        """A luigid gives a task up without a word; it is asked once, and only when something was not done."""
        if not self._unfinished or hasattr(self._scheduler, "_state"):
            return
        try:
            disabled = self._scheduler.task_list(status=DISABLED, upstream_status="", search=None)
        except Exception:
            # Luigi has logged the failed calls; the tasks keep the status they have.
            return
        for task_id in sorted(self._unfinished & set(disabled)):
            self._events.emit("end", task=task_id, status=DISABLED)

    def _log_remote_tasks(self, get_work_response):
        for running in get_work_response.running_tasks or ():
            task_id = running["task_id"]
            if running.get("worker") != self._id and task_id not in self._elsewhere:
                self._elsewhere.add(task_id)
                self._events.emit("elsewhere", task=task_id)
        super()._log_remote_tasks(get_work_response)


def _text_of(explanation) -> str:
    """Luigi hands explanations on as JSON, some as they are."""
    try:
        text = json.loads(explanation)
    except (TypeError, ValueError):
        text = explanation
    return text if isinstance(text, str) else ""
