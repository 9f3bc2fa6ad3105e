"""Luigi's own command line, given the root's parameters as values instead of arguments.

Configuration, environment, flags, logging and exit statuses stay Luigi's. Parameters never enter an argument vector, whose
parser would also drop empty texts and take prefixes for flags.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import luigi
import luigi.interface
import luigi.retcodes
from luigi import configuration
from luigi.cmdline_parser import CmdlineParser

from plumbline_luigi.events import EventLog
from plumbline_luigi.luigid import check_luigid
from plumbline_luigi.observed_scheduler import ObservedLocalScheduler, ObservedRemoteScheduler
from plumbline_luigi.observed_task import has_no_output
from plumbline_luigi.observed_worker import ObservedWorker
from plumbline_luigi.refusal import Refusal, refuse
from plumbline_luigi.request import Request
from plumbline_luigi.root import find_family, import_module, parse_parameters
from plumbline_luigi.trace import describe

if TYPE_CHECKING:
    # A run that no gateway knows does without them, and starts faster.
    from plumbline_luigi.task_guard import RunGuard

EXIT_STATUSES = {
    "already-running": 10,
    "missing-data": 20,
    "not-run": 25,
    "task-failed": 30,
    "scheduling-error": 35,
    "unhandled-exception": 40,
}
# The local scheduler costs nothing to ask; Luigi's own defaults (1 s and up to 5 s) spare a luigid.
LOCAL_WAITS = {"wait_interval": 0.2, "wait_jitter": 0.0}


class CommandLine:
    """One run of one root task."""

    def __init__(self, request: Request, events: EventLog, guard: RunGuard | None = None):
        self._request = request
        self._events = events
        self._guard = guard
        self._values: dict = {}
        self._root = None
        self._refused = False
        self._judged = False

    def prepare(self) -> CommandLine:
        """Imports the module and checks task, parameters and scheduler; raises Refusal."""
        request = self._request
        _look_like_luigi("--module", request.module, request.task)
        import_module(request.module)
        self._values = parse_parameters(find_family(request.task, request.module), request)
        if not request.local_scheduler:
            check_luigid(request.scheduler, self._guard if _behind_gateway(self._guard) else None)
        return self

    def run(self) -> None:
        """Runs Luigi and leaves by SystemExit with its status; `bye` is told only when the status is Luigi's own."""
        self._take_place()
        try:
            luigi.retcodes.run_with_retcodes(self._arguments())
        except SystemExit as leaving:
            if self._root is None and not self._refused:
                refuse(self._request, _no_start(leaving))
            self._finish(leaving)
            raise
        except Exception as error:
            if self._root is None:
                refuse(self._request, _no_start(error))
            self._events.emit("aborted", **describe(error))
            raise
        finally:
            self._give_place_back()

    def _arguments(self) -> list[str]:
        request = self._request
        arguments = [f"--module={request.module}", request.task, "--no-lock", f"--workers={request.workers}"]
        arguments.append("--local-scheduler" if request.local_scheduler else f"--scheduler-url={request.scheduler}")
        for name, status in EXIT_STATUSES.items():
            arguments.append(f"--retcode-{name}={status}")
        return arguments

    # Luigi's parts, replaced until the root is made

    def _take_place(self) -> None:
        self._originals = (CmdlineParser._get_task_kwargs, CmdlineParser.get_task_obj, luigi.interface._run)
        kwargs_of, task_of, run_of = self._originals
        values, line = self._values, self

        def _get_task_kwargs(parser):
            return {**kwargs_of(parser), **values}

        def get_task_obj(parser):
            try:
                line._root = task_of(parser)
            except (Exception, SystemExit) as error:
                line._refused = True
                refuse(line._request, _no_root(line._request.task, error))
            line._give_place_back()
            line._tell_root()
            return line._root

        def _run(arguments):
            return line._observed_run(run_of, arguments)

        CmdlineParser._get_task_kwargs, CmdlineParser.get_task_obj = _get_task_kwargs, get_task_obj
        luigi.interface._run = _run

    def _give_place_back(self) -> None:
        CmdlineParser._get_task_kwargs, CmdlineParser.get_task_obj, luigi.interface._run = self._originals

    def _observed_run(self, run_of, arguments):
        try:
            result = run_of(arguments, worker_scheduler_factory=_Factory(self._events, self._guard))
        except BaseException as error:
            if not self._refused:
                self._events.emit("aborted", **describe(error))
            # Luigi turns an exception into a status of its own. A SystemExit of the user's passes through it.
            self._judged = isinstance(error, Exception)
            raise
        self._judged = True
        return result

    # What is told

    def _tell_root(self) -> None:
        root = self._root
        self._events.emit("root", task=root.task_id, family=root.task_family, params=root.to_str_params(only_public=True))

    def _finish(self, leaving: SystemExit) -> None:
        if not self._judged:
            return
        self._ask()
        self._events.emit("bye", exitCode=leaving.code, lost=self._events.lost or None)

    def _ask(self) -> None:
        """The one call that plain Luigi does not make, on the instance that Luigi ran."""
        try:
            answer = self._root.complete()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            trace = describe(error)
            said = f"{trace['type']}: {trace['message']}"
            self._events.emit("asked", complete=None, verifiable=True, error=said, traceback=trace["traceback"])
            return
        if answer not in (True, False):
            said = f"complete() gave {type(answer).__name__}, not a boolean"
            self._events.emit("asked", complete=None, verifiable=True, error=said)
            return
        verifiable = bool(answer) or not has_no_output(self._root.task_id)
        self._events.emit("asked", complete=bool(answer), verifiable=verifiable)


