"""What stands between a task's process and the task's code when a gateway knows the run."""

from __future__ import annotations

from plumbline_luigi.events import EventLog
from plumbline_luigi.gateway_access import GatewayAccess
from plumbline_luigi.gateway_client import GatewayClient
from plumbline_luigi.identity_files import new_folder, remove_folder
from plumbline_luigi.identity_place import identity_folder
from plumbline_luigi.run_gate import RunGate
from plumbline_luigi.task_identity import TaskIdentity
from plumbline_luigi.token_exchange import TokenExchange


class RunGuard:
    """Of one run, in its worker."""

    def __init__(self, access: GatewayAccess, run_id: str, events_file: str, supervisor: int, events: EventLog):
        self.access = access
        self.client = GatewayClient(access)
        self.run_id = run_id
        self.events = events
        self.folder = identity_folder(events_file)
        self.gate = RunGate(self.folder, supervisor, events)
        self._folders: list[tuple] = []

    def guard(self, process) -> TaskGuard:
        """For one process of a task; what it leaves when it is killed goes with `sweep`."""
        if not self.access.identities:
            return TaskGuard(self, None)
        if not process.use_multiprocessing:
            raise RuntimeError("a task with an identity of its own needs a process of its own")
        folder = new_folder(self.folder)
        self._folders.append((process, folder))
        return TaskGuard(self, folder)

    def sweep(self) -> None:
        """Removes what processes have left that are no more."""
        left = []
        for process, folder in self._folders:
            if process.pid is not None and not process.is_alive():
                remove_folder(folder)
            else:
                left.append((process, folder))
        self._folders = left


class TaskGuard:
    """Instances can be pickled: the process may be another's child."""

    def __init__(self, run: RunGuard, folder: str | None):
        self._folder = folder
        self._run_id, self._client, self._seconds = run.run_id, run.client, run.access.timeout
        self.gate, self._events = run.gate, run.events

    def identity(self, task) -> TaskIdentity | NoIdentity:
        """From here to its end the process is the task's identity, if the run has identities."""
        if self._folder is None:
            return NoIdentity()
        exchange = TokenExchange(self._client, task.task_family, task.task_id, self._seconds)
        return TaskIdentity(task, self._run_id, exchange, self._folder, self.gate, self._events)


class NoIdentity:
    """Of tasks whose run has none: they are whoever the worker is."""

    def __enter__(self) -> NoIdentity:
        return self

    def __exit__(self, *_) -> None:
        pass

    def end(self) -> None:
        pass
