"""The run: Luigi's standard command line with observed parts, and the one closing question to the root."""

from __future__ import annotations

import multiprocessing
import os
import platform

from plumbline_luigi import __version__
from plumbline_luigi.events import EventLog
from plumbline_luigi.refusal import Refusal, refuse
from plumbline_luigi.request import Request
from plumbline_luigi.standard_output import write_whole_lines


def run(request: Request) -> None:
    """Runs the request and leaves the process with Luigi's exit status, or 64 when it is refused."""
    events = EventLog(request.events_file, request.redact, jws=request.has_identities)
    supervisor = os.getppid()
    write_whole_lines()
    try:
        root = _prepare(request, events, supervisor)
    except Refusal as refusal:
        refuse(request, refusal)
    root.run()


def _prepare(request, events, supervisor):
    from plumbline_luigi.luigi_check import import_luigi

    luigi_version = None
    try:
        luigi_version = import_luigi()
    finally:
        events.emit(
            "hello",
            worker=__version__,
            luigi=luigi_version,
            python=platform.python_version(),
            startMethod=start_method(),
            runId=request.run_id,
        )
    from plumbline_luigi.command_line import CommandLine
    from plumbline_luigi.observed_task import observe_tasks

    observe_tasks(events)
    return CommandLine(request, events, _guard(request, events, supervisor)).prepare()


def _guard(request, events, supervisor):
    """Made before anything of the user's is imported; None when no gateway knows the run."""
    if request.gateway is None:
        return None
    from plumbline_luigi.task_guard import RunGuard

    guard = RunGuard(request.gateway, request.run_id, request.events_file, supervisor, events)
    try:
        guard.gate.make()
    except OSError as error:
        raise Refusal("ERR_UNEXPECTED", f"The folder for task identities cannot be made: {error.strerror}") from None
    return guard


def start_method() -> str:
    """How multiprocessing will start processes; asked so that the user's module can still choose."""
    chosen = multiprocessing.get_start_method(allow_none=True)
    return chosen or multiprocessing.get_all_start_methods()[0]