def _look_like_luigi(*arguments: str) -> None:
    """What user code can see of the command is what `python -m luigi` shows (some libraries put results beside `__main__`)."""
    program = os.path.join(os.path.dirname(luigi.__file__), "__main__.py")
    sys.argv = [program, *arguments]
    sys.modules["__main__"].__file__ = program


class _Factory(luigi.interface._WorkerSchedulerFactory):
    def __init__(self, events: EventLog, guard: RunGuard | None):
        self._events = events
        self._guard = guard

    def create_local_scheduler(self):
        scheduler = ObservedLocalScheduler(prune_on_get_work=True, record_task_history=False)
        scheduler.plumbline_events = self._events
        return scheduler

    def create_remote_scheduler(self, url):
        scheduler = ObservedRemoteScheduler(url)
        scheduler.plumbline_events = self._events
        return scheduler.through_gateway(self._guard) if _behind_gateway(self._guard) else scheduler

    def create_worker(self, scheduler, worker_processes, assistant=False):
        waits = LOCAL_WAITS if isinstance(scheduler, ObservedLocalScheduler) else {}
        return ObservedWorker(
            scheduler=scheduler,
            worker_processes=worker_processes,
            assistant=assistant,
            events=self._events,
            guard=self._guard,
            **_known_to_gateway(self._guard),
            **{name: value for name, value in waits.items() if not _configured(name)},
        )


def _behind_gateway(guard: RunGuard | None) -> bool:
    return guard is not None and guard.access.luigid


def _known_to_gateway(guard: RunGuard | None) -> dict:
    """What Luigi's worker must be: under its run's id at the gateway's luigid, with a process for each task's identity."""
    known: dict = {}
    if _behind_gateway(guard):
        known["worker_id"] = guard.run_id
    if guard is not None and guard.access.identities:
        known["force_multiprocessing"] = True
    return known


def _configured(name: str) -> bool:
    """Whether the user's configuration sets this option of the worker, under its new or its old name."""
    config, dashed = configuration.get_config(), name.replace("_", "-")
    places = [("worker", name), ("worker", dashed), ("core", f"worker-{dashed}"), ("core", f"worker_{name}")]
    return any(config.has_option(section, option) for section, option in places)


def _no_start(error: BaseException) -> Refusal:
    trace = describe(error)
    return Refusal(
        "ERR_UNEXPECTED",
        f"Luigi's command line ended before the task existed: {trace['type']}: {trace['message']}",
        "Look at what Luigi printed to standard error; often a parameter has the name of one of Luigi's own flags.",
        trace,
    )


def _no_root(family: str, error: BaseException) -> Refusal:
    trace = describe(error)
    return Refusal(
        "ERR_PARAMETER_INVALID",
        f"Task {family} cannot be built from its parameters: {trace['type']}: {trace['message']}",
        "Correct the input `parameters`, or what the task does when it is made.",
        trace,
    )
