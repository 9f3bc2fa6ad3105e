"""Who one task is: its tokens, from before its `run()` until its end, in its own process."""

from __future__ import annotations

import _thread
import json
import os
import threading

from plumbline_luigi.cloud_variables import external_account, replace_identity, session_name, variables_of
from plumbline_luigi.events import EventLog
from plumbline_luigi.identity_files import IdentityFiles
from plumbline_luigi.rejection import Rejection
from plumbline_luigi.run_gate import RunGate
from plumbline_luigi.token_answer import Grant
from plumbline_luigi.token_exchange import TokenExchange


class TaskIdentity:
    """Used as a context in the task's process. A rejection never leaves it: it ends the whole run."""

    def __init__(self, task, run_id: str, exchange: TokenExchange, folder: str, gate: RunGate, events: EventLog):
        self._task_id, self._family = task.task_id, task.task_family
        self._run_id = run_id
        self._exchange = exchange
        self._files = IdentityFiles(folder)
        self._gate = gate
        self._events = events
        self._process = os.getpid()
        self._audiences: list[str | None] = [None]
        self._names: dict[str | None, str] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()

    def __enter__(self) -> TaskIdentity:
        try:
            renew_after = self._take()
        except Rejection as rejection:
            self._files.remove()
            if not rejection.reported:
                self._gate.reject_and_wait(rejection, self._task_id, self._family)
            self._go_without(rejection)
            return self
        except Exception as error:
            self._files.remove()
            self._gate.reject_and_wait(_broken(error), self._task_id, self._family)
        except BaseException:
            # A signal's handler ends the process: the task has not begun.
            self._files.remove()
            raise
        # The class Thread waits until its thread runs, which in a short task is a good part of the time.
        _thread.start_new_thread(self._renew, (renew_after,))
        return self

    def __exit__(self, *_) -> None:
        # A process that the task forked and that came back from run() has no say here.
        if os.getpid() == self._process:
            self.end()

    def end(self) -> None:
        """No token of the task is left, and none comes any more."""
        self._over.set()
        with self._lock:
            self._files.remove()

    def _take(self) -> float:
        """Everything that the task's identity has; returns after how many seconds it is to be renewed."""
        first = self._exchange.grant()
        self._audiences = [None, *(target["audience"] for target in first.targets[1:])]
        grants = [first, *(self._exchange.grant(audience) for audience in self._audiences[1:])]
        variables: dict[str, str] = {}
        for number, target in enumerate(first.targets):
            variables.update(self._place(number, target, grants[number].token))
        replace_identity(variables)
        return min(grant.renew_after for grant in grants)

    def _place(self, number: int, target: dict, token: str) -> dict[str, str]:
        name = self._names[self._audiences[number]] = f"{number}-{target['kind']}.token"
        path = self._files.write(name, token)
        if target["kind"] == "google":
            path = self._files.write(f"{number}-google.json", json.dumps(external_account(target, path)))
        return variables_of(target, path, lambda: session_name(self._run_id, self._family, self._task_id))

    def _go_without(self, rejection: Rejection) -> None:
        """A report lets the task run. It gets no identity of anybody's instead, neither the machine's nor the worker's."""
        replace_identity({})
        self._tell_reported(rejection)

    def _tell_reported(self, rejection: Rejection) -> None:
        why = {"reason": rejection.reason, "message": str(rejection), "status": rejection.status}
        self._events.emit("reported", task=self._task_id, family=self._family, **why)

    def _renew(self, seconds: float) -> None:
        try:
            while not self._over.wait(seconds):
                seconds = min(self._again(audience).renew_after for audience in self._audiences)
        except _Over:
            return
        except Rejection as rejection:
            self._lose(rejection)
        except Exception as error:
            self._lose(_broken(error))

    def _again(self, audience: str | None) -> Grant:
        grant = self._exchange.grant(audience)
        with self._lock:
            if self._over.is_set():
                raise _Over
            if audience in self._names:
                self._files.write(self._names[audience], grant.token)
        return grant

    def _lose(self, rejection: Rejection) -> None:
        with self._lock:
            if self._over.is_set():
                return
            self._files.remove()
        if rejection.reported:
            # Its variables stay, because other threads may be reading them. They name files that are gone.
            self._tell_reported(rejection)
        else:
            self._gate.reject(rejection, self._task_id, self._family)


class _Over(Exception):
    """The task has ended while a new token was on its way."""


def _broken(error: Exception) -> Rejection:
    """Whatever else went wrong: without its identity the task must not run."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return Rejection("not-set-up", f"the task's identity could not be set up: {why}")
