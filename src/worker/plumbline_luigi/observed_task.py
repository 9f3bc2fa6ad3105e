"""Notes the targets that Luigi itself asks tasks for, by standing in for `Task.complete` and `Task.input`.

Both are Luigi's own lines (unchanged from 3.6 to 3.8.1, held by a test) and a note: no method of the user is called once
more than under plain Luigi, and no task is given an attribute. A `complete()` of the user's own that never comes here
says nothing about its targets; they stay unknown.
"""

from __future__ import annotations

import warnings

import luigi.task

from plumbline_luigi.events import EventLog
from plumbline_luigi.targets import describe_targets, targets_in

ORIGINAL_COMPLETE = luigi.task.Task.complete
ORIGINAL_INPUT = luigi.task.Task.input

_events: EventLog | None = None
_noted: set[tuple[str, str]] = set()
_without_output: set[str] = set()


def observe_tasks(events: EventLog) -> None:
    """From now on every process in which this was called notes targets in `events`. Calling it again changes nothing."""
    global _events
    if _events is None:
        _events = events
        luigi.task.Task.complete = _complete
        luigi.task.Task.input = _input


def has_no_output(task_id: str) -> bool:
    """Whether `Task.complete` answered for this task that there is nothing to ask."""
    return task_id in _without_output


def _complete(self):
    outputs = luigi.task.flatten(self.output())
    if len(outputs) == 0:
        _without_output.add(self.task_id)
        _note("outputs", self.task_id, outputs)
        warnings.warn("Task %r without outputs has no custom complete() method" % self, stacklevel=2)
        return False

    answers = []

    def exists(output):
        answers.append(output.exists())
        return answers[-1]

    try:
        return all(map(exists, outputs))
    finally:
        _note("outputs", self.task_id, outputs, answers)


def _input(self):
    struct = luigi.task.getpaths(self.requires())
    _note("inputs", self.task_id, struct)
    return struct


def _note(kind: str, task_id: str, struct, answers=()) -> None:
    """Once for each task and process: a forked child knows what its parent noted."""
    if (kind, task_id) in _noted:
        return
    _noted.add((kind, task_id))
    try:
        _events.emit(kind, task=task_id, targets=describe_targets(targets_in(struct), answers))
    except Exception:
        _events.lose()
